/** Private AS numbers (RFC 6996) taken out of paths that leave for other ASes. */
import type { AsPathSegment } from './wire/types.js';

/** `replace` puts the own AS where a private one stood, so that the path keeps its length. */
export type PrivateAsRemoval = 'keep' | 'remove' | 'replace';

const isPrivate = (as: number): boolean => (as >= 64512 && as <= 65534) || (as >= 4200000000 && as <= 4294967294);

/** The peer's own number stays: without it the peer's loop check would not see its routes. */
export function withoutPrivateAs(asPath: readonly AsPathSegment[], removal: PrivateAsRemoval, localAs: number, peerAs: number): readonly AsPathSegment[] {
  const goes = (as: number): boolean => isPrivate(as) && as !== peerAs;
  if (removal === 'keep' || !asPath.some((segment) => segment.as.some(goes))) return asPath;
  return asPath
    .map(({ type, as }) => ({ type, as: removal === 'replace' ? as.map((number) => (goes(number) ? localAs : number)) : as.filter((number) => !goes(number)) }))
    .filter(({ as }) => as.length > 0);
}
