/**
 * A UDP socket over IPv6 that tells when the kernel received each packet, and with which hop limit, and when it handed each sent one to
 * the driver. Packets take a segment list where one is set: an SRH (RFC 8754) that the kernel puts in by itself.
 */
import { controlMessages } from '../../../dataplane/packet/control-messages.js';
import { formatIp } from '../../../dataplane/packet/ip.js';
import { native, type PollHandle } from '../../../dataplane/native/index.js';
import { SOCKADDR_IN6, socketAddress } from '../../../dataplane/packet/socket-address.js';
import { srhLength, writeSrh } from '../../../dataplane/packet/srh.js';
import type { Received } from './reflector.js';

const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_BINDTODEVICE = 25;
const SO_TIMESTAMPNS = 35; // also the type of its control message
const SO_TIMESTAMPING = 37; // also the type of its control message
/** SOF_TIMESTAMPING_TX_SOFTWARE, _SOFTWARE, _OPT_ID, _OPT_CMSG, _OPT_TSONLY (linux/net_tstamp.h): a number and a time come back, no packet. */
const TRANSMIT_TIMESTAMPS = (1 << 1) | (1 << 4) | (1 << 7) | (1 << 10) | (1 << 11);
const SOL_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_RECVHOPLIMIT = 51;
const IPV6_HOPLIMIT = 52;
const IPV6_RECVERR = 25; // here the type of the control message
const IPV6_RTHDR = 57;
const IPV6_FREEBIND = 78;
const READABLE = 1;

const BATCH = 32;
/** Batches read in one turn of the event loop, so that a flood of packets does not keep it for itself. */
const BATCHES_A_TURN = 8;
/** Batches read when somebody has to know what is there: as much as a socket buffer of the usual size holds. */
const BATCHES_AT_ONCE = 128;
const STRIDE = 2048;
const NAME = SOCKADDR_IN6;
/** Room for a timespec, three more and an int, each with its header. */
const CONTROL = 160;
/** Room for what comes with a transmit timestamp: times, an extended error with an address. */
const ERROR_CONTROL = 256;
/** Sent packets whose transmit timestamp is still waited for, at most: a driver without them tells none. */
const MOST_UNSTAMPED = 256;
/** struct sock_extended_err: offsets of ee_origin and ee_data, and the origin of a timestamp. */
const ERROR_ORIGIN = 4;
const ERROR_DATA = 12;
const ORIGIN_TIMESTAMPING = 4;

const seconds = (view: DataView, at: number): bigint => view.getBigInt64(at, true) * 1_000_000_000n + view.getBigInt64(at + 8, true);

/** What the kernel said beside a packet. */
export function readControl(control: Uint8Array): { receivedNs: bigint | undefined; hopLimit: number | undefined } {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  let receivedNs: bigint | undefined;
  let hopLimit: number | undefined;
  for (const [level, type, at, length] of controlMessages(view)) {
    if (level === SOL_SOCKET && type === SO_TIMESTAMPNS && length >= 16) receivedNs = seconds(view, at);
    if (level === SOL_IPV6 && type === IPV6_HOPLIMIT && length >= 4) hopLimit = view.getInt32(at, true);
  }
  return { receivedNs, hopLimit };
}

/** Which packet (counted from 0 in the order of sending) left when, Unix time in ns; undefined: the message is of something else. */
export function readTransmitTime(control: Uint8Array): { readonly packet: number; readonly sentNs: bigint } | undefined {
  const view = new DataView(control.buffer, control.byteOffset, control.byteLength);
  let packet: number | undefined;
  let sentNs: bigint | undefined;
  for (const [level, type, at, length] of controlMessages(view)) {
    if (level === SOL_SOCKET && type === SO_TIMESTAMPING && length >= 16) sentNs = seconds(view, at);
    if (level === SOL_IPV6 && type === IPV6_RECVERR && length >= 16 && view.getUint8(at + ERROR_ORIGIN) === ORIGIN_TIMESTAMPING) packet = view.getUint32(at + ERROR_DATA, true);
  }
  return packet === undefined || sentNs === undefined ? undefined : { packet, sentNs };
}

export interface SocketOptions {
  /** Interface that packets come from and go to only; a link-local address needs it. */
  readonly device?: { readonly name: string; readonly index: number };
}

export class TimestampedSocket {
  private readonly fd: number;
  private readonly handle: PollHandle;
  private readonly arena = new Uint8Array(BATCH * STRIDE);
  private readonly lengths = new Int32Array(BATCH);
  private readonly names = new Uint8Array(BATCH * NAME);
  private readonly control = new Uint8Array(BATCH * CONTROL);
  private readonly controlLengths = new Int32Array(BATCH);
  private readonly errorControl = new Uint8Array(ERROR_CONTROL);
  /** By number of the packet since transmit timestamps were switched on: who waits for its time. */
  private readonly unstamped = new Map<number, (sentNs: bigint) => void>();
  private sent = 0;
  private segments: readonly Uint8Array[] = [];
  private closed = false;

  /** Binds to an address that may come later (IPV6_FREEBIND); port 0 is any. Throws NativeError when the port is taken. */
  constructor(
    address: string,
    port: number,
    /** `received.data` is valid only during the call. */
    private readonly onPacket: (received: Received) => void,
    private readonly onError: (error: unknown) => void,
    { device }: SocketOptions = {},
  ) {
    this.fd = native.socket(AF_INET6, SOCK_DGRAM, 0);
    try {
      native.setsockopt(this.fd, SOL_IPV6, IPV6_V6ONLY, 1);
      native.setsockopt(this.fd, SOL_IPV6, IPV6_FREEBIND, 1);
      native.setsockopt(this.fd, SOL_IPV6, IPV6_RECVHOPLIMIT, 1);
      // RFC 8762 section 4.2.1, by RFC 4656 section 4.1.2: the receiver tells the hops from the hop limit.
      native.setsockopt(this.fd, SOL_IPV6, IPV6_UNICAST_HOPS, 255);
      native.setsockopt(this.fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);
      this.stampTransmissions();
      if (device) native.setsockopt(this.fd, SOL_SOCKET, SO_BINDTODEVICE, Buffer.from(`${device.name}\0`));
      native.bind(this.fd, socketAddress(address, port, device?.index));
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

  /** Switched off and on again, the kernel counts packets from 0. */
  private stampTransmissions(): void {
    native.setsockopt(this.fd, SOL_SOCKET, SO_TIMESTAMPING, 0);
    native.setsockopt(this.fd, SOL_SOCKET, SO_TIMESTAMPING, TRANSMIT_TIMESTAMPS);
    this.unstamped.clear();
    this.sent = 0;
  }

  /** SIDs that packets take before their destination, travel order; empty: none. Throws NativeError without CAP_NET_RAW. */
  setSegments(segments: readonly Uint8Array[]): void {
    if (segments.length === 0 && this.segments.length === 0) return;
    this.segments = segments;
    // The kernel fills in the last segment, the destination, and the Next Header.
    const srh = new Uint8Array(segments.length === 0 ? 0 : srhLength(segments.length + 1));
    if (segments.length > 0) writeSrh(srh, 0, 0, [...segments, new Uint8Array(16)], segments.length);
    native.setsockopt(this.fd, SOL_IPV6, IPV6_RTHDR, srh);
  }

  private read(batches: number): void {
    // First: a reply needs the time its probe was sent.
    this.readTransmitTimes();
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

  private readTransmitTimes(): void {
    try {
      for (;;) {
        const length = native.recvError(this.fd, this.errorControl);
        if (length < 0) return;
        const found = readTransmitTime(this.errorControl.subarray(0, length));
        if (!found) continue;
        this.unstamped.get(found.packet)?.(found.sentNs);
        this.unstamped.delete(found.packet);
      }
    } catch (error) {
      this.onError(error);
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

  /**
   * False when the kernel does not take it: no route, queue full. A datagram that is not sent is a datagram lost. `onTransmitted` is called with
   * Unix time in ns once the kernel tells when it handed the packet to the driver, if it does; often before this returns.
   */
  send(data: Uint8Array, address: Uint8Array, onTransmitted?: (sentNs: bigint) => void): boolean {
    const packet = this.sent;
    try {
      if (onTransmitted) this.unstamped.set(packet, onTransmitted);
      if (native.sendmsg(this.fd, data, address, null) !== data.length) throw new Error('queue full');
    } catch {
      // Whether it was counted depends on where the kernel gave up.
      this.stampTransmissions();
      return false;
    }
    this.sent = (packet + 1) >>> 0;
    this.readTransmitTimes();
    if (this.unstamped.size > MOST_UNSTAMPED) this.unstamped.delete(this.unstamped.keys().next().value!);
    return true;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.handle.close();
    native.close(this.fd);
  }
}
