/**
 * Convergence of OSPFv3 after a cut. First a router between four neighbours that are emulated with an area of 50 routers: cpnd, whole, and FRR (zebra, ospf6d) in
 * its place, with their default timers, with equal ones and with none; a link elsewhere in the area is cut and restored, and the time counts from the LSA leaving
 * the neighbour until the last of the kernel's routes that come out different is what it stays. Then 50 routers of ours in memory, in one process on one clock: from the loss of a link until
 * the last router's routes have changed.
 *
 *     node dist/bench/ospf-convergence.js [--json] [--cuts 10]      (as root)
 *
 * Fast reroute of cpnd is off: the routes are written once, as FRR's.
 */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { systemClock } from '../daemon/clock.js';
import { OspfEngine } from '../daemon/ospf/engine.js';
import { formatId, parseId } from '../daemon/ospf/ids.js';
import { MemoryLink, MemoryTransport } from '../daemon/ospf/memory-transport.js';
import { SpfEngine } from '../daemon/ospf/spf/engine.js';
import type { OspfInterfaceConfig } from '../daemon/ospf/types.js';
import { Prefix } from '../dataplane/packet/ip.js';
import { randomFrom } from '../test/daemon/bgp/network.js';
import { instanceConfig, interfaceConfig } from '../test/daemon/ospf/network.js';
import { OPTIONS } from '../test/daemon/ospf/spf/router.js';
import { Announcer, Testbed } from '../test/lab/ospf-compare/compare.js';
import { COST, type Device, frrWith, LAN, POINT_TO_POINT } from '../test/lab/ospf-compare/devices.js';
import { withOspfLab, type OspfLab } from '../test/lab/ospf-lab.js';
import { printJson, printTable, quantiles, round } from './support/report.js';

const { values } = parseArgs({ options: { json: { type: 'boolean' }, cuts: { type: 'string', default: '10' } } });
const cuts = Number(values.cuts);
/** No route has changed for so long: it is over. Longer than any timer of either, but for a backoff that one change does not reach. */
const QUIET_MS = 1500;
const LONGEST_DELAY_MS = 5000;
const ROUTERS = 50;

/** cpnd with SPF delays; `holdDown` is short, so that every cut finds it quiet. */
const cpndWith = (spf: object): Device => ({
  name: 'cpnd',
  available: true,
  remembers: false,
  async start(lab, node, routerId) {
    const side = { hello: '1s', dead: '4s', cost: COST };
    await lab.cpnd(node, {
      router: { name: node, id: routerId, loopback: '2001:db8:d::1', locator: 'fcbb:bb00:1::/48', sidBlocks: ['fcbb:bb00::/32'], domainSources: ['2001:db8::/32'] },
      ospf: {
        interfaces: {
          ...Object.fromEntries(POINT_TO_POINT.map((name) => [name, { ...side, network: 'point-to-point' }])),
          [LAN]: { ...side, network: 'broadcast', priority: 100 },
        },
        spf,
        fastReroute: 'none',
      },
    });
    return { routes: () => new Map(), kernelRoutes: () => new Map() };
  },
});

/** The routes of a kernel as they change: what each is, since when, and what it was when the watch was last asked. */
class RouteWatch {
  private readonly routes = new Map<string, { hops: string; readonly reached: Map<string, number>; before: string }>();
  private last = 0;
  private current: { hops: string; readonly reached: Map<string, number>; before: string; time: number } | undefined;

  constructor(private readonly process: ChildProcess) {
    createInterface({ input: process.stdout! }).on('line', (line) => this.read(line));
  }

  /** A route is one line, or one and a line for each next hop. */
  private read(line: string): void {
    this.last = Date.now();
    const head = /^\[(\S{23})(\d{3})\] (Deleted )?(2001:db8:\S+) (.*)$/.exec(line);
    const via = /via (\S+ dev \S+)/.exec(line)?.[1];
    if (head) {
      const known = this.routes.get(head[4]!) ?? { hops: '', reached: new Map<string, number>(), before: '' };
      this.routes.set(head[4]!, known);
      known.hops = head[3] === undefined && via !== undefined ? via : '';
      this.current = head[3] === undefined ? Object.assign(known, { time: Date.parse(head[1]!) + Number(head[2]) / 1000 }) : undefined;
    } else if (this.current && line.startsWith('\t') && via !== undefined) {
      this.current.hops = [...this.current.hops.split(', ').filter(Boolean), via].sort().join(', ');
    } else {
      this.current = undefined;
    }
    if (this.current && !this.current.reached.has(this.current.hops)) this.current.reached.set(this.current.hops, this.current.time);
  }

  /**
   * Waits until nothing is written for a while. Of the routes that are other ones than when it was asked last: how many, and when the last of them became what it
   * is, Unix ms. Routes that are taken out and put in again as they were do not count.
   */
  async quiet(since: number): Promise<{ readonly at: number; readonly routes: number }> {
    while (Date.now() - Math.max(this.last, since) < QUIET_MS) await new Promise((resolve) => setTimeout(resolve, 20));
    let at = 0;
    let routes = 0;
    for (const route of this.routes.values()) {
      if (route.hops !== route.before && route.hops !== '') {
        routes++;
        at = Math.max(at, route.reached.get(route.hops)!);
      }
      route.before = route.hops;
      route.reached.clear();
    }
    return { at, routes };
  }

  close(): void {
    this.process.kill();
  }
}

interface Measured {
  readonly ms: number[];
  readonly routes: number[];
}

async function measureDevice(lab: OspfLab, device: Device): Promise<Measured> {
  const bed = await Testbed.up(lab, device, 1);
  const announcer = new Announcer();
  const area = bed.area(1000);
  const watch = new RouteWatch(lab.start('dut', ['stdbuf', '-oL', 'ip', '-6', '-ts', 'monitor', 'route'], { stdin: true }));
  const result: Measured = { ms: [], routes: [] };
  try {
    await bed.feed(announcer.changes(area.lsas()));
    // The many LSAs of the start bring either into its longest delay.
    await watch.quiet(Date.now() + LONGEST_DELAY_MS);
    for (let link = 0; result.ms.length < cuts; link++) {
      if (link > 100) throw new Error(`only ${result.ms.length} cuts changed a route`);
      if (!area.setAnchorLink(link % 16, false)) throw new Error('the area has fewer links');
      const lsas = announcer.changes(area.lsas());
      // Some are cut from the start.
      if (lsas.length === 0) continue;
      const sentAt = await bed.feed(lsas);
      const { at, routes } = await watch.quiet(sentAt);
      if (routes > 0) {
        result.ms.push(at - sentAt);
        result.routes.push(routes);
      }
      area.setAnchorLink(link % 16, true);
      await bed.feed(announcer.changes(area.lsas()));
      await watch.quiet(Date.now());
    }
  } finally {
    watch.close();
  }
  return result;
}

interface MemoryRouter {
  readonly engine: OspfEngine;
  readonly spf: SpfEngine;
  changedAt: number;
}

/** 50 routers: a ring with random chords. */
async function measureMemory(): Promise<number[]> {
  const random = randomFrom(1);
  const pairs = Array.from({ length: ROUTERS }, (_, n) => [n, (n + 1) % ROUTERS] as const);
  while (pairs.length < 2 * ROUTERS) {
    const [a, b] = [Math.floor(random() * ROUTERS), Math.floor(random() * ROUTERS)];
    if (a !== b) pairs.push([a, b]);
  }
  const wires = pairs.map(() => new MemoryLink(systemClock, { delayMs: 0 }));
  const up = pairs.map(() => true);
  const routers = Array.from({ length: ROUTERS }, (_, n): MemoryRouter => {
    const own = pairs.flatMap((pair, wire) => (pair.includes(n) ? [wire] : []));
    const interfaces = own.map((wire): OspfInterfaceConfig => interfaceConfig(`w${wire}`, 'point-to-point', { cost: 10 + (wire % 3) * 10 }));
    const routerId = formatId(0x0a000001 + n);
    const engine = new OspfEngine({ config: instanceConfig(routerId, { interfaces }), clock: systemClock, transport: new MemoryTransport(new Map(own.map((wire) => [`w${wire}`, wires[wire]!]))), random });
    const spf = new SpfEngine({ routerId: parseId(routerId), clock: systemClock, options: { ...OPTIONS, timers: { ...OPTIONS.timers, holdDownMs: 1000 } } });
    const router: MemoryRouter = { engine, spf, changedAt: 0 };
    spf.onRoutes(() => (router.changedAt = performance.now()));
    const refresh = (): void => {
      const neighbors = engine.neighborViews();
      const named = engine.interfaceViews().map(({ name, interfaceId }) => ({ name, interfaceId, neighbors: neighbors.filter((one) => one.interface === name).map((one) => ({ routerId: parseId(one.routerId), interfaceId: one.interfaceId, address: one.address })) }));
      spf.setInterfaces(named);
    };
    engine.onNeighbor({ full: refresh, lost: refresh });
    engine.onLsdbChange((changes) => void spf.lsdbChanged(changes));
    engine.setStubPrefixes([{ prefix: Prefix.from(`2001:db8:${n.toString(16)}::1/128`), options: 0, metric: 0 }]);
    engine.start();
    return router;
  });
  const setLink = (n: number, wire: number): void =>
    routers[n]!.engine.setLink(`w${wire}`, { name: `w${wire}`, index: wire + 1, up: up[wire]!, mtu: 1500, linkLocal: `fe80::${n + 1}:${wire + 1}`, prefixes: [], loopback: false });
  pairs.forEach((pair, wire) => pair.forEach((n) => setLink(n, wire)));
  const lastChange = (): number => Math.max(...routers.map(({ changedAt }) => changedAt));
  const quiet = async (ready: () => boolean): Promise<void> => {
    const limit = performance.now() + 60_000;
    const since = performance.now();
    while (!ready() || performance.now() - Math.max(since, lastChange()) < QUIET_MS) {
      if (performance.now() > limit) throw new Error('not within a minute');
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  const complete = (): boolean => routers.every(({ spf }) => spf.statistics().routes === ROUTERS - 1);
  await quiet(complete);
  const result: number[] = [];
  for (let cut = 0; result.length < cuts; cut++) {
    const wire = (cut * 7) % pairs.length;
    up[wire] = false;
    wires[wire]!.cut = true;
    const start = performance.now();
    for (const n of pairs[wire]!) setLink(n, wire);
    await quiet(complete);
    // A link that nobody used changes nothing.
    if (lastChange() > start) result.push(lastChange() - start);
    up[wire] = true;
    wires[wire]!.cut = false;
    for (const n of pairs[wire]!) setLink(n, wire);
    // MinLSInterval: what a router says of the cut must not wait for what it said of the link before.
    const before = performance.now();
    await quiet(() => complete() && performance.now() - before > 6000);
  }
  for (const { engine, spf } of routers) {
    engine.stop({ keepForwarding: true });
    spf.stop();
  }
  return result;
}

const SETTINGS = [
  { name: 'defaults (cpnd 50/200/5000 ms, FRR 0/50/5000 ms)', spf: { holdDown: '1s' }, throttle: [] },
  { name: 'equal: 50/200/5000 ms', spf: { holdDown: '1s' }, throttle: ['timers throttle spf 50 200 5000'] },
  { name: 'none: 0/0/0 ms', spf: { initialDelay: '0ms', shortDelay: '0ms', longDelay: '0ms', timeToLearn: '0ms', holdDown: '0ms' }, throttle: ['timers throttle spf 0 0 0'] },
] as const;

const rows: (string | number)[][] = [];
const results: object[] = [];
for (const [index, { name, spf, throttle }] of SETTINGS.entries()) {
  const medians: number[] = [];
  for (const device of [cpndWith(spf), frrWith(throttle)]) {
    await withOspfLab(`conv${index}${device.name}`, async (lab) => {
      const { ms, routes } = await measureDevice(lab, device);
      const { median, max } = quantiles(ms);
      medians.push(median);
      rows.push([name, device.name, ms.length, quantiles(routes).median, round(median, 1), round(max, 1), medians.length === 2 ? round(medians[0]! / medians[1]!, 2) : '']);
      results.push({ setting: name, device: device.name, ms: ms.map((value) => round(value, 1)), routes });
    });
  }
}
const memory = await measureMemory();
const { median, max } = quantiles(memory);
rows.push([`${ROUTERS} routers of ours in one process, 50/200/5000 ms`, 'the last router', memory.length, '', round(median, 1), round(max, 1), '']);
printTable(['SPF delays', 'router', 'cuts', 'routes changed', 'median ms', 'max ms', 'cpnd / FRR'], rows);
if (values.json === true) printJson('ospf-convergence', { results, memory: memory.map((value) => round(value, 1)) });
process.exit(0);
