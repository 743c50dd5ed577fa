/** One whole router on the dataplane in memory: configurations that are taken over, refused, and put back. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { ManualClock } from '../../daemon/clock.js';
import { parseConfig } from '../../daemon/config/load.js';
import { routerChecks } from '../../daemon/doctor.js';
import { silentLogger } from '../../daemon/log.js';
import { Router } from '../../daemon/router.js';
import { NO_REQUIREMENTS } from '../../daemon/steering/requirement-option.js';
import { explain } from '../../daemon/steering/views.js';
import { FakeDataplane } from '../../dataplane/fake.js';
import { exitOf, makeAdvertisement, makeInstance, SERVICE, sidOf } from './rib/instances.js';

const OWN = 'fc00:0:1::1';
const link = (name: string, index: number) => ({ name, index, up: true, mtu: 1500, addresses: [] });

/** Refuses what a test asks it to. */
class RefusingDataplane extends FakeDataplane {
  refused: string | undefined;

  override setAddresses(interfaceName: string, addresses: readonly string[]): Promise<void> {
    if (this.refused !== undefined && addresses.includes(this.refused)) return Promise.reject(new Error(`address ${this.refused} on ${interfaceName}: permission denied`));
    return super.setAddresses(interfaceName, addresses);
  }
}

let folder = '';
let router: Router | undefined;

before(() => (folder = mkdtempSync(join(tmpdir(), 'cpnd-router-'))));
after(() => rmSync(folder, { recursive: true, force: true }));
afterEach(async () => {
  await router?.stop(false);
  router = undefined;
});

const text = (address: string, role = 'core'): string => `
router: {name: r1, id: 10.0.0.1, loopback: "${OWN}", locator: "fcbb:bb00:1::/48", sidBlocks: ["fcbb:bb00::/32"], domainSources: ["fc00::/16"]}
interfaces:
  eth1: {role: ${role}, addresses: ["${address}"]}
cpn: {servicePrefixes: ["2001:db8:5e::/48"], stamp: {enabled: false}}
api: {listen: "unix://${folder}/cpnd.sock"}
`;

async function start(config: string): Promise<{ router: Router; dataplane: RefusingDataplane; clock: ManualClock }> {
  const parsed = parseConfig(config, 'cpnd.yaml');
  assert.ok(parsed.ok, parsed.ok ? '' : JSON.stringify(parsed.errors));
  const clock = new ManualClock();
  const dataplane = new RefusingDataplane([link('lo', 1), link('eth1', 2)], () => clock.now());
  router = await Router.start({ config: parsed.config, configFile: 'cpnd.yaml', dataplane, clock, log: silentLogger, nowNs: () => BigInt(Math.round(clock.now() * 1e6)) });
  return { router, dataplane, clock };
}

test('a configuration with errors changes nothing and names them', async () => {
  const { router, dataplane } = await start(text('2001:db8:1::1/64'));
  const answer = await router.reload(text('2001:db8:1::1/64', 'backbone'));
  assert.equal(answer.ok, false);
  assert.deepEqual(answer.problems.map(({ field, line }) => [field, line]), [['interfaces.eth1.role', 4]]);
  assert.equal(dataplane.options?.interfaces['eth1'], 'core');
});

test('a second daemon on the same socket is refused before it touches the kernel', async () => {
  await start(text('2001:db8:1::1/64'));
  const parsed = parseConfig(text('2001:db8:1::1/64'), 'cpnd.yaml');
  assert.ok(parsed.ok);
  const clock = new ManualClock();
  const dataplane = new RefusingDataplane([link('lo', 1), link('eth1', 2)], () => clock.now());
  const second = Router.start({ config: parsed.config, configFile: 'cpnd.yaml', dataplane, clock, log: silentLogger, nowNs: () => 0n });
  await assert.rejects(second, /another process answers/);
  assert.equal(dataplane.options, undefined);
});

test('a configuration that the kernel refuses is answered, and the running one is put back', async () => {
  const { router, dataplane } = await start(text('2001:db8:1::1/64'));
  dataplane.refused = '2001:db8:2::1/64';
  const answer = await router.reload(text('2001:db8:2::1/64', 'client'));
  assert.equal(answer.ok, false);
  assert.match(answer.problems[0]!.found, /permission denied/);
  assert.equal(router.config().interfaces['eth1']?.role, 'core');
  assert.equal(dataplane.options?.interfaces['eth1'], 'core');
  assert.ok(router.events.since().some(({ type, severity }) => type === 'config.failed' && severity === 'error'));
});

test('a good configuration is taken over after a refused one', async () => {
  const { router, dataplane } = await start(text('2001:db8:1::1/64'));
  dataplane.refused = '2001:db8:2::1/64';
  const answers = await Promise.all([router.reload(text('2001:db8:2::1/64')), router.reload(text('2001:db8:3::1/64', 'client'))]);
  assert.deepEqual(answers.map(({ ok }) => ok), [false, true]);
  assert.equal(dataplane.options?.interfaces['eth1'], 'client');
});

test('doctor names interfaces of the configuration that are not there', async () => {
  const { router } = await start(text('2001:db8:1::1/64').replace('eth1: ', 'eth9: '));
  const check = routerChecks(router).find(({ name }) => name === 'interfaces');
  assert.equal(check?.status, 'fail');
  assert.match(check.detail, /eth9/);
});

test('an exit that moved to another locator is reached by its new SIDs', async () => {
  const { router, dataplane, clock } = await start(text('2001:db8:1::1/64'));
  const route = (prefix: string) => dataplane.routes.set({ prefix, target: { kind: 'unicast', nextHops: [{ interface: 'eth1' }] } });
  const resolved = async (): Promise<boolean | undefined> => {
    clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
    return [...router.paths.list()].find(({ way }) => way.exit === exitOf(2))?.state.resolved;
  };
  const advertise = (sequence: number, locator: number, service = SERVICE): void => {
    const sid = makeInstance(2, 1).sid!;
    router.computingRib.advertise(makeAdvertisement(2, sequence, { service, instances: [makeInstance(2, 1, { sid: { ...sid, sid: sidOf(locator, 1) } })] }));
    router.computingRib.flush();
  };
  route('fcbb:bb00:2::/48');
  advertise(1, 2);
  advertise(1, 2, '2001:db8:5e::2');
  assert.equal(await resolved(), true);
  dataplane.routes.remove('fcbb:bb00:2::/48');
  route('fcbb:bb00:12::/48');
  advertise(2, 0x12);
  advertise(2, 0x12, '2001:db8:5e::2');
  assert.equal(await resolved(), true);
});

test('a neighbor with BFD has a session, whose profile follows the configuration, and none without', async () => {
  const bgp = (bfd: string): string =>
    `${text('2001:db8:1::1/64')}bfd: {profiles: {mine: {interval: 700ms, multiplier: 4}}}\nbgp: {as: 65000, listen: {addresses: ["::1"], port: 17999}, neighbors: [{address: "2001:db8:1::2", as: 65001, import: any, export: any, passive: true${bfd}}]}\n`;
  const { router } = await start(bgp(', bfd: fast'));
  const sessions = async () => (await router.bfd.view()).sessions.map(({ peer, local, multihop, profile, multiplier, state, clients }) => [peer, local, multihop, profile, multiplier, state, clients.join()]);
  assert.deepEqual(await sessions(), [['2001:db8:1::2', '2001:db8:1::1', false, 'fast', 3, 'down', 'bgp']]);
  assert.equal(router.bgp!.neighbors()[0]!.bfd, 'not up');
  const answer = await router.reload(bgp(', bfd: mine'));
  assert.deepEqual(answer.changes.map(({ field, effect }) => [field, effect]), [['bgp.neighbors["2001:db8:1::2"].bfd.profile', 'now']]);
  assert.deepEqual(await sessions(), [['2001:db8:1::2', '2001:db8:1::1', false, 'mine', 4, 'down', 'bgp']]);
  await router.reload(bgp(''));
  assert.deepEqual(await sessions(), []);
});

test('runs of a file become a demand model that speaks for tasks of known work, and CATS metrics are announced', async () => {
  const runs = Array.from({ length: 60 }, (_, i) => {
    const [workload, used] = [1e6 * (1 + (i % 13)), (i % 7) / 10];
    return `${SERVICE},${workload},0,${((workload / 1e9) * 2e6) / (1 - used)},1e9,${used}`;
  });
  const file = join(folder, 'runs.csv');
  writeFileSync(file, `service,workload,dataSize,latencyUs,capacity,computingUsed\n${runs.join('\n')}\nnonsense\n`);
  const instance = `{service: "${SERVICE}", id: 1, node: {address: "2001:db8:1::2", interface: eth1}, computing: [{class: parallel, chip: cpu, total: 1e9, residual: 5e8}]}`;
  const configOf = (...files: readonly string[]): string => text('2001:db8:1::1/64', 'node').replace('stamp: {enabled: false}', `stamp: {enabled: false}, instances: [${instance}], model: {runs: [${files.join(', ')}], cats: {computing: [[1e8, 0], [1e9, 10]]}}`);
  const { router, clock } = await start(configOf(file));
  for (let i = 0; i < 5; i++) clock.advance(1000);
  const reasonsFor = (workload: bigint | undefined): string[] => explain(router.steering, SERVICE, clock.now(), { ...NO_REQUIREMENTS, workload }).candidates[0]!.reasons.map(({ text: words }) => words);
  // A node that is half busy takes twice 2 ms a million operations.
  assert.ok(reasonsFor(5_000_000n).some((words) => /^processing predicted to take (19|20)\d\d\d us .* by the queueing form from 60 runs of the service$/.test(words)), reasonsFor(5_000_000n).join('; '));
  assert.ok(!reasonsFor(undefined).some((words) => words.startsWith('processing')));
  assert.ok(router.events.since().some(({ type, text: words }) => type === 'model.runs' && /60 runs taken; line 62/.test(words)));
  const more = join(folder, 'more.csv');
  writeFileSync(more, `service,workload,dataSize,latencyUs,capacity,computingUsed\n${SERVICE},1e6,0,2000,1e9,0\n`);
  assert.equal((await router.reload(configOf(file, more))).ok, true);
  const read = router.events.since().filter(({ type }) => type === 'model.runs').map(({ text: words }) => words.slice(0, words.indexOf(' taken')));
  assert.deepEqual(read, [`${file}: 60 runs`, `${more}: 1 runs`], 'a reload reads what it names beside, once');
  const [candidate] = router.computingRib.candidates(SERVICE);
  // Between 1e8 and 1e9 on a logarithmic scale 5e8 is at 6.99.
  assert.deepEqual(candidate!.instance.cats.map(({ type, level, value }) => [type, level, value]), [[1, 1, 6n], [5, 2, 6n]]);
  assert.equal(candidate!.instance.grade, 4);
});
