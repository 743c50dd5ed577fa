/**
 * Policies: what the ids stand for that flows are pinned to. An instance owns a block of 16 ids for its service and flows hash over
 * them; when it is gone the ids, not the flows, are pointed at the survivors, in proportion to their weights. So the number of writes
 * is independent of the number of flows.
 *
 * A flow moves only when the instance it is on is gone. Hence an instance that comes back finds its old block in use by flows that now
 * live elsewhere, and gets a fresh one; the old block is given back when no flow is left on it. Ids that nobody could take (a segment
 * list of length 0: drop) go back to their owner when it returns, to others otherwise.
 */
import { POLICIES_PER_BLOCK, type FlowTable, type PolicyBlockOwner, type PolicyWrite } from '../../dataplane/dataplane.js';
import { BlockPool } from './flow-spaces.js';

/** Where the flows of a policy go. */
export interface PolicyTarget {
  readonly exit: string;
  readonly instance: number;
  /** Flows may stay. */
  readonly usable: boolean;
  /** Travel order, one to three SIDs. */
  readonly segments: readonly string[];
  /** MTU of the outer packet, octets. */
  readonly mtu: number;
}

export interface PolicyBlock {
  /** Policy ids number * 16 to number * 16 + 15. */
  readonly number: number;
  readonly owner: PolicyBlockOwner;
  /** Of each id; undefined: dropped, because nobody is left. */
  readonly targets: (PolicyTarget | undefined)[];
  /** What was written last, by id. */
  readonly written: (Written | undefined)[];
}

interface Written {
  readonly segments: readonly string[];
  readonly mtu: number;
}

export interface Share {
  readonly target: PolicyTarget;
  /** Relative; zero or more. */
  readonly weight: number;
}

const DROP: readonly string[] = [];
/** Blocks the dataplane has room for: 2^20 policies (dataplane/bpf/cpn.bpf.c). */
export const MAX_BLOCKS = 65_536;

export class PolicyManager {
  private readonly blocks: (PolicyBlock | undefined)[] = [];
  private pending: PolicyWrite[] = [];
  private used = 0;
  private latest: Written = { segments: DROP, mtu: 0 };

  constructor(
    private readonly flows: FlowTable,
    /** Where several managers share one dataplane, its one pool. */
    private readonly pool = new BlockPool(MAX_BLOCKS),
  ) {}

  /** Blocks in use. */
  get size(): number {
    return this.used;
  }

  block(number: number): PolicyBlock | undefined {
    return this.blocks[number];
  }

  /** The block that a policy id belongs to. */
  blockOf(policy: number): PolicyBlock | undefined {
    return this.blocks[Math.floor(policy / POLICIES_PER_BLOCK)];
  }

  targetOf(policy: number): PolicyTarget | undefined {
    return this.blockOf(policy)?.targets[policy % POLICIES_PER_BLOCK];
  }

  /** A fresh block whose ids all lead to its owner; undefined when all are in use. */
  allocate(owner: PolicyBlockOwner, target: PolicyTarget): PolicyBlock | undefined {
    const number = this.pool.take();
    if (number === undefined) return undefined;
    const block = this.create(number, owner);
    for (let i = 0; i < POLICIES_PER_BLOCK; i++) this.point(block, i, target);
    this.flows.setBlockOwner(number, owner);
    return block;
  }

  /** Takes over a block that an earlier run of the daemon left in the dataplane, with its policies as they are. */
  adopt(number: number, owner: PolicyBlockOwner, targetOf: (segments: readonly string[], mtu: number) => PolicyTarget): PolicyBlock {
    this.pool.claim(number);
    const block = this.create(number, owner);
    for (let i = 0; i < POLICIES_PER_BLOCK; i++) {
      const policy = number * POLICIES_PER_BLOCK + i;
      const found = this.flows.policyStatus(policy);
      if (!found || found.segments.length === 0) continue;
      block.targets[i] = targetOf(found.segments, found.mtu);
      block.written[i] = { segments: found.segments, mtu: found.mtu };
    }
    return block;
  }

  /** Gives a block back. The caller knows that no flow is on it. */
  release(block: PolicyBlock): void {
    for (let i = 0; i < POLICIES_PER_BLOCK; i++) this.point(block, i, undefined);
    this.flows.setBlockOwner(block.number, undefined);
    this.blocks[block.number] = undefined;
    this.pool.give(block.number);
    this.used--;
  }

  /** Points one id of a block at a target and queues the write when the segment list or MTU changes. */
  point(block: PolicyBlock, index: number, target: PolicyTarget | undefined): void {
    block.targets[index] = target;
    if (this.isWritten(block, index, target)) return;
    // What is dropped keeps its MTU: it means nothing without a segment list.
    const segments = target?.segments ?? DROP;
    const mtu = target?.mtu ?? block.written[index]?.mtu ?? 0;
    // One object for the ids of a block that lead the same way.
    if (this.latest.segments !== segments || this.latest.mtu !== mtu) this.latest = { segments, mtu };
    block.written[index] = this.latest;
    this.pending.push({ policy: block.number * POLICIES_PER_BLOCK + index, segments, mtu });
  }

  /**
   * Points the ids of a block whose target is gone at the survivors, in proportion to their weights, and rewrites those whose target
   * changed its segment list or MTU. Returns the indexes of the ids that lead elsewhere now.
   */
  repair(block: PolicyBlock, shares: readonly Share[], owner: PolicyTarget | undefined): number[] {
    if (block.targets.every((target, i) => target?.usable === true && this.isWritten(block, i, target))) return [];
    const orphans: number[] = [];
    const before = [...block.targets];
    for (let i = 0; i < POLICIES_PER_BLOCK; i++) {
      const target = block.targets[i];
      if (target?.usable) this.point(block, i, target);
      else if (!target && owner?.usable) this.point(block, i, owner);
      else orphans.push(i);
    }
    const counts = largestRemainder(
      shares.map(({ weight }) => weight),
      orphans.length,
      block.number,
    );
    let next = 0;
    shares.forEach(({ target }, share) => {
      for (let n = counts[share]!; n > 0; n--) this.point(block, orphans[next++]!, target);
    });
    while (next < orphans.length) this.point(block, orphans[next++]!, undefined);
    return [...before.keys()].filter((index) => before[index] !== block.targets[index]);
  }

  /** Policies changed by others than us (a Packet Too Big): what is written is what the dataplane has now. */
  noteMtu(policy: number, mtu: number): void {
    const block = this.blockOf(policy);
    const index = policy % POLICIES_PER_BLOCK;
    const last = block?.written[index];
    if (block && last) block.written[index] = { ...last, mtu };
  }

  /** Hands all queued writes to the dataplane in one call. Returns how many. */
  commit(): number {
    const writes = this.pending;
    if (writes.length === 0) return 0;
    this.pending = [];
    this.flows.setPolicies(writes);
    return writes.length;
  }

  private isWritten(block: PolicyBlock, index: number, target: PolicyTarget | undefined): boolean {
    const last = block.written[index];
    return last !== undefined && sameSegments(last.segments, target?.segments ?? DROP) && (target === undefined || target.mtu === last.mtu);
  }

  private create(number: number, owner: PolicyBlockOwner): PolicyBlock {
    const block: PolicyBlock = { number, owner, targets: new Array<undefined>(POLICIES_PER_BLOCK).fill(undefined), written: new Array<undefined>(POLICIES_PER_BLOCK).fill(undefined) };
    this.blocks[number] = block;
    this.used++;
    return block;
  }
}

function sameSegments(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((segment, i) => segment === b[i]));
}

/**
 * Shares `total` things out in proportion to weights: whole parts first, what is left to the largest remainders (Hamilton's method).
 * Equal remainders take turns by `turn`, so that the same one does not get the odd thing in every block.
 */
export function largestRemainder(weights: readonly number[], total: number, turn: number): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  if (weights.length === 0 || sum <= 0) return weights.map(() => 0);
  const exact = weights.map((weight) => (weight / sum) * total);
  const counts = exact.map((value) => Math.floor(value + 1e-9));
  const left = total - counts.reduce((a, b) => a + b, 0);
  const order = exact
    .map((value, index) => ({ index, remainder: Math.round((value - counts[index]!) * 1e9), turn: (index + turn) % weights.length }))
    .filter(({ index }) => weights[index]! > 0)
    .sort((a, b) => b.remainder - a.remainder || a.turn - b.turn);
  for (let i = 0; i < left; i++) counts[order[i % order.length]!.index]!++;
  return counts;
}
