import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { encodeKeepalive } from '../../../daemon/bgp/wire/encode.js';
import { packAnnouncements } from '../../../daemon/bgp/wire/pack.js';
import { EMPTY_ATTRIBUTES, IPV6_UNICAST, type EncodeContext } from '../../../daemon/bgp/wire/types.js';
import { Prefix } from '../../../dataplane/packet/ip.js';
import { Network } from './network.js';
import { RawPeer } from './raw-peer.js';

const prefixes = (count: number): string[] => Array.from({ length: count }, (_, i) => `2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::/64`);

describe('A peer that does not read', () => {
  test('costs no queue that grows, and gets the last state when it reads again', () => {
    const network = new Network();
    const node = network.node({ as: 65000 });
    const peer = RawPeer.established(network, node);
    const list = prefixes(12_000);
    peer.stream!.pause();
    // Every round changes every route; a queue of messages would hold all rounds.
    const octets: number[] = [];
    for (let round = 1; round <= 4; round++) {
      node.speaker.announceBatch(list.map((prefix, i) => ({ prefix, med: round, communities: [i & 0xff] })));
      network.settle(1000);
      octets.push(node.view(peer.address).messages.octetsSent);
    }
    assert.equal(octets[3], octets[1], `octets sent after each round: ${octets.join(' ')}`);
    assert.ok(octets[3]! < 1_000_000, `${octets[3]!} octets`);
    peer.stream!.resume();
    network.settle(2000);
    const held = new Map<string, number | undefined>();
    for (const message of peer.received) {
      if (message.type !== 'update') continue;
      for (const { nlri } of message.announced) for (const item of nlri) held.set(item.prefix.toString(), message.attributes?.med);
    }
    assert.equal(held.size, list.length);
    assert.ok([...held.values()].every((med) => med === 4));
  });

  test('gets keepalives nevertheless, and a peer beside it all routes', () => {
    const network = new Network();
    const node = network.node({ as: 65000 });
    const other = network.node({ as: 65002 });
    network.connect(node, other);
    const peer = RawPeer.established(network, node);
    network.start(other);
    network.settle(10_000);
    peer.stream!.pause();
    node.speaker.announceBatch(prefixes(30_000).map((prefix) => ({ prefix })));
    network.settle(1000);
    assert.equal(other.unicast.size, 30_000);
    const before = node.view(peer.address).messages.sent.keepalive;
    network.settle(60_000);
    assert.ok(node.view(peer.address).messages.sent.keepalive > before);
  });
});

test('A peer that reads nothing for eight minutes, though it sends, is given up with Send Hold Timer Expired', () => {
  const network = new Network();
  const node = network.node({ as: 65000 });
  const peer = RawPeer.established(network, node);
  peer.stream!.pause();
  for (let minute = 0; minute < 7; minute++) {
    peer.send(encodeKeepalive());
    network.settle(60_000);
    assert.equal(node.state(peer.address), 'Established');
  }
  peer.send(encodeKeepalive());
  network.settle(60_000);
  peer.send(encodeKeepalive());
  network.settle(60_000);
  assert.notEqual(node.state(peer.address), 'Established');
  assert.equal(node.view(peer.address).lastError?.code, 8);
});

describe('A peer that sends a full table at once', () => {
  const context: EncodeContext = { fourOctetAs: true, addPath: () => false, extendedMessage: false, ibgp: false, cpnAttributeType: 255 };

  /** `count` UPDATEs, a route each. */
  const table = (count: number): Uint8Array[] =>
    prefixes(count).flatMap((prefix, i) => {
      const nlri = [{ prefix: Prefix.from(prefix), pathId: 0 }];
      const attributes = { ...EMPTY_ATTRIBUTES, asPath: [{ type: 2, as: [65001, i + 1] }] as const };
      return packAnnouncements({ family: IPV6_UNICAST, nextHop: { address: '2001:db8::bad', linkLocal: undefined }, nlri }, attributes, context) ?? [];
    });

  test('is read in slices, with other work in between', () => {
    const network = new Network();
    const node = network.node({ as: 65000 });
    const peer = RawPeer.established(network, node);
    const all = Buffer.concat(table(2000));
    const progress: number[] = [];
    const watch = (): void => {
      progress.push(node.view(peer.address).messages.received.update);
      if (progress.at(-1)! < 2000) network.clock.setTimeout(watch, 0);
    };
    network.clock.setTimeout(watch, 1);
    peer.send(all);
    assert.equal(progress.at(-1), 2000);
    const steps = progress.slice(1).map((count, i) => count - progress[i]!);
    assert.ok(Math.max(...steps) <= 64, `messages between two turns of others: ${Math.max(...steps)}`);
    assert.equal(node.unicast.size, 2000);
  });

  test('and then a NOTIFICATION loses nothing of either', () => {
    const network = new Network();
    const node = network.node({ as: 65000 });
    const peer = RawPeer.established(network, node);
    for (const bytes of table(500)) peer.stream!.write(bytes);
    peer.send(encodeKeepalive(), Uint8Array.from(Buffer.from(`${'ff'.repeat(16)}0015030602`, 'hex')));
    network.settle(100);
    assert.equal(node.view(peer.address).messages.received.update, 500);
    assert.deepEqual([node.view(peer.address).lastError?.code, node.view(peer.address).lastError?.subcode], [6, 2]);
    assert.equal(node.unicast.size, 0);
  });
});
