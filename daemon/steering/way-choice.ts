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
