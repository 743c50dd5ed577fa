/**
 * Ways to an exit that are faster than the path of least cost: the segments that pin the path of least delay, and how replies of probes come back
 * along it. Pure.
 */
import type { TransitPath } from '../config/types.js';
import type { RouterPath, RouterSids } from './spf/types.js';

/** SIDs of a way back at most; a longer one is left to the routes. */
const MAX_BACK = 8;
const PLAIN: TransitPath = { segments: [], back: [] };

/** The ways by preference: the delay path, then wherever the routes lead; undefined where that is all there is. */
export function delayWays(path: Pick<RouterPath, 'segments' | 'delayPath'> | undefined, own: number, sidsOf: (routerId: number) => RouterSids | undefined): readonly TransitPath[] | undefined {
  if (!path || path.segments.length === 0) return undefined;
  return [{ segments: path.segments, back: wayBack(path.delayPath.routers, own, sidsOf) }, PLAIN];
}

/**
 * SIDs that lead back along the routers of a path: End.X SIDs from each router between to the one before it. The destination finds the last router between by
 * its routes: it cannot send to SIDs of its own. Empty when a router announces no SID for its step, or when there are too many.
 */
function wayBack(routers: readonly number[], own: number, sidsOf: (routerId: number) => RouterSids | undefined): string[] {
  const between = routers.slice(0, -1);
  if (between.length > MAX_BACK) return [];
  const back: string[] = [];
  for (let index = between.length - 1; index >= 0; index--) {
    const towards = index === 0 ? own : between[index - 1]!;
    const sid = sidsOf(between[index]!)?.endX.find(({ neighbor }) => neighbor === towards)?.sid;
    if (sid === undefined) return [];
    back.push(sid);
  }
  return back;
}
