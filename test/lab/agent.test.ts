import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lab } from '../../lab/index.js';
import { verify } from '../../lab/commands/verify.js';
import { checkout } from '../../lab/runner/checkout.js';

test('agent: nodes register by token and certificate, load reaches the entry, services run on demand, leases expire, log-outs withdraw', async (t) => {
  const file = `${checkout}/containerlab/agent/agent.clab.yml`;
  const name = `cpn-test-${process.pid}-agent`;
  t.after(() => Lab.down(file, name));
  const lab = await Lab.up(file, { name });
  assert.equal(await verify(lab, []), 0);
});
