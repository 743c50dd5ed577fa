/** Whole routers whose services and networks travel as VPN routes: the scenario and its check. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { verify } from '../../lab/commands/verify.js';
import { Lab } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';

test('bgp-vpn: both exits pass FRR without ADD-PATH, the client reaches the service, and networks by their SIDs', { skip: !existsSync('/usr/lib/frr/bgpd') && 'FRR is not installed' }, async (t) => {
  const file = `${checkout}/containerlab/bgp-vpn/bgp-vpn.clab.yml`;
  const name = `routerlab-${process.pid}-bgp-vpn`;
  t.after(() => Lab.down(file, name));
  const lab = await Lab.up(file, { name, log: (line) => assert.ok(!line.startsWith('ERROR'), line) });
  assert.equal(await verify(lab, []), 0);
});
