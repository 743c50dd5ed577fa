import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { CPN_MAX_SENT, cpnBlockSize, cpnInstanceSize, decodeCpnBlock, encodeCpnBlock } from '../../../daemon/computing/block.js';
import { blockToJson } from '../../../daemon/computing/json.js';
import type { CpnBlock, Instance } from '../../../daemon/computing/types.js';
import { Prefix } from '../../../dataplane/packet/ip.js';
import { hex, readHex, readJson, vectorNames } from '../../vectors/load.js';
import { block as anyBlock } from './arbitraries.js';

const names = vectorNames('cpn', '.hex').filter((name) => !name.startsWith('option-'));

/** Decodes and insists on a block. */
function blockOf(octets: Uint8Array): { block: CpnBlock; events: string[] } {
  const decoded = decodeCpnBlock(octets);
  assert.equal(decoded.kind, 'block', JSON.stringify(decoded.kind === 'framingFault' ? decoded : decoded.kind));
  return { block: decoded.block, events: decoded.events.map(({ reason }) => reason) };
}

/** The one instance of the vector `minimal`, changed. */
function instance(change: Partial<Instance> = {}): Instance {
  return { ...blockOf(readHex('cpn', 'minimal')).block.instances[0]!, ...change };
}

const withInstances = (...instances: Instance[]): CpnBlock => ({ ...blockOf(readHex('cpn', 'minimal')).block, instances });

describe('CPN block vectors', () => {
  for (const name of names) {
    it(`${name}: an independent encoder's octets decode to what it says`, () => {
      const expected = readJson('cpn', name) as { kind?: string; block?: unknown; events?: number };
      const decoded = decodeCpnBlock(readHex('cpn', name));
      if (decoded.kind === 'block') {
        assert.deepEqual({ block: blockToJson(decoded.block), events: decoded.events.length }, expected);
      } else if (decoded.kind === 'framingFault') {
        assert.deepEqual({ kind: decoded.kind, offset: decoded.offset }, expected);
      } else assert.deepEqual(decoded, expected);
    });
  }

  for (const name of ['minimal', 'full']) {
    it(`${name}: encoding what was decoded gives the same octets`, () => {
      const octets = readHex('cpn', name);
      assert.deepEqual(encodeCpnBlock(blockOf(octets).block), octets);
    });
  }
});

describe('CPN block decoding', () => {
  it('calls everything that lacks magic and version foreign, whatever its length', () => {
    for (const text of ['', '43', '4350', '43504e', '43504e00', '43504e02 0001', '00000000', '43504f01']) {
      assert.deepEqual(decodeCpnBlock(hex(text)), { kind: 'foreign' }, text);
    }
  });

  it('accepts a block with nothing in it, and says that it makes no candidates', () => {
    const { block, events } = blockOf(hex('43504e01'));
    assert.deepEqual(block, { service: undefined, origin: undefined, instances: [] });
    assert.deepEqual(events, ['no usable Origin: no candidates']);
  });

  it('names the sub-TLV and the instance in the event of a dropped Instance', () => {
    const decoded = decodeCpnBlock(readHex('cpn', 'impossible'));
    assert.equal(decoded.kind, 'block');
    const event = decoded.events.find(({ instance: id }) => id === 3);
    assert.equal(event?.reason, 'Instance dropped: Load: utilisation: 10001 hundredths of a percent');
    assert.equal(readHex('cpn', 'impossible')[event.offset + 3], 3, 'the offset is where the Instance value begins');
  });

  it('lets a later Instance stand when an earlier one with its ID was dropped', () => {
    const octets = readHex('cpn', 'minimal');
    const sound = octets.subarray(44);
    const broken = sound.slice();
    broken[broken.length - 4] = 129; // LBL
    const { block, events } = blockOf(Uint8Array.from([...octets.subarray(0, 44), ...broken, ...sound]));
    assert.deepEqual(block.instances, [instance()]);
    assert.deepEqual(events, ['Instance dropped: SRv6 SID: structure of 161 bits']);
  });

  it('accepts more octets than may be sent', () => {
    const octets = readHex('cpn', 'minimal');
    const filler = new Uint8Array(4 + 8000);
    filler.set([0xff, 0xff, 8000 >> 8, 8000 & 0xff]);
    assert.equal(blockOf(Uint8Array.from([...octets, ...filler])).block.instances.length, 1);
  });

  it('never throws and never yields a wrong Instance on truncation at any length', () => {
    const octets = readHex('cpn', 'full');
    const whole = blockOf(octets).block;
    for (let length = 0; length < octets.length; length++) {
      const decoded = decodeCpnBlock(octets.subarray(0, length));
      if (length < 4) assert.equal(decoded.kind, 'foreign');
      else if (decoded.kind === 'block') {
        assert.ok(decoded.block.instances.length < whole.instances.length);
        assert.deepEqual(decoded.block.instances, whole.instances.slice(0, decoded.block.instances.length));
      } else assert.equal(decoded.kind, 'framingFault');
    }
  });

  it('never throws on octets changed anywhere', () => {
    const octets = readHex('cpn', 'full');
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(octets.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }), (changes) => {
        const changed = octets.slice();
        for (const [at, value] of changes) changed[at] = value;
        decodeCpnBlock(changed);
      }),
    );
  });

  it('never throws on any octets after a sound header', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 300 }), (rest) => void decodeCpnBlock(Uint8Array.from([0x43, 0x50, 0x4e, 1, ...rest]))));
  });
});

describe('CPN block encoding', () => {
  it('decodes to the block that was encoded, without events but those that tell missing parts', () => {
    fc.assert(
      fc.property(anyBlock, (block) => {
        const octets = encodeCpnBlock(block);
        assert.equal(octets.length, cpnBlockSize(block));
        const decoded = blockOf(octets);
        assert.deepEqual(decoded.block, block);
        assert.equal(decoded.events.length, (block.origin ? 0 : 1) + block.instances.filter(({ sid }) => !sid).length);
      }),
    );
  });

  it('sizes each Instance as it is written', () => {
    const { block } = blockOf(readHex('cpn', 'full'));
    const without = cpnBlockSize({ ...block, instances: [] });
    assert.equal(cpnBlockSize(block), without + block.instances.reduce((sum, item) => sum + cpnInstanceSize(item), 0));
  });

  it('fills exactly the octets that may be sent, and refuses one Instance more', () => {
    const size = cpnInstanceSize(instance());
    const count = Math.floor((CPN_MAX_SENT - cpnBlockSize(withInstances())) / size);
    const instances = Array.from({ length: count + 1 }, (_, id) => instance({ id }));
    assert.ok(encodeCpnBlock(withInstances(...instances.slice(1))).length <= CPN_MAX_SENT);
    assert.throws(() => encodeCpnBlock(withInstances(...instances)), { name: 'RangeError', message: /exceeds 3500/ });
  });

  const impossible: [string, Partial<Instance>][] = [
    ['an ID that does not fit', { id: 2 ** 32 }],
    ['a class that is none', { computing: [{ class: 4 as 3, chip: 0, total: 0n, residual: 0n }] }],
    ['a negative quantity', { computing: [{ class: 1, chip: 0, total: -1n, residual: 0n }] }],
    ['a quantity past 64 bits', { interface: { capacity: 1n << 64n, available: 0n } }],
    ['an utilisation past 100 %', { load: { utilisation: 10_001, queueLength: 0, activeFlows: 0 } }],
    ['a fraction', { load: { utilisation: 0.5, queueLength: 0, activeFlows: 0 } }],
    ['a latitude past the pole', { location: { latitude: 90.1, longitude: 0 } }],
    ['a latitude that is no number', { location: { latitude: Number.NaN, longitude: 0 } }],
    ['a currency of digits', { price: { microUnits: 1n, currency: '123' } }],
    ['a currency of four letters', { price: { microUnits: 1n, currency: 'EURO' } }],
    ['a normalised metric past 10', { cats: [{ type: 5, level: 1, format: 0, source: 4, statistic: 1, unit: 0, windowMs: 0, value: 11n }] }],
    ['a level that no nibble holds', { cats: [{ type: 5, level: 16, format: 0, source: 4, statistic: 1, unit: 0, windowMs: 0, value: 1n }] }],
    ['a format that no nibble holds', { cats: [{ type: 5, level: 0, format: 16, source: 4, statistic: 1, unit: 0, windowMs: 0, value: 1n }] }],
    ['an algorithm past 16 bits', { algorithms: [65536] }],
    ['an IPv4 instance address', { address: '192.0.2.1' }],
    ['a structure past 128 bits', { sid: { sid: '::1', behaviour: 1, structure: { block: 128, node: 1, function: 0, argument: 0 } } }],
  ];
  for (const [what, change] of impossible) {
    it(`refuses ${what}`, () => {
      assert.throws(() => encodeCpnBlock(withInstances(instance(change))), RangeError);
    });
  }

  it('refuses a service that is not IPv6 and an exit that is no address', () => {
    assert.throws(() => encodeCpnBlock({ ...withInstances(), service: Prefix.from('192.0.2.0/24') }), RangeError);
    const { origin } = withInstances();
    assert.throws(() => encodeCpnBlock({ ...withInstances(), origin: { ...origin!, exit: 'r1' } }), RangeError);
  });
});
