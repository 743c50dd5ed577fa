import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { linkNeighbours } from '../../../daemon/awareness/link/neighbours.js';
import { LinkAwareness } from '../../../daemon/awareness/link/links.js';
import { LoadMeter, LOAD_WINDOW_MS } from '../../../daemon/awareness/link/utilisation.js';
import { ManualClock } from '../../../daemon/clock.js';
import { parseConfig } from '../../../daemon/config/load.js';
import { formatConfigErrors } from '../../../daemon/config/errors.js';
import type { Config } from '../../../daemon/config/types.js';
import type { InterfaceCounters, LinkState } from '../../../dataplane/dataplane.js';

const counters = (octets: number, changes: Partial<InterfaceCounters> = {}): InterfaceCounters => ({
  name: 'eth1', receivedPackets: 0n, sentPackets: BigInt(Math.floor(octets / 100)), receivedOctets: 0n, sentOctets: BigInt(octets), receiveFaults: 0n, sendFaults: 0n, speed: 1e9, ...changes,
});

describe('the load of a link', () => {
  it('is known from the second reading on: the rate of the busier direction against the bandwidth', () => {
    const meter = new LoadMeter();
    meter.read(counters(0), 0);
    assert.equal(meter.load(undefined), undefined);
    meter.read(counters(12_500_000, { receivedOctets: 1000n }), 1000);
    assert.deepEqual(meter.load(undefined), { receiveRate: 8000, sendRate: 1e8, utilisation: 0.1, bandwidth: 1e9, faultShare: 0 });
    assert.equal(meter.load(200_000_000n)!.utilisation, 0.5, 'the configuration says it better');
  });

  it('is over a window: what was before it is forgotten', () => {
    const meter = new LoadMeter();
    for (let second = 0; second <= 60; second++) meter.read(counters(second <= 30 ? second * 1_000_000 : 30_000_000), second * 1000);
    assert.equal(meter.load(undefined)!.sendRate, 0);
    const half = new LoadMeter();
    for (let second = 0; second <= 20; second++) half.read(counters(Math.max(0, second - 15) * 1_000_000), second * 1000);
    assert.equal(half.load(undefined)!.sendRate, (5_000_000 * 8) / (LOAD_WINDOW_MS / 1000));
  });

  it('starts anew with an interface whose counters begin again', () => {
    const meter = new LoadMeter();
    meter.read(counters(1_000_000), 0);
    meter.read(counters(10), 1000);
    assert.equal(meter.load(undefined), undefined);
    meter.read(counters(1010), 2000);
    assert.equal(meter.load(undefined)!.sendRate, 8000);
  });

  it('has no utilisation without a bandwidth, and states the share of faults', () => {
    const meter = new LoadMeter();
    meter.read(counters(0, { speed: undefined }), 0);
    meter.read(counters(900, { speed: undefined, receiveFaults: 1n }), 1000);
    const { utilisation, bandwidth, faultShare } = meter.load(undefined)!;
    assert.deepEqual([utilisation, bandwidth, faultShare], [undefined, undefined, 0.1]);
  });
});

const LINKS: readonly LinkState[] = [
  { name: 'lo', index: 1, up: true, mtu: 65_536, addresses: ['fc00:0:1::1/128'] },
  { name: 'eth1', index: 2, up: true, mtu: 1500, addresses: ['2001:db8:0:1::1/64', 'fe80::1/64', '192.0.2.1/24'] },
  { name: 'eth2', index: 3, up: false, mtu: 1500, addresses: [] },
  { name: 'eth3', index: 4, up: true, mtu: 1500, addresses: ['2001:db8:c::1/64'] },
];

function config(): Config {
  const text = `
router: {id: 10.0.0.1, loopback: fc00:0:1::1, locator: "fcbb:bb00:1::/48", domainSources: [fc00::/16]}
interfaces:
  eth1: {role: core, addresses: [2001:db8:0:1::1/64]}
  eth2: {role: core, addresses: [2001:db8:0:2::1/64], endX: 2001:db8:0:2::2, bandwidth: 100M}
  eth3: {role: client, addresses: [2001:db8:c::1/64]}
static:
  - {prefix: fc00:0:2::1/128, via: 2001:db8:0:1::2}
  - {prefix: fc00:0:3::1/128, via: 2001:db8:0:1::2}
  - {prefix: fc00:0:4::1/128, via: fe80::9, interface: eth1}
  - {prefix: 198.51.100.0/24, via: 192.0.2.2}
  - {prefix: 2001:db8:d::/48, via: 2001:db8:c::2}
bgp:
  as: 65000
  neighbors: [{address: 2001:db8:0:1::3, as: 65001}, {address: fc00:0:2::1, as: 65000}]
cpn: {stamp: {enabled: false}}
`;
  const result = parseConfig(text, 'test.yaml');
  if (!result.ok) assert.fail(formatConfigErrors(result.errors));
  return result.config;
}

describe('neighbours on links', () => {
  it('are next hops and BGP neighbors that are on a core link of ours, each once; a link that is down keeps its own', () => {
    assert.deepEqual(
      linkNeighbours(config(), LINKS).map(({ interface: name, own, neighbour }) => `${name} ${own} ${neighbour}`).sort(),
      ['eth1 2001:db8:0:1::1 2001:db8:0:1::2', 'eth1 2001:db8:0:1::1 2001:db8:0:1::3', 'eth1 fe80::1 fe80::9', 'eth2 2001:db8:0:2::1 2001:db8:0:2::2'],
    );
  });
});

describe('link awareness', () => {
  it('reports core interfaces once for each neighbour, with the load of their counters', async () => {
    const clock = new ManualClock();
    let octets = 0;
    const source = { links: () => LINKS, interfaceCounters: () => Promise.resolve([counters(octets), counters(octets, { name: 'eth2' })]) };
    const links = new LinkAwareness(config(), source, clock, (error) => assert.fail(String(error)));
    links.start();
    for (let second = 0; second < 3; second++) {
      await new Promise((resolve) => setImmediate(resolve));
      octets += 1_250_000;
      clock.advance(1000);
    }
    const report = links.report();
    assert.deepEqual(report.map(({ interface: name, up, neighbour }) => [name, up, neighbour]), [['eth1', true, '2001:db8:0:1::2'], ['eth1', true, 'fe80::9'], ['eth1', true, '2001:db8:0:1::3'], ['eth2', false, '2001:db8:0:2::2']]);
    assert.deepEqual([report[0]!.load?.utilisation, report[3]!.load?.utilisation], [0.01, 0.1]);
    links.stop();
  });

  it('a kernel that refuses its counters is an error that is told, and asked again', async () => {
    const clock = new ManualClock();
    const errors: unknown[] = [];
    let asked = 0;
    const source = { links: () => LINKS, interfaceCounters: (): Promise<InterfaceCounters[]> => (asked++, Promise.reject(new Error('netlink'))) };
    const links = new LinkAwareness(config(), source, clock, (error) => errors.push(error));
    links.start();
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(asked, 2);
    assert.equal(errors.length, 2);
    links.stop();
    clock.advance(10_000);
    assert.equal(asked, 2);
  });
});
