/** Every command of the fixed CLI surface, run as a process against a server over a fake facade. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { RouterFacade } from '../../daemon/northbound/facade.js';
import { NorthboundServer } from '../../daemon/northbound/server.js';
import { NO_OSPF } from '../../daemon/northbound/ospf.js';
import { FakeOspf, ospfLsa, ospfNeighbor } from '../daemon/northbound/fake-ospf.js';
import { candidates, EXIT, FakeFacade, flow, neighbor, SERVICE } from '../daemon/northbound/fake-facade.js';
import { cpnctl, finish, start, type Result } from './run.js';

const folder = mkdtempSync(join(tmpdir(), 'cpnctl-'));
const target = `unix://${join(folder, 'cpnd.sock')}`;
let facade: FakeFacade;
let server: NorthboundServer;

// One server for all: the proxy lets each test have a facade of its own.
const proxy = new Proxy<object>(
  {},
  {
    get(_object, name) {
      const member: unknown = Reflect.get(facade, name);
      return typeof member === 'function' ? (member.bind(facade) as unknown) : member;
    },
  },
) as RouterFacade;

before(async () => {
  facade = new FakeFacade();
  server = await NorthboundServer.start(proxy, { listen: target });
});
after(() => {
  server.close();
  rmSync(folder, { recursive: true });
});
beforeEach(() => {
  facade = new FakeFacade();
});

const run = (...args: string[]): Promise<Result> => cpnctl('--target', target, ...args);

async function json(...args: string[]): Promise<unknown> {
  const result = await run('--json', ...args);
  assert.equal(result.stderr, '');
  assert.equal(result.status, 0);
  return JSON.parse(result.stdout);
}

/** What a facade value is in JSON. */
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value, (_field, content: unknown) => (typeof content === 'bigint' ? content.toString() : (content ?? null))));

describe('show --json prints what the facade said, 64-bit numbers as strings and unknown values as null', () => {
  const cases: readonly (readonly [command: string, expected: (facade: FakeFacade) => unknown])[] = [
    ['status', (fake) => fake.status()],
    ['bgp summary', (fake) => fake.bgpSummary()],
    ['bgp neighbors', () => [neighbor]],
    [`bgp neighbors ${neighbor.address}`, () => [neighbor]],
    ['bgp routes', (fake) => [...fake.bgpRoutes(undefined)]],
    ['bgp policy', (fake) => fake.bgpPolicies(undefined)],
    ['bgp policy from-core', (fake) => fake.bgpPolicies('from-core')],
    ['ospf status', (fake) => fake.ospf.status()],
    ['ospf interfaces', (fake) => fake.ospf.interfaces()],
    ['ospf neighbors', (fake) => fake.ospf.neighbors(undefined)],
    ['ospf database', (fake) => [...fake.ospf.lsas(undefined)]],
    ['ospf routers', (fake) => [...fake.ospf.routers()]],
    ['ospf routes', (fake) => [...fake.ospf.routes()]],
    ['routes', (fake) => [...fake.routes()]],
    ['sids', (fake) => fake.sids()],
    ['interfaces', (fake) => fake.interfaces()],
    ['services', (fake) => fake.services()],
    ['computing rib', () => [candidates]],
    [`computing rib ${SERVICE}`, () => [candidates]],
    ['computing nodes', (fake) => fake.computingNodes().map((node) => ({ ...node, registered: node.local ? fake.registeredNodes().nodes : [] }))],
    ['fib', (fake) => [...fake.fib(undefined)]],
    ['flows', () => [flow]],
  ];
  for (const [command, expected] of cases) {
    it(`show ${command}`, async () => assert.deepEqual(await json('show', ...command.split(' ')), asJson(expected(new FakeFacade()))));
  }

  it('keeps the field names of the fixed surface', async () => {
    const [rib] = (await json('show', 'computing', 'rib')) as [{ candidates: [Record<string, unknown>] }];
    const [entry] = rib.candidates;
    for (const field of ['exit', 'instance', 'sid', 'behaviour', 'source', 'peer', 'computing', 'load', 'serviceDelayUs', 'pathDelayUs', 'cost', 'feasible', 'best', 'weight', 'ageMs', 'stale']) assert.ok(field in entry, field);
    assert.deepEqual(entry['computing'], [{ class: 'parallel', chip: 'gpu', total: '18446744073709551615', residual: '8000000000000' }]);
    const [fib] = (await json('show', 'fib')) as [{ service: string; policies: [Record<string, unknown>] }];
    assert.equal(fib.service, SERVICE);
    for (const field of ['id', 'exit', 'instance', 'segments', 'weight', 'installed', 'error']) assert.ok(field in fib.policies[0], field);
    const [pinned] = (await json('show', 'flows')) as [Record<string, unknown>];
    for (const field of ['source', 'destination', 'protocol', 'sourcePort', 'destinationPort', 'service', 'policy', 'exit', 'packets', 'bytes', 'ageMs', 'idleMs']) assert.ok(field in pinned, field);
    assert.equal(pinned['packets'], '9007199254740993');
  });
});

describe('show prints tables for people', () => {
  const cases: readonly (readonly [command: string, patterns: readonly RegExp[]])[] = [
    ['status', [/^name +entry$/m, /^BGP sessions +1 of 2 established$/m, /^punted +18446744073709551615$/m, /no VRF/]],
    ['bgp summary', [/^fc00:0:100::1 +65000 +Established +1m01s +7 +2 +yes +1 +reflector$/m]],
    ['bgp neighbors', [/^state +Established for 1m01s$/m, /^add-path +receive$/m, /^last error +-$/m]],
    ['bgp routes', [/2001:db8:5e::1\/128 .*\* .*fc00:0:11::1 #1,#4294967295 +only path/, /higher MED/]],
    ['bgp policy', [/^from-core +1 +bogons +prefixList bogons +- +reject +18446744073709551615$/m, /^ +default +any route +accept +3$/m]],
    ['routes', [/^\* +fc00:0:2::1\/128 +bgp +2001:db8::2 +200\/10 +fc00:0:100::1 +yes +-$/m, /no route to host/, / +yes +fe80::3 dev eth2 by fcbb:bb00:3:100::,fcbb:bb00:4:2:: \(in use\)$/m]],
    ['sids', [/fcbb:bb00:1:e001::\/128 +End.DX6 +table 254 +2001:db8:5e::1#1 +busy/]],
    ['interfaces', [/^eth1 +2 +client +up +1500 +2001:db8:c::1\/64$/m]],
    ['services', [/^2001:db8:5e::1 +2 +1 +1 +fc00:0:11::1#1 +7 +weighted +latency 50ms$/m, /^2001:db8:5e::2 +0 +0 +0 +- +0 +weighted +-$/m]],
    ['computing rib', [/fc00:0:11::1#1 .*parallel gpu 8T\/18.4E +42.5%, queue 3, flows 17 +5.2ms +10ms +20 +0.75 +large +6 \(computing 7\) +1.2s/, /draining/]],
    ['computing nodes', [/fc00:0:11::1 \(here\) +20ms, loss 0.1% .*down: connection refused +draining +large/, /^node7 +attached, heard 20ms ago +2x gpu 1536 cores 1.01GHz +parallel gpu 3T\/6.18T +neural cpu 210G +1G\/8G +2001:db8:5e::1#49153 +active +always 5$/m]],
    ['fib', [/16 +entry +fc00:0:11::1#1 +fcbb:bb00:2:: fcbb:bb00:11:e001:: +0.75 +1428 +5 +yes/, /map full/]],
    ['flows', [/^tcp +\[2001:db8:c::2\]:40000 +\[2001:db8:5e::1\]:8080 +16 +outward +fc00:0:11::1 +9007199254740993 +123456 +2.5s +12.5ms$/m]],
  ];
  for (const [command, patterns] of cases) {
    it(`show ${command}`, async () => {
      const { status, stdout, stderr } = await run('show', ...command.split(' '));
      assert.equal(stderr, '');
      assert.equal(status, 0);
      for (const pattern of patterns) assert.match(stdout, pattern);
      assert.doesNotMatch(stdout, new RegExp(String.fromCharCode(27)), 'no colours in a pipe');
    });
  }
});

describe('requests reach the router as they were meant', () => {
  it('show flows passes the filter on, in canonical form', async () => {
    await json('show', 'flows', '--service', '2001:DB8:5e:0::1', '--source', '2001:db8:c::2', '--limit', '5');
    assert.deepEqual(facade.calls, [['flows', { service: SERVICE, source: '2001:db8:c::2', exit: undefined, limit: 5 }]]);
  });

  it('explain sends every requirement', async () => {
    const options = '--from 2001:db8:c::2 --max-latency-us 20000 --class parallel --min-ops 8.5T --stickiness client --stickiness-seconds 60 --storage block --min-octets 1G --min-bandwidth 1e9 --max-pdv-us 100 --max-loss-ppm 10 --algorithm 7 --workload 18446744073709551615 --data-size 5k --objective latency=3,price=1';
    const answer = (await json('explain', SERVICE, ...options.split(' '))) as { chosen: unknown; verdict: string };
    assert.deepEqual(facade.calls, [
      [
        'explain',
        {
          service: SERVICE,
          from: '2001:db8:c::2',
          requirements: {
            maxLatencyUs: 20_000,
            computing: { class: 'parallel', minOps: 8_500_000_000_000n },
            stickiness: { mode: 'client', seconds: 60 },
            storage: { ability: 'block', minOctets: 1_000_000_000n },
            network: { minBandwidth: 1_000_000_000n, maxPdvUs: 100, maxLossPpm: 10 },
            algorithm: 7,
            objective: { latency: 3, energy: 0, utilisation: 0, price: 1 },
          },
          workload: 18_446_744_073_709_551_615n,
          dataSize: 5000n,
        },
      ],
    ]);
    assert.deepEqual(answer.chosen, { exit: EXIT, instance: 1, policy: null, segments: ['fcbb:bb00:11:e001::'] });
  });

  it('explain without options leaves every requirement to the defaults', async () => {
    await json('explain', SERVICE);
    const none = { maxLatencyUs: undefined, computing: undefined, stickiness: undefined, storage: undefined, network: undefined, algorithm: undefined, objective: undefined };
    assert.deepEqual(facade.calls, [['explain', { service: SERVICE, from: undefined, requirements: none, workload: undefined, dataSize: undefined }]]);
  });

  it('drain and undrain name the instance by service and id, or by id', async () => {
    assert.deepEqual(await json('drain', `${SERVICE}#1`), { service: SERVICE, instance: 1, draining: true, health: 'up', sequence: '1795000000002' });
    await json('undrain', '7');
    await json('drain', '--grace', '60', '7');
    assert.deepEqual(facade.calls, [
      ['drain', { service: SERVICE, id: 1 }, true, 5000],
      ['drain', { service: undefined, id: 7 }, false, 0],
      ['drain', { service: undefined, id: 7 }, true, 60_000],
    ]);
  });

  it('update sends only what was given', async () => {
    await json('update', `${SERVICE}#1`, '--utilisation', '87.5%', '--mean-us', '5000', '--computing', 'parallel:gpu:4e12:1e13', '--computing', 'logical:cpu:5G', '--health', 'down');
    await json('update', '1', '--queue-length', '0');
    assert.deepEqual(facade.calls, [
      [
        'updateInstance',
        { service: SERVICE, id: 1 },
        {
          computing: [
            { class: 'parallel', chip: 'gpu', total: 10_000_000_000_000n, residual: 4_000_000_000_000n },
            { class: 'logical', chip: 'cpu', total: 0n, residual: 5_000_000_000n },
          ],
          load: { utilisation: 8750, queueLength: undefined, activeFlows: undefined },
          serviceDelay: { meanUs: 5000, p99Us: undefined, serviceRate: undefined },
          health: 'down',
        },
      ],
      ['updateInstance', { service: undefined, id: 1 }, { computing: [], load: { utilisation: undefined, queueLength: 0, activeFlows: undefined }, serviceDelay: undefined, health: undefined }],
    ]);
  });

  it('bgp shutdown and bgp enable, with words of at most 255 octets', async () => {
    await json('bgp', 'shutdown', neighbor.address, '--message', 'Wartung 🛠');
    await json('bgp', 'shutdown', neighbor.address);
    await json('bgp', 'enable', neighbor.address);
    assert.deepEqual(facade.calls, [
      ['shutdownBgp', neighbor.address, 'Wartung 🛠'],
      ['shutdownBgp', neighbor.address, ''],
      ['enableBgp', neighbor.address],
    ]);
    assert.equal((await run('bgp', 'shutdown', neighbor.address, '--message', 'é'.repeat(128))).status, 2);
    assert.equal((await run('bgp', 'shutdown', '2001:db8::dead')).status, 1);
  });

  it('bgp policy test', async () => {
    const options = '--prefix 2001:db8::/48 --as-path 65001 --community 65000:1 --community no-export --extended-community rt:1:2 --large-community 1:2:3 --med 5 --local-pref 7 --peer 2001:DB8::1 --next-hop 2001:db8::2 --source ibgp'.split(' ');
    const { status: exit, stdout } = await run('bgp', 'policy', 'test', 'from-core', ...options);
    assert.equal(exit, 0);
    assert.match(stdout, /^accepted by from-core default\n {2}rule 1 \(bogons\): not met: prefixList\n {2}default: accept\nthe route then has\n {2}local preference: 7\n {2}MED: 5\n/);
    assert.match(stdout, /communities: 65000:1 no-export rt:1:2 1:2:3/);
    assert.deepEqual(facade.calls.at(-1), ['testBgpPolicy', { name: 'from-core', prefix: '2001:db8::/48', nextHop: '2001:db8::2', asPath: '65001', communities: ['65000:1', 'no-export'], extendedCommunities: ['rt:1:2'], largeCommunities: ['1:2:3'], med: 5, localPref: 7, origin: 'igp', source: 'ibgp', peer: '2001:db8::1' }]);
    const rejected = await run('bgp', 'policy', 'test', 'other', '--prefix', '2001:db8::/48');
    assert.deepEqual([rejected.status, rejected.stdout.split('\n')[0]], [1, 'rejected by from-core default']);
  });

  it('clear flow and clear bgp', async () => {
    assert.deepEqual(await json('clear', 'flow', '--all'), { cleared: 42 });
    await json('clear', 'flow', '--service', SERVICE, '--exit', EXIT);
    await json('clear', 'bgp', neighbor.address, 'soft');
    await json('clear', 'bgp', neighbor.address, '--message', 'new key');
    assert.deepEqual(facade.calls, [
      ['clearFlows', { service: undefined, source: undefined, exit: undefined, limit: 0 }],
      ['clearFlows', { service: SERVICE, source: undefined, exit: EXIT, limit: 0 }],
      ['clearBgp', neighbor.address, true, ''],
      ['clearBgp', neighbor.address, false, 'new key'],
    ]);
  });

  it('config diff sends the text, and prints changes with their effect', async () => {
    const file = join(folder, 'new.yaml');
    writeFileSync(file, 'router: {}\n');
    const { status, stdout } = await run('config', 'diff', file);
    assert.equal(status, 0);
    assert.match(stdout, /^\/etc\/cpn\/cpnd.yaml:3:5: warning: cpn.stamp: slow$/m);
    assert.match(stdout, /^cpn.stamp.lost: 3 -> nothing \(takes effect at once\)$/m);
    assert.deepEqual(facade.calls, [['configDiff', 'router: {}\n', file]]);
  });
});

describe('show ospf for people', () => {
  it('says what matters of interfaces, neighbors, LSAs, routers and routes', async () => {
    const fake = new FakeOspf();
    facade.ospf = fake;
    assert.match((await run('show', 'ospf', 'status')).stdout, /LSAs +17: router 4, cpn 13[^]*protected \(ti-lfa\)[^]*packets_received 18446744073709551615/);
    assert.match((await run('show', 'ospf', 'interfaces')).stdout, /eth1 +broadcast +DR +10 +1 +0 +10\/40s +10\.0\.0\.1 +- +2\/3 +yes +fe80::1/);
    assert.match((await run('show', 'ospf', 'neighbors')).stdout, /10\.0\.0\.2 +eth1 +fe80::2 +Full \(restarting\) +1 +BDR +38\.0s/);
    assert.match((await run('show', 'ospf', 'database', '--type', 'cpn')).stdout, /cpn +area +- +3 +10\.0\.0\.2 +12 +0x80000002 +0x00ab +120/);
    assert.deepEqual(fake.asked, ['cpn']);
    assert.match((await run('show', 'ospf', 'database', '--detail')).stdout, new RegExp(`cpn 3 of 10.0.0.2\n  sequence 0x80000002.*\n  ${ospfLsa.content[0]!}`));
    assert.match((await run('show', 'ospf', 'routers')).stdout, /10\.0\.0\.3 +ABR +20 +fe80::2%eth1 +fcbb:bb00:3::\/48 +9ms +3ms +fcbb:bb00:2:100::/);
    assert.match((await run('show', 'ospf', 'routes')).stdout, /intra +20 +fe80::2%eth1 +eth1: fe80::4%eth2 by fcbb:bb00:4:100:: fcbb:bb00:3:2::/);
  });
});

describe('exit status 1: the answer is no', () => {
  const cases: readonly (readonly [title: string, args: readonly string[], message: RegExp])[] = [
    ['an unknown policy', ['show', 'bgp', 'policy', 'nobody'], /no policy nobody/],
    ['an unknown neighbor', ['show', 'bgp', 'neighbors', '2001:db8::9'], /no neighbor 2001:db8::9/],
    ['a service without candidates', ['show', 'computing', 'rib', '2001:db8::9'], /no candidates for 2001:db8::9/],
    ['an unknown instance', ['drain', '99'], /no local instance 99/],
    ['an ambiguous instance', ['drain', '2'], /two services have an instance 2/],
    ['a fault of the daemon', ['update', '77', '--mean-us', '1'], /internal error: a bug/],
    ['a file that is not there', ['config', 'diff', '/nonexistent.yaml'], /ENOENT/],
  ];
  for (const [title, args, message] of cases) {
    it(title, async () => {
      const { status, stdout, stderr } = await run(...args);
      assert.match(stderr, message);
      assert.doesNotMatch(stderr, /\n +at /, 'no stack trace');
      assert.equal(stdout, '');
      assert.equal(status, 1);
    });
  }

  it('BGP that is not configured', async () => {
    facade.bgpConfigured = false;
    for (const command of [['show', 'bgp', 'summary'], ['monitor', 'bgp']]) {
      const { status, stderr } = await run(...command);
      assert.match(stderr, /BGP is not configured/);
      assert.equal(status, 1);
    }
  });

  it('OSPF that is not configured', async () => {
    facade.ospf = NO_OSPF;
    for (const command of [['show', 'ospf', 'interfaces'], ['show', 'ospf', 'neighbors', '--json'], ['show', 'ospf', 'database', '--type', '8193'], ['monitor', 'ospf']]) {
      const { status, stderr } = await run(...command);
      assert.match(stderr, /OSPF is not configured \(section ospf/);
      assert.equal(status, 1);
    }
  });

  it('explain prints why nothing was chosen', async () => {
    const { status, stdout } = await run('explain', SERVICE, '--max-latency-us', '10');
    assert.match(stdout, /no exit is fast enough/);
    assert.equal(status, 1);
  });

  it('explain prints the load that is expected, by which model, and how far it was off so far', async () => {
    const { stdout } = await run('explain', SERVICE);
    assert.match(stdout, /40\.0% -> 36\.1% \+-3\.2 \(4\.1\), queue 3 -> 2/);
    assert.match(stdout, /^load +announced -> expected in 1\.0s \(model learned;/m);
  });

  it('config reload and diff print the faults of the file', async () => {
    facade.healthy = false;
    const file = join(folder, 'bad.yaml');
    writeFileSync(file, 'bad\n');
    for (const command of [['reload'], ['diff', file]]) {
      const { status, stdout } = await run('config', ...command);
      assert.equal(stdout, 'bad.yaml:2:7: router.id: expected an IPv4 address, found "x"\n');
      assert.equal(status, 1);
    }
  });
});

describe('exit status 2: wrong usage', () => {
  const cases: readonly string[] = [
    '',
    'show',
    'show nothing',
    'show flows --limit x',
    'show flows --limit -1',
    'show bgp neighbors nobody',
    'show bgp routes 2001:db8::/129',
    'explain',
    'explain here',
    `explain ${SERVICE} --min-ops 5`,
    `explain ${SERVICE} --class quantum`,
    `explain ${SERVICE} --objective speed=1`,
    `explain ${SERVICE} --max-latency-us 0.5`,
    `explain ${SERVICE} --workload 18446744073709551616`,
    'clear flow',
    `clear flow --all --service ${SERVICE}`,
    `clear bgp ${EXIT} hard`,
    'drain',
    'drain x#y#z',
    'drain 0',
    'update 1',
    'update 1 --utilisation 101',
    'update 1 --computing parallel:abacus:5',
    'update 1 --health fine',
    'completion tcsh',
    '--frobnicate show status',
  ];
  for (const line of cases) {
    it(`cpnctl ${line}`, async () => {
      const { status, stdout, stderr } = await run(...line.split(' ').filter(Boolean));
      assert.notEqual(stderr, '');
      assert.equal(stdout, '');
      assert.equal(status, 2);
    });
  }
});

describe('exit status 3: the daemon cannot be reached', () => {
  it('nobody listens', async () => {
    for (const command of [['show', 'status'], ['show', 'flows'], ['monitor', 'rib'], ['config', 'reload']]) {
      const { status, stdout, stderr } = await cpnctl('--target', `unix://${folder}/nobody.sock`, ...command);
      assert.match(stderr, /^cpnctl: cannot reach cpnd at unix:\/\/.*nobody\.sock: there is no such socket \(is cpnd running\?\)\n$/);
      assert.equal(stdout, '');
      assert.equal(status, 3);
    }
  });

  it('doctor still prints the host checks', async () => {
    const { status, stdout } = await cpnctl('--json', '--target', `unix://${folder}/nobody.sock`, 'doctor');
    const checks = JSON.parse(stdout) as { name: string; status: string; mend: string }[];
    assert.ok(checks.some((check) => check.name === 'ipv6-forwarding'));
    assert.deepEqual(checks.filter((check) => check.name === 'daemon').map((check) => check.status), ['fail']);
    assert.equal(status, 3);
  });
});

describe('benchmark', () => {
  it('measures this machine without the daemon', async () => {
    const { status, stdout } = await cpnctl('--json', '--target', `unix://${folder}/nobody.sock`, 'benchmark', '--class', 'logical');
    assert.equal(status, 0);
    const [result] = JSON.parse(stdout) as { class: string; operations: number; spread: number; share: number }[];
    assert.equal(result!.class, 'logical');
    assert.ok(result!.operations > 1e7 && result!.spread >= 0 && result!.share > 0 && result!.share <= 1, stdout);
  });
});

describe('doctor', () => {
  it('adds the checks of the router, and exits 1 when one fails', async () => {
    facade.healthy = false;
    const { status, stdout } = await run('doctor');
    assert.match(stdout, /^FAIL +bgp-sessions +1 of 2\n +mend: look at the neighbor$/m);
    assert.equal(status, 1);
  });
});

describe('config check works without the daemon', () => {
  it('names file, line, column, field and what was expected', async () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, 'router:\n  name: r1\n  id: 10.0.0.999\n  loopback: fc00:0:11::1\n  locator: fcbb:bb00:11::/48\n  domainSources: [fc00::/16]\n');
    const { status, stdout } = await cpnctl('config', 'check', file);
    assert.match(stdout, new RegExp(`^${file}:3:7: router.id: expected .*, found "10.0.0.999"$`, 'm'));
    assert.equal(status, 1);
    const answer = await cpnctl('--json', 'config', 'check', file);
    const { ok, problems } = JSON.parse(answer.stdout) as { ok: boolean; problems: { line: number; column: number; field: string }[] };
    assert.equal(ok, false);
    assert.deepEqual(problems.map(({ line, column, field }) => [line, column, field]), [[3, 7, 'router.id']]);
  });

  it('says that a good file is good', async () => {
    const file = join(folder, 'good.yaml');
    writeFileSync(file, 'router:\n  name: r1\n  id: 10.0.0.1\n  loopback: fc00:0:11::1\n  locator: fcbb:bb00:11::/48\n  domainSources: [fc00::/16]\n');
    const { status, stdout } = await cpnctl('config', 'check', file);
    assert.match(stdout, /good$/m);
    assert.equal(status, 0);
  });
});

describe('monitor', () => {
  const withChange = { ...candidates, candidates: [candidates.candidates[0]!] };

  /** Reads lines as they come. */
  async function* linesOf(stream: NodeJS.ReadableStream): AsyncGenerator<string> {
    let rest = '';
    for await (const chunk of stream) {
      rest += String(chunk);
      const complete = rest.split('\n');
      rest = complete.pop()!;
      yield* complete;
    }
  }

  it('rib: snapshot, synced, then update and remove, as JSON lines; SIGINT ends it with 0', { timeout: 20_000 }, async () => {
    const child = start('--target', target, '--json', 'monitor', 'rib');
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const lines = linesOf(child.stdout);
    const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value as string);
    assert.deepEqual(await next(), asJson({ change: 'snapshot', service: candidates }));
    assert.deepEqual(await next(), { change: 'synced', service: null });
    facade.rib = [withChange];
    facade.changed('rib', SERVICE);
    assert.deepEqual(await next(), asJson({ change: 'update', service: withChange }));
    facade.rib = [];
    facade.changed('rib', SERVICE);
    assert.deepEqual(await next(), { change: 'remove', service: { service: SERVICE, candidates: [] } });
    child.kill('SIGINT');
    assert.equal(await ended, 0);
  });

  it('flows: tells counters that grow and flows that go', { timeout: 20_000 }, async () => {
    const child = start('--target', target, 'monitor', 'flows', '--interval', '100');
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const lines = linesOf(child.stdout);
    const next = async (): Promise<string> => (await lines.next()).value as string;
    assert.match(await next(), /^\S+Z snapshot tcp \[2001:db8:c::2\]:40000 > \[2001:db8:5e::1\]:8080 exit fc00:0:11::1 policy 16 packets 9007199254740993 bytes 123456$/);
    assert.match(await next(), / synced$/);
    facade.pinned = [{ ...flow, packets: 5n }];
    assert.match(await next(), / update tcp .* packets 5 /);
    facade.pinned = [];
    assert.match(await next(), / remove tcp /);
    child.kill('SIGTERM');
    assert.equal(await ended, 0);
  });

  it('bgp: neighbor states and events; the daemon forgets a client that is gone', { timeout: 20_000 }, async () => {
    const child = start('--target', target, '--json', 'monitor', 'bgp');
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const lines = linesOf(child.stdout);
    const next = async (): Promise<unknown> => JSON.parse((await lines.next()).value as string);
    await next();
    assert.deepEqual(await next(), { change: 'synced', neighbor: null, event: null });
    facade.emit({ number: 5, unixMs: 1_795_000_000_000, topic: 'bgp', type: 'bgp.down', severity: 'warning', text: 'gone', fields: { code: 6, big: 10n } });
    facade.emit({ number: 6, unixMs: 1_795_000_000_000, topic: 'rib', type: 'rib.other', severity: 'info', text: 'not ours', fields: {} });
    assert.deepEqual(await next(), {
      change: 'event',
      neighbor: null,
      event: { number: '5', unixMs: 1_795_000_000_000, topic: 'bgp', type: 'bgp.down', severity: 'warning', text: 'gone', fields: { code: '6', big: '10' } },
    });
    facade.neighbors = [{ ...neighbor, state: 'Idle' }];
    facade.changed('bgp', neighbor.address);
    assert.deepEqual(await next(), asJson({ change: 'update', neighbor: { ...neighbor, state: 'Idle' }, event: undefined }));
    const watchers = (): number => facade.watchers;
    assert.equal(watchers(), 2);
    child.kill('SIGINT');
    assert.equal(await ended, 0);
    while (watchers() > 0) await new Promise((resolve) => setImmediate(resolve));
  });

  it('ospf: neighbor states and events', { timeout: 20_000 }, async () => {
    const fake = new FakeOspf();
    facade.ospf = fake;
    const child = start('--target', target, 'monitor', 'ospf');
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const lines = linesOf(child.stdout);
    const next = async (): Promise<string> => (await lines.next()).value as string;
    assert.match(await next(), / snapshot 10\.0\.0\.2 eth1 Full$/);
    assert.match(await next(), / synced$/);
    fake.event?.({ number: 5, unixMs: 1_795_000_000_000, topic: 'ospf', type: 'ospf.neighbor-lost', severity: 'warning', text: '10.0.0.2 on eth1 is silent', fields: {} });
    assert.match(await next(), / warning ospf\.neighbor-lost 10\.0\.0\.2 on eth1 is silent$/);
    fake.list = [{ ...ospfNeighbor, state: 'Init' }];
    fake.change?.(undefined);
    assert.match(await next(), / update 10\.0\.0\.2 eth1 Init$/);
    child.kill('SIGINT');
    assert.equal(await ended, 0);
  });

  it('ends with 0 when the reader closes the pipe', { timeout: 20_000 }, async () => {
    const child = start('--target', target, 'monitor', 'flows', '--interval', '100');
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    await linesOf(child.stdout).next();
    child.stdout.destroy();
    const growing = setInterval(() => (facade.pinned = [{ ...flow, packets: facade.pinned[0]!.packets + 1n }]), 20);
    assert.equal(await ended, 0);
    clearInterval(growing);
  });

  it('ends with 3 when the daemon goes away', { timeout: 20_000 }, async () => {
    const other = await NorthboundServer.start(new FakeFacade(), { listen: `unix://${folder}/short.sock` });
    const child = start('--target', `unix://${folder}/short.sock`, 'monitor', 'rib');
    const result = finish(child);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    other.close();
    const { status, stderr } = await result;
    assert.match(stderr, /cannot reach cpnd/);
    assert.equal(status, 3);
  });
});

describe('long answers', () => {
  it('twenty thousand flows come complete and in order', { timeout: 30_000 }, async () => {
    facade.pinned = Array.from({ length: 20_000 }, (_, index) => ({ ...flow, sourcePort: index, packets: BigInt(index) }));
    const flows = (await json('show', 'flows')) as { sourcePort: number }[];
    assert.deepEqual(flows.map((entry) => entry.sourcePort), Array.from({ length: 20_000 }, (_, index) => index));
  });

  it('a table shows the first thousand and says so', async () => {
    facade.pinned = Array.from({ length: 2000 }, (_, index) => ({ ...flow, sourcePort: index + 1 }));
    const lines = (await run('show', 'flows')).stdout.trimEnd().split('\n');
    assert.equal(lines.length, 1002);
    assert.equal(lines.at(-1), '(the first 1000; --limit 0 shows all)');
  });
});

describe('show bfd', () => {
  it('prints a line a session: states, times, clients, flaps, and why one is not up', async () => {
    const { stdout, status } = await run('show', 'bfd');
    assert.equal(status, 0);
    const [heading, up, down] = stdout.trimEnd().split('\n');
    assert.deepEqual(heading!.split(/ {2,}/), ['PEER', 'INTERFACE', 'LOCAL', 'STATE', 'REMOTE', 'DETECTION', 'TX/RX', 'MULTIPLIER', 'CLIENTS', 'FLAPS', 'UPTIME', 'REASON']);
    assert.deepEqual(up!.split(/ {2,}/), ['fe80::2', 'eth1', 'fe80::1', 'up', 'up', '313ms', '50ms/62.5ms', '3', 'bgp, ospf', '2', '1m01s', '-']);
    assert.match(down!, /^fc00:0:9::1 .* down .*ENETUNREACH$/);
  });

  it('prints all that is known of the sessions with one peer', async () => {
    const { stdout } = await run('show', 'bfd', 'fe80:0::2');
    for (const pattern of [/^peer +fe80::2$/m, /^kind +single hop$/m, /^discriminators +4000000001 here, 7 there$/m, /^remote flags +control plane independent$/m, /^authentication +meticulousSha1$/m, /^history +2023-11-14T22:13:20.000Z up/m]) assert.match(stdout, pattern);
    const unknown = await run('show', 'bfd', 'fe80::99');
    assert.deepEqual([unknown.status, unknown.stderr], [1, 'cpnctl: no BFD session with fe80::99\n']);
  });

  it('prints the same as JSON', async () => {
    const sessions = (await json('show', 'bfd')) as { readonly peer: string; readonly discriminator: number; readonly uptimeMs: number | null; readonly counters: unknown; readonly history: unknown }[];
    assert.deepEqual(sessions.map(({ peer, uptimeMs }) => [peer, uptimeMs]), [['fe80::2', 61_000], ['fc00:0:9::1', null]]);
    assert.deepEqual(sessions[0]!.counters, { authenticationFailed: '0', received: '9', refused: '0', sendFailed: '1', sent: '10' });
    assert.deepEqual(sessions[0]!.history, [{ unixMs: '1700000000000', state: 'up', diagnostic: 'No Diagnostic' }]);
  });
});
