/** How much of a link is used: the rate of its counters over a window of readings. Pure. */
import type { InterfaceCounters } from '../../../dataplane/dataplane.js';

export interface LinkLoad {
  /** bit/s over the window. */
  readonly receiveRate: number;
  readonly sendRate: number;
  /** The busier direction against the bandwidth, 0..1; undefined where no bandwidth is known. */
  readonly utilisation: number | undefined;
  /** bit/s: configured, else what the driver states. */
  readonly bandwidth: number | undefined;
  /** Errors and drops of both directions, of all packets in the window, 0..1. */
  readonly faultShare: number;
}

interface Reading {
  readonly at: number;
  readonly counters: InterfaceCounters;
}

/** Readings older than this count no more, ms. */
export const LOAD_WINDOW_MS = 10_000;

export class LoadMeter {
  private readings: Reading[] = [];

  /** Takes a reading at `now`, ms. */
  read(counters: InterfaceCounters, now: number): void {
    const last = this.readings.at(-1);
    // Counters that run backwards are those of another interface of the name.
    if (last && (counters.sentOctets < last.counters.sentOctets || counters.receivedOctets < last.counters.receivedOctets)) this.readings = [];
    this.readings.push({ at: now, counters });
    // One reading from before the window stays: rates are over the whole of it.
    while (this.readings.length > 2 && this.readings[1]!.at <= now - LOAD_WINDOW_MS) this.readings.shift();
  }

  /** Undefined before two readings. `configured`: bandwidth of the configuration, bit/s. */
  load(configured: bigint | undefined): LinkLoad | undefined {
    const [first, last] = [this.readings[0], this.readings.at(-1)];
    if (!first || !last || last.at <= first.at) return undefined;
    const seconds = (last.at - first.at) / 1000;
    const grown = (counter: (counters: InterfaceCounters) => bigint): number => Number(counter(last.counters) - counter(first.counters));
    const receiveRate = (grown(({ receivedOctets }) => receivedOctets) * 8) / seconds;
    const sendRate = (grown(({ sentOctets }) => sentOctets) * 8) / seconds;
    const faults = grown(({ receiveFaults, sendFaults }) => receiveFaults + sendFaults);
    const packets = grown(({ receivedPackets, sentPackets }) => receivedPackets + sentPackets);
    const bandwidth = configured === undefined ? last.counters.speed : Number(configured);
    return {
      receiveRate,
      sendRate,
      utilisation: bandwidth === undefined || bandwidth === 0 ? undefined : Math.min(1, Math.max(receiveRate, sendRate) / bandwidth),
      bandwidth,
      faultShare: packets + faults <= 0 ? 0 : Math.max(0, faults) / (packets + faults),
    };
  }
}
