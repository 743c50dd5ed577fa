import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { waitFor, type LabNode } from '../../lab/index.js';
import { checkout } from '../../lab/runner/checkout.js';
import { labFor } from './lab-fixture.js';

/** Two routers on one link, each of an image, with their configuration files bound to where the image expects them. */
const pair = (image: string, target: string, more = ''): string => `
name: NAME
topology:
  defaults: {kind: linux, image: "${image}"}
  nodes:
    r1:
      binds: ["r1.conf:${target}"${more}]
      exec: [ip -6 address add fd00::1/64 dev eth1 nodad]
    r2:
      binds: ["r2.conf:${target}"${more}]
      exec: [ip -6 address add fd00::2/64 dev eth1 nodad]
  links:
    - endpoints: ["r1:eth1", "r2:eth1"]
`;

const bounded = { timeoutMs: 60_000, intervalMs: 200 };

async function frrEstablished(node: LabNode): Promise<boolean> {
  const summary = JSON.parse(await node.run(['vtysh', '-c', 'show bgp summary json'])) as { ipv6Unicast?: { peers?: Record<string, { state: string; pfxRcd: number }> } };
  return Object.values(summary.ipv6Unicast?.peers ?? {}).some((peer) => peer.state === 'Established' && peer.pfxRcd > 0);
}

const frrConfig = (own: number): string => `frr defaults traditional
hostname r${own}
ipv6 route 2001:db8:${own}::/48 blackhole
router bgp ${65000 + own}
 bgp router-id 10.0.0.${own}
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor fd00::${3 - own} remote-as ${65000 + 3 - own}
 neighbor fd00::${3 - own} timers connect 1
 address-family ipv6 unicast
  neighbor fd00::${3 - own} activate
  redistribute static
 exit-address-family
`;

describe('images of routing daemons', () => {
  test("cpn/router: this checkout's cpnd with its bound configuration, killed and restarted", async (t) => {
    const { lab } = await labFor(
      t,
      `
name: NAME
topology:
  defaults: {kind: linux}
  nodes:
    r: {image: "registry.example:5000/cpn/router:v1", binds: ["${checkout}/containerlab/demo/entry/cpnd.yaml:/etc/cpn/cpnd.yaml:ro"]}
    h:
  links:
    - endpoints: ["r:eth1", "h:eth1"]
    - endpoints: ["r:eth2", "h:eth2"]
    - endpoints: ["r:eth3", "h:eth3"]
`,
    );
    const r = lab.node('r');
    const answers = async (): Promise<boolean> => (await r.exec([process.execPath, `${checkout}/dist/cli/cpnctl.js`, 'show', 'status'])).status === 0;
    await waitFor(answers, { ...bounded, what: 'cpnd to answer' });
    assert.equal(r.daemon.name, 'cpnd');
    assert.equal(r.daemon.kill('SIGKILL'), true);
    await waitFor(() => !r.daemon.running, { ...bounded, what: 'cpnd to be gone' });
    assert.equal(await answers(), false);
    await r.daemon.restart();
    await waitFor(answers, { ...bounded, what: 'cpnd to answer again' });
  });

  test('FRR: two routers exchange routes over BGP, a killed and restarted bgpd too', async (t) => {
    const { lab } = await labFor(t, pair('registry.example/frrouting/frr:8.4.4', '/etc/frr/frr.conf', ', "daemons:/etc/frr/daemons"'), {
      daemons: 'bgpd=yes\nospf6d=no\nzebra_options="  -A 127.0.0.1 -s 90000000"\nbgpd_options="   -A 127.0.0.1"\n',
      'r1.conf': frrConfig(1),
      'r2.conf': frrConfig(2),
    });
    const [r1, r2] = [lab.node('r1'), lab.node('r2')];
    assert.deepEqual(r1.daemons.map((daemon) => [daemon.name, daemon.running]), [['zebra', true], ['staticd', true], ['bgpd', true]]);
    await waitFor(() => frrEstablished(r1), { ...bounded, what: 'the BGP session' });
    await waitFor(async () => (await r1.run(['ip', '-6', 'route', 'show', '2001:db8:2::/48'])).includes('proto bgp'), { ...bounded, what: 'the route in the kernel' });

    const before = r2.daemon.pid;
    assert.equal(r2.daemon.name, 'bgpd');
    await r2.daemon.restart('SIGKILL');
    assert.notEqual(r2.daemon.pid, before);
    await waitFor(() => frrEstablished(r2), { ...bounded, what: 'the session after the restart' });

    await lab.fail('r2');
    assert.ok(r2.daemons.every((daemon) => !daemon.running));
    await waitFor(async () => !(await frrEstablished(r1)), { ...bounded, what: 'r1 to notice' });
    await lab.restore('r2');
    await waitFor(() => frrEstablished(r1), { ...bounded, what: 'the session after the failure' });
  });

  test('BIRD: two routers exchange routes over BGP', async (t) => {
    const config = (own: number): string => `router id 10.0.0.${own};
protocol device {}
protocol kernel { ipv6 { export all; }; }
protocol static { ipv6; route 2001:db8:${own}::/48 blackhole; }
protocol bgp peer {
  local fd00::${own} as ${65000 + own};
  neighbor fd00::${3 - own} as ${65000 + 3 - own};
  connect delay time 1; connect retry time 1;
  ipv6 { import all; export all; };
}
`;
    const { lab } = await labFor(t, pair('my/bird:2', '/etc/bird/bird.conf'), { 'r1.conf': config(1), 'r2.conf': config(2) });
    const r1 = lab.node('r1');
    await waitFor(async () => (await r1.run(['ip', '-6', 'route', 'show', '2001:db8:2::/48'])).includes('proto bird'), { ...bounded, what: 'the route in the kernel' });
    assert.match(await r1.run(['birdc', 'show', 'protocols']), /peer +BGP .*Established/);
  });

  test('GoBGP and ExaBGP: a session between them', async (t) => {
    const { lab } = await labFor(
      t,
      `
name: NAME
topology:
  defaults: {kind: linux}
  nodes:
    g:
      image: jauderho/gobgp:latest
      binds: ["gobgpd.yaml:/etc/gobgp/gobgpd.yaml"]
      exec: [ip -6 address add fd00::1/64 dev eth1 nodad]
    e:
      image: exabgp:4
      binds: ["exabgp.conf:/etc/exabgp/exabgp.conf"]
      exec: [ip -6 address add fd00::2/64 dev eth1 nodad]
  links:
    - endpoints: ["g:eth1", "e:eth1"]
`,
      {
        'gobgpd.yaml': `
global: {config: {as: 65001, router-id: 10.0.0.1}}
neighbors:
  - config: {neighbor-address: "fd00::2", peer-as: 65002}
    transport: {config: {passive-mode: true}}
    afi-safis: [{config: {afi-safi-name: ipv6-unicast}}]
`,
        'exabgp.conf': `
neighbor fd00::1 {
  router-id 10.0.0.2;
  local-address fd00::2;
  local-as 65002;
  peer-as 65001;
  family { ipv6 unicast; }
  static { route 2001:db8:e::/48 next-hop fd00::2; }
}
`,
      },
    );
    await waitFor(async () => (await lab.node('g').run(['gobgp', 'global', 'rib', '-a', 'ipv6'])).includes('2001:db8:e::/48'), { ...bounded, what: "ExaBGP's route in GoBGP" });
    assert.deepEqual([...lab.node('g').daemons, ...lab.node('e').daemons].map((daemon) => [daemon.name, daemon.running]), [['gobgpd', true], ['exabgp', true]]);
  });

  test('a daemon that ends at once is named with what it said, and the lab is up', async (t) => {
    const broken = await labFor(t, pair('my/bird:2', '/etc/bird/bird.conf'), { 'r1.conf': 'nonsense;\n', 'r2.conf': 'nonsense;\n' }).catch((error: unknown) => error);
    assert.ok(broken instanceof Error);
    assert.match(broken.message, /ERROR node r1: bird ended: [^]*syntax error/);
  });
});
