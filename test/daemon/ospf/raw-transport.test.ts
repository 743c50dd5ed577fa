import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type OspfKernel, RawTransport } from '../../../daemon/ospf/raw-transport.js';
import { formatIp, parseIp } from '../../../dataplane/packet/ip.js';

/** A kernel that remembers what it was asked for. */
class FakeKernel implements OspfKernel {
  readonly calls: string[] = [];
  readonly sent: { readonly bytes: string; readonly to: string }[] = [];
  readonly waiting: { readonly bytes: Uint8Array; readonly source: string; readonly destination: string }[] = [];
  readable: (() => void) | undefined;
  refuse: string | undefined;
  open = 0;

  socket(domain: number, type: number, protocol: number): number {
    this.calls.push(`socket ${domain} ${type} ${protocol}`);
    this.open++;
    return 3;
  }
  bind(_fd: number, address: Uint8Array): void {
    if (this.refuse === 'bind') throw new Error('bind EADDRNOTAVAIL');
    this.calls.push(`bind ${formatIp(address, 8, 16)}%${new DataView(address.buffer).getUint32(24, true)}`);
  }
  setsockopt(_fd: number, level: number, option: number, value: Uint8Array | number): void {
    this.calls.push(`option ${level} ${option} ${typeof value === 'number' ? value : value.length === 20 ? formatIp(value, 0, 16) : Buffer.from(value).toString()}`);
  }
  poll(_fd: number, _events: number, callback: (status: number, events: number) => void): { update(): void; ref(): void; unref(): void; close(): void } {
    this.readable = () => callback(0, 1);
    return { update: () => undefined, ref: () => undefined, unref: () => undefined, close: () => void (this.readable = undefined) };
  }
  close(): void {
    this.open--;
  }
  recvBatch(_fd: number, arena: Uint8Array, lengths: Int32Array, names: Uint8Array | null, control: Uint8Array | null, controlLengths: Int32Array | null): number {
    if (this.refuse === 'receive') throw new Error('recvmmsg ENETDOWN');
    const count = Math.min(lengths.length, this.waiting.length);
    for (let i = 0; i < count; i++) {
      const { bytes, source, destination } = this.waiting.shift()!;
      arena.set(bytes, (i * arena.length) / lengths.length);
      lengths[i] = bytes.length;
      names!.set(parseIp(source)!, (i * names!.length) / lengths.length + 8);
      const at = (i * control!.length) / lengths.length;
      const view = new DataView(control!.buffer, at);
      view.setBigUint64(0, 36n, true);
      view.setInt32(8, 41, true);
      view.setInt32(12, 50, true);
      control!.set(parseIp(destination)!, at + 16);
      controlLengths![i] = 40;
    }
    return count;
  }
  sendmsg(_fd: number, data: Uint8Array, address: Uint8Array | null): number {
    if (this.refuse === 'send') throw new Error('sendmsg ENETUNREACH');
    if (this.refuse === 'full') return -1;
    this.sent.push({ bytes: Buffer.from(data).toString('hex'), to: `${formatIp(address!, 8, 16)}%${new DataView(address!.buffer).getUint32(24, true)}` });
    return data.length;
  }
}

const link = { name: 'eth0', index: 7, linkLocal: 'fe80::1' };

function opened(): { kernel: FakeKernel; received: string[]; failures: string[]; port: ReturnType<RawTransport['open']> } {
  const kernel = new FakeKernel();
  const received: string[] = [];
  const failures: string[] = [];
  const port = new RawTransport(kernel).open(link, {
    received: (bytes, source, destination) => received.push(`${Buffer.from(bytes).toString('hex')} ${source} ${destination}`),
    failed: (reason) => failures.push(reason),
  });
  return { kernel, received, failures, port };
}

describe('OSPF over raw sockets', () => {
  test('a socket of protocol 89 is bound to the interface and its link-local address, sends with hop limit 1 and CS6, and joins AllSPFRouters', () => {
    const { kernel } = opened();
    assert.equal(kernel.calls[0], 'socket 10 3 89');
    assert.equal(kernel.calls.at(-1), 'bind fe80::1%7');
    for (const call of ['option 1 25 eth0\0', 'option 41 18 1', 'option 41 16 1', 'option 41 67 192', 'option 41 19 0', 'option 41 17 7', 'option 41 20 ff02::5']) {
      assert.ok(kernel.calls.includes(call), call);
    }
  });

  test('packets arrive with source and destination, in any number', () => {
    const { kernel, received } = opened();
    for (let i = 0; i < 40; i++) kernel.waiting.push({ bytes: Uint8Array.of(3, i), source: 'fe80::2', destination: i % 2 ? 'ff02::5' : 'fe80::1' });
    kernel.readable!();
    assert.equal(received.length, 40);
    assert.deepEqual(received.slice(0, 2), ['0300 fe80::2 fe80::1', '0301 fe80::2 ff02::5']);
  });

  test('one turn of the event loop takes so many packets and no more', () => {
    const { kernel, received } = opened();
    for (let i = 0; i < 200; i++) kernel.waiting.push({ bytes: Uint8Array.of(3), source: 'fe80::2', destination: 'ff02::5' });
    kernel.readable!();
    assert.equal(received.length, 64);
  });

  test('the designated router joins AllDRouters once and leaves it', () => {
    const { kernel, port } = opened();
    const before = kernel.calls.length;
    for (const member of [true, true, false, false]) port.setDesignated(member);
    assert.deepEqual(kernel.calls.slice(before), ['option 41 20 ff02::6', 'option 41 21 ff02::6']);
  });

  test('what cannot be sent or received is told, and the port goes on', () => {
    const { kernel, port, failures, received } = opened();
    kernel.refuse = 'send';
    port.send(Uint8Array.of(1), 'ff02::5');
    kernel.refuse = 'full';
    port.send(Uint8Array.of(1), 'ff02::5');
    kernel.refuse = 'receive';
    kernel.readable!();
    assert.deepEqual(failures, ['sendmsg ENETUNREACH', 'the send buffer is full', 'recvmmsg ENETDOWN']);
    kernel.refuse = undefined;
    port.send(Uint8Array.of(1, 2), 'fe80::2');
    assert.deepEqual(kernel.sent, [{ bytes: '0102', to: 'fe80::2%7' }]);
    kernel.waiting.push({ bytes: Uint8Array.of(9), source: 'fe80::2', destination: 'ff02::5' });
    kernel.readable!();
    assert.equal(received.length, 1);
  });

  test('a socket that cannot be bound is closed again, and a closed port does nothing', () => {
    const kernel = new FakeKernel();
    kernel.refuse = 'bind';
    assert.throws(() => new RawTransport(kernel).open(link, { received: () => undefined, failed: () => undefined }), /EADDRNOTAVAIL/);
    assert.equal(kernel.open, 0);
    const { kernel: other, port } = opened();
    port.close();
    port.close();
    port.send(Uint8Array.of(1), 'ff02::5');
    port.setDesignated(true);
    assert.deepEqual([other.open, other.sent.length, other.readable], [0, 0, undefined]);
  });
});
