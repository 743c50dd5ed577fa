/** A border router from outside: flows pinned at the entry to its aggregate SID, and at the border to one instance inside. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '../../lab/index.js';
import { buildIcmpv6 } from '../../dataplane/packet/icmpv6.js';
import { buildOuterHeader, finishOuterHeader } from '../../dataplane/packet/encapsulation.js';
import { parseIp } from '../../dataplane/packet/ip.js';
import { writeIpv6Header } from '../../dataplane/packet/ipv6.js';
import { checkout } from '../../lab/runner/checkout.js';
import { AggregateLab, CLIENT, LOOPBACK, OUTWARD, SERVICE, sidOf } from './aggregate-lab.js';
import { fieldsOf } from './router-lab/tshark.js';

let network: AggregateLab;
before(async () => {
  network = await AggregateLab.up();
});
after(() => (network as AggregateLab | undefined)?.down());

const entry = () => network.api('entry');
const border = () => network.api('border');
const ip = (text: string): Uint8Array => parseIp(text)!;

/** Exit of each flow as one router has it pinned, by source port. */
async function exits(of: 'entry' | 'border', first: number, count: number): Promise<Map<number, string>> {
  const flows = await network.api(of).flows();
  return new Map(flows.filter(({ sourcePort }) => sourcePort >= first && sourcePort < first + count).map(({ sourcePort, exit }) => [sourcePort, exit]));
}

/** Waits until each of some flows has sent so many packets more, as the entry counts them. */
async function flowing(first: number, count: number, more = 3n): Promise<void> {
  const packets = async (): Promise<Map<number, bigint>> => new Map((await entry().flows()).map((flow) => [flow.sourcePort, flow.packets]));
  const then = await packets();
  const ports = Array.from({ length: count }, (_, i) => first + i);
  await waitFor(
    async () => {
      const now = await packets();
      return ports.every((port) => (now.get(port) ?? 0n) >= (then.get(port) ?? 0n) + more);
    },
    { timeoutMs: 10_000, what: `${more} more packets of each flow`, intervalMs: 20 },
  );
}

/** Sends whole IPv6 packets out of a node's interface to a neighbour. */
async function sendRaw(node: string, device: string, to: string, toDevice: string, ...packets: Uint8Array[]): Promise<void> {
  const [link] = JSON.parse(await network.lab.node(to).run(['ip', '-j', 'link', 'show', 'dev', toDevice])) as { address: string }[];
  await network.lab.node(node).run(['/usr/bin/python3', `${checkout}/test/lab/flow-host.py`, 'raw', device, link!.address, ...packets.map((packet) => Buffer.from(packet).toString('hex'))]);
}

test('the outside knows one aggregate a service, and says so', async () => {
  for (const service of [SERVICE.inner, SERVICE.ipv4, SERVICE.local]) {
    const candidates = await entry().candidates(service);
    assert.deepEqual(candidates.map(({ exit, sid, behaviour, aggregate, source }) => [exit, sid, behaviour, aggregate, source]), [[LOOPBACK.border, OUTWARD, 'opaque', true, 'bgp']], service);
  }
  await waitFor(async () => (await entry().candidates(SERVICE.inner))[0]?.computing[0]?.total === 2_000_000_000_000n, { timeoutMs: 5000, what: 'the sum of two instances', intervalMs: 50 });
  const inside = await border().candidates(SERVICE.inner);
  assert.deepEqual(inside.map(({ exit, source, aggregate }) => [exit, source, aggregate]), [[LOOPBACK.x1, 'ospf', false], [LOOPBACK.x2, 'ospf', false]]);
  const sids = await border().sids();
  assert.ok(sids.some(({ sid, behaviour, installed }) => sid === OUTWARD && behaviour === 'aggregate' && installed));
});

for (const { version, service, inner, instance, destination } of [
  { version: 'IPv6', service: SERVICE.inner, inner: '41', instance: 0, destination: 'ipv6.dst' },
  { version: 'IPv4', service: SERVICE.ipv4, inner: '4', instance: 40, destination: 'ip.dst' },
] as const) {
  test(`first and later packets of an ${version} flow are rewritten alike: outer destination, Segment List [0] and one hop, and nothing else`, async () => {
    const captures = await Promise.all(['border:eth1', 'x1:eth1', 'x2:eth1'].map((endpoint) => network.lab.capture(endpoint, 'ip6 proto 43')));
    const port = network.freshPorts();
    const report = await network.send(service, '--source-port', String(port), '--requests', '5', '--interval-ms', '20');
    assert.equal(report.answered, 5);
    assert.equal(report.flows[0]!.nodes.length, 1);
    const paths = await Promise.all(captures.map((capture) => capture.stop()));
    const fields = ['ipv6.dst', 'ipv6.routing.srh.addr', 'ipv6.routing.segleft', 'ipv6.routing.nxt', 'ipv6.hlim', 'ip.ttl', 'ipv6.src', 'ipv6.flow', 'ipv6.plen', 'udp.checksum', 'udp.payload'];
    const read = (path: string): Promise<string[][]> => fieldsOf(path, `${destination} == ${service} && udp.srcport == ${port}`, ...fields);
    const [arrived, ...left] = await Promise.all(paths.map(read));
    const gone = left.flat();
    assert.deepEqual([arrived!.length, gone.length, left.filter((packets) => packets.length > 0).length], [5, 5, 1]);
    const number = left[0]!.length > 0 ? 1 : 2;
    const sid = sidOf(`x${number}`, instance + number);
    const outerOf = (value: string): string => value.split(',')[0]!;
    arrived!.forEach((before, i) => {
      const behind = gone[i]!;
      assert.deepEqual([outerOf(before[0]!), before[1], before[2], before[3], outerOf(before[4]!)], [OUTWARD, OUTWARD, '0', inner, '63']);
      assert.deepEqual([outerOf(behind[0]!), behind[1], behind[2], behind[3], outerOf(behind[4]!)], [sid, sid, '0', inner, '62']);
      // The inner hop limit, the source, the label, the length, the checksum and the payload are those that came.
      for (const packet of [before, behind]) assert.equal(packet[5] === '' ? packet[4]!.split(',')[1] : packet[5], '63');
      assert.deepEqual(behind.slice(6), before.slice(6));
    });
    const [at] = (await entry().flows({ service })).filter(({ sourcePort }) => sourcePort === port);
    const [inside] = (await border().flows({ service })).filter(({ sourcePort }) => sourcePort === port);
    assert.deepEqual([at!.kind, at!.exit, at!.packets], ['entry', LOOPBACK.border, 5n]);
    assert.deepEqual([inside!.kind, inside!.side, inside!.exit, inside!.packets, inside!.bytes], ['border', 'outward', LOOPBACK[`x${number}`], 5n, at!.bytes]);
  });
}

test('many flows, UDP and TCP, are spread over the instances inside, which the entry knows nothing of', async () => {
  for (const protocol of ['udp', 'tcp']) {
    const report = await network.send(SERVICE.inner, '--protocol', protocol, '--flows', '40', '--requests', '3', '--interval-ms', '20', '--source-port', String(network.freshPorts(40)));
    assert.deepEqual([report.answered, report.moved], [120, 0]);
    assert.deepEqual(Object.keys(report.nodes).sort(), ['node1', 'node2']);
  }
  const policies = await border().fib(SERVICE.inner);
  const ofBorder = policies.filter(({ kind, side, weight }) => kind === 'border' && side === 'outward' && weight > 0);
  assert.deepEqual([...new Set(ofBorder.map(({ segments }) => segments.join()))].sort(), [sidOf('x1', 1), sidOf('x2', 2)]);
});

test('an instance of the border itself is behind the same SID', async () => {
  const report = await network.send(SERVICE.local, '--protocol', 'tcp', '--flows', '3', '--requests', '3', '--source-port', String(network.freshPorts(3)));
  assert.deepEqual(report.nodes, { node0: 9 });
  assert.ok((await border().flows({ service: SERVICE.local })).some(({ kind, exit }) => kind === 'border' && exit === LOOPBACK.border));
});

test('a service without an instance inside is told as unreachable to the source inside; what is no such packet is dropped and counted', async () => {
  const packet = new Uint8Array(48);
  writeIpv6Header(packet, 0, { trafficClass: 0, flowLabel: 0, payloadLength: 8, nextHeader: 17, hopLimit: 63, source: ip(CLIENT), destination: ip(SERVICE.none) });
  packet.set([0x4e, 0x20, 0x1f, 0x90, 0, 8, 0, 0], 40);
  const encapsulated = (source: string, change: (whole: Uint8Array) => void = () => undefined): Uint8Array => {
    const outer = buildOuterHeader(ip(source), [ip(OUTWARD)], false);
    const whole = new Uint8Array([...outer, ...packet]);
    finishOuterHeader(whole, 0, outer.length, packet.length, 1);
    change(whole);
    return whole;
  };
  const counters = ['kernel_edge_source', 'kernel_malformed', 'punt_no_service'];
  const counts = async (): Promise<number[]> => Promise.all(counters.map((name) => border().counter(name)));
  const before = await counts();
  const capture = await network.lab.capture('client:eth1', 'icmp6');
  await sendRaw('entry', 'eth2', 'border', 'eth1', encapsulated(LOOPBACK.entry), encapsulated('2001:db8:0:1::1'), encapsulated(LOOPBACK.entry, (whole) => (whole[43] = 1)), encapsulated(LOOPBACK.entry, (whole) => (whole[40] = 59)));
  await waitFor(async () => (await counts()).every((value, i) => value === before[i]! + [1, 2, 1][i]!), { timeoutMs: 5000, what: 'the counters', intervalMs: 20 });
  const errors = await fieldsOf(await capture.stop(), 'icmpv6.type == 1', 'ipv6.src', 'ipv6.dst');
  assert.deepEqual(errors.map(([sources, destinations]) => [sources!.split(',')[0], destinations]), [[LOOPBACK.border, `${CLIENT},${SERVICE.none}`]]);
});

test('pinned flows go on while the daemon of the border is stopped', async () => {
  const first = network.freshPorts(10);
  const client = await network.startClient(SERVICE.inner, '--source-port', String(first), '--flows', '10', '--rate', '200', '--duration-s', '30');
  await waitFor(async () => (await exits('border', first, 10)).size === 10, { timeoutMs: 10_000, what: 'ten pinned flows', intervalMs: 50 });
  const before = await exits('border', first, 10);
  network.signalBorder('SIGSTOP');
  await flowing(first, 10, 10n);
  network.signalBorder('SIGCONT');
  client.kill('SIGINT');
  await client.exited;
  const report = JSON.parse(client.stdout) as { lost: number; moved: number };
  assert.deepEqual([report.lost, report.moved], [0, 0]);
  assert.deepEqual(await exits('border', first, 10), before);
});

test('a flow that the border has forgotten is a first packet there again, and none is lost', async () => {
  const port = network.freshPorts();
  const client = await network.startClient(SERVICE.inner, '--source-port', String(port), '--rate', '100', '--duration-s', '30');
  await waitFor(async () => (await exits('border', port, 1)).size === 1, { timeoutMs: 10_000, what: 'the flow', intervalMs: 20 });
  assert.equal((await network.lab.node('border').exec([process.execPath, `${checkout}/dist/cli/cpnctl.js`, 'clear', 'flow', '--service', SERVICE.inner])).status, 0);
  await waitFor(async () => (await exits('border', port, 1)).size === 1, { timeoutMs: 10_000, what: 'the flow again', intervalMs: 20 });
  client.kill('SIGINT');
  await client.exited;
  assert.equal((JSON.parse(client.stdout) as { lost: number }).lost, 0);
});

test('flows of an instance that is gone move at the border; the entry pins what it had', async () => {
  const first = network.freshPorts(20);
  const client = await network.startClient(SERVICE.inner, '--source-port', String(first), '--flows', '20', '--rate', '200', '--duration-s', '30');
  await waitFor(async () => (await exits('border', first, 20)).size === 20, { timeoutMs: 10_000, what: 'twenty pinned flows', intervalMs: 50 });
  const before = await exits('border', first, 20);
  const lost = [...before].filter(([, exit]) => exit === LOOPBACK.x1).length;
  assert.ok(lost > 0 && lost < 20);
  const movedAtEntry = await entry().counter('steering_moved_flows');
  network.hear(1, false);
  const moved = await waitFor(
    async () => {
      const now = await exits('border', first, 20);
      return [...now.values()].every((exit) => exit === LOOPBACK.x2) && now;
    },
    { timeoutMs: 5000, what: 'no flow on x1', intervalMs: 20 },
  );
  assert.equal(moved.size, 20);
  assert.ok((await border().counter('steering_outward_moved_flows')) >= lost);
  await flowing(first, 20);
  network.hear(1);
  client.kill('SIGINT');
  await client.exited;
  assert.equal((JSON.parse(client.stdout) as { moved: number }).moved, lost);
  assert.equal(await entry().counter('steering_moved_flows'), movedAtEntry);
  await waitFor(async () => (await border().feasible(SERVICE.inner)).length === 2, { timeoutMs: 5000, what: 'x1 to be back', intervalMs: 20 });
});

test('a link inside that is too narrow is told the entry, which finds its policy by the flow inside; the client hears of it', async () => {
  const links = [['border', 'eth2'], ['x1', 'eth1'], ['border', 'eth3'], ['x2', 'eth1']] as const;
  const setMtu = async (mtu: number): Promise<void> => {
    await Promise.all(links.map(([node, device]) => network.lab.node(node).run(['ip', 'link', 'set', 'dev', device, 'mtu', String(mtu)])));
  };
  const ping = (size: number): Promise<{ status: number | null; stdout: string }> => network.lab.node('client').exec(['ping', '-n', '-M', 'do', '-c', '1', '-W', '1', '-s', String(size - 48), SERVICE.inner]);
  const policyMtu = async (): Promise<number> => Math.max(...(await entry().fib(SERVICE.inner)).map(({ mtu }) => mtu));
  assert.equal(await policyMtu(), 1500);
  await setMtu(1400);
  const fits = 1400 - 64;
  await waitFor(
    async () => {
      await ping(fits + 1);
      return (await policyMtu()) === 1400;
    },
    { timeoutMs: 10_000, what: 'the policy to have the MTU of the link inside', intervalMs: 20 },
  );
  assert.match((await ping(fits + 1)).stdout, /mtu[=: ]+1336/);
  assert.equal((await ping(fits)).status, 0);
  await setMtu(1500);
});

test('fragments of the user follow their first one through entry and border', async () => {
  for (const service of [SERVICE.inner, SERVICE.ipv4]) {
    const { status, stdout } = await network.lab.node('client').exec(['ping', '-n', '-c', '3', '-i', '0.05', '-W', '2', '-s', '4000', service]);
    assert.equal(status, 0, stdout);
    assert.match(stdout, /3 received/);
  }
  assert.equal(await border().counter('kernel_fragment_unknown'), 0);
});

test('a Packet Too Big about an answer reaches the instance that the flow is pinned to', async () => {
  const port = network.freshPorts();
  assert.equal((await network.send(SERVICE.inner, '--source-port', String(port), '--requests', '2')).answered, 2);
  const [pinned] = (await exits('border', port, 1)).values();
  const [own, other] = pinned === LOOPBACK.x1 ? ['x1', 'x2'] : ['x2', 'x1'];
  const answer = new Uint8Array(1240);
  writeIpv6Header(answer, 0, { trafficClass: 0, flowLabel: 0, payloadLength: 1400, nextHeader: 17, hopLimit: 60, source: ip(SERVICE.inner), destination: ip(CLIENT) });
  answer.set([8080 >> 8, 8080 & 0xff, port >> 8, port & 0xff], 40);
  const captures = await Promise.all([own, other].map((node) => network.lab.capture(`${node}:eth2`, 'icmp6')));
  await sendRaw('client', 'eth1', 'entry', 'eth1', buildIcmpv6(ip(CLIENT), ip(SERVICE.inner), { type: 2, code: 0, parameter: 1280, body: answer.subarray(0, 1232) }));
  await waitFor(async () => (await network.lab.node(own.replace('x', 'node')).run(['ip', '-6', 'route', 'get', CLIENT])).includes('mtu 1280'), { timeoutMs: 5000, what: 'the node to have learned the MTU', intervalMs: 20 });
  const [there, elsewhere] = await Promise.all(captures.map(async (capture) => fieldsOf(await capture.stop(), 'icmpv6.type == 2', 'ipv6.dst')));
  assert.deepEqual([there!.length, elsewhere!.length], [1, 0]);
});

test('reduced encapsulation, without an SRH, is rewritten too', async () => {
  await network.reload('entry', { dataplane: { reduced: true } });
  const captures = await Promise.all(['x1:eth1', 'x2:eth1'].map((endpoint) => network.lab.capture(endpoint, 'ip6 proto 41 or ip6 proto 4')));
  for (const service of [SERVICE.inner, SERVICE.ipv4]) assert.equal((await network.send(service, '--flows', '4', '--requests', '3', '--interval-ms', '10', '--source-port', String(network.freshPorts(4)))).answered, 12);
  const paths = await Promise.all(captures.map((capture) => capture.stop()));
  const packets = (await Promise.all(paths.map((path) => fieldsOf(path, 'udp.dstport == 8080', 'ipv6.dst', 'ipv6.nxt', 'ipv6.hlim')))).flat();
  assert.equal(packets.length, 24);
  for (const [destinations, , hops] of packets) {
    assert.match(destinations!, /^fcbb:bb00:1[12]:e0/);
    assert.equal(hops!.split(',')[0], '62');
  }
  await network.reload('entry', { dataplane: { reduced: false } });
});

test('a large transfer over TCP passes, with segmentation offload on at the client', async () => {
  for (const name of ['node1', 'node2']) {
    const server = await network.lab.node(name).spawn(['iperf3', '-s', '-B', SERVICE.inner, '-p', '5201', '--forceflush']);
    await waitFor(() => server.stdout.includes('listening'), { timeoutMs: 5000, what: 'iperf3' });
  }
  // Its two connections must end at one node.
  network.hear(2, false);
  await waitFor(async () => (await border().feasible(SERVICE.inner)).length === 1, { timeoutMs: 5000, what: 'one instance', intervalMs: 20 });
  const { stdout } = await network.lab.node('client').exec(['iperf3', '-c', SERVICE.inner, '-p', '5201', '-n', '20M', '-J'], { timeoutMs: 30_000 });
  const report = JSON.parse(stdout) as { error?: string; end: { sum_sent: { bytes: number } } };
  assert.equal(report.error, undefined);
  assert.ok(report.end.sum_sent.bytes >= 20 << 20);
  assert.ok((await border().flows({ service: SERVICE.inner })).some(({ kind, bytes }) => kind === 'border' && bytes > 15n << 20n), 'the kernel of the border counted the octets');
  network.hear(2);
  await waitFor(async () => (await border().feasible(SERVICE.inner)).length === 2, { timeoutMs: 5000, what: 'two instances', intervalMs: 20 });
});

test('pinned flows go on through a crash of the border, whose next run adopts them; SIGTERM leaves nothing behind', async () => {
  const first = network.freshPorts(10);
  const client = await network.startClient(SERVICE.inner, '--source-port', String(first), '--flows', '10', '--rate', '200', '--duration-s', '30');
  await waitFor(async () => (await exits('border', first, 10)).size === 10, { timeoutMs: 10_000, what: 'ten pinned flows', intervalMs: 50 });
  const before = await exits('border', first, 10);
  await network.stopBorder('SIGKILL');
  await network.startBorder();
  await network.settled();
  await waitFor(async () => (await border().feasible(SERVICE.inner)).length === 2, { timeoutMs: 5000, what: 'the instances inside', intervalMs: 20 });
  assert.deepEqual(await exits('border', first, 10), before);
  await flowing(first, 10);
  client.kill('SIGINT');
  await client.exited;
  const report = JSON.parse(client.stdout) as { lost: number; moved: number };
  assert.deepEqual([report.lost, report.moved], [0, 0]);
  assert.equal(await network.stopBorder('SIGTERM'), 0);
  const node = network.lab.node('border');
  assert.equal(await node.run(['ip', '-6', 'route', 'show', 'table', 'all', 'proto', '210']), '');
  assert.equal((await node.run(['tc', 'filter', 'show', 'dev', 'eth1', 'ingress'])).trim(), '');
});
