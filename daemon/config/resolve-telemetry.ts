/** The telemetry section, from file to effective configuration. */
import type { FileConfig } from './schema.js';
import type { TelemetryConfig } from './types.js';

export function resolveTelemetry({ bmp, mrt, metrics }: FileConfig['telemetry']): TelemetryConfig {
  return {
    bmp: bmp.map(({ address, port, tables, mirrorFaulty, statistics, retry }) => ({ address, port, tables: [...new Set(tables)], mirrorFaulty, statisticsMs: statistics, retryMs: retry })),
    mrt: mrt && {
      directory: mrt.directory,
      updates: mrt.updates && { rotateMs: mrt.updates.rotate, maxOctets: Number(mrt.updates.maxSize) },
      table: mrt.table && { intervalMs: mrt.table.interval },
    },
    metrics,
  };
}
