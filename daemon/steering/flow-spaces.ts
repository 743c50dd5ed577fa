/**
 * One flow table as several: each space of flows (proto/WIRE.md section 5) has a steering of its own, which sees its flows and blocks of policy ids alone. Policy
 * ids come from one pool.
 */
import { FLOW_SPACES, NO_SERVICE, type FlowPassListener, type FlowSpace, type FlowTable, type PolicyBlockOwner, type ScannedFlow, type Settle, type Steer } from '../../dataplane/dataplane.js';
import { FLOW_KEY_LENGTH, flowKeySpace } from '../../dataplane/packet/flow-key.js';

export class FlowSpaces {
  private readonly steers: (Steer | undefined)[] = FLOW_SPACES.map(() => undefined);
  private readonly settles: (Settle | undefined)[] = FLOW_SPACES.map(() => undefined);
  private readonly passes: (FlowPassListener | undefined)[] = FLOW_SPACES.map(() => undefined);
  private isListening = false;

  constructor(private readonly flows: FlowTable) {}

  /** The part of a space. */
  of(space: FlowSpace): FlowTable {
    const { flows } = this;
    const number = FLOW_SPACES.indexOf(space);
    return {
      onPunt: (steer, settle) => {
        this.steers[number] = steer;
        this.settles[number] = settle;
        flows.onPunt((packet) => this.steers[flowKeySpace(packet.key)]?.(packet) ?? NO_SERVICE, {
          windowMs: () => Math.min(...this.settles.map((each) => each?.windowMs() ?? Infinity)),
          decide: () => this.settles.forEach((each) => each?.decide()),
        });
      },
      setPolicies: (writes) => flows.setPolicies(writes),
      policyStatus: (policy) => flows.policyStatus(policy),
      setBlockOwner: (block, owner) => flows.setBlockOwner(block, owner && withSpace(owner, space)),
      adoptedBlocks: () => flows.adoptedBlocks().filter(({ owner }) => (owner.space ?? 'entry') === space),
      scanFlows: () => scanOf(flows, number),
      onPass: (listener) => {
        this.passes[number] = listener;
        this.listen();
      },
      deleteFlows: (keys) => flows.deleteFlows(keys),
      onExpired: (listener) => flows.onExpired((keys) => listener(keys.filter((key) => flowKeySpace(key) === number))),
      onPathMtu: (listener) => flows.onPathMtu(listener),
      counters: () => flows.counters(),
    };
  }

  private listen(): void {
    if (this.isListening) return;
    this.isListening = true;
    this.flows.onPass({
      begun: () => this.passes.forEach((listener) => listener?.begun()),
      seen: (keys, policies, count) => this.seen(keys, policies, count),
      ended: () => this.passes.forEach((listener) => listener?.ended()),
    });
  }

  /** Hands on runs of flows of one space: where nearly all are of one there is nearly one run. */
  private seen(keys: Uint8Array, policies: Uint32Array, count: number): void {
    for (let start = 0, end = 0; start < count; start = end) {
      const space = flowKeySpace(keys, start * FLOW_KEY_LENGTH);
      for (end = start + 1; end < count && flowKeySpace(keys, end * FLOW_KEY_LENGTH) === space; ) end++;
      this.passes[space]?.seen(keys.subarray(start * FLOW_KEY_LENGTH), policies.subarray(start), end - start);
    }
  }
}

const withSpace = (owner: PolicyBlockOwner, space: FlowSpace): PolicyBlockOwner => (space === 'entry' ? owner : { ...owner, space });

function* scanOf(flows: FlowTable, space: number): Generator<readonly ScannedFlow[]> {
  for (const batch of flows.scanFlows()) yield batch.filter(({ key }) => flowKeySpace(key) === space);
}

/** Numbers of blocks of policy ids, none of which is in use twice. */
export class BlockPool {
  private readonly free: number[] = [];
  private next = 0;

  /** `size`: blocks the dataplane has room for. */
  constructor(private readonly size: number) {}

  /** Undefined when all are in use. */
  take(): number | undefined {
    return this.free.pop() ?? (this.next < this.size ? this.next++ : undefined);
  }

  /** Takes a certain number, which must be free. */
  claim(number: number): void {
    while (this.next <= number) this.free.push(this.next++);
    this.free.splice(this.free.indexOf(number), 1);
  }

  give(number: number): void {
    this.free.push(number);
  }
}
