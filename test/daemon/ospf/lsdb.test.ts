import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LsdbChange } from '../../../daemon/ospf/lsdb-changes.js';
import { buildLsa, withAge } from '../../../daemon/ospf/wire/lsa.js';
import { MAX_AGE, MAX_SEQUENCE } from '../../../daemon/ospf/wire/types.js';
import { injectUpdate, Network, pair, type Router } from './network.js';

const type = 0xbff0;
const lsaOf = (sequence: number, body = 'x', age = 1, router = 99, id = 1): ReturnType<typeof buildLsa> => buildLsa({ age, type, id, router, sequence }, Buffer.from(body));
const bodyAt = (router: Router, of: number, id = 1): string | undefined => {
  const lsa = router.engine.get({ type, id, router: of });
  return lsa && !lsa.isMaxAge ? Buffer.from(lsa.raw.subarray(20)).toString() : undefined;
};

describe('Link-state database (RFC 2328 sections 12 to 14)', () => {
  test('own LSAs are refreshed before half an hour is over, for hours, and never time out elsewhere', () => {
    const { network, a, b } = pair();
    a.engine.originate(type, 1, Buffer.from('kept'));
    network.seconds(20);
    const first = b.engine.get({ type, id: 1, router: 1 })!.header.sequence;
    const refreshed: boolean[] = [];
    b.engine.onLsdbChange((changes) => {
      for (const { key, changed } of changes) if (key.type === type) refreshed.push(changed);
    });
    network.seconds(3 * 3600);
    assert.equal(bodyAt(b, 1), 'kept');
    const count = b.engine.get({ type, id: 1, router: 1 })!.header.sequence - first;
    assert.ok(count >= 6 && count <= 7, String(count));
    assert.deepEqual(refreshed, Array.from({ length: count }, () => false), 'refreshes change no contents');
    assert.deepEqual(a.database(), b.database());
  });

  test('the LSAs of a router that is gone stay for an hour, then leave every database together', () => {
    const network = new Network();
    const [a, b, c] = [network.router(), network.router(), network.router()];
    network.connect(a, b);
    network.connect(b, c);
    network.start();
    a.engine.originate(type, 1, Buffer.from('of the dead'));
    network.seconds(30);
    a.engine.stop({ keepForwarding: true });
    network.seconds(1700);
    assert.equal(bodyAt(c, 1), 'of the dead');
    const gone: LsdbChange[] = [];
    c.engine.onLsdbChange((changes) => gone.push(...changes.filter(({ key }) => key.router === 1)));
    network.seconds(2000);
    assert.equal([...c.engine.lsas({ router: 1 })].length, 0);
    assert.equal(c.engine.get({ type, id: 1, router: 1 }), undefined, 'not even as MaxAge');
    assert.deepEqual([...new Set(gone.map(({ after }) => after))], [undefined]);
    assert.ok(gone.every(({ before, changed }) => before !== undefined && changed));
    assert.deepEqual(b.database(), c.database());
  });

  test('a flush reaches everybody at once and leaves nothing behind', () => {
    const network = new Network();
    const routers = Array.from({ length: 5 }, () => network.router());
    for (let i = 1; i < 5; i++) network.connect(routers[i - 1]!, routers[i]!);
    network.start();
    routers[0]!.engine.originate(type, 1, Buffer.from('short'));
    network.seconds(30);
    assert.equal(bodyAt(routers[4]!, 1), 'short');
    routers[0]!.engine.flush(type, 1);
    network.clock.advance(50);
    assert.equal(bodyAt(routers[4]!, 1), undefined);
    network.seconds(10);
    for (const router of routers) assert.equal(router.engine.get({ type, id: 1, router: 1 }), undefined);
  });

  test('a flush right after its LSA waits until receivers take it, MinLSArrival, instead of being sent again later', () => {
    const { network, a, b } = pair();
    network.seconds(30);
    a.engine.originate(type, 1, Buffer.from('short'));
    network.clock.advance(300);
    a.engine.flush(type, 1);
    network.clock.advance(900);
    assert.equal(bodyAt(b, 1), undefined);
    assert.equal(b.engine.interfaceViews()[0]!.counters['dropped too soon'], undefined);
    // Said again while it waits: it stays.
    network.seconds(10);
    a.engine.originate(type, 1, Buffer.from('here'));
    network.clock.advance(300);
    a.engine.flush(type, 1);
    a.engine.originate(type, 1, Buffer.from('here again'));
    for (let i = 0; i < 100; i++) {
      network.clock.advance(100);
      assert.match(bodyAt(b, 1)!, i < 40 ? /^here$/ : /^here/);
    }
    assert.equal(bodyAt(b, 1), 'here again');
  });

  test('an orderly stop takes back all that the router said, in one turn', () => {
    const { network, a, b } = pair();
    a.engine.setExternals([]);
    a.engine.originate(type, 1, Buffer.from('mine'));
    network.seconds(30);
    a.engine.stop({ keepForwarding: false });
    network.clock.advance(10);
    assert.equal([...b.engine.lsas({ router: 1 })].length, 0);
    assert.equal(b.stateOf(a), 'Init');
    assert.equal(b.lost.length, 1);
  });

  test('a router that restarts takes over what its earlier life left, and flushes what it no longer says', () => {
    const network = new Network();
    const [a, b, c] = [network.router(), network.router(), network.router()];
    network.connect(a, b);
    network.connect(b, c);
    network.start();
    a.engine.originate(type, 1, Buffer.from('said again'));
    a.engine.originate(type, 2, Buffer.from('said no more'));
    network.seconds(10);
    for (let i = 0; i < 5; i++) {
      network.seconds(6);
      a.engine.originate(type, 1, Buffer.from(`said again ${i}`));
    }
    network.seconds(10);
    a.engine.stop({ keepForwarding: true });
    a.start();
    a.engine.originate(type, 1, Buffer.from('said again'));
    network.seconds(60);
    for (const router of [a, b, c]) {
      assert.equal(bodyAt(router, 1, 1), 'said again');
      assert.equal(bodyAt(router, 1, 2), undefined);
      assert.deepEqual(router.database(), c.database());
    }
    assert.ok(a.events.some((event) => event.kind === 'own-lsa-received' && event.action === 'superseded'));
    assert.ok(a.events.some((event) => event.kind === 'own-lsa-received' && event.action === 'flushed'));
  });

  test('an LSA changes at most once in MinLSInterval, and ends with what was said last', () => {
    const { network, a, b } = pair();
    network.seconds(20);
    const seen: string[] = [];
    b.engine.onLsdbChange((changes) => {
      for (const { after } of changes) if (after?.header.type === type) seen.push(Buffer.from(after.raw.subarray(20)).toString());
    });
    for (let i = 0; i < 100; i++) {
      a.engine.originate(type, 1, Buffer.from(`value ${i}`));
      network.clock.advance(100);
    }
    network.seconds(10);
    assert.deepEqual([seen[0], seen.at(-1), seen.length], ['value 0', 'value 99', 3]);
    // Changed and changed back while it had to wait: nothing to say.
    a.engine.originate(type, 1, Buffer.from('something else'));
    network.clock.advance(100);
    a.engine.originate(type, 1, Buffer.from('and more'));
    a.engine.originate(type, 1, Buffer.from('something else'));
    network.seconds(20);
    assert.deepEqual(seen.slice(3), ['something else']);
  });

  test('a newer LSA that comes within MinLSArrival of the last is not taken until it is sent again', () => {
    const { network, a, b, wire } = pair();
    network.seconds(20);
    injectUpdate(wire, b, [lsaOf(1, 'first')], a);
    network.clock.advance(500);
    injectUpdate(wire, b, [lsaOf(2, 'second')], a);
    assert.equal(bodyAt(a, 99), 'first');
    assert.equal(a.engine.interfaceViews()[0]!.counters['dropped too soon'], 1);
    network.clock.advance(600);
    injectUpdate(wire, b, [lsaOf(2, 'second')], a);
    assert.equal(bodyAt(a, 99), 'second');
  });

  test('an LSA that was just taken is flushed at once: a flush that is not listened to goes round for ever behind its LSA', () => {
    const { network, a, b, wire } = pair();
    network.seconds(20);
    const lsa = lsaOf(1, 'flushed long ago');
    injectUpdate(wire, b, [lsa], a);
    network.clock.advance(2);
    injectUpdate(wire, b, [withAge(lsa, MAX_AGE)], a);
    assert.equal(bodyAt(a, 99), undefined);
    // Another instance has to wait, be it one that is flushed.
    network.seconds(5);
    injectUpdate(wire, b, [lsaOf(3, 'and again')], a);
    network.clock.advance(2);
    injectUpdate(wire, b, [withAge(lsaOf(4, 'no more'), MAX_AGE)], a);
    assert.equal(bodyAt(a, 99), 'and again');
  });

  test('after the last sequence number the LSA is flushed and begins with the first', () => {
    const { network, a, b, wire } = pair();
    a.engine.originate(type, 1, Buffer.from('mine'));
    network.seconds(20);
    // What an attacker, or a fault, may have made of it.
    injectUpdate(wire, b, [lsaOf(MAX_SEQUENCE, 'not mine', 1, 1)], a);
    network.seconds(20);
    for (const router of [a, b]) {
      assert.equal(bodyAt(router, 1), 'mine');
      assert.ok(router.engine.get({ type, id: 1, router: 1 })!.header.sequence < 0);
    }
  });

  test('an older LSA is answered with the newer one', () => {
    const { network, a, b, wire } = pair();
    network.seconds(20);
    injectUpdate(wire, b, [lsaOf(5, 'newer')], a);
    network.seconds(2);
    let answers = 0;
    wire.tap = (bytes, source) => {
      if (source === a.linkLocal('eth0') && bytes[1] === 4) answers++;
    };
    for (let i = 0; i < 10; i++) {
      injectUpdate(wire, b, [lsaOf(4, 'older')], a);
      network.clock.advance(50);
    }
    assert.equal(answers, 1, 'once in MinLSArrival');
    network.seconds(1);
    injectUpdate(wire, b, [lsaOf(4, 'older')], a);
    network.clock.advance(1);
    assert.equal(answers, 2);
  });

  test('an LSA of MaxAge that nobody has is acknowledged and forgotten', () => {
    const { network, a, b, wire } = pair();
    network.seconds(20);
    let acknowledgments = 0;
    wire.tap = (bytes, source) => {
      if (source === a.linkLocal('eth0') && bytes[1] === 5) acknowledgments++;
    };
    injectUpdate(wire, b, [lsaOf(4, 'late', 3600)], a);
    network.clock.advance(1);
    assert.equal(acknowledgments, 1);
    assert.equal(a.engine.get({ type, id: 1, router: 99 }), undefined);
  });

  test('LSAs of unknown types go as far as U bit and scope say, those of reserved scope nowhere', () => {
    const network = new Network();
    const [a, b, c] = [network.router(), network.router(), network.router()];
    const wire = network.connect(a, b);
    network.connect(a, c);
    network.start();
    network.seconds(30);
    const unknown = (code: number): ReturnType<typeof buildLsa> => buildLsa({ age: 1, type: code, id: 1, router: 99, sequence: 1 }, Buffer.from('abcd'));
    injectUpdate(wire, b, [unknown(0xa0ff), unknown(0x20ff), unknown(0xc0ff), unknown(0x40ff), unknown(0x80ff), unknown(0xe0ff)], a);
    network.seconds(5);
    assert.deepEqual([...c.engine.lsas({ router: 99 })].map(({ header }) => header.type), [0xa0ff, 0xc0ff]);
    assert.deepEqual([...a.engine.lsas({ scope: 'link', router: 99 })].map(({ header }) => header.type).sort((x, y) => x - y), [0x20ff, 0x40ff, 0x80ff]);
    assert.equal(a.engine.interfaceViews()[0]!.counters['dropped scope'], 1);
    assert.throws(() => a.engine.originate(0xe0ff, 1, Buffer.alloc(4)), /reserved/);
    assert.throws(() => a.engine.originate(0x000f, 1, Buffer.alloc(4)), /interface/);
    a.engine.originate(0x800f, 1, Buffer.alloc(4), 'eth1');
    network.seconds(1);
    assert.ok(c.engine.get({ type: 0x800f, id: 1, router: 1 }, 'eth0'));
    assert.equal([...b.engine.lsas({ type: 0x800f })].length, 0);
  });

  test('an LSA whose octets changed in memory is read again from the neighbors', () => {
    const { network, a, b } = pair();
    b.engine.originate(type, 1, Buffer.from('sound'));
    network.seconds(20);
    const stored = a.engine.get({ type, id: 1, router: 2 })!;
    stored.raw[21]! ^= 0xff;
    network.seconds(400);
    assert.ok(a.events.some(({ kind }) => kind === 'lsa-corrupted'));
    assert.equal(bodyAt(a, 2), 'sound');
  });
});

describe('Protection of the database', () => {
  test('more LSAs than allowed take the router out of the network for a while, longer each time, and it comes back by itself', () => {
    const network = new Network();
    const a = network.router({ maxLsas: 50 });
    const b = network.router();
    network.connect(a, b);
    network.start();
    network.seconds(20);
    assert.equal(a.stateOf(b), 'Full');
    for (let id = 1; id <= 100; id++) b.engine.originate(type, id, Buffer.from('flood'));
    network.seconds(5);
    const event = a.events.find(({ kind }) => kind === 'lsdb-overload');
    assert.deepEqual(event, { kind: 'lsdb-overload', lsas: 50, maximum: 50, coolOffMs: 60_000 });
    assert.equal(a.engine.status().overloaded, true);
    assert.equal(a.engine.status().foreignLsas, 0);
    assert.equal(a.engine.neighborViews().length, 0);
    assert.deepEqual(a.lost.length, 1);
    network.seconds(120);
    assert.deepEqual(a.events.flatMap((entry) => (entry.kind === 'lsdb-overload' ? [entry.coolOffMs] : [])), [60_000, 120_000]);
    for (let id = 1; id <= 100; id++) b.engine.flush(type, id);
    network.seconds(300);
    assert.equal(a.stateOf(b), 'Full');
    assert.equal(a.engine.status().overloaded, false);
    assert.deepEqual(a.database(), b.database());
  });
});
