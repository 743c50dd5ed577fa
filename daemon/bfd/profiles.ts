/** Profiles: those that are always there, and what counts for a session that several clients want. */
import type { BfdProfile } from './types.js';

const builtIn = (name: string, intervalMs: number): BfdProfile => ({ name, intervalMs, multiplier: 3, passive: false, authentication: undefined });

export const BUILT_IN_PROFILES: Readonly<Record<'default' | 'fast', BfdProfile>> = { default: builtIn('default', 300), fast: builtIn('fast', 50) };

const detectionMs = ({ intervalMs, multiplier }: BfdProfile): number => intervalMs * multiplier;

/**
 * The timers of the profile that notices a fault first; authentication from the fastest profile that has one, because the peer has one
 * session to be told of; passive only when all are. The list is not empty.
 */
export function fastestProfile(profiles: readonly BfdProfile[]): BfdProfile {
  const sorted = [...profiles].sort((a, b) => detectionMs(a) - detectionMs(b) || a.intervalMs - b.intervalMs);
  const fastest = sorted[0]!;
  return { ...fastest, authentication: sorted.find(({ authentication }) => authentication)?.authentication, passive: profiles.every(({ passive }) => passive) };
}
