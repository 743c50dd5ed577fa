import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { ManualClock } from '../../../daemon/clock.js';
import { decodeCpnBlock, encodeCpnBlock } from '../../../daemon/computing/block.js';
import type { Instance, Origin } from '../../../daemon/computing/types.js';
import { silentLogger } from '../../../daemon/log.js';
import { CpnOrigination, CpnReception, cutBlocks, type CpnLsaFault } from '../../../daemon/ospf/computing.js';
import { parseId } from '../../../daemon/ospf/ids.js';
import type { Lsa, LsaKey } from '../../../daemon/ospf/wire/types.js';
import type { Advertisement } from '../../../daemon/rib/candidate.js';
import { ComputingRib } from '../../../daemon/rib/computing-rib.js';
import { Prefix } from '../../../dataplane/packet/ip.js';
import { pair } from './network.js';
import { exitOf, makeAdvertisement, makeInstance, SERVICE } from '../rib/instances.js';

const TYPE = 0xbff0;
const OWN = parseId('10.0.0.1');
const OTHER = parseId('10.0.0.2');

class Area {
  readonly lsas = new Map<number, Uint8Array>();
  readonly refused: string[] = [];
  readonly paced = new Set<number>();
  readonly origination = new CpnOrigination(
    TYPE,
    {
      originate: (type, id, body) => {
        assert.equal(type, TYPE);
        this.lsas.set(id, body);
      },
      flush: (_type, id) => void this.lsas.delete(id),
      isPaced: (_type, id) => this.paced.has(id),
    },
    (service, reason) => this.refused.push(`${service}: ${reason}`),
  );
}

/** An LSA as the engine would hand it over. */
function lsaOf(id: number, body: Uint8Array, router = OTHER): { key: LsaKey; lsa: Lsa } {
  const key = { type: TYPE, id, router };
  const header = { ...key, age: 1, sequence: 1, checksum: 0, length: 20 + body.length };
  return { key, lsa: { header, raw: body, body: { kind: 'cpn', block: decodeCpnBlock(body) } } };
}

const originOf = (body: Uint8Array): Origin | undefined => {
  const decoded = decodeCpnBlock(body);
  return decoded.kind === 'block' ? decoded.block.origin : undefined;
};

const many = (count: number, changes: Partial<Advertisement> = {}): Advertisement =>
  makeAdvertisement(2, 1, { source: 'local', peer: '', instances: Array.from({ length: count }, (_, i) => makeInstance(2, i + 1)), ...changes });

describe('own computing state in CPN LSAs', () => {
  it('is one LSA a service, with Service, Origin and Instances', () => {
    const area = new Area();
    area.origination.announce([many(1)]);
    const [body] = [...area.lsas.values()];
    const decoded = decodeCpnBlock(body!);
    assert.ok(decoded.kind === 'block');
    assert.equal(decoded.block.service?.toString(), `${SERVICE}/128`);
    assert.equal(decoded.block.origin?.exit, exitOf(2));
    assert.deepEqual(decoded.block.instances.map(({ id }) => id), [1]);
  });

  it('is several LSAs of at most 1,300 octets where it does not fit, each with the same Service, Origin and sequence', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 120 }), (count) => {
        const blocks = cutBlocks(Prefix.host(SERVICE), many(count));
        for (const block of blocks) {
          assert.ok(encodeCpnBlock(block).length + 20 <= 1300);
          assert.deepEqual(block.origin, blocks[0]!.origin);
          assert.equal(block.service?.address, SERVICE);
        }
        assert.deepEqual(blocks.flatMap(({ instances }) => instances.map(({ id }) => id)), Array.from({ length: count }, (_, i) => i + 1));
      }),
    );
  });

  it('shrinks and goes by MaxAge, and its Link State IDs are used again', () => {
    const area = new Area();
    area.origination.announce([many(60)]);
    const before = area.lsas.size;
    assert.ok(before > 2);
    area.origination.announce([many(1)]);
    assert.equal(area.lsas.size, 1);
    area.origination.announce([many(1, { service: '2001:db8:5e::2' })]);
    assert.ok(Math.max(...area.lsas.keys()) <= before);
    area.origination.announce([many(0), many(0, { service: '2001:db8:5e::2' })]);
    assert.equal(area.lsas.size, 0);
  });

  it('what cannot wait for MinLSInterval goes out under another Link State ID, a change of the load does not', () => {
    const area = new Area();
    const [first, second] = [makeInstance(2, 1), makeInstance(2, 2)];
    const announce = (sequence: number, instances: readonly Instance[]): void => area.origination.announce([many(0, { sequence: BigInt(sequence), instances })]);
    const sequences = (): [number, bigint | undefined][] => [...area.lsas].map(([id, body]) => [id, originOf(body)?.sequence]);
    announce(1, [first, second]);
    area.paced.add(1);
    announce(2, [{ ...first, load: { utilisation: 9000, queueLength: 1, activeFlows: 1 } }, second]);
    assert.deepEqual(sequences(), [[1, 2n]]);
    announce(3, [{ ...first, draining: true }, second]);
    assert.deepEqual(sequences(), [[2, 3n]]);
    area.paced.add(2);
    announce(4, [second]);
    assert.deepEqual(sequences(), [[3, 4n]]);
    area.paced.delete(1);
    area.paced.add(3);
    announce(5, [first, second]);
    assert.deepEqual(sequences(), [[1, 5n]], 'an ID that may be used again is');
    area.paced.clear();
    announce(6, [second]);
    assert.deepEqual(sequences(), [[1, 6n]], 'nothing holds it back');
  });

  it('an instance that fits no LSA is refused by name and takes nothing else along', () => {
    const area = new Area();
    const huge = { ...makeInstance(2, 7), algorithms: Array.from({ length: 900 }, (_, i) => i) };
    area.origination.announce([many(1, { instances: [huge] }), many(1, { service: '2001:db8:5e::2' })]);
    assert.match(area.refused[0]!, /instance 7 of 2001:db8:5e::1 takes \d+ octets/);
    assert.equal(area.lsas.size, 1);
  });
});

describe('computing state of other routers', () => {
  function setup(): { rib: ComputingRib; reception: CpnReception; reachable: Set<number>; faults: CpnLsaFault[]; list: (service?: string) => string[] } {
    const rib = new ComputingRib({ clock: new ManualClock(), log: silentLogger, ownExit: exitOf(1) });
    const reachable = new Set([OTHER]);
    const faults: CpnLsaFault[] = [];
    const reception = new CpnReception(OWN, rib, (router) => reachable.has(router), (fault) => faults.push(fault));
    const list = (service = SERVICE): string[] => rib.candidates(service).map(({ instance, source, peer }) => `${source} ${peer} #${instance.id}`);
    return { rib, reception, reachable, faults, list };
  }

  const bodies = (advertisement: Advertisement): Uint8Array[] => cutBlocks(Prefix.host(advertisement.service), advertisement).map(encodeCpnBlock);

  it('becomes candidates of source ospf and goes with the LSA', () => {
    const { reception, list } = setup();
    const came = lsaOf(5, bodies(many(1))[0]!);
    reception.lsasChanged([came]);
    assert.deepEqual(list(), ['ospf 10.0.0.2 #1']);
    reception.lsasChanged([{ key: came.key, lsa: undefined }]);
    assert.deepEqual(list(), []);
  });

  it('of several LSAs is united', () => {
    const { reception, list } = setup();
    const cut = bodies(many(40));
    assert.ok(cut.length > 1);
    reception.lsasChanged(cut.map((body, i) => lsaOf(i + 1, body)));
    assert.equal(list().length, 40);
  });

  it('counts only while its router is reachable', () => {
    const { reception, reachable, list } = setup();
    reachable.clear();
    reception.lsasChanged([lsaOf(5, bodies(many(2))[0]!)]);
    assert.deepEqual(list(), []);
    reception.reachabilityChanged([{ routerId: OTHER, reachable: true }]);
    assert.equal(list().length, 2);
    reception.reachabilityChanged([{ routerId: OTHER, reachable: false }]);
    assert.deepEqual(list(), []);
  });

  it('of another service under the same Link State ID replaces the first', () => {
    const { reception, list } = setup();
    reception.lsasChanged([lsaOf(5, bodies(many(1))[0]!)]);
    reception.lsasChanged([lsaOf(5, bodies(many(1, { service: '2001:db8:5e::2' }))[0]!)]);
    assert.deepEqual([list(), list('2001:db8:5e::2')], [[], ['ospf 10.0.0.2 #1']]);
  });

  it('that is our own of an earlier run is left to the engine', () => {
    const { reception, list } = setup();
    reception.lsasChanged([lsaOf(5, bodies(many(1))[0]!, OWN)]);
    assert.deepEqual(list(), []);
  });

  it('whose framing is wrong is one fault and no candidate; a foreign block is nothing at all', () => {
    const { reception, faults, list } = setup();
    const body = bodies(many(1))[0]!;
    reception.lsasChanged([lsaOf(5, body.subarray(0, body.length - 3))]);
    assert.equal(faults.length, 1);
    reception.lsasChanged([lsaOf(6, Uint8Array.of(1, 2, 3, 4))]);
    assert.equal(faults.length, 1);
    assert.deepEqual(list(), []);
  });

  it('of an IPv4 service travels as IPv4-mapped Service', () => {
    const area = new Area();
    area.origination.announce([many(1, { service: '198.51.100.1' })]);
    const { reception, list } = setup();
    reception.lsasChanged([lsaOf(1, [...area.lsas.values()][0]!)]);
    assert.deepEqual(list('198.51.100.1'), ['ospf 10.0.0.2 #1']);
  });
});

describe('computing state over a network', () => {
  it('what cannot wait reaches a receiver at once, however often it came to change in the last seconds; a load waits for MinLSInterval', () => {
    const { network, a, b } = pair();
    network.seconds(30);
    const rib = new ComputingRib({ clock: network.clock, log: silentLogger, ownExit: exitOf(1) });
    const reception = new CpnReception(b.number, rib, () => true, ({ reason }) => assert.fail(reason));
    b.engine.onLsdbChange((changes) => reception.lsasChanged(changes.flatMap(({ before, after }) => {
      const lsa = after ?? before!;
      return lsa.header.type === TYPE ? [{ key: lsa.header, lsa: after }] : [];
    })));
    const origination = new CpnOrigination(TYPE, a.engine, (_service, reason) => assert.fail(reason));
    let sequence = 0n;
    const announce = (...instances: readonly Instance[]): void => {
      origination.announce([many(0, { sequence: ++sequence, instances })]);
      network.clock.advance(50);
    };
    const list = (): string[] => rib.candidates(SERVICE).map(({ instance: { id, draining, load } }) => `#${id} ${load?.utilisation ?? 0}${draining ? ' draining' : ''}`);
    const [first, second] = [1, 2].map((id) => ({ ...makeInstance(2, id), load: { utilisation: 1000, queueLength: 0, activeFlows: 0 } })) as [Instance, Instance];
    const busy = { ...first, load: { utilisation: 9000, queueLength: 0, activeFlows: 0 } };
    announce(first, second);
    announce(busy, second);
    assert.deepEqual(list(), ['#1 1000', '#2 1000']);
    announce({ ...busy, draining: true }, second);
    assert.deepEqual(list(), ['#1 9000 draining', '#2 1000']);
    announce(second);
    assert.deepEqual(list(), ['#2 1000']);
    announce(first, second);
    assert.deepEqual(list(), ['#1 1000', '#2 1000']);
    announce(busy, second);
    network.seconds(6);
    assert.deepEqual(list(), ['#1 9000', '#2 1000']);
    assert.equal([...b.engine.lsas({ router: a.number })].filter(({ header }) => header.type === TYPE).length, 1, 'those it stood in before are gone');
    announce();
    network.seconds(2);
    assert.deepEqual(list(), []);
  });
});
