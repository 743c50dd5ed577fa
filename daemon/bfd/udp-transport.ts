/** BFD over UDP sockets of the kernel, IPv4 and IPv6 (RFC 5881 section 4, RFC 5883 section 5). */
import { native, type Native, type PollHandle } from '../../dataplane/native/index.js';
import { controlMessages } from '../../dataplane/packet/control-messages.js';
import { formatIp } from '../../dataplane/packet/ip.js';
import { SOCKADDR_IN6, socketAddress } from '../../dataplane/packet/socket-address.js';
import { MULTIHOP_PORT, SINGLE_HOP_PORT, type BfdTransport, type Channel, type ChannelOptions, type TransportListener } from './transport.js';

/** The system calls needed; a test puts others in their place. */
export type BfdKernel = Pick<Native, 'socket' | 'bind' | 'setsockopt' | 'poll' | 'close' | 'recvBatch' | 'sendmsg' | 'ifNameToIndex' | 'ifIndexToName'>;

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const IPPROTO_IP = 0;
const IP_TOS = 1;
const IP_TTL = 2; // also the type of its control message
const IP_PKTINFO = 8; // also the type of its control message
const IP_RECVTTL = 12;
const IP_FREEBIND = 15;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_RECVPKTINFO = 49;
const IPV6_PKTINFO = 50; // type of the control message
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52; // type of the control message
const IPV6_TCLASS = 67;
const IPV6_FREEBIND = 78;
const READABLE = 1;

/** RFC 5881 section 5: what leaves with less is no packet of a neighbor. */
const HOP_LIMIT = 255;
/** CS6, network control (RFC 4594 section 3.1), so that a full link does not look like a dead one. */
const TRAFFIC_CLASS = 0xc0;

const BATCH = 32;
/** Batches read in one turn of the event loop, and when somebody has to know what is there. */
const BATCHES_A_TURN = 8;
const BATCHES_AT_ONCE = 64;
/** A packet has 52 octets at most; whatever is longer is cut and refused by its length. */
const STRIDE = 256;
const NAME = SOCKADDR_IN6;
/** Room for an int and a struct in6_pktinfo, each with its header. */
const CONTROL = 96;
const RETRY_MS = 2000;
/** How long the name of an interface is taken for known, ms. */
const NAMES_MS = 1000;

interface PacketInfo {
  readonly hopLimit: number;
  readonly destination: string;
  readonly interfaceIndex: number;
}

/** What the kernel said beside a packet; a hop limit it did not tell is 0, which nobody accepts. */
function readControl(control: Uint8Array): PacketInfo {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  let hopLimit = 0;
  let destination = '';
  let interfaceIndex = 0;
  for (const [level, type, at, length] of controlMessages(view)) {
    if ((level === IPPROTO_IPV6 && type === IPV6_HOPLIMIT) || (level === IPPROTO_IP && type === IP_TTL)) hopLimit = length >= 4 ? view.getInt32(at, true) : 0;
    else if (level === IPPROTO_IPV6 && type === IPV6_PKTINFO && length >= 20) {
      destination = formatIp(control, at, 16);
      interfaceIndex = view.getUint32(at + 16, true);
    } else if (level === IPPROTO_IP && type === IP_PKTINFO && length >= 12) {
      interfaceIndex = view.getUint32(at, true);
      destination = formatIp(control, at + 8, 4);
    }
  }
  return { hopLimit, destination, interfaceIndex };
}

interface Receiver {
  readonly fd: number;
  readonly handle: PollHandle;
  readonly family: 4 | 6;
  readonly multihop: boolean;
}

export class UdpTransport implements BfdTransport {
  private readonly receivers: Receiver[] = [];
  private listener: TransportListener | undefined;
  private retry: NodeJS.Timeout | undefined;
  private readonly reported = new Set<string>();
  private readonly arena = new Uint8Array(BATCH * STRIDE);
  private readonly lengths = new Int32Array(BATCH);
  private readonly names = new Uint8Array(BATCH * NAME);
  private readonly control = new Uint8Array(BATCH * CONTROL);
  private readonly controlLengths = new Int32Array(BATCH);
  private interfaceNames = new Map<number, string>();
  private namesUntil = 0;

  constructor(private readonly kernel: BfdKernel = native) {}

  listen(listener: TransportListener): void {
    this.listener = listener;
    let missing = false;
    for (const family of [6, 4] as const) {
      for (const multihop of [false, true]) {
        if (this.receivers.some((receiver) => receiver.family === family && receiver.multihop === multihop)) continue;
        if (!this.openReceiver(family, multihop)) missing = true;
      }
    }
    clearTimeout(this.retry);
    // Another BFD daemon may hold the port, and go.
    if (missing) this.retry = setTimeout(() => this.listen(listener), RETRY_MS);
  }

  private openReceiver(family: 4 | 6, multihop: boolean): boolean {
    const { kernel } = this;
    const port = multihop ? MULTIHOP_PORT : SINGLE_HOP_PORT;
    let fd: number | undefined;
    try {
      fd = kernel.socket(family === 6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
      if (family === 6) {
        kernel.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        kernel.setsockopt(fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
        kernel.setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
      } else {
        kernel.setsockopt(fd, IPPROTO_IP, IP_RECVTTL, 1);
        kernel.setsockopt(fd, IPPROTO_IP, IP_PKTINFO, 1);
      }
      kernel.bind(fd, socketAddress(family === 6 ? '::' : '0.0.0.0', port, 0));
      const receiver: Receiver = { fd, family, multihop, handle: kernel.poll(fd, READABLE, () => this.read(receiver, BATCHES_A_TURN)) };
      this.receivers.push(receiver);
      return true;
    } catch (error) {
      if (fd !== undefined) kernel.close(fd);
      this.report(`UDP port ${port} of IPv${family}: ${error instanceof Error ? error.message : String(error)}`);
      return false;
    }
  }

  /** Once a text: the same fault comes again and again. */
  private report(text: string): void {
    if (this.reported.has(text)) return;
    this.reported.add(text);
    this.listener?.failed(text);
  }

  drain(): void {
    for (const receiver of this.receivers) this.read(receiver, BATCHES_AT_ONCE);
  }

  private read(receiver: Receiver, batches: number): void {
    for (let batch = 0; batch < batches; batch++) {
      let count: number;
      try {
        count = this.kernel.recvBatch(receiver.fd, this.arena, this.lengths, this.names, this.control, this.controlLengths);
      } catch (error) {
        this.report(`receiving: ${error instanceof Error ? error.message : String(error)}`);
        return;
      }
      for (let i = 0; i < count; i++) this.deliver(receiver, i);
      if (count < BATCH) return;
    }
  }

  private deliver({ family, multihop }: Receiver, index: number): void {
    const { hopLimit, destination, interfaceIndex } = readControl(this.control.subarray(index * CONTROL, index * CONTROL + this.controlLengths[index]!));
    const at = index * NAME;
    this.listener?.received({
      data: this.arena.subarray(index * STRIDE, index * STRIDE + Math.min(STRIDE, this.lengths[index]!)),
      source: family === 6 ? formatIp(this.names, at + 8, 16) : formatIp(this.names, at + 4, 4),
      destination,
      interface: this.interfaceName(interfaceIndex),
      hopLimit,
      multihop,
    });
  }

  private interfaceName(index: number): string {
    const now = performance.now();
    if (now > this.namesUntil) {
      this.interfaceNames = new Map();
      this.namesUntil = now + NAMES_MS;
    }
    const known = this.interfaceNames.get(index);
    if (known !== undefined) return known;
    let name: string;
    try {
      name = this.kernel.ifIndexToName(index);
    } catch {
      // Gone since the packet came in.
      name = `if${index}`;
    }
    this.interfaceNames.set(index, name);
    return name;
  }

  open({ peer, interface: device, localAddress, multihop, sourcePort }: ChannelOptions): Channel {
    const { kernel } = this;
    const isV6 = peer.includes(':');
    const scope = device === undefined ? 0 : kernel.ifNameToIndex(device);
    const address = socketAddress(peer, multihop ? MULTIHOP_PORT : SINGLE_HOP_PORT, scope);
    const fd = kernel.socket(isV6 ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    try {
      if (isV6) {
        kernel.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
        kernel.setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, 1);
        kernel.setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, HOP_LIMIT);
        kernel.setsockopt(fd, IPPROTO_IPV6, IPV6_TCLASS, TRAFFIC_CLASS);
      } else {
        kernel.setsockopt(fd, IPPROTO_IP, IP_FREEBIND, 1);
        kernel.setsockopt(fd, IPPROTO_IP, IP_TTL, HOP_LIMIT);
        kernel.setsockopt(fd, IPPROTO_IP, IP_TOS, TRAFFIC_CLASS);
      }
      if (device !== undefined) kernel.setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${device}\0`));
      kernel.bind(fd, socketAddress(localAddress ?? (isV6 ? '::' : '0.0.0.0'), sourcePort, scope));
    } catch (error) {
      kernel.close(fd);
      throw error;
    }
    let open = true;
    return {
      send(data) {
        try {
          return kernel.sendmsg(fd, data, address, null) === data.length ? undefined : 'the send queue of the interface is full';
        } catch (error) {
          return error instanceof Error ? error.message : String(error);
        }
      },
      close() {
        if (open) kernel.close(fd);
        open = false;
      },
    };
  }

  close(): void {
    clearTimeout(this.retry);
    this.listener = undefined;
    for (const { fd, handle } of this.receivers.splice(0)) {
      handle.close();
      this.kernel.close(fd);
    }
  }
}
