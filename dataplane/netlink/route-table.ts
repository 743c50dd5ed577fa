/**
 * The kernel's routes of ours: declared by the daemon, written and acknowledged, compared with what the kernel has, and mended.
 *
 * Ownership: a route is ours when it bears our protocol number. A first write is exclusive (NLM_F_EXCL), so that it fails where
 * anybody holds the key (prefix, table, metric); only a key known to be ours is written with NLM_F_REPLACE, because the kernel
 * replaces by key and does not look at the protocol. A deletion names the protocol, which the kernel does compare.
 *
 * A route with backups points to a next hop object that is switched (next-hop-objects.ts), and has the backup behind it at the next metric: that one forwards
 * where the kernel deletes the first by itself. It is replaced or withdrawn only after what it is behind of is in the kernel.
 */
import type { Clock, Timer } from '../../daemon/clock.js';
import type { InstallStatus, KernelRoute, NextHop, RouteTable } from '../dataplane.js';
import { Adjacencies, isProtected } from '../adjacencies.js';
import { parseIp, type Family } from '../packet/ip.js';
import type { NetlinkClient, NetlinkRequest } from './client.js';
import {
  NLM_F_APPEND,
  NLM_F_CREATE,
  NLM_F_EXCL,
  NLM_F_REPLACE,
  RTM_DELNEXTHOP,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWNEXTHOP,
  RTM_NEWROUTE,
  RTNLGRP_IPV4_ROUTE,
  RTNLGRP_IPV6_ROUTE,
  RTNLGRP_NEXTHOP,
  RT_SCOPE_NOWHERE,
} from './constants.js';
import type { NetlinkError } from './error.js';
import {
  ROUTE_PROTOCOL,
  backupRoute,
  describeRoute,
  forwardingText,
  keyOfMessage,
  keyText,
  objectRoute,
  routeKey,
  targetOfBackup,
  translateRoute,
  withoutLoops,
  type RouteKey,
  type Translated,
} from './kernel-route.js';
import type { Link, LinkMonitor } from './links.js';
import { lookupRoute } from './lookup.js';
import type { NetlinkMessage } from './message.js';
import { NetlinkMonitor } from './monitor.js';
import { NextHopObjects, type NextHopObject } from './next-hop-objects.js';
import { protocolName } from './protocols.js';
import { decodeRoute, encodeRoute, encodeRouteDump, type RouteFilter, type RouteMessage } from './route.js';
import type { NetlinkTransport } from './socket.js';

export const ROUTE_GROUPS = [RTNLGRP_IPV4_ROUTE, RTNLGRP_IPV6_ROUTE, RTNLGRP_NEXTHOP];

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
  /** The object it is to point to, and the one it points to in the kernel. */
  object: NextHopObject | undefined;
  held: NextHopObject | undefined;
  /** The route behind it, at the next metric; and of that one, the route it is behind. */
  backup: Entry | undefined;
  primary: Entry | undefined;
}

const REMOVED = 'removed by somebody else';
const PENDING: InstallStatus = { installed: false, error: 'not yet answered by the kernel' };
const INSTALLED: InstallStatus = { installed: true };

export class KernelRouteTable implements RouteTable {
  private readonly entries = new Map<string, Entry>();
  /** Routes of our protocol found at start that nobody declared yet. */
  private readonly stale = new Map<string, RouteMessage>();
  private readonly waiting = new Set<Entry>();
  private readonly adjacencies = new Adjacencies();
  private readonly objects: NextHopObjects<Entry>;
  private conflicts: Entry[] = [];
  private investigating = false;
  private scarce: Entry[] = [];
  private readonly monitor: NetlinkMonitor;
  private readonly stopLinks: () => void;
  private interfaces = new Map<string, string>();
  private carriers = new Map<string, string>();
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
    this.objects = new NextHopObjects<Entry>(client, links, this.adjacencies, clock, {
      made: (entries, error) => this.onObjectMade([...entries], error),
      gone: (users, holders) => this.onObjectGone([...users], [...holders]),
      intact: (entries) => this.mendMissing([...entries]),
      answered: () => this.settle(),
    });
    this.monitor = new NetlinkMonitor(transport, { message: (message) => this.onMessage(message), overrun: () => this.resynchronise() });
    this.stopLinks = links.onChange((current) => this.onLinks(current));
  }

  /** Reads what an earlier run left and begins to write. Rejects with NetlinkError. */
  async start(): Promise<void> {
    await this.objects.start();
    let before: number;
    let attempts = 0;
    do {
      before = this.changes;
      this.stale.clear();
      for (const message of await this.dumpOurs()) this.stale.set(keyText(keyOfMessage(message)), message);
      // A notification read meanwhile may be newer than the dump.
    } while (this.changes !== before && ++attempts < START_ATTEMPTS);
    this.interfaces = interfaceStates(this.links.links());
    this.carriers = carrierStates(this.links.links());
    this.started = true;
    for (const entry of [...this.entries.values()]) {
      this.point(entry, this.adopt(entry));
      this.work(entry);
    }
  }

  /** Why the kernel has no next hop objects; undefined when it has, and before start(). */
  get lackOfObjects(): string | undefined {
    return this.objects.lack;
  }

  set(route: KernelRoute): void {
    const key = routeKey(route.prefix, route.table, route.metric);
    const entry = this.entryOf(key);
    if (entry.primary) entry.primary.backup = entry.primary = undefined;
    this.declare(entry, withoutLoops(route, key));
  }

  private entryOf(key: RouteKey): Entry {
    const text = keyText(key);
    const known = this.entries.get(text);
    if (known) return known;
    const state = { holder: 'nobody', written: '', status: PENDING, inFlight: false, dirty: false, attempts: 0, attemptedAt: -Infinity, retryAt: undefined } as const;
    const entry: Entry = { key, text, route: undefined, ...state, object: undefined, held: undefined, backup: undefined, primary: undefined };
    this.entries.set(text, entry);
    return entry;
  }

  private declare(entry: Entry, route: KernelRoute): void {
    entry.route = route;
    entry.attempts = 0;
    if (this.started) this.point(entry, entry.holder === 'nobody' ? this.adopt(entry) : undefined);
    this.work(entry);
  }

  remove(prefix: string, table?: number, metric?: number): void {
    const entry = this.entries.get(keyText(routeKey(prefix, table, metric)));
    if (entry && !entry.primary) this.withdraw(entry);
  }

  private withdraw(entry: Entry): void {
    const { backup } = entry;
    entry.route = undefined;
    entry.backup = undefined;
    if (this.started) this.point(entry);
    this.work(entry);
    if (backup) this.withdraw(backup);
  }

  status(prefix: string, table?: number, metric?: number): InstallStatus | undefined {
    const entry = this.entries.get(keyText(routeKey(prefix, table, metric)));
    return entry?.route && !entry.primary ? this.statusOf(entry) : undefined;
  }

  list(): { readonly route: KernelRoute; readonly status: InstallStatus }[] {
    const all: { readonly route: KernelRoute; readonly status: InstallStatus }[] = [];
    for (const entry of this.entries.values()) if (entry.route && !entry.primary) all.push({ route: entry.route, status: this.statusOf(entry) });
    return all;
  }

  private statusOf({ status, backup, route }: Entry): InstallStatus {
    if (!backup) return status;
    const active = isProtected(route!.target) && this.adjacencies.forwarding(route!.target, this.isDown).backup !== undefined;
    return { ...status, backup: { ...backup.status, active } };
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
    await this.objects.sweep();
    return swept.filter((deleted) => deleted).length;
  }

  failAdjacency(interfaceName: string, gateway?: string): number {
    if (!this.adjacencies.fail(interfaceName, gateway)) return 0;
    // Objects in one batch, whatever the number of routes; without objects each route is written.
    const switched = this.objects.refresh(true) + this.rework((entry) => !entry.object);
    // Backups that led over what failed give way to others where there are some: nothing depends on that yet.
    setImmediate(() => this.rework(hasChoice));
    return switched;
  }

  restoreAdjacency(interfaceName: string, gateway?: string): void {
    if (!this.adjacencies.restore(interfaceName, gateway)) return;
    this.objects.refresh();
    this.rework((entry) => !entry.object || entry.held !== entry.object || hasChoice(entry));
  }

  /** Looks at protected routes again; returns how many of them were to be written. */
  private rework(concerns: (entry: Entry) => boolean): number {
    const { busy } = this;
    const entries = [...this.entries.values()].filter((entry) => entry.route && isProtected(entry.route.target) && concerns(entry));
    for (const entry of entries) this.work(entry);
    return this.busy - busy;
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
    await this.objects.removeAll();
  }

  /** Stops watching; routes stay in the kernel. */
  close(): void {
    this.closed = true;
    this.timer?.cancel();
    this.resync?.cancel();
    this.stopLinks();
    this.objects.close();
    this.monitor.close();
  }

  /** Takes over what an earlier run left under this key; it is not written again where it forwards alike. Returns the object it points to. */
  private adopt(entry: Entry): number | undefined {
    const found = this.stale.get(entry.text);
    if (!found) return undefined;
    this.stale.delete(entry.text);
    entry.holder = 'us';
    entry.written = forwardingText(found);
    return found.nextHopId;
  }

  /** Chooses the object that a route is to point to; `found`: the one it points to in the kernel already. */
  private point(entry: Entry, found?: number): void {
    const { family } = entry.key.prefix;
    const target = entry.route?.target;
    let object: NextHopObject | undefined;
    if (target && this.objects.supported) {
      if (isProtected(target)) object = this.objects.ofTarget(target, family, found);
      else if (entry.primary && 'nextHops' in target) object = this.objects.ofHop({ nextHop: target.nextHops[0]!, segments: target.kind === 'seg6' ? target.segments : [] }, family, found);
    }
    const before = entry.object;
    if (object) this.objects.use(object, entry);
    entry.object = object;
    if (before && before !== object) this.objects.release(before, entry);
    if (object && object.id === found) this.noteHeld(entry, object);
  }

  private noteHeld(entry: Entry, object: NextHopObject | undefined): void {
    const before = entry.held;
    entry.held = object;
    if (object) this.objects.hold(object, entry);
    if (before && before !== object) this.objects.letGo(before, entry);
  }

  /** An object is in the kernel, or cannot be, that these routes wait for. */
  private onObjectMade(entries: readonly Entry[], error: NetlinkError | undefined): void {
    for (const entry of entries) {
      if (!error) this.work(entry);
      else if (entry.holder !== 'us' || entry.written !== objectText(entry)) {
        entry.status = { installed: false, error: error.message };
        this.retryLater(entry);
        this.followUp(entry);
      }
    }
  }

  private onObjectGone(users: readonly Entry[], holders: readonly Entry[]): void {
    for (const entry of holders) {
      entry.held = undefined;
      if (entry.holder === 'us') entry.holder = 'nobody';
    }
    for (const entry of new Set([...holders, ...users])) this.work(entry);
  }

  private mendMissing(entries: readonly Entry[]): void {
    for (const entry of entries) if (entry.holder === 'nobody' && entry.route && !entry.inFlight && entry.retryAt === undefined) this.mend(entry, REMOVED);
  }

  /** Lets the route behind one follow it, once that is in the kernel, parked or cannot be. */
  private followUp(entry: Entry): void {
    const { primary } = entry;
    // A parked route may go now that its backup forwards.
    if (primary && entry.status.installed && primary.holder === 'us' && this.isParked(primary)) this.work(primary);
    if (primary || !entry.route) return;
    const isUsable = (hop: NextHop): boolean => !this.adjacencies.hasFailed(hop) && !this.isDown(hop.interface);
    const route = backupRoute(entry.route, entry.key, isUsable);
    const before = entry.backup;
    if (!route) {
      entry.backup = undefined;
      if (before) this.withdraw(before);
      return;
    }
    if (before?.route && JSON.stringify(before.route.target) === JSON.stringify(route.target)) return;
    const backup = this.entryOf(routeKey(route.prefix, route.table, route.metric));
    // Somebody declared a route of that very metric.
    if (backup.route && !backup.primary) return;
    backup.primary = entry;
    entry.backup = backup;
    this.declare(backup, route);
  }

  private readonly isDown = (name: string): boolean => this.links.find(name)?.up !== true;

  /** A backup that cannot be installed leaves it to the route itself. */
  private parks({ backup }: Entry): boolean {
    return backup !== undefined && backup.holder !== 'other';
  }

  private isParked(entry: Entry): boolean {
    return entry.object !== undefined && this.objects.readiness(entry.object, this.parks(entry)) === 'parked';
  }

  /** All its next hops failed and the kernel deleted the object: the backup forwards. */
  private park(entry: Entry): void {
    entry.status = INSTALLED;
    if (entry.holder === 'us' && entry.backup?.status.installed) this.delete(entry);
    else this.settle();
    this.followUp(entry);
  }

  private translate(entry: Entry): Translated {
    const route = entry.route!;
    if (entry.object) return { message: objectRoute(route, entry.key, entry.object.id) };
    const { target } = route;
    // Without next hop objects the route itself is what is switched.
    const now = isProtected(target) ? this.adjacencies.forwarding(target) : undefined;
    const plain = now === undefined ? route : { ...route, target: now.backup ? targetOfBackup(now.backup) : ({ kind: 'unicast', nextHops: now.nextHops } as const) };
    return translateRoute(plain, entry.key, (name) => this.links.find(name));
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
    const readiness = entry.object ? this.objects.readiness(entry.object, this.parks(entry)) : 'ready';
    if (readiness === 'pending') {
      if (entry.status.installed) entry.status = PENDING;
      return;
    }
    if (readiness === 'parked') {
      this.park(entry);
      return;
    }
    const translated = typeof readiness === 'object' ? readiness : this.translate(entry);
    if (translated.reason !== undefined) {
      entry.status = { installed: false, error: translated.reason };
      // What was there before no longer is what should be; an interface that comes back brings it here again (onLinks).
      if (entry.holder === 'us') this.delete(entry);
      else this.settle();
      this.followUp(entry);
      return;
    }
    const text = forwardingText(translated.message);
    if (entry.holder === 'us' && entry.written === text) {
      entry.status = INSTALLED;
      this.settle();
      this.followUp(entry);
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
    const { object } = entry;
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
        this.noteHeld(entry, object);
        if (!entry.dirty) this.followUp(entry);
      } else if (error.errno === EEXIST && !replace) {
        entry.status = { installed: false, error: error.message };
        this.investigate(entry);
      } else {
        entry.status = { installed: false, error: error.message };
        if (SCARCE.has(error.errno) && entry.attempts < SCARCE_ATTEMPTS) {
          this.retrySoon(entry);
          return;
        }
        // Whoever deleted the object may not have been heard of.
        if (object) this.objects.suspect(object);
        // The route of before still forwards where nobody wants it to: it goes, then this one is tried again.
        if (entry.holder === 'us') this.delete(entry);
        else this.retryLater(entry);
        this.followUp(entry);
      }
    });
  }

  private delete(entry: Entry): void {
    this.submit(entry, deletion(entry.key), (error) => {
      if (!error || error.errno === ESRCH || error.errno === ENOENT) {
        entry.holder = 'nobody';
        this.noteHeld(entry, undefined);
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
    if (!entry.route) return false;
    const readiness = entry.object ? this.objects.readiness(entry.object, this.parks(entry)) : 'ready';
    return readiness === 'parked' || typeof readiness === 'object' || (readiness === 'ready' && this.translate(entry).reason !== undefined);
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
    if (netlink.port === this.client.port) return;
    if (netlink.type === RTM_NEWNEXTHOP || netlink.type === RTM_DELNEXTHOP) {
      this.objects.onMessage(netlink);
      return;
    }
    if (netlink.type !== RTM_NEWROUTE && netlink.type !== RTM_DELROUTE) return;
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
      if (entry.held) {
        // The kernel deletes an object with all its routes; whether it did is found out once for all of them.
        entry.holder = 'nobody';
        entry.status = { installed: false, error: REMOVED };
        this.objects.suspect(entry.held);
        this.noteHeld(entry, undefined);
        return;
      }
      // Of a multipath route only this next hop may be gone; the exclusive write that follows finds out.
      entry.holder = 'nobody';
      this.mend(entry, REMOVED);
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
    const changed = namesOfChanged(this.interfaces, (this.interfaces = interfaceStates(links)));
    const lost = namesOfChanged(this.carriers, (this.carriers = carrierStates(links)));
    if (lost.size > 0) {
      this.objects.lost(lost);
      this.objects.refresh();
    }
    for (const entry of [...this.entries.values()]) {
      if (!entry.route) continue;
      // A new address can make a gateway reachable, so that what failed before is worth another attempt.
      const failed = !entry.status.installed && entry.holder !== 'other';
      const concerned = entry.object || entry.backup ? lost.size > 0 && usesInterface(entry.route, lost) : changed.size > 0 && usesInterface(entry.route, changed);
      if (!failed && !concerned) continue;
      // The kernel forgets routes over an interface that goes down, and those of IPv4 without a word.
      if (entry.holder === 'us' && concerned && !entry.object) entry.written = '';
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
      await this.objects.compare();
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
    return this.busy === 0 && this.objects.busy === 0 && (this.started || this.entries.size === 0);
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

/** What of them matters to next hop objects: one over a link without carrier is deleted, and cannot be made. */
function carrierStates(links: readonly Link[]): Map<string, string> {
  return new Map(links.map((link) => [link.name, `${link.index} ${link.up} ${link.downs} ${link.losses}`]));
}

function namesOfChanged(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): Set<string> {
  return new Set([...before.keys(), ...after.keys()].filter((name) => before.get(name) !== after.get(name)));
}

const hasChoice = ({ route }: Entry): boolean => route !== undefined && isProtected(route.target) && route.target.backups.length > 1;

const objectText = ({ object }: Entry): string | undefined => object && `object ${object.id}`;

function usesInterface({ target }: KernelRoute, names: ReadonlySet<string>): boolean {
  if (target.kind === 'unreachable') return false;
  if (target.kind === 'seg6local') return names.has(target.interface) || ('interface' in target.behaviour && names.has(target.behaviour.interface));
  return target.nextHops.some((hop) => names.has(hop.interface)) || (isProtected(target) && target.backups.some(({ nextHop }) => names.has(nextHop.interface)));
}
