/** Netlink sockets, of routing unless said otherwise: the one place of this folder that touches the kernel. */
import { native, type NativeError } from '../native/index.js';
import {
  AF_NETLINK,
  NETLINK_ADD_MEMBERSHIP,
  NETLINK_CAP_ACK,
  NETLINK_EXT_ACK,
  NETLINK_GET_STRICT_CHK,
  NETLINK_ROUTE,
  RTNLGRP_NEXTHOP,
  SOCK_RAW,
  SOL_NETLINK,
  SOL_SOCKET,
  SO_RCVBUF,
  SO_RCVBUFFORCE,
} from './constants.js';
import { readU32 } from './attributes.js';

/** What a client or monitor needs of a socket; tests give their own. */
export interface NetlinkTransport {
  /** Port of this socket: the kernel marks what it caused with it. */
  readonly port: number;
  /** Sends messages; false when the kernel has no room now (try again when `onReady` calls). */
  send(messages: Uint8Array): boolean;
  /**
   * Reads datagrams until there are none or `limit` is reached. Each is valid during the call only. Returns whether there may be more.
   * Throws the kernel's error: ENOBUFS when it had to drop some.
   */
  receive(visit: (datagram: Uint8Array) => void, limit: number): boolean;
  /** Called when there is something to receive. */
  onReady(listener: () => void): void;
  close(): void;
}

const NAME = 12; // sockaddr_nl
const SLOTS = 32;
/** The kernel fills dump datagrams up to this size when the reader offers it. */
const SLOT_SIZE = 32 * 1024;
/** Octets of socket buffer: some thousand notifications while the event loop is busy. */
const RECEIVE_BUFFER = 8 * 1024 * 1024;

class NetlinkSocket implements NetlinkTransport {
  readonly port: number;
  private readonly fd: number;
  private readonly poll;
  private readonly names = new Uint8Array(SLOTS * NAME);
  private readonly lengths = new Int32Array(SLOTS);
  private arena = new Uint8Array(SLOTS * SLOT_SIZE);
  private listener: () => void = () => undefined;
  private closed = false;

  constructor(groups: readonly number[], protocol: number) {
    this.fd = native.socket(AF_NETLINK, SOCK_RAW, protocol);
    try {
      setReceiveBuffer(this.fd);
      native.setsockopt(this.fd, SOL_NETLINK, NETLINK_EXT_ACK, 1);
      native.setsockopt(this.fd, SOL_NETLINK, NETLINK_CAP_ACK, 1);
      native.setsockopt(this.fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
      const address = new Uint8Array(NAME);
      address.set(new Uint8Array(Uint16Array.of(AF_NETLINK).buffer));
      native.bind(this.fd, address);
      for (const group of groups) subscribe(this.fd, group);
      this.port = readU32(native.getsockname(this.fd), 4);
      this.poll = native.poll(this.fd, 1, () => this.listener());
    } catch (error) {
      native.close(this.fd);
      throw error;
    }
  }

  send(messages: Uint8Array): boolean {
    return native.sendmsg(this.fd, messages, null, null) >= 0;
  }

  receive(visit: (datagram: Uint8Array) => void, limit: number): boolean {
    for (let total = 0; total < limit; ) {
      if (this.closed) return false;
      const count = native.recvBatch(this.fd, this.arena, this.lengths, this.names, null, null);
      const { arena } = this;
      const stride = arena.length / SLOTS;
      for (let i = 0; i < count; i++) {
        const length = this.lengths[i]!;
        // Only the kernel (port 0) is listened to: any process may send to a netlink socket it knows the port of.
        if (readU32(this.names, i * NAME + 4) !== 0) continue;
        if (length > stride) {
          this.arena = new Uint8Array(SLOTS * 2 ** Math.ceil(Math.log2(length)));
          throw Object.assign(new Error(`recvmmsg: ENOBUFS: a datagram of ${length} octets was cut`), { errno: 105, code: 'ENOBUFS', syscall: 'recvmmsg' }) satisfies NativeError;
        }
        visit(arena.subarray(i * stride, i * stride + length));
      }
      if (count < SLOTS) return false;
      total += count;
    }
    return true;
  }

  onReady(listener: () => void): void {
    this.listener = listener;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.poll.close();
    native.close(this.fd);
  }
}

/** A group of the newer ones that this kernel does not know is left out: it has nothing to tell of. */
function subscribe(fd: number, group: number): void {
  try {
    native.setsockopt(fd, SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, group);
  } catch (error) {
    if (group < RTNLGRP_NEXTHOP || (error as NativeError).code !== 'EINVAL') throw error;
  }
}

/** SO_RCVBUFFORCE passes net.core.rmem_max but needs CAP_NET_ADMIN in the first user namespace. */
function setReceiveBuffer(fd: number): void {
  try {
    native.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER);
  } catch {
    native.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, RECEIVE_BUFFER);
  }
}

/** Opens a socket in the network namespace of the calling thread, subscribed to multicast groups (RTNLGRP_*). Throws NativeError. */
export function openNetlinkSocket(groups: readonly number[] = [], protocol = NETLINK_ROUTE): NetlinkTransport {
  return new NetlinkSocket(groups, protocol);
}
