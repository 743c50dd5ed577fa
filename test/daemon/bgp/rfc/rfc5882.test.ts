/** BFD for BGP: RFC 5882 sections 3, 4.3 and 10.2, RFC 9384. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { BfdHandle, BfdListener, BfdRegistrar, BfdRequest, BfdVerdict } from '../../../../daemon/bfd/types.js';
import type { BgpBfdConfig, BgpNeighborConfig } from '../../../../daemon/config/types.js';
import { Network, type Node } from '../network.js';

/** BFD that says what a test wants. */
class SaidBfd implements BfdRegistrar {
  readonly watched = new Map<BfdRequest, BfdListener>();

  register(request: BfdRequest, listener: BfdListener): BfdHandle {
    this.watched.set(request, listener);
    return { unregister: () => void this.watched.delete(request) };
  }

  say(verdict: BfdVerdict, controlPlaneIndependent = false): void {
    for (const listener of [...this.watched.values()]) listener(verdict, { diagnostic: verdict === 'down' ? 1 : 0, at: 0, controlPlaneIndependent });
  }

  get requests(): BfdRequest[] {
    return [...this.watched.keys()];
  }
}

const bfdOf = (options: Partial<BgpBfdConfig> = {}): BgpBfdConfig => ({ profile: 'fast', strict: false, multihop: false, ...options });

function pair(bfd: BgpBfdConfig, right: Partial<BgpNeighborConfig> = {}): { network: Network; a: Node; b: Node; said: SaidBfd } {
  const said = new SaidBfd();
  return { ...Network.pair({ speaker: { bfd: said } }, {}, { bfd }, right), said };
}

const notifications = (node: Node): string[] => node.events.filter(({ kind }) => kind === 'notification').map(({ text }) => text);

describe('a BGP neighbor with BFD', () => {
  it('is watched under its addresses and profile while it is configured', () => {
    const { network, a, b, said } = pair(bfdOf({ multihop: true }));
    assert.deepEqual(said.requests, [{ client: 'bgp', peer: b.address, localAddress: a.address, multihop: true, profile: 'fast' }]);
    a.neighbors = [{ ...a.neighbors[0]!, bfd: bfdOf({ multihop: true, profile: 'slow' }) }];
    a.speaker.reconfigure(a.config());
    assert.deepEqual(said.requests.map(({ profile }) => profile), ['slow']);
    a.speaker.shutdownNeighbor(b.address);
    assert.deepEqual(said.requests, []);
    a.speaker.enableNeighbor(b.address);
    assert.equal(said.requests.length, 1);
    network.settle(5000);
    assert.equal(a.state(b), 'Established');
    a.neighbors = [{ ...a.neighbors[0]!, bfd: undefined }];
    a.speaker.reconfigure(a.config());
    assert.deepEqual([said.requests, a.state(b), a.view(b).bfd], [[], 'Established', undefined]);
    a.speaker.stop();
  });

  it('does not wait for BFD, and shows what it says', () => {
    const { a, b, said } = pair(bfdOf());
    assert.deepEqual([a.state(b), a.view(b).bfd], ['Established', 'not up']);
    said.say('up');
    assert.equal(a.view(b).bfd, 'up');
  });

  it('goes down at once with Cease / BFD Down, and its routes with it', () => {
    const { network, a, b, said } = pair(bfdOf(), { passive: true });
    b.speaker.announce({ prefix: '2001:db8:b::/48' });
    network.settle();
    assert.ok(a.unicast.has('2001:db8:b::/48'));
    said.say('up');
    said.say('down');
    network.settle(10);
    assert.notEqual(a.state(b), 'Established');
    assert.equal(a.unicast.size, 0);
    // Both restart gracefully with RFC 8538: the subcode travels in a Hard Reset (RFC 9384 section 3).
    assert.deepEqual(notifications(a), ['sent Cease: Hard Reset (Cease: BFD Down) (6/9)']);
    assert.deepEqual(notifications(b), ['received Cease: Hard Reset (Cease: BFD Down) (6/9)']);
    assert.equal(b.unicast.size, 0);
    network.settle(20_000);
    assert.equal(a.state(b), 'Established', 'without strict the session comes back without BFD');
  });

  it('stays up when the peer switches BFD off (RFC 5882 section 3.2)', () => {
    const { network, a, b, said } = pair(bfdOf(), { passive: true });
    said.say('up');
    said.say('adminDown');
    network.settle(5000);
    assert.deepEqual([a.state(b), notifications(a)], ['Established', []]);
  });

  it('waits with strict until BFD is up, and again when it is down', () => {
    const { network, a, b, said } = pair(bfdOf({ strict: true }));
    network.settle(60_000);
    assert.notEqual(a.state(b), 'Established');
    assert.equal(a.view(b).bfd, 'not up, waited for');
    said.say('up');
    network.settle(10_000);
    assert.equal(a.state(b), 'Established');
    said.say('down');
    network.settle(60_000);
    assert.equal(a.state(b), 'Idle');
    assert.equal(a.view(b).bfd, 'down, waited for');
    said.say('up');
    network.settle(60_000);
    assert.equal(a.state(b), 'Established');
  });

  it('does not wait with strict for a peer that switched BFD off, nor once strict is gone', () => {
    const off = pair(bfdOf({ strict: true }));
    off.said.say('adminDown');
    off.network.settle(60_000);
    assert.equal(off.a.state(off.b), 'Established');
    const { network, a, b } = pair(bfdOf({ strict: true }));
    a.neighbors = [{ ...a.neighbors[0]!, bfd: bfdOf() }];
    a.speaker.reconfigure(a.config());
    network.settle(60_000);
    assert.equal(a.state(b), 'Established');
  });

  it('stays shut down when BFD comes up', () => {
    const { network, a, b, said } = pair(bfdOf({ strict: true }));
    said.say('up');
    network.settle(10_000);
    a.speaker.shutdownNeighbor(b.address);
    said.say('up');
    network.settle(60_000);
    assert.equal(a.state(b), 'Idle');
  });

  it('stays down for its number of routes when BFD comes up', () => {
    const said = new SaidBfd();
    const { network, a, b } = Network.pair({ speaker: { bfd: said } }, {}, { bfd: bfdOf({ strict: true }), maxPrefix: { 'ipv6-unicast': { limit: 1, warnPercent: 100, action: 'shutdown', restartAfterMs: 0 } } });
    said.say('up');
    network.settle(10_000);
    b.speaker.announceBatch([{ prefix: '2001:db8:1::/48' }, { prefix: '2001:db8:2::/48' }]);
    network.settle();
    said.say('down');
    said.say('up');
    network.settle(60_000);
    assert.equal(a.state(b), 'Idle');
  });

  for (const [independent, kept] of [[false, 1], [true, 0]] as const) {
    it(`${kept === 1 ? 'keeps' : 'loses'} routes kept for a restart when BFD falls silent and the C bit is ${independent ? 'set' : 'clear'} (RFC 5882 section 4.3)`, () => {
      const { network, a, b, said } = pair(bfdOf());
      b.speaker.announce({ prefix: '2001:db8:b::/48' });
      network.settle();
      said.say('up');
      b.speaker.stop({ graceful: true });
      network.settle(100);
      assert.equal(a.unicast.size, 1, 'kept for the restart');
      said.say('down', independent);
      network.settle(100);
      assert.equal(a.unicast.size, kept);
    });
  }
});
