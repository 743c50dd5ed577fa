import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BgpNeighborConfig } from '../../../../daemon/config/types.js';
import type { NotificationMessage } from '../../../../daemon/bgp/wire/types.js';
import { neighbor, Network, type Node } from '../network.js';
import { RawPeer } from '../raw-peer.js';

const prefixes = (count: number): { prefix: string }[] => Array.from({ length: count }, (_, index) => ({ prefix: `2001:db8:${(index + 1).toString(16)}::/48` }));

const limit = (routes: number, action: 'warn' | 'restart' | 'shutdown', restartAfterMs = 300_000): Partial<BgpNeighborConfig> => ({
  maxPrefix: { 'ipv6-unicast': { limit: routes, warnPercent: 75, action, restartAfterMs } },
});

function pair(options: Partial<BgpNeighborConfig>): { network: Network; a: Node; b: Node } {
  return Network.pair({}, {}, {}, options);
}

const said = (node: Node, text: string): number => node.events.filter((event) => event.text.includes(text)).length;

describe('Maximum Number of Prefixes Reached', () => {
  test('4486 section 4: the session ends with Cease 1 and AFI, SAFI and the bound as data', () => {
    const network = new Network();
    const sender = network.node({ as: 65001 });
    const node = network.node();
    network.connect(sender, node);
    const peer = RawPeer.established(network, node, 65002, undefined, limit(3, 'shutdown'));
    // The raw peer sends what the sender's speaker has made: one UPDATE with four prefixes.
    const nlri = prefixes(4).map(({ prefix }) => `30 2001 0db8 ${prefix.split(':')[2]!.padStart(4, '0')}`).join('');
    const reach = `0002 01 10 20010db8000000000000000000000bad 00 ${nlri}`.replaceAll(' ', '');
    const attributes = Buffer.from(`400101004002060201 0000fdea 800e${(reach.length / 2).toString(16).padStart(2, '0')}${reach}`.replaceAll(' ', ''), 'hex');
    const body = Buffer.alloc(4 + attributes.length);
    body.writeUInt16BE(attributes.length, 2);
    attributes.copy(body, 4);
    const header = Buffer.alloc(19, 0xff);
    header.writeUInt16BE(19 + body.length, 16);
    header[18] = 2;
    peer.send(Buffer.concat([header, body]));
    const cease = peer.received.find((message): message is NotificationMessage => message.type === 'notification');
    assert.deepEqual([cease?.code, cease?.subcode, Buffer.from(cease?.data ?? []).toString('hex')], [6, 1, '00020100000003']);
    assert.equal(node.speaker.routes().length, 0);
  });

  test('4486 section 4: at the limit nothing happens but the warning before it, said once', () => {
    const { network, a, b } = pair(limit(4, 'shutdown'));
    a.speaker.announceBatch(prefixes(3));
    network.settle();
    a.speaker.announceBatch(prefixes(4));
    network.settle();
    assert.deepEqual([b.state(a), said(b, '75 % of the limit of 4'), b.unicast.size], ['Established', 1, 4]);
  });

  test('4486 section 4: with shutdown the neighbour stays down until the operator clears it', () => {
    const { network, a, b } = pair(limit(4, 'shutdown'));
    a.speaker.announceBatch(prefixes(5));
    network.settle();
    assert.deepEqual([b.state(a), b.unicast.size, said(b, 'down until it is cleared')], ['Idle', 0, 1]);
    network.settle(600_000);
    assert.equal(b.state(a), 'Idle');
    for (const { prefix } of prefixes(5).slice(1)) a.speaker.withdraw(prefix);
    b.speaker.clearNeighbor(a.address);
    network.settle(120_000);
    assert.deepEqual([b.state(a), b.unicast.size], ['Established', 1]);
  });

  test('4486 section 4: with restart it comes back after its time', () => {
    const { network, a, b } = pair(limit(4, 'restart', 60_000));
    a.speaker.announceBatch(prefixes(5));
    network.settle();
    for (const { prefix } of prefixes(5).slice(2)) a.speaker.withdraw(prefix);
    network.settle(50_000);
    assert.equal(b.state(a), 'Idle');
    network.settle(120_000);
    assert.deepEqual([b.state(a), b.unicast.size], ['Established', 2]);
  });

  test('4486 section 4: with warn the routes stay', () => {
    const { network, a, b } = pair(limit(4, 'warn'));
    a.speaker.announceBatch(prefixes(6));
    network.settle();
    assert.deepEqual([b.state(a), b.unicast.size, said(b, 'more than the limit of 4')], ['Established', 6, 1]);
  });

  test('4486 section 4: routes that the import policy rejects count too, and those that are withdrawn do not', () => {
    const { network, a, b } = pair({ ...limit(4, 'shutdown'), import: 'none' });
    for (const { prefix } of prefixes(8)) {
      a.speaker.announce({ prefix });
      network.settle(50);
      a.speaker.withdraw(prefix);
      network.settle(50);
    }
    assert.equal(b.state(a), 'Established');
    a.speaker.announceBatch(prefixes(5));
    network.settle();
    assert.equal(b.state(a), 'Idle');
  });

  test('4486 section 4: a limit that is configured later holds for what is there', () => {
    const { network, a, b } = pair({});
    a.speaker.announceBatch(prefixes(5));
    network.settle();
    b.neighbors = [neighbor(a.address, b.address, 65000, limit(4, 'shutdown'))];
    b.speaker.reconfigure(b.config());
    network.settle();
    assert.equal(b.state(a), 'Idle');
  });
});
