/** Whole routers from outside: what is on the wire between entry and exit (proto/WIRE.md section 5). */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { readSrv6, type CapturedPacket } from '../../lab/demo/wire.js';
import { CLIENT, END, END_X, LOOPBACK, Network, SERVICE, sidOf } from './router-lab/scene.js';
import { fieldsOf } from './router-lab/tshark.js';

let network: Network;
before(async () => {
  network = await Network.up();
});
after(() => (network as Network | undefined)?.down());

const REQUESTS = 3;

/** Sends one flow and returns what the link shows of it, with the flow as the entry lists it. */
async function watch(service: string, node: string, link: string): Promise<{ packets: CapturedPacket[]; path: string }> {
  const port = network.freshPorts();
  const capture = await network.lab.capture(link, 'ip6');
  const report = await network.send(service, '--source-port', String(port), '--requests', String(REQUESTS), '--interval-ms', '20');
  const path = await capture.stop();
  assert.deepEqual(report.nodes, { [node]: REQUESTS });
  return { path, packets: (await readSrv6(path)).filter(({ sourcePort, innerSource }) => sourcePort === port && innerSource === CLIENT) };
}

const cases = [
  { name: 'one SID', service: SERVICE.one, node: 'node1', segments: [sidOf('exit1', 11)] },
  { name: 'two SIDs', service: SERVICE.two, node: 'node2', segments: [END.t2, sidOf('exit2', 12)] },
  { name: 'three SIDs', service: SERVICE.three, node: 'node2', segments: [END.t1, END.t2, sidOf('exit2', 13)] },
  { name: 'an End.X SID and the exit', service: SERVICE.endX, node: 'node2', segments: [END_X, sidOf('exit2', 14)] },
] as const;

for (const { name, service, node, segments } of cases) {
  test(`a segment list of ${name} is on the wire with the first packet and the pinned ones, and is delivered`, async () => {
    const { packets } = await watch(service, node, 'entry:eth2');
    assert.equal(packets.length, REQUESTS, 'each packet once');
    for (const packet of packets) {
      assert.equal(packet.outerSource, LOOPBACK.entry);
      assert.equal(packet.outerDestination, segments[0]);
      assert.deepEqual(packet.segmentList, [...segments].reverse());
      assert.equal(packet.segmentsLeft, segments.length - 1);
      assert.equal(packet.innerDestination, service);
      assert.equal(packet.outerHopLimit, 63);
      assert.equal(packet.innerHopLimit, 63, 'less one, exactly once');
    }
    const policies = await network.router('entry').fib(service);
    assert.ok(policies.length > 0 && policies.every((policy) => policy.installed && policy.segments.join() === segments.join()), JSON.stringify(policies[0]));
  });
}

test('End.X and End advance the segment list at the transit routers', async () => {
  for (const { service, segments } of [cases[2], cases[3]]) {
    const { packets } = await watch(service, 'node2', 't1:eth3');
    assert.equal(packets.length, REQUESTS);
    for (const packet of packets) {
      assert.equal(packet.outerDestination, segments[1]);
      assert.equal(packet.segmentsLeft, segments.length - 2);
    }
  }
  const sids = await network.router('t1').sids();
  assert.deepEqual(sids.map(({ behaviour, installed }) => [behaviour, installed]), [['End', true], ['End.X', true]]);
});

test('an instance of the entry itself has the same counters and the same flows', async () => {
  const entry = network.router('entry');
  const port = network.freshPorts();
  const punted = await entry.counter('kernel_punted');
  const report = await network.send(SERVICE.local, '--source-port', String(port), '--requests', '5', '--interval-ms', '20');
  assert.deepEqual(report.nodes, { node0: 5 });
  assert.equal(await entry.counter('kernel_punted'), punted + 1, 'the first packet alone reached the daemon');
  const [candidate] = await entry.candidates(SERVICE.local);
  assert.deepEqual([candidate!.exit, candidate!.source, candidate!.feasible, candidate!.pathDelayUs], [LOOPBACK.entry, 'local', true, 0]);
  const flows = await network.json<Record<string, unknown>[]>('entry', 'show', 'flows', '--service', SERVICE.local);
  const flow = flows.find(({ sourcePort }) => sourcePort === port);
  assert.deepEqual([flow?.['exit'], flow?.['service'], flow?.['packets']], [LOOPBACK.entry, SERVICE.local, '5']);
  const tcp = await network.send(SERVICE.local, '--protocol', 'tcp', '--flows', '3', '--requests', '4');
  assert.deepEqual(tcp.nodes, { node0: 12 });
});

test('reduced encapsulation leaves the first SID out of the SRH, and the SRH out of a list of one', async () => {
  await network.reload('entry', (config) => (config.dataplane = { reduced: true }));
  try {
    const two = await watch(SERVICE.two, 'node2', 'entry:eth2');
    assert.equal(two.packets.length, REQUESTS);
    for (const packet of two.packets) {
      assert.equal(packet.outerDestination, END.t2);
      assert.deepEqual(packet.segmentList, [sidOf('exit2', 12)]);
      assert.equal(packet.segmentsLeft, 1);
    }
    const one = await watch(SERVICE.one, 'node1', 'entry:eth2');
    assert.equal(one.packets.length, 0, 'no SRH');
    const plain = await fieldsOf(one.path, `ipv6.nxt == 41 && ipv6.dst == ${sidOf('exit1', 11)}`, 'ipv6.dst', 'ipv6.nxt');
    assert.equal(plain.length, REQUESTS);
    for (const [destinations, next] of plain) {
      assert.deepEqual(destinations!.split(','), [sidOf('exit1', 11), SERVICE.one]);
      assert.equal(next!.split(',')[0], '41');
    }
  } finally {
    await network.reload('entry', (config) => (config.dataplane = { reduced: false }));
  }
  const full = await watch(SERVICE.one, 'node1', 'entry:eth2');
  assert.equal(full.packets.length, REQUESTS);
});
