import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { LocRib } from '../../../daemon/bgp/loc-rib.js';
import type { Path } from '../../../daemon/bgp/path.js';
import type { GroupMember, GroupRules } from '../../../daemon/bgp/update-group.js';
import { UpdateGroups } from '../../../daemon/bgp/update-groups.js';
import { decodeMessage } from '../../../daemon/bgp/wire/decode.js';
import { MessageFramer } from '../../../daemon/bgp/wire/framer.js';
import { type DecodeContext, EMPTY_ATTRIBUTES, type EncodeContext } from '../../../daemon/bgp/wire/types.js';
import { ManualClock } from '../../../daemon/clock.js';
import { Prefix } from '../../../dataplane/packet/ip.js';
import { Network, type Node } from './network.js';

const context: EncodeContext & DecodeContext = { fourOctetAs: true, addPath: () => false, extendedMessage: false, ibgp: true, cpnAttributeType: 255 };
const nextHop = { address: '2001:db8::1', linkLocal: undefined };

const rules = (key: string, med = 0): GroupRules => ({
  key,
  exportRoute: ({ attributes }) => ({ nextHop, attributes: med === 0 ? attributes : { ...attributes, med } }),
  addPath: () => false,
  families: () => true,
  marksEvery: () => false, advertisementIntervalMs: 0,
  encode: context,
});

/** A peer that remembers what it was told. */
class Listener {
  readonly held = new Map<string, number | undefined>();
  readonly writes: Uint8Array[] = [];
  readonly stream = { buffered: 0 };
  member: GroupMember | undefined;
  caughtUp = 0;
  messages = 0;

  constructor(readonly address: string) {}

  join(groups: UpdateGroups, own: GroupRules): void {
    const { stream } = this;
    this.member = groups.join({ address: this.address, connection: { stream, sendEncoded: (_, count, bytes) => this.hear(count, bytes) }, caughtUp: () => this.caughtUp++, report: () => undefined }, own);
  }

  private hear(count: number, bytes: Uint8Array): void {
    const { messages } = new MessageFramer().push(bytes);
    assert.equal(messages.length, count);
    this.messages += count;
    this.writes.push(bytes);
    for (const octets of messages) {
      const result = decodeMessage(octets, context);
      assert.ok(result.ok && result.message.type === 'update');
      const { withdrawn, announced, attributes } = result.message;
      for (const { prefix } of withdrawn) this.held.delete(prefix.toString());
      for (const { nlri } of announced) for (const { prefix } of nlri) this.held.set(prefix.toString(), attributes?.med);
    }
  }
}

/** A Loc-RIB whose decisions reach update groups. */
class Fixture {
  readonly clock = new ManualClock();
  readonly locRib = new LocRib(() => ({ cost: 1 }));
  readonly groups = new UpdateGroups(this.clock, this.locRib, () => ({ cost: 1 }));

  put(index: number, med: number, from = 'elsewhere'): void {
    const path: Path = {
      prefix: Prefix.from(`2001:db8:${index.toString(16)}::/48`),
      source: { address: from, as: 1, kind: 'ebgp', identifier: 1 },
      pathId: 0,
      nextHop,
      attributes: { ...EMPTY_ATTRIBUTES, med },
      receivedAt: 0,
      rejected: undefined,
      stale: false,
      localId: 0,
    };
    this.locRib.put(path);
    this.decide();
  }

  remove(index: number, from = 'elsewhere'): void {
    this.locRib.remove(Prefix.from(`2001:db8:${index.toString(16)}::/48`), { address: from, as: 1, kind: 'ebgp', identifier: 1 }, 0);
    this.decide();
  }

  decide(): void {
    for (const { entry, previousBest } of this.locRib.decide(Infinity)) this.groups.mark(entry, entry.best !== previousBest);
  }

  listener(address: string, own = rules('same')): Listener {
    const listener = new Listener(address);
    listener.join(this.groups, own);
    return listener;
  }
}

describe('Update groups', () => {
  it('encode once for peers of equal rules, and write the same octets to both', () => {
    const fixture = new Fixture();
    const [a, b] = [fixture.listener('a'), fixture.listener('b')];
    for (let i = 0; i < 100; i++) fixture.put(i, i);
    fixture.clock.advance(10);
    assert.equal(a.held.size, 100);
    assert.deepEqual(a.held, b.held);
    assert.ok(a.writes.length > 0);
    for (const [i, octets] of a.writes.entries()) assert.equal(octets, b.writes[i]);
  });

  it('do not tell a peer its own route, and take back what it replaces', () => {
    const fixture = new Fixture();
    const [a, b] = [fixture.listener('a'), fixture.listener('b')];
    fixture.put(1, 5);
    fixture.clock.advance(10);
    assert.deepEqual([a.held.size, b.held.size], [1, 1]);
    // The route of a wins by nothing but its being the only one left.
    fixture.remove(1);
    fixture.put(1, 7, 'a');
    fixture.clock.advance(10);
    assert.deepEqual([a.held.size, b.held.get('2001:db8:1::/48')], [0, 7]);
    assert.deepEqual([a.member!.size, b.member!.size], [0, 1]);
  });

  it('begin apart for a session that comes up later, and become one when it has caught up', () => {
    const fixture = new Fixture();
    const a = fixture.listener('a');
    for (let i = 0; i < 50; i++) fixture.put(i, i);
    fixture.clock.advance(10);
    const b = fixture.listener('b');
    assert.equal(fixture.groups.size, 2);
    fixture.clock.advance(10);
    assert.equal(fixture.groups.size, 1);
    assert.equal(a.member!.group, b.member!.group);
    assert.deepEqual(b.held, a.held);
    assert.ok(b.caughtUp > 0);
  });

  it('give a peer that does not read a group of its own, so that the others go on, and take it back', () => {
    const fixture = new Fixture();
    const [a, b] = [fixture.listener('a'), fixture.listener('b')];
    fixture.clock.advance(10);
    b.stream.buffered = 1 << 20;
    fixture.put(1, 1);
    fixture.clock.advance(100);
    assert.equal(a.held.size, 0);
    fixture.clock.advance(1000);
    assert.equal(a.held.size, 1);
    assert.equal(b.held.size, 0);
    fixture.remove(1);
    fixture.put(2, 2);
    fixture.clock.advance(10);
    b.stream.buffered = 0;
    b.member!.group.pump();
    assert.deepEqual([...b.held.keys()], ['2001:db8:2::/48']);
    assert.equal(b.messages, 1);
    assert.equal(fixture.groups.size, 1);
  });

  it('send a family again to the one peer that asked for it', () => {
    const fixture = new Fixture();
    const [a, b] = [fixture.listener('a'), fixture.listener('b')];
    for (let i = 0; i < 30; i++) fixture.put(i, 1);
    fixture.clock.advance(10);
    const before = [a.messages, b.messages];
    b.held.clear();
    fixture.groups.resend(b.member!, 'ipv6-unicast');
    fixture.clock.advance(10);
    assert.equal(b.held.size, 30);
    assert.deepEqual(b.held, a.held);
    assert.equal(a.messages, before[0]);
    assert.equal(fixture.groups.size, 1);
  });

  it('tell a peer of other rules what differs, and nothing to the rest', () => {
    const fixture = new Fixture();
    const [a, b] = [fixture.listener('a'), fixture.listener('b')];
    for (let i = 0; i < 30; i++) fixture.put(i, 1);
    fixture.clock.advance(10);
    const before = a.messages;
    fixture.groups.setRules(b.member!, rules('other', 9));
    fixture.clock.advance(10);
    assert.ok([...b.held.values()].every((med) => med === 9));
    assert.equal(a.messages, before);
    assert.equal(fixture.groups.size, 2);
  });

  it('keep the number of an entry while a peer still has to hear of its end', () => {
    const fixture = new Fixture();
    const a = fixture.listener('a');
    fixture.put(1, 1);
    fixture.clock.advance(10);
    a.stream.buffered = 1 << 20;
    fixture.remove(1);
    fixture.put(2, 2);
    fixture.put(3, 3);
    a.stream.buffered = 0;
    fixture.clock.advance(10);
    assert.deepEqual(a.held, new Map([['2001:db8:2::/48', 2], ['2001:db8:3::/48', 3]]));
    fixture.put(4, 4);
    assert.ok(fixture.locRib.idLimit <= 3, `${fixture.locRib.idLimit} numbers for three prefixes`);
  });
});

/** Checks that each client of a reflector holds the best path of each prefix, unless it is its own. */
function check(reflector: Node, clients: readonly Node[], prefixes: readonly string[]): void {
  for (const client of clients) {
    let held = 0;
    for (const prefix of prefixes) {
      const best = reflector.best(prefix);
      const expected = best && best.peer !== client.address ? [[best.med, best.nextHop]] : [];
      const got = client.speaker.routes(prefix).filter(({ peer }) => peer === reflector.address);
      assert.deepEqual(got.map(({ med, nextHop: address }) => [med, address]), expected, `${prefix} at ${client.address}`);
      held += expected.length;
    }
    assert.equal(reflector.view(client).prefixes.sent, held);
  }
}

describe('Clients of one reflector', () => {
  const prefixes = Array.from({ length: 6 }, (_, i) => `2001:db8:${i + 1}::/48`);
  const operation = fc.record({ kind: fc.constantFrom('announce', 'announce', 'withdraw', 'reset', 'refresh'), client: fc.nat(2), prefix: fc.nat(5), med: fc.nat(3), wait: fc.constantFrom(0, 0, 3, 5000) });

  it('hold the best paths of the others, after anything that happened', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 40 }), (operations) => {
        const network = new Network();
        const reflector = network.node();
        const clients = [network.node(), network.node(), network.node()];
        for (const client of clients) network.connect(reflector, client, { routeReflectorClient: true });
        network.start(reflector, ...clients);
        network.settle(20_000);
        for (const { kind, client: index, prefix, med, wait } of operations) {
          const client = clients[index]!;
          if (kind === 'announce') client.speaker.announce({ prefix: prefixes[prefix]!, med });
          else if (kind === 'withdraw') client.speaker.withdraw(prefixes[prefix]!);
          else reflector.speaker.clearNeighbor(client.address, kind === 'refresh');
          network.settle(wait);
        }
        network.settle(120_000);
        check(reflector, clients, prefixes);
      }),
      { numRuns: 25 },
    );
  });
});
