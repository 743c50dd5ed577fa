/** A way to an exit: the plain one, or by transit SIDs. Each is measured by itself, and chosen by what is measured of it. */
export interface Way {
  /** Exit router ID. */
  readonly exit: string;
  /** Transit SIDs before the exit, travel order; empty: wherever the routes lead. */
  readonly transit: readonly string[];
  /** SIDs that replies of probes take on their way back, travel order. */
  readonly back: readonly string[];
}

/** Name of a way: that of the exit for the plain way. */
export const wayName = (exit: string, transit: readonly string[]): string => (transit.length === 0 ? exit : `${exit} by ${transit.join(', ')}`);
