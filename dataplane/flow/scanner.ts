/** Reading and ageing of flow entries in batches: `flows` (two packets or more) and `newFlows` (the first packet only). */
import { FLOW_KEY_LENGTH, flowKeyText } from '../packet/flow-key.js';
import { FLOW_BYTES, FLOW_CREATED_NS, FLOW_LAST_SEEN_NS, FLOW_PACKETS, FLOW_POLICY, FLOW_VALUE_LENGTH } from './layout.js';
import type { BpfMap } from './maps.js';

/** Entries a batch: about a millisecond of kernel time. */
const BATCH = 2048;

export interface FlowEntry {
  readonly policy: number;
  readonly packets: bigint;
  readonly bytes: bigint;
  readonly createdNs: bigint;
  readonly lastSeenNs: bigint;
}

const CURSOR_LENGTH = FLOW_KEY_LENGTH + 8;

/** One batch of a map, decoded where it lies. */
class Batch {
  readonly keys = new Uint8Array(BATCH * FLOW_KEY_LENGTH);
  readonly values = new Uint8Array(BATCH * FLOW_VALUE_LENGTH);
  readonly view = new DataView(this.values.buffer);
  count = 0;

  /** Returns true at the end of the map. */
  read(map: BpfMap, cursor: Uint8Array, first: boolean): boolean {
    const result = map.lookupBatch(cursor, first, this.keys, this.values, BATCH);
    this.count = result.count;
    return result.done || result.count === 0;
  }

  key(index: number): Uint8Array {
    return this.keys.subarray(index * FLOW_KEY_LENGTH, (index + 1) * FLOW_KEY_LENGTH);
  }

  u64(index: number, field: number): bigint {
    return this.view.getBigUint64(index * FLOW_VALUE_LENGTH + field, true);
  }

  entry(index: number): FlowEntry {
    const lastSeenNs = this.u64(index, FLOW_LAST_SEEN_NS);
    return {
      policy: this.view.getUint32(index * FLOW_VALUE_LENGTH + FLOW_POLICY, true),
      packets: this.u64(index, FLOW_PACKETS),
      bytes: this.u64(index, FLOW_BYTES),
      createdNs: this.u64(index, FLOW_CREATED_NS) || lastSeenNs,
      lastSeenNs,
    };
  }
}

/**
 * Visits every flow once; `visit` may return false to stop. An entry of `newFlows` created at 0 holds packets that the daemon sent for a flow which
 * the kernel had promoted already (they were punted before their entry was there): they are added to that flow.
 */
export function scanFlows(flows: BpfMap, newFlows: BpfMap, visit: (key: Uint8Array, entry: FlowEntry) => boolean | undefined): void {
  const batch = new Batch();
  const cursor = new Uint8Array(CURSOR_LENGTH);
  const late = new Map<string, { key: Uint8Array; entry: FlowEntry }>();
  for (let first = true, done = false; !done; first = false) {
    done = batch.read(newFlows, cursor, first);
    for (let i = 0; i < batch.count; i++) {
      if (batch.u64(i, FLOW_CREATED_NS) === 0n) late.set(flowKeyText(batch.key(i)), { key: batch.key(i).slice(), entry: batch.entry(i) });
      else if (visit(batch.key(i), batch.entry(i)) === false) return;
    }
  }
  for (let first = true, done = false; !done; first = false) {
    done = batch.read(flows, cursor, first);
    for (let i = 0; i < batch.count; i++) {
      let entry = batch.entry(i);
      if (late.size > 0) {
        const text = flowKeyText(batch.key(i));
        const more = late.get(text)?.entry;
        if (more) {
          entry = { ...entry, packets: entry.packets + more.packets, bytes: entry.bytes + more.bytes };
          late.delete(text);
        }
      }
      if (visit(batch.key(i), entry) === false) return;
    }
  }
  for (const { key, entry } of late.values()) if (visit(key, entry) === false) return;
}

/** Deletes idle flows, a little at a time, so that the event loop is never held up for long. */
export class FlowAgeing {
  private readonly batch = new Batch();
  private readonly cursor = new Uint8Array(CURSOR_LENGTH);
  private readonly idleKeys = new Uint8Array(BATCH * FLOW_KEY_LENGTH);
  private current: BpfMap;
  private atStart = true;

  constructor(
    private readonly flows: BpfMap,
    private readonly newFlows: BpfMap,
    /** CLOCK_MONOTONIC in ns, the clock of the entries. */
    private readonly nowNs: () => bigint,
  ) {
    this.current = newFlows;
  }

  /**
   * Looks at batches until `budgetMs` is over or both maps were read once to the end; deletes entries not seen for `idleMs`. Returns their keys.
   */
  step(idleMs: number, budgetMs: number, nowMs: () => number): Uint8Array[] {
    const expired: Uint8Array[] = [];
    const stop = nowMs() + budgetMs;
    for (let ends = 0; ends < 2; ) {
      const done = this.batch.read(this.current, this.cursor, this.atStart);
      this.atStart = done;
      this.deleteIdle(idleMs, expired);
      if (done) {
        ends++;
        this.current = this.current === this.flows ? this.newFlows : this.flows;
      }
      if (nowMs() >= stop) break;
    }
    return expired;
  }

  private deleteIdle(idleMs: number, expired: Uint8Array[]): void {
    const limit = Number(this.nowNs()) - idleMs * 1e6;
    const { batch, idleKeys } = this;
    let count = 0;
    for (let i = 0; i < batch.count; i++) {
      const at = i * FLOW_VALUE_LENGTH + FLOW_LAST_SEEN_NS;
      // Exact to some 100 ns for years of uptime, and no BigInt an entry.
      if (batch.view.getUint32(at + 4, true) * 2 ** 32 + batch.view.getUint32(at, true) > limit) continue;
      const key = batch.key(i);
      idleKeys.set(key, count++ * FLOW_KEY_LENGTH);
      if (batch.u64(i, FLOW_CREATED_NS) !== 0n || this.current === this.flows) expired.push(key.slice());
    }
    if (count > 0) this.current.deleteBatch(idleKeys, count);
  }
}
