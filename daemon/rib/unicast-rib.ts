/**
 * The unicast RIB: routes by prefix from several sources, the best of them resolved to next hops on links, and what the kernel is to hold.
 *
 * A route is usable when its next hops resolve. A next hop resolves through the longest usable prefix that contains it; never through
 * the route that asks (a loop), nor through the default route unless that is allowed. Whether a route is usable depends on nothing but
 * the set of routes, not on the order they came in: what leans on a loop is unusable, and does not fall back to a shorter prefix.
 */
import type { NextHop, RouteBackup, RouteTarget } from '../../dataplane/dataplane.js';
import { Prefix, parseIp } from '../../dataplane/packet/ip.js';
import { PrefixTrie } from './trie.js';

/** `ebgp` and `ibgp` are one source, BGP, with its two distances. */
export type RouteSource = 'connected' | 'static' | 'ebgp' | 'ospf' | 'ibgp';

/** Administrative distances; a static route may state its own. */
export const DISTANCE: Readonly<Record<RouteSource, number>> = { connected: 0, static: 1, ebgp: 20, ospf: 110, ibgp: 200 };

export interface RibNextHop {
  /** Address to resolve; with an interface it is on that link. */
  readonly gateway?: string | undefined;
  readonly interface?: string | undefined;
  /** 1..256. */
  readonly weight?: number | undefined;
}

export interface UnicastRoute {
  readonly prefix: string;
  readonly source: RouteSource;
  /** Tells routes of one source to one prefix apart (static routes with different distances); empty by default. */
  readonly tag?: string;
  /** Empty: unreachable. */
  readonly nextHops: readonly RibNextHop[];
  /** H.Encaps towards these SIDs, in travel order; the next hop is the gateway that is the first of them. Nothing resolves through such a route. */
  readonly segments?: readonly string[] | undefined;
  /**
   * Ways around next hops that fail. What resolves through this route has them too. Present, though empty: the next hops are switched by failAdjacency() of the
   * dataplane. While a link is down and a backup is not, the route stays in use: whoever declared it will say what follows.
   */
  readonly backups?: readonly RouteBackup[] | undefined;
  readonly distance?: number;
  readonly metric?: number;
}

export interface RouteChange {
  readonly prefix: string;
  /** Undefined: the kernel route goes. */
  readonly target: RouteTarget | undefined;
}

export interface Resolution {
  /** The prefix that matched. */
  readonly prefix: string;
  readonly source: RouteSource;
  readonly nextHops: readonly NextHop[];
  /** Metric of the route that matched plus those it was resolved through. */
  readonly cost: number;
  readonly viaDefault: boolean;
}

export interface UnicastRibOptions {
  /** Routes inside these never reach the kernel, and nothing resolves through them (proto/WIRE.md section 5). */
  readonly servicePrefixes: readonly string[];
  /** Next hops may resolve through the default route. */
  readonly resolveViaDefault?: boolean;
}

interface Entry {
  readonly prefix: Prefix;
  readonly text: string;
  readonly inService: boolean;
  /** By distance, metric, source and tag: the first usable one is used. */
  routes: UnicastRoute[];
  /** Next hops that have to be resolved through other entries. */
  readonly gateways: Set<Gateway>;
  best: Usable | undefined;
  /** What the kernel was told, as text; undefined: nothing. */
  emitted: string | undefined;
}

interface Usable extends GatewayResolution {
  readonly route: UnicastRoute;
}

/** A resolved next hop; `tainted`: the result leans on a loop and holds only for the one who asked. */
interface Attempt<T> {
  readonly result: T | undefined;
  readonly tainted: boolean;
}

interface Gateway {
  readonly bytes: Uint8Array;
  readonly dependents: Set<Entry>;
  resolved: string;
}

const MAX_DEPTH = 8;
const MAX_ECMP = 64;
const LINK_LOCAL = Prefix.from('fe80::/10');

export class UnicastRib {
  private readonly trie = new PrefixTrie<Entry>();
  private readonly dirty = new Set<Entry>();
  private readonly gateways = new Map<string, Gateway>();
  private readonly downInterfaces = new Set<string>();
  private readonly servicePrefixes: readonly Prefix[];
  private readonly resolveViaDefault: boolean;
  private gatewaysStale = false;
  /** Results of one pass, valid until a route changes. */
  private readonly gatewayMemo = new Map<string, Attempt<GatewayResolution>>();
  private readonly entryMemo = new Map<Entry, Attempt<Usable>>();

  constructor(options: UnicastRibOptions) {
    this.servicePrefixes = options.servicePrefixes.map((text) => Prefix.from(text));
    this.resolveViaDefault = options.resolveViaDefault ?? false;
  }

  /** Number of prefixes with a usable route. */
  get size(): number {
    let usable = 0;
    for (const [, entry] of this.trie.entries()) if (entry.best) usable++;
    return usable;
  }

  /** Adds or replaces the route with this prefix, source and tag. Throws TypeError when the prefix is not one. */
  set(route: UnicastRoute): void {
    const prefix = Prefix.from(route.prefix);
    let entry = this.trie.get(prefix);
    if (!entry) {
      const inService = this.isService(prefix);
      entry = { prefix, text: prefix.toString(), inService, routes: [], gateways: new Set(), best: undefined, emitted: undefined };
      this.trie.set(prefix, entry);
    }
    entry.routes = [...entry.routes.filter((other) => !sameRoute(other, route)), route].sort(byPreference);
    this.touch(entry);
  }

  /** Removes a route; false when there was none. */
  remove(prefix: string, source: RouteSource, tag = ''): boolean {
    const entry = this.entryOf(prefix);
    const routes = entry?.routes.filter((other) => other.source !== source || (other.tag ?? '') !== tag);
    if (!entry || !routes || routes.length === entry.routes.length) return false;
    entry.routes = routes;
    this.touch(entry);
    return true;
  }

  /** Links that are down: routes over them are not usable. Links never named are up. */
  setLink(name: string, up: boolean): void {
    if (up === !this.downInterfaces.has(name)) return;
    if (up) this.downInterfaces.delete(name);
    else this.downInterfaces.add(name);
    this.forget();
    const uses = ({ nextHops, backups }: UnicastRoute): boolean => nextHops.some((hop) => hop.interface === name) || (backups?.some(({ nextHop }) => nextHop.interface === name) ?? false);
    for (const [, entry] of this.trie.entries()) if (entry.routes.some(uses)) this.dirty.add(entry);
  }

  /** Works out what changed since the last call: routes the kernel is to hold, or to lose. Connected routes are the kernel's own. */
  flush(): RouteChange[] {
    if (this.gatewaysStale) {
      this.gatewaysStale = false;
      for (const [text, gateway] of this.gateways) {
        if (gateway.dependents.size === 0) {
          this.gateways.delete(text);
          continue;
        }
        const attempt = this.resolveGateway(text, gateway.bytes, []);
        const now = JSON.stringify(attempt);
        // On a loop the answer depends on who asks: all who lean on it look again.
        if (now === gateway.resolved && !attempt.tainted) continue;
        gateway.resolved = now;
        for (const entry of gateway.dependents) this.dirty.add(entry);
      }
    }
    const changes: RouteChange[] = [];
    for (const entry of this.dirty) {
      entry.best = this.usable(entry, []).result;
      if (entry.routes.length === 0) {
        this.trie.delete(entry.prefix);
        this.entryMemo.delete(entry);
      }
      const target = entry.inService ? undefined : kernelTarget(entry.best);
      const emitted = target && JSON.stringify(target);
      if (emitted === entry.emitted) continue;
      entry.emitted = emitted;
      changes.push({ prefix: entry.text, target });
    }
    this.dirty.clear();
    return changes;
  }

  /** How an address is reached, as of the last flush(); undefined: not at all. */
  resolve(address: string): Resolution | undefined {
    const bytes = parseIp(address);
    if (!bytes || this.isService(bytes)) return undefined;
    for (const entry of this.trie.matches(bytes)) {
      if (!entry.best) continue;
      if (entry.best.nextHops.length === 0) return undefined; // unreachable
      const { route, nextHops, cost } = entry.best;
      return { prefix: entry.text, source: route.source, nextHops, cost, viaDefault: entry.prefix.length === 0 };
    }
    return undefined;
  }

  /** Whether a prefix has a usable route (a network statement of BGP announces it then). */
  has(prefix: string): boolean {
    return this.entryOf(prefix)?.best !== undefined;
  }

  /** All routes, by prefix; `best`: the one in use; `nextHops` and `backups` resolved when it is. */
  *routes(): Generator<{ readonly route: UnicastRoute; readonly best: boolean; readonly nextHops: readonly NextHop[] | undefined; readonly backups: readonly RouteBackup[] | undefined }> {
    for (const [, entry] of this.trie.entries()) {
      for (const route of entry.routes) {
        const best = entry.best?.route === route;
        yield { route, best, nextHops: best ? entry.best?.nextHops : undefined, backups: best ? entry.best?.backups : undefined };
      }
    }
  }

  private isService(item: Prefix | Uint8Array): boolean {
    return this.servicePrefixes.some((service) => service.contains(item));
  }

  private entryOf(prefix: string): Entry | undefined {
    const parsed = Prefix.parse(prefix);
    return parsed && this.trie.get(parsed);
  }

  private touch(entry: Entry): void {
    this.dirty.add(entry);
    this.forget();
    for (const { dependents } of entry.gateways) dependents.delete(entry);
    entry.gateways.clear();
    for (const { nextHops } of entry.routes) {
      for (const hop of nextHops) {
        if (hop.gateway === undefined || hop.interface !== undefined) continue;
        let gateway = this.gateways.get(hop.gateway);
        if (!gateway) {
          const bytes = parseIp(hop.gateway);
          if (!bytes) continue;
          gateway = { bytes, dependents: new Set(), resolved: '' };
          this.gateways.set(hop.gateway, gateway);
        }
        gateway.dependents.add(entry);
        entry.gateways.add(gateway);
      }
    }
  }

  private forget(): void {
    this.gatewaysStale = true;
    if (this.entryMemo.size > 0) this.entryMemo.clear();
    if (this.gatewayMemo.size > 0) this.gatewayMemo.clear();
  }

  /** The route of an entry to use. `path`: the entries being resolved, which must not be needed again. */
  private usable(entry: Entry, path: readonly Entry[]): Attempt<Usable> {
    const known = this.entryMemo.get(entry);
    if (known) return known;
    if (path.length >= MAX_DEPTH || path.includes(entry)) return { result: undefined, tainted: true };
    const inner = [...path, entry];
    let tainted = false;
    let result: Usable | undefined;
    for (const route of entry.routes) {
      const attempt = this.resolveRoute(route, inner);
      tainted ||= attempt.tainted;
      if (!attempt.result) continue;
      result = attempt.result;
      break;
    }
    const attempt = { result, tainted };
    if (!tainted) this.entryMemo.set(entry, attempt);
    return attempt;
  }

  private resolveRoute(route: UnicastRoute, path: readonly Entry[]): Attempt<Usable> {
    if (route.nextHops.length === 0) return { result: { route, nextHops: [], backups: undefined, cost: route.metric ?? 0 }, tainted: false };
    const merged = new Map<string, { hop: NextHop; weight: number }>();
    const backups = new Map<string, RouteBackup>();
    const ownBackups = route.backups?.filter(({ nextHop }) => !this.downInterfaces.has(nextHop.interface));
    let isProtected = ownBackups !== undefined;
    let tainted = false;
    let cost = 0;
    const add = (hop: RibNextHop, attempt: Attempt<GatewayResolution>): void => {
      tainted ||= attempt.tainted;
      if (!attempt.result) return;
      cost = Math.max(cost, attempt.result.cost);
      isProtected ||= attempt.result.backups !== undefined;
      for (const backup of attempt.result.backups ?? []) backups.set(JSON.stringify(backup), backup);
      const total = attempt.result.nextHops.reduce((sum, { weight }) => sum + (weight ?? 1), 0);
      for (const next of attempt.result.nextHops) {
        const key = `${next.gateway ?? ''} ${next.interface}`;
        const weight = ((hop.weight ?? 1) * (next.weight ?? 1)) / total;
        const found = merged.get(key);
        if (found) found.weight += weight;
        else if (merged.size < MAX_ECMP) merged.set(key, { hop: next, weight });
      }
    };
    for (const hop of route.nextHops) add(hop, this.resolveHop(hop, path));
    // The kernel forwards by the backup meanwhile.
    if (merged.size === 0 && ownBackups) for (const hop of route.nextHops) if (survives(ownBackups, hop)) add(hop, onLink(hop.interface, hop));
    if (merged.size === 0) return { result: undefined, tainted };
    for (const backup of ownBackups ?? []) backups.set(JSON.stringify(backup), backup);
    const nextHops = wholeWeights([...merged.values()]);
    return { result: { route, nextHops, backups: isProtected ? [...backups.values()] : undefined, cost: (route.metric ?? 0) + cost }, tainted };
  }

  private resolveHop(hop: RibNextHop, path: readonly Entry[]): Attempt<GatewayResolution> {
    if (hop.interface !== undefined) return this.downInterfaces.has(hop.interface) ? { result: undefined, tainted: false } : onLink(hop.interface, hop);
    const bytes = hop.gateway === undefined ? undefined : parseIp(hop.gateway);
    // A link-local address says nothing without its link (RFC 4007 section 6).
    if (!bytes || LINK_LOCAL.contains(bytes)) return { result: undefined, tainted: false };
    return this.resolveGateway(hop.gateway!, bytes, path);
  }

  private resolveGateway(text: string, bytes: Uint8Array, path: readonly Entry[]): Attempt<GatewayResolution> {
    const known = this.gatewayMemo.get(text);
    if (known) return known;
    const attempt = this.matchGateway(text, bytes, path);
    if (!attempt.tainted) this.gatewayMemo.set(text, attempt);
    return attempt;
  }

  private matchGateway(text: string, bytes: Uint8Array, path: readonly Entry[]): Attempt<GatewayResolution> {
    if (this.isService(bytes)) return { result: undefined, tainted: false };
    for (const entry of this.trie.matches(bytes)) {
      if (entry.prefix.length === 0 && !this.resolveViaDefault) return { result: undefined, tainted: false };
      const attempt = this.usable(entry, path);
      if (!attempt.result) {
        if (attempt.tainted) return { result: undefined, tainted: true };
        continue;
      }
      const { nextHops, backups, cost, route } = attempt.result;
      // The packet would have to be encapsulated once more: no route of the kernel does that.
      if (route.segments) return { result: undefined, tainted: attempt.tainted };
      if (nextHops.length === 0) return { result: undefined, tainted: attempt.tainted }; // unreachable
      const through = nextHops.map((hop) => (hop.gateway === undefined ? { ...hop, gateway: text } : hop));
      return { result: { nextHops: through, backups, cost }, tainted: attempt.tainted };
    }
    return { result: undefined, tainted: false };
  }
}

interface GatewayResolution {
  readonly nextHops: readonly NextHop[];
  readonly backups: readonly RouteBackup[] | undefined;
  readonly cost: number;
}

function onLink(interfaceName: string | undefined, { gateway }: RibNextHop): Attempt<GatewayResolution> {
  if (interfaceName === undefined) return { result: undefined, tainted: false };
  const next = gateway === undefined ? { interface: interfaceName } : { interface: interfaceName, gateway };
  return { result: { nextHops: [next], backups: undefined, cost: 0 }, tainted: false };
}

const survives = (backups: readonly RouteBackup[], hop: RibNextHop): boolean => backups.some(({ protects }) => hop.interface !== undefined && protects.includes(hop.interface));

const distanceOf = (route: UnicastRoute): number => route.distance ?? DISTANCE[route.source];
const sameRoute = (a: UnicastRoute, b: UnicastRoute): boolean => a.source === b.source && (a.tag ?? '') === (b.tag ?? '');

function byPreference(a: UnicastRoute, b: UnicastRoute): number {
  const order = distanceOf(a) - distanceOf(b) || (a.metric ?? 0) - (b.metric ?? 0) || DISTANCE[a.source] - DISTANCE[b.source];
  if (order !== 0) return order;
  return (a.tag ?? '') < (b.tag ?? '') ? -1 : 1;
}

/** Shares as whole weights 1..256; no weight at all where all shares are equal. */
function wholeWeights(hops: readonly { readonly hop: NextHop; readonly weight: number }[]): NextHop[] {
  const largest = Math.max(...hops.map(({ weight }) => weight));
  const smallest = Math.min(...hops.map(({ weight }) => weight));
  const plain = hops.map(({ hop, weight }): NextHop => {
    const base = hop.gateway === undefined ? { interface: hop.interface } : { gateway: hop.gateway, interface: hop.interface };
    if (largest - smallest < 1e-9) return base;
    // Small ratios stay exact (1:3), large ones are scaled into the range.
    const scaled = largest / smallest <= 256 ? weight / smallest : (256 * weight) / largest;
    return { ...base, weight: Math.min(256, Math.max(1, Math.round(scaled))) };
  });
  return plain.sort((a, b) => (`${a.interface} ${a.gateway ?? ''}` < `${b.interface} ${b.gateway ?? ''}` ? -1 : 1));
}

function kernelTarget(best: Usable | undefined): RouteTarget | undefined {
  if (!best || best.route.source === 'connected') return undefined;
  if (best.nextHops.length === 0) return { kind: 'unreachable' };
  const { nextHops, backups, route } = best;
  // The kernel routes the outer packet by its first SID: whatever protects the route to that protects this one.
  if (route.segments) return { kind: 'seg6', segments: route.segments, nextHops };
  return backups ? { kind: 'unicast', nextHops, backups } : { kind: 'unicast', nextHops };
}
