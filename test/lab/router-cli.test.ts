/** Whole routers from outside: every command of the fixed CLI surface (ARCHITECTURE.md) against a running daemon. */
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import type { ExecResult, NodeProcess } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import { CLIENT, LOOPBACK, Network, REFLECTOR, SERVICE } from './router-lab/scene.js';

let network: Network;
before(async () => {
  network = await Network.up();
  // A flow for the commands that show flows.
  assert.equal((await network.send(SERVICE.main, '--flows', '3', '--requests', '3', '--interval-ms', '10')).answered, 9);
});
after(() => (network as Network | undefined)?.down());

const cpnctl = (...argv: string[]): Promise<ExecResult> => network.cpnctl('entry', ...argv);

const STATUS = 'name id version loopback locator as uptimeMs configFile dataplane bgpEstablished bgpConfigured routes services candidates policies flows notes counters';
const NEIGHBOR =
  'address as localAddress description routerId state stateMs cpn passive holdTimeMs capabilities addPathReceive addPathSend prefixesReceived prefixesSent messagesReceived messagesSent updatesReceived updatesSent flaps lastError role shutdown minimumHopLimit bfd md5 endOfRib prefixesStale dynamic group importPolicy exportPolicy routeReflectorClient';
// The first line is what the surface fixes, the second what is there beside it.
const CANDIDATE = 'exit instance sid behaviour source peer computing load serviceDelayUs pathDelayUs cost feasible best weight ageMs stale' + ' draining sequence reason aggregate cats grade';
const POLICY = 'id exit instance segments weight installed error' + ' mtu flows kind side';
const FLOW = 'source destination protocol sourcePort destinationPort service policy exit packets bytes ageMs idleMs' + ' kind side';
const PATH = 'peer pathId nextHop origin asPath localPref med communities best stale reason cpn clusterList extendedCommunities largeCommunities originatorId rejected';
const CHANGES = 'ok problems warnings changes';
const STATE = 'service instance draining health sequence';

interface Case {
  readonly command: string;
  /** Fields of the value; of the first item where it is a list. */
  readonly fields: string;
  /** Field that holds a list, and the fields of its items. */
  readonly inner?: readonly [field: string, fields: string];
  /** What the text for people must contain. */
  readonly text: RegExp;
  readonly router?: 'exit1';
}

const CASES: readonly Case[] = [
  { command: 'show status', fields: STATUS, text: /entry/ },
  { command: 'show bgp summary', fields: 'as routerId routes paths neighbors', inner: ['neighbors', NEIGHBOR], text: /Established/ },
  { command: 'show bgp neighbors', fields: NEIGHBOR, text: /Established/ },
  { command: `show bgp neighbors ${REFLECTOR}`, fields: NEIGHBOR, text: /reflector/ },
  { command: 'show bgp routes', fields: 'prefix paths', inner: ['paths', PATH], text: /2001:db8:b:1::\/64/ },
  { command: `show bgp routes ${SERVICE.main}/128`, fields: 'prefix paths', inner: ['paths', PATH], text: new RegExp(LOOPBACK.exit1) },
  { command: 'show routes', fields: 'prefix source peer distance metric best nextHops installed error backups backupInstalled backupActive', inner: ['nextHops', 'via interface weight'], text: /static/ },
  { command: 'show sids', fields: 'sid behaviour interface nextHop table service instance installed error', text: /End\.DX6/ },
  { command: 'show interfaces', fields: 'name index role up mtu addresses', text: /eth1 .*client/ },
  { command: 'show services', fields: 'service candidates feasible local best flows requirements strategy', text: new RegExp(SERVICE.main) },
  { command: 'show computing rib', fields: 'service candidates', inner: ['candidates', CANDIDATE], text: new RegExp(LOOPBACK.exit2) },
  { command: `show computing rib ${SERVICE.main}`, fields: 'service candidates', inner: ['candidates', CANDIDATE], text: new RegExp(LOOPBACK.exit3) },
  {
    command: 'show computing nodes',
    fields: 'exit local path instances registered',
    inner: ['instances', 'service instance address interface health healthReason draining announced grade computing load serviceDelay'],
    text: new RegExp(LOOPBACK.exit1),
  },
  { command: 'show fib', fields: 'service policies', inner: ['policies', POLICY], text: /fcbb:bb00/ },
  { command: `show fib ${SERVICE.three}`, fields: 'service policies', inner: ['policies', POLICY], text: /fcbb:bb00:22:1::/ },
  { command: 'show flows', fields: FLOW, text: new RegExp(CLIENT) },
  { command: `show flows --service ${SERVICE.main} --limit 1`, fields: FLOW, text: /udp/ },
  {
    command: `explain ${SERVICE.main} --from ${CLIENT} --max-latency-us 400000 --class parallel --min-ops 1T`,
    fields: 'service requirements candidates chosen verdict strategy',
    inner: ['candidates', 'exit instance feasible reasons pathDelayUs serviceDelayUs latencyUs demand forecast score weight best'],
    text: /predicted/,
  },
  { command: 'clear flow --exit fc00:0:99::1', fields: 'cleared', text: /0 flows/ },
  { command: `clear bgp ${REFLECTOR} soft`, fields: 'neighbor soft', text: /refreshed/ },
  { command: 'drain 11', fields: STATE, text: /draining/, router: 'exit1' },
  { command: 'undrain 11', fields: STATE, text: /serving/, router: 'exit1' },
  { command: 'update 11 --active-flows 1', fields: STATE, text: /serving/, router: 'exit1' },
  { command: 'config check /etc/cpn/cpnd.yaml', fields: CHANGES, text: /good/ },
  { command: 'config diff /etc/cpn/cpnd.yaml', fields: CHANGES, text: /no difference/ },
  { command: 'config reload', fields: CHANGES, text: /nothing changed/ },
];

const fieldsOf = (value: unknown): string[] => Object.keys(value as object).sort();
const words = (text: string): string[] => text.split(' ').sort();

test('every command answers with status 0, as text and as JSON with exactly its fields', async () => {
  for (const { command, fields, inner, text, router = 'entry' } of CASES) {
    const argv = command.split(' ');
    const [plain, json] = await Promise.all([network.cpnctl(router, ...argv), network.cpnctl(router, '--json', ...argv)]);
    for (const { status, stderr } of [plain, json]) assert.deepEqual([status, stderr], [0, ''], command);
    assert.match(plain.stdout, text, command);
    const value = JSON.parse(json.stdout) as unknown;
    if (Array.isArray(value)) assert.ok(value.length > 0, `${command}: something to show`);
    const items = (Array.isArray(value) ? value : [value]) as Record<string, unknown>[];
    for (const item of items) assert.deepEqual(fieldsOf(item), words(fields), command);
    if (!inner) continue;
    const nested = items.flatMap((item) => item[inner[0]] as unknown[]);
    assert.ok(nested.length > 0, `${command}: ${inner[0]}`);
    for (const item of nested) assert.deepEqual(fieldsOf(item), words(inner[1]), `${command}: ${inner[0]}`);
  }
});

test('the values are those that the kernel and the other routers know', async () => {
  const status = await network.json<{ locator: string; as: number; bgpEstablished: number; dataplane: string }>('entry', 'show', 'status');
  assert.deepEqual([status.locator, status.as, status.bgpEstablished, status.dataplane], ['fcbb:bb00:1::/48', 65000, 2, 'kernel']);
  const [rib] = await network.json<{ candidates: { source: string; peer: string; exit: string; computing: unknown }[] }[]>('entry', 'show', 'computing', 'rib', SERVICE.main);
  const direct = rib!.candidates.find(({ exit }) => exit === LOOPBACK.exit3);
  assert.deepEqual([direct?.source, direct?.peer], ['bgp', LOOPBACK.exit3]);
  assert.deepEqual(direct?.computing, [{ class: 'parallel', chip: 'gpu', total: '3000000000000', residual: '3000000000000' }]);
  assert.equal(rib!.candidates.find(({ exit }) => exit === LOOPBACK.exit1)?.peer, REFLECTOR);
  const sids = await network.json<{ sid: string; installed: boolean }[]>('entry', 'show', 'sids');
  const kernel = await network.ours('entry');
  for (const { sid, installed } of sids) assert.deepEqual([sid, installed, kernel.includes(`${sid} `)], [sid, true, true]);
});

test('doctor finds nothing that fails', async () => {
  const { status, stdout } = await cpnctl('--json', 'doctor');
  const checks = JSON.parse(stdout) as { name: string; status: string; detail: string }[];
  assert.deepEqual(checks.filter((check) => check.status === 'fail'), []);
  assert.equal(status, 0);
  for (const check of checks) assert.deepEqual(fieldsOf(check), ['detail', 'mend', 'name', 'status']);
  assert.match((await cpnctl('doctor')).stdout, /bgp-sessions +2 sessions established/);
});

test('status 1: what is asked for is not there; 2: wrong usage; 3: no daemon', async () => {
  const all: readonly (readonly [number, string, RegExp])[] = [
    [1, 'show bgp neighbors fc00:0:99::1', /no neighbor fc00:0:99::1/],
    [1, 'clear bgp fc00:0:99::1', /no neighbor/],
    [1, `explain ${SERVICE.none}`, /2001:db8:5e::ff/],
    [1, 'drain 4711', /no local instance 4711/],
    [1, 'update 4711 --queue-length 1', /no local instance/],
    [1, 'show ospf neighbors', /OSPF is not configured/],
    [1, 'monitor ospf', /OSPF is not configured/],
    [1, `explain ${SERVICE.main} --max-latency-us 1`, /latency|us wanted/],
    [2, 'show', /./],
    [2, 'show flows --limit many', /./],
    [2, 'explain nowhere', /./],
    [2, 'config', /./],
    [3, '--target unix:///run/cpn/nobody.sock show status', /cannot reach/],
  ];
  for (const [expected, command, text] of all) {
    const { status, stdout, stderr } = await cpnctl(...command.split(' '));
    assert.equal(status, expected, `${command}: ${stdout}${stderr}`);
    assert.match(stdout + stderr, text, command);
  }
});

test('show of a service that nobody has is an empty list', async () => {
  assert.deepEqual(await network.json('entry', 'show', 'computing', 'rib', SERVICE.none), []);
  assert.deepEqual(await network.json('entry', 'show', 'fib', SERVICE.none), []);
  assert.deepEqual(await network.json('entry', 'show', 'flows', '--service', SERVICE.none), []);
});

/** The JSON lines of a monitor, as they come. */
async function monitor(...argv: string[]): Promise<{ process: NodeProcess; until(what: (line: Record<string, unknown>) => boolean): Promise<Record<string, unknown>[]> }> {
  const process = await network.lab.node('entry').spawn([globalThis.process.execPath, `${checkout}/dist/cli/cpnctl.js`, '--json', 'monitor', ...argv]);
  const lines = createInterface({ input: process.child.stdout! })[Symbol.asyncIterator]();
  return {
    process,
    async until(what) {
      const seen: Record<string, unknown>[] = [];
      for (;;) {
        const next = await lines.next();
        assert.ok(next.done !== true, `the monitor ended after ${JSON.stringify(seen)}: ${process.stderr}`);
        const line = JSON.parse(next.value) as Record<string, unknown>;
        seen.push(line);
        if (what(line)) return seen;
      }
    },
  };
}

const synced = ({ change }: Record<string, unknown>): boolean => change === 'synced';

test('monitor shows a snapshot, then each change: rib, flows, bgp', { timeout: 30_000 }, async () => {
  const rib = await monitor('rib', SERVICE.one);
  const first = await rib.until(synced);
  assert.deepEqual(first.map(({ change }) => change), ['snapshot', 'synced']);
  await network.router('exit1').update(11, { health: 'down' });
  await rib.until(({ change, service }) => change === 'remove' && (service as { service: string }).service === SERVICE.one);
  await network.router('exit1').update(11, { health: 'auto' });
  const back = await rib.until(({ change, service }) => change === 'update' && (service as { candidates: { feasible: boolean }[] }).candidates[0]?.feasible === true);
  assert.deepEqual(fieldsOf((back.at(-1)!['service'] as { candidates: unknown[] }).candidates[0]), words(CANDIDATE));
  assert.equal(await rib.process.stop('SIGINT'), 0);

  const flows = await monitor('flows', '--interval', '100');
  const before = await flows.until(synced);
  assert.ok(before.length > 1, 'the snapshot has the flows that are pinned');
  assert.deepEqual(fieldsOf(before[0]!['flow']), words(FLOW));
  const port = network.freshPorts();
  await network.send(SERVICE.one, '--source-port', String(port));
  await flows.until(({ flow }) => (flow as { sourcePort: number } | null)?.sourcePort === port);
  assert.equal(await flows.process.stop('SIGINT'), 0);

  const bgp = await monitor('bgp');
  const states = await bgp.until(synced);
  assert.deepEqual(states.slice(0, -1).map(({ neighbor }) => (neighbor as { address: string; state: string }).state), ['Established', 'Established']);
  await cpnctl('clear', 'bgp', LOOPBACK.exit3);
  const isExit3 = (line: Record<string, unknown>, established: boolean): boolean => {
    const neighbor = line['neighbor'] as { address: string; state: string } | null;
    return neighbor?.address === LOOPBACK.exit3 && (neighbor.state === 'Established') === established;
  };
  await bgp.until((line) => isExit3(line, false));
  const again = await bgp.until((line) => isExit3(line, true));
  assert.ok(again.some(({ change }) => change === 'event'), 'events are told too');
  assert.equal(await bgp.process.stop('SIGINT'), 0);
});

test('completion scripts are good shell', async () => {
  for (const [shell, check] of [['bash', ['bash', '-n']], ['zsh', undefined], ['fish', undefined]] as const) {
    const script = (await cpnctl('completion', shell)).stdout;
    assert.match(script, /cpnctl/, shell);
    for (const command of ['drain', 'explain', 'monitor', 'computing']) assert.ok(script.includes(command), `${shell}: ${command}`);
    if (check) assert.equal((await network.lab.node('entry').exec([...check], { input: script })).status, 0, shell);
  }
  const offered = await network.lab.node('entry').run(['bash', '-c', 'source <(cat); COMP_WORDS=(cpnctl show computing ""); COMP_CWORD=3; _cpnctl; echo "${COMPREPLY[@]}"'], {
    input: (await cpnctl('completion', 'bash')).stdout,
  });
  assert.deepEqual(offered.trim().split(' ').sort(), ['nodes', 'rib']);
});
