/**
 * Our routes against those of a stock router, one by one: a random area is flooded into the device through its real adjacencies, what the device has told one of
 * its neighbours is the database, and our calculation from the device's place on that database is what its routes are compared with.
 */
import { ManualClock } from '../../../daemon/clock.js';
import { formatId, parseId } from '../../../daemon/ospf/ids.js';
import { SpfEngine } from '../../../daemon/ospf/spf/engine.js';
import type { LsaChange, SpfInterface, SpfNextHop, SpfRoute } from '../../../daemon/ospf/spf/types.js';
import { encodeRouterBody } from '../../../daemon/ospf/wire/lsa/router.js';
import { buildLsa, decodeLsa } from '../../../daemon/ospf/wire/lsa.js';
import { INITIAL_SEQUENCE, type Lsa, LsType, MAX_AGE, OptionBit } from '../../../daemon/ospf/wire/types.js';
import { instanceConfig, interfaceConfig } from '../../daemon/ospf/network.js';
import { OPTIONS } from '../../daemon/ospf/spf/router.js';
import { eventually } from '../bgp-lab.js';
import { type LineDriver, type OspfLab, withOspfLab } from '../ospf-lab.js';
import { anchors, type Anchor, type AreaLsa, RandomArea } from './area.js';
import { type ComparedRoute, type ComparedRoutes, type Device, LAN, POINT_TO_POINT, type RunningDevice } from './devices.js';
import { type Context, type Difference, explain, withV6Bit } from './deviations.js';
import type { EmulatedAdjacency, EmulatorCommand, EmulatorConfig, FeedAnswer } from './emulator.js';

export const DEVICE = '10.0.0.1';
const NEIGHBORS = ['10.0.0.11', '10.0.0.12', '10.0.0.13', '10.0.0.14'] as const;
const ON_LINK = '2001:db8:99::3';
const LAN_PREFIX = '2001:db8:99::';
const SIZE = 50;

export interface JudgedDifference extends Difference {
  /** The known deviation of the device that explains it; undefined: none does. */
  readonly deviation: string | undefined;
}

export interface Comparison {
  /** What was done before. */
  readonly step: string;
  readonly routes: number;
  readonly database: readonly Lsa[];
  readonly differences: readonly JudgedDifference[];
  /** Routes that are ours too and that the device's kernel has otherwise. */
  readonly kernel: readonly string[];
  readonly waitedMs: number;
}

/** Where the device is connected: its interface by the neighbour's. */
const wiring = new Map([...POINT_TO_POINT.map((name) => [name, name] as const), ['c0', LAN], ['d0', LAN]]);

/** The device between its neighbours: two by point-to-point links, one of them by two, and two on a LAN. */
export class Testbed {
  private constructor(
    private readonly emulator: LineDriver<EmulatorCommand>,
    readonly device: RunningDevice,
    private readonly anchors: readonly Anchor[],
  ) {}

  static async up(lab: OspfLab, device: Device, seed: number): Promise<Testbed> {
    lab.router('dut', '2001:db8:d::1/128');
    lab.router('emu');
    for (const name of POINT_TO_POINT) lab.wire('dut', 'emu', { left: name, right: name });
    lab.wire('dut', 'emu', { left: LAN, right: 'dut0' });
    for (const name of ['c0', 'd0']) {
      lab.exec('emu', 'ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`);
      lab.exec('emu', 'ip', 'link', 'set', name, 'up');
    }
    lab.exec('emu', 'ip', 'link', 'add', 'br0', 'type', 'bridge', 'mcast_snooping', '0');
    for (const name of ['dut0', 'c0p', 'd0p']) lab.exec('emu', 'ip', 'link', 'set', name, 'master', 'br0', 'up');
    lab.exec('emu', 'ip', 'link', 'set', 'br0', 'up');
    for (const [node, name, host] of [['dut', LAN, 1], ['emu', 'c0', 2], ['emu', 'd0', 3]] as const) lab.exec(node, 'ip', 'addr', 'add', `${LAN_PREFIX}${host}/64`, 'dev', name, 'nodad');
    const quick = { helloIntervalMs: 1000, deadIntervalMs: 4000, retransmitIntervalMs: 2000 };
    const p2p = (name: string): ReturnType<typeof interfaceConfig> => interfaceConfig(name, 'point-to-point', quick);
    const config: EmulatorConfig = {
      device: DEVICE,
      engines: [
        instanceConfig(NEIGHBORS[0], { interfaces: [p2p('w0'), p2p('w2')] }),
        instanceConfig(NEIGHBORS[1], { interfaces: [p2p('w1')] }),
        instanceConfig(NEIGHBORS[2], { interfaces: [interfaceConfig('c0', 'broadcast', { ...quick, priority: 200 })] }),
        instanceConfig(NEIGHBORS[3], { interfaces: [interfaceConfig('d0', 'broadcast', { ...quick, priority: 0 })] }),
      ],
      feeder: 0,
      observer: 1,
    };
    const emulator = lab.driver<EmulatorCommand>('emu', new URL('emulator.js', import.meta.url), config);
    const running = await device.start(lab, 'dut', DEVICE);
    const all = anchors(seed, NEIGHBORS.map(parseId));
    const bed = new Testbed(emulator, running, all);
    const expected = OptionBit.v6 | OptionBit.e | OptionBit.r;
    for (const [engine, { links }] of all.entries()) {
      const body = encodeRouterBody({ flags: { nt: false, v: false, e: false, b: false }, options: expected, links });
      await emulator.run({ do: 'originate', engine, type: LsType.router, id: 1, body: Buffer.from(body).toString('hex') });
    }
    await eventually('adjacencies of all neighbors', async () => (await bed.adjacencies()).every(({ state }) => state === 'Full'), 30);
    await eventually('what the neighbors say of themselves', async () => {
      const database = await bed.database();
      const said = all.every(({ router }) => [0, 1].every((id) => database.some(({ header }) => header.type === LsType.router && header.router === router && header.id === id)));
      // Its Designated Router tells of the second neighbor on the LAN five seconds after the first (MinLSInterval).
      return said && database.some(({ body }) => body.kind === 'network' && body.routers.length === 3);
    });
    return bed;
  }

  private async adjacencies(): Promise<readonly EmulatedAdjacency[]> {
    return (await this.emulator.run({ do: 'adjacencies' })) as readonly EmulatedAdjacency[];
  }

  /** What the device has. */
  async database(): Promise<readonly Lsa[]> {
    return ((await this.emulator.run({ do: 'database' })) as readonly string[]).map((text) => {
      const decoded = decodeLsa(Buffer.from(text, 'hex'));
      if (!decoded.ok) throw new Error(decoded.fault.reason);
      return decoded.lsa;
    });
  }

  /** Floods LSAs into the device; when they were sent, Unix ms. */
  async feed(lsas: readonly Lsa[]): Promise<number> {
    const { sentAt, missing } = (await this.emulator.run({ do: 'feed', lsas: lsas.map(({ header, raw }) => hexAt(header.age, raw)), timeoutMs: 15_000 })) as FeedAnswer;
    if (missing.length > 0) throw new Error(`the device did not pass on ${missing.join(', ')}`);
    return sentAt;
  }

  /** The device's interfaces and neighbours, as its neighbours know them. */
  async interfaces(): Promise<readonly SpfInterface[]> {
    const found = new Map<string, { name: string; interfaceId: number; neighbors: { routerId: number; interfaceId: number; address: string }[] }>();
    for (const { routerId, interface: theirs, interfaceId, linkLocal, deviceInterfaceId } of await this.adjacencies()) {
      if (deviceInterfaceId === undefined || linkLocal === undefined) continue;
      const name = wiring.get(theirs)!;
      const entry = found.get(name) ?? { name, interfaceId: deviceInterfaceId, neighbors: [] };
      found.set(name, entry);
      entry.neighbors.push({ routerId: parseId(routerId), interfaceId, address: linkLocal });
    }
    return [...found.values()];
  }

  area(seed: number): RandomArea {
    return new RandomArea(seed, SIZE, this.anchors, ON_LINK);
  }
}

/** The LSA with this age in its header. */
function hexAt(age: number, raw: Uint8Array): string {
  const copy = Buffer.from(raw);
  copy.writeUInt16BE(age, 0);
  return copy.toString('hex');
}

const keyOf = ({ type, router, id }: { readonly type: number; readonly router: number; readonly id: number }): string => `${type}/${router}/${id}`;

/** LSAs as they were announced last, with their sequence numbers; those of one area give way to those of the next. */
export class Announcer {
  private readonly announced = new Map<string, { readonly lsa: AreaLsa; sequence: number; there: boolean }>();

  /** What has to be sent so that exactly these are there. */
  changes(wanted: Iterable<AreaLsa>): Lsa[] {
    const changes: Lsa[] = [];
    const keys = new Set<string>();
    for (const lsa of wanted) {
      keys.add(keyOf(lsa));
      const change = this.change(lsa);
      if (change) changes.push(change);
    }
    for (const [key, entry] of this.announced) {
      if (!entry.there || keys.has(key)) continue;
      entry.there = false;
      changes.push(buildLsa({ ...entry.lsa, age: MAX_AGE, sequence: ++entry.sequence }, entry.lsa.body));
    }
    return changes;
  }

  change(lsa: AreaLsa): Lsa | undefined {
    const known = this.announced.get(keyOf(lsa));
    if (known?.there && Buffer.compare(known.lsa.body, lsa.body) === 0) return undefined;
    const sequence = known ? known.sequence + 1 : INITIAL_SEQUENCE;
    this.announced.set(keyOf(lsa), { lsa, sequence, there: true });
    return buildLsa({ ...lsa, age: 1, sequence }, lsa.body);
  }
}

const hopsOf = (nextHops: readonly SpfNextHop[]): readonly string[] => [...new Set(nextHops.map(({ interface: name, gateway }) => (gateway === undefined ? name : `${name} ${gateway}`)))].sort();

const compared = ({ type, cost, type2Metric, nextHops }: SpfRoute): ComparedRoute => ({ type, cost, type2Metric, nextHops: hopsOf(nextHops) });

/** Our calculation from the device's place; it lives through all changes, and beside it one that begins anew each time has to come to the same. */
class Oracle {
  private readonly clock = new ManualClock();
  private readonly engine: SpfEngine;
  private known = new Map<string, Lsa>();
  private readonly history = new Map<string, readonly ComparedRoute[]>();

  constructor() {
    this.engine = new SpfEngine({ routerId: parseId(DEVICE), clock: this.clock, options: OPTIONS });
  }

  update(interfaces: readonly SpfInterface[], database: readonly Lsa[]): ComparedRoutes {
    const next = new Map(database.map((lsa) => [keyOf(lsa.header), lsa]));
    const changes: LsaChange[] = [];
    for (const [key, before] of this.known) if (!next.has(key)) changes.push({ key: before.header, before, after: undefined });
    for (const [key, after] of next) {
      const before = this.known.get(key);
      if (!before || Buffer.compare(before.raw.subarray(2), after.raw.subarray(2)) !== 0) changes.push({ key: after.header, before, after });
      else next.set(key, before);
    }
    this.known = next;
    this.engine.setInterfaces(interfaces);
    this.engine.lsdbChanged(changes);
    this.clock.advance(60_000);
    const incremental = routesOf(this.engine);
    const differences = differencesOf(incremental, routesOf(calculated(interfaces, database)));
    if (differences.length > 0) throw new Error(`incremental and whole calculation differ: ${JSON.stringify(differences)}`);
    for (const [prefix, route] of incremental) {
      const routes = this.history.get(prefix) ?? [];
      if (!routes.some((other) => sameRoute(other, route))) this.history.set(prefix, [...routes, route]);
    }
    return incremental;
  }

  earlier(prefix: string): readonly ComparedRoute[] {
    return this.history.get(prefix) ?? [];
  }

  hopsTo(router: number): readonly string[] {
    return hopsOf(this.engine.nextHopsTo(router));
  }

  costTo(router: number): number {
    return this.engine.routerPath(router)?.cost ?? Infinity;
  }
}

/** The calculation from the device's place on a database. */
function calculated(interfaces: readonly SpfInterface[], database: readonly Lsa[]): SpfEngine {
  const clock = new ManualClock();
  const engine = new SpfEngine({ routerId: parseId(DEVICE), clock, options: OPTIONS });
  engine.setInterfaces(interfaces);
  engine.lsdbChanged(database.map((lsa) => ({ key: lsa.header, before: undefined, after: lsa })));
  clock.advance(60_000);
  return engine;
}

const routesOf = (engine: SpfEngine): ComparedRoutes => new Map([...engine.routes()].map((route) => [route.prefix, compared(route)]));

const sameRoute = (a: ComparedRoute | undefined, b: ComparedRoute | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && a.type === b.type && a.cost === b.cost && a.type2Metric === b.type2Metric && a.nextHops.join() === b.nextHops.join());

function differencesOf(ours: ComparedRoutes, theirs: ComparedRoutes): Difference[] {
  const prefixes = [...new Set([...ours.keys(), ...theirs.keys()])].sort();
  return prefixes.filter((prefix) => !sameRoute(ours.get(prefix), theirs.get(prefix))).map((prefix) => ({ prefix, ours: ours.get(prefix), theirs: theirs.get(prefix) }));
}

/** The device's own prefixes, which it announces and has no route to that we could compare. */
const isOwn = (prefix: string): boolean => prefix.startsWith('2001:db8:d::') || prefix.startsWith(LAN_PREFIX);

const withoutOwn = (routes: ComparedRoutes): ComparedRoutes => new Map([...routes].filter(([prefix]) => !isOwn(prefix)));

export interface CompareOptions {
  readonly topologies: number;
  /** Changes made in each. */
  readonly changes: number;
  readonly seed: number;
  readonly onComparison?: (topology: number, comparison: Comparison) => void;
}

/** How long a difference that no known deviation explains, or one to the kernel, may last. */
const WAIT_MS = 6000;

/** Devices that run at a time. */
const AT_A_TIME = 3;

/** Compares on random areas, and after each of a sequence of changes to each. */
export async function compareWithDevice(device: Device, options: CompareOptions): Promise<readonly Comparison[]> {
  const comparisons: Comparison[] = [];
  const all = Array.from({ length: options.topologies }, (_, topology) => topology);
  const share = device.remembers ? 1 : Math.max(3, Math.ceil(all.length / 2));
  const waiting = Array.from({ length: Math.ceil(all.length / share) }, (_, part) => all.slice(part * share, (part + 1) * share));
  const work = async (): Promise<void> => {
    for (let topologies = waiting.shift(); topologies; topologies = waiting.shift()) {
      const mine = topologies;
      await withOspfLab(`compare-${device.name.toLowerCase()}-${mine[0]}`, async (lab) => {
        comparisons.push(...(await compareRoutes(await Testbed.up(lab, device, options.seed), device, mine, options)));
      });
    }
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
  return comparisons;
}

async function compareRoutes(bed: Testbed, device: Device, topologies: readonly number[], options: CompareOptions): Promise<readonly Comparison[]> {
  const announcer = new Announcer();
  const oracle = new Oracle();
  const comparisons: Comparison[] = [];
  for (const topology of topologies) {
    const area = bed.area(options.seed * 1000 + topology);
    for (let change = 0; change <= options.changes; change++) {
      const step = change === 0 ? `area ${topology}` : area.change();
      await bed.feed(announcer.changes(area.lsas()));
      const { prefix: marker, lsa } = area.mark();
      await bed.feed([announcer.change(lsa)!]);
      const comparison = await compareOnce(bed, oracle, { step, marker, isFirst: comparisons.length === 0 }, (difference, context) => explain(device.name, difference, context));
      comparisons.push(comparison);
      options.onComparison?.(topology, comparison);
    }
  }
  return comparisons;
}

interface State {
  readonly step: string;
  /** The prefix that tells when the device has calculated. */
  readonly marker: string;
  readonly isFirst: boolean;
}

async function compareOnce(bed: Testbed, oracle: Oracle, { step, marker, isFirst }: State, explainIt: (difference: Difference, context: Context) => string | undefined): Promise<Comparison> {
  const start = Date.now();
  let database: readonly Lsa[] = [];
  let interfaces: readonly SpfInterface[] = [];
  let ours: ComparedRoutes = new Map();
  let theirs: ComparedRoutes = new Map();
  const look = async (): Promise<void> => {
    database = await bed.database();
    interfaces = await bed.interfaces();
    ours = withoutOwn(oracle.update(interfaces, database));
    theirs = withoutOwn(bed.device.routes());
  };
  await eventually(`the device's calculation after: ${step}`, async () => {
    await look();
    return theirs.get(marker)?.cost === ours.get(marker)?.cost;
  });
  const judge = (): JudgedDifference[] => {
    let found: ReturnType<Context['withoutV6Bit']> | undefined;
    const context: Context = {
      database,
      theirs,
      isFirst,
      withoutV6Bit: () => (found ??= inOthersEyes(calculated(interfaces, database.map(withV6Bit)))),
      hopsTo: (router) => oracle.hopsTo(router),
      costTo: (router) => oracle.costTo(router),
      earlier: (prefix) => oracle.earlier(prefix),
    };
    return differencesOf(ours, theirs).map((difference) => ({ ...difference, deviation: explainIt(difference, context) }));
  };
  let differences = judge();
  const kernelNow = (): string[] => kernelDifferences(bed.device, new Map([...theirs].filter(([prefix, route]) => sameRoute(ours.get(prefix), route))));
  let kernel = kernelNow();
  // What comes of external routes may follow the tree a little later, and the kernel what zebra was told.
  while (Date.now() - start < WAIT_MS && (differences.some(({ deviation }) => deviation === undefined) || kernel.length > 0)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    await look();
    differences = judge();
    kernel = kernelNow();
  }
  return { step, routes: ours.size, database, differences, kernel, waitedMs: Date.now() - start };
}

const inOthersEyes = (engine: SpfEngine): ReturnType<Context['withoutV6Bit']> => ({ routes: withoutOwn(routesOf(engine)), hopsTo: (router) => hopsOf(engine.nextHopsTo(router)) });

function kernelDifferences(device: RunningDevice, routes: ComparedRoutes): string[] {
  const kernel = device.kernelRoutes();
  return [...routes]
    .filter(([prefix, { nextHops }]) => nextHops.join() !== (kernel.get(prefix) ?? []).join())
    .map(([prefix, { nextHops }]) => `${prefix}: ${nextHops.join(', ')}; kernel: ${(kernel.get(prefix) ?? []).join(', ')}`);
}

export const describeRoute = (route: ComparedRoute | undefined): string =>
  route === undefined ? 'none' : `${route.type} ${route.cost ?? '?'}${route.type2Metric === undefined ? '' : ` (${route.type2Metric})`} by ${route.nextHops.join(', ')}`;

/** The LSAs about a prefix, with what is special about them and their routers. */
export const describeLsas = (database: readonly Lsa[], prefix: string): string =>
  database
    .flatMap(({ header, body }) => {
      const entry = 'prefix' in body ? body : body.kind === 'intraAreaPrefix' ? body.prefixes.find((one) => one.prefix.toString() === prefix) : undefined;
      if (entry?.prefix.toString() !== prefix) return [];
      const router = database.find((other) => other.header.type === LsType.router && other.header.router === header.router)?.body;
      const options = router?.kind === 'router' ? `, router options 0x${router.options.toString(16)}` : '';
      return [`${body.kind} of ${formatId(header.router)} metric ${entry.metric}, prefix options 0x${entry.options.toString(16)}${options}${'forwarding' in body && body.forwarding !== undefined ? ` to ${body.forwarding}` : ''}`];
    })
    .join('; ');
