/** The dataplane of a Linux kernel: routes and addresses by rtnetlink, pinned flows by BPF, first packets by TUN. */
import { systemClock, type Clock, type Timer } from '../daemon/clock.js';
import type { Dataplane, DataplaneCapabilities, DataplaneOptions, FlowTable, InterfaceCounters, InterfaceRole, LinkState, RouteTable } from './dataplane.js';
import { DEFAULT_FLOW_TABLE_SETTINGS, KernelFlowTable } from './flow/table.js';
import { NetlinkClient } from './netlink/client.js';
import { LINK_GROUPS, LinkMonitor, type Link } from './netlink/links.js';
import { probeRouting } from './netlink/probe.js';
import { relaxReversePath } from './netlink/reverse-path.js';
import { KernelRouteTable, ROUTE_GROUPS } from './netlink/route-table.js';
import { openNetlinkSocket } from './netlink/socket.js';
import { decodeStatistics, encodeStatisticsRequest, RTM_GETSTATS, RTM_NEWSTATS } from './netlink/statistics.js';
import { writeSysctl } from './netlink/sysctl.js';
import { setTunnelSource } from './netlink/tunnel-source.js';
import { native } from './native/index.js';
import { Prefix } from './packet/ip.js';

/** Metric of the `unreachable` route behind that of a service prefix: it answers when the TUN is gone. */
const UNREACHABLE_METRIC = 65_535;

/** How often attachments are compared with the kernel, in ms: somebody may have removed a filter or a qdisc. */
const RECONCILE_MS = 10_000;

/** How long the kernel may take to tell of the TUN it has just made, in ms. */
const TUN_WAIT_MS = 5000;

const ETHERNET_ADDRESS_LENGTH = 6;

/** Interfaces whose members hand their packets up to them: the program sits on them, not on the members. */
const AGGREGATES = new Set(['bridge', 'bond', 'team']);

export interface KernelDataplaneSettings {
  /** Where the bpffs for pinned maps is or will be mounted. */
  readonly bpffs?: string;
  readonly tunName?: string;
  readonly clock?: Clock;
  /** One line each: what an operator should know and nobody asked for. */
  readonly log?: (message: string) => void;
}

export class KernelDataplane implements Dataplane {
  private readonly routeTable: KernelRouteTable;
  private readonly flowTable: KernelFlowTable;
  private readonly client: NetlinkClient;
  private readonly linkMonitor: LinkMonitor;
  private readonly clock: Clock;
  private readonly log: (message: string) => void;
  private readonly tunName: string;
  private readonly bpffs: string;

  private started = false;
  private options: DataplaneOptions | undefined;
  private found: DataplaneCapabilities = { seg6: false, seg6local: false, bpf: false, vrf: false, nextHopObjects: false, notes: ['not opened yet'] };
  private readonly notes = new Set<string>();
  private servicePrefixes: readonly string[] = [];
  private reconcileTimer: Timer | undefined;
  /** Kernel parameters of interfaces that are set back to 0 by remove(). */
  private readonly restored: string[][] = [];
  /** Roles in force, by interface index. */
  private readonly attached = new Map<number, InterfaceRole>();
  /** Addresses that the daemon declared, by interface name. */
  private readonly addresses = new Map<string, readonly string[]>();

  /** Opens netlink sockets in the caller's network namespace; nothing is programmed before open(). Throws NativeError. */
  constructor(settings: KernelDataplaneSettings = {}) {
    this.clock = settings.clock ?? systemClock;
    this.log = settings.log ?? (() => undefined);
    this.tunName = settings.tunName ?? DEFAULT_FLOW_TABLE_SETTINGS.tunName;
    this.bpffs = settings.bpffs ?? DEFAULT_FLOW_TABLE_SETTINGS.bpffs;
    this.client = new NetlinkClient(openNetlinkSocket());
    this.linkMonitor = new LinkMonitor(this.client, openNetlinkSocket(LINK_GROUPS), this.clock);
    this.routeTable = new KernelRouteTable(this.client, openNetlinkSocket(ROUTE_GROUPS), this.linkMonitor, this.clock);
    this.flowTable = new KernelFlowTable({ bpffs: this.bpffs, tunName: this.tunName, log: this.log });
  }

  get routes(): RouteTable {
    return this.routeTable;
  }

  get flows(): FlowTable {
    return this.flowTable;
  }

  capabilities(): DataplaneCapabilities {
    return { ...this.found, notes: [...this.found.notes, ...this.notes] };
  }

  async open(options: DataplaneOptions): Promise<void> {
    await this.start();
    // A network namespace is born with its loopback down; addresses, SIDs and the probe need it.
    if (this.linkMonitor.find('lo')?.enabled === false) await this.linkMonitor.change('lo', { up: true });
    const routing = this.withObjects(await probeRouting(this.client));
    this.found = { ...routing, bpf: false };
    this.flowTable.open(options);
    this.found = { ...routing, bpf: true };
    this.options = options;
    if (routing.seg6) await this.tunnelSource(options.sourceAddress);
    await this.tunKnown();
    await this.applyAddresses();
    this.applyServicePrefixes(options.servicePrefixes);
    this.applyInterfaces(true);
    this.linkMonitor.onChange(() => this.applyInterfaces(false));
    this.scheduleReconcile();
    await this.routeTable.settled();
  }

  private withObjects(found: Omit<DataplaneCapabilities, 'bpf' | 'nextHopObjects'>): Omit<DataplaneCapabilities, 'bpf'> {
    const lack = this.routeTable.lackOfObjects;
    if (lack === undefined) return { ...found, nextHopObjects: true };
    const note = `no next hop objects (${lack}): routes with backups are written one by one when a neighbour is lost; needs Linux 5.3`;
    return { ...found, nextHopObjects: false, notes: [...found.notes, note] };
  }

  private async tunnelSource(address: string): Promise<void> {
    try {
      await setTunnelSource(address);
    } catch (error) {
      this.note(`packets on routes by SIDs have a source of the kernel's choice: ${(error as Error).message}`);
    }
  }

  private async start(): Promise<void> {
    await this.linkMonitor.start();
    await this.routeTable.start();
    this.started = true;
  }

  async reconfigure(options: DataplaneOptions): Promise<void> {
    this.options = options;
    this.flowTable.reconfigure(options);
    await this.applyAddresses();
    this.applyServicePrefixes(options.servicePrefixes);
    this.applyInterfaces(true);
    await this.routeTable.settled();
  }

  /** Routes over the TUN can be written once netlink has told of it. */
  private tunKnown(): Promise<void> {
    const known = (): boolean => this.linkMonitor.find(this.tunName)?.enabled === true;
    if (known()) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const stop = this.linkMonitor.onChange(() => {
        if (!known()) return;
        timer.cancel();
        stop();
        resolve();
      });
      const timer = this.clock.setTimeout(() => {
        stop();
        reject(new Error(`the kernel did not tell of the interface ${this.tunName} within ${TUN_WAIT_MS} ms`));
      }, TUN_WAIT_MS);
    });
  }

  /** Service prefixes lead to the TUN and to nothing else: a plain route to a service would bypass SRv6 unnoticed. */
  private applyServicePrefixes(prefixes: readonly string[]): void {
    const wanted = prefixes.map((prefix) => Prefix.from(prefix).toString());
    for (const prefix of this.servicePrefixes) {
      if (wanted.includes(prefix)) continue;
      this.routeTable.remove(prefix);
      this.routeTable.remove(prefix, undefined, UNREACHABLE_METRIC);
    }
    for (const prefix of wanted) {
      this.routeTable.set({ prefix, target: { kind: 'unicast', nextHops: [{ interface: this.tunName }] } });
      this.routeTable.set({ prefix, metric: UNREACHABLE_METRIC, target: { kind: 'unreachable' } });
    }
    this.servicePrefixes = wanted;
  }

  private roleOf(name: string): InterfaceRole {
    return this.options?.interfaces[name] ?? 'core';
  }

  private isSteered(link: Link): boolean {
    if (link.loopback || link.name === this.tunName) return false;
    const master = link.master === undefined ? undefined : this.linkMonitor.links().find(({ index }) => index === link.master);
    return master?.kind === undefined || !AGGREGATES.has(master.kind);
  }

  /** Puts the program on interfaces that have none, sets roles and kernel parameters; `all`: on those known already too. */
  private applyInterfaces(all: boolean): void {
    if (!this.options) return;
    if (all) this.applyGlobalSysctls();
    const links = this.linkMonitor.links();
    const present = new Set(links.map(({ index }) => index));
    if (this.forwardsIpv4 && (all || links.some(({ index }) => !this.attached.has(index)))) this.relaxReversePath(links);
    for (const index of [...this.attached.keys()]) {
      if (present.has(index)) continue;
      this.attached.delete(index);
      this.flowTable.forget(index);
    }
    for (const link of links) {
      const role = this.roleOf(link.name);
      if (!this.isSteered(link) || (!all && this.attached.get(link.index) === role)) continue;
      // RFC 8754 section 5.1: SRHs are processed on interfaces inside the domain only.
      this.sysctl(role === 'core' ? 1 : 0, 'net', 'ipv6', 'conf', link.name, 'seg6_enabled');
      if (role === 'core' && !this.found.nextHopObjects) this.passOverDeadLinks(link.name);
      try {
        this.flowTable.attach(link.index, role, link.hardwareAddress.length === ETHERNET_ADDRESS_LENGTH);
        this.attached.set(link.index, role);
      } catch (error) {
        this.note(`interface ${link.name}: packets are not steered and the edge is not filtered: ${(error as Error).message}`);
      }
    }
  }

  /** The kernel deletes objects over a link without carrier and falls back to the next route; routes without an object it must be told to pass over. */
  private passOverDeadLinks(name: string): void {
    for (const family of ['ipv4', 'ipv6']) {
      const parameter = ['net', family, 'conf', name, 'ignore_routes_with_linkdown'];
      if (this.sysctl(1, ...parameter)) this.restored.push(parameter);
    }
  }

  private applyGlobalSysctls(): void {
    this.sysctl(1, 'net', 'ipv6', 'conf', 'all', 'forwarding');
    for (const scope of ['all', 'default']) this.sysctl(1, 'net', 'ipv6', 'conf', scope, 'seg6_enabled');
    if (!this.forwardsIpv4) return;
    this.sysctl(1, 'net', 'ipv4', 'conf', 'all', 'forwarding');
  }

  private get forwardsIpv4(): boolean {
    return this.options?.servicePrefixes.some((prefix) => Prefix.from(prefix).family === 4) ?? false;
  }

  private relaxReversePath(links: readonly Link[]): void {
    try {
      const filtered = links.filter((link) => this.isSteered(link) || link.name === this.tunName);
      relaxReversePath(filtered.map(({ name, addresses }) => ({ name, addresses, role: this.roleOf(name) })));
    } catch (error) {
      // An interface may have gone in between.
      this.note((error as Error).message);
    }
  }

  /** Whether the value was another. */
  private sysctl(value: number, ...parts: string[]): boolean {
    try {
      return writeSysctl(value, ...parts);
    } catch (error) {
      this.note((error as Error).message);
      return false;
    }
  }

  /** Says once, and in the capabilities from then on, what reconciliation would find again and again. */
  private note(message: string): void {
    if (this.notes.has(message)) return;
    this.notes.add(message);
    this.log(message);
  }

  private scheduleReconcile(): void {
    this.reconcileTimer = this.clock.setTimeout(() => {
      this.applyInterfaces(true);
      this.scheduleReconcile();
    }, RECONCILE_MS);
  }

  links(): readonly LinkState[] {
    return this.linkMonitor.links();
  }

  onLinks(listener: (links: readonly LinkState[]) => void): void {
    this.linkMonitor.onChange(listener);
  }

  /** Declares the addresses of ours on an interface: those of an earlier call that are not named any more go. */
  async interfaceCounters(): Promise<readonly InterfaceCounters[]> {
    const found = await this.client.dump({ type: RTM_GETSTATS, encode: encodeStatisticsRequest, describe: () => 'dump of interface counters' }, (message) =>
      message.type === RTM_NEWSTATS ? decodeStatistics(message.payload) : undefined,
    );
    return found.flatMap(({ index, receivedPackets, sentPackets, receivedOctets, sentOctets, receiveErrors, receiveDropped, sendErrors, sendDropped }) => {
      const name = this.linkMonitor.nameOf(index);
      if (name === undefined) return [];
      const speed = native.interfaceSpeed(name) * 1e6;
      const faults = { receiveFaults: receiveErrors + receiveDropped, sendFaults: sendErrors + sendDropped };
      return [{ name, receivedPackets, sentPackets, receivedOctets, sentOctets, ...faults, speed: speed > 0 ? speed : undefined }];
    });
  }

  async setAddresses(interfaceName: string, addresses: readonly string[]): Promise<void> {
    this.addresses.set(interfaceName, addresses);
    await this.applyAddresses();
  }

  private async applyAddresses(): Promise<void> {
    if (!this.options) return;
    const wanted = new Map(this.addresses);
    wanted.set('lo', [...new Set([`${this.options.sourceAddress}/128`, ...(wanted.get('lo') ?? [])])]);
    for (const [name, addresses] of wanted) await this.linkMonitor.setAddresses(name, addresses);
  }

  close(): Promise<void> {
    this.flowTable.close();
    this.closeNetlink();
    return Promise.resolve();
  }

  /** Also what an earlier run left; need not be open. Kernel parameters stay as they are, but for those that only protected routes need. */
  async remove(): Promise<void> {
    if (!this.started) await this.start();
    await this.routeTable.removeAll();
    for (const parameter of this.restored) this.sysctl(0, ...parameter);
    this.flowTable.remove(
      this.linkMonitor
        .links()
        .filter(({ loopback }) => !loopback)
        .map(({ index }) => index),
    );
    await this.linkMonitor.removeAddresses();
    if (this.found.seg6) await this.tunnelSource('::');
    this.closeNetlink();
  }

  private closeNetlink(): void {
    this.reconcileTimer?.cancel();
    this.routeTable.close();
    this.linkMonitor.close();
    this.client.close();
  }
}
