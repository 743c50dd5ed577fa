import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { readOwners, writeOwner } from '../../../dataplane/flow/owners.js';
import { OWNER_VALUE_LENGTH, SLOT_LENGTH, SLOT_MTU, SLOT_OUTER, SLOT_VALUE_LENGTH } from '../../../dataplane/flow/layout.js';
import { PATH_MTU_LIFETIME_MS, PolicyTable, SLOT_GRACE_MS } from '../../../dataplane/flow/policies.js';
import { parseIp } from '../../../dataplane/packet/ip.js';
import { MemoryMap } from './memory-map.js';

const A = 'fc00:bb:2:1::';
const B = 'fc00:bb:3:1::';
const END = 'fc00:bb:9:e::';
const SLOTS = 8;

describe('policies', () => {
  let trace: string[];
  let policies: MemoryMap;
  let slots: MemoryMap;
  let now: number;
  let table: PolicyTable;

  const build = (source = 'fc00:bb:1::1', reduced = false): PolicyTable =>
    new PolicyTable({ policies, slots, source: parseIp(source)!, reduced, now: () => now, onInnerMtu: (mtu) => trace.push(`tun ${mtu}`) });
  const slotNumber = (policy: number): number => {
    const value = new Uint8Array(4);
    policies.lookup(new Uint8Array(Uint32Array.of(policy).buffer), value);
    return new DataView(value.buffer).getUint32(0, true);
  };
  const slot = (policy: number): { length: number; mtu: number; destination: string } => {
    const value = new Uint8Array(SLOT_VALUE_LENGTH);
    slots.lookup(new Uint8Array(Uint32Array.of(slotNumber(policy)).buffer), value);
    const view = new DataView(value.buffer);
    return {
      length: view.getUint32(SLOT_LENGTH, true),
      mtu: view.getUint32(SLOT_MTU, true),
      destination: Buffer.from(value.subarray(SLOT_OUTER + 24, SLOT_OUTER + 40)).toString('hex'),
    };
  };
  const octets = (address: string): string => Buffer.from(parseIp(address)!).toString('hex');

  beforeEach(() => {
    trace = [];
    now = 0;
    policies = new MemoryMap('policies', 4, 4, 256, true, (what) => trace.push(what));
    slots = new MemoryMap('slots', 4, SLOT_VALUE_LENGTH, SLOTS, true, (what) => trace.push(what));
    table = build();
  });

  it('write the slot before the number that points at it, and the MTU of the TUN before both', () => {
    table.set([{ policy: 16, segments: [A], mtu: 1500 }]);
    assert.deepEqual(trace, ['tun 1436', 'slots', 'policies']);
    assert.deepEqual(slot(16), { length: 64, mtu: 1500, destination: octets(A) });
    assert.deepEqual(table.status(16), { installed: true, segments: [A], mtu: 1500 });
  });

  it('with the same segments and MTU share a slot, and one write moves all of them', () => {
    const segments = [A];
    table.set([16, 17, 18].map((policy) => ({ policy, segments, mtu: 1500 })));
    assert.equal(new Set([16, 17, 18].map(slotNumber)).size, 1);
    table.set([{ policy: 17, segments: [...segments], mtu: 1500 }, { policy: 18, segments: [END, A], mtu: 1500 }]);
    assert.equal(slotNumber(17), slotNumber(16));
    assert.notEqual(slotNumber(18), slotNumber(16));
    assert.equal(slot(18).length, 80);
  });

  it('never change a slot that a packet may be using: it is written again after the grace period only', () => {
    for (let i = 0; i < SLOTS - 1; i++) table.set([{ policy: 16, segments: [`fc00:bb:2:${i + 1}::`], mtu: 1500 }]);
    assert.equal(slotNumber(16), SLOTS - 1);
    table.set([{ policy: 17, segments: [B], mtu: 1500 }]);
    assert.deepEqual(table.status(17), { installed: false, error: `all ${SLOTS - 1} slots are in use`, segments: [], mtu: 0 });
    assert.equal(slotNumber(17), 0);
    now = SLOT_GRACE_MS;
    table.set([{ policy: 17, segments: [B], mtu: 1500 }]);
    assert.equal(slotNumber(17), 1);
    assert.equal(slot(16).destination, octets(`fc00:bb:2:${SLOTS - 1}::`));
  });

  it('keep the grace period of a slot that was taken up again and left once more', () => {
    table.set([{ policy: 16, segments: [A], mtu: 1500 }]);
    table.set([{ policy: 16, segments: [B], mtu: 1500 }]);
    now = 900;
    table.set([{ policy: 17, segments: [A], mtu: 1500 }]);
    assert.equal(slotNumber(17), 1);
    table.set([{ policy: 17, segments: [B], mtu: 1500 }]);
    for (let i = 3; i < SLOTS; i++) table.set([{ policy: 20 + i, segments: [`fc00:bb:5:${i}::`], mtu: 1500 }]);
    now = 1500;
    table.set([{ policy: 50, segments: [END], mtu: 1500 }]);
    assert.equal(slotNumber(50), 0);
    now = 1900;
    table.set([{ policy: 50, segments: [END], mtu: 1500 }]);
    assert.equal(slotNumber(50), 1);
  });

  it('without segments have no slot, and say so', () => {
    table.set([{ policy: 16, segments: [A], mtu: 1500 }]);
    table.set([{ policy: 16, segments: [], mtu: 1500 }]);
    assert.equal(slotNumber(16), 0);
    assert.deepEqual(table.status(16), { installed: true, segments: [], mtu: 0 });
    assert.equal(table.slotOf(16), undefined);
    assert.equal(table.status(17), undefined);
  });

  it('that cannot be written say why and leave the others alone', () => {
    table.set([
      { policy: 16, segments: ['fe80::1%eth0'], mtu: 1500 },
      { policy: 17, segments: [A, B, END, A], mtu: 1500 },
      { policy: 256, segments: [A], mtu: 1500 },
      { policy: 18, segments: [A], mtu: 1500 },
    ]);
    assert.match(table.status(16)!.error!, /not an IPv6 address/);
    assert.match(table.status(17)!.error!, /at most 3/);
    assert.match(table.status(256)!.error!, /end at 255/);
    assert.deepEqual(table.status(18), { installed: true, segments: [A], mtu: 1500 });
  });

  it('always carry 1,280 octets, and say so where the path does not', () => {
    table.set([{ policy: 16, segments: [A], mtu: 1300 }]);
    assert.equal(slot(16).mtu, 1344);
    const status = table.status(16)!;
    assert.equal(status.installed, true);
    assert.match(status.error!, /less than 1280/);
    assert.equal(table.leastInnerMtu, 1280);
  });

  it('set the TUN to the least MTU in use, and back when it is not used any more', () => {
    table.set([{ policy: 16, segments: [A], mtu: 9000 }]);
    table.set([{ policy: 17, segments: [B], mtu: 1500 }]);
    table.set([{ policy: 17, segments: [], mtu: 1500 }]);
    table.set([{ policy: 16, segments: [], mtu: 1500 }]);
    assert.deepEqual(trace.filter((what) => what.startsWith('tun')), ['tun 8936', 'tun 1436', 'tun 8936', 'tun 1500']);
  });

  it('take a path MTU for their segment list alone, until its time is over', () => {
    table.set([{ policy: 16, segments: [A], mtu: 1500 }, { policy: 17, segments: [A], mtu: 1500 }, { policy: 18, segments: [B], mtu: 1500 }]);
    assert.deepEqual(table.lowerPathMtu([A], 1400), { policies: [16, 17], mtu: 1400 });
    assert.deepEqual(table.lowerPathMtu([A], 1450), { policies: [], mtu: 1450 });
    assert.deepEqual(table.lowerPathMtu([END], 1400), { policies: [], mtu: 1400 });
    assert.equal(slot(16).mtu, 1400);
    assert.equal(slot(18).mtu, 1500);
    table.set([{ policy: 19, segments: [A], mtu: 1500 }]);
    assert.equal(slot(19).mtu, 1400);
    assert.deepEqual(table.lowerPathMtu([A], 100), { policies: [16, 17, 19], mtu: 1344 });
    now = PATH_MTU_LIFETIME_MS - 1;
    assert.deepEqual(table.expirePathMtus(), []);
    now = PATH_MTU_LIFETIME_MS;
    assert.deepEqual(table.expirePathMtus(), [{ policies: [16, 17, 19], mtu: 1500 }]);
    assert.equal(slot(16).mtu, 1500);
  });

  it('are built anew for another source address or form', () => {
    table.set([{ policy: 16, segments: [A], mtu: 1500 }, { policy: 17, segments: [END, A], mtu: 1500 }]);
    const before = slotNumber(16);
    table.reconfigure(parseIp('fc00:bb:1::2')!, true);
    assert.notEqual(slotNumber(16), before);
    assert.equal(slot(16).length, 40);
    assert.equal(slot(17).length, 64);
    assert.deepEqual(table.status(17)!.segments, [END, A]);
  });

  it('are adopted by a later run, those without an owner cleared, and their slots not reused', () => {
    table.set([
      { policy: 16, segments: [A], mtu: 1500 },
      { policy: 17, segments: [END, A], mtu: 1400 },
      { policy: 33, segments: [B], mtu: 1500 },
    ]);
    const numbers = [16, 17].map(slotNumber);
    const next = build();
    next.adopt((policy) => policy < 32);
    assert.deepEqual(next.status(16), { installed: true, segments: [A], mtu: 1500 });
    assert.deepEqual(next.status(17), { installed: true, segments: [END, A], mtu: 1400 });
    assert.equal(next.status(33), undefined);
    assert.equal(slotNumber(33), 0);
    assert.deepEqual([16, 17].map(slotNumber), numbers);
    next.set([{ policy: 18, segments: [A], mtu: 1500 }]);
    assert.equal(slotNumber(18), numbers[0]);
    next.set([{ policy: 19, segments: [B], mtu: 1500 }]);
    assert.ok(!numbers.includes(slotNumber(19)));
    assert.equal(next.leastInnerMtu, 1400 - 80);
  });

  it('are adopted in the form that holds now', () => {
    table.set([{ policy: 16, segments: [END, A], mtu: 1500 }]);
    const next = build('fc00:bb:1::9', true);
    next.adopt(() => true);
    assert.equal(slot(16).length, 64);
    assert.deepEqual(next.status(16), { installed: true, segments: [END, A], mtu: 1500 });
    const again = build('fc00:bb:1::9', false);
    again.adopt(() => true);
    assert.equal(slot(16).length, 80);
    assert.deepEqual(again.status(16)!.segments, [END, A]);
  });

  it('keep their references right through a thousand random writes', () => {
    const lists = [[A], [B], [END, A], [END, B], [END, A, B], []];
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    const declared = new Map<number, string[]>();
    for (let i = 0; i < 1000; i++) {
      now += 400;
      const policy = random(40);
      const segments = lists[random(lists.length)]!;
      table.set([{ policy, segments, mtu: 1500 }]);
      declared.set(policy, segments);
      for (const [id, wanted] of declared) {
        assert.deepEqual(table.status(id)!.segments, wanted);
        if (wanted.length > 0) assert.equal(slot(id).destination, octets(wanted[0]!));
        else assert.equal(slotNumber(id), 0);
      }
    }
  });
});

describe('owners of policy blocks', () => {
  it('come back from the map, and go', () => {
    const map = new MemoryMap('owners', 4, OWNER_VALUE_LENGTH, 100);
    const owner = { service: 'fd5e::1', exit: 'fc00:bb:2::1', instance: 4_000_000_000 };
    writeOwner(map, 1, owner);
    writeOwner(map, 70_000, { ...owner, service: '192.0.2.1' });
    assert.deepEqual(readOwners(map), [{ block: 1, owner }, { block: 70_000, owner: { ...owner, service: '192.0.2.1' } }]);
    writeOwner(map, 1, undefined);
    assert.deepEqual(readOwners(map).map(({ block }) => block), [70_000]);
  });

  it('refuse a name that does not fit', () => {
    const map = new MemoryMap('owners', 4, OWNER_VALUE_LENGTH, 100);
    assert.throws(() => writeOwner(map, 1, { service: 'x'.repeat(60), exit: '', instance: 1 }), RangeError);
    assert.equal(map.size, 0);
  });
});
