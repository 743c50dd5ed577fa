import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { BFD_METRICS, BFD_SESSION_METRICS } from '../../../daemon/metrics/bfd.js';
import { BGP_NEIGHBOR_METRICS, BGP_SUMMARY_METRICS, type BgpMetricsSource } from '../../../daemon/metrics/bgp.js';
import { CPN_METRICS, type CpnMetricsSource } from '../../../daemon/metrics/cpn.js';
import { OSPF_METRICS, OSPF_NEIGHBOR_METRICS } from '../../../daemon/metrics/ospf.js';
import { MetricsServer, routerRegistry } from '../../../daemon/metrics/server.js';
import { FakeOspf } from '../northbound/fake-ospf.js';
import { BfdNetwork } from '../bfd/support.js';
import { Network } from '../bgp/network.js';

const cpn: CpnMetricsSource = {
  info: () => ({ name: 'r1', version: '0.1.0', loopback: 'fc00:0:1::1' }),
  uptimeMs: () => 12_500,
  services: () => 2,
  candidates: () => 5,
  advertisements: () => 6,
  policies: () => 32,
  pinnedFlows: () => 100,
  routes: () => 9,
  counters: () => ({ punted: 7n, steering_steered: 8n }),
  instances: () => [{ service: '2001:db8:5e::1', instance: 1, up: true, announced: false }],
  announcements: () => ({ sent: 11, urgent: 3, delayedByBudget: 1 }),
  ways: () => [{ way: { exit: 'fc00:0:2::1', transit: ['fcbb:bb00:3::'] }, state: { rttUs: 1500, jitterUs: 20, lossPpm: 1000, alive: true, cost: 1, mtu: 1500, resolved: true } }],
  registration: () => ({ nodes: { attached: 3, lost: 1, restored: 0 }, counters: { floods: 2n, refusedNodes: 5n } }),
  bmp: () => [{ station: '[::1]:11019', connected: true, messages: 4, givenUp: 0 }],
  mrt: () => ({ written: 3, dropped: 0 }),
  events: () => [['bgp', 'info', 5]],
};

function bgpOf({ a }: ReturnType<typeof Network.pair>): BgpMetricsSource {
  const { telemetry } = a.speaker;
  return { neighbors: () => a.speaker.neighbors(), routes: (address) => telemetry.statistics(address), localAs: () => a.as, prefixes: () => telemetry.locRibSize };
}

function established(): ReturnType<typeof Network.pair> {
  const pair = Network.pair({ as: 65001 }, { as: 65002 });
  pair.b.speaker.announceBatch([{ prefix: '2001:db8:1::/48' }, { prefix: '2001:db8:2::/48' }]);
  pair.a.speaker.announce({ prefix: '2001:db8:3::/48' });
  pair.network.settle();
  return pair;
}

const unexpected = (text: string): void => assert.fail(text);

describe('metrics', () => {
  it('have the names, labels and values that GoBGP and frr_exporter users know', async () => {
    const pair = established();
    const text = await routerRegistry({ cpn, bgp: bgpOf(pair) }, true).metrics();
    const peer = pair.b.address;
    const labels = `vrf="default",afi="ipv6",safi="unicast",local_as="65001",peer="${peer}",peer_as="65002"`;
    for (const line of [
      `bgp_peer_state{peer="${peer}",session_state="SESSION_STATE_ESTABLISHED",admin_state="ADMIN_STATE_UP"} 1`,
      `bgp_routes_received{peer="${peer}",route_family="ipv6-unicast"} 2`,
      `bgp_routes_accepted{peer="${peer}",route_family="ipv6-unicast"} 2`,
      `bgp_routes_advertised{peer="${peer}",route_family="ipv6-unicast"} 1`,
      `bgp_peer_asn{peer="${peer}"} 65002`,
      `frr_bgp_peer_state{${labels}} 1`,
      `frr_bgp_peer_prefixes_received_count_total{${labels}} 2`,
      `frr_bgp_peer_prefixes_advertised_count_total{${labels}} 1`,
      `frr_bgp_peers_count_total{vrf="default",afi="ipv6",safi="unicast",local_as="65001"} 1`,
      'cpn_rib_candidates 5',
      'cpn_internal_total{counter="steering_steered"} 8',
      'cpn_path_rtt_seconds{exit="fc00:0:2::1",via="fcbb:bb00:3::"} 0.0015',
      'cpn_instance_up{service="2001:db8:5e::1",instance="1"} 1',
      'cpn_mrt_records_total{outcome="written"} 3',
    ]) {
      assert.ok(text.includes(`${line}\n`), line);
    }
  });

  it('follow the state: what is gone has no series any more, and a session that is down says so', async () => {
    const pair = established();
    const registry = routerRegistry({ cpn, bgp: bgpOf(pair) }, true);
    await registry.metrics();
    pair.a.speaker.shutdownNeighbor(pair.b.address, '');
    pair.network.settle(100);
    const text = await registry.metrics();
    assert.ok(!text.includes('session_state="SESSION_STATE_ESTABLISHED"'));
    assert.match(text, /bgp_peer_state\{[^}]*admin_state="ADMIN_STATE_DOWN"\} 1/);
    assert.match(text, /frr_bgp_peer_state\{[^}]*\} 2\n/);
    assert.match(text, /bgp_sent_notification_total\{[^}]*\} [1-9]\n/);
  });

  it('of a router with very many neighbours can be had without a series for each', async () => {
    const text = await routerRegistry({ cpn, bgp: bgpOf(established()) }, false).metrics();
    assert.ok(!text.includes('peer="') && text.includes('frr_bgp_rib_count_total'));
  });

  it('are served at /metrics alone, to GET alone', async () => {
    const server = new MetricsServer({ address: '::1', port: 0, perNeighbor: true }, routerRegistry({ cpn }, true), unexpected);
    server.start();
    try {
      while (server.listening === undefined) await new Promise((resolve) => setImmediate(resolve));
      const url = `http://${server.listening}`;
      const answer = await fetch(`${url}/metrics`);
      assert.equal(answer.status, 200);
      assert.match(answer.headers.get('content-type') ?? '', /^text\/plain; version=0\.0\.4/);
      assert.match(await answer.text(), /^cpn_uptime_seconds 12\.5$/m);
      assert.equal((await fetch(`${url}/`)).status, 404);
      assert.equal((await fetch(`${url}/metrics`, { method: 'POST' })).status, 405);
    } finally {
      server.stop();
    }
  });

  it('an address that is taken is reported and tried again', async () => {
    const first = new MetricsServer({ address: '::1', port: 0, perNeighbor: true }, routerRegistry({ cpn }, true), unexpected);
    first.start();
    while (first.listening === undefined) await new Promise((resolve) => setImmediate(resolve));
    const port = Number(/:(\d+)$/.exec(first.listening)![1]);
    const told = await new Promise<string>((resolve) => {
      const second = new MetricsServer({ address: '::1', port, perNeighbor: true }, routerRegistry({ cpn }, true), (text) => {
        second.stop();
        resolve(text);
      });
      second.start();
    });
    first.stop();
    assert.match(told, /metrics on \[::1\]:\d+: .*EADDRINUSE/);
  });

  it('satisfy promtool, but for the totals of frr_exporter that are levels', { skip: spawnSync('promtool', ['--version']).error ? 'promtool is not installed' : false }, async () => {
    const text = await routerRegistry({ cpn, bgp: bgpOf(established()) }, true).metrics();
    const { stdout, stderr } = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    const complaints = `${stdout}${stderr}`.split('\n').filter((line) => line !== '' && !line.startsWith('nodejs_') && !line.startsWith('process_'));
    assert.deepEqual(complaints.filter((line) => !/^frr_bgp_\w+_total /.test(line)), []);
  });

  it('are all in the README, and nothing else is', () => {
    const readme = readFileSync(join(process.cwd(), 'README.md'), 'utf8');
    const table = [...readme.matchAll(/^\| `((?:cpn|bgp|frr_bgp)_\w+)(?:\{([\w, ]*)\})?` \|/gm)].map(([, name, labels]) => `${name}{${(labels ?? '').replaceAll(' ', '')}}`).sort();
    const defined = [...CPN_METRICS, ...BFD_METRICS, ...BFD_SESSION_METRICS, ...OSPF_METRICS, ...OSPF_NEIGHBOR_METRICS, ...BGP_SUMMARY_METRICS, ...BGP_NEIGHBOR_METRICS].map(({ name, labels }) => `${name}{${labels.join(',')}}`).sort();
    assert.deepEqual(table, defined);
  });

  it('have the BFD sessions, one by one where neighbors have', async () => {
    const { net, a } = BfdNetwork.pair();
    net.clock.advance(1000);
    const source = { view: () => Promise.resolve(a.service.view()) };
    const text = await routerRegistry({ cpn, bfd: source }, true).metrics();
    assert.match(text, /^cpn_bfd_sessions\{state="up"\} 1$/m);
    assert.match(text, /^cpn_bfd_up\{peer="fe80::2",interface="",multihop="false"\} 1$/m);
    assert.match(text, /^cpn_bfd_detection_time_seconds\{.*\} 0\.9$/m);
    assert.match(text, /^cpn_bfd_received_total\{.*\} [1-9]/m);
    assert.doesNotMatch(await routerRegistry({ cpn, bfd: source }, false).metrics(), /cpn_bfd_up/);
  });

  it('of OSPFv3 say what SPF knows, and each neighbor unless that is too much', async () => {
    const text = await routerRegistry({ cpn, ospf: new FakeOspf() }, true).metrics();
    for (const line of [
      'cpn_ospf_lsas{type="cpn"} 13',
      'cpn_ospf_spf_runs_total{kind="incremental"} 6',
      'cpn_ospf_packets_total{interface="eth1",counter="hello_sent"} 12',
      'cpn_ospf_neighbor_full{interface="eth1",router_id="10.0.0.2"} 1',
    ]) {
      assert.ok(text.split('\n').includes(line), line);
    }
    assert.doesNotMatch(await routerRegistry({ cpn, ospf: new FakeOspf() }, false).metrics(), /cpn_ospf_neighbor_full/);
  });
});
