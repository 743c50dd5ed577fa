/** Whole routers from outside: requirements in the first packet (proto/WIRE.md section 4). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { encodeRequirementOption, NO_REQUIREMENTS } from '../../daemon/steering/requirement-option.js';
import { destinationOptions } from '../../lab/tools/option.js';
import { CLIENT, CLIENT2, Network, PORT, SERVICE } from './router-lab/scene.js';
import { fieldsOf } from './router-lab/tshark.js';

const OPTION_TYPE = 0x1e;
/** Only exit3 has 3e12 operations per second. */
const THREE_TERA = { class: 2, minResidual: 3_000_000_000_000n } as const;

let network: Network;
before(async () => {
  network = await Network.up();
});
after(() => (network as Network | undefined)?.down());

const malformed = (): Promise<number> => network.router('entry').counter('steering_malformed_option');

test('a latency that no instance can meet is answered with Destination Unreachable', async () => {
  const capture = await network.lab.capture('client:eth1', 'icmp6');
  const tcp = await network.send(SERVICE.main, '--protocol', 'tcp', '--requirements', '{"latencyUs": 1}');
  assert.equal(tcp.answered, 0);
  // EHOSTUNREACH: Linux makes it of code 3.
  assert.deepEqual(tcp.flows.map(({ error }) => error), ['connect: errno 113']);
  const packets = await fieldsOf(await capture.stop(), 'icmpv6.type == 1', 'icmpv6.code', 'ipv6.src', 'ipv6.dst');
  assert.ok(packets.length > 0, 'tshark sees a Destination Unreachable');
  for (const [code, sources, destinations] of packets) {
    assert.equal(code, '3');
    assert.deepEqual(destinations!.split(','), [CLIENT, SERVICE.main], 'to the client, about its own packet');
    assert.equal(sources!.split(',')[1], CLIENT);
  }
  assert.equal((await network.send(SERVICE.main)).answered, 1, 'without the requirement it is served');
});

test('a service that nobody has is answered with Destination Unreachable, no route', async () => {
  const capture = await network.lab.capture('client:eth1', 'icmp6');
  const tcp = await network.send(SERVICE.none, '--protocol', 'tcp');
  assert.deepEqual(tcp.flows.map(({ error }) => error), ['connect: errno 101']);
  const packets = await fieldsOf(await capture.stop(), 'icmpv6.type == 1', 'icmpv6.code');
  assert.deepEqual([...new Set(packets.flat())], ['0']);
});

test('computing power asked for decides, over UDP and TCP', async () => {
  for (const protocol of ['udp', 'tcp']) {
    const report = await network.send(SERVICE.main, '--protocol', protocol, '--flows', '8', '--requests', '3', '--requirements', JSON.stringify({ computing: { class: 2, minResidual: 3e12 } }));
    assert.deepEqual(report.nodes, { node3: 24 }, protocol);
  }
});

test('a malformed option is counted and the flow is steered by the defaults', async () => {
  const before = await malformed();
  // Type 1 (latency) with a length past the end of the option.
  const report = await network.send(SERVICE.main, '--option-hex', '435001000108ffff');
  assert.equal(report.answered, 1);
  assert.equal(await malformed(), before + 1);
});

test('an option with another magic or version is ignored and not counted', async () => {
  const before = await malformed();
  for (const hex of ['58580100010400000001', '43500200010400000001']) assert.equal((await network.send(SERVICE.main, '--option-hex', hex)).answered, 1, hex);
  assert.equal(await malformed(), before);
});

test('unknown requirements are skipped, known ones beside them count', async () => {
  const before = await malformed();
  const unknown = Uint8Array.of(0xee, 2, 1, 2);
  const data = Buffer.concat([encodeRequirementOption({ ...NO_REQUIREMENTS, computing: THREE_TERA }), unknown]);
  assert.deepEqual((await network.send(SERVICE.main, '--flows', '4', '--option-hex', data.toString('hex'))).nodes, { node3: 4 });
  assert.equal(await malformed(), before);
});

/** A UDP request with raw extension headers; prints the answer. */
const ASK = `
import socket, sys
to, port, hop, dst = sys.argv[1], int(sys.argv[2]), bytes.fromhex(sys.argv[3]), bytes.fromhex(sys.argv[4])
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.settimeout(2)
if hop: s.setsockopt(41, 54, hop)
if dst: s.setsockopt(41, 59, dst)
s.sendto(b"1 hello\\n", (to, port))
print(s.recv(100).decode().strip())
`;

test('a Hop-by-Hop option is read too, and goes before one in the Destination Options', async () => {
  const header = (minResidual: bigint): string =>
    Buffer.from(destinationOptions(OPTION_TYPE, encodeRequirementOption({ ...NO_REQUIREMENTS, computing: { class: 2, minResidual } }))).toString('hex');
  const ask = (hop: string, destination: string): Promise<string> => network.lab.node('client').run(['/usr/bin/python3', '-c', ASK, SERVICE.main, String(PORT), hop, destination]);
  for (let i = 0; i < 4; i++) assert.equal(await ask(header(THREE_TERA.minResidual), ''), '1 node3\n');
  assert.equal(await ask(header(THREE_TERA.minResidual), header(9_000_000_000_000n)), '1 node3\n', 'the other option asks for what nobody has');
});

test('stickiness by client keeps all flows of a client at one node', async () => {
  const counter = (): Promise<number> => network.router('entry').counter('steering_sticky');
  const sticky = JSON.stringify({ stickiness: { mode: 2, seconds: 60 } });
  const before = await counter();
  for (const from of [CLIENT, CLIENT2]) {
    const reports = [await network.send(SERVICE.main, '--from', from, '--flows', '10', '--requirements', sticky), await network.send(SERVICE.main, '--from', from, '--flows', '10', '--requirements', sticky)];
    const nodes = new Set(reports.flatMap((report) => Object.keys(report.nodes)));
    assert.equal(nodes.size, 1, `20 flows of ${from} should be at one node: ${[...nodes].join(', ')}`);
    assert.deepEqual(reports.map(({ answered }) => answered), [10, 10]);
  }
  assert.equal(await counter(), before + 38, 'all but the first flow of each client followed it');
  const spread = await network.send(SERVICE.main, '--flows', '30');
  assert.ok(Object.keys(spread.nodes).length > 1, 'flows that do not ask for it are spread');
});
