/** A border of an edge network: what it tells the outside of the inside, and the inside of the outside. */
import { list, mapping, prefix, servicePrefix } from './common.js';
import { maxInterval, minInterval, threshold, validity } from './announce.js';

/** Coarse information changes seldom: longer intervals than those of single instances. */
const aggregation = mapping({
  services: list(servicePrefix, 'prefixes').optional(),
  threshold: threshold.default(0.2),
  minInterval: minInterval.default(5000),
  maxInterval: maxInterval.default(120_000),
  validity: validity.default(0),
});

export const hierarchy = mapping({ inside: list(prefix, 'prefixes').default([]), outward: aggregation.optional(), inward: aggregation.optional() });
