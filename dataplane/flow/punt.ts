/**
 * The punt path: packets without a flow come from the TUN, the steering decides, the flow entry is written, and only then the packet leaves
 * encapsulated, through the TUN too, whence the stack routes it.
 *
 * The kernel forwarded the packet to the TUN and has taken one off its hop limit (IPv4: off its TTL, checksum corrected): it is not touched here again
 * (proto/WIRE.md section 5). Packets to an aggregate SID come as they were received, and leave with another last segment.
 * Nothing is allocated a packet, but for packets with extension headers and answers that say no. Packets that the steering defers are copied aside, and handled
 * again when their window is over; the others do not wait for them.
 */
import { DEFERRED, NO_SERVICE, type PuntedPacket, type Settle, type Steer } from '../dataplane.js';
import { systemCallError } from '../netlink/error.js';
import { Classifier, PacketKind } from '../packet/classify.js';
import { finishOuterHeader, innerPacketOffset, replaceLastSegment } from '../packet/encapsulation.js';
import { FragmentKind, findRequirement } from '../packet/extension-headers.js';
import { flowHash, flowLabelOf } from '../packet/flow-hash.js';
import { FLOW_KEY_LENGTH, FLOW_KEY_SPACE } from '../packet/flow-key.js';
import { FRAGMENTATION_NEEDED, ICMPV4_DESTINATION_UNREACHABLE, UNREACHABLE_HOST, UNREACHABLE_NETWORK, buildIcmpv4Error } from '../packet/icmpv4.js';
import {
  ICMPV6_DESTINATION_UNREACHABLE,
  ICMPV6_PACKET_TOO_BIG,
  UNREACHABLE_ADDRESS,
  UNREACHABLE_NO_ROUTE,
  buildIcmpv6Error,
} from '../packet/icmpv6.js';
import type { Prefix } from '../packet/ip.js';
import { IPV4_DESTINATION, IPV4_HEADER_LENGTH, ipv4MayFragment } from '../packet/ipv4.js';
import { IPV6_DESTINATION, IPV6_HEADER_LENGTH, IPV6_PAYLOAD_LENGTH } from '../packet/ipv6.js';
import { newPuntCounters } from './counters.js';
import {
  FLOW_BYTES,
  FLOW_CREATED_NS,
  FLOW_LABEL,
  FLOW_LAST_SEEN_NS,
  FLOW_PACKETS,
  FLOW_POLICY,
  FLOW_VALUE_LENGTH,
  FRAGMENT_IDENTIFICATION,
  FRAGMENT_KEY_LENGTH,
  FRAGMENT_SPACE,
  SLOT_OUTER_MAX,
} from './layout.js';
import { BPF_EXIST, type BpfMap } from './maps.js';
import type { PolicyTable } from './policies.js';
import { TokenBucket } from './token-bucket.js';

/** Packets a batch. */
export const PUNT_BATCH = 256;

/** ICMP errors a second, and at once (RFC 4443 section 2.4 (f), RFC 1812 section 4.3.2.8). */
const ERROR_RATE = 1000;
const ERROR_BURST = 100;

/** Packets to an aggregate SID come past the TUN's MTU, as long as links carry them: no longer than on Ethernet with jumbo frames. */
const LONGEST_ENCAPSULATED = 9216;

/** Remembered hashes of flows just pinned; a power of two. */
const RECENT = 1 << 16;

/** Where punted packets come from and encapsulated ones go. Packet i of a read starts at i times the stride of `arena`. */
export interface PacketDevice {
  readBatch(arena: Uint8Array, lengths: Int32Array): number;
  /** Returns how many the kernel took; those it refused for good are added to errors[0]. */
  writeBatch(arena: Uint8Array, offsets: Int32Array, lengths: Int32Array, count: number, errors: Int32Array): number;
}

export interface PuntOptions {
  readonly device: PacketDevice;
  readonly flows: BpfMap;
  readonly newFlows: BpfMap;
  readonly fragments: BpfMap;
  readonly policies: PolicyTable;
  /** Sends an ICMPv4 error, an IPv4 packet without source and header checksum; false when the kernel refuses. */
  readonly sendIcmpv4: (packet: Uint8Array) => boolean;
  /** CLOCK_MONOTONIC in ns: the clock of bpf_ktime_get_ns, and so of flow entries. */
  readonly nowNs: () => bigint;
}

export interface PuntSettings {
  /** Source of ICMPv6 errors: the router's address, 16 octets. */
  readonly routerAddress: Uint8Array;
  readonly servicePrefixes: readonly Prefix[];
  readonly requirementOption: number;
  /** 16 octets each, with the number of its space. */
  readonly aggregateSids: readonly { readonly sid: Uint8Array; readonly space: number }[];
}

/** The one object that `steer` gets; its fields change from packet to packet. */
interface MutablePacket extends PuntedPacket {
  arena: Uint8Array;
  offset: number;
  length: number;
  requirement: Uint8Array | undefined;
  held: boolean;
}

export class PuntPath {
  readonly counters = newPuntCounters();
  private readonly device: PacketDevice;
  private readonly flows: BpfMap;
  private readonly newFlows: BpfMap;
  private readonly fragments: BpfMap;
  private readonly policies: PolicyTable;
  private readonly sendIcmpv4: (packet: Uint8Array) => boolean;
  private readonly nowNs: () => bigint;
  private settings: PuntSettings;
  private steer: Steer = () => NO_SERVICE;
  private settle: Settle | undefined;

  private readonly classifier = new Classifier();
  private readonly packet: MutablePacket;
  private memory: Uint8Array = new Uint8Array(0);
  private arena = this.memory;
  private stride = 0;
  private wantedStride = 0;
  private readonly received = new Int32Array(PUNT_BATCH);
  private readonly offsets = new Int32Array(PUNT_BATCH);
  private readonly lengths = new Int32Array(PUNT_BATCH);
  private readonly refused = new Int32Array(1);

  // Deferred packets, at the same stride and with the same room ahead as those just read: less than a batch, and what a batch adds.
  private heldMemory = new Uint8Array(0);
  private readonly heldLengths = new Int32Array(2 * PUNT_BATCH);
  private heldCount = 0;

  // Flow entries of the batch, not written yet.
  private readonly keys = new Uint8Array(PUNT_BATCH * FLOW_KEY_LENGTH);
  private readonly values = new Uint8Array(PUNT_BATCH * FLOW_VALUE_LENGTH);
  private readonly view = new DataView(this.values.buffer);
  private staged = 0;
  private toSend = 0;
  private batchNumber = 1;
  private nowLow = 0;
  private nowHigh = 0;

  // Which flows were pinned lately: by the low bits of their hash the hash itself, the batch, and the entry in it.
  private readonly recentHash = new Uint32Array(RECENT);
  private readonly recentBatch = new Uint32Array(RECENT);
  private readonly recentEntry = new Uint16Array(RECENT);

  private readonly entry = new Uint8Array(FLOW_VALUE_LENGTH);
  private readonly entryView = new DataView(this.entry.buffer);
  private readonly fragmentKey = new Uint8Array(FRAGMENT_KEY_LENGTH);
  private readonly errorBucket = new TokenBucket(ERROR_RATE, ERROR_BURST);

  constructor(options: PuntOptions, settings: PuntSettings, mtu: number) {
    this.device = options.device;
    this.flows = options.flows;
    this.newFlows = options.newFlows;
    this.fragments = options.fragments;
    this.policies = options.policies;
    this.sendIcmpv4 = options.sendIcmpv4;
    this.nowNs = options.nowNs;
    this.settings = settings;
    this.packet = { arena: this.memory, offset: 0, length: 0, key: this.classifier.key, requirement: undefined, held: false };
    this.setMtu(mtu);
    this.configure(settings);
  }

  onPunt(steer: Steer, settle?: Settle): void {
    this.steer = steer;
    this.settle = settle;
  }

  /** How long from now release() is due at the latest, ms; undefined: no packet is held. */
  get windowMs(): number | undefined {
    return this.heldCount === 0 ? undefined : (this.settle?.windowMs() ?? 0);
  }

  /** Ends the window: what is held is decided and sent. */
  release(): void {
    if (this.heldCount === 0) return;
    this.settle?.decide();
    const { memory, heldCount } = this;
    this.heldCount = 0;
    this.use(this.heldMemory, true);
    try {
      for (let done = 0; done < heldCount; done += PUNT_BATCH) this.handleBatch(Math.min(PUNT_BATCH, heldCount - done), this.heldLengths, done);
    } finally {
      this.use(memory, false);
    }
  }

  private use(memory: Uint8Array, held: boolean): void {
    this.memory = memory;
    this.packet.arena = memory;
    this.packet.held = held;
  }

  private hold(offset: number, length: number): void {
    if (this.heldMemory.length !== this.memory.length * 2 - SLOT_OUTER_MAX) this.heldMemory = new Uint8Array(this.memory.length * 2 - SLOT_OUTER_MAX);
    this.heldMemory.set(this.memory.subarray(offset, offset + length), SLOT_OUTER_MAX + this.heldCount * this.stride);
    this.heldLengths[this.heldCount++] = length;
  }

  configure(settings: PuntSettings): void {
    this.settings = settings;
    if (settings.aggregateSids.length > 0) this.setMtu(LONGEST_ENCAPSULATED);
  }

  /** Makes room for packets of this size, from the next batch on: to be called before the TUN may hand out longer ones. */
  setMtu(mtu: number): void {
    this.wantedStride = Math.max(this.wantedStride, Math.ceil((mtu + SLOT_OUTER_MAX) / 64) * 64);
  }

  private grow(stride: number): void {
    this.stride = stride;
    // Room for an outer header before each packet: in the tail of the stride before it, and before the first one.
    this.memory = new Uint8Array(SLOT_OUTER_MAX + stride * PUNT_BATCH);
    this.arena = this.memory.subarray(SLOT_OUTER_MAX);
    this.packet.arena = this.memory;
  }

  /** Handles what waits, `batches` at most. Returns the number of packets read. */
  run(batches: number): number {
    let total = 0;
    for (let i = 0; i < batches; i++) {
      if (this.stride < this.wantedStride) {
        this.release();
        this.grow(this.wantedStride);
      }
      const count = this.device.readBatch(this.arena, this.received);
      if (count === 0) break;
      total += count;
      this.handleBatch(count, this.received, 0);
      if (this.heldCount >= PUNT_BATCH) this.release();
      if (count < PUNT_BATCH) break;
    }
    return total;
  }

  /** Packets `first` and so on of the memory in use. */
  private handleBatch(count: number, lengths: Int32Array, first: number): void {
    const now = this.nowNs();
    this.nowLow = Number(now & 0xffffffffn);
    this.nowHigh = Number(now >> 32n);
    this.batchNumber = (this.batchNumber + 1) >>> 0;
    this.staged = 0;
    this.toSend = 0;
    for (let i = first; i < first + count; i++) this.handlePacket(SLOT_OUTER_MAX + i * this.stride, lengths[i]!);
    // The entries first: a packet that the first one provokes must find its flow.
    if (this.staged > 0) this.writeEntries();
    if (this.toSend > 0) this.send(this.toSend);
  }

  /** An LRU map may have no room or a lock that is held (ENOMEM, EBUSY): such flows are punted again with their next packet. */
  private writeEntries(): void {
    try {
      this.newFlows.updateBatch(this.keys, this.values, this.staged);
      this.counters.pinnedFlows += this.staged;
    } catch (error) {
      systemCallError(error);
      this.counters.pinFailed += this.staged;
    }
  }

  private send(count: number): void {
    this.refused[0] = 0;
    const written = this.device.writeBatch(this.memory, this.offsets, this.lengths, count, this.refused);
    this.counters.sent += written;
    this.counters.sendFailed += count - written;
  }

  private handlePacket(offset: number, length: number): void {
    const { classifier, counters, packet, memory } = this;
    const { key, chain } = classifier;
    const space = this.isForService(offset, length) ? 0 : this.spaceOf(offset, length);
    if (space < 0) {
      counters.foreign++;
      return;
    }
    if (!packet.held) counters.received++;
    const end = space === 0 ? offset + length : Math.min(offset + length, offset + this.statedLength(offset));
    const fits = space === 0 || end - offset <= this.stride - SLOT_OUTER_MAX;
    const inner = space === 0 ? offset : fits ? innerPacketOffset(memory, offset, end) : -1;
    const kind = inner < 0 ? PacketKind.Malformed : classifier.classify(memory, inner, end - inner);
    key[FLOW_KEY_SPACE] = space;
    switch (kind) {
      case PacketKind.Malformed:
        counters.malformed++;
        return;
      case PacketKind.IcmpError:
        // The BPF program forwards those about pinned flows; for another one there is no instance that is meant.
        counters.icmpErrorUnknown++;
        return;
      case PacketKind.LaterFragment:
        this.writeFragmentKey(chain.identification);
        if (!this.fragments.lookup(this.fragmentKey, key)) {
          counters.fragmentUnknown++;
          return;
        }
        break;
      case PacketKind.Flow:
        if (chain.fragment === FragmentKind.First) {
          this.writeFragmentKey(chain.identification);
          this.fragments.update(this.fragmentKey, key);
        }
        break;
    }
    const { octets } = classifier;
    packet.offset = inner;
    packet.length = octets;
    packet.requirement = undefined;
    if (chain.hopByHop >= 0 || chain.destinationOptions >= 0) {
      const span = findRequirement(memory, inner + octets, chain, this.settings.requirementOption);
      if (span) packet.requirement = memory.subarray(span.start, span.end);
    }
    const policy = this.steer(packet);
    if (policy === DEFERRED && !packet.held) {
      this.hold(offset, length);
      return;
    }
    const slot = policy < 0 ? undefined : this.policies.slotOf(policy);
    if (!slot) {
      if (policy === NO_SERVICE) counters.noService++;
      else counters.noCandidate++;
      this.answerUnreachable(inner, octets, policy === NO_SERVICE);
      return;
    }
    const hash = flowHash(key);
    const label = flowLabelOf(hash);
    if (space > 0) {
      this.pin(hash, label, policy, octets);
      replaceLastSegment(memory, offset, slot.outer.subarray(IPV6_DESTINATION, IPV6_DESTINATION + 16));
      counters.rewritten++;
      this.offsets[this.toSend] = offset;
      this.lengths[this.toSend++] = end - offset;
      return;
    }
    const outer = slot.outer;
    const overhead = outer.length;
    if (octets + overhead > slot.mtu) {
      counters.tooBig++;
      this.answerTooBig(offset, octets, slot.mtu - overhead);
      return;
    }
    this.pin(hash, label, policy, octets);
    const start = offset - overhead;
    for (let i = 0; i < overhead; i++) memory[start + i] = outer[i]!;
    finishOuterHeader(memory, start, overhead, octets, label);
    this.offsets[this.toSend] = start;
    this.lengths[this.toSend++] = overhead + octets;
  }

  private isForService(offset: number, length: number): boolean {
    const { memory } = this;
    const family = length > 0 && memory[offset]! >> 4 === 4 ? 4 : 6;
    if (length < (family === 4 ? IPV4_HEADER_LENGTH : IPV6_HEADER_LENGTH)) return false;
    const at = offset + (family === 4 ? IPV4_DESTINATION : IPV6_DESTINATION);
    if (family === 6 && memory[at] === 0xff) return false;
    for (const prefix of this.settings.servicePrefixes) if (prefix.family === family && prefixHolds(prefix, memory, at)) return true;
    return false;
  }

  /** Number of the space of the aggregate SID that a packet is addressed to; -1: to none. */
  private spaceOf(offset: number, length: number): number {
    const { memory } = this;
    if (length < IPV6_HEADER_LENGTH || memory[offset]! >> 4 !== 6) return -1;
    for (const { sid, space } of this.settings.aggregateSids) {
      let same = 0;
      while (same < 16 && memory[offset + IPV6_DESTINATION + same] === sid[same]) same++;
      if (same === 16) return space;
    }
    return -1;
  }

  private statedLength(offset: number): number {
    return IPV6_HEADER_LENGTH + ((this.memory[offset + IPV6_PAYLOAD_LENGTH]! << 8) | this.memory[offset + IPV6_PAYLOAD_LENGTH + 1]!);
  }

  private writeFragmentKey(identification: number): void {
    const { fragmentKey } = this;
    fragmentKey.set(this.classifier.key.subarray(0, FRAGMENT_IDENTIFICATION));
    for (let i = 0; i < 4; i++) fragmentKey[FRAGMENT_IDENTIFICATION + i] = (identification >>> (24 - 8 * i)) & 0xff;
    fragmentKey[FRAGMENT_SPACE] = this.classifier.key[FLOW_KEY_SPACE]!;
  }

  /** Stages the flow entry, or counts the packet into the entry of a flow that was pinned a moment ago. */
  private pin(hash: number, label: number, policy: number, octets: number): void {
    const place = hash & (RECENT - 1);
    if (this.recentHash[place] === hash) {
      if (this.recentBatch[place] === this.batchNumber) {
        if (this.addToStaged(this.recentEntry[place]!, policy, octets)) return;
      } else if (this.addToWritten(label, policy, octets)) {
        return;
      }
    }
    this.recentHash[place] = hash;
    this.recentBatch[place] = this.batchNumber;
    this.recentEntry[place] = this.staged;
    const { keys, view, classifier } = this;
    const keyAt = this.staged * FLOW_KEY_LENGTH;
    for (let i = 0; i < FLOW_KEY_LENGTH; i++) keys[keyAt + i] = classifier.key[i]!;
    this.fill(view, this.staged * FLOW_VALUE_LENGTH, policy, label, octets);
    this.staged++;
  }

  private fill(view: DataView, at: number, policy: number, label: number, octets: number): void {
    view.setUint32(at + FLOW_POLICY, policy, true);
    view.setUint32(at + FLOW_LABEL, label);
    view.setUint32(at + FLOW_PACKETS, 1, true);
    view.setUint32(at + FLOW_PACKETS + 4, 0, true);
    view.setUint32(at + FLOW_BYTES, octets, true);
    view.setUint32(at + FLOW_BYTES + 4, 0, true);
    view.setUint32(at + FLOW_CREATED_NS, this.nowLow, true);
    view.setUint32(at + FLOW_CREATED_NS + 4, this.nowHigh, true);
    view.setUint32(at + FLOW_LAST_SEEN_NS, this.nowLow, true);
    view.setUint32(at + FLOW_LAST_SEEN_NS + 4, this.nowHigh, true);
  }

  /** Another packet of a flow of this batch. False when another flow has the same hash. */
  private addToStaged(entry: number, policy: number, octets: number): boolean {
    const { keys, view, classifier } = this;
    const keyAt = entry * FLOW_KEY_LENGTH;
    for (let i = 0; i < FLOW_KEY_LENGTH; i++) if (keys[keyAt + i] !== classifier.key[i]) return false;
    const at = entry * FLOW_VALUE_LENGTH;
    view.setUint32(at + FLOW_POLICY, policy, true);
    view.setUint32(at + FLOW_PACKETS, view.getUint32(at + FLOW_PACKETS, true) + 1, true);
    view.setUint32(at + FLOW_BYTES, view.getUint32(at + FLOW_BYTES, true) + octets, true);
    return true;
  }

  /**
   * Another packet of a flow of an earlier batch: it was punted before the entry was there. Where the kernel has promoted the flow in the
   * meantime, a second entry created at 0 keeps what is to be added to it (scanner.ts). False when the flow is in neither map.
   */
  private addToWritten(label: number, policy: number, octets: number): boolean {
    const { entry, entryView, classifier } = this;
    const { key } = classifier;
    if (this.newFlows.lookup(key, entry)) {
      entryView.setUint32(FLOW_POLICY, policy, true);
      entryView.setBigUint64(FLOW_PACKETS, entryView.getBigUint64(FLOW_PACKETS, true) + 1n, true);
      entryView.setBigUint64(FLOW_BYTES, entryView.getBigUint64(FLOW_BYTES, true) + BigInt(octets), true);
      entryView.setUint32(FLOW_LAST_SEEN_NS, this.nowLow, true);
      entryView.setUint32(FLOW_LAST_SEEN_NS + 4, this.nowHigh, true);
      if (this.newFlows.update(key, entry, BPF_EXIST)) return true;
    } else if (!this.flows.lookup(key, entry)) {
      return false;
    }
    this.fill(entryView, 0, policy, label, octets);
    entryView.setBigUint64(FLOW_CREATED_NS, 0n, true);
    this.newFlows.update(key, entry);
    return true;
  }

  private answerUnreachable(offset: number, length: number, noService: boolean): void {
    if (this.isIpv4(offset)) this.answerIpv4(offset, length, noService ? UNREACHABLE_NETWORK : UNREACHABLE_HOST, 0);
    else this.answer(offset, length, ICMPV6_DESTINATION_UNREACHABLE, noService ? UNREACHABLE_NO_ROUTE : UNREACHABLE_ADDRESS, 0);
  }

  /** IPv4 without DF: the kernel fragments what is longer than the TUN's MTU; what is too long here came while that fell, and a repetition will fit. */
  private answerTooBig(offset: number, length: number, mtu: number): void {
    if (!this.isIpv4(offset)) this.answer(offset, length, ICMPV6_PACKET_TOO_BIG, 0, mtu);
    else if (!ipv4MayFragment(this.memory, offset)) this.answerIpv4(offset, length, FRAGMENTATION_NEEDED, mtu);
  }

  private isIpv4(offset: number): boolean {
    return this.memory[offset]! >> 4 === 4;
  }

  private answer(offset: number, length: number, type: number, code: number, parameter: number): void {
    if (!this.mayAnswer()) return;
    const error = buildIcmpv6Error(this.settings.routerAddress, this.memory, offset, length, { type, code, parameter });
    if (!error) return;
    const written = this.device.writeBatch(error, ZERO, Int32Array.of(error.length), 1, this.refused);
    if (written === 1) this.counters.errorsSent++;
  }

  private answerIpv4(offset: number, length: number, code: number, parameter: number): void {
    if (!this.mayAnswer()) return;
    const error = buildIcmpv4Error(this.memory, offset, length, { type: ICMPV4_DESTINATION_UNREACHABLE, code, parameter });
    if (error && this.sendIcmpv4(error)) this.counters.errorsSent++;
  }

  private mayAnswer(): boolean {
    if (this.errorBucket.take(this.nowHigh * 4294.967296 + this.nowLow / 1e6)) return true;
    this.counters.errorsLimited++;
    return false;
  }
}

const ZERO = Int32Array.of(0);

/** Prefix.contains() on an address of its family inside a larger array, without a view of it. */
function prefixHolds(prefix: Prefix, bytes: Uint8Array, at: number): boolean {
  const whole = prefix.length >> 3;
  for (let i = 0; i < whole; i++) if (prefix.bytes[i] !== bytes[at + i]) return false;
  const rest = prefix.length & 7;
  return rest === 0 || ((prefix.bytes[whole]! ^ bytes[at + whole]!) & (0xff << (8 - rest))) === 0;
}
