/** What leaves the router for those who watch it: BMP, MRT and metrics. */
import { duration, flag, ip, list, mapping, octets, oneOf, port, text } from './common.js';

const directory = text('an absolute path', (value) => (/^\/[^\0]{0,4000}$/.test(value) ? value : undefined));

const bmpStation = mapping({
  address: ip,
  port: port.default(11019),
  tables: list(oneOf('adj-rib-in-pre', 'adj-rib-in-post', 'adj-rib-out-post', 'loc-rib'), 'tables').min(1, { error: 'at least one table' }).default(['adj-rib-in-pre']),
  mirrorFaulty: flag.default(true),
  statistics: duration(0, 86_400_000, '0 (none) or up to 24h').default(60_000),
  retry: duration(100, 720_000, '100ms to 12m').default(30_000),
});

const mrt = mapping({
  directory,
  updates: mapping({ rotate: duration(10_000, 86_400_000, '10s to 24h').default(900_000), maxSize: octets.default(256n * 1024n * 1024n) }).optional(),
  table: mapping({ interval: duration(10_000, 604_800_000, '10s to 7d').default(7_200_000) }).optional(),
});

const metrics = mapping({
  address: ip.default('::1'),
  port: port.default(9342),
  /** Without them a router of a thousand neighbours has that many series less per metric. */
  perNeighbor: flag.default(true),
});

export const telemetry = mapping({
  bmp: list(bmpStation, 'BMP stations').max(8, { error: 'at most 8 stations' }).default([]),
  mrt: mrt.optional(),
  metrics: metrics.optional(),
});
