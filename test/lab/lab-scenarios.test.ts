import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Lab } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import { verify } from '../../lab/commands/verify.js';

test('plain-srv6: kernels alone carry a packet from the client to the service, and its check notices when they do not', async (t) => {
  const file = `${checkout}/containerlab/plain-srv6/plain-srv6.clab.yml`;
  const name = `cpn-test-${process.pid}-plain-srv6`;
  t.after(() => Lab.down(file, name));
  const lab = await Lab.up(file, { name });
  assert.equal(await verify(lab, []), 0);
  await lab.node('transit').run(['ip', '-6', 'route', 'del', 'fc00:bb:2::e/128']);
  assert.equal(await verify(lab, []), 1);
});
