/** BFD over veth links in namespaces: with BIRD, with FRR, among four routers of ours, and as what ends a BGP session. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BfdConfig, BfdProfile, BfdRequest, BfdSessionView, BfdView } from '../../daemon/bfd/types.js';
import { BUILT_IN_PROFILES } from '../../daemon/bfd/profiles.js';
import { neighbor } from '../daemon/bgp/network.js';
import { type BgpLab, eventually, has, isRoot, sleep, withLab } from './bgp-lab.js';
import type { BfdCommand, Heard } from './bfd-driver.js';

const configOf = (profiles: Readonly<Record<string, Partial<BfdProfile>>> = {}): BfdConfig => ({
  profiles: { ...BUILT_IN_PROFILES, ...Object.fromEntries(Object.entries(profiles).map(([name, options]) => [name, { ...BUILT_IN_PROFILES.default, name, ...options }])) },
  maxSessions: 16,
});

class Bfd {
  private readonly waiting: ((answer: unknown) => void)[] = [];

  constructor(private readonly process: ChildProcess) {
    createInterface({ input: process.stdout! }).on('line', (line) => this.waiting.shift()?.(JSON.parse(line)));
  }

  static start(lab: BgpLab, node: string, config: BfdConfig): Bfd {
    return new Bfd(lab.start(node, [process.execPath, fileURLToPath(new URL('bfd-driver.js', import.meta.url)), JSON.stringify(config)], { stdin: true }));
  }

  run(command: BfdCommand): Promise<unknown> {
    return new Promise((resolve) => {
      this.waiting.push(resolve);
      this.process.stdin!.write(`${JSON.stringify(command)}\n`);
    });
  }

  watch(peer: string, options: Partial<BfdRequest> = {}): Promise<unknown> {
    return this.run({ do: 'register', request: { client: 'test', peer, multihop: false, profile: 'default', ...options } });
  }

  async session(peer: string): Promise<BfdSessionView> {
    const { sessions } = (await this.run({ do: 'view' })) as BfdView;
    const found = sessions.find((session) => session.peer === peer);
    assert.ok(found, `no session with ${peer}`);
    return found;
  }

  async heard(peer: string): Promise<readonly Heard[]> {
    return ((await this.run({ do: 'heard' })) as readonly Heard[]).filter((each) => each.peer === peer);
  }

  async until(peer: string, what: string, check: (session: BfdSessionView) => boolean): Promise<BfdSessionView> {
    return eventually(`${peer}: ${what}`, async () => {
      const session = await this.session(peer);
      return check(session) ? session : undefined;
    }, 10);
  }

  up(peer: string): Promise<BfdSessionView> {
    return this.until(peer, 'up', ({ state }) => state === 'up');
  }

  /** When the last session with a peer went down, Unix ms. */
  async down(peer: string): Promise<number> {
    const last = await eventually(`${peer}: down`, async () => {
      const heard = (await this.heard(peer)).at(-1);
      return heard?.verdict === 'down' ? heard : undefined;
    }, 10);
    return last.heardAt;
  }
}

/** What a node sends to an address goes to nobody from now on, without a word to either end; returns how to mend it and when it was cut. */
function cut(lab: BgpLab, node: string, device: string, address: string): { readonly at: number; mend(): void } {
  const found = lab.exec(node, 'ip', 'neighbor', 'show', 'to', address, 'dev', device);
  const hardware = /lladdr (\S+)/.exec(found)?.[1];
  assert.ok(hardware, found);
  const neighborIs = (lladdr: string): string => lab.exec(node, 'ip', 'neighbor', 'replace', address, 'lladdr', lladdr, 'dev', device, 'nud', 'permanent');
  neighborIs('02:00:00:00:00:99');
  return { at: Date.now(), mend: () => void neighborIs(hardware) };
}

/** zebra and bfdd, with others beside them; returns `vtysh -c`. */
async function startFrr(lab: BgpLab, node: string, daemons: readonly string[], configuration: string): Promise<(command: string) => string> {
  chmodSync(lab.directory, 0o777);
  const file = lab.file(`${node}.conf`, configuration);
  const socket = `${lab.directory}/zserv`;
  for (const daemon of ['zebra', ...daemons]) {
    const common = ['-i', `${lab.directory}/${daemon}.pid`, '--vty_socket', lab.directory, '-u', 'root', '-g', 'frrvty', '-z', socket, '-P', '0', '--log', 'stdout'];
    // A daemon refuses the commands of another one.
    const own = daemon === 'zebra' ? '/dev/null' : daemon === 'bfdd' ? lab.file('bfdd.conf', /bfd\n( .*\n)*/.exec(configuration)?.[0] ?? '') : file;
    lab.start(node, [`/usr/lib/frr/${daemon}`, '-f', own, ...common, ...(daemon === 'bfdd' ? ['--bfdctl', `${lab.directory}/bfdd.sock`] : [])]);
    if (daemon === 'zebra') await eventually('zebra', () => existsSync(socket) || undefined);
  }
  await eventually('vtysh', () => daemons.every((daemon) => existsSync(`${lab.directory}/${daemon}.vty`)) || undefined);
  return (command) => lab.exec(node, 'vtysh', '--vty_socket', lab.directory, ...command.split('\n').flatMap((line) => ['-c', line]));
}

interface FrrPeer {
  readonly status: string;
  readonly 'remote-receive-interval': number;
}

/** Time of the event loop and of `birdc` and `vtysh` beside the Detection Time itself, ms. */
const SLACK = 150;

test('With BIRD, a session of 3 x 100 ms comes up with meticulous SHA1, notices a cut both ways, changes its timers and says goodbye', { skip: !isRoot || !has('/usr/sbin/bird') }, () =>
  withLab('bfd-bird', async (lab) => {
    lab.node('a');
    lab.node('b');
    lab.link('a', 'fd00::a', 'b', 'fd00::b');
    const socket = `${lab.directory}/bird.ctl`;
    const file = lab.file('bird.conf', `
router id 10.0.0.2;
protocol device {}
protocol bfd bfd1 { interface "to-a" { interval 100 ms; multiplier 3; authentication meticulous keyed sha1; password "secret" { id 7; }; }; neighbor fd00::a dev "to-a"; }
`);
    lab.start('b', ['bird', '-f', '-c', file, '-s', socket]);
    const authentication = { type: 'meticulousSha1', keyId: 7, password: 'secret' } as const;
    const a = Bfd.start(lab, 'a', configOf({ keyed: { intervalMs: 100, authentication } }));
    await a.watch('fd00::b', { profile: 'keyed', interface: 'to-b' });
    const up = await a.up('fd00::b');
    const bird = (): string => lab.exec('b', 'birdc', '-s', socket, 'show', 'bfd', 'sessions');
    await eventually('BIRD has it up', () => /fd00::a\s+to-a\s+Up\s/.test(bird()) || undefined);
    await a.until('fd00::b', 'timers negotiated', ({ detectionTimeMs, transmitIntervalMs }) => detectionTimeMs === 300 && transmitIntervalMs === 100);
    assert.equal(up.authentication, 'meticulousSha1');
    assert.equal(up.counters.authenticationFailed, 0);

    // BIRD to us, then us to BIRD.
    const fromBird = cut(lab, 'b', 'to-a', 'fd00::a');
    const noticed = (await a.down('fd00::b')) - fromBird.at;
    assert.ok(noticed <= 300 + SLACK, `${noticed} ms`);
    fromBird.mend();
    await a.up('fd00::b');
    await eventually('BIRD has it up again', () => /Up\s/.test(bird()) || undefined);
    const toBird = cut(lab, 'a', 'to-b', 'fd00::b');
    const told = (await a.down('fd00::b')) - toBird.at;
    assert.ok(told <= 300 + SLACK, `${told} ms`);
    assert.equal((await a.session('fd00::b')).diagnostic, 'Neighbor Signaled Session Down');
    toBird.mend();
    await a.up('fd00::b');

    const { flaps } = await a.session('fd00::b');
    await a.run({ do: 'configure', config: configOf({ keyed: { intervalMs: 250, authentication } }) });
    await a.until('fd00::b', 'slower', ({ transmitIntervalMs }) => transmitIntervalMs === 250);
    // Interval and timeout of BIRD follow what we ask for.
    await eventually('BIRD is slower', () => /Up\s+\S+\s+0\.250\s+0\.750/.test(bird()) || undefined);
    assert.equal((await a.session('fd00::b')).flaps, flaps);

    await a.run({ do: 'unregister', peer: 'fd00::b' });
    await eventually('BIRD hears AdminDown', () => /fd00::a\s+to-a\s+Down\s/.test(bird()) || undefined, 2);
  }),
);

test('With FRR, IPv6, IPv4 and multihop sessions come up, its Poll is answered, its shutdown is no fault, its silence is one', { skip: !isRoot || !has('/usr/lib/frr/bfdd') }, () =>
  withLab('bfd-frr', async (lab) => {
    lab.node('a');
    lab.node('f');
    lab.link('a', 'fd00::a', 'f', 'fd00::f');
    for (const [node, device, four, loopback, other, via] of [['a', 'to-f', '10.9.0.1/24', 'fd00:1::1', 'fd00:2::2', 'fd00::f'], ['f', 'to-a', '10.9.0.2/24', 'fd00:2::2', 'fd00:1::1', 'fd00::a']] as const) {
      lab.exec(node, 'ip', 'address', 'add', four, 'dev', device);
      lab.exec(node, 'ip', 'address', 'add', `${loopback}/128`, 'dev', 'lo', 'nodad');
      lab.exec(node, 'ip', 'route', 'add', other, 'via', via);
    }
    const timers = '  receive-interval 100\n  transmit-interval 100\n';
    const vtysh = await startFrr(lab, 'f', ['bfdd'], `bfd
 peer fd00::a interface to-a
${timers} exit
 peer 10.9.0.1 interface to-a
${timers} exit
 peer fd00:1::1 multihop local-address fd00:2::2
${timers} exit
`);
    const a = Bfd.start(lab, 'a', configOf({ default: { intervalMs: 100 } }));
    await a.watch('fd00::f', { interface: 'to-f' });
    await a.watch('10.9.0.2');
    await a.watch('fd00:2::2', { multihop: true, localAddress: 'fd00:1::1' });
    for (const peer of ['fd00::f', '10.9.0.2', 'fd00:2::2']) await a.up(peer);
    const peers = (): FrrPeer[] => JSON.parse(vtysh('show bfd peers json')) as FrrPeer[];
    await eventually('FRR has all up', () => peers().every(({ status }) => status === 'up') || undefined);
    assert.equal((await a.session('10.9.0.2')).local, '10.9.0.1');

    const change = (line: string): string => vtysh(`configure terminal\nbfd\npeer fd00::a interface to-a\n${line}`);
    change('transmit-interval 200');
    await a.until('fd00::f', 'FRR sends less', ({ remoteMinTxMs, detectionTimeMs, flaps }) => remoteMinTxMs === 200 && detectionTimeMs === 600 && flaps === 0);
    await a.run({ do: 'configure', config: configOf({ default: { intervalMs: 150 } }) });
    await eventually('FRR knows what we want', () => peers().every((peer) => peer['remote-receive-interval'] === 150) || undefined);

    change('shutdown');
    await eventually('AdminDown of FRR', async () => (await a.heard('fd00::f')).at(-1)?.verdict === 'adminDown' || undefined);
    change('no shutdown');
    await a.up('fd00::f');
    const { detectionTimeMs } = await a.until('fd00::f', 'timers negotiated', (session) => session.detectionTimeMs === 600);
    const silence = cut(lab, 'f', 'to-a', 'fd00::a');
    const noticed = (await a.down('fd00::f')) - silence.at;
    assert.ok(noticed <= detectionTimeMs + SLACK, `${noticed} ms`);
    silence.mend();
    await a.up('fd00::f');
  }),
);

const ROUTERS = ['a', 'b', 'c', 'd'] as const;

test('Four routers in a full mesh hold sessions of 3 x 50 ms over link-local addresses under load, and notice a cut in less than 200 ms', { skip: !isRoot }, (t) =>
  withLab('bfd-mesh', async (lab) => {
    const drivers = new Map<string, Bfd>();
    const pairs = ROUTERS.flatMap((left, i) => ROUTERS.slice(i + 1).map((right) => [left, right] as const));
    for (const router of ROUTERS) lab.node(router);
    for (const [left, right] of pairs) lab.link(left, `fe80::${left}:${right}`, right, `fe80::${right}:${left}`);
    for (const router of ROUTERS) drivers.set(router, Bfd.start(lab, router, configOf()));
    const ends = [...pairs, ...pairs.map(([left, right]) => [right, left] as const)].map(([from, to]) => ({ from: drivers.get(from)!, node: from, peer: `fe80::${to}:${from}`, local: `fe80::${from}:${to}`, device: `to-${to}` }));
    // Each end has an address made from its hardware address, too.
    for (const { from, peer, local, device } of ends) await from.watch(peer, { interface: device, localAddress: local, profile: 'fast' });
    for (const { from, peer } of ends) await from.until(peer, 'up and fast', ({ state, detectionTimeMs }) => state === 'up' && detectionTimeMs === 150);

    // Two processes that take what they get of the CPU, and routers whose own event loop is busy half of the time.
    const load = [0, 1].map(() => spawn(process.execPath, ['-e', 'const end = Date.now() + 10000; while (Date.now() < end);'], { stdio: 'ignore' }));
    try {
      const end = Date.now() + 10_000;
      while (Date.now() < end) {
        for (const driver of drivers.values()) await driver.run({ do: 'block', ms: 200 });
        await sleep(200);
      }
    } finally {
      for (const child of load) child.kill();
    }
    for (const { from, node, peer } of ends) {
      const { state, flaps, counters } = await from.session(peer);
      assert.deepEqual([node, peer, state, flaps], [node, peer, 'up', 0]);
      assert.ok(counters.received > 150, `${counters.received} packets received`);
    }

    const noticed: number[] = [];
    for (const { node, device, peer } of ends.slice(0, 6)) {
      const other = ends.find((end) => end.peer === `fe80::${node}:${device.slice(3)}`)!;
      const { at } = cut(lab, node, device, peer);
      noticed.push((await other.from.down(other.peer)) - at);
    }
    t.diagnostic(`noticed after ${noticed.join(', ')} ms`);
    assert.ok(noticed.every((ms) => ms < 200), noticed.join(', '));
  }),
);

test('A BGP session with FRR ends when BFD says so, with Cease / BFD Down, long before its hold time', { skip: !isRoot || !has('/usr/lib/frr/bfdd') }, () =>
  withLab('bfd-bgp', async (lab) => {
    lab.node('a');
    lab.node('f');
    lab.link('a', 'fd00::a', 'f', 'fd00::f');
    const vtysh = await startFrr(lab, 'f', ['bfdd', 'bgpd'], `router bgp 65002
 bgp router-id 10.0.0.2
 no bgp ebgp-requires-policy
 neighbor fd00::a remote-as 65001
 neighbor fd00::a bfd 3 100 100
 neighbor fd00::a timers 30 90
 neighbor fd00::a timers connect 2
 address-family ipv6 unicast
  neighbor fd00::a activate
  network 2001:db8:f::/48
 exit-address-family
no bgp network import-check
`);
    const bfd = { profile: 'fast', strict: false, multihop: false };
    const a = lab.speaker('a', {
      config: { as: 65001, listen: { addresses: ['::'], port: 179 }, networks: [], neighbors: [neighbor('fd00::f', 'fd00::a', 65002, { ttl: 1, connectRetryMs: 2000, bfd })] },
      router: { id: '10.0.0.1', loopback: 'fd00::a' },
      servicePrefixes: [],
      bfdConfig: configOf(),
    });
    await a.established('fd00::f');
    await eventually('BFD is up', async () => (await a.neighbor('fd00::f')).bfd === 'up' || undefined);
    await eventually('FRR has BFD up', () => vtysh('show bfd peers').includes('Status: up') || undefined);
    const { at } = cut(lab, 'f', 'to-a', 'fd00::a');
    const { text } = await eventually('the session ends', async () => {
      const { lastError, state } = await a.neighbor('fd00::f');
      return state === 'Established' ? undefined : lastError;
    }, 2);
    assert.match(text, /BFD Down/);
    const { events } = await a.show();
    const ended = events.find(({ kind, text: what }) => kind === 'notification' && what.includes('BFD Down'))!;
    assert.ok(ended.unixMs - at < 300 + SLACK, `${ended.unixMs - at} ms`);
    await eventually('FRR knows why', () => /BFD down|BFD Down/i.test(vtysh('show bgp neighbors fd00::a')) || undefined, 5);
  }),
);
