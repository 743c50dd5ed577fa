/** IPv4 packets through the dataplane of a kernel (End.DX4 at the exit), in a chain of network namespaces; what is on the wire is read with tshark. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { foldChecksum, sumOctets } from '../../dataplane/packet/checksum.js';
import { writeIpv6Header } from '../../dataplane/packet/ipv6.js';
import { parseIp } from '../../dataplane/packet/ip.js';
import { CLIENT_IPV4, ENTRY_LOOPBACK, FlowChain, SERVICE_IPV4, SID_DX4, SID_END, until, type Router, type RouterFlow, type SendRequest } from './flow-chain.js';

const PORT = 7000;
const DISCARD = 9;
const POLICY = 16;
const NARROW = 18;
const OVERHEAD = 40 + 8 + 16;
const HEADERS = 20 + 8;

const address = (text: string): Uint8Array => parseIp(text)!;

interface Ipv4 {
  readonly source?: string;
  readonly destination?: string;
  readonly protocol: number;
  readonly fragment?: number;
  readonly identification?: number;
  readonly options?: readonly number[];
  readonly payload: Uint8Array;
}

function ipv4({ source = CLIENT_IPV4, destination = SERVICE_IPV4, protocol, fragment = 0, identification = 1, options = [], payload }: Ipv4): Uint8Array {
  const header = 20 + options.length;
  const packet = new Uint8Array(header + payload.length);
  const view = new DataView(packet.buffer);
  packet[0] = 0x40 | (header / 4);
  view.setUint16(2, packet.length);
  view.setUint16(4, identification);
  view.setUint16(6, fragment);
  packet[8] = 64;
  packet[9] = protocol;
  packet.set(address(source), 12);
  packet.set(address(destination), 16);
  packet.set(options, 20);
  packet.set(payload, header);
  view.setUint16(10, foldChecksum(sumOctets(packet, 0, header)));
  return packet;
}

/** A datagram of 16 octets, checksum left out. */
function udp(sourcePort: number, destinationPort: number): Uint8Array {
  const datagram = new Uint8Array(16);
  const view = new DataView(datagram.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint16(4, 16);
  return datagram;
}

describe('IPv4 packets to a service', () => {
  const chain = new FlowChain('flow4');
  let router: Router;
  let nextPort = 20_000;

  const send = (request: Partial<SendRequest> = {}): ReturnType<FlowChain['send']> => chain.send({ destination: SERVICE_IPV4, port: PORT, sourcePort: nextPort++, ...request });
  const flowOf = async (sourcePort: number): Promise<RouterFlow | undefined> => (await router.flows()).find((flow) => flow.sourcePort === sourcePort);
  const fromClient = (...packets: Uint8Array[]): void => chain.sendRaw('client', 'c0', chain.macOf('entry', 'e0'), packets);
  const counted = (counter: string, wanted: number): Promise<void> => until(`${counter} is ${wanted}`, 2000, async () => (await router.counters())[counter] === wanted);

  /** Pins a flow to a port where nobody listens: an answer would provoke packets of its own. */
  async function pin(sourcePort: number): Promise<void> {
    for (const packets of [1, 2]) {
      fromClient(ipv4({ protocol: 17, payload: udp(sourcePort, DISCARD) }));
      await until(`packet ${packets} of the flow is counted`, 2000, async () => (await flowOf(sourcePort))?.packets === packets);
    }
  }

  async function startRouter(options: Parameters<FlowChain['startRouter']>[0] = {}): Promise<void> {
    router = await chain.startRouter(options);
    await router.setPolicies([
      { policy: POLICY, segments: [SID_DX4], mtu: 1500 },
      { policy: NARROW, segments: [SID_DX4], mtu: 1400 },
    ]);
    await router.steer(POLICY);
  }

  before(async () => {
    chain.up();
    chain.exec('entry', 'sysctl', '-qw', 'net.ipv4.conf.all.rp_filter=1');
    await startRouter();
    await chain.startEcho(PORT, SERVICE_IPV4);
    await until('a first answer', 10_000, async () => (await send({ waitMs: 500 })).replies === 1);
  });

  after(async () => {
    try {
      if (router.process.exitCode === null) await router.end('remove');
    } finally {
      chain.down();
    }
  });

  it('are forwarded where reverse path filtering was strict: it is off where there is no IPv4 address, and as before at clients', () => {
    const sysctl = (name: string): string => chain.exec('entry', 'sysctl', '-n', `net.ipv4.conf.${name}`).trim();
    assert.deepEqual(['all', 'e0', 'e1', 'cpn0'].map((name) => sysctl(`${name}.rp_filter`)), ['0', '1', '0', '0']);
    assert.equal(sysctl('all.forwarding'), '1');
    assert.match(chain.exec('entry', 'ip', '-4', 'route', 'show', 'proto', '210'), /^198\.51\.100\.0\/24 dev cpn0 scope link metric 1024 \nunreachable 198\.51\.100\.0\/24 metric 65535/);
  });

  it('leave encapsulated, alike from the daemon and from the kernel, the inner packet unchanged but for its TTL and checksum', async () => {
    const sourcePort = nextPort++;
    const inner = await chain.capture('entry', 'e0', `udp src port ${sourcePort}`);
    const outer = await chain.capture('exit', 'x0', 'ip6 proto 43');
    const before = await router.counters();
    assert.equal((await send({ sourcePort, count: 3, trafficClass: 0xba })).replies, 3);
    const after = await router.counters();
    const grown = (counter: string): number => after[counter]! - before[counter]!;
    assert.deepEqual(['kernel_punted', 'punt_sent', 'kernel_pinned', 'kernel_promoted'].map(grown), [1, 1, 2, 1]);

    const sent = await inner.read(3, ['ip.len', 'ip.ttl', 'ip.id', 'ip.flags.df', 'udp.payload']);
    const packets = await outer.read(3, [
      ...(['ipv6.src', 'ipv6.dst', 'ipv6.plen', 'ipv6.nxt', 'ipv6.hlim', 'ipv6.tclass', 'ipv6.flow', 'ipv6.routing.nxt', 'ipv6.routing.segleft'] as const),
      ...(['ipv6.routing.srh.addr', 'ip.src', 'ip.dst', 'ip.len', 'ip.ttl', 'ip.id', 'ip.flags.df', 'ip.dsfield', 'ip.checksum.status', 'udp.payload'] as const),
    ]);
    assert.equal(packets.length, 3);
    packets.forEach((packet, i) => {
      const plain = sent[i]!;
      const expected: Partial<Record<keyof typeof packet, string>> = {
        ...{ 'ipv6.src': ENTRY_LOOPBACK, 'ipv6.dst': SID_DX4, 'ipv6.plen': String(24 + Number(plain['ip.len'][0])), 'ipv6.nxt': '43', 'ipv6.hlim': '63' },
        ...{ 'ipv6.routing.nxt': '4', 'ipv6.routing.segleft': '0', 'ipv6.routing.srh.addr': SID_DX4 },
        ...{ 'ip.src': CLIENT_IPV4, 'ip.dst': SERVICE_IPV4, 'ip.len': plain['ip.len'][0]!, 'ip.ttl': String(Number(plain['ip.ttl'][0]) - 1), 'ip.id': plain['ip.id'][0]! },
        // Status 1: tshark found the header checksum right. DSCP 46 and ECT(0) inside and outside.
        ...{ 'ip.flags.df': plain['ip.flags.df'][0]!, 'ip.checksum.status': '1', 'ip.dsfield': '0xba', 'udp.payload': plain['udp.payload'][0]! },
      };
      for (const [field, value] of Object.entries(expected)) assert.deepEqual(packet[field as keyof typeof packet], [value], field);
      assert.equal(Number(packet['ipv6.tclass'][0]), 0xba);
    });
    const labels = new Set(packets.map((packet) => packet['ipv6.flow'][0]));
    assert.equal(labels.size, 1);
    assert.notEqual(Number([...labels][0]), 0);
    assert.deepEqual(await flowOf(sourcePort), {
      ...{ source: CLIENT_IPV4, destination: SERVICE_IPV4, protocol: 17, sourcePort, destinationPort: PORT, policy: POLICY },
      ...{ packets: 3, bytes: 3 * (HEADERS + 20) },
    });
  });

  it('of a pinned flow go on while the daemon is stopped', async () => {
    const sourcePort = nextPort++;
    await send({ sourcePort, count: 2 });
    router.process.kill('SIGSTOP');
    const { replies } = await send({ sourcePort, count: 20, waitMs: 500 });
    router.process.kill('SIGCONT');
    assert.equal(replies, 20);
    assert.equal((await flowOf(sourcePort))!.packets, 22);
  });

  it('pass several segments', async () => {
    const sourcePort = nextPort++;
    await router.setPolicies([{ policy: 19, segments: [SID_END, SID_DX4], mtu: 1500 }]);
    await router.steer(19);
    assert.equal((await send({ sourcePort, count: 3 })).replies, 3);
    await router.steer(POLICY);
  });

  it('with their TTL used up are answered with Time Exceeded, first or pinned', async () => {
    const sourcePort = nextPort++;
    const exceeded = { replies: 0, errors: [{ type: 11, code: 0, mtu: 0 }] };
    assert.deepEqual(await send({ sourcePort, hops: 1 }), exceeded);
    await send({ sourcePort, count: 2 });
    const before = (await router.counters())['kernel_hop_limit']!;
    assert.deepEqual(await send({ sourcePort, hops: 1 }), exceeded);
    assert.equal((await router.counters())['kernel_hop_limit'], before + 1);
  });

  it('with DF that are too long for the path are answered with Fragmentation Needed, and the longest that fits passes', async () => {
    await router.steer(NARROW);
    const fits = 1400 - OVERHEAD - HEADERS;
    const tooBig = { replies: 0, errors: [{ type: 3, code: 4, mtu: 1400 - OVERHEAD }] };
    const sourcePort = nextPort++;
    assert.deepEqual(await send({ sourcePort, size: fits + 1 }), tooBig);
    assert.equal((await send({ sourcePort, size: fits, count: 2 })).replies, 2);
    const before = (await router.counters())['kernel_too_big']!;
    assert.deepEqual(await send({ sourcePort, size: fits + 1 }), tooBig);
    assert.equal((await router.counters())['kernel_too_big'], before + 1);
  });

  it('without DF that are too long for the path are fragmented before they are encapsulated', async () => {
    const sourcePort = nextPort++;
    const capture = await chain.capture('exit', 'x0', 'ip6 proto 43');
    assert.equal((await send({ sourcePort, size: 1400, count: 3, fragment: true })).replies, 3);
    const packets = await capture.read(6, ['ipv6.plen', 'ip.frag_offset', 'ip.checksum.status']);
    for (const packet of packets) {
      assert.ok(40 + Number(packet['ipv6.plen'][0]) <= 1400);
      assert.deepEqual(packet['ip.checksum.status'], ['1']);
    }
    assert.equal(packets.filter((packet) => packet['ip.frag_offset'][0] !== '0').length, 3);
    assert.equal((await flowOf(sourcePort))!.packets, 6);
    await router.setPolicies([{ policy: NARROW, segments: [], mtu: 1400 }]);
    await router.steer(POLICY);
  });

  it('in fragments follow the flow of the first fragment', async () => {
    const sourcePort = nextPort++;
    for (const [node, name] of [['entry', 'e1'], ['exit', 'x0']] as const) chain.exec(node, 'ip', 'link', 'set', 'dev', name, 'mtu', '1600');
    await router.setPolicies([POLICY, 19, 20].map((policy) => ({ policy, segments: [SID_DX4], mtu: 1600 })));
    await router.steer(20);
    // What earlier tests taught the client of the path would shorten its fragments.
    chain.exec('client', 'ip', '-4', 'route', 'flush', 'cache');
    const before = await router.counters();
    assert.equal((await send({ sourcePort, size: 4000, count: 3, fragment: true })).replies, 3);
    const after = await router.counters();
    assert.equal(after['kernel_fragment_unknown'], before['kernel_fragment_unknown']);
    assert.equal((await flowOf(sourcePort))!.packets, 9);
    assert.ok(after['kernel_pinned']! - before['kernel_pinned']! >= 6);
    await router.steer(POLICY);
  });

  it('that are later fragments of an unknown packet are dropped and counted', async () => {
    const before = (await router.counters())['kernel_fragment_unknown']!;
    fromClient(ipv4({ protocol: 17, fragment: 100, identification: 0xdead, payload: new Uint8Array(24) }));
    await counted('kernel_fragment_unknown', before + 1);
  });

  it('that are ICMP echo requests are pinned by their identifier', async () => {
    const before = await router.counters();
    assert.match(chain.exec('client', 'ping', '-4', '-c', '4', '-i', '0.02', SERVICE_IPV4), /4 received/);
    const after = await router.counters();
    assert.equal(after['kernel_punted']! - before['kernel_punted']!, 1);
    assert.equal(after['kernel_pinned']! - before['kernel_pinned']!, 3);
    const flow = (await router.flows()).find(({ protocol }) => protocol === 1)!;
    assert.equal(flow.sourcePort, flow.destinationPort);
  });

  it('that are ICMP errors about an answer reach the instance of that flow, others are dropped', async () => {
    const sourcePort = nextPort++;
    await send({ sourcePort, count: 2 });
    const about = (port: number): Uint8Array => {
      const error = Uint8Array.from([3, 4, 0, 0, 0, 0, 1300 >> 8, 1300 & 0xff, ...ipv4({ source: SERVICE_IPV4, destination: CLIENT_IPV4, protocol: 17, payload: udp(PORT, port) })]);
      new DataView(error.buffer).setUint16(2, foldChecksum(sumOctets(error, 0, error.length)));
      return ipv4({ source: '10.10.0.99', protocol: 1, payload: error });
    };
    const before = await router.counters();
    const capture = await chain.capture('exit', 'x0', 'ip6 proto 43');
    fromClient(about(sourcePort), about(4321));
    const [packet] = await capture.read(1, ['ipv6.dst', 'icmp.type', 'icmp.code', 'icmp.mtu']);
    assert.deepEqual([packet!['ipv6.dst'], packet!['icmp.type'], packet!['icmp.code'], packet!['icmp.mtu']], [[SID_DX4], ['3'], ['4'], ['1300']]);
    const after = await router.counters();
    assert.equal(after['kernel_icmp_error_unknown']! - before['kernel_icmp_error_unknown']!, 1);
    assert.equal(after['kernel_punted'], before['kernel_punted']);
  });

  it('with IPv4 options pass the stack and the daemon, pinned or not, and stay on their flow', async () => {
    const sourcePort = nextPort++;
    await pin(sourcePort);
    const before = await router.counters();
    const capture = await chain.capture('exit', 'x0', 'ip6 proto 43');
    // Record Route with room for two addresses (RFC 791 section 3.1): every router on the way writes its own.
    fromClient(ipv4({ protocol: 17, options: [7, 11, 4, ...new Uint8Array(8), 0], payload: udp(sourcePort, DISCARD) }));
    const [packet] = await capture.read(1, ['ipv6.dst', 'ip.ttl', 'ip.rec_rt', 'ip.checksum.status']);
    assert.deepEqual([packet!['ipv6.dst'], packet!['ip.ttl'], packet!['ip.checksum.status']], [[SID_DX4], ['63'], ['1']]);
    assert.equal(packet!['ip.rec_rt'].length, 1);
    assert.equal((await router.counters())['kernel_punted'], before['kernel_punted']! + 1);
    assert.deepEqual([(await flowOf(sourcePort))!.packets, (await flowOf(sourcePort))!.policy], [3, POLICY]);
  });

  it('whose header is wrong are dropped and counted', async () => {
    const before = (await router.counters())['kernel_malformed']!;
    const good = ipv4({ protocol: 17, payload: udp(1, DISCARD) });
    const wrongChecksum = good.slice();
    wrongChecksum[10]! ^= 1;
    const cutShort = ipv4({ protocol: 17, payload: new Uint8Array(3) });
    const shortHeader = good.slice();
    shortHeader[0] = 0x44;
    fromClient(wrongChecksum, cutShort, shortHeader);
    await counted('kernel_malformed', before + 3);
  });

  it('are not what IPv6 packets with mapped addresses are taken for', async () => {
    const sourcePort = nextPort++;
    await pin(sourcePort);
    const before = await router.counters();
    const packet = new Uint8Array(56);
    writeIpv6Header(packet, 0, { trafficClass: 0, flowLabel: 0, payloadLength: 16, nextHeader: 17, hopLimit: 64, source: address(`::ffff:${CLIENT_IPV4}`), destination: address(`::ffff:${SERVICE_IPV4}`) });
    packet.set(udp(sourcePort, DISCARD), 40);
    // The good packet behind it shows that both were looked at.
    fromClient(packet, ipv4({ protocol: 17, payload: udp(sourcePort, DISCARD) }));
    await counted('kernel_pinned', before['kernel_pinned']! + 1);
    assert.equal((await flowOf(sourcePort))!.packets, 3);
    assert.equal((await router.counters())['kernel_punted'], before['kernel_punted']);
  });

  it('of a TCP connection pass uncut with segmentation offload on', async () => {
    const server = chain.spawn('server', ['iperf3', '-s', '-1', '-B', SERVICE_IPV4]);
    try {
      await until('iperf3 listens', 5000, () => chain.exec('server', 'ss', '-4ltn').includes(':5201'));
      const before = await router.counters();
      const report = JSON.parse(chain.exec('client', 'iperf3', '-4', '-c', SERVICE_IPV4, '-n', '64M', '-J')) as { end: { sum_received: { bytes: number } } };
      assert.ok(report.end.sum_received.bytes >= 32 * 2 ** 20);
      const after = await router.counters();
      const pinned = after['kernel_pinned']! - before['kernel_pinned']!;
      assert.ok(pinned > 200 && pinned < 20_000, `${pinned} packets`);
      assert.equal(after['kernel_encap_failed'], before['kernel_encap_failed']);
      assert.ok(after['kernel_punted']! - before['kernel_punted']! <= 4);
    } finally {
      server.kill();
    }
  });

  it('for which there is no service or no exit are answered with Destination Unreachable', async () => {
    await router.steer(-1);
    assert.deepEqual((await send({})).errors, [{ type: 3, code: 0, mtu: 0 }]);
    await router.steer(-2);
    const capture = await chain.capture('client', 'c0', 'icmp');
    assert.deepEqual((await send({})).errors, [{ type: 3, code: 1, mtu: 0 }]);
    const [packet] = await capture.read(1, ['ip.src', 'ip.checksum.status', 'icmp.checksum.status']);
    assert.deepEqual([packet!['ip.src'][0], packet!['ip.checksum.status'][0], packet!['icmp.checksum.status'][0]], ['10.10.0.1', '1', '1']);
    await router.steer(POLICY);
  });

  it('of one source that sends too many flows are limited, and other sources are not', async () => {
    await router.end('remove');
    await startRouter({ sourceRate: 1, sourceBurst: 5 });
    await router.setPolicies([{ policy: POLICY, segments: [SID_DX4], mtu: 1600 }]);
    const flood = (source: string, count: number): Uint8Array[] => Array.from({ length: count }, (_, i) => ipv4({ source, protocol: 17, payload: udp(30_000 + i, 9) }));
    fromClient(...flood('10.10.0.50', 20), ...flood('10.10.0.51', 5));
    await until('all are counted', 2000, async () => {
      const { kernel_punted: punted, kernel_limited_source: limited } = await router.counters();
      return punted! + limited! === 25;
    });
    assert.equal((await router.counters())['kernel_punted'], 10);
  });

  it('carry no SRH in the reduced form', async () => {
    await router.end('remove');
    await startRouter({ reduced: true });
    const capture = await chain.capture('exit', 'x0', 'ip6 proto 4');
    assert.equal((await send({ count: 3 })).replies, 3);
    for (const packet of await capture.read(3, ['ipv6.dst', 'ipv6.nxt', 'ip.ttl', 'ip.checksum.status'])) {
      assert.deepEqual([packet['ipv6.dst'], packet['ipv6.nxt'], packet['ip.ttl'], packet['ip.checksum.status']], [[SID_DX4], ['4'], ['63'], ['1']]);
    }
  });
});
