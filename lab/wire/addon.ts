/** The part of the native addon that only the wire process uses (wire.c, delayline.c). Interfaces are those of the caller's namespace. */
import { createRequire } from 'node:module';

export interface DelayLineStatus {
  /** Frames it holds now. */
  readonly held: number;
  readonly forwarded: number;
  /** Dropped at random, as asked. */
  readonly lost: number;
  /** Dropped because the queue before the rate limit was full. */
  readonly overflowed: number;
  /** Refused by the outgoing interface: down, or frame over its MTU. */
  readonly failed: number;
  /** How much later than due a frame left at worst since the line was changed, in ns. */
  readonly latestNs: number;
  /** Whether the line's thread got real-time priority. */
  readonly realtime: boolean;
}

export interface WireAddon {
  /** Frames that arrive at `from` go at kernel speed to the node behind `to`'s peer, straight or through `to`'s queueing discipline. Throws NativeError. */
  wireRedirect(from: number, to: number, throughQueue: boolean): void;
  /** Ends that. */
  wireRelease(from: number): void;
  /** Makes delay line `line`, which carries frames that arrive at `from` out of `to`, or changes it. `loss` is 0..1, `rateBps` 0 for none. Throws NativeError. */
  delayLineSet(line: number, from: number, to: number, delayNs: number, jitterNs: number, loss: number, rateBps: number, queueFrames: number): void;
  /** Ends it with the frames it holds. */
  delayLineClear(line: number): void;
  delayLineStatus(line: number): DelayLineStatus | null;
}

export const wireAddon = createRequire(import.meta.url)('../../dataplane/native/cpn.node') as WireAddon;
