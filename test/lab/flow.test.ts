/** Packets through the dataplane of a kernel, in a chain of network namespaces; what is on the wire is read with tshark. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { buildIcmpv6 } from '../../dataplane/packet/icmpv6.js';
import { parseIp } from '../../dataplane/packet/ip.js';
import { writeIpv6Header } from '../../dataplane/packet/ipv6.js';
import { CLIENT, ENTRY_LOOPBACK, FlowChain, SERVICE, SID_DX6, SID_END, until, type Router, type RouterFlow, type SendRequest } from './flow-chain.js';

const PORT = 7000;
const POLICY = 16;
const TWO_SEGMENTS = 17;
const NARROW = 18;
const OVERHEAD = 40 + 8 + 16;

const address = (text: string): Uint8Array => parseIp(text)!;

/** A UDP packet of the client to a port of the service, checksum left out. */
function udp(source: string, destination: string, sourcePort: number, hopLimit = 64): Uint8Array {
  const packet = new Uint8Array(56);
  writeIpv6Header(packet, 0, { trafficClass: 0, flowLabel: 0, payloadLength: 16, nextHeader: 17, hopLimit, source: address(source), destination: address(destination) });
  const view = new DataView(packet.buffer);
  view.setUint16(40, sourcePort);
  view.setUint16(42, PORT);
  view.setUint16(44, 16);
  return packet;
}

describe('packets to a service', () => {
  const chain = new FlowChain();
  let router: Router;
  let nextPort = 20_000;

  /** Sends as a flow of its own; the source port tells it apart. */
  const send = (request: Partial<SendRequest> = {}): ReturnType<FlowChain['send']> & { sourcePort?: number } => chain.send({ port: PORT, sourcePort: nextPort++, ...request });
  const flowOf = async (sourcePort: number): Promise<RouterFlow | undefined> => (await router.flows()).find((flow) => flow.sourcePort === sourcePort);

  async function startRouter(options: Parameters<FlowChain['startRouter']>[0] = {}): Promise<void> {
    router = await chain.startRouter(options);
    await router.setPolicies([
      { policy: POLICY, segments: [SID_DX6], mtu: 1500 },
      { policy: TWO_SEGMENTS, segments: [SID_END, SID_DX6], mtu: 1500 },
      { policy: NARROW, segments: [SID_DX6], mtu: 1400 },
    ]);
    await router.steer(POLICY);
  }

  before(async () => {
    chain.up();
    await startRouter();
    await chain.startEcho(PORT);
    // Neighbours and links are up once the first answer is there.
    await until('a first answer', 10_000, async () => (await send({ waitMs: 500 })).replies === 1);
  });

  after(async () => {
    try {
      if (router.process.exitCode === null) await router.end('remove');
    } finally {
      chain.down();
    }
  });

  it('leave encapsulated, alike from the daemon and from the kernel, the inner packet unchanged but for its hop limit', async () => {
    const sourcePort = nextPort++;
    const inner = await chain.capture('entry', 'e0', `udp src port ${sourcePort}`);
    const outer = await chain.capture('exit', 'x0', 'ip6 proto 43');
    const before = await router.counters();
    assert.equal((await send({ sourcePort, count: 3, trafficClass: 0xb8 })).replies, 3);
    const after = await router.counters();
    assert.equal(after['kernel_punted']! - before['kernel_punted']!, 1);
    assert.equal(after['punt_sent']! - before['punt_sent']!, 1);
    assert.equal(after['kernel_pinned']! - before['kernel_pinned']!, 2);
    assert.equal(after['kernel_promoted']! - before['kernel_promoted']!, 1);

    const sent = await inner.read(3, ['ipv6.plen', 'ipv6.flow', 'ipv6.hlim', 'udp.payload']);
    const fields = [
      ...['ipv6.src', 'ipv6.dst', 'ipv6.plen', 'ipv6.nxt', 'ipv6.hlim', 'ipv6.tclass.dscp', 'ipv6.flow', 'ipv6.routing.type', 'ipv6.routing.segleft'],
      ...['ipv6.routing.srh.last_entry', 'ipv6.routing.srh.addr', 'udp.payload'],
    ] as const;
    const packets = await outer.read(3, fields);
    assert.equal(packets.length, 3);
    const labels = new Set<string>();
    packets.forEach((packet, i) => {
      const plain = sent[i]!;
      const innerLength = 40 + Number(plain['ipv6.plen'][0]);
      assert.deepEqual(packet['ipv6.src'], [ENTRY_LOOPBACK, CLIENT]);
      assert.deepEqual(packet['ipv6.dst'], [SID_DX6, SERVICE]);
      assert.deepEqual(packet['ipv6.plen'], [String(24 + innerLength), plain['ipv6.plen'][0]]);
      assert.deepEqual(packet['ipv6.nxt'], ['43', '17']);
      assert.deepEqual(packet['ipv6.hlim'], ['63', String(Number(plain['ipv6.hlim'][0]) - 1)]);
      assert.deepEqual(packet['ipv6.tclass.dscp'], ['46', '46']);
      assert.equal(packet['ipv6.flow'][1], plain['ipv6.flow'][0]);
      assert.notEqual(Number(packet['ipv6.flow'][0]), 0);
      assert.deepEqual(packet['ipv6.routing.type'], ['4']);
      assert.deepEqual(packet['ipv6.routing.segleft'], ['0']);
      assert.deepEqual(packet['ipv6.routing.srh.last_entry'], ['0']);
      assert.deepEqual(packet['ipv6.routing.srh.addr'], [SID_DX6]);
      assert.deepEqual(packet['udp.payload'], plain['udp.payload']);
      labels.add(packet['ipv6.flow'][0]!);
    });
    assert.equal(labels.size, 1);
    assert.deepEqual(await flowOf(sourcePort), {
      ...{ source: CLIENT, destination: SERVICE, protocol: 17, sourcePort, destinationPort: PORT, policy: POLICY },
      ...{ packets: 3, bytes: 3 * (40 + 8 + 20) },
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

  it('take the segment list of a policy at once when it changes', async () => {
    const sourcePort = nextPort++;
    await router.setPolicies([{ policy: 19, segments: [SID_DX6], mtu: 1500 }]);
    await router.steer(19);
    await send({ sourcePort, count: 2 });
    await router.steer(POLICY);
    await router.setPolicies([{ policy: 19, segments: [SID_END, SID_DX6], mtu: 1500 }]);
    const capture = await chain.capture('exit', 'x0', 'ip6 proto 43');
    assert.equal((await send({ sourcePort, count: 1 })).replies, 1);
    const [packet] = await capture.read(1, ['ipv6.dst', 'ipv6.routing.segleft', 'ipv6.routing.srh.addr', 'ipv6.plen']);
    assert.deepEqual(packet!['ipv6.routing.srh.addr'], [SID_DX6, SID_END]);
    assert.deepEqual(packet!['ipv6.routing.segleft'], ['1']);
    assert.equal(packet!['ipv6.dst'][0], SID_END);
    assert.equal(packet!['ipv6.plen'][0], String(40 + 40 + 8 + 20));
  });

  it('with their hop limit used up are answered with Time Exceeded, first or pinned', async () => {
    const sourcePort = nextPort++;
    assert.deepEqual(await send({ sourcePort, hops: 1 }), { replies: 0, errors: [{ type: 3, code: 0, mtu: 0 }] });
    await send({ sourcePort, count: 2 });
    const before = (await router.counters())['kernel_hop_limit']!;
    assert.deepEqual(await send({ sourcePort, hops: 1 }), { replies: 0, errors: [{ type: 3, code: 0, mtu: 0 }] });
    assert.equal((await router.counters())['kernel_hop_limit'], before + 1);
    // 2 is enough for the entry; the exit then finds 1.
    assert.equal((await send({ sourcePort, hops: 4 })).replies, 1);
  });

  it('too long for the path are answered with Packet Too Big, and the longest that fits passes', async () => {
    await router.steer(NARROW);
    const fits = 1400 - OVERHEAD - 48;
    const tooBig = { replies: 0, errors: [{ type: 2, code: 0, mtu: 1400 - OVERHEAD }] };
    const sourcePort = nextPort++;
    assert.deepEqual(await send({ sourcePort, size: fits + 1 }), tooBig);
    assert.equal((await send({ sourcePort, size: fits, count: 2 })).replies, 2);
    const before = (await router.counters())['kernel_too_big']!;
    assert.deepEqual(await send({ sourcePort, size: fits + 1 }), tooBig);
    assert.equal((await router.counters())['kernel_too_big'], before + 1);
    await router.steer(POLICY);
  });

  it('with a Destination Options header show their requirement once, and are pinned behind it', async () => {
    const sourcePort = nextPort++;
    // Option 0x1e with a latency of 10 ms (proto/WIRE.md section 4), PadN to 16 octets.
    const options = '0001' + '1e0a' + '43500100' + '010400002710' + '0100';
    const before = await router.counters();
    assert.equal((await send({ sourcePort, count: 4, destinationOptions: options })).replies, 4);
    const after = await router.counters();
    assert.equal(after['kernel_punted']! - before['kernel_punted']!, 1);
    assert.equal(after['kernel_pinned']! - before['kernel_pinned']!, 3);
    assert.equal(((await router.call({ op: 'events' })) as { requirement: string }).requirement, '43500100010400002710');
  });

  it('in fragments follow the flow of the first fragment', async () => {
    const sourcePort = nextPort++;
    await router.setPolicies([{ policy: 20, segments: [SID_DX6], mtu: 1600 }]);
    await router.steer(20);
    for (const [node, name] of [['entry', 'e1'], ['exit', 'x0']] as const) chain.exec(node, 'ip', 'link', 'set', 'dev', name, 'mtu', '1600');
    // The TUN has the MTU of the narrowest policy, and fragments of a first packet go through it.
    await router.setPolicies([{ policy: NARROW, segments: [], mtu: 1400 }, { policy: POLICY, segments: [SID_DX6], mtu: 1600 }, { policy: TWO_SEGMENTS, segments: [SID_DX6], mtu: 1600 }, { policy: 19, segments: [], mtu: 1500 }]);
    chain.exec('client', 'ip', '-6', 'route', 'flush', 'cache');
    const before = await router.counters();
    assert.equal((await send({ sourcePort, size: 4000, count: 3, fragment: true })).replies, 3);
    const after = await router.counters();
    assert.equal(after['kernel_fragment_unknown'], before['kernel_fragment_unknown']);
    const flow = (await flowOf(sourcePort))!;
    assert.equal(flow.packets, 9);
    assert.ok(after['kernel_pinned']! - before['kernel_pinned']! >= 6);
    await router.steer(POLICY);
  });

  it('that are later fragments of an unknown packet are dropped and counted', async () => {
    const fragment = new Uint8Array(64);
    writeIpv6Header(fragment, 0, { trafficClass: 0, flowLabel: 0, payloadLength: 24, nextHeader: 44, hopLimit: 64, source: address(CLIENT), destination: address(SERVICE) });
    fragment.set([17, 0, 0x01, 0x00, 0xde, 0xad, 0xbe, 0xef], 40);
    const before = (await router.counters())['kernel_fragment_unknown']!;
    chain.sendRaw('client', 'c0', chain.macOf('entry', 'e0'), [fragment]);
    await until('the drop is counted', 2000, async () => (await router.counters())['kernel_fragment_unknown'] === before + 1);
  });

  it('that are ICMPv6 echo requests are pinned by their identifier', async () => {
    const before = await router.counters();
    const output = chain.exec('client', 'ping', '-6', '-c', '4', '-i', '0.02', SERVICE);
    assert.match(output, /4 received/);
    const after = await router.counters();
    assert.equal(after['kernel_punted']! - before['kernel_punted']!, 1);
    assert.equal(after['kernel_pinned']! - before['kernel_pinned']!, 3);
    const flow = (await router.flows()).find(({ protocol }) => protocol === 58)!;
    assert.equal(flow.sourcePort, flow.destinationPort);
  });

  it('that are ICMPv6 errors about an answer reach the instance of that flow, others are dropped', async () => {
    const sourcePort = nextPort++;
    await send({ sourcePort, count: 2 });
    const about = (port: number): Uint8Array => {
      const answer = udp(SERVICE, CLIENT, PORT);
      new DataView(answer.buffer).setUint16(42, port);
      return buildIcmpv6(address('fd10::99'), address(SERVICE), { type: 2, code: 0, parameter: 1300, body: answer });
    };
    const before = await router.counters();
    const capture = await chain.capture('exit', 'x0', 'ip6 proto 43');
    chain.sendRaw('client', 'c0', chain.macOf('entry', 'e0'), [about(sourcePort), about(4321)]);
    const [packet] = await capture.read(1, ['ipv6.dst', 'icmpv6.type', 'icmpv6.mtu']);
    assert.deepEqual(packet!['icmpv6.type'], ['2']);
    assert.deepEqual(packet!['ipv6.dst'].slice(0, 2), [SID_DX6, SERVICE]);
    const after = await router.counters();
    assert.equal(after['kernel_icmp_error_unknown']! - before['kernel_icmp_error_unknown']!, 1);
    assert.equal(after['kernel_punted'], before['kernel_punted']);
  });

  /** Sends 64 MiB over TCP; returns by how much the counters grew. */
  async function tcp(): Promise<(counter: string) => number> {
    // Path MTUs that earlier tests taught the hosts would shorten the segments.
    for (const host of ['client', 'server'] as const) chain.exec(host, 'ip', '-6', 'route', 'flush', 'cache');
    const server = chain.spawn('server', ['iperf3', '-s', '-1', '-B', SERVICE]);
    try {
      await until('iperf3 listens', 5000, () => chain.exec('server', 'ss', '-6ltn').includes(':5201'));
      const before = await router.counters();
      const report = JSON.parse(chain.exec('client', 'iperf3', '-6', '-c', SERVICE, '-n', '64M', '-J')) as { end: { sum_received: { bytes: number } } };
      // What is on its way when the sender has finished is not counted.
      assert.ok(report.end.sum_received.bytes >= 32 * 2 ** 20);
      const after = await router.counters();
      return (counter) => after[counter]! - before[counter]!;
    } finally {
      server.kill();
    }
  }

  it('of a TCP connection pass uncut with segmentation offload on', async () => {
    const grown = await tcp();
    // Segments of up to 64 KiB: far fewer packets than the 47,000 of 1,428 octets.
    const pinned = grown('kernel_pinned');
    assert.ok(pinned > 200 && pinned < 20_000, `${pinned} packets`);
    assert.equal(grown('kernel_encap_failed'), 0);
    assert.ok(grown('kernel_punted') <= 4);
  });

  it('of a TCP connection are told the MTU of a narrow path though they are cut only after it', async () => {
    await router.setPolicies([{ policy: NARROW, segments: [SID_DX6], mtu: 1400 }]);
    await router.steer(NARROW);
    const grown = await tcp();
    assert.ok(grown('kernel_too_big') > 0);
    assert.ok(grown('kernel_pinned') > 200);
    assert.match(chain.exec('client', 'ip', '-6', 'route', 'get', SERVICE), /mtu 1336/);
    await router.setPolicies([{ policy: NARROW, segments: [], mtu: 1400 }]);
    await router.steer(POLICY);
    chain.exec('client', 'ip', '-6', 'route', 'flush', 'cache');
  });

  it('that a host hands down as one datagram of many all arrive', async () => {
    const sourcePort = nextPort++;
    await send({ sourcePort, count: 2 });
    assert.equal((await send({ sourcePort, count: 5, size: 1000, segments: 8 })).replies, 40);
    // 1,000 octets fit the path, 8,000 would not: what counts is the length on the wire.
    assert.ok((await flowOf(sourcePort))!.packets >= 7);
  });

  it('for which there is no service or no exit are answered with Destination Unreachable', async () => {
    await router.steer(-1);
    assert.deepEqual((await send({})).errors, [{ type: 1, code: 0, mtu: 0 }]);
    await router.steer(-2);
    assert.deepEqual((await send({})).errors, [{ type: 1, code: 3, mtu: 0 }]);
    await router.steer(999);
    assert.deepEqual((await send({})).errors, [{ type: 1, code: 3, mtu: 0 }]);
    await router.steer(POLICY);
  });

  it('of a flow whose policy was emptied are steered anew', async () => {
    const sourcePort = nextPort++;
    await router.setPolicies([{ policy: 21, segments: [SID_DX6], mtu: 1500 }]);
    await router.steer(21);
    await send({ sourcePort, count: 3 });
    await router.setPolicies([{ policy: 21, segments: [], mtu: 1500 }]);
    assert.deepEqual((await send({ sourcePort })).errors, [{ type: 1, code: 3, mtu: 0 }]);
    await router.steer(POLICY);
    assert.equal((await send({ sourcePort, count: 3 })).replies, 3);
    assert.equal((await flowOf(sourcePort))!.policy, POLICY);
  });

  it('lower the MTU of their policies when the path tells it is smaller', async () => {
    const sourcePort = nextPort++;
    await send({ sourcePort, count: 2 });
    for (const [node, name] of [['entry', 'e1'], ['exit', 'x0']] as const) chain.exec(node, 'ip', 'link', 'set', 'dev', name, 'mtu', '1400');
    await send({ sourcePort, size: 1380, waitMs: 300 });
    type Events = { pathMtus: { policies: number[]; mtu: number }[] };
    await until('the path MTU is known', 3000, async () => ((await router.call({ op: 'events' })) as Events).pathMtus.some(({ policies, mtu }) => mtu === 1400 && policies.includes(POLICY)));
    assert.equal(((await router.call({ op: 'status', policy: POLICY })) as { mtu: number }).mtu, 1400);
    assert.deepEqual((await send({ sourcePort, size: 1380 })).errors, [{ type: 2, code: 0, mtu: 1400 - OVERHEAD }]);
    assert.equal((await send({ sourcePort, size: 1400 - OVERHEAD - 48 })).replies, 1);
    for (const [node, name] of [['entry', 'e1'], ['exit', 'x0']] as const) chain.exec(node, 'ip', 'link', 'set', 'dev', name, 'mtu', '1600');
  });

  it('into a SID block are dropped at the edge, and in the core unless they come from the domain', async () => {
    const before = await router.counters();
    chain.sendRaw('client', 'c0', chain.macOf('entry', 'e0'), [udp(CLIENT, SID_DX6, 1)]);
    chain.sendRaw('exit', 'x0', chain.macOf('entry', 'e1'), [udp('2001:db8::bad', ENTRY_LOOPBACK, 2), udp('fd20::2', ENTRY_LOOPBACK, 3)]);
    await until('the drops are counted', 2000, async () => {
      const after = await router.counters();
      return after['kernel_edge_sid'] === before['kernel_edge_sid']! + 1 && after['kernel_edge_source'] === before['kernel_edge_source']! + 1;
    });
  });

  it('of pinned flows stay pinned through a crash of the daemon, and the next one adopts them', async () => {
    const sourcePort = nextPort++;
    await router.call({ op: 'owner', block: 1, owner: { service: SERVICE, exit: 'fc00:bb:2::1', instance: 7 } });
    await send({ sourcePort, count: 3 });
    await router.end('kill');
    assert.equal((await send({ sourcePort, count: 3 })).replies, 3);
    router = await chain.startRouter();
    assert.deepEqual(await router.call({ op: 'adopted' }), [{ block: 1, owner: { service: SERVICE, exit: 'fc00:bb:2::1', instance: 7 } }]);
    const status = (await router.call({ op: 'status', policy: POLICY })) as { installed: boolean; segments: string[] };
    assert.deepEqual({ installed: status.installed, segments: status.segments }, { installed: true, segments: [SID_DX6] });
    const before = await router.counters();
    assert.equal((await send({ sourcePort, count: 3 })).replies, 3);
    assert.equal((await router.counters())['kernel_punted'], before['kernel_punted']);
    assert.equal((await flowOf(sourcePort))!.packets, 9);
    assert.equal(chain.exec('entry', 'tc', 'filter', 'show', 'dev', 'e0', 'ingress').match(/handle 0x1 /g)?.length, 1);
  });

  it('leave no trace of the daemon once it has removed what is its own', async () => {
    await router.end('remove');
    assert.doesNotMatch(chain.exec('entry', 'ip', 'link'), /cpn0/);
    assert.equal(chain.exec('entry', 'tc', 'filter', 'show', 'dev', 'e0', 'ingress'), '');
    assert.equal(chain.exec('entry', 'ip', '-6', 'route', 'show', 'table', 'all', 'proto', '210'), '');
    assert.doesNotMatch(chain.exec('entry', 'ip', '-6', 'addr', 'show', 'dev', 'lo'), /fc00/);
    assert.doesNotMatch(chain.exec('entry', 'ls', chain.bpffs), /v\d/);
  });

  it('age out when they stop, and carry no SRH in the reduced form', async () => {
    await startRouter({ flowIdleMs: 400, reduced: true });
    const sourcePort = nextPort++;
    const capture = await chain.capture('exit', 'x0', `ip6 proto 41`);
    assert.equal((await send({ sourcePort, count: 3 })).replies, 3);
    const packets = await capture.read(3, ['ipv6.dst', 'ipv6.nxt', 'ipv6.hlim', 'ipv6.flow']);
    for (const packet of packets) {
      assert.deepEqual(packet['ipv6.dst'], [SID_DX6, SERVICE]);
      assert.deepEqual(packet['ipv6.nxt'], ['41', '17']);
      assert.equal(packet['ipv6.hlim'][0], '63');
    }
    assert.equal(new Set(packets.map((packet) => packet['ipv6.flow'][0])).size, 1);
    await until('the flow is gone', 5000, async () => (await flowOf(sourcePort)) === undefined);
    await until('the listener was told', 2000, async () => ((await router.call({ op: 'events' })) as { expired: number }).expired >= 1);
  });
});
