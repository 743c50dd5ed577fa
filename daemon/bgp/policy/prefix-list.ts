/** Prefix lists with `ge` and `le`: the first entry that meets a prefix decides; one that none meets is not in the list. */
import { Prefix } from '../../../dataplane/packet/ip.js';

/** An entry: prefixes inside `prefix` of a length from `ge` to `le` bits. */
export interface PrefixRange {
  readonly prefix: string;
  readonly ge: number;
  readonly le: number;
  /** False takes what it meets out of the list. */
  readonly permit: boolean;
}

export const bitsOf = (prefix: string): number => (prefix.includes(':') ? 128 : 32);

/** `2001:db8::/32`, `2001:db8::/32 le 48`, `2001:db8::/32 ge 40 le 48`, with `deny` in front or not; undefined for other text. */
export function parsePrefixRange(text: string): { readonly prefix: string; readonly ge: number | undefined; readonly le: number | undefined; readonly permit: boolean } | undefined {
  const match = /^(?:(permit|deny) )?(\S+\/\d{1,3})(?: ge (\d{1,3}))?(?: le (\d{1,3}))?$/.exec(text.trim().replace(/\s+/g, ' '));
  const prefix = match && Prefix.parse(match[2]!);
  if (!match || !prefix) return undefined;
  const number = (digits: string | undefined): number | undefined => (digits === undefined ? undefined : Number(digits));
  return { prefix: match[2]!, ge: number(match[3]), le: number(match[4]), permit: match[1] !== 'deny' };
}

/** Fills the bounds in: neither is the prefix itself, `ge` alone goes to the end, `le` alone begins at the prefix. Undefined when they do not fit. */
export function prefixRange(prefix: string, ge: number | undefined, le: number | undefined, permit: boolean): PrefixRange | undefined {
  const { length } = Prefix.from(prefix);
  const range = { prefix, ge: ge ?? length, le: le ?? (ge === undefined ? length : bitsOf(prefix)), permit };
  return range.ge >= length && range.le >= range.ge && range.le <= bitsOf(prefix) ? range : undefined;
}

export type PrefixTest = (prefix: Prefix) => boolean;

export function compilePrefixList(ranges: readonly PrefixRange[]): PrefixTest {
  const entries = ranges.map(({ prefix, ge, le, permit }) => ({ prefix: Prefix.from(prefix), ge, le, permit }));
  return (prefix) => entries.find((entry) => prefix.length >= entry.ge && prefix.length <= entry.le && entry.prefix.contains(prefix))?.permit ?? false;
}
