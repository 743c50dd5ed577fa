/**
 * Policies and slots: policy id -> slot number -> immutable slot (outer header, path MTU).
 *
 * A BPF array is updated in place and could be read half written. So a slot is never changed: a fresh one is written, then the 32-bit slot
 * number of the policy, and the old slot waits a grace period, longer than any run of the program, before it is written again. Policies with the same
 * segment list and MTU share a slot.
 */
import type { InstallStatus, PolicyWrite } from '../dataplane.js';
import { buildOuterHeader, encapsulationOverhead, MAX_SEGMENTS } from '../packet/encapsulation.js';
import { formatIp, parseIp } from '../packet/ip.js';
import { IPV6_DESTINATION, IPV6_HEADER_LENGTH, IPV6_MINIMUM_MTU, IPV6_NEXT_HEADER, PROTOCOL_ROUTING } from '../packet/ipv6.js';
import { decodeSrh } from '../packet/srh.js';
import { SLOT_LENGTH, SLOT_MTU, SLOT_OUTER, SLOT_OUTER_MAX, SLOT_VALUE_LENGTH } from './layout.js';
import type { BpfMap } from './maps.js';

/** How long an unused slot is left alone, in ms. A run of the BPF program takes microseconds. */
export const SLOT_GRACE_MS = 1000;

/** A learned path MTU is forgotten after this (RFC 8201 section 4: no earlier than 5 minutes), in ms. */
export const PATH_MTU_LIFETIME_MS = 600_000;

/** MTU of the TUN while there is no policy. */
const DEFAULT_TUN_MTU = 1500;

/** What a slot holds, kept beside it. */
export interface Slot {
  readonly number: number;
  /** Outer header as in the slot. */
  readonly outer: Uint8Array;
  /** Travel order, canonical text. */
  readonly segments: readonly string[];
  /** As declared by the policies that share it. */
  readonly declaredMtu: number;
  /** Path MTU in force: never so low that a packet of 1280 octets would not fit. */
  readonly mtu: number;
  /** Policies that point at it. */
  references: number;
  /** When it lost the last of them. */
  retiredAt: number;
}

export interface PolicyTableOptions {
  readonly policies: BpfMap;
  readonly slots: BpfMap;
  /** 16 octets. */
  readonly source: Uint8Array;
  readonly reduced: boolean;
  /** ms, monotonic. */
  readonly now: () => number;
  /** Called before a write that needs it: the least MTU an inner packet may have now. */
  readonly onInnerMtu: (mtu: number) => void;
}

export class PolicyTable {
  private readonly policyMap: BpfMap;
  private readonly slotMap: BpfMap;
  private source: Uint8Array;
  private reduced: boolean;
  private readonly now: () => number;
  private readonly onInnerMtu: (mtu: number) => void;
  /** Slot number of each policy id; 0: none. */
  private current = new Uint32Array(1024);
  private readonly byKey = new Map<string, Slot>();
  private readonly byNumber: (Slot | undefined)[] = [undefined];
  /** Slots without references, oldest first, with when they lost the last. */
  private retired: { slot: Slot; since: number }[] = [];
  private readonly errors = new Map<number, string>();
  private readonly declaredEmpty = new Set<number>();
  private readonly learned = new Map<string, { mtu: number; until: number }>();
  /** How many slots in use leave an inner packet so many octets; the least of them is the TUN's MTU. */
  private readonly innerMtus = new Map<number, number>();
  private innerMtu = 0;

  constructor(options: PolicyTableOptions) {
    this.policyMap = options.policies;
    this.slotMap = options.slots;
    this.source = options.source;
    this.reduced = options.reduced;
    this.now = options.now;
    this.onInnerMtu = options.onInnerMtu;
  }

  /** The slot a packet of this policy leaves with now. */
  slotOf(policy: number): Slot | undefined {
    return this.byNumber[this.current[policy] ?? 0];
  }

  status(policy: number): (InstallStatus & { segments: readonly string[]; mtu: number }) | undefined {
    const error = this.errors.get(policy);
    const slot = this.slotOf(policy);
    if (slot) return { installed: true, segments: slot.segments, mtu: slot.mtu, ...(error !== undefined && { error }) };
    if (error !== undefined) return { installed: false, error, segments: [], mtu: 0 };
    return this.declaredEmpty.has(policy) ? { installed: true, segments: [], mtu: 0 } : undefined;
  }

  /** Octets the least MTU leaves to an inner packet, over all slots in use; never under 1280. */
  get leastInnerMtu(): number {
    return this.innerMtu === 0 ? DEFAULT_TUN_MTU : this.innerMtu;
  }

  /** Writes policies: all new slots first, then the slot numbers in batches. */
  set(writes: readonly PolicyWrite[]): void {
    const changes: { policy: number; slot: Slot | undefined }[] = [];
    const fresh = new Set<Slot>();
    let lastWrite: PolicyWrite | undefined;
    let lastSlot: Slot | undefined;
    for (const write of writes) {
      if (write.policy < 0 || write.policy >= this.policyMap.maxEntries) {
        this.errors.set(write.policy, `policy ids end at ${this.policyMap.maxEntries - 1}`);
        continue;
      }
      this.errors.delete(write.policy);
      this.declaredEmpty.delete(write.policy);
      let slot: Slot | undefined;
      if (write.segments.length === 0) {
        this.declaredEmpty.add(write.policy);
      } else if (lastWrite && lastWrite.segments === write.segments && lastWrite.mtu === write.mtu) {
        slot = lastSlot;
      } else {
        const found = this.slotFor(write.segments, write.mtu, fresh);
        if (typeof found === 'string') this.errors.set(write.policy, found);
        else slot = found;
        lastWrite = typeof found === 'string' ? undefined : write;
        lastSlot = slot;
      }
      if (slot && slot.mtu > write.mtu) {
        const overhead = slot.outer.length;
        this.errors.set(write.policy, `path MTU ${write.mtu} leaves less than ${IPV6_MINIMUM_MTU} octets beside an overhead of ${overhead}`);
      }
      changes.push({ policy: write.policy, slot });
    }
    this.commit(changes, fresh);
  }

  /** Finds or makes the slot of a segment list; text says why there can be none. The caller writes those added to `fresh`. */
  private slotFor(segments: readonly string[], declaredMtu: number, fresh: Set<Slot>): Slot | string {
    const canonical: string[] = [];
    const octets: Uint8Array[] = [];
    for (const segment of segments) {
      const bytes = parseIp(segment);
      if (bytes?.length !== 16) return `segment ${segment} is not an IPv6 address`;
      octets.push(bytes);
      canonical.push(formatIp(bytes));
    }
    if (octets.length > MAX_SEGMENTS) return `${octets.length} segments, but the kernel program takes at most ${MAX_SEGMENTS}`;
    const list = canonical.join(' ');
    const overhead = encapsulationOverhead(octets.length, this.reduced);
    const mtu = Math.max(Math.min(declaredMtu, this.learned.get(list)?.mtu ?? declaredMtu), IPV6_MINIMUM_MTU + overhead);
    const key = `${list} ${declaredMtu} ${mtu}`;
    const existing = this.byKey.get(key);
    if (existing) return existing;
    const number = this.allocate();
    if (number === 0) return `all ${this.slotMap.maxEntries - 1} slots are in use`;
    const slot: Slot = { number, outer: buildOuterHeader(this.source, octets, this.reduced), segments: canonical, declaredMtu, mtu, references: 0, retiredAt: 0 };
    this.byKey.set(key, slot);
    this.byNumber[number] = slot;
    fresh.add(slot);
    return slot;
  }

  private static keyOf(slot: Slot): string {
    return `${slot.segments.join(' ')} ${slot.declaredMtu} ${slot.mtu}`;
  }

  /** A number never used, or that of the slot retired longest ago once its grace is over; 0: none. */
  private allocate(): number {
    if (this.byNumber.length < this.slotMap.maxEntries) {
      this.byNumber.push(undefined);
      return this.byNumber.length - 1;
    }
    const limit = this.now() - SLOT_GRACE_MS;
    let taken = 0;
    let number = 0;
    for (const { slot, since } of this.retired) {
      if (since > limit) break;
      taken++;
      // Declared again in the meantime: not retired any more.
      if (slot.references > 0 || slot.retiredAt !== since || this.byNumber[slot.number] !== slot) continue;
      number = slot.number;
      this.forget(slot);
      break;
    }
    if (taken > 0) this.retired.splice(0, taken);
    return number;
  }

  private forget(slot: Slot): void {
    const key = PolicyTable.keyOf(slot);
    if (this.byKey.get(key) === slot) this.byKey.delete(key);
    this.byNumber[slot.number] = undefined;
  }

  private commit(changes: readonly { policy: number; slot: Slot | undefined }[], fresh: ReadonlySet<Slot>): void {
    if (fresh.size > 0) {
      const keys = new Uint32Array(fresh.size);
      const values = new Uint8Array(fresh.size * SLOT_VALUE_LENGTH);
      let i = 0;
      let innerMtu = this.innerMtu;
      for (const slot of fresh) {
        keys[i] = slot.number;
        encodeSlot(slot, values.subarray(i * SLOT_VALUE_LENGTH, ++i * SLOT_VALUE_LENGTH));
        const inner = slot.mtu - slot.outer.length;
        innerMtu = innerMtu === 0 ? inner : Math.min(innerMtu, inner);
      }
      // Before a packet can use the slot: one that is too long for it must be too long for the TUN.
      this.setInnerMtu(innerMtu);
      this.slotMap.updateBatch(new Uint8Array(keys.buffer), values, fresh.size);
    }
    if (changes.length === 0) return;
    const keys = new Uint32Array(changes.length);
    const values = new Uint32Array(changes.length);
    const touched = new Set<Slot>(fresh);
    let count = 0;
    for (const { policy, slot } of changes) {
      this.reserve(policy);
      const old = this.byNumber[this.current[policy]!];
      const number = slot?.number ?? 0;
      if (this.current[policy] === number) continue;
      keys[count] = policy;
      values[count++] = number;
      this.current[policy] = number;
      if (slot) {
        this.refer(slot);
        touched.add(slot);
      }
      if (old) {
        this.release(old);
        touched.add(old);
      }
    }
    if (count > 0) this.policyMap.updateBatch(new Uint8Array(keys.buffer), new Uint8Array(values.buffer), count);
    const now = this.now();
    for (const slot of touched) {
      if (slot.references > 0) continue;
      slot.retiredAt = now;
      this.retired.push({ slot, since: now });
    }
    this.raiseInnerMtu();
  }

  private refer(slot: Slot): void {
    if (slot.references++ > 0) return;
    const inner = slot.mtu - slot.outer.length;
    this.innerMtus.set(inner, (this.innerMtus.get(inner) ?? 0) + 1);
  }

  private release(slot: Slot): void {
    if (--slot.references > 0) return;
    const inner = slot.mtu - slot.outer.length;
    const left = this.innerMtus.get(inner)! - 1;
    if (left === 0) this.innerMtus.delete(inner);
    else this.innerMtus.set(inner, left);
  }

  private reserve(policy: number): void {
    if (policy < this.current.length) return;
    const larger = new Uint32Array(Math.max(policy + 1, this.current.length * 2));
    larger.set(this.current);
    this.current = larger;
  }

  private setInnerMtu(mtu: number): void {
    if (mtu === this.innerMtu) return;
    this.innerMtu = mtu;
    this.onInnerMtu(this.leastInnerMtu);
  }

  private raiseInnerMtu(): void {
    this.setInnerMtu(this.innerMtus.size === 0 ? 0 : Math.min(...this.innerMtus.keys()));
  }

  /** Policy ids whose slot is one of these. */
  private policiesOf(slots: ReadonlySet<number>): number[] {
    const found: number[] = [];
    for (let policy = 0; policy < this.current.length; policy++) {
      const number = this.current[policy]!;
      if (number !== 0 && slots.has(number)) found.push(policy);
    }
    return found;
  }

  /** Moves all policies of some slots to slots built anew (other MTU, source or form). Returns the policies. */
  private rebuild(slots: readonly Slot[]): number[] {
    const fresh = new Set<Slot>();
    const numbers = new Set(slots.map((slot) => slot.number));
    const policies = this.policiesOf(numbers);
    const replacement = new Map<number, Slot | undefined>();
    for (const slot of slots) {
      const found = this.slotFor(slot.segments, slot.declaredMtu, fresh);
      if (typeof found !== 'string') replacement.set(slot.number, found);
    }
    this.commit(
      policies.map((policy) => {
        const old = this.slotOf(policy)!;
        return { policy, slot: replacement.get(old.number) ?? old };
      }),
      fresh,
    );
    return policies;
  }

  /**
   * A Packet Too Big about an outer packet with this segment list: lowers the MTU of its policies (floor: 1280 and the overhead). Returns those it
   * changed and the MTU in force.
   */
  lowerPathMtu(segments: readonly string[], mtu: number): { policies: number[]; mtu: number } {
    const list = segments.join(' ');
    const floor = IPV6_MINIMUM_MTU + encapsulationOverhead(segments.length, this.reduced);
    const lowered = Math.max(mtu, floor);
    const slots = [...this.byKey.values()].filter((slot) => slot.references > 0 && slot.mtu > lowered && slot.segments.join(' ') === list);
    if (slots.length === 0) return { policies: [], mtu: lowered };
    this.learned.set(list, { mtu: lowered, until: this.now() + PATH_MTU_LIFETIME_MS });
    return { policies: this.rebuild(slots), mtu: lowered };
  }

  /** Forgets learned path MTUs whose time is over; their policies get the declared one back, and packets probe it. Returns them by MTU. */
  expirePathMtus(): { policies: number[]; mtu: number }[] {
    const now = this.now();
    const raised: { policies: number[]; mtu: number }[] = [];
    for (const [list, { until }] of this.learned) {
      if (until > now) continue;
      this.learned.delete(list);
      for (const slot of [...this.byKey.values()]) {
        if (slot.references === 0 || slot.mtu >= slot.declaredMtu || slot.segments.join(' ') !== list) continue;
        raised.push({ policies: this.rebuild([slot]), mtu: slot.declaredMtu });
      }
    }
    return raised;
  }

  /** Another source address or form: every slot is built anew. */
  reconfigure(source: Uint8Array, reduced: boolean): void {
    if (reduced === this.reduced && source.every((octet, i) => octet === this.source[i])) return;
    this.source = source;
    this.reduced = reduced;
    const slots = [...this.byKey.values()].filter((slot) => slot.references > 0);
    this.byKey.clear();
    this.rebuild(slots);
  }

  /** Reads what an earlier run left in the pinned maps; policies of blocks that `keep` refuses are cleared. */
  adopt(keep: (policy: number) => boolean): void {
    const { maxEntries } = this.policyMap;
    const chunk = Math.min(maxEntries, 65536);
    const keys = new Uint8Array(chunk * 4);
    const values = new Uint8Array(chunk * 4);
    const cursor = new Uint8Array(8);
    const cleared: number[] = [];
    const outdated = new Set<Slot>();
    for (let first = true, done = false; !done; first = false) {
      const batch = this.policyMap.lookupBatch(cursor, first, keys, values, chunk);
      done = batch.done || batch.count === 0;
      const numbers = new Uint32Array(values.buffer, 0, batch.count);
      const ids = new Uint32Array(keys.buffer, 0, batch.count);
      for (let i = 0; i < batch.count; i++) {
        if (numbers[i] === 0) continue;
        const slot = keep(ids[i]!) ? this.adoptSlot(numbers[i]!, outdated) : undefined;
        if (!slot) {
          cleared.push(ids[i]!);
          continue;
        }
        this.refer(slot);
        this.reserve(ids[i]!);
        this.current[ids[i]!] = slot.number;
      }
    }
    // Numbers between those in use: free at once, nobody points at them.
    for (let number = 1; number < this.byNumber.length; number++) {
      if (this.byNumber[number]) continue;
      const empty: Slot = { number, outer: new Uint8Array(0), segments: [], declaredMtu: 0, mtu: 0, references: 0, retiredAt: this.now() };
      this.byNumber[number] = empty;
      this.retired.push({ slot: empty, since: empty.retiredAt });
    }
    if (cleared.length > 0) {
      const ids = Uint32Array.from(cleared);
      this.policyMap.updateBatch(new Uint8Array(ids.buffer), new Uint8Array(ids.length * 4), ids.length);
    }
    if (outdated.size > 0) this.rebuild([...outdated]);
    this.raiseInnerMtu();
  }

  /** The slot of an earlier run under this number, read once; added to `outdated` when it would be built otherwise now. */
  private adoptSlot(number: number, outdated: Set<Slot>): Slot | undefined {
    if (number >= this.slotMap.maxEntries) return undefined;
    while (this.byNumber.length <= number) this.byNumber.push(undefined);
    const known = this.byNumber[number];
    if (known) return known;
    const slot = this.readSlot(number);
    if (!slot) return undefined;
    this.byNumber[number] = slot;
    if (this.isCurrent(slot)) this.byKey.set(PolicyTable.keyOf(slot), slot);
    else outdated.add(slot);
    return slot;
  }

  private isCurrent(slot: Slot): boolean {
    const octets = slot.segments.map((segment) => parseIp(segment)!);
    const expected = buildOuterHeader(this.source, octets, this.reduced);
    return expected.length === slot.outer.length && expected.every((octet, i) => octet === slot.outer[i]);
  }

  private readSlot(number: number): Slot | undefined {
    const value = new Uint8Array(SLOT_VALUE_LENGTH);
    return this.slotMap.lookup(new Uint8Array(Uint32Array.of(number).buffer), value) ? decodeSlot(number, value) : undefined;
  }
}

function encodeSlot(slot: Slot, value: Uint8Array): void {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  view.setUint32(SLOT_LENGTH, slot.outer.length, true);
  view.setUint32(SLOT_MTU, slot.mtu, true);
  value.set(slot.outer, SLOT_OUTER);
}

/** Reads a slot of an earlier run back; undefined when it holds no outer header. */
function decodeSlot(number: number, value: Uint8Array): Slot | undefined {
  const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
  const length = view.getUint32(SLOT_LENGTH, true);
  const mtu = view.getUint32(SLOT_MTU, true);
  if (length < IPV6_HEADER_LENGTH || length > SLOT_OUTER_MAX) return undefined;
  const outer = value.slice(SLOT_OUTER, SLOT_OUTER + length);
  const first = formatIp(outer, IPV6_DESTINATION, 16);
  let segments = [first];
  if (outer[IPV6_NEXT_HEADER] === PROTOCOL_ROUTING) {
    const srh = decodeSrh(outer, IPV6_HEADER_LENGTH);
    if (typeof srh === 'string') return undefined;
    const listed = srh.segments.map((segment) => formatIp(segment)).reverse();
    // Reduced: the first segment stands in the IPv6 header alone (RFC 8754 section 4.1.1).
    segments = srh.segmentsLeft > srh.lastEntry ? [first, ...listed] : listed;
  }
  return { number, outer, segments, declaredMtu: mtu, mtu, references: 0, retiredAt: 0 };
}
