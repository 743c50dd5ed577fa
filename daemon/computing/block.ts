/** The CPN block codec (proto/WIRE.md section 1). */
import type { CpnBlock } from './types.js';

/** Something a receiver ignored, and why. */
export interface CpnEvent {
  readonly offset: number; // octets from the magic
  readonly instance: number | undefined; // instanceId where known
  readonly reason: string;
}

export type CpnDecoded =
  | { readonly kind: 'foreign' }
  | { readonly kind: 'framingFault'; readonly reason: string; readonly offset: number }
  | { readonly kind: 'block'; readonly block: CpnBlock; readonly events: readonly CpnEvent[] };
