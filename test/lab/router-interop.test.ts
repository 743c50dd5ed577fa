/** Whole routers of an IPv4 service behind FRR: the scenario and its check. Those of the BGP reflectors run in `npm run interop`. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { verify } from '../../lab/commands/verify.js';
import { Lab } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';

const PROGRAM = '/usr/lib/frr/bgpd';

test('ipv4-services: both exits arrive through the reflector, and the client reaches the service', { skip: !existsSync(PROGRAM) && `${PROGRAM} is not installed` }, async (t) => {
  const file = `${checkout}/containerlab/ipv4-services/ipv4-services.clab.yml`;
  const name = `routerlab-${process.pid}-ipv4-services`;
  t.after(() => Lab.down(file, name));
  const lab = await Lab.up(file, { name, log: (line) => assert.ok(!line.startsWith('ERROR'), line) });
  assert.equal(await verify(lab, []), 0);
});
