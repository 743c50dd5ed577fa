/**
 * The ways to every exit: what STAMP measures along each and how its first SID resolves, as one PathState a way. Losing or regaining a way, and
 * changes of the route, are told at once; measured values only when they moved enough to matter for a choice.
 */
import type { Clock, Timer } from '../clock.js';
import type { EventLog } from '../events.js';
import type { PathState } from '../rib/candidate.js';
import type { RouteTable } from '../../dataplane/dataplane.js';
import type { Outage } from './stamp/session.js';
import type { PathStatistics } from './stamp/statistics.js';
import { wayName, type Way } from './stamp/way.js';

/** The measuring side: `StampService` fits. Undefined where STAMP is off. */
export interface WayMeter {
  setTargets(ways: Iterable<Way>): void;
  /** By `wayName`. */
  state(way: string): { readonly alive: boolean; readonly statistics: Pick<PathStatistics, 'rttUs' | 'jitterUs' | 'lossPpm'> } | undefined;
}

export interface PathMonitorOptions {
  /** Our own loopback: as an exit it needs no probes. */
  readonly ownExit: string;
  /** Metric of the best unicast route to an address, undefined without one. */
  cost(address: string): number | undefined;
  /** How often resolutions are looked at without a hint, ms. */
  readonly refreshMs?: number;
}

/** A way with the address whose route decides: the first SID on it. */
export interface WatchedWay extends Way {
  readonly first: string;
}

/** What followed from a change, for the event that tells of it. */
export interface PathConsequence {
  /** Policies that lead another way to the same exit now, and those that lead to another exit, with the flows pinned to them. */
  readonly replannedPolicies: number;
  readonly movedPolicies: number;
  readonly movedFlows: number;
}

export interface WayReport {
  readonly way: Way;
  readonly state: PathState;
  readonly interface: string | undefined;
  readonly gateway: string | undefined;
}

export type PathListener = (way: Way, state: PathState) => PathConsequence | undefined;

interface Resolution {
  readonly resolved: boolean;
  readonly mtu: number;
  /** Where the packets leave; a directly connected destination has no gateway. */
  readonly interface?: string | undefined;
  readonly gateway?: string | undefined;
}

interface Entry {
  readonly name: string;
  way: WatchedWay;
  resolution: Resolution;
  told: PathState | undefined;
}

/** A round trip that moved by more than this share and this much is told. */
const RTT_SHARE = 0.1;
const RTT_LEAST_US = 200;
const LOSS_STEP_PPM = 5000;
const UNRESOLVED: Resolution = { resolved: false, mtu: 0 };
const LOOPBACK_MTU = 65_536;

export class PathMonitor {
  private readonly entries = new Map<string, Entry>();
  private readonly listeners: PathListener[] = [];
  private timer: Timer | undefined;
  private refreshing = false;
  private again = false;

  constructor(
    private readonly options: PathMonitorOptions,
    private readonly routes: Pick<RouteTable, 'lookup'>,
    private readonly meter: WayMeter | undefined,
    private readonly clock: Clock,
    private readonly events: EventLog,
  ) {}

  onChange(listener: PathListener): void {
    this.listeners.push(listener);
  }

  /** Watches exactly these ways from now on. */
  setWays(ways: Iterable<WatchedWay>): void {
    const wanted = new Map<string, WatchedWay>();
    for (const way of ways) wanted.set(wayName(way.exit, way.transit), way);
    for (const name of [...this.entries.keys()]) if (!wanted.has(name)) this.entries.delete(name);
    let changed = false;
    for (const [name, way] of wanted) {
      const entry = this.entries.get(name);
      if (entry?.way.first !== way.first) changed = true;
      if (entry) entry.way = way;
      else this.entries.set(name, { name, way, resolution: this.isOwn(way) ? { resolved: true, mtu: LOOPBACK_MTU } : UNRESOLVED, told: undefined });
    }
    this.meter?.setTargets([...wanted.values()].filter((way) => !this.isOwn(way)));
    if (changed) this.refresh();
  }

  private isOwn({ exit }: Way): boolean {
    return exit === this.options.ownExit;
  }

  /** Undefined for a way that is not watched, or whose route was not looked up yet. */
  get(exit: string, transit: readonly string[] = []): PathState | undefined {
    return this.entries.get(wayName(exit, transit))?.told;
  }

  /** The best of the ways to an exit: alive, with a route, then the shortest round trip. */
  ofExit(exit: string): PathState | undefined {
    const rank = ({ alive, resolved, rttUs }: PathState): number => (alive && resolved ? (rttUs ?? Number.MAX_VALUE) : Infinity);
    let best: PathState | undefined;
    for (const { way, told } of this.entries.values()) if (way.exit === exit && told && (!best || rank(told) < rank(best))) best = told;
    return best;
  }

  /** All watched ways with the newest values and the next hop, for display. */
  *list(): Iterable<WayReport> {
    for (const entry of this.entries.values()) {
      const { interface: name, gateway } = entry.resolution;
      yield { way: entry.way, state: this.present(entry), interface: name, gateway };
    }
  }

  /** Routes changed: looks all resolutions up again. Calls in between are gathered. */
  refresh(): void {
    this.timer?.cancel();
    this.timer = undefined;
    if (this.refreshing) {
      this.again = true;
      return;
    }
    this.refreshing = true;
    void this.resolveAll().finally(() => {
      this.refreshing = false;
      if (this.again) {
        this.again = false;
        this.refresh();
      } else if (this.entries.size > 0) {
        this.timer = this.clock.setTimeout(() => this.refresh(), this.options.refreshMs ?? 1000);
      }
    });
  }

  private async resolveAll(): Promise<void> {
    await Promise.all(
      [...this.entries.values()].map(async (entry) => {
        if (!this.isOwn(entry.way)) {
          const { exit, first } = entry.way;
          const found = await this.routes.lookup(first).catch((error: unknown) => {
            this.events.emit('awareness', 'path.lookup-failed', 'warning', `route lookup for ${first} failed: ${error instanceof Error ? error.message : String(error)}`, { exit });
            return undefined;
          });
          if (entry.way.first !== first) return;
          entry.resolution = found ? { resolved: !found.isDefault, mtu: found.mtu, interface: found.interface, gateway: found.gateway } : UNRESOLVED;
        }
        this.tell(entry);
      }),
    );
  }

  /** To be called when the meter has new values of a way (`StampListener.onMeasured`). */
  measured(way: string): void {
    const entry = this.entries.get(way);
    if (entry?.told) this.tell(entry);
  }

  /** To be called when a way stopped answering or answers again (`StampListener.onAlive`). Writes the one event about it, with what followed. */
  aliveChanged(way: string, alive: boolean, outage: Outage): void {
    const entry = this.entries.get(way);
    if (!entry) return;
    const after = this.tell(entry);
    const { exit, transit } = entry.way;
    const { first, last, sinceUnixMs, elapsedMs } = outage;
    const since = new Date(sinceUnixMs).toISOString();
    const what = alive
      ? `exit ${way} answers probes again, after ${Math.round(elapsedMs)} ms`
      : `exit ${way} no longer answers probes: ${first} to ${last} are missing since ${since} (${Math.round(elapsedMs)} ms)`;
    const { replannedPolicies, movedPolicies, movedFlows } = after;
    const followed = [
      ...(replannedPolicies > 0 ? [`${replannedPolicies} policies lead another way to the same exit`] : []),
      ...(movedPolicies > 0 ? [`${movedPolicies} policies with ${movedFlows} flows moved to other exits`] : []),
    ];
    const fields = { exit, via: transit.join(' '), firstMissing: first, lastMissing: last, since, elapsedMs: Math.round(elapsedMs), replannedPolicies, movedPolicies, movedFlows };
    const text = `${what}; ${followed.length > 0 ? followed.join(', ') : 'no policy was touched'}`;
    this.events.emit('awareness', alive ? 'stamp.exit-back' : 'stamp.exit-lost', alive ? 'info' : 'warning', text, fields);
  }

  stop(): void {
    this.entries.clear();
    this.timer?.cancel();
    this.timer = undefined;
    this.meter?.setTargets([]);
  }

  private present(entry: Entry): PathState {
    const own = this.isOwn(entry.way);
    const measured = own ? undefined : this.meter?.state(entry.name);
    return {
      rttUs: own ? 0 : measured?.statistics.rttUs,
      jitterUs: measured?.statistics.jitterUs ?? 0,
      lossPpm: measured?.statistics.lossPpm ?? 0,
      alive: measured?.alive ?? true,
      cost: own ? 0 : (this.options.cost(entry.way.first) ?? 0),
      mtu: entry.resolution.mtu,
      resolved: entry.resolution.resolved,
    };
  }

  private tell(entry: Entry): PathConsequence {
    const sum = { replannedPolicies: 0, movedPolicies: 0, movedFlows: 0 };
    if (this.entries.get(entry.name) !== entry) return sum;
    const state = this.present(entry);
    if (entry.told && !matters(entry.told, state)) return sum;
    entry.told = state;
    for (const listener of this.listeners) {
      const followed = listener(entry.way, state);
      sum.replannedPolicies += followed?.replannedPolicies ?? 0;
      sum.movedPolicies += followed?.movedPolicies ?? 0;
      sum.movedFlows += followed?.movedFlows ?? 0;
    }
    return sum;
  }
}

function matters(before: PathState, after: PathState): boolean {
  if (before.alive !== after.alive || before.resolved !== after.resolved || before.mtu !== after.mtu || before.cost !== after.cost) return true;
  if ((before.rttUs === undefined) !== (after.rttUs === undefined)) return true;
  if (Math.abs(before.lossPpm - after.lossPpm) >= LOSS_STEP_PPM || (before.lossPpm === 0) !== (after.lossPpm === 0)) return true;
  const [old, now] = [before.rttUs ?? 0, after.rttUs ?? 0];
  return Math.abs(now - old) > Math.max(RTT_LEAST_US, RTT_SHARE * old);
}
