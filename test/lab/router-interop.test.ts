/** Whole routers behind stock reflectors: the scenarios with BIRD, GoBGP and, for IPv4 services, FRR, and their checks. */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { verify } from '../../lab/commands/verify.js';
import { Lab } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';

for (const { scenario, program } of [
  { scenario: 'bgp-bird', program: '/usr/sbin/bird' },
  { scenario: 'bgp-gobgp', program: '/usr/bin/gobgpd' },
  { scenario: 'ipv4-services', program: '/usr/lib/frr/bgpd' },
]) {
  test(`${scenario}: both exits arrive through the reflector, and the client reaches the service`, { skip: !existsSync(program) && `${program} is not installed` }, async (t) => {
    const file = `${checkout}/containerlab/${scenario}/${scenario}.clab.yml`;
    const name = `routerlab-${process.pid}-${scenario}`;
    t.after(() => Lab.down(file, name));
    const lab = await Lab.up(file, { name, log: (line) => assert.ok(!line.startsWith('ERROR'), line) });
    assert.equal(await verify(lab, []), 0);
  });
}
