import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NO_CANDIDATE } from '../../dataplane/dataplane.js';
import { FakeDataplane } from '../../dataplane/fake.js';
import { Classifier, PacketKind } from '../../dataplane/packet/classify.js';
import { decodeFlowKey } from '../../dataplane/packet/flow-key.js';

const FLOW = { source: '2001:db8::1', destination: 'fd5e::1', protocol: 17, sourcePort: 1, destinationPort: 2 };
const SID = 'fc00:bb:2:1::';

describe('the dataplane in memory', () => {
  it('punts the first packet of a flow, pins the answer and counts the rest', () => {
    const { flows } = new FakeDataplane();
    let asked = 0;
    flows.onPunt(() => (asked++, 16));
    flows.setPolicies([{ policy: 16, segments: [SID], mtu: 1500 }]);
    assert.deepEqual(flows.packet(FLOW), { policy: 16, sent: true, segments: [SID] });
    flows.packet(FLOW);
    assert.equal(asked, 1);
    flows.evict(FLOW);
    flows.packet(FLOW);
    assert.equal(asked, 2);
    flows.setPolicies([{ policy: 16, segments: [], mtu: 1500 }]);
    assert.equal(flows.packet(FLOW).sent, false);
  });

  it('pins nothing where there is no candidate, and tells of flows that went idle', () => {
    const { flows } = new FakeDataplane();
    flows.onPunt(() => NO_CANDIDATE);
    assert.deepEqual(flows.packet(FLOW), { policy: NO_CANDIDATE, sent: false, segments: [] });
    assert.equal(flows.size, 0);
    flows.onPunt(() => 16);
    flows.packet(FLOW);
    const gone: number[] = [];
    flows.onExpired((keys) => gone.push(keys.length));
    flows.expire();
    flows.expire([FLOW]);
    assert.deepEqual(gone, [1, 0]);
  });

  it('keeps policies, owners and routes through a restart, and offers them for adoption', async () => {
    const dataplane = new FakeDataplane();
    dataplane.flows.setPolicies([{ policy: 16, segments: [SID], mtu: 1500 }]);
    dataplane.flows.setBlockOwner(1, { service: 'fd5e::1', exit: 'fc00:bb:2::1', instance: 1 });
    dataplane.routes.set({ prefix: 'fc00:bb:2::/48', target: { kind: 'unicast', nextHops: [{ interface: 'lo' }] } });
    await dataplane.close();
    assert.equal(dataplane.flows.adoptedBlocks().length, 1);
    assert.deepEqual(dataplane.flows.policyStatus(16)?.segments, [SID]);
    assert.equal(dataplane.routes.list().length, 0);
    assert.equal((await dataplane.routes.lookup('fc00:bb:2::1'))?.interface, 'lo');
    assert.equal(await dataplane.routes.sweepStale(), 1);
    assert.equal(await dataplane.routes.lookup('fc00:bb:2::1'), undefined);
  });

  it('switches routes with backups when an adjacency fails or its link goes down, also those declared later', async () => {
    const links = ['e0', 'e1'].map((name, index) => ({ name, index: index + 2, up: true, mtu: 1400, addresses: [] }));
    const dataplane = new FakeDataplane(links);
    const { routes } = dataplane;
    const backups = [{ protects: ['e0'], nextHop: { gateway: 'fe80::b', interface: 'e1' }, segments: [] }];
    const route = (prefix: string): void => routes.set({ prefix, target: { kind: 'unicast', nextHops: [{ gateway: 'fe80::a', interface: 'e0' }], backups } });
    const way = async (address: string): Promise<string | undefined> => (await routes.lookup(address))?.interface;
    route('fd01::/64');
    assert.deepEqual(routes.status('fd01::/64'), { installed: true, backup: { installed: true, active: false } });
    assert.equal(routes.failAdjacency('e0', 'fe80::c'), 0, 'another neighbour on that link');
    assert.equal(routes.failAdjacency('e0', 'fe80::a'), 1);
    assert.equal(routes.failAdjacency('e0', 'fe80::a'), 0);
    route('fd02::/64');
    assert.deepEqual([await way('fd01::1'), await way('fd02::1')], ['e1', 'e1']);
    assert.equal(routes.status('fd02::/64')?.backup?.active, true);
    routes.restoreAdjacency('e0', 'fe80::a');
    assert.deepEqual([await way('fd01::1'), await way('fd02::1')], ['e0', 'e0']);
    dataplane.setLinks(links.map((link) => ({ ...link, up: link.name !== 'e0' })));
    assert.equal(await way('fd01::1'), 'e1');
  });

  it('looks routes up by longest match, then metric, over links that are up', async () => {
    const link = { name: 'e0', index: 2, up: true, mtu: 1400, addresses: ['fd10::1/64'] };
    const dataplane = new FakeDataplane([link]);
    const { routes } = dataplane;
    routes.set({ prefix: '::/0', target: { kind: 'unicast', nextHops: [{ interface: 'e0', gateway: 'fd10::9' }] } });
    routes.set({ prefix: 'fd5e::/64', target: { kind: 'unreachable' } });
    assert.deepEqual(await routes.lookup('fd10::7'), { prefix: 'fd10::/64', isDefault: false, interface: 'e0', mtu: 1400, local: false });
    assert.equal((await routes.lookup('fd10::1'))?.local, true);
    assert.deepEqual(await routes.lookup('2001:db8::1'), { prefix: '::/0', isDefault: true, interface: 'e0', mtu: 1400, local: false, gateway: 'fd10::9' });
    assert.equal(await routes.lookup('fd5e::1'), undefined);
    dataplane.setLinks([{ ...link, up: false }]);
    assert.equal(await routes.lookup('2001:db8::1'), undefined);
  });

  it('refuses what a test wants refused', () => {
    const { flows, routes } = new FakeDataplane();
    flows.refuse(16, 'no slot');
    flows.setPolicies([{ policy: 16, segments: [SID], mtu: 1500 }]);
    assert.deepEqual(flows.policyStatus(16), { installed: false, error: 'no slot', segments: [SID], mtu: 1500 });
    routes.refuse('fc00::/48', 'Invalid argument');
    routes.set({ prefix: 'fc00::/48', target: { kind: 'unreachable' } });
    assert.deepEqual(routes.status('fc00::/48'), { installed: false, error: 'Invalid argument' });
    routes.refuse('fc00::/48', undefined);
    assert.deepEqual(routes.status('fc00::/48'), { installed: true });
  });

  it('punts an IPv4 packet where the addresses of a flow are IPv4, as the kernel would', () => {
    const { flows } = new FakeDataplane();
    flows.setPolicies([{ policy: 16, segments: [SID], mtu: 1500 }]);
    const key = { source: '10.0.0.2', destination: '198.51.100.1', protocol: 6, sourcePort: 1024, destinationPort: 443 };
    const classifier = new Classifier();
    flows.onPunt(({ arena, offset, length, key: octets }) => {
      assert.equal(classifier.classify(arena, offset, length), PacketKind.Flow);
      assert.deepEqual([decodeFlowKey(classifier.key), decodeFlowKey(octets)], [key, key]);
      return 16;
    });
    assert.deepEqual(flows.packet(key).segments, [SID]);
    assert.equal(flows.packet(key).policy, 16);
    assert.equal(flows.size, 1);
  });

  it('lowers the MTU of the policies a Packet Too Big is about', () => {
    const { flows } = new FakeDataplane();
    flows.setPolicies([{ policy: 16, segments: [SID], mtu: 1500 }, { policy: 17, segments: ['fc00::1'], mtu: 1500 }]);
    const told: [readonly number[], number][] = [];
    flows.onPathMtu((policies, mtu) => told.push([policies, mtu]));
    flows.packetTooBig([SID], 1300);
    assert.deepEqual(told, [[[16], 1300]]);
    assert.equal(flows.policyStatus(16)?.mtu, 1300);
    assert.equal(flows.policyStatus(17)?.mtu, 1500);
  });
});
