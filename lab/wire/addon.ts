/** The part of the native addon that only the wire process uses (dataplane/native/wire.c). Interfaces are those of the caller's namespace. */
import { createRequire } from 'node:module';

export interface WireAddon {
  /** Frames that arrive at `from` go at kernel speed to the node behind `to`'s peer. Throws NativeError. */
  wireRedirect(from: number, to: number): void;
  /** Ends that. */
  wireRelease(from: number): void;
}

export const wireAddon = createRequire(import.meta.url)('../../dataplane/native/cpn.node') as WireAddon;
