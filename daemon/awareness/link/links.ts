/** Link awareness (survey section 4.3): what a router knows of its own links, from STAMP to the neighbours and the counters of the interfaces. */
import type { InterfaceCounters, LinkState } from '../../../dataplane/dataplane.js';
import type { Clock, Timer } from '../../clock.js';
import type { Config } from '../../config/types.js';
import { LinkMeter, type LinkMeasurement } from './meter.js';
import { coreLinks, linkNeighbours, type DiscoveredNeighbour, type LinkNeighbour } from './neighbours.js';
import { LoadMeter, type LinkLoad } from './utilisation.js';

export interface LinkReport {
  readonly interface: string;
  readonly up: boolean;
  /** Undefined: nobody is known behind the interface. */
  readonly neighbour: string | undefined;
  readonly own: string | undefined;
  readonly measurement: LinkMeasurement | undefined;
  readonly load: LinkLoad | undefined;
}

export interface LinkSource {
  links(): readonly LinkState[];
  interfaceCounters(): Promise<readonly InterfaceCounters[]>;
}

/** How often counters are read, ms. */
const READ_MS = 1000;

export class LinkAwareness {
  private readonly meter: LinkMeter | undefined;
  private readonly loads = new Map<string, LoadMeter>();
  private neighbours: readonly LinkNeighbour[] = [];
  private discovered: readonly DiscoveredNeighbour[] = [];
  private timer: Timer | undefined;
  private stopped = false;

  constructor(
    private config: Config,
    private readonly source: LinkSource,
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
  ) {
    const { enabled, port, links, synchronised } = config.cpn.stamp;
    if (enabled && links.enabled) this.meter = new LinkMeter(port, { intervalMs: links.intervalMs, synchronised }, clock, onError);
  }

  start(): void {
    this.linksChanged();
    this.readCounters();
  }

  stop(): void {
    this.stopped = true;
    this.timer?.cancel();
    this.meter?.close();
  }

  /** Takes over neighbours and bandwidths; port and interval of the probes need a restart. */
  reconfigure(config: Config): void {
    this.config = config;
    this.linksChanged();
  }

  /** What a routing protocol says who is behind the links. */
  discover(neighbours: readonly DiscoveredNeighbour[]): void {
    this.discovered = neighbours;
    this.linksChanged();
  }

  /** Interfaces or their addresses changed. */
  linksChanged(): void {
    if (this.stopped) return;
    const links = this.source.links();
    this.neighbours = linkNeighbours(this.config, links, this.discovered);
    const core = coreLinks(this.config, links).filter(({ up }) => up);
    this.meter?.setLinks(
      core,
      this.neighbours.filter(({ interface: name }) => core.some((link) => link.name === name)),
    );
  }

  private readCounters(): void {
    void this.source
      .interfaceCounters()
      .then((all) => this.take(all), this.onError)
      .finally(() => {
        if (!this.stopped) this.timer = this.clock.setTimeout(() => this.readCounters(), READ_MS);
      });
  }

  private take(all: readonly InterfaceCounters[]): void {
    const now = this.clock.now();
    const present = new Set(all.map(({ name }) => name));
    for (const name of [...this.loads.keys()]) if (!present.has(name)) this.loads.delete(name);
    for (const counters of all) {
      const meter = this.loads.get(counters.name) ?? new LoadMeter();
      meter.read(counters, now);
      this.loads.set(counters.name, meter);
    }
  }

  /** All interfaces to other routers, once for each neighbour behind them. */
  report(): LinkReport[] {
    return coreLinks(this.config, this.source.links()).flatMap(({ name, up }): LinkReport[] => {
      const load = this.loads.get(name)?.load(this.config.interfaces[name]?.bandwidth);
      const behind = this.neighbours.filter((neighbour) => neighbour.interface === name);
      if (behind.length === 0) return [{ interface: name, up, neighbour: undefined, own: undefined, measurement: undefined, load }];
      return behind.map((neighbour) => ({ interface: name, up, neighbour: neighbour.neighbour, own: neighbour.own, measurement: this.meter?.state(neighbour), load }));
    });
  }
}
