/**
 * The fewest segments that hold traffic on a path.
 *
 * A path is routers 0 to `length`. From router i plain forwarding by cost is sure to follow it up to router `reach(i)` and not beyond. Parts of a
 * path that is followed are followed too, so `reach` never falls along the path, and going as far as possible with each segment is best: a list
 * that is farther on after as many segments can do whatever the other can.
 */
export interface PathSegments {
  readonly length: number;
  reach(position: number): number;
  /** SID that makes the packet go to a router, and on from there by the next segment. */
  end(position: number): string | undefined;
  /** SID that makes it go to a router and from there straight to the next one. */
  endX(position: number): string | undefined;
  /** Whether the first SID may be one of this router; later ones may be of any. */
  first(position: number): boolean;
  /**
   * What ends the list when plain forwarding reaches as far as `reach` from a position: its SIDs, and how far the packet must come for them; undefined:
   * nothing does, go farther.
   */
  finish(position: number, reach: number): { readonly sids: readonly string[]; readonly at: number } | undefined;
}

interface Step {
  /** The router whose SID it is, and where the packet is when the next segment begins. */
  readonly at: number;
  readonly next: number;
  readonly sid: string;
}

/**
 * The segments from a position on, at most `limit`; undefined when there are none that do. Where it makes the list no longer, a SID that leads to a router is
 * preferred to one that commits to a link of it.
 */
export function fewestSegments(path: PathSegments, start: number, limit: number): readonly string[] | undefined {
  const steps: Step[] = [];
  let position = start;
  for (;;) {
    const reach = path.reach(position);
    const last = path.finish(position, reach);
    if (last) return steps.length + last.sids.length <= limit ? [...relaxed(path, steps, last.at), ...last.sids] : undefined;
    const step = steps.length < limit ? farthest(path, position, reach, steps.length === 0) : undefined;
    if (!step) return undefined;
    steps.push(step);
    position = step.next;
  }
}

/** One segment from a position as far as can be. */
function farthest(path: PathSegments, position: number, reach: number, first: boolean): Step | undefined {
  for (let next = reach + 1; next > position; next--) {
    for (const at of [next, next - 1]) {
      if (at > reach || at >= path.length + (at === next ? 1 : 0) || (first && !path.first(at))) continue;
      const sid = at === next ? path.end(at) : path.endX(at);
      if (sid !== undefined) return { at, next, sid };
    }
  }
  return undefined;
}

/** Segments over links made segments to routers where plain forwarding goes on to where the next segment needs the packet. */
function relaxed(path: PathSegments, steps: readonly Step[], end: number): string[] {
  return steps.map(({ at, next, sid }, index) => {
    const to = at === next ? undefined : path.end(at);
    return to !== undefined && path.reach(at) >= (steps[index + 1]?.at ?? end) ? to : sid;
  });
}
