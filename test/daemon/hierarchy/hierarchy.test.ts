import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../daemon/clock.js';
import type { Instance } from '../../../daemon/computing/types.js';
import { AGGREGATE_ID } from '../../../daemon/hierarchy/sides.js';
import { FakeFlowTable } from '../../../dataplane/fake.js';
import { NO_CANDIDATE } from '../../../dataplane/dataplane.js';
import { exitOf, SERVICE, sidOf } from '../rib/instances.js';
import { aggregateSidOf, aggregation, bothSides, flowOf, instance, TestNetwork, TestRouter } from './network.js';

const residual = (instances: readonly Instance[]): bigint => instances.flatMap(({ computing }) => computing).reduce((sum, each) => sum + each.residual, 0n);
const ids = (instances: readonly Instance[]): number[] => instances.map(({ id }) => id);
/** An instance of so much computing power. */
const ops = (exit: number, id: number, power: number, changes: Partial<Instance> = {}): Instance => instance(exit, id, { computing: [{ class: 2, chip: 2, total: BigInt(power), residual: BigInt(power) }], ...changes });

describe('what a border announces', () => {
  let network: TestNetwork;
  beforeEach(() => {
    network = new TestNetwork();
  });

  it('is one aggregate by BGP for its own instances and those heard by OSPFv3, and by OSPFv3 its own with an aggregate of what is outside', () => {
    const [outside, border, inner] = [network.add(9, undefined, true), network.add(1, 0, true, bothSides()), network.add(2, 0, false)];
    outside.own(ops(9, 1, 1000));
    border.own(ops(1, 1, 1), ops(1, 2, 2));
    inner.own(ops(2, 1, 4));
    network.settle();
    const [aggregate, ...others] = border.last('bgp');
    assert.deepEqual([aggregate!.id, aggregate!.aggregate, aggregate!.sid?.sid, residual([aggregate!])], [AGGREGATE_ID.outward, true, aggregateSidOf(1, 'outward'), 7n]);
    assert.deepEqual(others, []);
    assert.deepEqual(ids(border.last('ospf')), [1, 2, AGGREGATE_ID.inward]);
    assert.deepEqual([residual(border.last('ospf').slice(2)), border.last('ospf')[2]!.sid?.sid], [1000n, aggregateSidOf(1, 'inward')]);
    // As others see it: the outside one candidate, the inside its own instances and one candidate for all that is outside.
    assert.deepEqual(outside.rib.candidates(SERVICE).map(({ exit, instance: { id } }) => [exit, id]), [[exitOf(1), AGGREGATE_ID.outward], [exitOf(9), 1]]);
    assert.deepEqual(inner.rib.candidates(SERVICE).map(({ exit, instance: { id } }) => [exit, id]), [[exitOf(1), 1], [exitOf(1), 2], [exitOf(1), AGGREGATE_ID.inward], [exitOf(2), 1]]);
  });

  it('is its own instances as they are on a router that is no border', () => {
    const router = network.add(1, 0, true);
    router.own(ops(1, 1, 1));
    router.own();
    assert.deepEqual(router.said.map(({ protocol, advertisement }) => [protocol, ids(advertisement.instances)]), [['bgp', [1]], ['ospf', [1]], ['bgp', []], ['ospf', []]]);
  });

  it('is withdrawn with the last instance', () => {
    const [border, inner] = [network.add(1, 0, true, bothSides()), network.add(2, 0, false)];
    inner.own(ops(2, 1, 1));
    network.settle();
    assert.equal(border.last('bgp').length, 1);
    inner.own();
    network.settle();
    assert.deepEqual(border.last('bgp'), []);
    assert.equal(border.said.filter(({ protocol }) => protocol === 'ospf').length, 0, 'nothing was ever to be said inside');
  });

  it('uses one sequence for both protocols, which only grows', () => {
    const [outside, border] = [network.add(9, undefined, true), network.add(1, 0, true, bothSides())];
    for (let power = 1; power < 5; power++) {
      outside.own(ops(9, 1, power * 100));
      border.own(ops(1, 1, power));
      network.settle();
    }
    const sequences = border.said.map(({ advertisement }) => advertisement.sequence);
    assert.ok(sequences.length > 8);
    assert.deepEqual(sequences, [...sequences].sort((a, b) => (a < b ? -1 : 1)));
    for (const protocol of ['bgp', 'ospf']) {
      const own = border.said.filter((each) => each.protocol === protocol).map(({ advertisement }) => advertisement.sequence);
      assert.equal(new Set(own).size, own.length);
    }
  });

  it('waits for the threshold and the interval of its side; draining of all does not wait', () => {
    const config = { inside: [], outward: aggregation({ threshold: 0.2, minIntervalMs: 5000, maxIntervalMs: 0 }), inward: undefined };
    const [border, inner] = [network.add(1, 0, true, config), network.add(2, 0, false)];
    const said = (): number => border.said.filter(({ protocol }) => protocol === 'bgp').length;
    const load = (utilisation: number, draining = false): void => inner.own(ops(2, 1, 100, { load: { utilisation, queueLength: 0, activeFlows: 0 }, draining }));
    load(0);
    network.clock.advance(100);
    assert.equal(said(), 1);
    load(1500);
    network.settle();
    assert.equal(said(), 1, 'a change below the threshold');
    load(5000);
    network.clock.advance(100);
    assert.equal(said(), 2, 'beyond the threshold, and the interval is over');
    load(9000);
    network.clock.advance(3000);
    assert.equal(said(), 2, 'the interval is not over');
    network.clock.advance(2100);
    assert.equal(said(), 3);
    load(9000, true);
    network.clock.advance(10);
    assert.equal(said(), 4);
  });

  it('announces everything again when somebody held a higher sequence of its own', () => {
    const border = network.add(1, 0, true, bothSides());
    border.own(ops(1, 1, 1));
    network.settle();
    border.hierarchy.renewAll();
    assert.equal(network.settle(), 1);
  });

  it('follows the configuration: instances one by one without the outward side, an aggregate with it', () => {
    const [border, inner] = [network.add(1, 0, true), network.add(2, 0, false)];
    inner.own(ops(2, 1, 4));
    border.own(ops(1, 1, 1));
    network.settle();
    assert.deepEqual(ids(border.last('bgp')), [1]);
    border.configure(bothSides());
    network.settle();
    assert.deepEqual([ids(border.last('bgp')), residual(border.last('bgp'))], [[AGGREGATE_ID.outward], 5n]);
    border.configure(undefined);
    network.settle();
    assert.deepEqual(ids(border.last('bgp')), [1]);
  });

  it('leaves services outside its prefixes alone', () => {
    const border = network.add(1, 0, true, { inside: [], outward: aggregation({ services: ['2001:db8:5f::/48'] }), inward: undefined });
    border.own(ops(1, 1, 1));
    network.settle();
    assert.deepEqual(ids(border.last('bgp')), [1]);
    assert.deepEqual(border.hierarchy.choices('outward', SERVICE), []);
  });
});

describe('loops of information', () => {
  it('two borders of one edge network never tell it of itself, and both tell the outside of the same instances', () => {
    const network = new TestNetwork();
    const [a, b] = [network.add(1, 0, true, bothSides()), network.add(2, 0, true, bothSides())];
    const [inner, outside] = [network.add(3, 0, false), network.add(9, undefined, true)];
    inner.own(ops(3, 1, 10));
    b.own(ops(2, 1, 5));
    network.settle();
    for (const border of [a, b]) assert.deepEqual([ids(border.last('bgp')), residual(border.last('bgp'))], [[AGGREGATE_ID.outward], 15n], `border ${border.number}`);
    assert.deepEqual([a.said.filter(({ protocol }) => protocol === 'ospf').length, ids(b.last('ospf'))], [0, [1]], 'there is nothing outside');
    outside.own(ops(9, 1, 100));
    network.settle();
    for (const border of [a, b]) {
      const inward = border.last('ospf').filter(({ aggregate }) => aggregate);
      assert.deepEqual([ids(inward), residual(inward)], [[AGGREGATE_ID.inward], 100n], `border ${border.number}`);
      assert.equal(residual(border.last('bgp')), 15n);
    }
    assert.equal(network.settle(), 0, 'and then all are silent');
    // The other border's outward aggregate, heard by BGP, makes no candidate here.
    assert.ok(a.rib.candidates(SERVICE).every(({ exit, instance: { id } }) => exit !== exitOf(2) || id !== AGGREGATE_ID.outward));
  });

  it('a border that OSPFv3 tells nothing of is inside when the configuration says so', () => {
    const network = new TestNetwork(false);
    const outwardOnly = { inside: [], outward: aggregation(), inward: undefined };
    const [a, b, inner] = [network.add(1, 0, true, bothSides()), network.add(2, 0, true, outwardOnly), network.add(3, 0, false)];
    inner.own(ops(3, 1, 10));
    network.settle();
    assert.equal(a.rib.isInside(b.exit), false);
    a.configure({ ...bothSides(), inside: [`${b.exit}/128`] });
    network.settle();
    assert.equal(a.rib.isInside(b.exit), true);
    assert.deepEqual(a.last('ospf'), []);
    assert.ok(a.rib.candidates(SERVICE).every(({ exit }) => exit !== b.exit));
  });

  it('an aggregate of another edge network is told inside and never passed on outside', () => {
    const network = new TestNetwork();
    const [a, b] = [network.add(1, 0, true, bothSides()), network.add(2, 1, true, bothSides())];
    const [innerA, innerB] = [network.add(3, 0, false), network.add(4, 1, false)];
    innerA.own(ops(3, 1, 10));
    innerB.own(ops(4, 1, 20));
    network.settle();
    assert.deepEqual([residual(a.last('bgp')), residual(a.last('ospf'))], [10n, 20n]);
    assert.deepEqual([residual(b.last('bgp')), residual(b.last('ospf'))], [20n, 10n]);
    assert.equal(network.settle(), 0);
  });

  it('no topology of edge networks counts an instance twice in one aggregate, or talks for ever', () => {
    const router = fc.record({ edge: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }), speaksBgp: fc.boolean(), border: fc.boolean(), power: fc.integer({ min: 0, max: 3 }) });
    fc.assert(
      fc.property(fc.array(router, { minLength: 2, maxLength: 7 }), (specs) => {
        const network = new TestNetwork();
        const routers = specs.map(({ edge, speaksBgp, border }, i) => network.add(i + 1, edge, speaksBgp, border && speaksBgp && edge !== undefined ? bothSides() : undefined));
        // A digit a router: those of a sum tell whose power is in it, and how often.
        specs.forEach(({ power }, i) => power > 0 && routers[i]!.own(ops(i + 1, 1, power * 64 ** i)));
        network.settle();
        network.settle();
        assert.equal(network.settle(), 0);
        routers.forEach((each, at) => {
          const { edge } = specs[at]!;
          const isInside = (i: number): boolean => i === at || (edge !== undefined && specs[i]!.edge === edge);
          const outward = each.hierarchy.aggregate('outward', SERVICE);
          const inside = specs.reduce((sum, { power }, i) => sum + (isInside(i) ? BigInt(power) * 64n ** BigInt(i) : 0n), 0n);
          if (outward) assert.equal(residual([outward]), inside);
          // Two borders of another edge network both tell of it: its digits may be in there twice, those of the own edge network never.
          const inward = each.hierarchy.aggregate('inward', SERVICE);
          const digits = residual(inward ? [inward] : []);
          specs.forEach((_, i) => isInside(i) && assert.equal((digits / 64n ** BigInt(i)) % 64n, 0n));
        });
      }),
      { numRuns: 150 },
    );
  });
});

describe('packets to aggregate SIDs', () => {
  it('follow the choice of the entry to a border, and that of the border to an instance; both are pinned', () => {
    const network = new TestNetwork();
    const [entry, border, inner] = [network.add(9, undefined, true), network.add(1, 0, true, bothSides()), network.add(2, 0, false)];
    border.own(ops(1, 1, 1));
    inner.own(ops(2, 1, 1));
    network.settle();
    const counts = new Map<string, number>();
    for (let i = 0; i < 200; i++) {
      network.clock.advance(10);
      assert.deepEqual(entry.packet(flowOf(i)).segments, [aggregateSidOf(1, 'outward')]);
      const [sid, ...more] = border.packet(flowOf(i), 'outward').segments;
      assert.deepEqual(more, []);
      counts.set(sid!, (counts.get(sid!) ?? 0) + 1);
      assert.deepEqual(border.packet(flowOf(i), 'outward').segments, [sid]);
    }
    assert.deepEqual([...counts.keys()].sort(), [sidOf(1, 1), sidOf(2, 1)]);
    assert.ok(Math.min(...counts.values()) > 50, String([...counts]));
  });

  it('as entry and as border one router decides the same 5-tuple apart', () => {
    const network = new TestNetwork();
    const [border, inner, outside] = [network.add(1, 0, true, bothSides()), network.add(2, 0, false), network.add(9, undefined, true)];
    inner.own(ops(2, 1, 1));
    outside.own(ops(9, 1, 1, { serviceDelay: { meanUs: 1, p99Us: 1, serviceRate: 1000 } }));
    network.settle();
    assert.deepEqual(border.packet(flowOf(1)).segments, [sidOf(9, 1)]);
    assert.deepEqual(border.packet(flowOf(1), 'outward').segments, [sidOf(2, 1)]);
    assert.deepEqual(border.packet(flowOf(1), 'inward').segments, [sidOf(9, 1)]);
    assert.equal(border.flows.size, 3);
  });

  it('find no instance where there is none on that side', () => {
    const network = new TestNetwork();
    const [border, outside] = [network.add(1, 0, true, bothSides()), network.add(9, undefined, true)];
    outside.own(ops(9, 1, 1));
    border.own(ops(1, 1, 1));
    network.settle();
    border.own();
    network.settle();
    assert.ok(border.packet(flowOf(1), 'outward').policy < 0);
    assert.equal(border.packet(flowOf(1), 'inward').segments.length, 1);
  });

  it('move to the other instances when the exit of theirs dies, without a word to the entry', () => {
    const network = new TestNetwork();
    const [border, x, y] = [network.add(1, 0, true, bothSides()), network.add(2, 0, false), network.add(3, 0, false)];
    x.own(ops(2, 1, 1));
    y.own(ops(3, 1, 1));
    network.settle();
    const before = Array.from({ length: 50 }, (_, i) => border.packet(flowOf(i), 'outward').segments[0]);
    assert.equal(new Set(before).size, 2);
    border.die(x.exit);
    const after = Array.from({ length: 50 }, (_, i) => border.packet(flowOf(i), 'outward').segments[0]);
    assert.deepEqual([...new Set(after)], [sidOf(3, 1)]);
    border.die(y.exit);
    assert.equal(border.packet(flowOf(0), 'outward').segments.length, 0);
    assert.equal(border.packet(flowOf(99), 'outward').policy, NO_CANDIDATE);
  });

  it('are adopted by the next run of the daemon, each space its own', () => {
    const clock = new ManualClock();
    const flows = new FakeFlowTable(() => BigInt(Math.round(clock.now() * 1e6)));
    const start = (): TestRouter => new TestRouter(1, clock, bothSides(), undefined, flows);
    const first = start();
    first.own(ops(1, 1, 1), ops(1, 2, 1));
    clock.advance(10);
    const spaces = ['entry', 'outward'] as const;
    const ways = (router: TestRouter): string[] => spaces.flatMap((space) => Array.from({ length: 30 }, (_, i) => router.packet(flowOf(i), space).segments.join()));
    const before = ways(first);
    for (const steering of Object.values(first.steerings)) steering.stop();
    flows.restart();
    const second = start();
    assert.deepEqual(ways(second), before, 'before a candidate is back');
    second.own(ops(1, 2, 1));
    clock.advance(10);
    const after = ways(second);
    clock.advance(61_000);
    assert.deepEqual([...new Set(ways(second))], [sidOf(1, 2)]);
    assert.deepEqual(after, before, 'and while the other may still come');
    assert.deepEqual(spaces.map((space) => second.steerings[space].pins.size), [30, 30]);
  });

  it('end at an instance after two rewrites at most, whoever is asked', () => {
    const router = fc.record({ edge: fc.option(fc.integer({ min: 0, max: 1 }), { nil: undefined }), speaksBgp: fc.boolean(), power: fc.integer({ min: 0, max: 2 }) });
    fc.assert(
      fc.property(fc.array(router, { minLength: 2, maxLength: 6 }), (specs) => {
        const network = new TestNetwork();
        const routers = specs.map(({ edge, speaksBgp }, i) => network.add(i + 1, edge, speaksBgp, speaksBgp && edge !== undefined ? bothSides() : undefined));
        specs.forEach(({ power }, i) => power > 0 && routers[i]!.own(ops(i + 1, 1, power)));
        network.settle();
        for (const entry of routers) {
          for (let i = 0; i < 5; i++) {
            let { segments } = entry.packet(flowOf(i));
            let rewrites = 0;
            for (; segments.length > 0 && !segments[0]!.includes(':e00'); rewrites++) {
              const border = network.ownerOf(segments[0]!);
              const side = segments[0] === aggregateSidOf(border.number, 'outward') ? 'outward' : 'inward';
              assert.ok(rewrites < 2, 'a third aggregate SID');
              ({ segments } = border.packet(flowOf(i), side));
            }
          }
        }
      }),
      { numRuns: 100 },
    );
  });
});
