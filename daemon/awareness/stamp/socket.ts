/** A UDP socket over IPv6 that tells when the kernel received each packet, and with which hop limit. */
import { formatIp, parseIp } from '../../../dataplane/packet/ip.js';
import { native, type PollHandle } from '../../../dataplane/native/index.js';
import type { Received } from './reflector.js';

const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_TIMESTAMPNS = 35; // also the type of its control message
const SOL_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;
const IPV6_FREEBIND = 78;
const READABLE = 1;

const BATCH = 32;
/** Batches read in one turn of the event loop, so that a flood of packets does not keep it for itself. */
const BATCHES_A_TURN = 8;
/** Batches read when somebody has to know what is there: as much as a socket buffer of the usual size holds. */
const BATCHES_AT_ONCE = 128;
const STRIDE = 2048;
/** struct sockaddr_in6 */
const NAME = 28;
/** Room for a timespec and an int, each with its header. */
const CONTROL = 64;

export function socketAddress(address: string, port: number): Uint8Array {
  const bytes = parseIp(address);
  if (bytes?.length !== 16) throw new TypeError(`not an IPv6 address: ${address}`);
  const name = new Uint8Array(NAME);
  const view = new DataView(name.buffer);
  view.setUint16(0, AF_INET6, true);
  view.setUint16(2, port);
  name.set(bytes, 8);
  return name;
}

/** What the kernel said beside a packet (cmsg(3), 64-bit little-endian). */
export function readControl(control: Uint8Array): { receivedNs: bigint | undefined; hopLimit: number | undefined } {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  let receivedNs: bigint | undefined;
  let hopLimit: number | undefined;
  for (let at = 0; at + 16 <= control.length; ) {
    const length = Number(view.getBigUint64(at, true));
    const level = view.getInt32(at + 8, true);
    const type = view.getInt32(at + 12, true);
    if (length < 16 || at + length > control.length) break;
    if (level === SOL_SOCKET && type === SO_TIMESTAMPNS && length >= 32) receivedNs = view.getBigInt64(at + 16, true) * 1_000_000_000n + view.getBigInt64(at + 24, true);
    if (level === SOL_IPV6 && type === IPV6_HOPLIMIT && length >= 20) hopLimit = view.getInt32(at + 16, true);
    at += (length + 7) & ~7;
  }
  return { receivedNs, hopLimit };
}

export class TimestampedSocket {
  private readonly fd: number;
  private readonly handle: PollHandle;
  private readonly arena = new Uint8Array(BATCH * STRIDE);
  private readonly lengths = new Int32Array(BATCH);
  private readonly names = new Uint8Array(BATCH * NAME);
  private readonly control = new Uint8Array(BATCH * CONTROL);
  private readonly controlLengths = new Int32Array(BATCH);
  private closed = false;

  /** Binds to an address that may come later (IPV6_FREEBIND); port 0 is any. Throws NativeError when the port is taken. */
  constructor(
    address: string,
    port: number,
    /** `received.data` is valid only during the call. */
    private readonly onPacket: (received: Received) => void,
    private readonly onError: (error: unknown) => void,
  ) {
    this.fd = native.socket(AF_INET6, SOCK_DGRAM, 0);
    try {
      native.setsockopt(this.fd, SOL_IPV6, IPV6_V6ONLY, 1);
      native.setsockopt(this.fd, SOL_IPV6, IPV6_FREEBIND, 1);
      native.setsockopt(this.fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
      // RFC 8762 section 4.2.1, by RFC 4656 section 4.1.2: the receiver tells the hops from the hop limit.
      native.setsockopt(this.fd, SOL_IPV6, IPV6_UNICAST_HOPS, 255);
      native.setsockopt(this.fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
      native.bind(this.fd, socketAddress(address, port));
      this.handle = native.poll(this.fd, READABLE, () => this.read(BATCHES_A_TURN));
    } catch (error) {
      native.close(this.fd);
      throw error;
    }
  }

  /** Hands over everything that waits in the socket. */
  drain(): void {
    this.read(BATCHES_AT_ONCE);
  }

  private read(batches: number): void {
    for (let batch = 0; batch < batches && !this.closed; batch++) {
      let count: number;
      try {
        count = native.recvBatch(this.fd, this.arena, this.lengths, this.names, this.control, this.controlLengths);
      } catch (error) {
        this.onError(error);
        return;
      }
      for (let i = 0; i < count; i++) this.deliver(i);
      if (count < BATCH) return;
    }
  }

  private deliver(index: number): void {
    const length = this.lengths[index]!;
    // One that the kernel cut is no test packet of ours; a listener may have closed us.
    if (length > STRIDE || this.closed) return;
    const at = index * NAME;
    const control = readControl(this.control.subarray(index * CONTROL, index * CONTROL + this.controlLengths[index]!));
    this.onPacket({
      data: this.arena.subarray(index * STRIDE, index * STRIDE + length),
      source: formatIp(this.names, at + 8, 16),
      port: (this.names[at + 2]! << 8) | this.names[at + 3]!,
      receivedNs: control.receivedNs ?? native.realtimeNs(),
      hopLimit: control.hopLimit ?? 255,
    });
  }

  /** False when the kernel does not take it: no route, queue full. A datagram that is not sent is a datagram lost. */
  send(data: Uint8Array, address: Uint8Array): boolean {
    try {
      return native.sendmsg(this.fd, data, address, null) === data.length;
    } catch {
      return false;
    }
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.handle.close();
    native.close(this.fd);
  }
}
