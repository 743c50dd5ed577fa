/** Text of the impairment verbs and link labels: `20ms`, `1%`, `100mbit`. Each parser returns undefined for text it cannot read. */

const durationUnits: Readonly<Record<string, number>> = { us: 1e-3, usec: 1e-3, ms: 1, msec: 1, s: 1e3, sec: 1e3 };
const rateUnits: Readonly<Record<string, number>> = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 };

function split(text: string): { value: number; unit: string } | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z%]*)\s*$/i.exec(text);
  return match ? { value: Number(match[1]), unit: match[2]!.toLowerCase() } : undefined;
}

/** Milliseconds of `20ms`, `500us`, `1.5s` or `0`; at most one minute. */
export function parseDelay(text: string): number | undefined {
  const parts = split(text);
  if (!parts) return undefined;
  if (parts.unit === '') return parts.value === 0 ? 0 : undefined;
  const factor = durationUnits[parts.unit];
  if (factor === undefined) return undefined;
  const milliseconds = parts.value * factor;
  return milliseconds <= 60_000 ? milliseconds : undefined;
}

/** Percent of `1%`, `0.5%` or `0`. */
export function parseLoss(text: string): number | undefined {
  const parts = split(text);
  if (!parts) return undefined;
  if (parts.unit === '') return parts.value === 0 ? 0 : undefined;
  return parts.unit === '%' && parts.value <= 100 ? parts.value : undefined;
}

/** Bit/s of `100mbit`, `1gbit`, `64kbit`, `9600bit`; `0` and `unlimited` are 0. */
export function parseRate(text: string): number | undefined {
  if (text.trim().toLowerCase() === 'unlimited') return 0;
  const parts = split(text);
  if (!parts) return undefined;
  if (parts.unit === '') return parts.value === 0 ? 0 : undefined;
  const factor = rateUnits[parts.unit];
  if (factor === undefined) return undefined;
  const rate = Math.round(parts.value * factor);
  return rate === 0 || rate >= 1000 ? rate : undefined;
}

export const expectedDelay = 'a delay up to 60 s such as 20ms, 500us or 1s';
export const expectedLoss = 'a share from 0% to 100% such as 1%';
export const expectedRate = 'a rate from 1kbit such as 100mbit or 1gbit, or unlimited';
