/**
 * Which ways have to be watched: for every exit with a candidate those that the configuration lists for its service, else those that a
 * routing protocol found, else the plain one.
 */
import type { ServiceConfig, TransitPath } from '../config/types.js';
import type { Candidate } from '../rib/candidate.js';
import type { WatchedWay } from './path-monitor.js';
import { wayName } from './stamp/way.js';

const PLAIN: readonly TransitPath[] = [{ segments: [], back: [] }];

export class ExitWays {
  /** By service, or `default`. */
  private via: ReadonlyMap<string, ServiceConfig['via']> = new Map();
  /** Ways with a candidate, by name; each as its services want it, by service. */
  private readonly ways = new Map<string, Map<string, WatchedWay>>();
  private readonly namesOfService = new Map<string, readonly string[]>();

  constructor(
    private readonly candidates: (service: string) => readonly Candidate[],
    /** Told all ways when there are others than before. */
    private readonly watch: (ways: Iterable<WatchedWay>) => void,
    /** Ways that a routing protocol found, for exits that the configuration lists none for. */
    private readonly discovered: (exit: string) => readonly TransitPath[] | undefined = () => undefined,
  ) {}

  /** Takes over the services of a configuration. */
  configure(services: readonly ServiceConfig[]): void {
    this.via = new Map(services.map(({ id, via }) => [id, via]));
    this.refresh();
  }

  /** Other ways were discovered. */
  refresh(): void {
    this.track([...this.namesOfService.keys()]);
  }

  /** The candidates of these services changed. */
  track(services: Iterable<string>): void {
    let changed = false;
    for (const service of services) if (this.trackService(service)) changed = true;
    // Services that share a way share its probes; where they differ in the way back or the first SID, the oldest decides.
    if (changed) this.watch([...this.ways.values()].map((wanted) => wanted.values().next().value!));
  }

  private trackService(service: string): boolean {
    const wanted = this.waysOf(service);
    let changed = false;
    for (const name of this.namesOfService.get(service) ?? []) {
      if (wanted.has(name)) continue;
      const watched = this.ways.get(name)!;
      watched.delete(service);
      if (watched.size === 0) this.ways.delete(name);
      changed = true;
    }
    for (const [name, way] of wanted) {
      const watched = this.ways.get(name) ?? new Map<string, WatchedWay>();
      const before = watched.get(service);
      if (before?.first === way.first && before.back.join() === way.back.join()) continue;
      this.ways.set(name, watched.set(service, way));
      changed = true;
    }
    if (wanted.size > 0) this.namesOfService.set(service, [...wanted.keys()]);
    else this.namesOfService.delete(service);
    return changed;
  }

  private waysOf(service: string): Map<string, WatchedWay> {
    const via = this.via.get(service) ?? this.via.get('default') ?? {};
    const ways = new Map<string, WatchedWay>();
    for (const { exit, instance } of this.candidates(service)) {
      for (const { segments, back } of via[exit] ?? this.discovered(exit) ?? PLAIN) {
        const first = segments[0] ?? instance.sid?.sid;
        const name = wayName(exit, segments);
        if (first !== undefined && !ways.has(name)) ways.set(name, { exit, transit: segments, back, first });
      }
    }
    return ways;
  }
}
