/**
 * The main job, shown and checked on real packets: a service ID reached over SRv6, the first packet of a flow by the daemon, the rest by
 * the kernel. Progress goes to stderr; with --json one document {ok, steps: [{name, ok, detail}]} goes to stdout. Exit status 0 only if every
 * claim held. Claims are checked from outside the daemon: captures read by tshark, logs of the computing nodes, kernel tables.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Capture, Lab, waitFor } from './index.js';
import { claim, Report } from './demo/report.js';
import { Scene, SERVICE, topologyFile, type FlowJson } from './demo/scene.js';
import { decode, readSrv6, type CapturedPacket } from './demo/wire.js';

const EXIT = { exit1: 'fc00:0:11::1', exit2: 'fc00:0:12::1', exit3: 'fc00:0:13::1' } as const;
const SID = { exit1: 'fcbb:bb00:11:e001::', exit2: 'fcbb:bb00:12:e001::', exit3: 'fcbb:bb00:13:e001::', t2: 'fcbb:bb00:22:1::' } as const;
const ENTRY = 'fc00:0:1::1';
const CLIENT = '2001:db8:c::2';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, keep: { type: 'boolean' } } });
const report = new Report();
const folder = mkdtempSync(join(tmpdir(), 'cpn-demo-'));
const capturing = (scene: Scene, node: string, name: string, file: string): Promise<Capture> =>
  Capture.start(scene.lab.node(node), name, { output: join(folder, file), filter: 'ip6 proto 43' });
const ms = (value: number): string => `${value.toFixed(1)} ms`;

async function sessionsUp(scene: Scene): Promise<string> {
  // The reflector is stock FRR: it says itself which sessions are up, and that three paths to the service are there to reflect.
  const summary = async (): Promise<{ peers: Record<string, { state: string }> }> =>
    JSON.parse(await scene.lab.node('rr').run(['vtysh', '-c', 'show bgp ipv6 unicast summary json'])) as { peers: Record<string, { state: string }> };
  const peers = await waitFor(
    async () => {
      const all = Object.values((await summary()).peers);
      return all.length === 6 && all.every(({ state }) => state === 'Established') && all;
    },
    { timeoutMs: 60_000, what: 'six BGP sessions at the reflector', intervalMs: 200 },
  );
  return `FRR (vtysh on rr): ${peers.length} of 6 sessions Established`;
}

async function computingRib(scene: Scene): Promise<string> {
  const expectedMs: Readonly<Record<string, number>> = { [EXIT.exit1]: 3, [EXIT.exit2]: 7, [EXIT.exit3]: 11 };
  const candidates = await waitFor(
    async () => {
      const all = await scene.candidates();
      return all.length === 3 && all.every(({ feasible, pathDelayUs }) => feasible && pathDelayUs !== null) && all;
    },
    { timeoutMs: 30_000, what: 'three feasible candidates with measured path delay', intervalMs: 200 },
  );
  for (const { exit, pathDelayUs } of candidates) {
    claim(Math.abs(pathDelayUs! / 1000 - expectedMs[exit]!) < 1.5, `path delay to ${exit}: the links say ${expectedMs[exit]} ms, STAMP says ${ms(pathDelayUs! / 1000)}`);
  }
  claim(candidates.find(({ best }) => best)?.exit === EXIT.exit1, 'exit1, the nearest, should be best without requirements');
  report.say(await scene.cpnctl('entry', 'show', 'computing', 'rib', SERVICE));
  const paths = JSON.parse(await scene.lab.node('rr').run(['vtysh', '-c', `show bgp ipv6 unicast ${SERVICE}/128 json`])) as { paths: unknown[] };
  claim(paths.paths.length === 3, `the FRR reflector should hold three paths to ${SERVICE}, it has ${paths.paths.length}`);
  const kernel = await scene.lab.node('entry').run(['ip', '-6', 'route', 'show', 'root', '2001:db8:5e::/48']);
  claim(/2001:db8:5e::\/48 dev cpn0/.test(kernel) && !/via/.test(kernel), `the kernel of the entry must route the service prefix to the punt TUN and nowhere else:\n${kernel}`);
  return `3 candidates by BGP through stock FRR, path delays ${candidates.map(({ pathDelayUs }) => ms(pathDelayUs! / 1000)).join(', ')}; kernel: service prefix leads to cpn0 only`;
}

async function bestNode(scene: Scene): Promise<string> {
  const udp = await scene.client('--protocol', 'udp', '--source-port', '20001', '--flows', '4');
  const tcp = await scene.client('--protocol', 'tcp', '--source-port', '20101', '--flows', '4');
  for (const [name, run] of [['UDP', udp], ['TCP', tcp]] as const) {
    claim(run.answered === 4 && run.nodes['node1'] === 4, `${name}: all 4 requests should be answered by node1, got ${JSON.stringify(run.nodes)}, lost ${run.lost}`);
  }
  claim([20001, 20002, 20003, 20004].every((port) => scene.answeredBy('node1', 'udp').has(port)), 'node1 has not logged the UDP requests');
  claim([20101, 20102, 20103, 20104].every((port) => scene.answeredBy('node1', 'tcp').has(port)), 'node1 has not logged the TCP requests');
  return `4 UDP and 4 TCP requests to ${SERVICE} answered by node1 (its own log agrees); round trip ${ms(udp.rttUs!.median / 1000)} and ${ms(tcp.rttUs!.median / 1000)}`;
}

/** Checks one packet on the wire: outer header, SRH and inner packet. `segments` in travel order. */
function checkEncapsulated(packet: CapturedPacket, segments: readonly string[], firstHopsPassed: number): void {
  claim(packet.outerSource === ENTRY, `outer source should be the entry's loopback ${ENTRY}, is ${packet.outerSource}`);
  claim(packet.outerDestination === segments[0], `outer destination should be the first SID ${segments[0]!}, is ${packet.outerDestination}`);
  claim(packet.segmentsLeft === segments.length - 1, `Segments Left should be ${segments.length - 1}, is ${packet.segmentsLeft}`);
  claim(packet.segmentList.join() === [...segments].reverse().join(), `Segment List should be ${[...segments].reverse().join()}, is ${packet.segmentList.join()}`);
  claim(packet.outerHopLimit === 64 - firstHopsPassed, `outer Hop Limit should be ${64 - firstHopsPassed}, is ${packet.outerHopLimit}`);
  claim(packet.innerSource === CLIENT && packet.innerDestination === SERVICE, `inner packet should be ${CLIENT} -> ${SERVICE}, is ${packet.innerSource} -> ${packet.innerDestination}`);
  claim(packet.innerHopLimit === 63, `inner Hop Limit should be 63 (64 less one), is ${packet.innerHopLimit}`);
}

async function firstPacket(scene: Scene): Promise<string> {
  const punted = await scene.counter('kernel_punted');
  const capture = await capturing(scene, 'entry', 'eth2', 'first.pcap');
  const run = await scene.client('--protocol', 'udp', '--source-port', '20201');
  const path = await capture.stop();
  claim(run.nodes['node1'] === 1, 'the request should be answered by node1');
  const packets = (await readSrv6(path)).filter(({ sourcePort, innerSource }) => sourcePort === 20201 && innerSource === CLIENT);
  claim(packets.length === 1, `the first packet should be on the wire exactly once, it is ${packets.length} times`);
  checkEncapsulated(packets[0]!, [SID.exit1], 1);
  claim((await scene.counter('kernel_punted')) === punted + 1, 'exactly one packet should have gone to the daemon');
  report.say(await decode(path, packets[0]!.number));
  return `outer ${ENTRY} -> ${SID.exit1}, SRH with one segment, inner ${CLIENT} -> ${SERVICE} unchanged but for its Hop Limit (read by tshark)`;
}

async function pinnedInKernel(scene: Scene): Promise<string> {
  const count = 200;
  const punted = await scene.counter('kernel_punted');
  const router = scene.lab.node('entry').daemon;
  const client = await scene.startClient('--protocol', 'udp', '--source-port', '20301', '--requests', String(count + 1), '--interval-ms', '10', '--timeout-ms', '3000');
  await waitFor(() => scene.answeredBy('node1', 'udp').has(20301), { timeoutMs: 5000, what: 'the first packet of the flow at node1' });
  // The proof that needs no counter: the daemon is stopped, and the flow goes on.
  router.kill('SIGSTOP');
  let answered: number;
  try {
    await client.exited;
    answered = (JSON.parse(client.stdout) as { answered: number }).answered;
  } finally {
    router.kill('SIGCONT');
  }
  claim(answered === count + 1, `with the daemon stopped ${answered} of ${count + 1} requests were answered`);
  const flow = (await scene.flows()).find(({ sourcePort, protocol }) => sourcePort === 20301 && protocol === 17);
  claim(flow !== undefined && flow.exit === EXIT.exit1, 'the flow should be in the flow table, pinned to exit1');
  claim(Number(flow.packets) === count + 1, `the kernel should have counted ${count + 1} packets of the flow, it has ${flow.packets}`);
  claim((await scene.counter('kernel_punted')) === punted + 1, 'only the first packet may reach the daemon');
  return `${count} packets forwarded by the kernel while the daemon was stopped (SIGSTOP); flow table: ${flow.packets} packets, 1 of them punted`;
}

async function requirement(scene: Scene): Promise<string> {
  const plain = await scene.client('--protocol', 'udp', '--source-port', '20401');
  const capture2 = await capturing(scene, 'entry', 'eth3', 'requirement.pcap');
  const middle = await scene.client('--protocol', 'udp', '--source-port', '20402', '--requirements', '{"computing": {"class": 2, "minResidual": 4000000000000}}');
  const large = await scene.client('--protocol', 'tcp', '--source-port', '20403', '--requirements', '{"computing": {"class": 2, "minResidual": 10000000000000}}');
  const path = await capture2.stop();
  claim(plain.nodes['node1'] === 1, `without requirements: node1 expected, got ${JSON.stringify(plain.nodes)}`);
  claim(middle.nodes['node2'] === 1, `4 TFLOPS parallel: node2 expected, got ${JSON.stringify(middle.nodes)}`);
  claim(large.nodes['node3'] === 1, `10 TFLOPS parallel: node3 expected, got ${JSON.stringify(large.nodes)}`);
  const packets = (await readSrv6(path)).filter(({ innerSource }) => innerSource === CLIENT);
  const two = packets.find(({ sourcePort }) => sourcePort === 20402);
  const three = packets.find(({ sourcePort }) => sourcePort === 20403);
  claim(two !== undefined && three !== undefined, 'both flows should be on the link to t2');
  checkEncapsulated(two, [SID.t2, SID.exit2], 1);
  checkEncapsulated(three, [SID.exit3], 1);
  claim(two.layers.includes('ipv6.dstopts'), `the option should still be in the inner packet: ${two.layers}`);
  report.say(await decode(path, two.number));
  report.say(await scene.cpnctl('entry', 'explain', SERVICE, '--class', 'parallel', '--min-ops', '10T'));
  return 'same service ID: no requirement -> node1; 4 TFLOPS parallel -> node2 by segment list (t2, exit2); 10 TFLOPS parallel -> node3 (TCP)';
}

async function load(scene: Scene): Promise<string> {
  const long = await scene.startClient('--protocol', 'tcp', '--source-port', '20501', '--requests', '400', '--interval-ms', '20', '--timeout-ms', '2000');
  await waitFor(() => scene.answeredBy('node1', 'tcp').has(20501), { timeoutMs: 5000, what: 'the long connection at node1' });
  await scene.cpnctl('exit1', 'update', '1', '--utilisation', '98', '--queue-length', '90');
  await waitFor(async () => (await scene.candidates()).find(({ best }) => best)?.exit !== EXIT.exit1, { timeoutMs: 10_000, what: 'the entry to hear of the load', intervalMs: 100 });
  const fresh = await scene.client('--protocol', 'udp', '--source-port', '20601', '--flows', '8');
  claim(fresh.answered === 8 && (fresh.nodes['node1'] ?? 0) === 0, `new flows should leave the loaded node1 alone, got ${JSON.stringify(fresh.nodes)}`);
  long.kill('SIGINT');
  await long.exited;
  const pinned = JSON.parse(long.stdout) as { sent: number; answered: number; nodes: Record<string, number>; flows: { error: string | null }[] };
  claim(pinned.nodes['node1'] === pinned.answered && pinned.answered > 10 && pinned.flows[0]!.error === null, `the pinned connection should stay at node1, got ${JSON.stringify(pinned.nodes)}`);
  await scene.cpnctl('exit1', 'update', '1', '--utilisation', '0', '--queue-length', '0');
  await waitFor(async () => (await scene.candidates()).find(({ best }) => best)?.exit === EXIT.exit1, { timeoutMs: 10_000, what: 'exit1 to be best again', intervalMs: 100 });
  return `node1 reported 98 % and 90 waiting: 8 new flows went to ${Object.keys(fresh.nodes).join(', ')}; the open TCP connection kept node1 for all its ${pinned.answered} requests`;
}

async function exitDies(scene: Scene): Promise<string> {
  const flows = 200;
  const client = await scene.startClient('--protocol', 'udp', '--source-port', '21001', '--flows', String(flows), '--rate', '2000', '--duration-s', '6', '--timeout-ms', '2000');
  const mine = async (): Promise<readonly FlowJson[]> => (await scene.flows()).filter(({ sourcePort }) => sourcePort >= 21001 && sourcePort < 21001 + flows);
  await waitFor(async () => (await mine()).length === flows, { timeoutMs: 5000, what: `${flows} flows in the flow table`, intervalMs: 100 });
  // Two hundred flows at once are more than the nearest node serves in a round trip: the entry's own account has spread some of them already.
  const onExit1 = (await mine()).filter(({ exit }) => exit === EXIT.exit1).map(({ sourcePort }) => sourcePort);
  claim(onExit1.length >= 20, `flows should be on exit1, ${onExit1.length} are`);
  await scene.lab.fail('exit1');
  await client.exited;
  const run = JSON.parse(client.stdout) as { moved: number; answered: number; sent: number; nodes: Record<string, number>; moveGapMs: { median: number; max: number } | null };
  claim(run.moved === onExit1.length && run.moveGapMs !== null, `the ${onExit1.length} flows of exit1 should have moved and no other, ${run.moved} did`);
  claim(run.moveGapMs.max < 1500, `the longest gap was ${ms(run.moveGapMs.max)}`);
  const logged = new Set([...scene.answeredBy('node2', 'udp'), ...scene.answeredBy('node3', 'udp')]);
  claim(onExit1.every((port) => logged.has(port)), 'node2 and node3 should have logged every flow that moved');
  const left = (await mine()).filter(({ exit }) => exit === EXIT.exit1);
  claim(left.length === 0, `${left.length} flows still point to the dead exit`);
  await scene.lab.restore('exit1');
  return `${flows} flows at 2,000 packets/s, ${onExit1.length} of them on exit1: all of these moved to node2 and node3, no other did; gap per flow median ${ms(run.moveGapMs.median)}, longest ${ms(run.moveGapMs.max)} (detection: 3 lost STAMP replies, 100 ms apart)`;
}

async function crash(scene: Scene): Promise<string> {
  const router = scene.lab.node('entry').daemon;
  const client = await scene.startClient('--protocol', 'udp', '--source-port', '22001', '--flows', '10', '--rate', '500', '--duration-s', '6', '--timeout-ms', '2000');
  await waitFor(async () => (await scene.flows()).filter(({ sourcePort }) => sourcePort >= 22001 && sourcePort <= 22010).length === 10, { timeoutMs: 5000, what: '10 pinned flows', intervalMs: 50 });
  await router.stop('SIGKILL');
  await router.start();
  await client.exited;
  const run = JSON.parse(client.stdout) as { sent: number; answered: number; moved: number };
  claim(run.answered === run.sent && run.moved === 0, `pinned flows should survive a crash of the daemon: ${run.answered} of ${run.sent} answered, ${run.moved} moved`);
  await waitFor(async () => (await scene.candidates()).filter(({ feasible }) => feasible).length >= 2, { timeoutMs: 30_000, what: 'the restarted daemon to have its candidates', intervalMs: 200 });
  const flow = (await scene.flows()).find(({ sourcePort }) => sourcePort === 22001);
  claim(flow !== undefined && flow.exit !== '', 'the restarted daemon should know the flows that the kernel kept');
  return `daemon killed (SIGKILL) and restarted under 10 flows: ${run.answered} of ${run.sent} requests answered, none moved; the new daemon adopted them`;
}

async function stop(scene: Scene): Promise<string> {
  const router = scene.lab.node('entry').daemon;
  await router.stop('SIGTERM');
  const routes = await scene.lab.node('entry').run(['ip', '-6', 'route', 'show', 'table', 'all', 'proto', '210']);
  const tun = await scene.lab.node('entry').exec(['ip', 'link', 'show', 'cpn0']);
  const filters = await scene.lab.node('entry').run(['tc', 'filter', 'show', 'dev', 'eth1', 'ingress']);
  claim(routes.trim() === '' && tun.status !== 0 && filters.trim() === '', `left behind: routes "${routes.trim()}", cpn0 ${tun.status === 0 ? 'there' : 'gone'}, filters "${filters.trim()}"`);
  return 'after SIGTERM the kernel of the entry has no route of protocol 210, no cpn0 and no classifier';
}

async function demonstrate(): Promise<void> {
  let lab: Lab | undefined;
  try {
    await report.step('Bring up the lab', 'A client, an entry router, a stock FRR route reflector, two transit routers, three exit routers with a computing node each,\non network namespaces from containerlab/demo/demo.clab.yml; links delayed by 1 to 9 ms.', async () => {
      // A name of its own: a lab that somebody brought up from the same file is left alone.
      lab = await Lab.up(topologyFile, { name: `cpn-demo-${process.pid}`, log: (line) => report.say(line) });
      await new Scene(lab).lab.node('client').run(['true']);
      return `${lab.nodeNames.length} nodes: ${lab.nodeNames.join(', ')}`;
    }, true);
    const scene = new Scene(lab!);
    await scene.startServers();
    await report.step('BGP sessions', 'Every cpnd peers with the reflector only. ADD-PATH lets the entry see all exits.', () => sessionsUp(scene), true);
    await report.step('Computing RIB', 'The exits announce the service ID with a CPN attribute (SID, computing power, service delay);\nthe entry measures the way to each exit with STAMP probes.', () => computingRib(scene), true);
    await report.step('A request is answered by the best node', 'Without requirements the lowest predicted latency wins: exit1 and its node1.', () => bestNode(scene));
    await report.step('First packet on the wire', 'The daemon matched it to an exit, pinned the flow and sent it with an outer IPv6 header and an SRH.', () => firstPacket(scene));
    await report.step('Next packets without the daemon', 'The flow is pinned in the kernel. The daemon is stopped meanwhile, to prove it.', () => pinnedInKernel(scene));
    await report.step('A requirement in the first packet', 'A destination option asks for parallel computing power: the small near node is not feasible then.', () => requirement(scene));
    await report.step('The best node is loaded', 'New flows go elsewhere, pinned ones stay.', () => load(scene));
    await report.step('An exit dies under traffic', 'No session to it is lost (it stands behind the reflector): three STAMP replies in a row are, and all its flows move.', () => exitDies(scene));
    await report.step('The daemon crashes', 'Programs, maps and routes stay in the kernel; the next daemon adopts them.', () => crash(scene));
    await report.step('Stop', 'An orderly stop takes away what cpnd put into the kernel.', () => stop(scene));
  } catch {
    // The failed step is in the report; the steps after it make no sense.
  } finally {
    if (lab && values.keep === true) {
      report.say(`The lab is still up; use --name ${lab.name} with npm run lab -- exec|inspect|capture|down containerlab/demo/demo.clab.yml`);
    } else if (lab) {
      const running = lab;
      await report.step('Take down the lab', 'Nothing is left behind.', async () => {
        await running.down();
        return 'namespaces, processes and links are gone';
      });
    }
    rmSync(folder, { recursive: true, force: true });
  }
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void Lab.down(topologyFile, `cpn-demo-${process.pid}`).finally(() => process.exit(1));
  });
}
await demonstrate();
if (values.json === true) process.stdout.write(`${JSON.stringify({ ok: report.ok, steps: report.steps })}\n`);
process.stderr.write(report.ok ? '\nAll claims held.\n' : `\nFAILED: ${report.steps.filter(({ ok }) => !ok).map(({ name }) => name).join('; ')}\n`);
// With --keep the servers run on, and would keep this process with their pipes.
process.stdout.write('', () => process.exit(report.ok ? 0 : 1));
