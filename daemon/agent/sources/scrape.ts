/** Scrapes /metrics of an exporter and picks values by metric name and labels. */
import { sampleOf, type Field } from '../fields.js';
import type { Sample, Source } from '../sample.js';
import { parseExposition, type Metric } from './exposition.js';
import { get } from './http.js';

export interface Pick {
  readonly field: Field;
  readonly metric: string;
  /** Labels that have to have these values. */
  readonly labels: Readonly<Record<string, string>>;
  readonly scale: number;
}

/** The sum of the metrics that match, scaled; undefined when none does. */
export function pick(metrics: readonly Metric[], { metric, labels, scale }: Pick): number | undefined {
  let sum: number | undefined;
  for (const entry of metrics) {
    if (entry.name !== metric || Object.entries(labels).some(([label, value]) => entry.labels[label] !== value)) continue;
    sum = (sum ?? 0) + entry.value;
  }
  return sum === undefined ? undefined : sum * scale;
}

export class ScrapeSource implements Source {
  readonly name: string;

  constructor(
    private readonly url: string,
    private readonly picks: readonly Pick[],
    private readonly timeoutMs: number,
  ) {
    this.name = `scrape ${url}`;
  }

  async read(): Promise<Partial<Sample>> {
    const { metrics } = parseExposition(await get(this.url, this.timeoutMs));
    const values: [Field, number][] = [];
    for (const wanted of this.picks) {
      const value = pick(metrics, wanted);
      if (value !== undefined) values.push([wanted.field, value]);
    }
    const faults: string[] = [];
    const sample = sampleOf(values, faults);
    if (faults.length > 0) throw new Error(faults.join('; '));
    return sample;
  }
}
