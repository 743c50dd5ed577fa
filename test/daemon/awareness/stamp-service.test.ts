/** Reflector and sender over real sockets on the loopback interface, on a free port: needs no privilege. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createSocket, type Socket } from 'node:dgram';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeReflector, encodeSender, STAMP_LENGTH } from '../../../daemon/awareness/stamp/packet.js';
import { ERROR_ESTIMATE, Reflector } from '../../../daemon/awareness/stamp/reflector.js';
import { StampService } from '../../../daemon/awareness/stamp/service.js';
import { readControl, readTransmitTime, TimestampedSocket } from '../../../daemon/awareness/stamp/socket.js';
import type { Way } from '../../../daemon/awareness/stamp/way.js';
import { native } from '../../../dataplane/native/index.js';
import { socketAddress } from '../../../dataplane/packet/socket-address.js';
import { ntpFromUnixNs } from '../../../daemon/awareness/stamp/timestamp.js';

async function freePort(): Promise<number> {
  const socket = createSocket('udp6');
  await new Promise<void>((resolve) => socket.bind(0, '::1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(() => resolve()));
  return port;
}

const until = async (condition: () => boolean, what: string): Promise<void> => {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) assert.fail(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

const to = (exit: string): Way => ({ exit, transit: [], back: [] });

const probe = (sequence: number): Uint8Array => encodeSender({ sequence, timestamp: ntpFromUnixNs(BigInt(Date.now()) * 1_000_000n), errorEstimate: ERROR_ESTIMATE, sessionId: 9 });

it('a socket that is flooded leaves the event loop its turns', async () => {
  const port = await freePort();
  const self = socketAddress('::1', port);
  let received = 0;
  // Every packet that is read brings two more: reading until nothing is left would not end.
  const socket = new TimestampedSocket('::1', port, ({ data }) => {
    if (++received < 200_000) for (let i = 0; i < 2; i++) socket.send(Uint8Array.from(data), self);
  }, (error) => assert.fail(String(error)));
  socket.send(new Uint8Array(8), self);
  try {
    let turns = 0;
    while (received < 10_000) {
      turns++;
      await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(turns > 10, `${turns} turns for ${received} packets`);
  } finally {
    socket.close();
  }
});

describe('a STAMP service on the loopback interface', () => {
  let port: number;
  let service: StampService;
  let client: Socket;
  const replies: Buffer[] = [];
  const errors: unknown[] = [];
  const alive: [string, boolean][] = [];

  before(async () => {
    port = await freePort();
    service = new StampService(
      { address: '::1', port, intervalMs: 20, lost: 3, allowed: ['::1/128'] },
      { onAlive: (exit, state) => alive.push([exit, state]), onMeasured: () => undefined, onError: (error) => errors.push(error) },
    );
    client = createSocket('udp6');
    client.on('message', (message) => replies.push(message));
    await new Promise<void>((resolve) => client.bind(0, '::1', resolve));
  });
  after(() => {
    service.close();
    client.close();
  });

  it('measures a round trip to itself with kernel timestamps', async () => {
    service.setTargets([to('::1')]);
    await until(() => (service.state('::1')?.statistics.received ?? 0) >= 10, 'ten replies');
    const { rttUs, lossPpm, late } = service.state('::1')!.statistics;
    assert.ok(rttUs! > 0 && rttUs! < 20_000, `${rttUs} us`);
    assert.equal(lossPpm, 0);
    assert.equal(late, 0);
    service.setTargets([]);
    assert.equal(service.state('::1'), undefined);
    assert.deepEqual(errors, []);
  });

  it('reflects the packet of another sender, its TLVs with it', async () => {
    const request = Buffer.concat([probe(77), Buffer.from('80010002aabb' + '80040001cc', 'hex')]);
    client.send(request, port, '::1');
    await until(() => replies.length === 1, 'a reply');
    const reply = decodeReflector(replies[0]!);
    assert.ok(!('fault' in reply));
    assert.deepEqual([reply.sequence, reply.senderSequence, reply.sessionId, reply.senderTtl], [77, 77, 9, 64]);
    assert.equal(reply.senderTimestamp, request.readBigUInt64BE(4));
    assert.ok(reply.receiveTimestamp <= reply.timestamp);
    assert.equal(replies[0]!.subarray(STAMP_LENGTH).toString('hex'), '00010002aabb' + '80040001cc');
  });

  it('gives no answer to short packets, and goes on', async () => {
    const before = service.counters.reflector;
    for (let length = 0; length < STAMP_LENGTH; length++) client.send(Buffer.alloc(length, 1), port, '::1');
    client.send(probe(78), port, '::1');
    await until(() => replies.length === 2, 'a reply after the short ones');
    await until(() => service.counters.reflector.malformed === before.malformed + STAMP_LENGTH, 'all short ones counted');
  });

  it('an exit that is not there is excluded; one that does not run STAMP too', async () => {
    service.setTargets([to('::1'), to('2001:db8:dead::1')]);
    await until(() => service.state('2001:db8:dead::1')?.alive === false, 'exit excluded');
    assert.deepEqual(alive, [['2001:db8:dead::1', false]]);
    assert.equal(service.state('::1')!.alive, true);
    service.setTargets([]);
  });

  it('the port cannot be taken twice', () => {
    assert.throws(
      () => new StampService({ address: '::1', port, intervalMs: 20, lost: 3, allowed: [] }, { onAlive: () => undefined, onMeasured: () => undefined, onError: () => undefined }),
      { code: 'EADDRINUSE' },
    );
  });
});

describe('the reflector', () => {
  const received = { data: probe(1), source: 'fc00::2', port: 5000, receivedNs: 1n, hopLimit: 61 };
  const now = (): bigint => 2n;

  it('answers sources of the domain only, and never another reflector', () => {
    const reflector = new Reflector({ allowed: ['fc00::/16'] }, 862);
    assert.ok(reflector.answer(received, now));
    assert.equal(reflector.answer({ ...received, source: '2001:db8::1' }, now), undefined);
    assert.equal(reflector.answer({ ...received, port: 862 }, now), undefined);
    assert.deepEqual(reflector.counters, { reflected: 1, refused: 2, malformed: 0 });
  });

  it('of a link answers only what no router forwarded', () => {
    const reflector = new Reflector({ allowed: ['fc00::/16'], minimumHopLimit: 255 }, 862);
    assert.equal(reflector.answer({ ...received, hopLimit: 254 }, now), undefined);
    assert.ok(reflector.answer({ ...received, hopLimit: 255 }, now));
  });

  it('its packets and those of a sender read the same in tshark', { skip: spawnSync('tshark', ['--version']).status !== 0 && 'tshark is not installed' }, () => {
    const reflector = new Reflector({ allowed: ['fc00::/16'] }, 862);
    const request = encodeSender({ sequence: 41, timestamp: ntpFromUnixNs(1_700_000_000_500_000_000n), errorEstimate: ERROR_ESTIMATE, sessionId: 0 });
    const reply = reflector.answer({ data: request, source: 'fc00::2', port: 5000, receivedNs: 1_700_000_001_000_000_000n, hopLimit: 61 }, () => 1_700_000_002_000_000_000n)!.packet;
    const [first, second] = tshark([request, reply]);
    // tshark 4.0 knows TWAMP-Test, whose fields STAMP keeps.
    assert.deepEqual(first!.slice(0, 2), ['41', '2023-11-14T22:13:20.500000000Z']);
    assert.deepEqual(second, ['41', '2023-11-14T22:13:22.000000000Z', '41', '2023-11-14T22:13:21.000000000Z', '2023-11-14T22:13:20.500000000Z', '61']);
  });
});

/** Sequence, timestamp, sender sequence, receive timestamp, sender timestamp, sender TTL of UDP payloads, as tshark reads them. */
function tshark(payloads: readonly Uint8Array[]): string[][] {
  const frames = payloads.map((payload, index) => {
    const [from, to] = index === 0 ? [5000, 862] : [862, 5000];
    const ip = Buffer.alloc(48);
    ip.writeUInt32BE(0x6000_0000, 0);
    ip.writeUInt16BE(8 + payload.length, 4);
    ip[6] = 17;
    ip[7] = 255;
    ip[23] = ip[39] = 1;
    ip.writeUInt16BE(from, 40);
    ip.writeUInt16BE(to, 42);
    ip.writeUInt16BE(8 + payload.length, 44);
    return Buffer.concat([ip, payload]);
  });
  // pcap file header: magic, version 2.4, zone, accuracy, snapshot length, link type 101 (raw IP).
  const header = Buffer.from('a1b2c3d400020004000000000000000000040000' + '00000065', 'hex');
  const file = Buffer.concat([header, ...frames.flatMap((frame) => [Buffer.from([0, 0, 0, 1, 0, 0, 0, 0]), length(frame.length), length(frame.length), frame])]);
  const fields = ['seq_number', 'timestamp', 'sender_seq_number', 'receive_timestamp', 'sender_timestamp', 'sender_ttl'].flatMap((field) => ['-e', `twamp.test.${field}`]);
  const folder = mkdtempSync(join(tmpdir(), 'stamp-'));
  const capture = join(folder, 'stamp.pcap');
  writeFileSync(capture, file);
  const run = spawnSync('tshark', ['-r', capture, '-d', 'udp.port==862,twamp.test', '-T', 'fields', ...fields], { encoding: 'utf8', env: { ...process.env, TZ: 'UTC' } });
  rmSync(folder, { recursive: true });
  assert.equal(run.status, 0, run.stderr);
  return run.stdout.trimEnd().split('\n').map((line) => line.split('\t').map(utc));
}

function length(octets: number): Buffer {
  const buffer = Buffer.alloc(4);
  buffer.writeUInt32BE(octets);
  return buffer;
}

/** tshark prints times as "Nov 14, 2023 22:13:20.500000000 UTC". */
function utc(text: string): string {
  const match = /^(\w+ \d+, \d+ \d\d:\d\d:\d\d)(\.\d+) UTC$/.exec(text);
  return match ? new Date(`${match[1]!} UTC`).toISOString().replace('.000Z', `${match[2]!}Z`) : text;
}

describe('control data of a packet', () => {
  it('is read as far as it is whole', () => {
    const timestamp = Buffer.alloc(32);
    timestamp.writeBigUInt64LE(32n, 0);
    timestamp.writeInt32LE(1, 8);
    timestamp.writeInt32LE(35, 12);
    timestamp.writeBigInt64LE(5n, 16);
    timestamp.writeBigInt64LE(7n, 24);
    const hops = Buffer.alloc(24);
    hops.writeBigUInt64LE(20n, 0);
    hops.writeInt32LE(41, 8);
    hops.writeInt32LE(52, 12);
    hops.writeInt32LE(61, 16);
    const whole = Buffer.concat([timestamp, hops]);
    assert.deepEqual(readControl(whole), { receivedNs: 5_000_000_007n, hopLimit: 61 });
    for (let cut = 0; cut < whole.length; cut++) {
      const { receivedNs, hopLimit } = readControl(whole.subarray(0, cut));
      assert.equal(receivedNs, cut >= 32 ? 5_000_000_007n : undefined);
      assert.equal(hopLimit, cut >= 52 ? 61 : undefined);
    }
  });

  it('of the error queue says which packet left when, as far as it is whole', () => {
    // As a kernel wrote it: SCM_TIMESTAMPING with three times, of which the first is set, then IPV6_RECVERR with a sock_extended_err and an address.
    const times = Buffer.alloc(64);
    times.writeBigUInt64LE(64n, 0);
    times.writeInt32LE(1, 8);
    times.writeInt32LE(37, 12);
    times.writeBigInt64LE(1_700_000_000n, 16);
    times.writeBigInt64LE(123n, 24);
    const error = Buffer.alloc(64);
    error.writeBigUInt64LE(60n, 0);
    error.writeInt32LE(41, 8);
    error.writeInt32LE(25, 12);
    error.writeUInt32LE(42, 16); // ENOMSG
    error[20] = 4;
    error.writeUInt32LE(9, 28);
    const whole = Buffer.concat([times, error]);
    assert.deepEqual(readTransmitTime(whole), { packet: 9, sentNs: 1_700_000_000_000_000_123n });
    for (let cut = 0; cut < 124; cut++) assert.equal(readTransmitTime(whole.subarray(0, cut)), undefined);
    error[20] = 3; // of ICMPv6
    assert.equal(readTransmitTime(Buffer.concat([times, error])), undefined);
  });

  it('is never too strange to read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (control) => {
        readControl(control);
        readTransmitTime(control);
      }),
    );
  });
});

it('a socket tells when the kernel sent each packet, between the times before and after the call', async () => {
  const port = await freePort();
  const socket = new TimestampedSocket('::1', 0, () => undefined, (error) => assert.fail(String(error)));
  try {
    for (let i = 0; i < 5; i++) {
      const before = native.realtimeNs();
      let sent: bigint | undefined;
      assert.ok(socket.send(new Uint8Array(44), socketAddress('::1', port), (ns) => (sent = ns)));
      const after = native.realtimeNs();
      assert.ok(sent !== undefined && sent >= before && sent <= after, `${before} ${sent} ${after}`);
    }
  } finally {
    socket.close();
  }
});
