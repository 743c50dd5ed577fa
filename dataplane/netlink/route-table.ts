/**
 * The kernel's routes of ours: declared by the daemon, written and acknowledged, compared with what the kernel has, and mended.
 *
 * Ownership: a route is ours when it bears our protocol number. A first write is exclusive (NLM_F_EXCL), so that it fails where
 * anybody holds the key (prefix, table, metric); only a key known to be ours is written with NLM_F_REPLACE, because the kernel
 * replaces by key and does not look at the protocol. A deletion names the protocol, which the kernel does compare.
 */
import type { Clock, Timer } from '../../daemon/clock.js';
import type { InstallStatus, KernelRoute, RouteTable } from '../dataplane.js';
import { Adjacencies } from '../adjacencies.js';
import { parseIp, type Family } from '../packet/ip.js';
import type { NetlinkClient, NetlinkRequest } from './client.js';
import {
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_ROUTE,
  RT_SCOPE_NOWHERE,
} from './constants.js';
import type { NetlinkError } from './error.js';
import { ROUTE_PROTOCOL, describeRoute, forwardingText, keyOfMessage, keyText, routeKey, translateRoute, type RouteKey } from './kernel-route.js';
import type { Link, LinkMonitor } from './links.js';
import { lookupRoute } from './lookup.js';
import type { NetlinkMessage } from './message.js';
import { NetlinkMonitor } from './monitor.js';
import { protocolName } from './protocols.js';
import { decodeRoute, encodeRoute, encodeRouteDump, type RouteFilter, type RouteMessage } from './route.js';
import type { NetlinkTransport } from './socket.js';

export const ROUTE_GROUPS = [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE];

const START_ATTEMPTS = 5;
const ENOENT = 2;
const ESRCH = 3;
const EEXIST = 17;

/** Pauses between attempts: 0.1 s, doubled each time, at most 30 s. */
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
/** A route untouched for so long has its pauses start anew. */
const QUIET_MS = 60_000;

/**
 * ENOMEM, ENOBUFS: Linux allocates a route's per-CPU parts from a pool that it refills in the background, so that a burst of some thousand
 * routes can find it empty for some ms.
 */
const SCARCE = new Set([12, 105]);
const SCARCE_ATTEMPTS = 6;
const SCARCE_PAUSE_MS = 20;

/** What the kernel has under a key, as far as is known. */
type Holder = 'nobody' | 'us' | 'other';

interface Entry {
  readonly key: RouteKey;
  readonly text: string;
  /** Undefined: to be deleted. */
  route: KernelRoute | undefined;
  holder: Holder;
  /** What was last acknowledged, in words of forwardingText. */
  written: string;
  status: InstallStatus;
  inFlight: boolean;
  /** Declared anew, or to be looked at again, while a request was under way. */
  dirty: boolean;
  /** Attempts since the last quiet time, and when the last was. */
  attempts: number;
  attemptedAt: number;
  /** When to try again; undefined: not waiting. */
  retryAt: number | undefined;
}

const PENDING: InstallStatus = { installed: false, error: 'not yet answered by the kernel' };
const INSTALLED: InstallStatus = { installed: true };

export class KernelRouteTable implements RouteTable {
  private readonly entries = new Map<string, Entry>();
  /** Routes of our protocol found at start that nobody declared yet. */
  private readonly stale = new Map<string, RouteMessage>();
  private readonly waiting = new Set<Entry>();
  private readonly adjacencies = new Adjacencies();
  private conflicts: Entry[] = [];
  private investigating = false;
  private scarce: Entry[] = [];
  private readonly monitor: NetlinkMonitor;
  private readonly stopLinks: () => void;
  private interfaces = new Map<string, string>();
  private settlers: (() => void)[] = [];
  /** Changes by others that were notified. */
  private changes = 0;
  private busy = 0;
  private started = false;
  private closed = false;
  private timer: Timer | undefined;
  private timerAt = Infinity;
  private resync: Timer | undefined;

  /** `transport` must be subscribed to ROUTE_GROUPS; `links` is started before this. */
  constructor(
    private readonly client: NetlinkClient,
    transport: NetlinkTransport,
    private readonly links: LinkMonitor,
    private readonly clock: Clock,
  ) {
    this.monitor = new NetlinkMonitor(transport, { message: (message) => this.onMessage(message), overrun: () => this.resynchronise() });
    this.stopLinks = links.onChange((current) => this.onLinks(current));
  }

  /** Reads what an earlier run left and begins to write. Rejects with NetlinkError. */
  async start(): Promise<void> {
    let before: number;
    let attempts = 0;
    do {
      before = this.changes;
      this.stale.clear();
      for (const message of await this.dumpOurs()) this.stale.set(keyText(keyOfMessage(message)), message);
      // A notification read meanwhile may be newer than the dump.
    } while (this.changes !== before && ++attempts < START_ATTEMPTS);
    this.interfaces = interfaceStates(this.links.links());
    this.started = true;
    for (const entry of this.entries.values()) {
      this.adopt(entry);
      this.work(entry);
    }
  }

  set(route: KernelRoute): void {
    const key = routeKey(route.prefix, route.table, route.metric);
    const text = keyText(key);
    let entry = this.entries.get(text);
    if (!entry) {
      entry = { key, text, route, holder: 'nobody', written: '', status: PENDING, inFlight: false, dirty: false, attempts: 0, attemptedAt: -Infinity, retryAt: undefined };
      this.entries.set(text, entry);
      if (this.started) this.adopt(entry);
    }
    entry.route = route;
    entry.attempts = 0;
    this.work(entry);
  }

  remove(prefix: string, table?: number, metric?: number): void {
    const text = keyText(routeKey(prefix, table, metric));
    const entry = this.entries.get(text);
    if (!entry) return;
    entry.route = undefined;
    this.work(entry);
  }

  status(prefix: string, table?: number, metric?: number): InstallStatus | undefined {
    const entry = this.entries.get(keyText(routeKey(prefix, table, metric)));
    return entry?.route && entry.status;
  }

  list(): { readonly route: KernelRoute; readonly status: InstallStatus }[] {
    const all: { readonly route: KernelRoute; readonly status: InstallStatus }[] = [];
    for (const { route, status } of this.entries.values()) if (route) all.push({ route, status });
    return all;
  }

  settled(): Promise<void> {
    if (this.isSettled()) return Promise.resolve();
    return new Promise((resolve) => this.settlers.push(resolve));
  }

  staleCount(): number {
    return this.stale.size;
  }

  async sweepStale(): Promise<number> {
    const swept = await Promise.all([...this.stale.values()].map((message) => this.deleteMessage(message)));
    this.stale.clear();
    return swept.filter((deleted) => deleted).length;
  }

  failAdjacency(interfaceName: string, gateway?: string): number {
    this.adjacencies.fail(interfaceName, gateway);
    return 0;
  }

  restoreAdjacency(interfaceName: string, gateway?: string): void {
    this.adjacencies.restore(interfaceName, gateway);
  }

  lookup(address: string): ReturnType<RouteTable['lookup']> {
    const octets = parseIp(address);
    if (!octets) throw new TypeError(`not an IP address: ${address}`);
    return lookupRoute(this.client, this.links, octets);
  }

  /** Deletes every route of our protocol number, declared or found, and forgets them. Rejects with NetlinkError. */
  async removeAll(): Promise<void> {
    await this.settled();
    for (const entry of this.waiting) entry.retryAt = undefined;
    this.waiting.clear();
    this.entries.clear();
    this.stale.clear();
    await Promise.all((await this.dumpOurs()).map((message) => this.deleteMessage(message)));
  }

  /** Stops watching; routes stay in the kernel. */
  close(): void {
    this.closed = true;
    this.timer?.cancel();
    this.resync?.cancel();
    this.stopLinks();
    this.monitor.close();
  }

  /** Takes over what an earlier run left under this key; it is not written again where it forwards alike. */
  private adopt(entry: Entry): void {
    const found = this.stale.get(entry.text);
    if (!found) return;
    this.stale.delete(entry.text);
    entry.holder = 'us';
    entry.written = forwardingText(found);
  }

  /** Brings the kernel one step nearer to what is declared under a key. */
  private work(entry: Entry): void {
    if (!this.started || this.closed) return;
    if (entry.inFlight) {
      entry.dirty = true;
      return;
    }
    entry.dirty = false;
    this.stopWaiting(entry);
    if (!entry.route) {
      if (entry.holder === 'us') this.delete(entry);
      else this.forget(entry);
      return;
    }
    const translated = translateRoute(entry.route, entry.key, (name) => this.links.find(name));
    if (translated.reason !== undefined) {
      entry.status = { installed: false, error: translated.reason };
      // What was there before no longer is what should be; an interface that comes back brings it here again (onLinks).
      if (entry.holder === 'us') this.delete(entry);
      else this.settle();
      return;
    }
    const text = forwardingText(translated.message);
    if (entry.holder === 'us' && entry.written === text) {
      entry.status = INSTALLED;
      this.settle();
      return;
    }
    this.write(entry, translated.message, text);
  }

  private submit(entry: Entry, request: NetlinkRequest, answered: (error?: NetlinkError) => void): void {
    entry.inFlight = true;
    this.busy++;
    this.client.submit(request, (error) => {
      entry.inFlight = false;
      this.busy--;
      answered(error);
      if (entry.dirty) this.work(entry);
      this.settle();
    });
  }

  private write(entry: Entry, message: RouteMessage, text: string): void {
    const route = entry.route!;
    const replace = entry.holder === 'us';
    if (entry.status.installed) entry.status = PENDING;
    const request: NetlinkRequest = {
      type: RTM_NEWROUTE,
      flags: NLM_F_CREATE | (replace ? NLM_F_REPLACE : NLM_F_EXCL),
      encode: (writer) => encodeRoute(writer, message),
      describe: () => describeRoute(route),
    };
    this.submit(entry, request, (error) => {
      if (!error) {
        entry.holder = 'us';
        entry.written = text;
        entry.status = INSTALLED;
      } else if (error.errno === EEXIST && !replace) {
        entry.status = { installed: false, error: error.message };
        this.investigate(entry);
      } else {
        entry.status = { installed: false, error: error.message };
        if (SCARCE.has(error.errno) && entry.attempts < SCARCE_ATTEMPTS) {
          this.retrySoon(entry);
          return;
        }
        // The route of before still forwards where nobody wants it to: it goes, then this one is tried again.
        if (entry.holder === 'us') this.delete(entry);
        else this.retryLater(entry);
      }
    });
  }

  private delete(entry: Entry): void {
    this.submit(entry, deletion(entry.key), (error) => {
      if (!error || error.errno === ESRCH || error.errno === ENOENT) {
        entry.holder = 'nobody';
        if (!entry.route && !entry.dirty) this.forget(entry);
        else if (entry.route && !this.isBlocked(entry)) this.retryLater(entry);
      } else {
        if (!entry.route) entry.status = { installed: true, error: error.message };
        this.retryLater(entry);
      }
    });
  }

  /** Whether nothing but a change of interfaces can help. */
  private isBlocked(entry: Entry): boolean {
    return entry.route !== undefined && translateRoute(entry.route, entry.key, (name) => this.links.find(name)).reason !== undefined;
  }

  private forget(entry: Entry): void {
    if (this.entries.get(entry.text) === entry) this.entries.delete(entry.text);
    this.settle();
  }

  private retryLater(entry: Entry): void {
    if (this.closed) return;
    const now = this.clock.now();
    if (now - entry.attemptedAt > QUIET_MS) entry.attempts = 0;
    entry.attemptedAt = now;
    // A notification tells when another's route goes; trying is for the case that it was lost.
    const pause = entry.holder === 'other' ? LONGEST_PAUSE_MS : FIRST_PAUSE_MS * 2 ** Math.min(entry.attempts++, 20);
    entry.retryAt = now + Math.min(LONGEST_PAUSE_MS, pause);
    this.waiting.add(entry);
    this.arm(entry.retryAt);
  }

  /** A shortage that passes by itself: the table does not count as settled before these were tried some more. */
  private retrySoon(entry: Entry): void {
    this.scarce.push(entry);
    this.busy++;
    const pause = SCARCE_PAUSE_MS * 2 ** entry.attempts++;
    if (this.scarce.length > 1) return;
    this.clock.setTimeout(() => {
      const entries = this.scarce;
      this.scarce = [];
      this.busy -= entries.length;
      for (const waiting of entries) this.work(waiting);
      this.settle();
    }, pause);
  }

  private stopWaiting(entry: Entry): void {
    entry.retryAt = undefined;
    this.waiting.delete(entry);
  }

  private arm(at: number): void {
    if (at >= this.timerAt) return;
    this.timer?.cancel();
    this.timerAt = at;
    this.timer = this.clock.setTimeout(() => this.onTimer(), Math.max(0, at - this.clock.now()));
  }

  private onTimer(): void {
    this.timerAt = Infinity;
    const now = this.clock.now();
    let next = Infinity;
    for (const entry of [...this.waiting]) {
      if (entry.retryAt! <= now) this.work(entry);
      else next = Math.min(next, entry.retryAt!);
    }
    if (next < Infinity) this.arm(next);
  }

  /** Finds out who holds the keys that an exclusive write met: one dump a table for all that met something until then. */
  private investigate(entry: Entry): void {
    this.conflicts.push(entry);
    this.busy++;
    if (this.investigating) return;
    this.investigating = true;
    setImmediate(() => void this.investigateAll());
  }

  private async investigateAll(): Promise<void> {
    while (this.conflicts.length > 0 && !this.closed) {
      const entries = this.conflicts;
      this.conflicts = [];
      await this.findHolders(entries);
      this.busy -= entries.length;
    }
    this.investigating = false;
    this.settle();
  }

  private async findHolders(entries: readonly Entry[]): Promise<void> {
    const tables = new Map<string, RouteFilter>();
    for (const { key } of entries) tables.set(`${key.prefix.family} ${key.table}`, { family: key.prefix.family, table: key.table });
    const holders = new Map<string, RouteMessage>();
    try {
      for (const filter of tables.values()) for (const message of await this.dump(filter)) holders.set(keyText(keyOfMessage(message)), message);
    } catch (error) {
      for (const entry of entries) {
        entry.status = { installed: false, error: (error as Error).message };
        this.retryLater(entry);
      }
      return;
    }
    for (const entry of entries) {
      const message = holders.get(entry.text);
      if (message) this.hold(entry, message);
      if (entry.holder === 'us') this.work(entry);
      else if (entry.route) this.retryLater(entry);
    }
  }

  /** Notes that the kernel has this route under an entry's key. */
  private hold(entry: Entry, message: RouteMessage): void {
    if (message.protocol === ROUTE_PROTOCOL) {
      entry.holder = 'us';
      entry.written = forwardingText(message);
    } else {
      entry.holder = 'other';
      entry.status = { installed: false, error: `a route of protocol ${protocolName(message.protocol)} with the same prefix, table and metric is in the way` };
    }
  }

  private onMessage(netlink: NetlinkMessage): void {
    // What this client's own requests did is known from their acknowledgements.
    if (netlink.port === this.client.port || (netlink.type !== RTM_NEWROUTE && netlink.type !== RTM_DELROUTE)) return;
    this.changes++;
    const { value: message } = decodeRoute(netlink.payload);
    if (!message) return;
    const text = keyText(keyOfMessage(message));
    const entry = this.entries.get(text);
    if (!entry) {
      if (netlink.type === RTM_DELROUTE && message.protocol === ROUTE_PROTOCOL) this.stale.delete(text);
    } else if (netlink.type === RTM_DELROUTE) this.onDeleted(entry, message);
    else this.onChanged(entry, message, netlink.flags);
  }

  private onDeleted(entry: Entry, message: RouteMessage): void {
    if (message.protocol === ROUTE_PROTOCOL) {
      if (entry.holder !== 'us' || !entry.route) return;
      // Of a multipath route only this next hop may be gone; the exclusive write that follows finds out.
      entry.holder = 'nobody';
      this.mend(entry, 'removed by somebody else');
    } else if (entry.holder === 'other') {
      entry.holder = 'nobody';
      this.work(entry);
    }
  }

  private onChanged(entry: Entry, message: RouteMessage, flags: number): void {
    if (message.protocol !== ROUTE_PROTOCOL) {
      // Appended beside ours, unless ours is not there.
      if ((flags & NLM_F_APPEND) !== 0 && entry.holder === 'us') return;
      this.hold(entry, message);
      return;
    }
    if (entry.holder !== 'us' || entry.written === forwardingText(message)) return;
    entry.written = forwardingText(message);
    this.mend(entry, 'changed by somebody else');
  }

  /** Tries again soon: at once the first time, later and later when somebody keeps at it. */
  private mend(entry: Entry, reason: string): void {
    entry.status = { installed: false, error: reason };
    const now = this.clock.now();
    if (now - entry.attemptedAt <= QUIET_MS) {
      this.retryLater(entry);
      return;
    }
    entry.attemptedAt = now;
    entry.attempts = 1;
    this.work(entry);
  }

  private onLinks(links: readonly Link[]): void {
    if (!this.started) return;
    const before = this.interfaces;
    this.interfaces = interfaceStates(links);
    const changed = new Set<string>();
    for (const name of [...before.keys(), ...this.interfaces.keys()]) if (before.get(name) !== this.interfaces.get(name)) changed.add(name);
    for (const entry of [...this.entries.values()]) {
      if (!entry.route) continue;
      // A new address can make a gateway reachable, so that what failed before is worth another attempt.
      const failed = !entry.status.installed && entry.holder !== 'other';
      if (!failed && !(changed.size > 0 && usesInterface(entry.route, changed))) continue;
      // The kernel forgets routes over an interface that goes down, and those of IPv4 without a word.
      if (entry.holder === 'us' && changed.size > 0 && usesInterface(entry.route, changed)) entry.written = '';
      this.work(entry);
    }
  }

  /** Notifications were lost: reads all routes of ours and mends what differs. */
  private resynchronise(): void {
    if (this.resync || this.closed) return;
    this.resync = this.clock.setTimeout(() => {
      void this.compare().finally(() => {
        this.resync = undefined;
      });
    }, FIRST_PAUSE_MS);
  }

  private async compare(): Promise<void> {
    const kernel = new Map<string, RouteMessage>();
    try {
      for (const message of await this.dumpOurs()) kernel.set(keyText(keyOfMessage(message)), message);
    } catch {
      this.resync = undefined;
      this.resynchronise();
      return;
    }
    for (const text of [...this.stale.keys()]) if (!kernel.has(text)) this.stale.delete(text);
    for (const entry of [...this.entries.values()]) {
      // An answer under way tells more than a dump that may be older.
      if (entry.inFlight || !entry.route) continue;
      const message = kernel.get(entry.text);
      if (message) this.hold(entry, message);
      else if (entry.holder === 'us') entry.holder = 'nobody';
      this.work(entry);
    }
  }

  private async dumpOurs(): Promise<RouteMessage[]> {
    const ours: RouteMessage[] = [];
    for (const family of [4, 6] as readonly Family[]) {
      // The kernel filters by protocol where it can; older ones send everything.
      for (const message of await this.dump({ family, protocol: ROUTE_PROTOCOL })) if (message.protocol === ROUTE_PROTOCOL) ours.push(message);
    }
    return ours;
  }

  private async dump(filter: RouteFilter): Promise<RouteMessage[]> {
    try {
      return await this.client.dump(
        { type: RTM_GETROUTE, encode: (writer) => encodeRouteDump(writer, filter), describe: () => `dump of IPv${filter.family} routes` },
        (message) => (message.type === RTM_NEWROUTE ? decodeRoute(message.payload) : undefined),
      );
    } catch (error) {
      // A table that has never had a route.
      if ((error as NetlinkError).errno === ENOENT) return [];
      throw error;
    }
  }

  /** Deletes a route that was read from the kernel; false when it was gone already. */
  private async deleteMessage(message: RouteMessage): Promise<boolean> {
    try {
      await this.client.request(deletion(keyOfMessage(message)));
      return true;
    } catch (error) {
      if ((error as NetlinkError).errno === ESRCH) return false;
      throw error;
    }
  }

  private isSettled(): boolean {
    return this.busy === 0 && (this.started || this.entries.size === 0);
  }

  private settle(): void {
    if (this.settlers.length === 0 || !this.isSettled()) return;
    const settlers = this.settlers;
    this.settlers = [];
    for (const resolve of settlers) resolve();
  }
}

/** Deletes our route under a key with all its next hops; another protocol's is not touched. */
function deletion(key: RouteKey): NetlinkRequest {
  return {
    type: RTM_DELROUTE,
    // Type 0 and scope "nowhere" match any.
    encode: (writer) =>
      encodeRoute(writer, { destination: key.prefix, table: key.table, metric: key.metric, protocol: ROUTE_PROTOCOL, scope: RT_SCOPE_NOWHERE, type: 0, flags: 0, nextHops: [] }),
    describe: () => `removal of route ${keyText(key)}`,
  };
}

/** What of the interfaces matters to routes, by name. */
function interfaceStates(links: readonly Link[]): Map<string, string> {
  return new Map(links.map((link) => [link.name, `${link.index} ${link.enabled} ${link.downs}`]));
}

function usesInterface({ target }: KernelRoute, names: ReadonlySet<string>): boolean {
  if (target.kind === 'unreachable') return false;
  if (target.kind === 'seg6local') return names.has(target.interface) || ('interface' in target.behaviour && names.has(target.behaviour.interface));
  return target.nextHops.some((hop) => names.has(hop.interface));
}
