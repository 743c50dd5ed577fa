/**
 * Watches the policies in the BPF maps of a router from outside its daemon: how many are there, and when they change. A process in the router's node.
 *
 *     node policy-watch.js '{"bpffs":"/run/cpn/bpf"}'
 *
 * Answers each line of JSON:
 *   {"op":"count"}                                          {"installed":N}, policies with a slot
 *   {"op":"installed","count":N,"timeoutMs":T}              {"unixMs":T,"installed":N}, when so many were there first
 *   {"op":"moved","policies":[...],"timeoutMs":T}           {"firstUnixMs","lastUnixMs","moved"}: when the first and the last of these led elsewhere
 */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { native } from '../../dataplane/native/index.js';

type Command =
  | { readonly op: 'count' }
  | { readonly op: 'installed'; readonly count: number; readonly timeoutMs: number }
  | { readonly op: 'moved'; readonly policies: readonly number[]; readonly timeoutMs: number };

const { bpffs } = JSON.parse(process.argv[2] ?? '') as { bpffs: string };

function openMap(): number {
  const name = readdirSync(bpffs, { recursive: true }).map(String).find((path) => path.endsWith('policies'));
  if (name === undefined) throw new Error(`no map of policies under ${bpffs}`);
  return native.bpfObjectGet(join(bpffs, name));
}

const map = openMap();
const { maxEntries } = native.bpfMapInfo(map);
const CHUNK = 65_536;
const keys = new Uint8Array(CHUNK * 4);
const values = new Uint8Array(CHUNK * 4);
const now = (): number => Number(native.realtimeNs()) / 1e6;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

function installed(): number {
  const cursor = new Uint8Array(8);
  const numbers = new Uint32Array(values.buffer);
  let count = 0;
  for (let first = true, read = 0; read < maxEntries; first = false) {
    const batch = native.bpfMapLookupBatch(map, cursor, first, keys, values, CHUNK);
    for (let i = 0; i < batch.count; i++) if (numbers[i] !== 0) count++;
    read += batch.count;
    if (batch.done || batch.count === 0) break;
  }
  return count;
}

async function waitInstalled(count: number, timeoutMs: number): Promise<object> {
  const end = now() + timeoutMs;
  for (;;) {
    const found = installed();
    if (found >= count || now() > end) return { unixMs: now(), installed: found };
    await pause(20);
  }
}

function waitMoved(policies: readonly number[], timeoutMs: number): object {
  const key = new Uint32Array(1);
  const keyOctets = new Uint8Array(key.buffer);
  const value = new Uint32Array(1);
  const valueOctets = new Uint8Array(value.buffer);
  const slotOf = (policy: number): number => {
    key[0] = policy;
    native.bpfMapLookup(map, keyOctets, valueOctets);
    return value[0]!;
  };
  const before = policies.map(slotOf);
  const end = now() + timeoutMs;
  let waiting = policies.map((_, i) => i);
  let first = 0;
  let last = 0;
  while (waiting.length > 0) {
    const at = now();
    if (at > end) break;
    const left = waiting.filter((i) => slotOf(policies[i]!) === before[i]);
    if (left.length < waiting.length) {
      last = now();
      if (first === 0) first = last;
    }
    waiting = left;
    // Short of keeping a CPU busy that the daemon needs.
    const wake = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(wake, 0, 0, 0.2);
  }
  return { firstUnixMs: first, lastUnixMs: last, moved: policies.length - waiting.length };
}

async function answer(command: Command): Promise<object> {
  switch (command.op) {
    case 'count':
      return { installed: installed() };
    case 'installed':
      return waitInstalled(command.count, command.timeoutMs);
    case 'moved':
      return waitMoved(command.policies, command.timeoutMs);
  }
}

process.stdout.write('{}\n');
createInterface({ input: process.stdin })
  .on('line', (line) => void answer(JSON.parse(line) as Command).then((found) => process.stdout.write(`${JSON.stringify(found)}\n`)))
  .on('close', () => process.exit(0));
