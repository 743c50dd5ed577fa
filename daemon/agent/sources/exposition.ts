/** The Prometheus text exposition format 0.0.4 (prometheus.io/docs/instrumenting/exposition_formats). Pure; never throws. */

export interface Metric {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** NaN and infinities as they are stated. */
  readonly value: number;
}

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const BLANK = /[ \t]*/y;
const VALUE = /[^ \t]+/y;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', '\\': '\\', '"': '"' };
const SPECIAL: Readonly<Record<string, number>> = { nan: NaN, '+inf': Infinity, inf: Infinity, '-inf': -Infinity };

/** A number as the format writes it; undefined for other texts. */
export function parseValue(text: string): number | undefined {
  const special = SPECIAL[text.toLowerCase()];
  if (special !== undefined) return special;
  return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
}

class Line {
  position = 0;

  constructor(readonly text: string) {}

  take(pattern: RegExp): string | undefined {
    pattern.lastIndex = this.position;
    const match = pattern.exec(this.text);
    if (!match) return undefined;
    this.position = pattern.lastIndex;
    return match[0];
  }

  accept(character: string): boolean {
    this.take(BLANK);
    if (this.text[this.position] !== character) return false;
    this.position++;
    return true;
  }

  /** The rest of a quoted text, its opening quote taken already. */
  quoted(): string | undefined {
    let value = '';
    while (this.position < this.text.length) {
      const character = this.text[this.position++]!;
      if (character === '"') return value;
      if (character !== '\\') value += character;
      else {
        const escaped = this.text[this.position++] ?? '';
        value += ESCAPES[escaped] ?? `\\${escaped}`;
      }
    }
    return undefined;
  }
}

function parseLine(text: string): Metric | undefined {
  const line = new Line(text);
  line.take(BLANK);
  const name = line.take(NAME);
  if (name === undefined) return undefined;
  const labels: Record<string, string> = Object.create(null) as Record<string, string>;
  if (line.accept('{')) {
    while (!line.accept('}')) {
      line.take(BLANK);
      const label = line.take(LABEL);
      if (label === undefined || !line.accept('=') || !line.accept('"')) return undefined;
      const value = line.quoted();
      if (value === undefined) return undefined;
      labels[label] = value;
      if (!line.accept(',') && line.text[line.position] !== '}') return undefined;
    }
  }
  line.take(BLANK);
  const value = parseValue(line.take(VALUE) ?? '');
  return value === undefined ? undefined : { name, labels, value };
}

/** Metrics in the order of the text, and how many lines made no sense. */
export function parseExposition(text: string): { readonly metrics: readonly Metric[]; readonly malformed: number } {
  const metrics: Metric[] = [];
  let malformed = 0;
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const metric = parseLine(trimmed);
    if (metric) metrics.push(metric);
    else malformed++;
  }
  return { metrics, malformed };
}
