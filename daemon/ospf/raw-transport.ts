/** OSPF over raw IPv6 sockets, one an interface (RFC 5340 section A.1). */
import { native, type Native, type PollHandle } from '../../dataplane/native/index.js';
import { controlMessages } from '../../dataplane/packet/control-messages.js';
import { formatIp, parseIp } from '../../dataplane/packet/ip.js';
import { SOCKADDR_IN6, socketAddress } from '../../dataplane/packet/socket-address.js';
import { ALL_D_ROUTERS, ALL_SPF_ROUTERS, type OspfTransport, type TransportHandlers, type TransportInterface, type TransportPort } from './transport.js';

/** The system calls needed; a test puts others in their place. */
export type OspfKernel = Pick<Native, 'socket' | 'bind' | 'setsockopt' | 'poll' | 'close' | 'recvBatch' | 'sendmsg'>;

const AF_INET6 = 10;
const SOCK_RAW = 3;
const PROTOCOL_OSPF = 89;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SOL_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_MULTICAST_IF = 17;
const IPV6_MULTICAST_HOPS = 18;
const IPV6_MULTICAST_LOOP = 19;
const IPV6_JOIN_GROUP = 20;
const IPV6_LEAVE_GROUP = 21;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50; // type of the control message
const IPV6_TCLASS = 67;
const READABLE = 1;

/** CS6, network control (RFC 4594 section 3.1). */
const TRAFFIC_CLASS = 0xc0;
/** A neighbour may answer a whole request at once. */
const SOCKET_BUFFER = 4 << 20;
const NAME = SOCKADDR_IN6;
/** A struct in6_pktinfo with its header. */
const CONTROL = 40;
/** An LSA may be larger than any link's packets: what was fragmented comes whole. */
const STRIDE = 65_536;
const BATCH = 16;
/** Batches read in one turn of the event loop. */
const BATCHES_A_TURN = 4;

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function octetsOf(address: string): Uint8Array {
  const octets = parseIp(address);
  if (octets?.length !== 16) throw new TypeError(`not an IPv6 address: ${address}`);
  return octets;
}

/** struct ipv6_mreq */
function membership(group: string, index: number): Uint8Array {
  const request = new Uint8Array(20);
  request.set(octetsOf(group));
  new DataView(request.buffer).setUint32(16, index, true);
  return request;
}

/** Where the packet went to, as the kernel says; empty: it did not say. */
function destinationOf(control: Uint8Array): string {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  for (const [level, type, at, length] of controlMessages(view)) if (level === SOL_IPV6 && type === IPV6_PKTINFO && length >= 20) return formatIp(control, at, 16);
  return '';
}

class RawPort implements TransportPort {
  private readonly fd: number;
  private readonly handle: PollHandle;
  private readonly destinations = new Map<string, Uint8Array>();
  private isDesignated = false;
  private isClosed = false;

  constructor(
    private readonly kernel: OspfKernel,
    private readonly buffers: Buffers,
    private readonly link: TransportInterface,
    private readonly handlers: TransportHandlers,
  ) {
    this.fd = kernel.socket(AF_INET6, SOCK_RAW, PROTOCOL_OSPF);
    try {
      this.prepare();
      this.handle = kernel.poll(this.fd, READABLE, () => this.read());
    } catch (error) {
      kernel.close(this.fd);
      throw error;
    }
  }

  private prepare(): void {
    const { kernel, fd, link } = this;
    kernel.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${link.name}\0`));
    for (const option of [SO_RCVBUFFORCE, SO_SNDBUFFORCE]) kernel.setsockopt(fd, SOL_SOCKET, option, SOCKET_BUFFER);
    for (const [option, value] of [
      [IPV6_MULTICAST_IF, link.index],
      [IPV6_MULTICAST_LOOP, 0],
      [IPV6_MULTICAST_HOPS, 1],
      [IPV6_UNICAST_HOPS, 1],
      [IPV6_TCLASS, TRAFFIC_CLASS],
      [IPV6_RECVPKTINFO, 1],
    ] as const) {
      kernel.setsockopt(fd, SOL_IPV6, option, value);
    }
    kernel.setsockopt(fd, SOL_IPV6, IPV6_JOIN_GROUP, membership(ALL_SPF_ROUTERS, link.index));
    // The source of what is sent; multicast is received all the same.
    kernel.bind(fd, socketAddress(link.linkLocal, 0, link.index));
  }

  send(bytes: Uint8Array, destination: string): void {
    if (this.isClosed) return;
    let name = this.destinations.get(destination);
    if (!name) {
      // Addresses of neighbours that come and go are not kept for ever.
      if (this.destinations.size > 1000) this.destinations.clear();
      this.destinations.set(destination, (name = socketAddress(destination, 0, this.link.index)));
    }
    try {
      if (this.kernel.sendmsg(this.fd, bytes, name, null) < 0) this.handlers.failed('the send buffer is full');
    } catch (error) {
      this.handlers.failed(messageOf(error));
    }
  }

  setDesignated(member: boolean): void {
    if (member === this.isDesignated || this.isClosed) return;
    this.isDesignated = member;
    try {
      this.kernel.setsockopt(this.fd, SOL_IPV6, member ? IPV6_JOIN_GROUP : IPV6_LEAVE_GROUP, membership(ALL_D_ROUTERS, this.link.index));
    } catch (error) {
      this.handlers.failed(messageOf(error));
    }
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.handle.close();
    this.kernel.close(this.fd);
  }

  private read(): void {
    const { arena, lengths, names, control, controlLengths } = this.buffers;
    for (let batch = 0; batch < BATCHES_A_TURN; batch++) {
      let count: number;
      try {
        count = this.kernel.recvBatch(this.fd, arena, lengths, names, control, controlLengths);
      } catch (error) {
        this.handlers.failed(messageOf(error));
        return;
      }
      for (let i = 0; i < count; i++) {
        const destination = destinationOf(control.subarray(i * CONTROL, i * CONTROL + controlLengths[i]!));
        this.handlers.received(arena.subarray(i * STRIDE, i * STRIDE + Math.min(STRIDE, lengths[i]!)), formatIp(names, i * NAME + 8, 16), destination);
        // What was received may have taken the interface down.
        if (this.isClosed) return;
      }
      if (count < BATCH) return;
    }
  }
}

/** Packets are read and dealt with one after the other: all ports share the room for them. */
class Buffers {
  readonly arena = new Uint8Array(BATCH * STRIDE);
  readonly lengths = new Int32Array(BATCH);
  readonly names = new Uint8Array(BATCH * NAME);
  readonly control = new Uint8Array(BATCH * CONTROL);
  readonly controlLengths = new Int32Array(BATCH);
}

export class RawTransport implements OspfTransport {
  private readonly buffers = new Buffers();

  constructor(private readonly kernel: OspfKernel = native) {}

  /** Throws NativeError without CAP_NET_RAW, and while the link-local address cannot be used. */
  open(link: TransportInterface, handlers: TransportHandlers): TransportPort {
    return new RawPort(this.kernel, this.buffers, link, handlers);
  }
}
