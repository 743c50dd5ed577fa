/** Floods of first packets: pinned flows stay, the limits ahead of the punt queue hold, and every drop is counted. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { FlowChain, SERVICE, SID_DX6, until, type Router } from './flow-chain.js';
import { Sender } from './flow-traffic.js';

const PORT = 7000;
const PINNED = 50;
const FLOOD = 20_000;
const SOURCE_RATE = 100;
const SOURCE_BURST = 200;
const INTERFACE_RATE = 2000;
const INTERFACE_BURST = 3000;

describe('a flood of first packets', () => {
  const chain = new FlowChain('flowflood');
  let router: Router;
  let spoofer: Sender;
  let flooder: Sender;

  before(async () => {
    chain.up();
    router = await chain.startRouter({ maxNewFlows: 1000, interfaceRate: INTERFACE_RATE, interfaceBurst: INTERFACE_BURST, sourceRate: SOURCE_RATE, sourceBurst: SOURCE_BURST });
    await router.setPolicies([{ policy: 16, segments: [SID_DX6], mtu: 1500 }]);
    await router.steer(16);
    await chain.startEcho(PORT);
    await until('a first answer', 10_000, async () => (await chain.send({ port: PORT, waitMs: 500 })).replies === 1);
    spoofer = await Sender.start(chain, FLOOD, { spoofed: true });
    flooder = await Sender.start(chain, 5000);
  });

  after(async () => {
    spoofer.stop();
    flooder.stop();
    try {
      if (router.process.exitCode === null) await router.end('remove');
    } finally {
      chain.down();
    }
  });

  it('from spoofed sources evicts no pinned flow, and its drops are counted by the interface', async () => {
    for (let i = 0; i < PINNED; i++) assert.equal((await chain.send({ port: PORT, sourcePort: 30_000 + i, count: 2 })).replies, 2);
    const before = await router.counters();
    const { sent, ms } = await spoofer.send({ count: FLOOD, first: 0, span: FLOOD, rate: 0 });
    await until('the daemon has read the queue', 5000, async () => {
      const counters = await router.counters();
      return counters['punt_received']! - before['punt_received']! === counters['kernel_punted']! - before['kernel_punted']!;
    });
    const after = await router.counters();
    const dropped = after['kernel_limited_interface']! - before['kernel_limited_interface']!;
    const punted = after['kernel_punted']! - before['kernel_punted']!;
    assert.equal(dropped + punted, sent);
    const allowed = INTERFACE_BURST + (INTERFACE_RATE * ms) / 1000;
    assert.ok(punted <= allowed * 1.1 && punted >= INTERFACE_BURST * 0.9, `${punted} of ${sent} punted in ${ms} ms`);
    // More new flows than their table holds have passed through it.
    assert.ok(punted > 1300);
    const pinned = (await router.flows()).filter(({ sourcePort, packets }) => sourcePort >= 30_000 && sourcePort < 30_000 + PINNED && packets >= 2);
    assert.equal(pinned.filter(({ source }) => source === 'fd10::2').length, PINNED);
    for (let i = 0; i < PINNED; i += 10) assert.equal((await chain.send({ port: PORT, sourcePort: 30_000 + i })).replies, 1);
    assert.equal((await router.counters())['kernel_punted'], after['kernel_punted']);
  });

  it('from one source is limited by that source, and others still get through', async () => {
    const before = await router.counters();
    const { sent, ms } = await flooder.send({ count: 5000, first: 0, span: 5000, rate: 0 });
    const after = await router.counters();
    const punted = after['kernel_punted']! - before['kernel_punted']!;
    const limited = after['kernel_limited_source']! - before['kernel_limited_source']!;
    assert.equal(punted + limited + after['kernel_limited_interface']! - before['kernel_limited_interface']!, sent);
    assert.ok(punted <= (SOURCE_BURST + (SOURCE_RATE * ms) / 1000) * 1.1, `${punted} punted in ${ms} ms`);
    assert.ok(limited > 4000);
    // Another /64 behind the same interface.
    chain.exec('client', 'ip', 'addr', 'add', 'fd11::2/128', 'dev', 'lo');
    chain.exec('entry', 'ip', '-6', 'route', 'add', 'fd11::/64', 'via', 'fd10::2', 'dev', 'e0');
    chain.exec('exit', 'ip', '-6', 'route', 'add', 'fd11::/64', 'via', 'fd20::1');
    assert.match(chain.exec('client', 'ping', '-6', '-c', '1', '-w', '2', '-I', 'fd11::2', SERVICE), /1 received/);
  });
});
