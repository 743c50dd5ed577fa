/** Whole routers from outside: packets too long for the path, large transfers, and packets that must not pass the edge of the domain. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { waitFor } from '../../lab/index.js';
import { END, LOOPBACK, Network, PORT, REFLECTOR, SERVICE, sidOf, type RouterName } from './router-lab/scene.js';
import { fieldsOf } from './router-lab/tshark.js';

let network: Network;
before(async () => {
  network = await Network.up();
});
after(() => (network as Network | undefined)?.down());

/** Octets of outer header and SRH. */
const overhead = (segments: number): number => 40 + 8 + 16 * segments;

/**
 * Sends UDP requests of the given sizes on one flow, without fragmenting, waiting for each one's answer or error. Prints JSON: the path MTU
 * the kernel learned, and what became of each request.
 */
const SIZES = `
import errno, json, select, socket, sys
to, port, sizes = sys.argv[1], int(sys.argv[2]), [int(s) for s in sys.argv[3:]]
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(41, 23, 2)
s.connect((to, port))
s.settimeout(2)
results = []
for number, size in enumerate(sizes):
    try:
        s.send(b"%d " % number + b"x" * (size - 48 - 2))
        results.append(s.recv(100).decode().split()[0])
    except socket.timeout:
        results.append("timeout")
    except OSError as error:
        results.append(errno.errorcode[error.errno])
print(json.dumps({"results": results, "mtu": s.getsockopt(41, 24)}))
`;

async function sizes(service: string, ...octets: number[]): Promise<{ results: string[]; mtu: number }> {
  return JSON.parse(await network.lab.node('client').run(['/usr/bin/python3', '-c', SIZES, service, String(PORT), ...octets.map(String)])) as { results: string[]; mtu: number };
}

/** What Packet Too Big names: the TUN has one MTU for all services, that of the longest segment list in use (here three SIDs). */
const LEAST = 1500 - overhead(3);

for (const { name, service, octets, results } of [
  { name: 'a first packet', service: SERVICE.one, octets: [1500 - overhead(1) + 1, LEAST], results: ['EMSGSIZE', '1'] },
  {
    name: 'a packet of a pinned flow',
    service: SERVICE.two,
    octets: [100, 100, 1500 - overhead(2), 1500 - overhead(2) + 1, LEAST],
    results: ['0', '1', '2', 'EMSGSIZE', '4'],
  },
]) {
  test(`${name} that does not fit once encapsulated is answered with Packet Too Big, and what fits passes`, async () => {
    const capture = await network.lab.capture('client:eth1', 'icmp6');
    const answer = await sizes(service, ...octets);
    const errors = await fieldsOf(await capture.stop(), 'icmpv6.type == 2', 'icmpv6.mtu', 'ipv6.dst');
    assert.deepEqual(answer, { results, mtu: LEAST });
    assert.deepEqual(errors.map(([value]) => value), [String(LEAST)]);
    assert.ok(errors[0]![1]!.endsWith(service), 'about the packet the client sent');
  });
}

test('a large transfer over TCP passes, with segmentation offload on at the client', async () => {
  const offload = await network.lab.node('client').run(['ethtool', '-k', 'eth1']);
  assert.match(offload, /tcp-segmentation-offload: on/);
  const server = await network.lab.node('node1').spawn(['iperf3', '-s', '-1', '-B', SERVICE.one, '-p', '5201', '--forceflush']);
  await waitFor(() => server.stdout.includes('listening'), { timeoutMs: 5000, what: 'iperf3' });
  const { stdout } = await network.lab.node('client').exec(['iperf3', '-c', SERVICE.one, '-p', '5201', '-n', '60M', '-J'], { timeoutMs: 30_000 });
  const report = JSON.parse(stdout) as { error?: string; end: { sum_received: { bytes: number; bits_per_second: number } } };
  assert.equal(report.error, undefined);
  // iperf3 stops counting at the receiver when the sender is done.
  assert.ok(report.end.sum_received.bytes > 50 << 20, `${report.end.sum_received.bytes} octets`);
  assert.ok(report.end.sum_received.bits_per_second > 50e6, `${report.end.sum_received.bits_per_second} bit/s`);
  const flows = (await network.router('entry').flows({ service: SERVICE.one })).filter(({ destinationPort }) => destinationPort === 5201);
  assert.equal(flows.length, 2, 'control and data connection');
  assert.ok(flows.some(({ bytes }) => bytes > 50n << 20n), 'the kernel counted the octets');
});

test('a Packet Too Big of the core about an outer packet lowers the MTU of the policy, and the client hears of it', async () => {
  const policyMtu = async (): Promise<number> => Math.max(...(await network.router('entry').fib(SERVICE.one)).map(({ mtu }) => mtu));
  assert.equal(await policyMtu(), 1500);
  await network.ip('t1', 'link', 'set', 'eth2', 'mtu', '1400');
  const fits = 1400 - overhead(1);
  await waitFor(async () => (await sizes(SERVICE.one, fits + 1)).mtu === fits, { timeoutMs: 10_000, what: `the client to hear of ${fits} octets` });
  assert.equal(await policyMtu(), 1400);
  assert.deepEqual((await sizes(SERVICE.one, fits)).results, ['0']);
  const tcp = await network.send(SERVICE.one, '--protocol', 'tcp', '--size', '50000');
  assert.equal(tcp.answered, 1);
  await network.ip('t1', 'link', 'set', 'eth2', 'mtu', '1500');
});

/** Sends one UDP packet to port 9 of an address. */
const POKE = 'import socket,sys; socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], 9))';

for (const { role, host, router, beyond } of [
  { role: 'client', host: 'client', router: 'entry', beyond: 'entry:eth2' },
  { role: 'node', host: 'node1', router: 'exit1', beyond: 'exit1:eth1' },
] as const) {
  test(`a packet into the SID block that comes in at a ${role} interface is dropped and counted`, async () => {
    const dropped = (): Promise<number> => network.router(router).counter('kernel_edge_sid');
    const before = await dropped();
    const capture = await network.lab.capture(beyond, 'dst net fcbb:bb00::/32 and udp port 9');
    for (const sid of [sidOf('exit2', 2), END.t2]) await network.lab.node(host).run(['/usr/bin/python3', '-c', POKE, sid]);
    await waitFor(async () => (await dropped()) === before + 2, { timeoutMs: 5000, what: 'two counted drops' });
    assert.deepEqual(await fieldsOf(await capture.stop(), 'ipv6', 'ipv6.dst'), []);
  });
}

test('an encapsulated packet from outside the domain is dropped on core interfaces, one from inside is delivered', async () => {
  const outsider = network.lab.node('rr');
  const dropped = async (): Promise<number> => {
    const routers: RouterName[] = ['t1', 'exit1'];
    const counts = await Promise.all(routers.map((router) => network.router(router).counter('kernel_edge_source')));
    return counts.reduce((a, b) => a + b, 0);
  };
  await outsider.run(['ip', '-6', 'route', 'add', 'fcbb:bb00:11::/48', 'via', '2001:db8:0:7::1']);
  await outsider.run(['ip', '-6', 'route', 'add', `${SERVICE.one}/128`, 'encap', 'seg6', 'mode', 'encap', 'segs', sidOf('exit1', 11), 'dev', 'eth1']);
  const ping = async (source: string): Promise<boolean> => {
    await outsider.run(['ip', 'sr', 'tunsrc', 'set', source]);
    return (await outsider.exec(['ping', '-n', '-c', '1', '-W', '1', '-I', REFLECTOR, SERVICE.one])).status === 0;
  };
  assert.equal(await ping(REFLECTOR), true, 'from inside the domain');
  const before = await dropped();
  assert.equal(await ping('2001:db8:0:7::2'), false, 'from outside');
  assert.equal(await dropped(), before + 1);
  assert.equal(await ping(LOOPBACK.t1), true);
});
