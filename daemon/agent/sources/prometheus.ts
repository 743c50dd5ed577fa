/** Instant queries to the HTTP API of a Prometheus server (prometheus.io/docs/prometheus/latest/querying/api). */
import { sampleOf, type Field } from '../fields.js';
import type { Sample, Source } from '../sample.js';
import { parseValue } from './exposition.js';
import { get } from './http.js';

export type QueryAnswer = { readonly ok: true; readonly value: number | undefined } | { readonly ok: false; readonly reason: string };

const isMapping = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** The value of an answer: of a scalar, or the sum of a vector; undefined when the query matches nothing. Never throws. */
export function parseQueryAnswer(text: string): QueryAnswer {
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    return { ok: false, reason: 'the answer is no JSON' };
  }
  if (!isMapping(body)) return { ok: false, reason: 'the answer is no mapping' };
  if (body['status'] !== 'success') return { ok: false, reason: typeof body['error'] === 'string' ? body['error'] : 'the query failed' };
  const data = body['data'];
  if (!isMapping(data)) return { ok: false, reason: 'the answer has no data' };
  const pairs = data['resultType'] === 'scalar' ? [data['result']] : data['resultType'] === 'vector' && Array.isArray(data['result']) ? data['result'].map((entry: unknown) => (isMapping(entry) ? entry['value'] : undefined)) : undefined;
  if (!pairs) return { ok: false, reason: `expected an instant vector or a scalar, not ${String(data['resultType'])}` };
  const values = pairs.map((pair) => (Array.isArray(pair) && typeof pair[1] === 'string' ? parseValue(pair[1]) : undefined));
  if (values.some((value) => value === undefined)) return { ok: false, reason: 'a value of the answer is no number' };
  return { ok: true, value: values.length === 0 ? undefined : (values as number[]).reduce((sum, value) => sum + value, 0) };
}

export class PrometheusSource implements Source {
  readonly name: string;

  constructor(
    private readonly url: string,
    private readonly queries: readonly { readonly field: Field; readonly query: string }[],
    private readonly timeoutMs: number,
  ) {
    this.name = `prometheus ${url}`;
  }

  async read(): Promise<Partial<Sample>> {
    const faults: string[] = [];
    const values: [Field, number][] = [];
    await Promise.all(
      this.queries.map(async ({ field, query }) => {
        const answer = parseQueryAnswer(await get(`${this.url}/api/v1/query?query=${encodeURIComponent(query)}`, this.timeoutMs));
        if (!answer.ok) faults.push(`${query}: ${answer.reason}`);
        else if (answer.value !== undefined) values.push([field, answer.value]);
      }),
    );
    const sample = sampleOf(values, faults);
    if (faults.length > 0) throw new Error(faults.join('; '));
    return sample;
  }
}
