/** The command line. */
import { isIP } from 'node:net';
import { parseArgs } from 'node:util';
import { allCases } from './cases/index.js';
import type { Case } from './case.js';
import { type Profile, profiles, type Target } from './target.js';
import { daemons } from './targets/run.js';
import { collectorAs, servicePrefix, testerAs } from './targets/daemon.js';

export class UsageError extends Error {}

export const usage = `usage: npm run conformance -- --daemon cpnd|frr|bird|gobgp|all [--markdown FILE] [common options]
       npm run conformance -- --target ADDR[:PORT] --as N --my-as N --source ADDR --collector-address ADDR
                              [--collector-as N] [--peer KIND=ADDR[,ADDR...]]... [--next-hop4 ADDR] [--target-address4 ADDR]
                              [--password TEXT] [--service-prefix PREFIX] [--name TEXT] [common options]
       common options: [--only RFC|ID[,...]] [--json] [--list] [--jobs N]
kinds: ${profiles.join(' ')}`;

export interface Options {
  readonly mode: { readonly kind: 'list' } | { readonly kind: 'daemon'; readonly names: readonly string[] } | { readonly kind: 'target'; readonly target: Target };
  readonly cases: readonly Case[];
  readonly only: string | undefined;
  readonly json: boolean;
  readonly markdown: string | undefined;
  readonly jobs: number;
}

function addressAndPort(text: string): { readonly address: string; readonly port: number } {
  const match = /^\[([^\]]+)\](?::(\d+))?$/.exec(text) ?? /^([^:]+):(\d+)$/.exec(text);
  const [address, port] = match ? [match[1]!, Number(match[2] ?? 179)] : [text, 179];
  if (isIP(address) === 0 || !(port >= 1 && port <= 65535)) throw new UsageError(`--target: expected ADDR, ADDR:PORT or [ADDR]:PORT, found "${text}"`);
  return { address, port };
}

function asNumber(option: string, text: string | undefined): number {
  const value = Number(text);
  if (text === undefined || !Number.isInteger(value) || value < 1 || value > 0xfffffffe) throw new UsageError(`--${option}: expected an AS number${text === undefined ? '' : `, found "${text}"`}`);
  return value;
}

function addresses(option: string, text: string): string[] {
  const list = text.split(',');
  for (const entry of list) if (isIP(entry) === 0) throw new UsageError(`${option}: expected IP addresses, found "${entry}"`);
  return list;
}

function sources(source: string | undefined, collector: string | undefined, peers: readonly string[]): Partial<Record<Profile, string[]>> {
  const result: Partial<Record<Profile, string[]>> = {};
  if (source !== undefined) result.external = addresses('--source', source);
  if (collector !== undefined) result.collector = addresses('--collector-address', collector);
  for (const text of peers) {
    const [kind, list] = text.split('=', 2) as [string, string | undefined];
    const profile = profiles.find((name) => name === kind);
    if (!profile || list === undefined) throw new UsageError(`--peer: expected KIND=ADDR with a kind of ${profiles.join(', ')}, found "${text}"`);
    result[profile] = addresses('--peer', list);
  }
  return result;
}

/** Cases whose RFC or ID is listed; all without a list. */
function select(only: string | undefined): readonly Case[] {
  if (only === undefined) return allCases;
  const words = only.split(',');
  const unknown = words.filter((word) => !allCases.some(({ rfc, id }) => rfc === word || id === word));
  if (unknown.length > 0) throw new UsageError(`--only: no RFC and no case is called ${unknown.join(', ')} (--list shows them)`);
  return allCases.filter(({ rfc, id }) => words.includes(rfc) || words.includes(id));
}

/** Throws UsageError. */
export function readOptions(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean', default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      target: text, as: text, 'my-as': text, source: text, 'collector-address': text, 'collector-as': text, peer: { type: 'string', multiple: true, default: [] }, 'next-hop4': text,
      'target-address4': text, password: text, 'service-prefix': text, name: text, daemon: text, only: text, json: flag, list: flag, markdown: text, jobs: text,
    },
  });
  const jobs = Number(values.jobs ?? 12);
  if (!Number.isInteger(jobs) || jobs < 1) throw new UsageError(`--jobs: expected a number of cases at once, found "${values.jobs ?? ''}"`);
  const common = { cases: select(values.only), only: values.only, json: values.json, markdown: values.markdown };
  if (values.list) return { ...common, jobs, mode: { kind: 'list' } };
  if (values.daemon !== undefined) {
    const names = values.daemon === 'all' ? daemons.map(({ name }) => name) : values.daemon.split(',');
    const unknown = names.filter((name) => !daemons.some((daemon) => daemon.name === name));
    if (unknown.length > 0) throw new UsageError(`--daemon: expected ${daemons.map(({ name }) => name).join(', ')} or all, found "${unknown.join(', ')}"`);
    return { ...common, jobs, mode: { kind: 'daemon', names } };
  }
  if (values.target === undefined) throw new UsageError('--daemon or --target is needed');
  const { address, port } = addressAndPort(values.target);
  const target: Target = {
    name: values.name ?? address,
    address,
    port,
    as: asNumber('as', values.as),
    myAs: asNumber('my-as', values['my-as'] ?? String(testerAs)),
    collectorAs: asNumber('collector-as', values['collector-as'] ?? String(collectorAs)),
    sources: sources(values.source, values['collector-address'], values.peer),
    nextHop4: values['next-hop4'],
    address4: values['target-address4'],
    password: values.password ?? '',
    servicePrefix: values['service-prefix'] ?? servicePrefix,
  };
  if (target.sources.external === undefined) throw new UsageError('--source is needed: the address that the target knows as its eBGP neighbour');
  // With few addresses cases would wait for each other's while they hold some themselves.
  const fewest = Math.min(...Object.values(target.sources).map((list) => list.length));
  return { ...common, jobs: Math.max(1, Math.min(jobs, Math.floor(fewest / 3))), mode: { kind: 'target', target } };
}
