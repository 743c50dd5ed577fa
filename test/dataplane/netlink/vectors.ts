/** What iproute2 and the kernel said to each other (test/vectors/netlink, recorded by capture.py there). */
import { readFileSync } from 'node:fs';

export interface RequestVector {
  readonly name: string;
  readonly command: string;
  readonly request: Uint8Array;
  readonly reply: Uint8Array;
  /** What iproute2 printed of a refusal. */
  readonly stderr: string;
}

export interface DumpVector {
  readonly name: string;
  readonly replies: readonly Uint8Array[];
  /** What iproute2 made of the same table. */
  readonly json: readonly Record<string, unknown>[];
}

const octets = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
// From dist/test/dataplane/netlink to the sources.
const load = (file: string): unknown => JSON.parse(readFileSync(new URL(`../../../../test/vectors/netlink/${file}`, import.meta.url), 'utf8'));

type RawRequest = Record<'name' | 'command' | 'request' | 'reply', string> & { stderr?: string };
const requests = load('requests.json') as { vectors: RawRequest[]; refusals: RawRequest[] };
const dumps = load('dumps.json') as { vectors: { name: string; replies: string[]; json: Record<string, unknown>[] }[] };
const convert = (raw: RawRequest): RequestVector => ({ ...raw, request: octets(raw.request), reply: octets(raw.reply), stderr: raw.stderr ?? '' });

export const accepted = requests.vectors.map(convert);
export const refused = requests.refusals.map(convert);
export const tables: readonly DumpVector[] = dumps.vectors.map(({ name, replies, json }) => ({ name, json, replies: replies.map(octets) }));

export function vector(name: string): RequestVector {
  const found = [...accepted, ...refused].find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no vector ${name}`);
  return found;
}

export function table(name: string): DumpVector {
  const found = tables.find((candidate) => candidate.name === name);
  if (!found) throw new Error(`no vector ${name}`);
  return found;
}
