/** What the kernel dataplane sets up beside the flows: kernel parameters, addresses, routes, programs on interfaces that come and go. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { DataplaneCapabilities, LinkState } from '../../dataplane/dataplane.js';
import { ENTRY_LOOPBACK, FlowChain, SERVICE_PREFIX, until, type Router } from './flow-chain.js';

const OTHER_PREFIX = 'fd5f::/64';

describe('the dataplane of a kernel', () => {
  const chain = new FlowChain('flowkernel');
  let router: Router;

  const entry = (...command: string[]): string => chain.exec('entry', ...command);
  const sysctl = (name: string): string => entry('sysctl', '-n', `net.ipv6.conf.${name}`).trim();
  const programs = (name: string): string[] => [...entry('tc', 'filter', 'show', 'dev', name, 'ingress').matchAll(/handle 0x1 (cpn_\w+)/g)].map((match) => match[1]!);
  const routes = (prefix: string): { type: string; dev: string; metric: number }[] =>
    (JSON.parse(entry('ip', '-6', '-j', '-d', 'route', 'show', prefix, 'proto', '210')) as { type: string; dev: string; metric: number }[]).map(({ type, dev, metric }) => ({ type, dev, metric }));
  const SERVICE_ROUTES = [{ type: 'unicast', dev: 'cpn0', metric: 1024 }, { type: 'unreachable', dev: 'lo', metric: 65_535 }];

  before(async () => {
    chain.up();
    for (const scope of ['all', 'e0', 'e1', 'default']) entry('sysctl', '-qw', `net.ipv6.conf.${scope}.seg6_enabled=0`);
    entry('sysctl', '-qw', 'net.ipv6.conf.all.forwarding=0');
    router = await chain.startRouter();
  });

  after(async () => {
    try {
      if (router.process.exitCode === null) await router.end('remove');
    } finally {
      chain.down();
    }
  });

  it('forwards, and processes SRHs on core interfaces only', () => {
    assert.deepEqual(['all.forwarding', 'e0.forwarding', 'all.seg6_enabled', 'e1.seg6_enabled', 'e0.seg6_enabled'].map(sysctl), ['1', '1', '1', '1', '0']);
  });

  it('has the loopback up with the router address', async () => {
    const links = (await router.call({ op: 'links' })) as LinkState[];
    assert.ok(links.find(({ name }) => name === 'lo')!.addresses.includes(`${ENTRY_LOOPBACK}/128`));
    assert.match(entry('ip', '-6', 'addr', 'show', 'dev', 'lo'), /fc00:bb:1::1\/128/);
  });

  it('leads service prefixes to the TUN, and nowhere without it', () => {
    assert.deepEqual(routes(SERVICE_PREFIX), SERVICE_ROUTES);
    assert.match(entry('ip', '-d', 'link', 'show', 'dev', 'cpn0'), /qlen 10000.*tun type tun.*persist on.*addrgenmode none/s);
  });

  it('says what the kernel can do', async () => {
    const { seg6, seg6local, bpf } = (await router.call({ op: 'capabilities' })) as DataplaneCapabilities;
    assert.deepEqual({ seg6, seg6local, bpf }, { seg6: true, seg6local: true, bpf: true });
  });

  it('puts the program on every interface but loopback and TUN, also on those that appear later', async () => {
    assert.deepEqual([programs('e0'), programs('e1'), programs('lo'), programs('cpn0')], [['cpn_ethernet'], ['cpn_ethernet'], [], []]);
    entry('ip', 'link', 'add', 'late0', 'type', 'veth', 'peer', 'name', 'late1');
    await until('the program is there', 5000, () => programs('late0').length === 1 && programs('late1').length === 1);
    entry('ip', 'link', 'del', 'late0');
    entry('ip', 'link', 'add', 'late0', 'type', 'veth', 'peer', 'name', 'late1');
    await until('the program is there again', 5000, () => programs('late0').length === 1);
    assert.equal(sysctl('late0.seg6_enabled'), '1');
  });

  it('puts the program back where somebody took it away', async () => {
    entry('tc', 'qdisc', 'del', 'dev', 'e0', 'clsact');
    assert.deepEqual(programs('e0'), []);
    await until('the program is back', 15_000, () => programs('e0').length === 1);
  });

  it('takes over changed options without touching flows', async () => {
    await router.call({ op: 'reconfigure', options: { servicePrefixes: [SERVICE_PREFIX, OTHER_PREFIX], interfaces: { e0: 'core', e1: 'core' } } });
    assert.deepEqual(routes(OTHER_PREFIX), SERVICE_ROUTES);
    assert.equal(sysctl('e0.seg6_enabled'), '1');
    await router.call({ op: 'reconfigure', options: { sourceAddress: 'fc00:bb:1::2' } });
    assert.deepEqual(routes(OTHER_PREFIX), []);
    assert.deepEqual(routes(SERVICE_PREFIX), SERVICE_ROUTES);
    assert.doesNotMatch(entry('ip', '-6', 'addr', 'show', 'dev', 'lo'), /fc00:bb:1::1/);
    assert.equal(sysctl('e0.seg6_enabled'), '0');
  });

  it('refuses a second daemon beside it, in words', () => {
    const program = fileURLToPath(new URL('./flow-router.js', import.meta.url));
    const second = spawnSync('ip', ['netns', 'exec', chain.namespace('entry'), process.execPath, program, JSON.stringify({ bpffs: chain.bpffs })], { encoding: 'utf8', timeout: 10_000 });
    assert.equal(second.status, 1);
    assert.match(second.stderr, /the TUN cpn0 is in use: another cpnd runs/);
  });

  it('leaves everything in the kernel when it is closed, and finds it again', async () => {
    await router.end('close');
    assert.deepEqual(routes(SERVICE_PREFIX), SERVICE_ROUTES);
    assert.deepEqual(programs('e0'), ['cpn_ethernet']);
    assert.match(entry('ip', '-6', 'addr', 'show', 'dev', 'lo'), /fc00:bb:1::2/);
    router = await chain.startRouter();
    assert.deepEqual(routes(SERVICE_PREFIX), SERVICE_ROUTES);
    assert.deepEqual(programs('e0'), ['cpn_ethernet']);
    // The address of the earlier run is ours, and not declared any more.
    assert.doesNotMatch(entry('ip', '-6', 'addr', 'show', 'dev', 'lo'), /fc00:bb:1::2/);
  });
});
