/** Reading and ageing of flow entries in batches: `flows` (two packets or more) and `newFlows` (the first packet only). */
import type { FlowPassListener, ScannedFlow } from '../dataplane.js';
import { FLOW_KEY_LENGTH, flowKeyText } from '../packet/flow-key.js';
import { FLOW_BYTES, FLOW_CREATED_NS, FLOW_LAST_SEEN_NS, FLOW_PACKETS, FLOW_POLICY, FLOW_VALUE_LENGTH } from './layout.js';
import type { BpfMap } from './maps.js';

/** Entries a batch: 100 to 200 us of kernel time. No more: the kernel cannot be stopped inside a batch, and first packets wait. */
const BATCH = 256;

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

  policy(index: number): number {
    return this.view.getUint32(index * FLOW_VALUE_LENGTH + FLOW_POLICY, true);
  }

  flow(index: number): ScannedFlow {
    const lastSeenNs = this.u64(index, FLOW_LAST_SEEN_NS);
    return {
      key: this.key(index),
      policy: this.policy(index),
      packets: this.u64(index, FLOW_PACKETS),
      bytes: this.u64(index, FLOW_BYTES),
      createdNs: this.u64(index, FLOW_CREATED_NS) || lastSeenNs,
      lastSeenNs,
    };
  }
}

/**
 * Every flow once, a batch at a time; keys are valid until the next batch is asked for. `newFlows` comes first: the kernel writes a promoted flow to `flows`
 * before it deletes the new one, so that a flow is met in one of the two at least. An entry of `newFlows` created at 0 holds packets that the daemon sent for a
 * flow which the kernel had promoted already (they were punted before their entry was there): they are added to that flow.
 */
export function* scanFlows(flows: BpfMap, newFlows: BpfMap): Generator<readonly ScannedFlow[]> {
  const batch = new Batch();
  const cursor = new Uint8Array(CURSOR_LENGTH);
  const met = new Set<string>();
  const late = new Map<string, ScannedFlow>();
  for (let first = true, done = false; !done; first = false) {
    done = batch.read(newFlows, cursor, first);
    const found: ScannedFlow[] = [];
    for (let i = 0; i < batch.count; i++) {
      const text = flowKeyText(batch.key(i));
      if (batch.u64(i, FLOW_CREATED_NS) === 0n) {
        late.set(text, { ...batch.flow(i), key: batch.key(i).slice() });
      } else {
        met.add(text);
        found.push(batch.flow(i));
      }
    }
    yield found;
  }
  for (let first = true, done = false; !done; first = false) {
    done = batch.read(flows, cursor, first);
    const found: ScannedFlow[] = [];
    for (let i = 0; i < batch.count; i++) {
      const flow = batch.flow(i);
      if (met.size === 0 && late.size === 0) {
        found.push(flow);
        continue;
      }
      const text = flowKeyText(flow.key);
      const more = late.get(text);
      late.delete(text);
      if (met.has(text)) continue;
      found.push(more ? { ...flow, packets: flow.packets + more.packets, bytes: flow.bytes + more.bytes } : flow);
    }
    yield found;
  }
  yield [...late.values()];
}

/** Deletes idle flows and tells what it sees that stays, in passes over both maps, a little at a time: the event loop is never held up for long. */
export class FlowAgeing {
  private readonly batch = new Batch();
  private readonly cursor = new Uint8Array(CURSOR_LENGTH);
  private readonly idleKeys = new Uint8Array(BATCH * FLOW_KEY_LENGTH);
  private readonly policies = new Uint32Array(BATCH);
  private current: BpfMap;
  private atStart = true;

  constructor(
    private readonly flows: BpfMap,
    private readonly newFlows: BpfMap,
    /** CLOCK_MONOTONIC in ns, the clock of the entries. */
    private readonly nowNs: () => bigint,
    private readonly listener: FlowPassListener,
  ) {
    this.current = newFlows;
  }

  /** Whether the next step begins a pass. */
  get isBetweenPasses(): boolean {
    return this.atStart && this.current === this.newFlows;
  }

  /** Goes on with the pass until `budgetMs` is over or the pass ends; deletes entries not seen for `idleMs`. Returns their keys. */
  step(idleMs: number, budgetMs: number, nowMs: () => number): Uint8Array[] {
    const expired: Uint8Array[] = [];
    const stop = nowMs() + budgetMs;
    if (this.isBetweenPasses) this.listener.begun();
    do {
      // `newFlows` first: see scanFlows().
      const done = this.batch.read(this.current, this.cursor, this.atStart);
      this.atStart = done;
      this.age(idleMs, expired);
      if (!done) continue;
      this.current = this.current === this.flows ? this.newFlows : this.flows;
      if (this.isBetweenPasses) {
        this.listener.ended();
        break;
      }
    } while (nowMs() < stop);
    return expired;
  }

  /** Deletes what is idle in the batch and tells the rest. */
  private age(idleMs: number, expired: Uint8Array[]): void {
    const limit = Number(this.nowNs()) - idleMs * 1e6;
    const { batch, idleKeys, policies } = this;
    let idle = 0;
    let stay = 0;
    for (let i = 0; i < batch.count; i++) {
      const at = i * FLOW_VALUE_LENGTH + FLOW_LAST_SEEN_NS;
      // Exact to some 100 ns for years of uptime, and no BigInt an entry.
      if (batch.view.getUint32(at + 4, true) * 2 ** 32 + batch.view.getUint32(at, true) > limit) {
        policies[stay] = batch.policy(i);
        if (stay < i) batch.keys.copyWithin(stay * FLOW_KEY_LENGTH, i * FLOW_KEY_LENGTH, (i + 1) * FLOW_KEY_LENGTH);
        stay++;
        continue;
      }
      const key = batch.key(i);
      idleKeys.set(key, idle++ * FLOW_KEY_LENGTH);
      if (batch.u64(i, FLOW_CREATED_NS) !== 0n || this.current === this.flows) expired.push(key.slice());
    }
    if (idle > 0) this.current.deleteBatch(idleKeys, idle);
    if (stay > 0) this.listener.seen(batch.keys, policies, stay);
  }
}
