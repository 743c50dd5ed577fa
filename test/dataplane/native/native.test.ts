import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync, openSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { native, type NativeError, type PollHandle } from '../../../dataplane/native/index.js';

const AF_INET = 2;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_ERROR = 4;
const SO_RCVBUF = 8;
const SO_TIMESTAMPNS = 35;

/** sockaddr_in of a port on 127.0.0.1. */
function loopback(port: number): Uint8Array {
  const address = new Uint8Array(16);
  address[0] = AF_INET;
  address[2] = port >> 8;
  address[3] = port & 0xff;
  address[4] = 127;
  address[7] = 1;
  return address;
}

function udpSocket(): { fd: number; address: Uint8Array } {
  const fd = native.socket(AF_INET, SOCK_DGRAM, 0);
  native.bind(fd, loopback(0));
  return { fd, address: native.getsockname(fd) };
}

/** Calls `poll` on the descriptor and resolves at the first report. */
function ready(fd: number, events = 1): Promise<{ status: number; events: number }> {
  return new Promise((resolve) => {
    const handle = native.poll(fd, events, (status, seen) => {
      handle.close();
      resolve({ status, events: seen });
    });
  });
}

const nativeError = (code: string, syscall: string) => (error: unknown) => {
  const { errno, code: symbol, syscall: call, message } = error as NativeError;
  assert.equal(symbol, code);
  assert.equal(call, syscall);
  assert.ok(errno > 0);
  assert.ok(message.startsWith(`${syscall}: ${code}: `), message);
  return error instanceof Error;
};

test('a listener gives its connections out one by one with the sockaddr of the other end, then nothing', async () => {
  const listener = native.socket(AF_INET, SOCK_STREAM, 0);
  native.bind(listener, loopback(0));
  assert.throws(() => native.accept(listener), nativeError('EINVAL', 'accept'));
  native.listen(listener, 8);
  assert.equal(native.accept(listener), null);
  const clients = [1, 2].map(() => native.socket(AF_INET, SOCK_STREAM, 0));
  for (const client of clients) native.connect(client, native.getsockname(listener));
  await ready(listener);
  for (const client of clients) {
    const connection = native.accept(listener);
    assert.ok(connection);
    assert.deepEqual(connection.address, native.getsockname(client));
    native.close(connection.fd);
  }
  assert.equal(native.accept(listener), null);
  for (const fd of [...clients, listener]) native.close(fd);
  const datagrams = udpSocket();
  assert.throws(() => native.listen(datagrams.fd, 8), nativeError('EOPNOTSUPP', 'listen'));
  native.close(datagrams.fd);
});

test('a batch of UDP datagrams arrives in order with lengths and senders', async () => {
  const receiver = udpSocket();
  const sender = udpSocket();
  native.connect(sender.fd, receiver.address);
  const count = 100;
  const arena = new Uint8Array(count * 64).map((_, i) => i >> 6);
  const offsets = Int32Array.from({ length: count }, (_, i) => i * 64);
  const lengths = Int32Array.from({ length: count }, (_, i) => (i % 64) + 1);
  assert.equal(native.sendBatch(sender.fd, arena, offsets, lengths, count), count);
  await ready(receiver.fd);

  const input = new Uint8Array(128 * 64);
  const seen = new Int32Array(128);
  const names = new Uint8Array(128 * 28);
  assert.equal(native.recvBatch(receiver.fd, input, seen, names, null, null), count);
  for (let i = 0; i < count; i++) {
    assert.equal(seen[i], (i % 64) + 1);
    assert.ok(input.subarray(i * 64, i * 64 + seen[i]!).every((octet) => octet === i));
    assert.deepEqual(names.slice(i * 28, i * 28 + 16), sender.address);
  }
  assert.equal(native.recvBatch(receiver.fd, input, seen, null, null, null), 0);
  native.close(receiver.fd);
  native.close(sender.fd);
});

test('a truncated datagram tells its real length and leaves the next stride alone', async () => {
  const receiver = udpSocket();
  const sender = udpSocket();
  assert.equal(native.sendmsg(sender.fd, new Uint8Array(300).fill(7), receiver.address, null), 300);
  await ready(receiver.fd);
  const input = new Uint8Array(2 * 100);
  const lengths = new Int32Array(2);
  assert.equal(native.recvBatch(receiver.fd, input, lengths, null, null, null), 1);
  assert.equal(lengths[0], 300);
  assert.ok(input.subarray(0, 100).every((octet) => octet === 7));
  assert.ok(input.subarray(100).every((octet) => octet === 0));
  native.close(receiver.fd);
  native.close(sender.fd);
});

test('control data comes with its length', async () => {
  const receiver = udpSocket();
  native.setsockopt(receiver.fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  const sender = udpSocket();
  native.sendmsg(sender.fd, new Uint8Array(1), receiver.address, null);
  await ready(receiver.fd);
  const control = new Uint8Array(4 * 64);
  const controlLengths = new Int32Array(4);
  assert.equal(native.recvBatch(receiver.fd, new Uint8Array(4 * 8), new Int32Array(4), null, control, controlLengths), 1);
  const view = new DataView(control.buffer);
  assert.equal(view.getInt32(8, true), SOL_SOCKET);
  assert.equal(view.getInt32(12, true), SO_TIMESTAMPNS);
  assert.equal(controlLengths[0], 32); // cmsghdr 16, timespec 16
  const stamp = view.getBigInt64(16, true) * 1_000_000_000n + view.getBigInt64(24, true);
  const age = native.realtimeNs() - stamp;
  assert.ok(age >= 0n && age < 10_000_000_000n, `age ${age}`);
  native.close(receiver.fd);
  native.close(sender.fd);
});

test('a failing call throws errno, symbol and syscall', () => {
  assert.throws(() => native.close(-1), nativeError('EBADF', 'close'));
  assert.throws(() => native.bind(-1, loopback(0)), nativeError('EBADF', 'bind'));
  const first = udpSocket();
  const second = native.socket(AF_INET, SOCK_DGRAM, 0);
  assert.throws(() => native.bind(second, first.address), nativeError('EADDRINUSE', 'bind'));
  assert.throws(() => native.setsockopt(second, 1, 99999, 1), nativeError('ENOPROTOOPT', 'setsockopt'));
  assert.throws(() => native.ifNameToIndex('no-such-if'), nativeError('ENODEV', 'if_nametoindex'));
  native.close(first.fd);
  native.close(second);
});

test('arguments of a wrong type or outside the arena are refused', () => {
  const { fd } = udpSocket();
  const wrong = native as unknown as Record<string, (...values: unknown[]) => unknown>;
  assert.throws(() => wrong['bind']!(fd, 'text'), TypeError);
  assert.throws(() => wrong['bind']!('1', new Uint8Array(16)), TypeError);
  assert.throws(() => wrong['recvBatch']!(fd, new Uint8Array(8), new Uint8Array(8), null, null, null), TypeError);
  assert.throws(() => native.recvBatch(fd, new Uint8Array(8), new Int32Array(0), null, null, null), RangeError);
  assert.throws(() => native.recvBatch(fd, new Uint8Array(8), new Int32Array(2), null, new Uint8Array(8), new Int32Array(1)), RangeError);
  assert.throws(() => native.sendBatch(fd, new Uint8Array(8), Int32Array.of(4), Int32Array.of(5), 1), RangeError);
  assert.throws(() => native.sendBatch(fd, new Uint8Array(8), Int32Array.of(-1), Int32Array.of(5), 1), RangeError);
  assert.throws(() => native.sendBatch(fd, new Uint8Array(8), Int32Array.of(0), Int32Array.of(1), 2), RangeError);
  assert.throws(() => native.ifNameToIndex('a-name-longer-than-fifteen'), RangeError);
  assert.throws(() => native.timerfdSet(fd, -1n), TypeError);
  native.close(fd);
});

test('socket options go both ways as numbers and octets', () => {
  const { fd } = udpSocket();
  native.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, 65536);
  const value = native.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, 4);
  assert.equal(new DataView(value.buffer).getInt32(0, true), 131072); // the kernel doubles it
  native.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, new Uint8Array(Int32Array.of(32768).buffer));
  assert.equal(new DataView(native.getsockopt(fd, SOL_SOCKET, SO_RCVBUF, 4).buffer).getInt32(0, true), 65536);
  native.close(fd);
});

test('interfaces have names and indices', () => {
  assert.equal(native.ifNameToIndex('lo'), 1);
  assert.equal(native.ifIndexToName(1), 'lo');
});

test('a poll handle reports writable, changes its events and closes twice', async () => {
  const { fd, address } = udpSocket();
  const reports: number[] = [];
  let wake: () => void = () => undefined;
  const handle = native.poll(fd, 2, (_status, events) => {
    reports.push(events);
    handle.update(0);
    wake();
  });
  await new Promise<void>((resolve) => (wake = resolve));
  assert.deepEqual(reports, [2]);
  const second = new Promise<void>((resolve) => (wake = resolve));
  handle.update(1);
  native.sendmsg(fd, new Uint8Array(1), address, null);
  await second;
  assert.deepEqual(reports, [2, 1]);
  handle.close();
  handle.close();
  handle.update(3);
  handle.ref();
  handle.unref();
  native.close(fd);
});

test('a queued socket error is ready to read, and polling goes on after it', async () => {
  const closed = udpSocket();
  native.close(closed.fd);
  const { fd } = udpSocket();
  native.connect(fd, closed.address);
  native.sendmsg(fd, new Uint8Array(1), null, null);
  assert.deepEqual(await ready(fd), { status: 0, events: 1 });
  assert.throws(() => native.recvBatch(fd, new Uint8Array(8), new Int32Array(1), null, null, null), nativeError('ECONNREFUSED', 'recvmmsg'));

  // The same handle must survive an error: refuse twice, seen by one handle.
  let refusals = 0;
  let wake: () => void = () => undefined;
  const handle = native.poll(fd, 1, () => {
    try {
      native.recvBatch(fd, new Uint8Array(8), new Int32Array(1), null, null, null);
    } catch {
      refusals++;
      wake();
    }
  });
  for (const wanted of [1, 2]) {
    const reported = new Promise<void>((resolve) => (wake = resolve));
    native.sendmsg(fd, new Uint8Array(1), null, null);
    await reported;
    assert.equal(refusals, wanted);
  }
  handle.close();
  native.close(fd);
});

test('poll refuses what is no descriptor, and its methods refuse what is no handle', () => {
  assert.throws(() => native.poll(-1, 1, () => undefined), nativeError('EBADF', 'uv_poll_init'));
  const { fd } = udpSocket();
  const handle = native.poll(fd, 1, () => undefined);
  const { close } = handle as unknown as { close: (this: unknown) => void };
  assert.throws(() => close.call({}), TypeError);
  handle.close();
  native.close(fd);
});

test('an active poll handle is not collected', async () => {
  const { setFlagsFromString } = await import('node:v8');
  const { runInNewContext } = await import('node:vm');
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const { fd, address } = udpSocket();
  const reported = new Promise<void>((resolve) => {
    native.poll(fd, 1, function (this: PollHandle) {
      this.close();
      resolve();
    });
  });
  collect();
  await new Promise((resolve) => setImmediate(resolve));
  collect();
  native.sendmsg(fd, new Uint8Array(1), address, null);
  await reported;
  native.close(fd);
});

test('a worker that ends with open poll handles tears them down', async () => {
  const source = `
    const { native } = await import(${JSON.stringify(new URL('../../../dataplane/native/index.js', import.meta.url).href)});
    const { parentPort } = await import('node:worker_threads');
    for (let i = 0; i < 20; i++) native.poll(native.timerfdCreate(), 1, () => undefined);
    const closed = native.poll(native.timerfdCreate(), 1, () => undefined);
    closed.close();
    parentPort.postMessage('open');
    setInterval(() => undefined, 1000);`;
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`));
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
  assert.equal(await worker.terminate(), 1);
});

test('a timerfd expires at its deadline, and not when disarmed', async () => {
  const fd = native.timerfdCreate();
  const deadline = native.monotonicNs() + 20_000_000n;
  native.timerfdSet(fd, deadline);
  await ready(fd);
  const late = native.monotonicNs() - deadline;
  assert.ok(late >= 0n && late < 500_000_000n, `late by ${late} ns`);
  native.timerfdRead(fd);
  native.timerfdRead(fd); // nothing to acknowledge: no error
  native.timerfdSet(fd, native.monotonicNs() + 3_600_000_000_000n);
  native.timerfdSet(fd, 0n);
  const other = native.timerfdCreate();
  native.timerfdSet(other, 1n); // a time in the past expires at once
  const handle = native.poll(fd, 1, () => assert.fail('a disarmed timer expired'));
  await ready(other);
  handle.close();
  native.close(fd);
  native.close(other);
});

test('readBatch stops at the end of a file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'cpn-native-'));
  try {
    writeFileSync(join(folder, 'file'), 'abcdef');
    const fd = openSync(join(folder, 'file'), 'r');
    const arena = new Uint8Array(16);
    const lengths = new Int32Array(4);
    assert.equal(native.readBatch(fd, arena, lengths), 2);
    assert.deepEqual([...lengths.subarray(0, 2)], [4, 2]);
    assert.equal(Buffer.from(arena.subarray(0, 6)).toString(), 'abcdef');
    native.close(fd);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a stream connection under way is no error, and is there when the descriptor is writable', async () => {
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = native.socket(AF_INET, SOCK_STREAM, 0);
  native.connect(client, loopback((server.address() as AddressInfo).port));
  assert.deepEqual(await ready(client, 2), { status: 0, events: 2 });
  assert.deepEqual([...native.getsockopt(client, SOL_SOCKET, SO_ERROR, 4)], [0, 0, 0, 0]);
  native.close(client);
  server.close();
});
  test('real-time scheduling refuses priorities that there are not', () => {
    assert.throws(() => native.scheduleRealTime(100), { code: 'EINVAL', syscall: 'sched_setscheduler' });
    assert.throws(() => native.scheduleRealTime(0), { code: 'EINVAL' });
  });

