/**
 * The way to every exit: what STAMP measures and how the first SID resolves, as one PathState an exit. Losing or regaining an exit, and
 * changes of the route, are told at once; measured values only when they moved enough to matter for a choice.
 */
import type { Clock, Timer } from '../clock.js';
import type { EventLog } from '../events.js';
import type { PathState } from '../rib/candidate.js';
import type { RouteTable } from '../../dataplane/dataplane.js';
import type { PathStatistics } from './stamp/statistics.js';

/** The measuring side: `StampService` fits. Undefined where STAMP is off. */
export interface ExitMeter {
  setTargets(exits: Iterable<string>): void;
  state(exit: string): { readonly alive: boolean; readonly statistics: Pick<PathStatistics, 'rttUs' | 'jitterUs' | 'lossPpm'> } | undefined;
}

export interface PathMonitorOptions {
  /** Our own loopback: as an exit it needs no probes. */
  readonly ownExit: string;
  /** Metric of the best unicast route to an address, undefined without one. */
  cost(address: string): number | undefined;
  /** How often resolutions are looked at without a hint, ms. */
  readonly refreshMs?: number;
}

export type PathListener = (exit: string, state: PathState) => void;

interface Entry {
  readonly exit: string;
  /** Address whose route decides: the first SID towards the exit. */
  first: string;
  resolution: { readonly resolved: boolean; readonly mtu: number };
  told: PathState | undefined;
}

/** A round trip that moved by more than this share and this much is told. */
const RTT_SHARE = 0.1;
const RTT_LEAST_US = 200;
const LOSS_STEP_PPM = 5000;
const UNRESOLVED = { resolved: false, mtu: 0 };
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
    private readonly meter: ExitMeter | undefined,
    private readonly clock: Clock,
    private readonly events: EventLog,
  ) {}

  onChange(listener: PathListener): void {
    this.listeners.push(listener);
  }

  /** Watches exactly these exits: exit router ID -> first SID of the way to it (the instance's SID, or a transit SID before it). */
  setExits(exits: ReadonlyMap<string, string>): void {
    for (const exit of [...this.entries.keys()]) if (!exits.has(exit)) this.entries.delete(exit);
    let changed = false;
    for (const [exit, first] of exits) {
      const entry = this.entries.get(exit);
      if (entry?.first === first) continue;
      changed = true;
      if (entry) entry.first = first;
      else this.entries.set(exit, { exit, first, resolution: exit === this.options.ownExit ? { resolved: true, mtu: LOOPBACK_MTU } : UNRESOLVED, told: undefined });
    }
    this.meter?.setTargets([...this.entries.keys()].filter((exit) => exit !== this.options.ownExit));
    if (changed) this.refresh();
  }

  /** Undefined for an exit that is not watched, or whose route was not looked up yet. */
  get(exit: string): PathState | undefined {
    return this.entries.get(exit)?.told;
  }

  /** All watched exits with the newest values, for display. */
  *list(): Iterable<{ readonly exit: string; readonly state: PathState }> {
    for (const entry of this.entries.values()) yield { exit: entry.exit, state: this.present(entry) };
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
        if (entry.exit !== this.options.ownExit) {
          const first = entry.first;
          const found = await this.routes.lookup(first).catch((error: unknown) => {
            this.events.emit('awareness', 'path.lookup-failed', 'warning', `route lookup for ${first} failed: ${error instanceof Error ? error.message : String(error)}`, { exit: entry.exit });
            return undefined;
          });
          if (entry.first !== first) return;
          entry.resolution = found ? { resolved: !found.isDefault, mtu: found.mtu } : UNRESOLVED;
        }
        this.tell(entry);
      }),
    );
  }

  /** To be called when the meter has new values of an exit (`StampListener.onMeasured`). */
  measured(exit: string): void {
    const entry = this.entries.get(exit);
    if (entry?.told) this.tell(entry);
  }

  /** To be called when an exit stopped answering or answers again (`StampListener.onAlive`). */
  aliveChanged(exit: string, alive: boolean): void {
    this.events.emit('awareness', alive ? 'stamp.exit-back' : 'stamp.exit-lost', alive ? 'info' : 'warning', alive ? `exit ${exit} answers probes again` : `exit ${exit} no longer answers probes`, { exit });
    const entry = this.entries.get(exit);
    if (entry) this.tell(entry);
  }

  stop(): void {
    this.entries.clear();
    this.timer?.cancel();
    this.timer = undefined;
    this.meter?.setTargets([]);
  }

  private present(entry: Entry): PathState {
    const own = entry.exit === this.options.ownExit;
    const measured = own ? undefined : this.meter?.state(entry.exit);
    return {
      rttUs: own ? 0 : measured?.statistics.rttUs,
      jitterUs: measured?.statistics.jitterUs ?? 0,
      lossPpm: measured?.statistics.lossPpm ?? 0,
      alive: measured?.alive ?? true,
      cost: own ? 0 : (this.options.cost(entry.first) ?? 0),
      mtu: entry.resolution.mtu,
      resolved: entry.resolution.resolved,
    };
  }

  private tell(entry: Entry): void {
    if (this.entries.get(entry.exit) !== entry) return;
    const state = this.present(entry);
    if (entry.told && !matters(entry.told, state)) return;
    entry.told = state;
    for (const listener of this.listeners) listener(entry.exit, state);
  }
}

function matters(before: PathState, after: PathState): boolean {
  if (before.alive !== after.alive || before.resolved !== after.resolved || before.mtu !== after.mtu || before.cost !== after.cost) return true;
  if ((before.rttUs === undefined) !== (after.rttUs === undefined)) return true;
  if (Math.abs(before.lossPpm - after.lossPpm) >= LOSS_STEP_PPM || (before.lossPpm === 0) !== (after.lossPpm === 0)) return true;
  const [old, now] = [before.rttUs ?? 0, after.rttUs ?? 0];
  return Math.abs(now - old) > Math.max(RTT_LEAST_US, RTT_SHARE * old);
}
