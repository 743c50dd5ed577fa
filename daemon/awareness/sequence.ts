/** The sequence of a router's announcements: one counter, whatever is announced and by which protocol (proto/WIRE.md section 1). */
import type { Clock } from '../clock.js';

export class AnnouncementSequence {
  private current: bigint;

  /** Starts at the Unix time in ms, so that a restarted router is believed. */
  constructor(clock: Pick<Clock, 'unixMs'>) {
    this.current = BigInt(clock.unixMs());
  }

  /** Of the last announcement. */
  get value(): bigint {
    return this.current;
  }

  /** Of the next one. */
  next(): bigint {
    return ++this.current;
  }

  /** Somebody holds this sequence of ours. True when it is above ours, which jumps there: everything is to be announced again. */
  seen(sequence: bigint): boolean {
    if (sequence <= this.current) return false;
    this.current = sequence;
    return true;
  }
}
