/** The metrics endpoint: `GET /metrics` in the Prometheus text format, nothing else. */
import { createServer, type Server } from 'node:http';
import { collectDefaultMetrics, Registry } from 'prom-client';
import { BFD_METRICS, BFD_SESSION_METRICS, type BfdMetricsSource } from './bfd.js';
import { BGP_NEIGHBOR_METRICS, BGP_SUMMARY_METRICS, type BgpMetricsSource } from './bgp.js';
import { CPN_METRICS, type CpnMetricsSource } from './cpn.js';
import { register } from './definition.js';
import { OSPF_METRICS, OSPF_NEIGHBOR_METRICS, type OspfMetricsSource } from './ospf.js';

export interface MetricsOptions {
  readonly address: string;
  readonly port: number;
  readonly perNeighbor: boolean;
}

/** A scraper that sends or reads nothing is let go after so long, ms. */
const REQUEST_TIMEOUT_MS = 10_000;
const RETRY_MS = 2000;

export interface MetricsSources {
  readonly cpn: CpnMetricsSource;
  readonly bgp?: BgpMetricsSource | undefined;
  readonly bfd?: BfdMetricsSource | undefined;
  readonly ospf?: OspfMetricsSource | undefined;
}

/** All metrics over these sources. */
export function routerRegistry({ cpn, bgp, bfd, ospf }: MetricsSources, perNeighbor: boolean): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  register(registry, CPN_METRICS, cpn);
  if (bfd) register(registry, BFD_METRICS, bfd);
  if (bfd && perNeighbor) register(registry, BFD_SESSION_METRICS, bfd);
  if (bgp) register(registry, BGP_SUMMARY_METRICS, bgp);
  if (bgp && perNeighbor) register(registry, BGP_NEIGHBOR_METRICS, bgp);
  if (ospf) register(registry, OSPF_METRICS, ospf);
  if (ospf && perNeighbor) register(registry, OSPF_NEIGHBOR_METRICS, ospf);
  return registry;
}

export class MetricsServer {
  private readonly server: Server;
  private retry: NodeJS.Timeout | undefined;

  constructor(
    readonly options: MetricsOptions,
    private readonly registry: Registry,
    private readonly failed: (text: string) => void,
  ) {
    this.server = createServer({ requestTimeout: REQUEST_TIMEOUT_MS, headersTimeout: REQUEST_TIMEOUT_MS }, (request, response) => {
      const path = (request.url ?? '').split('?')[0];
      if (path !== '/metrics' || (request.method !== 'GET' && request.method !== 'HEAD')) {
        response.writeHead(path === '/metrics' ? 405 : 404, { 'content-type': 'text/plain' }).end(path === '/metrics' ? 'GET only\n' : 'metrics are at /metrics\n');
        return;
      }
      registry.metrics().then(
        (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
        (error: unknown) => {
          failed(`metrics: ${String(error)}`);
          response.writeHead(500).end();
        },
      );
    });
    this.server.maxConnections = 64;
  }

  /** Listens; an address that is not there yet is tried again. */
  start(): void {
    const { address, port } = this.options;
    this.server.on('error', (error) => {
      this.retry = setTimeout(() => this.server.listen(port, address), RETRY_MS);
      this.failed(`metrics on [${address}]:${port}: ${error.message}`);
    });
    this.server.listen(port, address);
  }

  /** Where it listens; undefined while it does not. The port is the real one. */
  get listening(): string | undefined {
    const address = this.server.address();
    return address && typeof address === 'object' ? `[${address.address}]:${address.port}` : undefined;
  }

  stop(): void {
    clearTimeout(this.retry);
    this.server.close();
    this.server.closeAllConnections();
    this.registry.clear();
  }
}
