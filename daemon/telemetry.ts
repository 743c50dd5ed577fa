/** Telemetry as a part of the router: BMP sessions, MRT files, the metrics endpoint, and what the API asks of them. */
import { isDeepStrictEqual } from 'node:util';
import { BgpTelemetry } from './bgp/telemetry/telemetry.js';
import { feedUpdates } from './bgp/telemetry/update-feed.js';
import type { MetricsConfig, TelemetryConfig } from './config/types.js';
import { MetricsServer, routerRegistry } from './metrics/server.js';
import type { BgpMetricsSource } from './metrics/bgp.js';
import type { CpnMetricsSource } from './metrics/cpn.js';
import { FacadeError } from './northbound/facade.js';
import type { BgpUpdateView, CollectorsView, TelemetryFacade, UpdateFilter } from './northbound/telemetry.js';
import type { OspfFacade } from './northbound/ospf.js';
import type { RouterParts } from './router-parts.js';
import { VERSION } from './version.js';

/** A number that a counter takes: prom-client refuses bigint. */
type Counts = Readonly<Record<string, bigint>>;

export class Telemetry implements TelemetryFacade {
  private readonly bgp: BgpTelemetry | undefined;
  private metrics: { readonly config: MetricsConfig; readonly server: MetricsServer } | undefined;
  private readonly eventCounts = new Map<string, number>();
  private readonly stopCounting: () => void;

  constructor(
    private readonly parts: RouterParts,
    /** Counters of `show status`. */
    private readonly counters: () => Counts,
    private readonly ospf: OspfFacade | undefined,
  ) {
    const { bgp, events, config } = parts;
    const { name } = config().router;
    const report = (severity: 'info' | 'warning', text: string): void => events.emit('bgp', 'bgp.telemetry', severity, text);
    this.bgp = bgp && new BgpTelemetry(bgp.telemetry, { sysName: name, sysDescr: `cpnd ${VERSION}` }, report);
    this.stopCounting = events.subscribe(({ topic, severity }) => {
      const key = `${topic} ${severity}`;
      this.eventCounts.set(key, (this.eventCounts.get(key) ?? 0) + 1);
    });
  }

  /** Takes a configuration over; what did not change is not touched. */
  configure({ bmp, mrt, metrics }: TelemetryConfig): void {
    this.bgp?.configure({ bmp, mrt });
    if (isDeepStrictEqual(metrics, this.metrics?.config)) return;
    this.metrics?.server.stop();
    this.metrics = undefined;
    if (!metrics) return;
    const registry = routerRegistry({ cpn: this.cpnSource(), bgp: this.bgpSource(), bfd: this.parts.bfd, ospf: this.ospf }, metrics.perNeighbor);
    const server = new MetricsServer(metrics, registry, (text) => this.parts.events.emit('config', 'metrics.failed', 'warning', text));
    server.start();
    this.metrics = { config: metrics, server };
  }

  async stop(): Promise<void> {
    this.stopCounting();
    this.metrics?.server.stop();
    await this.bgp?.stop();
  }

  onUpdate(filter: UpdateFilter, listener: (update: BgpUpdateView) => void): () => void {
    if (!this.parts.bgp) throw new FacadeError('notConfigured', 'BGP is not configured');
    return feedUpdates(this.parts.bgp.telemetry, filter, listener);
  }

  async dumpTable(path: string): Promise<{ prefixes: number; paths: number; octets: bigint }> {
    if (!this.bgp) throw new FacadeError('notConfigured', 'BGP is not configured');
    try {
      const { prefixes, paths, octets } = await this.bgp.dump(path);
      return { prefixes, paths, octets: BigInt(octets) };
    } catch (error) {
      throw new FacadeError('unavailable', `${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  collectors(): CollectorsView {
    const { bmp, mrt } = this.bgp?.view() ?? { bmp: [], mrt: undefined };
    return {
      bmp: bmp.map(({ messages, octets, ...rest }) => ({ ...rest, messages: BigInt(messages), octets: BigInt(octets) })),
      mrt: mrt && { written: BigInt(mrt.written), dropped: BigInt(mrt.dropped) },
      metrics: this.metrics?.server.listening,
    };
  }

  private bgpSource(): BgpMetricsSource | undefined {
    const { bgp, config } = this.parts;
    if (!bgp) return undefined;
    const source = bgp.telemetry;
    return { neighbors: () => bgp.neighbors(), routes: (address) => source.statistics(address), localAs: () => config().bgp?.as ?? 0, prefixes: () => source.locRibSize };
  }

  private cpnSource(): CpnMetricsSource {
    const { config, clock, startedAt, computingRib, steering, borders, unicast, instances, paths } = this.parts;
    const steerings = [steering, borders.outward, borders.inward];
    const candidates = (): number => {
      let count = 0;
      for (const service of computingRib.services()) count += computingRib.candidates(service).length;
      return count;
    };
    return {
      info: () => ({ name: config().router.name, version: VERSION, loopback: config().router.loopback }),
      uptimeMs: () => clock.now() - startedAt,
      services: () => computingRib.size,
      candidates,
      advertisements: () => computingRib.advertisementCount,
      policies: () => steerings.reduce((sum, { policies }) => sum + policies.size * 16, 0),
      pinnedFlows: () => steerings.reduce((sum, { pins }) => sum + pins.size, 0),
      routes: () => unicast.rib.size,
      counters: this.counters,
      instances: () => instances.list().map(({ local, announced }) => ({ service: local.config.service, instance: local.config.id, up: local.healthy, announced })),
      announcements: () => instances.announceCounters,
      ways: () => paths.list(),
      bmp: () => this.bgp?.view().bmp ?? [],
      mrt: () => this.bgp?.view().mrt,
      registration: () => this.parts.registration?.registry.totals(),
      events: () => [...this.eventCounts].map(([key, count]) => [...(key.split(' ') as [string, string]), count] as const),
    };
  }
}
