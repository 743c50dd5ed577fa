/** Which of the listed ways to an exit a policy takes. */
import type { TransitPath } from '../config/types.js';
import type { PathState } from '../rib/candidate.js';

export interface ChosenWay {
  /** Transit SIDs, travel order. */
  readonly transit: readonly string[];
  readonly path: PathState;
  /** The first SID resolves by a route that is not the default route. */
  readonly resolves: boolean;
}

const PLAIN: readonly TransitPath[] = [{ segments: [], back: [] }];

/**
 * The first way of the list that is there: alive, and its first SID resolves. Without one the first of all, so that what is shown and what is
 * written is the way that is preferred. `ways` undefined: nothing is listed, the plain way.
 */
export function chooseWay(ways: readonly TransitPath[] | undefined, look: (transit: readonly string[]) => Omit<ChosenWay, 'transit'>): ChosenWay {
  let preferred: ChosenWay | undefined;
  for (const { segments } of ways?.length ? ways : PLAIN) {
    const way = { transit: segments, ...look(segments) };
    if (way.path.alive && way.resolves) return way;
    preferred ??= way;
  }
  return preferred!;
}

/** The listed ways with the delay of each, and which of them is taken: one line for an operator; undefined where there is but one way. */
export function describeWays(ways: readonly TransitPath[] | undefined, taken: readonly string[], look: (transit: readonly string[]) => Omit<ChosenWay, 'transit'>): string | undefined {
  if (!ways || ways.length === 0 || (ways.length === 1 && ways[0]!.segments.length === 0)) return undefined;
  const texts = ways.map(({ segments }) => {
    const { path, resolves } = look(segments);
    const isTaken = segments.length === taken.length && segments.every((segment, index) => segment === taken[index]);
    const state = !path.alive ? 'does not answer' : !resolves ? 'has no route' : path.rttUs === undefined ? 'not measured' : `path delay ${Math.round(path.rttUs / 2)} us`;
    return `${segments.length === 0 ? 'as the routes lead' : `by ${segments.join(' ')}`} (${state}${isTaken ? ', taken' : ''})`;
  });
  return `ways: ${texts.join(', ')}`;
}
