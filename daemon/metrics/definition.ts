/** Metrics as a table: name, meaning, type, labels, and how to read the values when somebody scrapes. */
import { Counter, Gauge, type Registry } from 'prom-client';

/** Values of the labels in their order, and the value. */
export type Sample = readonly [labels: readonly string[], value: number];

export interface MetricDefinition<S> {
  readonly name: string;
  readonly help: string;
  /** A counter only grows while the daemon runs. */
  readonly type: 'counter' | 'gauge';
  readonly labels: readonly string[];
  read(source: S): Iterable<Sample> | Promise<Iterable<Sample>>;
}

/** Adds metrics to a registry; they are read from `source` at each scrape. */
export function register<S>(registry: Registry, definitions: readonly MetricDefinition<S>[], source: S): void {
  for (const definition of definitions) {
    const { name, help, type, labels } = definition;
    const options = { name, help, labelNames: [...labels], registers: [registry] };
    const named = (values: readonly string[]): Record<string, string> => Object.fromEntries(labels.map((label, index) => [label, values[index]!]));
    if (type === 'gauge') {
      new Gauge({
        ...options,
        async collect() {
          const samples = await definition.read(source);
          this.reset();
          for (const [values, value] of samples) this.set(named(values), value);
        },
      });
    } else {
      new Counter({
        ...options,
        async collect() {
          const samples = await definition.read(source);
          this.reset();
          for (const [values, value] of samples) this.inc(named(values), value);
        },
      });
    }
  }
}
