import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../daemon/clock.js';
import { silentLogger } from '../../../daemon/log.js';
import type { Advertisement, CandidateSource } from '../../../daemon/rib/candidate.js';
import { ComputingRib } from '../../../daemon/rib/computing-rib.js';
import { SERVICE, exitOf, makeAdvertisement, makeInstance } from './instances.js';

const OWN = 'fc00:0:1::1';

function setup(): { clock: ManualClock; rib: ComputingRib; batches: string[][] } {
  const clock = new ManualClock();
  const rib = new ComputingRib({ clock, log: silentLogger, ownExit: OWN });
  const batches: string[][] = [];
  rib.onChange((services) => batches.push([...services]));
  return { clock, rib, batches };
}

/** "exit#instance by peer" of each candidate. */
const list = (rib: ComputingRib): string[] => rib.candidates(SERVICE).map(({ exit, instance, peer }) => `${exit}#${instance.id} by ${peer}`);

describe('computing RIB', () => {
  it('makes one candidate of each instance of each exit', () => {
    const { rib } = setup();
    rib.advertise(makeAdvertisement(2, 1));
    rib.advertise(makeAdvertisement(1, 1, { exit: exitOf(0x11), instances: [makeInstance(0x11, 2), makeInstance(0x11, 1)] }));
    assert.deepEqual(list(rib), ['fc00:0:11::1#1 by fc00:0:100::1', 'fc00:0:11::1#2 by fc00:0:100::1', 'fc00:0:2::1#1 by fc00:0:100::1']);
  });

  it('lets aggregates of an exit inside the own edge network count by OSPFv3 alone', () => {
    const { rib, batches } = setup();
    const aggregate = makeInstance(2, 99, { aggregate: true });
    rib.advertise(makeAdvertisement(2, 5, { instances: [aggregate] }));
    rib.flush();
    assert.deepEqual([list(rib), rib.isInside(exitOf(2))], [['fc00:0:2::1#99 by fc00:0:100::1'], false]);
    // Another service of that exit is enough: it is a router inside.
    rib.advertise(makeAdvertisement(2, 4, { service: '2001:db8:5e::2', source: 'ospf', peer: '10.0.0.2', pathId: 0 }));
    rib.flush();
    assert.deepEqual([list(rib), rib.isInside(exitOf(2)), rib.isHeardByOspf(exitOf(2))], [[], true, true]);
    assert.deepEqual(batches.at(-1)!.sort(), [SERVICE, '2001:db8:5e::2']);
    rib.advertise(makeAdvertisement(2, 3, { source: 'ospf', peer: '10.0.0.2', pathId: 0, instances: [makeInstance(2, 98, { aggregate: true })] }));
    assert.deepEqual(list(rib), ['fc00:0:2::1#98 by 10.0.0.2'], 'whatever the sequences');
    assert.deepEqual(rib.advertisements(SERVICE).map(({ advertisement, counts }) => [advertisement.source, counts]), [['bgp', false], ['ospf', true]]);
    rib.withdraw('ospf', '10.0.0.2', 0, SERVICE);
    rib.withdraw('ospf', '10.0.0.2', 0, '2001:db8:5e::2');
    assert.deepEqual([list(rib), rib.isInside(exitOf(2))], [['fc00:0:2::1#99 by fc00:0:100::1'], false]);
  });

  const A = 'fc00:0:100::1';
  const B = 'fc00:0:100::a';
  /** Held by (peer, source, sequence), and who counts. */
  const SEQUENCES: readonly [name: string, held: readonly (readonly [peer: string, source: CandidateSource, sequence: number])[], winner: string][] = [
    ['the highest sequence wins', [[A, 'bgp', 1], [B, 'bgp', 2]], B],
    ['the highest sequence wins whichever protocol brought it', [[A, 'bgp', 1], ['10.0.0.9', 'ospf', 2]], '10.0.0.9'],
    ['at a tie BGP comes before OSPF', [['10.0.0.9', 'ospf', 2], [B, 'bgp', 2]], B],
    ['at a tie the lowest peer wins', [[B, 'bgp', 2], [A, 'bgp', 2]], A],
    ['peers are compared as addresses, not as text', [['fc00:0:9::1', 'bgp', 2], ['fc00:0:10::1', 'bgp', 2]], 'fc00:0:9::1'],
    ['IPv4 peers are compared as addresses too', [['10.0.0.10', 'ospf', 2], ['10.0.0.9', 'ospf', 2]], '10.0.0.9'],
    ['sequences are 64 bits', [[A, 'bgp', 2 ** 52], [B, 'bgp', 2 ** 52 + 1]], B],
  ];
  for (const [name, held, winner] of SEQUENCES) {
    for (const order of [held, [...held].reverse()]) {
      it(`${name} (${order === held ? 'in this order' : 'in reverse order'})`, () => {
        const { rib } = setup();
        for (const [peer, source, sequence] of order) rib.advertise(makeAdvertisement(2, sequence, { peer, source }));
        assert.deepEqual(list(rib), [`fc00:0:2::1#1 by ${winner}`]);
      });
    }
  }

  it('lets a newer sequence replace all instances, those it omits too', () => {
    const { rib } = setup();
    rib.advertise(makeAdvertisement(2, 1, { peer: A, instances: [makeInstance(2, 1), makeInstance(2, 2)] }));
    rib.advertise(makeAdvertisement(2, 2, { peer: B, instances: [makeInstance(2, 2)] }));
    assert.deepEqual(list(rib), [`fc00:0:2::1#2 by ${B}`]);
  });

  it('lets the next best one take over when the newest is withdrawn', () => {
    const { rib } = setup();
    rib.advertise(makeAdvertisement(2, 1, { peer: A }));
    rib.advertise(makeAdvertisement(2, 2, { peer: B }));
    assert.ok(rib.withdraw('bgp', B, 2, SERVICE));
    assert.deepEqual(list(rib), [`fc00:0:2::1#1 by ${A}`]);
    assert.ok(rib.withdraw('bgp', A, 2, SERVICE));
    assert.deepEqual(list(rib), []);
    assert.equal(rib.withdraw('bgp', A, 2, SERVICE), false);
    assert.equal(rib.size, 0);
  });

  it('lets a peer go back to a lower sequence: a replaced route counts no more', () => {
    const { rib } = setup();
    rib.advertise(makeAdvertisement(2, 9, { instances: [makeInstance(2, 9)] }));
    rib.advertise(makeAdvertisement(2, 3, { instances: [makeInstance(2, 3)] }));
    assert.deepEqual(rib.candidates(SERVICE).map(({ instance }) => instance.id), [3]);
  });

  it('unites the LSAs of one OSPFv3 router that share its highest sequence', () => {
    const { rib } = setup();
    const lsa = (pathId: number, sequence: number, id: number): Advertisement => makeAdvertisement(2, sequence, { source: 'ospf', peer: '10.0.0.2', pathId, instances: [makeInstance(2, id)] });
    rib.advertise(lsa(1, 1, 1));
    rib.advertise(lsa(2, 1, 2));
    assert.deepEqual(rib.candidates(SERVICE).map(({ instance }) => instance.id), [1, 2]);
    rib.advertise(lsa(1, 2, 1));
    assert.deepEqual(rib.candidates(SERVICE).map(({ instance }) => instance.id), [1], 'the one of the old sequence no longer counts');
  });

  it('unites LSAs of the router that counts alone, whatever the order and however many exits there are', () => {
    const { rib } = setup();
    const lsa = (exit: number, peer: string, pathId: number, sequence: number, id: number): Advertisement => makeAdvertisement(exit, sequence, { source: 'ospf', peer, pathId, instances: [makeInstance(exit, id)] });
    for (const exit of [2, 3]) {
      rib.advertise(lsa(exit, `10.0.${exit}.2`, 2, 5, 12));
      rib.advertise(lsa(exit, `10.0.${exit}.3`, 1, 5, 13));
      rib.advertise(lsa(exit, `10.0.${exit}.2`, 3, 4, 14));
      rib.advertise(lsa(exit, `10.0.${exit}.2`, 1, 5, 11));
      rib.advertise(makeAdvertisement(exit, 4, { instances: [makeInstance(exit, 15)] }));
    }
    assert.deepEqual(rib.candidates(SERVICE).map(({ exit, instance }) => [exit, instance.id]), [2, 3].flatMap((exit) => [11, 12].map((id) => [exitOf(exit), id])));
    assert.deepEqual(rib.advertisements(SERVICE).map(({ counts }) => counts), [2, 3].flatMap(() => [true, false, false, true, false]));
  });

  it('counts the first of two instances with one id', () => {
    const { rib } = setup();
    rib.advertise(makeAdvertisement(2, 1, { instances: [makeInstance(2, 1, { grade: 1 }), makeInstance(2, 1, { grade: 2 })] }));
    assert.deepEqual(rib.candidates(SERVICE).map(({ instance }) => instance.grade), [1]);
  });

  it('makes no candidate of an instance without a SID', () => {
    const { rib } = setup();
    rib.advertise(makeAdvertisement(2, 1, { instances: [makeInstance(2, 1, { sid: undefined }), makeInstance(2, 2)] }));
    assert.deepEqual(rib.candidates(SERVICE).map(({ instance }) => instance.id), [2]);
  });

  it('does not believe others about itself, but hears what sequence they hold', () => {
    const { rib } = setup();
    const heard: bigint[] = [];
    rib.onOwnSequence((sequence) => heard.push(sequence));
    rib.advertise(makeAdvertisement(1, 77));
    assert.deepEqual([list(rib), heard], [[], [77n]]);
    rib.advertise(makeAdvertisement(1, 5, { source: 'local', peer: '' }));
    assert.deepEqual([list(rib), heard], [['fc00:0:1::1#1 by '], [77n]]);
    assert.deepEqual([...rib.foreignExits()], []);
  });

  it('sets no timer beyond what timers can, and keeps nothing of advertisements that were replaced before their time', () => {
    const clock = new ManualClock();
    const delays: number[] = [];
    const rib = new ComputingRib({
      clock: { now: () => clock.now(), unixMs: () => clock.unixMs(), setTimeout: (callback, ms) => (delays.push(ms), clock.setTimeout(callback, ms)) },
      log: silentLogger,
      ownExit: OWN,
    });
    const forever = 4_294_967_295_000;
    for (let sequence = 1; sequence <= 5000; sequence++) rib.advertise(makeAdvertisement(2, sequence, { validityMs: forever }));
    assert.ok(delays.every((delay) => delay < 2 ** 31));
    assert.ok(rib.waitingForExpiry < 2000, `${rib.waitingForExpiry} wait for their expiry`);
    clock.advance(2 ** 31);
    assert.equal(list(rib).length, 1);
    clock.advance(forever);
    assert.deepEqual(list(rib), []);
  });

  it('forgets an advertisement when its validity is over, counted from receipt', () => {
    const { clock, rib, batches } = setup();
    rib.advertise(makeAdvertisement(2, 1, { validityMs: 1000 }));
    rib.advertise(makeAdvertisement(3, 1, { validityMs: 500 }));
    clock.advance(400);
    rib.advertise(makeAdvertisement(2, 2, { validityMs: 1000 }));
    rib.flush();
    batches.length = 0;
    clock.advance(101);
    assert.deepEqual([list(rib), batches], [[`fc00:0:2::1#1 by ${A}`], [[SERVICE]]]);
    clock.advance(898);
    assert.equal(list(rib).length, 1);
    clock.advance(2);
    assert.equal(list(rib).length, 0);
  });

  it('keeps what a restarting peer said, marked stale, until it is said again or swept', () => {
    const { rib } = setup();
    rib.advertise(makeAdvertisement(2, 1));
    rib.advertise(makeAdvertisement(3, 1));
    rib.advertise(makeAdvertisement(4, 1, { peer: B }));
    assert.equal(rib.markStale('bgp', A), 2);
    assert.deepEqual(rib.candidates(SERVICE).map(({ stale }) => stale), [true, true, false]);
    rib.advertise(makeAdvertisement(2, 1));
    assert.deepEqual(rib.candidates(SERVICE).map(({ stale }) => stale), [false, true, false]);
    assert.equal(rib.sweepStale('bgp', A), 1);
    assert.deepEqual(rib.candidates(SERVICE).map(({ exit }) => exit), [exitOf(2), exitOf(4)]);
  });

  it('prefers a fresh advertisement to a stale one of the same sequence', () => {
    const { rib } = setup();
    rib.advertise(makeAdvertisement(2, 1, { peer: A }));
    rib.advertise(makeAdvertisement(2, 1, { peer: B }));
    rib.markStale('bgp', A);
    assert.deepEqual(list(rib), [`fc00:0:2::1#1 by ${B}`]);
  });

  it('removes all of a peer whose session is lost and tells of it in one batch', () => {
    const { clock, rib, batches } = setup();
    for (let i = 0; i < 50; i++) rib.advertise(makeAdvertisement(2, 1, { service: `2001:db8:5e::${i.toString(16)}` }));
    clock.advance(0);
    assert.deepEqual(batches.map((batch) => batch.length), [50]);
    assert.equal(rib.withdrawPeer('bgp', A), 50);
    rib.flush();
    assert.deepEqual(batches.map((batch) => batch.length), [50, 50]);
    clock.advance(10);
    assert.equal(batches.length, 2, 'what was flushed is not told again');
    assert.equal(rib.advertisementCount, 0);
  });

  it('shows which advertisements count', () => {
    const { rib } = setup();
    rib.advertise(makeAdvertisement(2, 1, { peer: A }));
    rib.advertise(makeAdvertisement(2, 2, { peer: B }));
    assert.deepEqual(rib.advertisements(SERVICE).map(({ advertisement, counts }) => [advertisement.peer, counts]), [
      [A, false],
      [B, true],
    ]);
  });

  it('agrees with the rule worked out from scratch after any sequence of events', () => {
    const peers = ['fc00::1', 'fc00::2', 'fc00::10'];
    const event = fc.record({
      withdraw: fc.boolean(),
      peer: fc.constantFrom(...peers),
      exit: fc.integer({ min: 2, max: 3 }),
      sequence: fc.integer({ min: 1, max: 4 }),
      id: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const { rib } = setup();
        const held = new Map<string, (typeof events)[number]>();
        for (const item of events) {
          const key = `${item.peer} ${item.exit}`;
          if (item.withdraw) {
            assert.equal(rib.withdraw('bgp', item.peer, item.exit, SERVICE), held.delete(key));
          } else {
            rib.advertise(makeAdvertisement(item.exit, item.sequence, { peer: item.peer, instances: [makeInstance(item.exit, item.id)] }));
            held.set(key, item);
          }
        }
        const expected = [2, 3].flatMap((exit) => {
          const best = [...held.values()]
            .filter((item) => item.exit === exit)
            .sort((a, b) => b.sequence - a.sequence || peers.indexOf(a.peer) - peers.indexOf(b.peer))[0];
          return best ? [`${exitOf(exit)}#${best.id} by ${best.peer}`] : [];
        });
        assert.deepEqual(list(rib), expected);
        assert.equal(rib.advertisementCount, held.size);
      }),
      { numRuns: 500 },
    );
  });
});
