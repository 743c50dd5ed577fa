/**
 * Measured delay, delay variation, loss and bandwidth of the own links as TE metrics (RFC 7471): what is announced of them, and when. Link state
 * is to be stable: RFC 7471 section 5 wants measurements over an interval, and announcements only of changes that matter.
 */
import type { LinkReport } from '../awareness/link/links.js';
import type { OspfConfig } from './types.js';
import type { TeLink } from './wire/types.js';

/** The metrics of TeLink (RFC 7471 section 4) and the bandwidth of RFC 3630. */
export type TeMetrics = Pick<
  TeLink,
  'delay' | 'delayRange' | 'delayVariationUs' | 'loss' | 'maximumBandwidth' | 'residualBandwidth' | 'availableBandwidth' | 'utilizedBandwidth'
>;

export type TePolicy = Pick<OspfConfig['trafficEngineering'], 'minIntervalMs' | 'maxIntervalMs' | 'threshold'>;

/** 24 bits (RFC 7471 section 4.1). */
const MAX_DELAY_US = 0xffffff;
/** Loss in units of 0.000003 % (RFC 7471 section 4.4), of ppm. */
const LOSS_UNITS_PER_PPM = 1 / 0.03;
const MAX_LOSS = 0xffffff;
/** Delays that differ by less are the clock's noise, us. */
const DELAY_NOISE_US = 100;
/** Loss that differs by less is chance, in units of 0.000003 %: 0.3 %. */
const LOSS_NOISE = 100_000;
const OCTET_BITS = 8;

const bounded = (us: number): number => Math.min(MAX_DELAY_US, Math.max(0, Math.round(us)));

/** Metrics of a link to a neighbour; nothing that was not measured. */
export function teMetricsOf({ measurement, load }: Pick<LinkReport, 'measurement' | 'load'>): TeMetrics {
  const statistics = measurement?.answers ? measurement.statistics : undefined;
  const oneWay = measurement?.answers ? (measurement.detail.forwardUs ?? (statistics?.rttUs === undefined ? undefined : statistics.rttUs / 2)) : undefined;
  const variation = measurement?.answers ? measurement.detail.variationUs : undefined;
  const capacity = load?.bandwidth;
  const used = load && load.sendRate / OCTET_BITS;
  const free = capacity === undefined || used === undefined ? undefined : Math.max(0, capacity / OCTET_BITS - used);
  return {
    delay: oneWay === undefined ? undefined : { us: bounded(oneWay), anomalous: false },
    delayRange: undefined,
    delayVariationUs: variation === undefined ? undefined : bounded(variation),
    loss: statistics ? { value: Math.min(MAX_LOSS, Math.round(statistics.lossPpm * LOSS_UNITS_PER_PPM)), anomalous: false } : undefined,
    maximumBandwidth: capacity === undefined ? undefined : capacity / OCTET_BITS,
    residualBandwidth: capacity === undefined ? undefined : capacity / OCTET_BITS,
    availableBandwidth: free,
    utilizedBandwidth: used,
  };
}

const moved = (before: number | undefined, now: number | undefined, noise: number, threshold: number): boolean => {
  if (before === undefined || now === undefined) return before !== now;
  return Math.abs(now - before) > Math.max(noise, threshold * before);
};

/** Whether what is measured differs from what is announced by more than the policy bears. */
export function matters(announced: TeMetrics, measured: TeMetrics, { threshold }: TePolicy): boolean {
  const capacity = measured.maximumBandwidth ?? announced.maximumBandwidth ?? 0;
  return (
    moved(announced.delay?.us, measured.delay?.us, DELAY_NOISE_US, threshold) ||
    moved(announced.delayVariationUs, measured.delayVariationUs, DELAY_NOISE_US, Math.max(threshold, 0.5)) ||
    moved(announced.loss?.value, measured.loss?.value, LOSS_NOISE, threshold) ||
    moved(announced.maximumBandwidth, measured.maximumBandwidth, 0, 0) ||
    moved(announced.availableBandwidth, measured.availableBandwidth, threshold * capacity, 0) ||
    moved(announced.utilizedBandwidth, measured.utilizedBandwidth, threshold * Math.max(capacity, 125_000), 0)
  );
}

interface Announced {
  readonly metrics: TeMetrics;
  readonly at: number;
}

/** Remembers what was announced of each link and says what to announce anew. */
export class TeDamping {
  private readonly announced = new Map<string, Announced>();

  constructor(private readonly policy: () => TePolicy) {}

  /** What stands for a link now, given what is measured at `now` (ms): the announced values until a change matters and its time has come. */
  take(link: string, measured: TeMetrics, now: number): TeMetrics {
    const before = this.announced.get(link);
    const policy = this.policy();
    const waited = before === undefined ? Infinity : now - before.at;
    const due = before === undefined || (waited >= policy.minIntervalMs && matters(before.metrics, measured, policy)) || (waited >= policy.maxIntervalMs && JSON.stringify(before.metrics) !== JSON.stringify(measured));
    if (!due) return before.metrics;
    this.announced.set(link, { metrics: measured, at: now });
    return measured;
  }

  /** Links that are there; what is known of others is forgotten. */
  keep(links: ReadonlySet<string>): void {
    for (const link of [...this.announced.keys()]) if (!links.has(link)) this.announced.delete(link);
  }
}
