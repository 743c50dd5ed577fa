import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ArrivedPacket } from '../../../daemon/bfd/transport.js';
import { UdpTransport, type BfdKernel } from '../../../daemon/bfd/udp-transport.js';

const IPPROTO_IP = 0;
const IPPROTO_IPV6 = 41;
const SOL_SOCKET = 1;

/** One control message: struct cmsghdr and its data, padded. */
function message(level: number, type: number, data: readonly number[]): Buffer {
  const head = Buffer.alloc(16);
  head.writeBigUInt64LE(BigInt(16 + data.length));
  head.writeInt32LE(level, 8);
  head.writeInt32LE(type, 12);
  return Buffer.concat([head, Buffer.from(data), Buffer.alloc((8 - (data.length % 8)) % 8)]);
}

interface Datagram {
  readonly data: Buffer;
  readonly name: Buffer;
  readonly control: Buffer;
}

class FakeKernel {
  readonly options: (readonly [fd: number, level: number, option: number, value: unknown])[] = [];
  readonly bound = new Map<number, Buffer>();
  readonly queue: Datagram[] = [];
  readonly sent: { readonly data: Buffer; readonly address: Buffer }[] = [];
  readonly closed: number[] = [];
  refuses: number | undefined;
  sendError: string | undefined;
  private next = 3;
  private readonly domains = new Map<number, number>();

  readonly calls: BfdKernel = {
    socket: (domain) => {
      this.domains.set(this.next, domain);
      return this.next++;
    },
    bind: (fd, address) => {
      if (new DataView(address.buffer).getUint16(2) === this.refuses) throw new Error('bind: EADDRINUSE');
      this.bound.set(fd, Buffer.from(address));
    },
    setsockopt: (fd, level, option, value) => void this.options.push([fd, level, option, typeof value === 'number' ? value : Buffer.from(value).toString()]),
    poll: () => ({ update: () => undefined, ref: () => undefined, unref: () => undefined, close: () => undefined }),
    close: (fd) => void this.closed.push(fd),
    recvBatch: (fd, arena, lengths, names, control, controlLengths) => {
      const datagram = this.domains.get(fd) === 10 && this.port(fd) === 3784 ? this.queue.shift() : undefined;
      if (!datagram) return 0;
      arena.set(datagram.data.subarray(0, arena.length / lengths.length));
      lengths[0] = datagram.data.length;
      names!.set(datagram.name);
      control!.set(datagram.control);
      controlLengths![0] = datagram.control.length;
      return 1;
    },
    sendmsg: (_fd, data, address) => {
      if (this.sendError !== undefined) throw new Error(this.sendError);
      this.sent.push({ data: Buffer.from(data), address: Buffer.from(address!) });
      return data.length;
    },
    ifNameToIndex: (name) => {
      if (name !== 'eth1') throw new Error(`if_nametoindex ${name}: ENODEV`);
      return 7;
    },
    ifIndexToName: (index) => {
      if (index !== 7) throw new Error('ENXIO');
      return 'eth1';
    },
  };

  port(fd: number): number {
    return this.bound.get(fd)?.readUInt16BE(2) ?? 0;
  }

  /** Options of the socket that was bound last. */
  last(): (readonly [level: number, option: number, value: unknown])[] {
    const fd = [...this.bound.keys()].at(-1)!;
    return this.options.filter(([of]) => of === fd).map(([, level, option, value]) => [level, option, value]);
  }
}

const has = (list: readonly (readonly unknown[])[], ...wanted: readonly (readonly unknown[])[]): void => {
  for (const one of wanted) assert.ok(list.some((item) => JSON.stringify(item) === JSON.stringify(one)), `${JSON.stringify(one)} among ${JSON.stringify(list)}`);
};

describe('BFD over UDP sockets', () => {
  it('listens for one hop and several, IPv4 and IPv6, and says once which port is taken', () => {
    const kernel = new FakeKernel();
    kernel.refuses = 4784;
    const transport = new UdpTransport(kernel.calls);
    const failures: string[] = [];
    const listener = { received: () => undefined, failed: (reason: string) => void failures.push(reason) };
    transport.listen(listener);
    transport.listen(listener);
    assert.deepEqual([...kernel.bound.keys()].map((fd) => kernel.port(fd)), [3784, 3784]);
    assert.deepEqual(failures, ['UDP port 4784 of IPv6: bind: EADDRINUSE', 'UDP port 4784 of IPv4: bind: EADDRINUSE']);
    kernel.refuses = undefined;
    transport.listen(listener);
    assert.deepEqual([...kernel.bound.keys()].map((fd) => kernel.port(fd)), [3784, 3784, 4784, 4784]);
    transport.close();
    for (const fd of kernel.bound.keys()) assert.ok(kernel.closed.includes(fd));
  });

  it('hands over packets with source, destination, interface and hop limit; one without a hop limit has 0', () => {
    const kernel = new FakeKernel();
    const transport = new UdpTransport(kernel.calls);
    const arrived: ArrivedPacket[] = [];
    transport.listen({ received: (packet) => void arrived.push({ ...packet, data: Uint8Array.from(packet.data) }), failed: (reason) => assert.fail(reason) });
    const name = Buffer.alloc(28);
    Buffer.from('fe800000000000000000000000000002', 'hex').copy(name, 8);
    const address = [...Buffer.from('fe800000000000000000000000000001', 'hex')];
    const control = Buffer.concat([message(IPPROTO_IPV6, 50, [...address, 7, 0, 0, 0]), message(IPPROTO_IPV6, 52, [255, 0, 0, 0])]);
    kernel.queue.push({ data: Buffer.from([1, 2, 3]), name, control }, { data: Buffer.alloc(2000), name, control: message(IPPROTO_IPV6, 50, [...address, 9, 0, 0, 0]) });
    transport.drain();
    transport.drain();
    transport.close();
    assert.deepEqual(arrived[0], { data: Uint8Array.of(1, 2, 3), source: 'fe80::2', destination: 'fe80::1', interface: 'eth1', hopLimit: 255, multihop: false });
    assert.deepEqual([arrived[1]!.interface, arrived[1]!.hopLimit, arrived[1]!.data.length], ['if9', 0, 256]);
  });

  it('sends with hop limit 255 and the class of network control from its own port, to a link-local peer through its interface', () => {
    const kernel = new FakeKernel();
    const transport = new UdpTransport(kernel.calls);
    const channel = transport.open({ peer: 'fe80::2', interface: 'eth1', localAddress: 'fe80::1', multihop: false, sourcePort: 50_000 });
    has(kernel.last(), [IPPROTO_IPV6, 16, 255], [IPPROTO_IPV6, 67, 0xc0], [SOL_SOCKET, 25, 'eth1\0']);
    const local = [...kernel.bound.values()].at(-1)!;
    assert.deepEqual([local.readUInt16BE(2), local.readUInt32LE(24)], [50_000, 7]);
    assert.equal(channel.send(Uint8Array.of(9)), undefined);
    const { address } = kernel.sent[0]!;
    assert.deepEqual([address.readUInt16LE(0), address.readUInt16BE(2), address.subarray(8, 24).toString('hex'), address.readUInt32LE(24)], [10, 3784, 'fe800000000000000000000000000002', 7]);
    kernel.sendError = 'sendmsg: ENETDOWN';
    assert.equal(channel.send(Uint8Array.of(9)), 'sendmsg: ENETDOWN');
    channel.close();
    channel.close();
    assert.equal(kernel.closed.length, 1);
    transport.open({ peer: '10.0.0.2', interface: undefined, localAddress: '10.0.0.1', multihop: true, sourcePort: 50_001 }).send(Uint8Array.of(1));
    has(kernel.last(), [IPPROTO_IP, 2, 255], [IPPROTO_IP, 1, 0xc0]);
    kernel.sendError = undefined;
    assert.throws(() => transport.open({ peer: 'fe80::2', interface: 'eth9', localAddress: undefined, multihop: false, sourcePort: 50_002 }), /eth9/);
  });
});
