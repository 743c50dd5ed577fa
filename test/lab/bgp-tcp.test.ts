/** What protects the TCP connections of BGP, against FRR in namespaces and seen on the wire: hop limits, GTSM, MD5 signatures. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import type { BgpNeighborConfig } from '../../daemon/config/types.js';
import { neighbor } from '../daemon/bgp/network.js';
import { type BgpLab, type Driver, eventually, has, isRoot, startFrr, withLab } from './bgp-lab.js';

const us = '2001:db8:ff::1';
const them = '2001:db8:ff::2';
const far = '2001:db8:fe::3';

const config = (...neighbors: BgpNeighborConfig[]): Parameters<BgpLab['speaker']>[1]['config'] => ({ as: 65001, listen: { addresses: ['::'], port: 179 }, networks: [], neighbors });

const speaker = (lab: BgpLab, ...neighbors: BgpNeighborConfig[]): Driver =>
  lab.speaker('us', { config: config(...neighbors), router: { id: '10.0.0.1', loopback: us }, servicePrefixes: [] });

const peer = (address: string, options: Partial<BgpNeighborConfig>): BgpNeighborConfig => neighbor(address, us, 65002, { connectRetryMs: 1000, ...options });

/** A bgpd whose one neighbour we are; `lines` begin with the neighbour's address. */
const frr = (lab: BgpLab, ...lines: string[]): ((command: string) => string) =>
  startFrr(
    lab,
    'them',
    `hostname them
router bgp 65002
 bgp router-id 10.0.0.2
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 neighbor ${us} remote-as 65001
 neighbor ${us} timers connect 1
${lines.map((line) => ` neighbor ${us} ${line}\n`).join('')} address-family ipv6 unicast
  neighbor ${us} activate
 exit-address-family
`,
  );

const configure = (vtysh: (command: string) => string, ...lines: string[]): string => vtysh(`configure terminal\nrouter bgp 65002\n${lines.join('\n')}`);

interface Segment {
  readonly source: string;
  readonly hopLimit: number;
  readonly signed: boolean;
}

/**
 * Captures BGP's packets on an interface; returns a function that reads those so far. Without resets: those for closed ports come from no
 * socket, with the hop limit of the route.
 */
async function capture(lab: BgpLab, node: string, device: string): Promise<() => Segment[]> {
  const file = `${lab.directory}/${node}-${device}.pcap`;
  lab.start(node, ['/usr/bin/tcpdump', '-i', device, '--immediate-mode', '-U', '-Z', 'root', '-w', file, 'tcp port 179']);
  await eventually('tcpdump to listen', () => readFileSync(`${lab.directory}/${node}.log`, 'utf8').includes(`listening on ${device}`));
  const read = (attempts = 5): string => {
    try {
      return lab.exec(node, '/usr/bin/tshark', '-r', file, '-Y', 'tcp.flags.reset == 0', '-T', 'fields', '-e', 'ipv6.src', '-e', 'ipv6.hlim', '-e', 'tcp.options.md5.digest');
    } catch (error) {
      // tcpdump may be in the middle of a packet.
      if (attempts > 1 && error instanceof Error && error.message.includes('cut short')) return read(attempts - 1);
      throw error;
    }
  };
  return () =>
    read()
      .split('\n')
      .filter(Boolean)
      .map((line) => {
        const [source, hopLimit, digest] = line.split('\t');
        return { source: source!, hopLimit: Number(hopLimit), signed: (digest ?? '') !== '' };
      });
}

/** A counter of the kernel's TCP in a node's namespace (/proc/net/netstat). */
function tcpCounter(lab: BgpLab, node: string, name: string): number {
  const rows = lab.exec(node, 'cat', '/proc/net/netstat').split('\n').filter((line) => line.startsWith('TcpExt:')).map((line) => line.split(' '));
  return Number(rows[1]![rows[0]!.indexOf(name)]);
}

const listens = (lab: BgpLab): boolean => lab.exec('us', 'ss', '-Hltn', 'sport', '=', ':179') !== '';
const listeningSocket = (lab: BgpLab): string => / ino:(\d+) /.exec(lab.exec('us', 'ss', '-Hltne', 'sport', '=', ':179'))![1]!;

const hasError = (driver: Driver, pattern: RegExp): Promise<boolean> => driver.show().then(({ events }) => events.some((event) => event.kind === 'error' && pattern.test(event.text)));

const skip = !isRoot || !has('/usr/lib/frr/bgpd') || !has('/usr/bin/tshark') || !has('/usr/bin/tcpdump');

describe('TCP MD5 with FRR', { skip }, () => {
  test('signs every segment, whoever connects; another password ends the session, and the right one brings it back on the same listener', () =>
    withLab('tcp-md5', async (lab) => {
      lab.node('us');
      lab.node('them');
      lab.link('us', us, 'them', them);
      const segments = await capture(lab, 'us', 'to-them');
      const vtysh = frr(lab, 'password sesame', 'passive');
      const driver = speaker(lab, peer(them, { password: 'sesame' }));
      assert.equal((await driver.established(them)).connection?.openedBy, 'us');
      const listener = listeningSocket(lab);

      await driver.run({ do: 'reconfigure', config: config(peer(them, { password: 'sesame', passive: true })) });
      configure(vtysh, `no neighbor ${us} passive`);
      assert.equal((await driver.established(them)).connection?.openedBy, 'peer');

      const before = segments().length;
      await driver.run({ do: 'reconfigure', config: config(peer(them, { password: 'simsim' })) });
      await eventually('the reason', () => hasError(driver, /timed out, as it does when the passwords differ/));
      await eventually('unsigned or wrongly signed segments at both ends', () => tcpCounter(lab, 'us', 'TCPMD5Failure') > 0 && tcpCounter(lab, 'them', 'TCPMD5Failure') > 0);
      assert.notEqual((await driver.neighbor(them)).state, 'Established');
      await driver.run({ do: 'reconfigure', config: config(peer(them, { password: 'sesame' })) });
      await driver.established(them);
      assert.equal(listeningSocket(lab), listener);
      const all = segments();
      assert.ok(all.length > before && all.every(({ signed }) => signed), `${all.filter(({ signed }) => !signed).length} of ${all.length} segments are not signed`);

      // The key goes with the configuration that had it.
      await driver.run({ do: 'reconfigure', config: config(peer(them, { passive: true })) });
      configure(vtysh, `no neighbor ${us} password`);
      await driver.established(them);
      assert.ok(segments().some(({ signed }) => !signed));
      assert.equal(listeningSocket(lab), listener);
      assert.doesNotMatch(JSON.stringify(await driver.show()), /sesame|simsim/);
    }));
});

describe('GTSM with FRR', { skip }, () => {
  // Another neighbour without GTSM opens the listener to any hop limit: then the accepted connection has to be guarded by itself.
  for (const [what, ...others] of [['alone'], ['beside a neighbour without GTSM', neighbor('2001:db8:ff::9', us, 65009, { passive: true })]] as const) {
    test(`refuses a peer with a lower hop limit and takes one that sends with 255, ${what}`, () =>
      withLab(`tcp-gtsm${others.length}`, async (lab) => {
        lab.node('us');
        lab.node('them');
        lab.link('us', us, 'them', them);
        const segments = await capture(lab, 'us', 'to-them');
        const driver = speaker(lab, peer(them, { ttl: 255, minimumTtl: 255, passive: true }), ...others);
        // Before that the kernel would refuse a connection with a hop limit of its own.
        await eventually('our listener', () => listens(lab));
        const vtysh = frr(lab, 'ebgp-multihop 20');
        await eventually('packets of FRR that are dropped', () => tcpCounter(lab, 'us', 'TCPMinTTLDrop') > 3, 30);
        assert.ok(segments().filter(({ source }) => source === them).every(({ hopLimit }) => hopLimit < 255));
        assert.equal((await driver.neighbor(them)).establishedCount, 0);
        if (others.length === 0) assert.equal((await driver.neighbor(them)).messages.octetsReceived, 0);

        configure(vtysh, `no neighbor ${us} ebgp-multihop`, `neighbor ${us} ttl-security hops 1`);
        const dropped = segments().length;
        const view = await driver.established(them, 60);
        assert.equal(view.connection?.openedBy, 'peer');
        await driver.run({ do: 'reconfigure', config: config(peer(them, { ttl: 255, minimumTtl: 255 }), ...others) });
        await driver.established(them, 60);
        const ours = segments().filter(({ source }) => source === us);
        assert.ok(ours.length > 0 && ours.every(({ hopLimit }) => hopLimit === 255), JSON.stringify(ours));
        assert.ok(segments().slice(dropped).some(({ source, hopLimit }) => source === them && hopLimit === 255));
      }));
  }
});

describe('The hop limit with FRR', { skip }, () => {
  test('of 1 reaches a neighbour on the link, and is on every packet', () =>
    withLab('tcp-ttl1', async (lab) => {
      lab.node('us');
      lab.node('them');
      lab.link('us', us, 'them', them);
      const segments = await capture(lab, 'us', 'to-them');
      const driver = speaker(lab, peer(them, { ttl: 1 }));
      await eventually('our listener', () => listens(lab));
      frr(lab);
      await driver.established(them);
      const ours = segments().filter(({ source }) => source === us);
      assert.ok(ours.length > 0 && ours.every(({ hopLimit }) => hopLimit === 1), JSON.stringify(ours));
    }));

  test('of 1 does not reach past one hop, and of 2 does', () =>
    withLab('tcp-ttl2', async (lab) => {
      for (const node of ['us', 'mid', 'them']) lab.node(node);
      lab.link('us', us, 'mid', them);
      lab.link('mid', '2001:db8:fe::2', 'them', far);
      lab.exec('mid', 'sysctl', '-qw', 'net.ipv6.conf.all.forwarding=1');
      lab.exec('us', 'ip', 'route', 'add', 'default', 'via', them);
      lab.exec('them', 'ip', 'route', 'add', 'default', 'via', '2001:db8:fe::2');
      const near = await capture(lab, 'us', 'to-mid');
      const beyond = await capture(lab, 'them', 'to-mid');
      frr(lab, 'ebgp-multihop 20', 'passive');
      const driver = speaker(lab, peer(far, { ttl: 1 }));
      await eventually('an attempt that fails', () => hasError(driver, /timed out|EHOSTUNREACH/));
      await eventually('the attempt in the capture', () => near().some(({ source }) => source === us));
      const sent = near().filter(({ source }) => source === us);
      assert.ok(sent.every(({ hopLimit }) => hopLimit === 1), JSON.stringify(sent));
      assert.deepEqual(beyond().filter(({ source }) => source === us), []);
      assert.equal((await driver.neighbor(far)).establishedCount, 0);

      await driver.run({ do: 'reconfigure', config: config(peer(far, { ttl: 2 })) });
      await driver.established(far);
      assert.ok(near().filter(({ source }) => source === us).slice(sent.length).some(({ hopLimit }) => hopLimit === 2));
      const arrived = beyond().filter(({ source }) => source === us);
      assert.ok(arrived.length > 0 && arrived.every(({ hopLimit }) => hopLimit === 1), JSON.stringify(arrived));
    }));
});
