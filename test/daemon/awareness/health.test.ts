import assert from 'node:assert/strict';
import { createServer, type AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HealthCheck, type Probe } from '../../../daemon/awareness/health/check.js';
import { decodeEchoReply, encodeEchoRequest, icmpProbe } from '../../../daemon/awareness/health/icmp.js';
import { HealthState } from '../../../daemon/awareness/health/state.js';
import { tcpProbe } from '../../../daemon/awareness/health/tcp.js';
import { ManualClock } from '../../../daemon/clock.js';

describe('health state', () => {
  it('the first check decides alone', () => {
    const state = new HealthState(3, 2);
    assert.equal(state.status, 'unknown');
    assert.equal(state.result('refused'), true);
    assert.deepEqual([state.status, state.reason], ['down', 'refused']);
  });

  it('falls after `fall` failures in a row and rises after `rise` successes in a row', () => {
    const state = new HealthState(3, 2);
    state.result(undefined);
    const changes = ['x', 'x', undefined, 'x', 'x', 'x', undefined, 'x', undefined, undefined].map((failure) => [state.result(failure), state.status]);
    assert.deepEqual(changes, [
      [false, 'up'],
      [false, 'up'],
      [false, 'up'],
      [false, 'up'],
      [false, 'up'],
      [true, 'down'],
      [false, 'down'],
      [false, 'down'],
      [false, 'down'],
      [true, 'up'],
    ]);
  });
});

describe('a repeated check', () => {
  const config = { intervalMs: 1000, timeoutMs: 300, fall: 1, rise: 1 };

  function scripted(answers: ((done: (failure: string | undefined) => void, clock: ManualClock) => void)[]): { clock: ManualClock; check: HealthCheck; started: number[]; cancelled: number[]; told: string[] } {
    const clock = new ManualClock();
    const started: number[] = [];
    const cancelled: number[] = [];
    const told: string[] = [];
    const probe: Probe = (done) => {
      started.push(clock.now());
      answers.shift()?.(done, clock);
      return { cancel: () => cancelled.push(clock.now()) };
    };
    const check = new HealthCheck(config, probe, clock, ({ status, reason }) => told.push(`${clock.now()} ${status} ${reason}`.trim()));
    check.start();
    return { clock, check, started, cancelled, told };
  }

  it('runs at once, then an interval after each start', () => {
    const { clock, started, told } = scripted([
      (done) => done(undefined),
      (done, at) => void at.setTimeout(() => done('refused'), 200),
      (done) => done(undefined),
    ]);
    clock.advance(2999);
    assert.deepEqual(started, [0, 1000, 2000]);
    assert.deepEqual(told, ['0 up', '1200 down refused', '2000 up']);
  });

  it('gives up after its time limit; an answer that comes later counts for nothing', () => {
    let late: ((failure: string | undefined) => void) | undefined;
    const { clock, cancelled, told } = scripted([(done) => (late = done)]);
    clock.advance(300);
    late!(undefined);
    assert.deepEqual(cancelled, [300]);
    assert.deepEqual(told, ['300 down no answer within 300 ms']);
  });

  it('stops for good', () => {
    const { clock, check, started, cancelled, told } = scripted([(done, at) => void at.setTimeout(() => done(undefined), 100)]);
    check.stop();
    clock.advance(10_000);
    assert.deepEqual([started, cancelled, told], [[0], [0], []]);
  });
});

const once = (probe: Probe): Promise<string | undefined> => new Promise((resolve) => probe(resolve));

describe('probes', () => {
  it('TCP: an open port is good, a closed one is refused', async () => {
    const server = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
    const { port } = server.address() as AddressInfo;
    assert.equal(await once(tcpProbe('::1', port)), undefined);
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await once(tcpProbe('::1', port)), 'connection refused');
  });

  it('ICMPv6: the loopback address answers', { skip: process.getuid?.() !== 0 && 'needs CAP_NET_RAW' }, async () => {
    const probe = icmpProbe('::1');
    assert.equal(await once(probe), undefined);
    assert.equal(await once(probe), undefined);
  });

  it('ICMPv6: an address that the kernel refuses (link-local without interface) is a failure, not an exception', { timeout: 5000, skip: process.getuid?.() !== 0 && 'needs CAP_NET_RAW' }, async () => {
    assert.match((await once(icmpProbe('fe80::1'))) ?? '', /connect/);
  });

  it('ICMP: the IPv4 loopback address answers', { skip: process.getuid?.() !== 0 && 'needs CAP_NET_RAW' }, async () => {
    assert.equal(await once(icmpProbe('127.0.0.1')), undefined);
  });

  it('an ICMP echo request has the fields and the checksum of RFC 792', () => {
    assert.equal(Buffer.from(encodeEchoRequest({ identifier: 0x1234, sequence: 0x5678 }, 4)).toString('hex'), '08008f5312345678' + '00'.repeat(8));
  });

  it('only whole ICMP echo replies behind an IPv4 header are replies', () => {
    const header = new Uint8Array(24);
    header[0] = 0x46; // with four octets of options
    const reply = Uint8Array.from([...header, 0, 0, 0xab, 0xcd, 0x12, 0x34, 0x56, 0x78]);
    assert.deepEqual(decodeEchoReply(reply, 4), { identifier: 0x1234, sequence: 0x5678 });
    for (let length = 0; length < reply.length; length++) assert.equal(decodeEchoReply(reply.subarray(0, length), 4), undefined);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void decodeEchoReply(bytes, 4)));
  });

  it('an echo request has the fields of RFC 4443 section 4.1', () => {
    assert.equal(Buffer.from(encodeEchoRequest({ identifier: 0x1234, sequence: 0x5678 })).toString('hex'), '8000000012345678' + '00'.repeat(8));
  });

  it('only whole echo replies are replies', () => {
    const reply = Uint8Array.from([129, 0, 0xab, 0xcd, 0x12, 0x34, 0x56, 0x78]);
    assert.deepEqual(decodeEchoReply(reply), { identifier: 0x1234, sequence: 0x5678 });
    for (let length = 0; length < reply.length; length++) assert.equal(decodeEchoReply(reply.subarray(0, length)), undefined);
    assert.equal(decodeEchoReply(Uint8Array.from([128, ...reply.subarray(1)])), undefined);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void decodeEchoReply(bytes)));
  });
});
