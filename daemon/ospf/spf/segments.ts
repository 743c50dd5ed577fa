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
  /** What ends the list when plain forwarding reaches as far as `reach` from a position: its SIDs; undefined: nothing can, go farther. */
  finish(position: number, reach: number): readonly string[] | undefined;
}

/** The segments from a position on, at most `limit`; undefined when there are none that do. */
export function fewestSegments(path: PathSegments, start: number, limit: number): readonly string[] | undefined {
  const segments: string[] = [];
  let position = start;
  for (;;) {
    const reach = path.reach(position);
    const last = path.finish(position, reach);
    if (last) return segments.length + last.length <= limit ? [...segments, ...last] : undefined;
    if (segments.length >= limit) return undefined;
    let next = position;
    let segment: string | undefined;
    for (let at = Math.min(reach, path.length - 1); at >= position && next <= at; at--) {
      const across = path.endX(at);
      if (across !== undefined) {
        next = at + 1;
        segment = across;
      }
    }
    for (let at = reach; at > position && at >= next; at--) {
      const to = path.end(at);
      if (to === undefined) continue;
      next = at;
      segment = to;
      break;
    }
    if (segment === undefined) return undefined;
    segments.push(segment);
    position = next;
  }
}
