import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test, type TestContext } from 'node:test';
import { Lab, waitFor, type NodeProcess } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import type { Report } from '../../lab/tools/report.js';
import { labFor } from './lab-fixture.js';

const service = '2001:db8:5e::1';
const tool = (name: string): string[] => [process.execPath, `${checkout}/dist/lab/tools/${name}.js`];

async function serviceLab(t: TestContext, more: readonly string[] = []): Promise<{ lab: Lab; server: NodeProcess }> {
  const { lab } = await labFor(
    t,
    `
name: NAME
topology:
  defaults: {kind: linux}
  nodes:
    client: {exec: [ip -6 address add fd00::1/64 dev eth1 nodad, ip -6 route add ${service} via fd00::2, ip -4 address add 10.0.0.1/24 dev eth1]}
    node7: {exec: [ip -6 address add fd00::2/64 dev eth1 nodad, ip -4 address add 10.0.0.2/24 dev eth1]}
  links:
    - endpoints: ["client:eth1", "node7:eth1"]
`,
  );
  const server = await lab.node('node7').spawn([...tool('server'), '--port', '80', '--address', service, '--own', ...more]);
  await waitFor(() => server.stdout.includes('"listening"'), { timeoutMs: 5000, what: 'the server to listen' });
  return { lab, server };
}

async function ask(lab: Lab, ...argv: string[]): Promise<Report> {
  const to = argv.includes('--to') ? [] : ['--to', service];
  return JSON.parse(await lab.node('client').run([...tool('client'), '--port', '80', ...to, ...argv])) as Report;
}

describe('the traffic tools', () => {
  test('TCP and UDP requests are answered by the node, with one report entry a flow and one log line a request', async (t) => {
    const { lab, server } = await serviceLab(t);
    for (const protocol of ['udp', 'tcp']) {
      const report = await ask(lab, '--protocol', protocol, '--flows', '5', '--source-port', '40000', '--requests', '3', '--interval-ms', '5');
      assert.deepEqual([report.sent, report.answered, report.nodes], [15, 15, { node7: 15 }]);
      assert.deepEqual(report.flows.map((flow) => [flow.sourcePort, flow.answered]), [40000, 40001, 40002, 40003, 40004].map((port) => [port, 3]));
      const logged = server.stdout.split('\n').filter((line) => line.includes('"request"') && line.includes(`"${protocol}"`));
      assert.equal(logged.length, 15);
    }
  });

  test('the requirement option travels in first packets only, over UDP and TCP', async (t) => {
    const { lab } = await serviceLab(t);
    for (const protocol of ['udp', 'tcp']) {
      const capture = await lab.capture('node7:eth1', `dst host ${service}`);
      const report = await ask(lab, '--protocol', protocol, '--requests', '3', '--interval-ms', '20', '--requirements', '{"latencyUs": 20000}');
      assert.equal(report.answered, 3);
      const text = await lab.node('node7').run(['sh', '-c', 'tcpdump -n -v -r - 2>/dev/null'], { input: readFileSync(await capture.stop()) });
      const packets = text.trim().split('\n').filter((line) => line.includes(service));
      assert.match(packets[0]!, /DSTOPT \(opt_type 0x1e: len=10\)/);
      assert.ok(packets.length >= 3);
      assert.doesNotMatch(packets.at(-1)!, /DSTOPT/);
    }
  });

  test('the emulated load queues requests and changes while the server runs', async (t) => {
    const { lab, server } = await serviceLab(t, ['--service-time-ms', '20']);
    const loaded = await ask(lab, '--flows', '5');
    assert.ok(loaded.rttUs!.min >= 19_000 && loaded.rttUs!.max >= 99_000, JSON.stringify(loaded.rttUs));
    server.write('{"serviceTimeMs": 0}\n');
    await waitFor(() => server.stdout.includes('"event":"load"'), { timeoutMs: 5000, what: 'the change' });
    assert.ok((await ask(lab, '--flows', '5')).rttUs!.min < 19_000);
    server.write('nonsense\n');
    await waitFor(() => server.stdout.includes('"event":"error"'), { timeoutMs: 5000, what: 'the complaint' });
  });

  test('an unspecified address answers from the address that was asked, IPv4 too', async (t) => {
    const { lab, server } = await serviceLab(t);
    const wildcard = await lab.node('node7').spawn([...tool('server'), '--port', '81', '--address', '::', '--address', '0.0.0.0', '--name', 'any']);
    await waitFor(() => wildcard.stdout.includes('"listening"'), { timeoutMs: 5000, what: 'the server to listen' });
    for (const to of [service, 'fd00::2', '10.0.0.2']) {
      for (const protocol of ['udp', 'tcp']) assert.deepEqual((await ask(lab, '--to', to, '--port', '81', '--protocol', protocol)).nodes, { any: 1 }, `${protocol} ${to}`);
    }
    assert.equal(await server.stop(), 143);
    await wildcard.stop();
    const deaf = await lab.node('client').exec([...tool('client'), '--to', service, '--port', '80', '--timeout-ms', '100', '--protocol', 'tcp']);
    assert.equal(deaf.status, 1);
    assert.match((JSON.parse(deaf.stdout) as Report).flows[0]!.error!, /errno 111/);
  });

  test('a constant rate over many flows ends early when interrupted, with its report', async (t) => {
    const { lab } = await serviceLab(t, ['--log', 'none']);
    const client = await lab.node('client').spawn([...tool('client'), '--to', service, '--port', '80', '--flows', '200', '--rate', '2000', '--duration-s', '60']);
    await waitFor(async () => Number(/^Udp6InDatagrams\s+(\d+)/m.exec(await lab.node('node7').run(['cat', '/proc/net/snmp6']))![1]) > 500, { timeoutMs: 10_000, what: 'the first requests' });
    client.kill('SIGINT');
    assert.equal(await client.exited, 0);
    const report = JSON.parse(client.stdout) as Report;
    assert.ok(report.sent > 500 && report.answered === report.sent, JSON.stringify({ ...report, flows: [] }));
    assert.equal(report.moved, 0);
  });

  test('a faulty command line ends with 2 and says what was expected', async (t) => {
    const { lab } = await labFor(t, 'name: NAME\ntopology:\n  nodes:\n    a: {kind: linux}\n');
    for (const [argv, says] of [
      [[...tool('client'), '--to', 'nowhere'], /--to: expected an IP address, found "nowhere"/],
      [[...tool('client'), '--to', '::1', '--flows', '0'], /--flows: expected a number from 1/],
      [[...tool('client'), '--to', '10.0.0.1', '--requirements', '{"latencyUs": 1}'], /only IPv6/],
      [[...tool('server')], /--address: expected at least one/],
      [[...tool('server'), '--wrong'], /usage: server/],
    ] as const) {
      const result = await lab.node('a').exec(argv);
      assert.equal(result.status, 2);
      assert.match(result.stderr, says);
    }
  });
});
