/**
 * Requests of a window to candidates, many to many, at the least sum of latencies: the weighted bipartite matching of survey section 8.1. A candidate is matched as
 * often as it pays: the request that comes n-th to it waits for those before it, so that its places cost more one after the other.
 *
 * Requests that want the same have the same costs and are one group. A minimum-cost flow from groups to candidates by successive shortest augmenting paths is
 * exact, since the places of a candidate rise in cost, and takes requests * groups * candidates steps or a small multiple; the Hungarian method wants a column for
 * each place of each candidate, and the third power of the requests.
 */

/** `costs[group][candidate]` in us, Infinity: not feasible; `sizes[group]` requests; `perRequest[candidate]`: what each request ahead adds. Returns how many of each group go where. */
export function assign(costs: readonly (readonly number[])[], sizes: readonly number[], perRequest: readonly number[]): number[][] {
  const groups = costs.length;
  const candidates = perRequest.length;
  const flow = costs.map(() => new Array<number>(candidates).fill(0));
  const load = new Array<number>(candidates).fill(0);
  for (let group = 0; group < groups; group++) {
    for (let request = 0; request < sizes[group]!; request++) {
      const path = shortest(group, costs, flow, load, perRequest);
      // Nothing is feasible for this group.
      if (path === undefined) break;
      let [candidate] = path;
      load[candidate]!++;
      for (;;) {
        const from = path[1][candidate]!;
        flow[from]![candidate]!++;
        if (from === group) break;
        candidate = path[2][from]!;
        flow[from]![candidate]!--;
      }
    }
  }
  return flow;
}

/** Where the path ends, by which group each candidate is reached, and by which candidate each group. */
type Path = readonly [end: number, groupOf: readonly number[], candidateOf: readonly number[]];

/** Bellman and Ford over groups and candidates: a request of `start` may push one of another group away, which then goes elsewhere. */
function shortest(start: number, costs: readonly (readonly number[])[], flow: readonly (readonly number[])[], load: readonly number[], perRequest: readonly number[]): Path | undefined {
  const toGroup = costs.map((_, group) => (group === start ? 0 : Infinity));
  const toCandidate = load.map(() => Infinity);
  const groupOf = load.map(() => -1);
  const candidateOf = costs.map(() => -1);
  let active = [start];
  while (active.length > 0) {
    const touched = new Set<number>();
    for (const group of active) {
      for (let candidate = 0; candidate < load.length; candidate++) {
        const distance = toGroup[group]! + costs[group]![candidate]!;
        if (!(distance < toCandidate[candidate]! - EPSILON)) continue;
        toCandidate[candidate] = distance;
        groupOf[candidate] = group;
        touched.add(candidate);
      }
    }
    const next = new Set<number>();
    for (const candidate of touched) {
      for (let group = 0; group < costs.length; group++) {
        if (flow[group]![candidate] === 0 || group === start) continue;
        const distance = toCandidate[candidate]! - costs[group]![candidate]!;
        if (!(distance < toGroup[group]! - EPSILON)) continue;
        toGroup[group] = distance;
        candidateOf[group] = candidate;
        next.add(group);
      }
    }
    active = [...next];
  }
  let end = -1;
  let least = Infinity;
  for (let candidate = 0; candidate < load.length; candidate++) {
    const total = toCandidate[candidate]! + load[candidate]! * perRequest[candidate]!;
    if (total < least) [least, end] = [total, candidate];
  }
  return end < 0 ? undefined : [end, groupOf, candidateOf];
}

/** Rounding must not make a circle look shorter than nothing, us. */
const EPSILON = 1e-6;
