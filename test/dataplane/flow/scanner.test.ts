import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { beforeEach, describe, it } from 'node:test';
import type { FlowPassListener } from '../../../dataplane/dataplane.js';
import { BPF_COUNTERS } from '../../../dataplane/flow/counters.js';
import * as layout from '../../../dataplane/flow/layout.js';
import { FlowAgeing, scanFlows } from '../../../dataplane/flow/scanner.js';
import { TokenBucket } from '../../../dataplane/flow/token-bucket.js';
import { MAX_SEGMENTS } from '../../../dataplane/packet/encapsulation.js';
import { MAX_EXTENSION_HEADERS } from '../../../dataplane/packet/extension-headers.js';
import { decodeFlowKey, encodeFlowKey } from '../../../dataplane/packet/flow-key.js';
import { MemoryMap } from './memory-map.js';

const key = (port: number): Uint8Array => encodeFlowKey({ source: '2001:db8::1', destination: 'fd5e::1', protocol: 17, sourcePort: port, destinationPort: 53 });

function value(policy: number, packets: bigint, createdNs: bigint, lastSeenNs: bigint): Uint8Array {
  const bytes = new Uint8Array(layout.FLOW_VALUE_LENGTH);
  const view = new DataView(bytes.buffer);
  view.setUint32(layout.FLOW_POLICY, policy, true);
  view.setBigUint64(layout.FLOW_PACKETS, packets, true);
  view.setBigUint64(layout.FLOW_BYTES, packets * 100n, true);
  view.setBigUint64(layout.FLOW_CREATED_NS, createdNs, true);
  view.setBigUint64(layout.FLOW_LAST_SEEN_NS, lastSeenNs, true);
  return bytes;
}

const NOBODY: FlowPassListener = { begun: () => undefined, seen: () => undefined, ended: () => undefined };

describe('flow entries', () => {
  let flows: MemoryMap;
  let newFlows: MemoryMap;

  beforeEach(() => {
    flows = new MemoryMap('flows', 40, layout.FLOW_VALUE_LENGTH, 100_000);
    newFlows = new MemoryMap('newFlows', 40, layout.FLOW_VALUE_LENGTH, 100_000);
  });

  it('of both maps are visited once each, over many batches', () => {
    for (let port = 0; port < 5000; port++) flows.update(key(port), value(1, 2n, 5n, 9n));
    for (let port = 5000; port < 10_000; port++) newFlows.update(key(port), value(2, 1n, 5n, 9n));
    const seen = new Map<number, number>();
    for (const batch of scanFlows(flows, newFlows)) for (const { key: found, policy } of batch) seen.set(decodeFlowKey(found).sourcePort, policy);
    assert.equal(seen.size, 10_000);
    assert.deepEqual([seen.get(0), seen.get(9999)], [1, 2]);
  });

  it('that only add to a promoted flow are joined to it, or stand for themselves when it is gone', () => {
    flows.update(key(1), value(1, 10n, 5n, 9n));
    newFlows.update(key(1), value(1, 2n, 0n, 8n));
    newFlows.update(key(2), value(1, 3n, 0n, 8n));
    const seen: [number, bigint, bigint, bigint][] = [];
    for (const batch of scanFlows(flows, newFlows)) {
      for (const { key: found, packets, bytes, createdNs } of batch) seen.push([decodeFlowKey(found).sourcePort, packets, bytes, createdNs]);
    }
    assert.deepEqual(seen, [[1, 12n, 1200n, 5n], [2, 3n, 300n, 8n]]);
  });

  it('age out after their idle time, and not a moment before', () => {
    const second = 1_000_000_000n;
    let now = 100n * second;
    flows.update(key(1), value(1, 2n, second, 90n * second));
    newFlows.update(key(2), value(1, 1n, second, 91n * second));
    newFlows.update(key(3), value(1, 1n, 0n, 50n * second));
    const ageing = new FlowAgeing(flows, newFlows, () => now, NOBODY);
    const step = (): number[] => ageing.step(10_000, 5, () => 0).map((gone) => decodeFlowKey(gone).sourcePort);
    // The entry of port 3 belongs to another one: it goes without a word.
    assert.deepEqual(step(), [1]);
    assert.deepEqual([flows.size, newFlows.size], [0, 1]);
    assert.deepEqual(step(), []);
    now += second - 1n;
    assert.deepEqual(step(), []);
    now += 1_000_000n;
    assert.deepEqual(step(), [2]);
  });

  it('age a little at a time when there are many, and all in the end', () => {
    for (let port = 0; port < 60_000; port++) flows.update(key(port), value(1, 2n, 1n, 1n));
    const ageing = new FlowAgeing(flows, newFlows, () => 10n ** 12n, NOBODY);
    let clock = 0;
    const gone = new Set<number>();
    let steps = 0;
    while (flows.size > 0 && steps++ < 1000) {
      // Each look at the clock costs 1 ms of the 2 allowed.
      const expired = ageing.step(1000, 2, () => clock++);
      assert.ok(expired.length <= 3 * 256);
      for (const found of expired) gone.add(decodeFlowKey(found).sourcePort);
    }
    assert.equal(gone.size, 60_000);
  });
});

describe('what C and TypeScript share', () => {
  const source = readFileSync(new URL('../../../../dataplane/bpf/cpn.bpf.c', import.meta.url), 'utf8');
  const define = (name: string): number => Number(new RegExp(`#define ${name} (\\d+)`).exec(source)![1]);

  it('are the counters, by name and order', () => {
    const body = /enum counter \{([^}]*)\}/.exec(source)![1]!;
    const names = [...body.matchAll(/^\s*COUNTER_(\w+),/gm)].map((match) => match[1]!.toLowerCase());
    assert.deepEqual(names, [...BPF_COUNTERS]);
  });

  it('are the bounds and the numbers of roles and classes', () => {
    assert.equal(define('MAX_SEGMENTS'), MAX_SEGMENTS);
    assert.equal(define('MAX_EXTENSION_HEADERS'), MAX_EXTENSION_HEADERS);
    assert.equal(layout.SLOT_OUTER_MAX, 40 + 8 + 16 * MAX_SEGMENTS);
    for (const [name, number] of Object.entries(layout)) {
      if (!/^(DESTINATION|ROLE)_/.test(name)) continue;
      assert.equal(Number(new RegExp(`${name} = (\\d+)`).exec(source)![1]), number, name);
    }
  });
});

describe('a token bucket', () => {
  it('lets a burst pass, then its rate, and never saves more than a burst', () => {
    const bucket = new TokenBucket(10, 3);
    const taken = (now: number): number => {
      let count = 0;
      while (bucket.take(now)) count++;
      return count;
    };
    assert.equal(taken(1e6), 3);
    assert.equal(taken(1e6 + 99), 0);
    assert.equal(taken(1e6 + 200), 2);
    assert.equal(taken(1e6 + 100_000), 3);
  });
});
