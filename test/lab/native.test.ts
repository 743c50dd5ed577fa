/** The addon where it needs root: network namespaces and TUN devices. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { after, test } from 'node:test';
import { native, type NativeError } from '../../dataplane/native/index.js';

const NAMESPACE = `native-addon-${process.pid}`;
const PATH = `/run/netns/${NAMESPACE}`;
const ip = (...words: string[]): string => execFileSync('ip', ['-n', NAMESPACE, ...words], { encoding: 'utf8' });

execFileSync('ip', ['netns', 'add', NAMESPACE]);
after(() => execFileSync('ip', ['netns', 'del', NAMESPACE]));

/** An IPv6 UDP packet to port 9 (discard) with a body of its own, checksum included. */
function udpPacket(source: string, destination: string, body: number): Uint8Array {
  const packet = new Uint8Array(52);
  const view = new DataView(packet.buffer);
  const address = (text: string): number[] => [0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, Number(text)];
  view.setUint8(0, 0x60);
  view.setUint16(4, 12);
  view.setUint8(6, 17);
  view.setUint8(7, 64);
  packet.set(address(source), 8);
  packet.set(address(destination), 24);
  view.setUint16(40, 40000);
  view.setUint16(42, 9);
  view.setUint16(44, 12);
  view.setUint32(48, body);
  let sum = 12 + 17;
  for (let at = 8; at < 52; at += 2) sum += view.getUint16(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(46, ~sum & 0xffff);
  return packet;
}

test('a body runs in another network namespace and the thread comes back, also after a throw', () => {
  const home = readlinkSync('/proc/thread-self/ns/net');
  const inside = native.inNetworkNamespace(PATH, () => readlinkSync('/proc/thread-self/ns/net'));
  assert.notEqual(inside, home);
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
  assert.throws(
    () => native.inNetworkNamespace(PATH, () => assert.fail('from the body')),
    /from the body/,
  );
  assert.equal(readlinkSync('/proc/thread-self/ns/net'), home);
  assert.throws(() => native.inNetworkNamespace(PATH, () => Promise.resolve()), /synchronous/);
  assert.throws(() => native.inNetworkNamespace('/run/netns/no-such-namespace', () => 0), (error: NativeError) => error.code === 'ENOENT' && error.syscall === 'open');
  assert.throws(() => native.inNetworkNamespace('/proc/self/ns/ipc', () => 0), (error: NativeError) => error.code === 'EINVAL' && error.syscall === 'setns');
});

test('packets go in and out of a TUN in a namespace, one a read and one a write', async () => {
  const tun = native.inNetworkNamespace(PATH, () => native.openTun('cpntun', true));
  ip('link', 'set', 'cpntun', 'addrgenmode', 'none', 'up');
  ip('addr', 'add', '2001:db8::1/64', 'dev', 'cpntun', 'nodad');

  // Out: what the kernel routes to the device, sent by a socket of the namespace.
  const udp = native.inNetworkNamespace(PATH, () => native.socket(10, 2, 0));
  const peer = new Uint8Array(28);
  peer.set([10, 0, 0, 9, 0, 0, 0, 0, 0x20, 0x01, 0x0d, 0xb8]);
  peer[23] = 2;
  for (let i = 0; i < 5; i++) native.sendmsg(udp, Uint8Array.of(i, i, i, i), peer, null);
  const arena = new Uint8Array(8 * 2048);
  const lengths = new Int32Array(8);
  const bodies: number[] = [];
  await new Promise<void>((resolve) => {
    const handle = native.poll(tun, 1, () => {
      const count = native.readBatch(tun, arena, lengths);
      for (let i = 0; i < count; i++) {
        if (arena[i * 2048 + 6] !== 17) continue; // the kernel's own MLD
        assert.equal(lengths[i], 52);
        bodies.push(arena[i * 2048 + 48]!);
      }
      if (bodies.length < 5) return;
      handle.close();
      resolve();
    });
  });
  assert.deepEqual(bodies, [0, 1, 2, 3, 4]);
  assert.equal(native.readBatch(tun, arena, lengths), 0);

  // In: three good packets and one that is no IP packet, which is refused, counted and passed over.
  const listener = native.inNetworkNamespace(PATH, () => native.socket(10, 2, 0));
  const any = new Uint8Array(28);
  any.set([10, 0, 0, 9]);
  native.bind(listener, any);
  const output = new Uint8Array(4 * 64);
  [1, 2, 3].forEach((body, i) => output.set(udpPacket('2', '1', body), (i === 0 ? 0 : i + 1) * 64));
  const errors = new Int32Array(1);
  assert.equal(native.writeBatch(tun, output, Int32Array.of(0, 64, 128, 192), Int32Array.of(52, 52, 52, 52), 4, errors), 3);
  assert.equal(errors[0], 1);
  const received = new Int32Array(8);
  const seen: number[] = [];
  await new Promise<void>((resolve) => {
    const handle = native.poll(listener, 1, () => {
      const count = native.recvBatch(listener, arena, received, null, null, null);
      for (let i = 0; i < count; i++) seen.push(new DataView(arena.buffer, i * 2048).getUint32(0));
      if (seen.length < 3) return;
      handle.close();
      resolve();
    });
  });
  assert.deepEqual(seen, [1, 2, 3]);
  native.close(udp);
  native.close(listener);

  // Persistent: the device survives its descriptor, until it is opened as not persistent.
  native.close(tun);
  assert.match(ip('link', 'show', 'cpntun'), /cpntun/);
  assert.throws(() => native.inNetworkNamespace(PATH, () => native.openTun('lo', true)), (error: NativeError) => error.syscall === 'TUNSETIFF' && error.message.includes('lo'));
  native.close(native.inNetworkNamespace(PATH, () => native.openTun('cpntun', false)));
  assert.doesNotMatch(ip('link', 'show'), /cpntun/);
});

test('a netlink socket that overran says ENOBUFS once, and its poll handle goes on', async () => {
  const SOL_SOCKET = 1;
  const SO_RCVBUF = 8;
  const IPV6_ADDRESSES = 0x100; // RTMGRP_IPV6_IFADDR
  const fd = native.inNetworkNamespace(PATH, () => native.socket(16, 3, 0));
  native.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, 1); // the kernel's minimum
  const address = new Uint8Array(Uint32Array.of(16, 0, IPV6_ADDRESSES).buffer);
  native.bind(fd, address);
  ip('link', 'set', 'lo', 'up');
  execFileSync('ip', ['-n', NAMESPACE, '-batch', '-'], { input: Array.from({ length: 50 }, (_, i) => `addr add 2001:db8:1::${i + 1}/128 dev lo`).join('\n') });

  const arena = new Uint8Array(8 * 8192);
  const lengths = new Int32Array(8);
  const seen: string[] = [];
  let wake: () => void = () => undefined;
  const handle = native.poll(fd, 1, (status) => {
    assert.equal(status, 0);
    try {
      if (native.recvBatch(fd, arena, lengths, null, null, null) > 0) seen.push('messages');
    } catch (error) {
      seen.push((error as NativeError).code);
    }
    wake();
  });
  const wait = async (what: string): Promise<void> => {
    while (!seen.includes(what)) await new Promise<void>((resolve) => (wake = resolve));
  };
  await wait('ENOBUFS');
  await wait('messages');
  seen.length = 0;
  ip('addr', 'add', '2001:db8:2::1/128', 'dev', 'lo');
  await wait('messages');
  assert.ok(!seen.includes('ENOBUFS'));
  handle.close();
  native.close(fd);
});
