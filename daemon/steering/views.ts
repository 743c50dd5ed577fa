/** What the steering can tell: candidates with reasons, explanations, policies, pinned flows. The reasons come from the selector itself. */
import { FLOW_SPACES, POLICIES_PER_BLOCK, type FlowRecord, type FlowSpace, type FlowTable } from '../../dataplane/dataplane.js';
import { FLOW_KEY_DESTINATION, FLOW_KEY_SOURCE, decodeFlowKey, flowKeyAddress, flowKeySpace } from '../../dataplane/packet/flow-key.js';
import type { Member } from './member.js';
import { NO_REQUIREMENTS, type Requirements } from './requirement-option.js';
import { describeRequirements } from './requirements.js';
import type { Assessment } from './selector.js';
import type { Steering } from './steering.js';

export interface Explanation {
  readonly service: string;
  /** False: neither a candidate nor a configuration entry. */
  readonly known: boolean;
  readonly requirements: readonly { readonly text: string; readonly origin: 'packet' | 'default' }[];
  readonly candidates: readonly Assessment<Member>[];
  /** What chooses among the feasible candidates, and why it. */
  readonly strategy: string;
  readonly chosen: { readonly member: Member; readonly policy: number } | undefined;
  /** One sentence: what a first packet would get, and why. */
  readonly verdict: string;
}

/** Candidates of a service, assessed with its default requirements; the reasons filled in. */
export function assessCandidates(steering: Steering, service: string, nowMs: number): Assessment<Member>[] {
  const state = steering.serviceState(service);
  return state ? steering.assess(state, state.defaults, nowMs, true) : [];
}

/** What a first packet to `service` that states these requirements would get now, and why. `from`: the client's address. */
export function explain(steering: Steering, service: string, nowMs: number, stated: Requirements = NO_REQUIREMENTS, from?: string): Explanation {
  const effective = steering.effectiveRequirements(service, stated);
  const requirements = describeRequirements(effective).map(({ name, text }) => ({ text, origin: stated[name] === undefined ? ('default' as const) : ('packet' as const) }));
  const state = steering.serviceState(service);
  if (!state) return { service, known: false, requirements, candidates: [], strategy: '', chosen: undefined, verdict: 'unknown service: Destination Unreachable (no route)' };
  const member = steering.preview(state, effective, from);
  const candidates = steering.assess(state, effective, nowMs, true);
  const strategy = steering.strategyWords(state, effective);
  if (!member?.block) {
    const verdict = candidates.length === 0 ? 'no candidate: Destination Unreachable (address unreachable)' : `none of ${candidates.length} candidates is feasible: Destination Unreachable (address unreachable)`;
    return { service, known: true, requirements, candidates, strategy, chosen: undefined, verdict };
  }
  const found = candidates.find(({ input }) => input === member)!;
  const way = member.segments.join(' -> ');
  const share = state.strategy.config.name === 'weighted' && found.weight > 0 && found.weight < 1 ? `, which gets ${Math.round(found.weight * 100)} % of new flows` : '';
  const verdict = `exit ${member.exit}, instance ${member.instance} by ${way}: predicted ${Math.round(found.prediction.totalUs)} us${share}`;
  return { service, known: true, requirements, candidates, strategy, chosen: { member, policy: member.block.number * POLICIES_PER_BLOCK }, verdict };
}

export interface PolicyEntry {
  readonly id: number;
  /** Where it leads now; empty: nowhere, packets are dropped. */
  readonly exit: string;
  readonly instance: number;
  readonly segments: readonly string[];
  /** Share of the service's new flows, 0..1; 0 on blocks that only pinned flows still use. */
  readonly weight: number;
  readonly mtu: number;
  /** Flows pinned to it. */
  readonly flows: number;
  readonly installed: boolean;
  readonly error: string | undefined;
}

/** All policies of a service, or of all services. */
export function* fib(steering: Steering, flows: FlowTable, nowMs: number, service?: string): Generator<{ readonly service: string; readonly policies: readonly PolicyEntry[] }> {
  const states = service === undefined ? steering.serviceStates() : [steering.serviceState(service)];
  for (const state of states) {
    if (!state) continue;
    const weights = new Map(steering.assess(state, state.defaults, nowMs).map(({ input, weight }) => [input, weight]));
    const policies: PolicyEntry[] = [];
    for (const block of state.blocks) {
      const active = state.memberOf(block.owner);
      const weight = active?.block === block ? (weights.get(active) ?? 0) / POLICIES_PER_BLOCK : 0;
      for (let i = 0; i < POLICIES_PER_BLOCK; i++) {
        const id = block.number * POLICIES_PER_BLOCK + i;
        const target = block.targets[i];
        const status = flows.policyStatus(id);
        policies.push({
          id,
          exit: target?.exit ?? '',
          instance: target?.instance ?? 0,
          segments: status?.segments ?? [],
          weight,
          mtu: status?.mtu ?? 0,
          flows: steering.pins.count(id),
          installed: status?.installed ?? false,
          error: status ? status.error : 'not written yet',
        });
      }
    }
    yield { service: state.service, policies };
  }
}

export interface PinnedFlow extends FlowRecord {
  readonly service: string;
  /** Where it goes now; empty: nowhere. */
  readonly exit: string;
  readonly instance: number;
  readonly space: FlowSpace;
}

export interface FlowSelection {
  readonly service?: string | undefined;
  readonly source?: string | undefined;
  readonly exit?: string | undefined;
  /** 0: all. */
  readonly limit?: number;
}

/** Flows a batch of pinnedFlows(): about half a millisecond, for their addresses become text. */
const LIST_BATCH = 64;

/** Whether a pinned flow is meant by a selection; for views and for clearFlows(). */
export function flowMatcher(steering: Steering, selection: FlowSelection): (key: Uint8Array, policy: number) => boolean {
  const { exit } = selection;
  const fields: [at: number, address: Uint8Array][] = [];
  if (selection.source !== undefined) fields.push([FLOW_KEY_SOURCE, flowKeyAddress(selection.source)]);
  if (selection.service !== undefined) fields.push([FLOW_KEY_DESTINATION, flowKeyAddress(selection.service)]);
  return (key, policy) => {
    for (const [at, address] of fields) for (let i = 0; i < address.length; i++) if (key[at + i] !== address[i]) return false;
    return exit === undefined || steering.policies.targetOf(policy)?.exit === exit;
  };
}

/**
 * Pinned flows as the dataplane has them, a batch (it may be empty) each time that the next one is asked for. `nowNs`: the clock of their stamps
 * (CLOCK_MONOTONIC for the kernel), ns. `steerings`: of each space of flows that is looked at, by its number.
 */
export function* pinnedFlows(steerings: readonly Steering[], flows: FlowTable, nowNs: bigint, selection: FlowSelection = {}): Generator<readonly PinnedFlow[], void> {
  const matchers = steerings.map((steering) => flowMatcher(steering, selection));
  let left = selection.limit ? selection.limit : Infinity;
  for (const batch of flows.scanFlows()) {
    let found: PinnedFlow[] = [];
    for (const { key, policy, packets, bytes, createdNs, lastSeenNs } of batch) {
      const space = flowKeySpace(key);
      if (!matchers[space]?.(key, policy)) continue;
      const target = steerings[space]!.policies.targetOf(policy);
      const flow = decodeFlowKey(key);
      found.push({
        ...flow,
        service: flow.destination,
        policy,
        exit: target?.exit ?? '',
        instance: target?.instance ?? 0,
        space: FLOW_SPACES[space]!,
        packets,
        bytes,
        ageMs: elapsedMs(createdNs, nowNs),
        idleMs: elapsedMs(lastSeenNs, nowNs),
      });
      if (--left === 0) break;
      if (found.length < LIST_BATCH) continue;
      yield found;
      found = [];
    }
    yield found;
    if (left === 0) return;
  }
}

const elapsedMs = (since: bigint, now: bigint): number => (now > since ? Number((now - since) / 1_000_000n) : 0);
