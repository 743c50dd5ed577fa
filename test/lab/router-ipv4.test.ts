/** Whole routers from outside: services of IPv4 addresses over an IPv6 core, with a stock reflector that carries IPv4 with IPv6 next hops (RFC 8950). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '../../lab/index.js';
import { CLIENT_IPV4, CLIENT_NETWORK, ENTRY_IPV4, nodeAddress, nodeNetwork, SERVICE_IPV4 } from './router-lab/ipv4.js';
import { LOOPBACK, Network, onExit, SERVICE, sidOf } from './router-lab/scene.js';
import { fieldsOf } from './router-lab/tshark.js';

let network: Network;
before(async () => {
  network = await Network.up({ ipv4: true });
  await waitFor(async () => (await network.router('entry').feasible(SERVICE_IPV4.main)).length === 3, { timeoutMs: 20_000, what: 'three candidates of the IPv4 service', intervalMs: 50 });
});
after(() => (network as Network | undefined)?.down());

const EXITS: readonly string[] = [LOOPBACK.exit1, LOOPBACK.exit2, LOOPBACK.exit3];
/** Octets of outer header and SRH with one segment; the TUN is as narrow as the longest segment list asks for (three). */
const LEAST = 1500 - (40 + 8 + 16 * 3);

test('an IPv4 service has its candidates by BGP through the stock reflector, with End.DX4 SIDs', async () => {
  const candidates = await network.router('entry').candidates(SERVICE_IPV4.main);
  assert.deepEqual(candidates.map(({ exit, behaviour }) => [exit, behaviour]).sort(), EXITS.map((exit) => [exit, 'End.DX4']));
  const { paths } = JSON.parse(await network.lab.node('rr').run(['vtysh', '-c', `show bgp ipv4 unicast ${SERVICE_IPV4.main}/32 json`])) as { paths: { nexthops: { ip: string; afi: string }[] }[] };
  assert.deepEqual(paths.map(({ nexthops }) => [nexthops[0]!.ip, nexthops[0]!.afi]).sort(), [[LOOPBACK.exit1, 'ipv6'], [LOOPBACK.exit2, 'ipv6']]);
});

test('IPv4 networks of clients and nodes are routed over the IPv6 core, on routers without an IPv4 address too', async () => {
  const gateway = async (router: string, prefix: string): Promise<string> => {
    const routes = JSON.parse(await network.ip(router, '-4', '-j', 'route', 'show', 'exact', prefix)) as { protocol: string; via?: { family: string; host: string } }[];
    return routes.map(({ protocol, via }) => `${protocol} ${via?.family ?? ''} ${via?.host ?? ''}`).join('; ');
  };
  assert.equal(await gateway('entry', nodeNetwork(1)), '210 inet6 2001:db8:0:1::2');
  assert.equal(await gateway('t1', nodeNetwork(1)), '210 inet6 2001:db8:0:3::2');
  assert.equal(await gateway('t2', CLIENT_NETWORK), '210 inet6 2001:db8:0:4::1');
  assert.equal(await gateway('exit3', CLIENT_NETWORK), '210 inet6 2001:db8:0:2::1');
  const { status } = await network.lab.node('client').exec(['ping', '-n', '-c', '1', '-W', '2', nodeAddress(2)]);
  assert.equal(status, 0);
});

test('first and later packets leave alike for one exit, each with its TTL less one and its checksum right', async () => {
  const captures = await Promise.all(['t1:eth1', 'exit3:eth1'].map((interfaceName) => network.lab.capture(interfaceName, 'ip6 proto 43')));
  const port = network.freshPorts();
  const report = await network.send(SERVICE_IPV4.main, '--source-port', String(port), '--requests', '5', '--interval-ms', '20');
  assert.equal(report.answered, 5);
  assert.equal(report.flows[0]!.nodes.length, 1, 'one node for all packets of the flow');
  const paths = await Promise.all(captures.map((capture) => capture.stop()));
  const [flow] = (await network.router('entry').flows({ service: SERVICE_IPV4.main })).filter(({ sourcePort }) => sourcePort === port);
  assert.deepEqual([flow!.source, flow!.destination, flow!.packets], [CLIENT_IPV4, SERVICE_IPV4.main, 5n]);
  const exit = EXITS.indexOf(flow!.exit);
  const sid = sidOf((['exit1', 'exit2', 'exit3'] as const)[exit]!, 41 + exit);
  const read = (path: string): Promise<string[][]> =>
    fieldsOf(path, `ip.dst == ${SERVICE_IPV4.main} && udp.srcport == ${port}`, 'ipv6.src', 'ipv6.dst', 'ipv6.routing.nxt', 'ipv6.flow', 'ip.ttl', 'ip.checksum.status', 'ipv6.hlim');
  const packets = (await Promise.all(paths.map(read))).flat();
  assert.equal(packets.length, 5);
  assert.equal(new Set(packets.map((fields) => fields.join(' '))).size, 1);
  assert.deepEqual(packets[0], [LOOPBACK.entry, sid, '4', packets[0]![3], '63', '1', '63']);
});

test('many flows are spread over the exits, UDP and TCP, and stay where they are', async () => {
  for (const protocol of ['udp', 'tcp']) {
    const report = await network.send(SERVICE_IPV4.main, '--protocol', protocol, '--flows', '40', '--requests', '3', '--interval-ms', '20');
    assert.equal(report.answered, 120);
    assert.equal(report.moved, 0);
    assert.deepEqual(Object.keys(report.nodes).sort(), ['node1', 'node2', 'node3']);
  }
});

test('an instance at the entry itself is served', async () => {
  const report = await network.send(SERVICE_IPV4.local, '--protocol', 'tcp', '--flows', '3', '--requests', '3');
  assert.deepEqual(report.nodes, { node0: 9 });
});

test('IPv4 and IPv6 services are served beside each other', async () => {
  const reports = await Promise.all([network.send(SERVICE.main, '--requests', '5'), network.send(SERVICE_IPV4.main, '--requests', '5')]);
  assert.deepEqual(reports.map(({ answered }) => answered), [5, 5]);
});

test('an exit sends to the node that is meant, not to whoever answers for the service ID', async () => {
  assert.match(await network.ip('exit1', '-4', 'route', 'show', 'exact', `${nodeAddress(1)}/32`), new RegExp(`via ${nodeAddress(1)} dev eth2 proto 210 metric 1023 onlink`));
  const known = await network.ip('exit1', '-4', 'neigh', 'show', 'dev', 'eth2');
  assert.ok(known.includes(nodeAddress(1)), known);
  assert.ok(!known.includes(SERVICE_IPV4.main), known);
});

test('strict reverse path filtering, which would drop answers, gives way: loose where there is an IPv4 address, off elsewhere, untouched at clients', async () => {
  const filter = async (router: 'entry' | 'exit1'): Promise<string> => {
    const names = ['all', 'eth1', 'eth2'].map((name) => `net.ipv4.conf.${name}.rp_filter`);
    return (await network.lab.node(router).run(['sysctl', '-n', ...names])).trim().split('\n').join(' ');
  };
  for (const router of ['entry', 'exit1'] as const) {
    await network.lab.node(router).run(['sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1']);
    await network.reload(router, () => undefined);
  }
  assert.equal(await filter('entry'), '0 1 0', 'client, core');
  assert.equal(await filter('exit1'), '0 0 2', 'core, node');
  assert.equal((await network.send(SERVICE_IPV4.main, '--flows', '10')).answered, 10);
});

test('cpnctl explains, shows and clears what it has of an IPv4 service', async () => {
  const explained = await network.json<{ service: string; chosen: { exit: string }; candidates: unknown[] }>('entry', 'explain', SERVICE_IPV4.main, '--from', CLIENT_IPV4);
  assert.equal(explained.candidates.length, 3);
  assert.ok(EXITS.includes(explained.chosen.exit));
  const sids = await network.json<{ sid: string; behaviour: string; nextHop: string; installed: boolean }[]>('exit1', 'show', 'sids');
  const sid = sids.find((each) => each.sid === sidOf('exit1', 41))!;
  assert.deepEqual([sid.behaviour, sid.nextHop, sid.installed], ['End.DX4', nodeAddress(1), true]);
  await network.send(SERVICE_IPV4.main, '--flows', '4');
  const { stdout } = await network.cpnctl('entry', 'show', 'flows', '--service', SERVICE_IPV4.main);
  assert.match(stdout, new RegExp(`${CLIENT_IPV4.replaceAll('.', '\\.')}:\\d+`));
  assert.equal((await network.cpnctl('entry', 'clear', 'flow', '--service', SERVICE_IPV4.main)).status, 0);
  assert.deepEqual(await network.router('entry').flows({ service: SERVICE_IPV4.main }), []);
  for (const router of ['entry', 'exit2'] as const) {
    const failed = (await network.router(router).doctor()).filter(({ status }) => status === 'fail');
    assert.deepEqual(failed, [], router);
  }
});

test('echo requests are answered; a TTL used up, and a packet too long for the path, are told the client by ICMP', async () => {
  const ping = (...argv: string[]): Promise<{ status: number | null; stdout: string }> => network.lab.node('client').exec(['ping', '-n', '-c', '1', '-W', '2', ...argv, SERVICE_IPV4.main]);
  assert.equal((await ping()).status, 0);
  const expired = await ping('-t', '1');
  assert.match(expired.stdout, new RegExp(`From ${ENTRY_IPV4} .*Time to live exceeded`));
  const tooLong = await ping('-M', 'do', '-s', '1440');
  assert.match(tooLong.stdout, new RegExp(`Frag needed and DF set \\(mtu = ${LEAST}\\)`));
  assert.equal((await ping('-M', 'do', '-s', String(LEAST - 28))).status, 0, 'what fits passes');
  assert.equal((await ping('-M', 'dont', '-s', '3000')).status, 0, 'without DF it is fragmented');
});

test('a service that nobody offers is told as unreachable', async () => {
  const { stdout } = await network.lab.node('client').exec(['ping', '-n', '-c', '1', '-W', '2', '198.51.100.77']);
  assert.match(stdout, new RegExp(`From ${ENTRY_IPV4} .*Destination Net Unreachable`));
});

test('a health check over IPv4 that fails takes the instance away, and its flows move', async () => {
  const traffic = await network.steady(SERVICE_IPV4.main, 20, 400);
  const before = await traffic.pinned();
  const lost = onExit(before, LOOPBACK.exit1);
  assert.ok(lost.length > 0 && lost.length < 20);
  await network.stopServer('node1');
  const moved = await traffic.until('no flow on exit1', (exits) => onExit(exits, LOOPBACK.exit1).length === 0);
  for (const [port, exit] of before) if (exit !== LOOPBACK.exit1) assert.equal(moved.get(port), exit);
  await network.startServer('node1');
  await waitFor(async () => (await network.router('entry').feasible(SERVICE_IPV4.main)).length === 3, { timeoutMs: 15_000, what: 'exit1 to be back', intervalMs: 50 });
  await traffic.flowing();
  assert.equal((await traffic.stop()).moved, lost.length);
});

test('a link failure towards an exit moves its flows', async () => {
  const traffic = await network.steady(SERVICE_IPV4.main, 20, 400);
  const lost = onExit(await traffic.pinned(), LOOPBACK.exit3);
  assert.ok(lost.length > 0 && lost.length < 20);
  await network.lab.fail('entry:eth3');
  await traffic.until('no flow on exit3', (exits) => onExit(exits, LOOPBACK.exit3).length === 0);
  await network.lab.restore('entry:eth3');
  await traffic.flowing();
  const report = await traffic.stop();
  assert.equal(report.moved, lost.length);
  assert.ok(report.moveGapMs!.max < 1500, `longest gap ${report.moveGapMs!.max} ms`);
});

test('pinned flows go on through a crash of the daemon, and the next one adopts them', async () => {
  const traffic = await network.steady(SERVICE_IPV4.main, 10, 200);
  const before = await traffic.pinned();
  const cpnd = network.lab.node('entry').daemon;
  await cpnd.stop('SIGKILL');
  await cpnd.start();
  await waitFor(async () => (await network.router('entry').feasible(SERVICE_IPV4.main)).length === 3, { timeoutMs: 20_000, what: 'the candidates to be back', intervalMs: 50 });
  await traffic.flowing();
  assert.deepEqual(await traffic.pinned(), before);
  const report = await traffic.stop();
  assert.deepEqual([report.moved, report.lost], [0, 0]);
});

test('a large transfer over TCP passes, with segmentation offload on at the client', async () => {
  const server = await network.lab.node('node0').spawn(['iperf3', '-s', '-1', '-B', SERVICE_IPV4.local, '-p', '5201', '--forceflush']);
  await waitFor(() => server.stdout.includes('listening'), { timeoutMs: 5000, what: 'iperf3' });
  const { stdout } = await network.lab.node('client').exec(['iperf3', '-c', SERVICE_IPV4.local, '-p', '5201', '-n', '30M', '-J'], { timeoutMs: 30_000 });
  const report = JSON.parse(stdout) as { error?: string; end: { sum_sent: { bytes: number } } };
  assert.equal(report.error, undefined);
  // What the server counts ends with the message that the client is done, which may overtake data: the client's count and the kernel's hold.
  assert.ok(report.end.sum_sent.bytes >= 30 << 20);
  assert.ok((await network.router('entry').flows({ service: SERVICE_IPV4.local })).some(({ bytes }) => bytes > 25n << 20n), 'the kernel counted the octets');
});
