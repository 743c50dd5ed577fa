/**
 * The daemon's own account of pinned flows: key (as in PuntedPacket) -> policy id. It outlives the kernel's entry: a flow that the
 * kernel's LRU evicted gets the same answer again. It also knows how many flows each policy has, so that a block of policy ids is
 * given back only when no flow is left on it.
 */
import { FLOW_KEY_LENGTH } from '../../dataplane/packet/flow-key.js';
import { OctetTable } from './octet-table.js';

export class PinTable {
  private readonly table: OctetTable;
  private counts = new Uint32Array(1024);

  constructor(maxPins: number, seed: number) {
    this.table = new OctetTable(FLOW_KEY_LENGTH, maxPins, seed);
  }

  get size(): number {
    return this.table.size;
  }

  /** Share of the capacity in use, 0..1. */
  get fill(): number {
    return this.table.size / this.table.maxEntries;
  }

  get octets(): number {
    return this.table.octets + this.counts.byteLength;
  }

  /** Takes a key for find() and add(), returns its hash. */
  load(key: Uint8Array): number {
    return this.table.load(key);
  }

  /** Policy of the loaded key, -1 when it is not pinned. Its expiry moves on to `expiryMs`. */
  find(hash: number, expiryMs: number): number {
    const slot = this.table.find(hash);
    if (slot < 0) return -1;
    this.table.setExpiry(slot, expiryMs);
    return this.table.value(slot);
  }

  /** Pins the loaded key, which must not be pinned; false when the table is full. */
  add(hash: number, policy: number, nowMs: number, expiryMs: number): boolean {
    if (this.table.insert(hash, policy, nowMs, expiryMs) < 0) return false;
    if (policy >= this.counts.length) {
      const counts = new Uint32Array(Math.max(policy + 1, this.counts.length * 2));
      counts.set(this.counts);
      this.counts = counts;
    }
    this.counts[policy]!++;
    return true;
  }

  /** Policy of a key, -1 when it is not pinned. */
  policyOf(key: Uint8Array): number {
    const slot = this.table.find(this.table.load(key));
    return slot < 0 ? -1 : this.table.value(slot);
  }

  /** Moves the expiry of the key that stands at `offset`; false when it is not pinned. */
  renew(keys: Uint8Array, offset: number, expiryMs: number): boolean {
    const slot = this.table.find(this.table.load(keys, offset));
    if (slot < 0) return false;
    this.table.setExpiry(slot, expiryMs);
    return true;
  }

  /** Unpins a key; false when it was not pinned. */
  remove(key: Uint8Array): boolean {
    const slot = this.table.find(this.table.load(key));
    if (slot < 0) return false;
    this.counts[this.table.value(slot)]!--;
    this.table.remove(slot);
    return true;
  }

  /** Unpins all past their expiry, a part of the table each time that the next is asked for, which gives how many went. */
  removeExpired(nowMs: number): Generator<number, void> {
    return this.table.removeWhere((slot) => {
      if (this.table.expiryMs(slot) > nowMs) return false;
      this.counts[this.table.value(slot)]!--;
      return true;
    });
  }

  /** Flows pinned to a policy. */
  count(policy: number): number {
    return this.counts[policy] ?? 0;
  }

  /** Flows pinned to `length` policies from `first` on. */
  countRange(first: number, length: number): number {
    let sum = 0;
    for (let policy = first; policy < first + length; policy++) sum += this.counts[policy] ?? 0;
    return sum;
  }
}
