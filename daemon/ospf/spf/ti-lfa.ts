/**
 * Topology-independent loop-free alternates with SRv6: the path after convergence is taken before it, held by the fewest SIDs; the last one
 * decapsulates, at a router from which the tables of today lead to the destination past the failure.
 *
 * Failures are tried from the worst to the least: the neighbour with its LAN, the LAN or link, this router's interface alone. The kernel routes an encapsulated
 * packet by its first SID: the first SID must be of a router whose own locator survives the failure, by other next hops or by a plain
 * alternate; routes to locators therefore take any plain alternate before one with segments.
 */
import { Failure, type Path } from './failure.js';
import type { PrefixEntry } from './prefixes.js';
import type { ProtectedLink, ProtectionContext } from './protection.js';
import { repairSearch } from './repair-search.js';
import type { Protectable, Source } from './routes.js';
import { fewestSegments } from './segments.js';
import { routerKey } from './topology.js';
import type { SpfBackup } from './types.js';

interface Scenario {
  readonly failure: Failure;
  readonly nodeProtecting: boolean;
}

const BATCH = 16;

export class TiLfa {
  private readonly scenarios: Scenario[] = [];

  constructor(
    private readonly context: ProtectionContext,
    private readonly link: ProtectedLink,
  ) {}

  /** Backups of routes that all leave by the link. */
  *backups(routes: readonly Protectable[]): Generator<undefined, Map<PrefixEntry, SpfBackup>> {
    yield* this.prepare();
    const found = new Map<PrefixEntry, SpfBackup>();
    const left: Protectable[] = [];
    const plainOnly: Protectable[] = [];
    for (const [index, route] of routes.entries()) {
      const backup = this.backup(route);
      if (backup) found.set(route.entry, backup);
      if (!backup) left.push(route);
      else if (backup.segments.length > 0 && this.isLocator(route)) plainOnly.push(route);
      if (index % BATCH === BATCH - 1) yield;
    }
    if (left.length + plainOnly.length === 0) return found;
    const direct = (vertex: number): SpfBackup['nextHop'] | undefined => this.directHop(vertex, this.scenarios.at(-1)!);
    for (const [route, backup] of yield* repairSearch(this.context, this.link, left, plainOnly, direct)) found.set(route.entry, backup);
    return found;
  }

  private *prepare(): Generator<undefined, void> {
    const { context, link } = this;
    const root = yield* context.throughVertex(context.root);
    const neighbor = link.neighbor === undefined ? undefined : yield* context.throughVertex(link.neighbor);
    const network = link.network === undefined ? undefined : yield* context.throughVertex(link.network);
    const add = (nodeProtecting: boolean, removed: readonly (number | undefined)[], avoided: readonly (typeof neighbor)[]): void => {
      const present = <T>(item: T | undefined): item is T => item !== undefined;
      const failure = new Failure(context.graph, context.distance, link.interfaceId, new Set(removed.filter(present)), [root, ...avoided.filter(present)]);
      this.scenarios.push({ failure, nodeProtecting });
    };
    if (neighbor) add(true, [link.neighbor, link.network], [neighbor, network]);
    yield;
    if (network) add(false, [link.network], [network]);
    yield;
    add(false, [], []);
    yield;
  }

  private backup(route: Protectable): SpfBackup | undefined {
    let withSegments: SpfBackup | undefined;
    for (const scenario of this.scenarios) {
      const backup = this.repair(scenario, route.sources);
      if (backup && (backup.segments.length === 0 || !this.isLocator(route))) return backup;
      withSegments ??= backup;
    }
    return withSegments;
  }

  private isLocator({ entry }: Protectable): boolean {
    return this.context.sids.isLocator(entry.text);
  }

  private repair(scenario: Scenario, sources: readonly Source[]): SpfBackup | undefined {
    const { context, link } = this;
    const { failure, nodeProtecting } = scenario;
    const nearest = failure.nearest(sources);
    if (!nearest) return undefined;
    const path = failure.pathTo(nearest.vertex);
    const { routers } = path;
    // The destination is on another link of this router.
    if (routers.length < 2) return undefined;
    const routerId = (at: number): number => context.topology.routerOf(routers[at]!);
    const segments = fewestSegments(
      {
        length: routers.length - 1,
        reach: (position) => {
          let at = position;
          while (at + 1 < routers.length && failure.safe(routers[position]!, routers[at + 1]!)) at++;
          return at;
        },
        end: (at) => context.sids.end(routerId(at)),
        endX: (at) => context.sids.endX(routerId(at), path.interfaces[at]!, routerId(at + 1)),
        first: (at) => this.directHop(routers[at]!, scenario, path) !== undefined,
        finish: (position, reach) => {
          const first = position === 1;
          if (first && failure.safeTo(routers[1]!, sources, nearest.total)) return { sids: [], at: reach };
          for (let at = position; at <= reach; at++) {
            if (!failure.safeTo(routers[at]!, sources, nearest.total) || (first && !this.directHop(routers[at]!, scenario, path))) continue;
            const sid = context.sids.decapsulating(routerId(at));
            if (sid !== undefined) return { sids: [sid], at };
          }
          return undefined;
        },
      },
      1,
      context.options.maxRepairSegments,
    );
    if (!segments) return undefined;
    const owner = segments.length === 0 ? undefined : routers.find((_, at) => context.sids.owns(routerId(at), segments[0]!));
    const nextHop = owner === undefined ? this.firstHop(path) : this.directHop(owner, scenario, path);
    return nextHop && { protects: [link.interface], nextHop, segments, nodeProtecting };
  }

  /**
   * Where this router sends what is addressed to a SID of another, after the failure: to a next hop that is left, or to the plain alternate of its locator,
   * which leaves by `path` if that is given. Undefined: neither is sure to avoid what failed.
   */
  private directHop(vertex: number, { failure, nodeProtecting }: Scenario, path?: Path): SpfBackup['nextHop'] | undefined {
    const { context, link } = this;
    const hops = context.hopsOf(vertex);
    const left = hops.find(({ interfaceId }) => interfaceId !== link.interfaceId);
    // Did it lead past the neighbour or LAN, so would the next hops to what is protected, and these would not all be on the link.
    if (left) return left.gateway === undefined ? undefined : { interface: left.interface, gateway: left.gateway };
    // The locator's own alternate avoids the neighbour of its own route, which must be the same one.
    if (nodeProtecting && (hops.length !== 1 || context.topology.find(routerKey(hops[0]!.neighbor!)) !== link.neighbor)) return undefined;
    const own = path ?? (failure.distance[vertex]! < Infinity ? failure.pathTo(vertex) : undefined);
    if (!own || own.routers.length < 2 || !failure.safe(own.routers[1]!, vertex)) return undefined;
    return this.firstHop(own);
  }

  private firstHop({ routers, interfaces, remotes }: Path): SpfBackup['nextHop'] | undefined {
    return this.context.nextHop({ interfaceId: interfaces[0]!, neighbor: this.context.topology.routerOf(routers[1]!), neighborInterfaceId: remotes[0]! });
  }
}
