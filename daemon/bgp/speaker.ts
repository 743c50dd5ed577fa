/**
 * The BGP speaker: all that the rest of the daemon sees of BGP. It owns the neighbours and the Loc-RIB, runs the decision process in
 * slices, and tells listeners about unicast best paths and about every path of a service route.
 */
import { isDeepStrictEqual } from 'node:util';
import type { BfdRegistrar } from '../bfd/types.js';
import type { Clock, Timer } from '../clock.js';
import type { BgpConfig, BgpNeighborConfig } from '../config/types.js';
import { canonicalIp, Prefix } from '../../dataplane/packet/ip.js';
import type { PathChange } from './adj-rib-in.js';
import type { NextHopResolver } from './best-path.js';
import { ChangeFeed, type ServiceRouteChange, type UnicastChange } from './change-feed.js';
import { DynamicNeighbors } from './dynamic-neighbors.js';
import type { BgpEvent, Environment } from './environment.js';
import { LocRib } from './loc-rib.js';
import { asPrefix, LocalRoutes, localSource, type LocalRoute } from './local-routes.js';
import { NextHops } from './next-hops.js';
import { Peer } from './peer.js';
import { policyBookConfig } from './peer-policy.js';
import { isServiceRoute, type LocalSpeaker } from './policy.js';
import { PolicyBook, type PolicyView } from './policy/book.js';
import { TrialFault, tryPolicy, type TrialRequest, type TrialResult } from './policy/trial.js';
import { TelemetrySource } from './telemetry/source.js';
import { Taps } from './telemetry/tap.js';
import { RestartDeferral } from './restart-deferral.js';
import { tcpTransport } from './tcp-transport.js';
import type { Listener, Stream, Transport } from './transport.js';
import { UpdateGroups } from './update-groups.js';
import { neighborView, prefixViews, summaryView, type NeighborView, type PrefixView, type RouteView, type SummaryView } from './views.js';
import { type Destination, ipPrefixOf } from './wire/families.js';
import { encodeNotification } from './wire/encode.js';
import { cease, CeaseSubcode } from './wire/notification.js';
import { parseRouteTarget } from './wire/route-distinguisher.js';
import { CPN_ATTRIBUTE_TYPE } from './wire/types.js';

export interface SpeakerOptions {
  readonly config: BgpConfig;
  readonly router: { readonly id: string; readonly loopback: string };
  readonly servicePrefixes: readonly string[];
  /** Type code of the CPN attribute; 255 by default. */
  readonly attributeType?: number;
  readonly clock: Clock;
  /** TCP by default. */
  readonly transport?: Transport;
  /** Watches neighbors with `bfd`. */
  readonly bfd?: BfdRegistrar | undefined;
  readonly log?: { info(text: string): void; warn(text: string): void };
  /** Uniform in [0, 1); Math.random by default. */
  readonly random?: () => number;
  /** Resolves a next hop in the unicast RIB. */
  readonly resolveNextHop: NextHopResolver;
  /** How long neighbours that know graceful restart may keep our routes, ms; 120 s by default. */
  readonly restartTimeMs?: number;
  /** An earlier run's forwarding state is still in place (RFC 4724, Restart State and Forwarding State bits). */
  readonly restarting?: boolean;
  /** Selection_Deferral_Timer (RFC 4724 section 4.1), ms; 30 s by default. */
  readonly selectionDeferralMs?: number;
  /** How long routes stay at most that a restarted or refreshing peer has not announced again, ms; 3 min by default. */
  readonly stalePathMs?: number;
  /** No End-of-RIB before `ownRoutesComplete`. */
  readonly awaitsOwnRoutes?: boolean;
}

/** Prefixes decided at a time, and how long before others get their turn, ms. */
const decisionSlice = 250;
const decisionMs = 2;
/** Octets of a faulty message that its event keeps: an extended message may have 65,535, and many events are kept. */
const rawLimit = 4096;
/** How long to wait before listening is tried again, ms. */
const listenRetryMs = 2000;

export class BgpSpeaker {
  private config: BgpConfig;
  /** Shared with all parts; follows the configuration. */
  private readonly local: LocalSpeaker & { as: number; clusterId: string; servicePrefixes: readonly Prefix[]; importTargets: ReadonlySet<bigint> };
  private policyBook: PolicyBook;
  private readonly environment: Environment;
  private readonly nextHops: NextHops;
  private readonly localRoutes = new LocalRoutes();
  private readonly peers = new Map<string, Peer>();
  private readonly listeners = new Map<string, Listener>();
  private readonly dynamic: DynamicNeighbors;
  private readonly feed: ChangeFeed;
  private readonly eventListeners = new Set<(event: BgpEvent) => void>();
  private decisionTimer: Timer | undefined;
  private running = false;

  constructor(private readonly options: SpeakerOptions) {
    this.config = options.config;
    this.nextHops = new NextHops(options.resolveNextHop);
    const servicePrefixes = options.servicePrefixes.map((text) => Prefix.from(text));
    this.policyBook = new PolicyBook(policyBookConfig(this.config));
    this.local = { as: this.config.as, identifier: options.router.id, clusterId: this.config.clusterId ?? options.router.id, loopback: options.router.loopback, servicePrefixes, importTargets: importTargetsOf(this.config) };
    const restartTimeMs = options.restartTimeMs ?? 120_000;
    const locRib = new LocRib(this.nextHops.resolve);
    this.environment = {
      clock: options.clock,
      transport: options.transport ?? tcpTransport,
      bfd: options.bfd,
      random: options.random ?? Math.random,
      local: this.local,
      // IPv4 is spoken only where a service has an IPv4 address (RFC 8950 next hops).
      families: servicePrefixes.some((prefix) => prefix.family === 4) ? ['ipv6-unicast', 'ipv4-unicast'] : ['ipv6-unicast'],
      attributeType: options.attributeType ?? CPN_ATTRIBUTE_TYPE,
      restartTimeMs,
      stalePathMs: options.stalePathMs ?? 180_000,
      deferral: new RestartDeferral({
        clock: options.clock,
        restarting: options.restarting ?? false,
        awaitsOwnRoutes: options.awaitsOwnRoutes ?? false,
        limitMs: options.selectionDeferralMs ?? 30_000,
        restartTimeMs,
        released: () => this.scheduleDecision(),
        report: (text) => this.report('', 'state', text),
      }),
      resolve: this.nextHops.resolve,
      locRib,
      updateGroups: new UpdateGroups(options.clock, locRib, this.nextHops.resolve, options.random ?? Math.random),
      policies: () => this.policyBook,
      taps: new Taps(),
      report: (peer, kind, text, raw) => this.report(peer, kind, text, raw),
    };
    this.feed = new ChangeFeed(this.local, this.nextHops.resolve);
    this.dynamic = new DynamicNeighbors(options.clock, {
      appeared: (config, stream) => {
        this.addPeer(config, { dynamic: true });
        this.accepted(stream);
      },
      refused: (address, reason) => this.report(address, 'error', reason),
    });
  }

  /** Starts listening and connecting. */
  start(): void {
    if (this.running) return;
    this.running = true;
    this.environment.deferral.begin(this.config.neighbors.map(({ address }) => address));
    for (const neighbor of this.config.neighbors) this.addPeer(neighbor);
    this.dynamic.configure(this.config.dynamic ?? []);
    this.listen();
  }

  /** Routes of this router are all announced: End-of-RIB may follow them. */
  ownRoutesComplete(): void {
    this.environment.deferral.ownRoutesComplete();
  }

  /** Routes wait for their selection: for that of others after a restart, or for their turn. */
  get isSelecting(): boolean {
    return this.environment.deferral.defersSelection || this.environment.locRib.pending > 0;
  }

  /**
   * Ends all sessions: with Cease / Administrative Shutdown, or, when `graceful`, by closing without a word, so that neighbours that
   * know graceful restart keep our routes.
   */
  stop(options: { readonly graceful?: boolean } = {}): void {
    this.running = false;
    this.dynamic.stop();
    for (const listener of this.listeners.values()) listener.cancel();
    this.listeners.clear();
    for (const peer of this.peers.values()) {
      if (options.graceful) peer.stopGracefully();
      else peer.stop();
    }
    this.peers.clear();
    this.environment.deferral.stop();
    this.decide(Infinity);
    this.decisionTimer?.cancel();
    this.decisionTimer = undefined;
  }

  /**
   * Takes a new configuration. Only neighbours whose session parameters changed are reset, all with another local AS; other changes apply
   * in place, other service prefixes (text) too; IPv4 among them is spoken in sessions of speakers that started with one.
   */
  reconfigure(config: BgpConfig, servicePrefixes?: readonly string[]): void {
    if (servicePrefixes) this.setServicePrefixes(servicePrefixes);
    const isOtherAs = this.config.as !== config.as;
    const changesAll = this.takePolicies(config);
    this.config = config;
    this.local.as = config.as;
    this.setImportTargets(importTargetsOf(config));
    if (!this.running) return;
    const wanted = new Set(config.neighbors.map((neighbor) => neighbor.address));
    const unfit = new Set(this.dynamic.configure(config.dynamic ?? []));
    for (const [address, peer] of this.peers) {
      const stays = wanted.has(address) || (this.dynamic.has(address) && !unfit.has(address));
      if (stays && !isOtherAs) continue;
      peer.remove(stays ? CeaseSubcode.otherConfigurationChange : undefined);
      this.peers.delete(address);
      if (!isOtherAs) this.report(address, 'state', 'neighbour removed from the configuration');
    }
    for (const address of isOtherAs ? this.dynamic.all() : [...unfit, ...wanted]) this.dynamic.remove(address);
    for (const neighbor of config.neighbors) this.reconfigurePeer(neighbor, changesAll);
    if (changesAll) for (const peer of this.peers.values()) if (this.dynamic.has(peer.address)) peer.configure(peer.config);
    this.listen();
  }

  /** True when policies or the cluster are other ones than before, which concerns every peer. */
  private takePolicies(config: BgpConfig): boolean {
    const clusterId = config.clusterId ?? this.local.identifier;
    const isOtherCluster = clusterId !== this.local.clusterId;
    this.local.clusterId = clusterId;
    if (isDeepStrictEqual(policyBookConfig(this.config), policyBookConfig(config))) return isOtherCluster;
    this.policyBook = new PolicyBook(policyBookConfig(config));
    return true;
  }

  private setServicePrefixes(texts: readonly string[]): void {
    const { clock, locRib } = this.environment;
    const previous = { servicePrefixes: this.local.servicePrefixes };
    const next = texts.map((text) => Prefix.from(text));
    if (isDeepStrictEqual(previous.servicePrefixes.map(String), next.map(String))) return;
    this.local.servicePrefixes = next;
    this.feed.reclassify(locRib.entries(), (prefix) => isServiceRoute(previous, prefix));
    for (const route of this.localRoutes.routes()) {
      const path = this.localRoutes.announce(route, isServiceRoute(this.local, asPrefix(route.prefix)), clock.now());
      if (path) locRib.put(path);
    }
    for (const peer of this.peers.values()) peer.configure(peer.config);
    this.scheduleDecision();
  }

  private setImportTargets(targets: ReadonlySet<bigint>): void {
    if (isDeepStrictEqual(targets, this.local.importTargets)) return;
    this.local.importTargets = targets;
    this.feed.retarget(this.environment.locRib.entries());
    this.scheduleDecision();
  }

  private reconfigurePeer(neighbor: BgpNeighborConfig, always: boolean): void {
    const peer = this.peers.get(neighbor.address);
    if (!peer) {
      this.addPeer(neighbor);
    } else if (!isDeepStrictEqual(sessionParameters(peer.config), sessionParameters(neighbor))) {
      const { shutdownText } = peer;
      peer.remove(CeaseSubcode.otherConfigurationChange);
      this.addPeer(neighbor, { shutdownText });
    } else if (always || !isDeepStrictEqual(peer.config, neighbor)) {
      peer.configure(neighbor);
    }
  }

  /**
   * Announces a route of this router, or changes it; the same route again sends nothing. Throws RangeError for a CPN block that cannot be
   * encoded and TypeError for text that is no prefix.
   */
  announce(route: LocalRoute): void {
    this.announceBatch([route]);
  }

  /** Announces routes together, so that those with equal attributes share messages. */
  announceBatch(routes: readonly LocalRoute[]): void {
    const { clock, local, locRib } = this.environment;
    // Before the loop: a route that throws must not hold back those before it.
    this.scheduleDecision();
    for (const route of routes) {
      const path = this.localRoutes.announce(route, isServiceRoute(local, asPrefix(route.prefix)), clock.now());
      if (path) locRib.put(path);
    }
  }

  /** Withdraws a route of this router; one that was not announced is no error. */
  withdraw(prefix: Destination | string): void {
    const path = this.localRoutes.withdraw(asPrefix(prefix));
    if (!path) return;
    this.environment.locRib.remove(path.prefix, localSource, 0);
    this.scheduleDecision();
  }

  /** Best-path changes outside service prefixes, in batches. Returns a function that ends the subscription. */
  onUnicastRoutes(listener: (changes: readonly UnicastChange[]) => void): () => void {
    return this.feed.onUnicast(listener);
  }

  /** Every accepted path inside service prefixes that appears, changes or goes, in batches. */
  onServiceRoutes(listener: (changes: readonly ServiceRouteChange[]) => void): () => void {
    return this.feed.onService(listener);
  }

  /** State changes, notifications and faults as they happen. */
  onEvent(listener: (event: BgpEvent) => void): () => void {
    this.eventListeners.add(listener);
    return () => void this.eventListeners.delete(listener);
  }

  /** The unicast RIB changed: routes whose next hop resolves differently are decided again. */
  nextHopsChanged(): void {
    const { locRib } = this.environment;
    const changed = this.nextHops.refresh();
    if (changed.size === 0) return;
    this.nextHops.keep(new Set([...locRib.nextHops(), ...this.feed.sids()]));
    locRib.markNextHops(changed);
    this.feed.nextHopsChanged(changed);
    this.scheduleDecision();
  }

  /** Ends a session with Administrative Shutdown and perhaps some words (RFC 9003), until it is enabled again. False when there is no such neighbour. */
  shutdownNeighbor(address: string, text = ''): boolean {
    const peer = this.peers.get(canonicalIp(address) ?? address);
    peer?.stop(text);
    return peer !== undefined;
  }

  /** Starts a session that was shut down; no effect on others. False when there is no such neighbour. */
  enableNeighbor(address: string): boolean {
    const peer = this.peers.get(canonicalIp(address) ?? address);
    if (peer?.shutdownText !== undefined) peer.start();
    return peer !== undefined;
  }

  /** Resets a session, or with `soft` asks for and sends all routes again. False when there is no such neighbour. */
  clearNeighbor(address: string, soft = false, text = ''): boolean {
    const peer = this.peers.get(canonicalIp(address) ?? address);
    if (!peer) return false;
    if (!soft) {
      peer.clear(text);
    } else {
      peer.exchange.requestRefresh();
      peer.exchange.refreshPeer();
    }
    return true;
  }

  /** All policies with how often their rules were used, or one; undefined when there is none of this name. */
  policies(name: string | undefined): PolicyView[] | undefined {
    return this.policyBook.views(name);
  }

  /** What a policy would do to a route; a text says what of the request cannot be read, undefined that there is no such policy. */
  tryPolicy(request: TrialRequest): TrialResult | string | undefined {
    const { local } = this;
    try {
      return tryPolicy(this.policyBook, request, { as: local.as, isService: (prefix) => isServiceRoute(local, prefix), resolve: this.options.resolveNextHop });
    } catch (error) {
      if (error instanceof TrialFault) return error.message;
      throw error;
    }
  }

  /** What telemetry reads and looks on at. */
  get telemetry(): TelemetrySource {
    return new TelemetrySource(this.environment, () => this.peers.values());
  }

  summary(): SummaryView {
    return summaryView(this.environment, [...this.peers.values()]);
  }

  neighbors(): NeighborView[] {
    return [...this.peers.values()].map((peer) => neighborView(this.environment, peer));
  }

  /** All paths of the Loc-RIB and the rejected ones, or those of one prefix. Throws TypeError for text that is no prefix. */
  routes(prefix?: Prefix | string): RouteView[] {
    return [...this.prefixes(prefix)].flatMap(({ routes }) => routes);
  }

  /** The same by prefix, made as they are asked for. Throws TypeError for text that is no prefix. */
  prefixes(prefix?: Prefix | string): Iterable<PrefixView> {
    return prefixViews(this.environment, [...this.peers.values()], prefix === undefined ? undefined : ipPrefixOf(asPrefix(prefix)));
  }

  private addPeer(config: BgpNeighborConfig, { dynamic = false, shutdownText }: { readonly dynamic?: boolean; readonly shutdownText?: string | undefined } = {}): void {
    const peer = new Peer(config, this.environment, { pathsChanged: (changes) => this.pathsChanged(changes), idle: () => this.forgetDynamic(config.address) }, dynamic);
    this.peers.set(config.address, peer);
    peer.shutdownText = shutdownText;
    if (shutdownText === undefined) peer.start();
  }

  /** A dynamic neighbour without session and without routes kept for its restart is none any more; once what is being handled is done. */
  private forgetDynamic(address: string): void {
    if (!this.dynamic.has(address)) return;
    this.environment.clock.setTimeout(() => {
      const peer = this.peers.get(address);
      if (!peer?.isIdle || !this.dynamic.has(address)) return;
      peer.remove();
      this.peers.delete(address);
      this.dynamic.remove(address);
      this.report(address, 'state', 'dynamic neighbour gone');
    }, 0);
  }

  /** Listens where the configuration says, by default on the local address of every neighbour. */
  private listen(): void {
    const { addresses, port } = this.config.listen;
    const wanted = new Set(addresses.length > 0 ? addresses : this.config.neighbors.map((neighbor) => neighbor.localAddress));
    const rules = [...this.config.neighbors, ...this.dynamic.rules()];
    const keys = new Set([...wanted].map((address) => `${address} ${port}`));
    for (const [key, listener] of this.listeners) {
      if (keys.has(key)) continue;
      listener.cancel();
      this.listeners.delete(key);
    }
    for (const listener of this.listeners.values()) listener.setNeighbors(rules);
    for (const address of wanted) this.listenOn(address, port);
  }

  private listenOn(address: string, port: number): void {
    const key = `${address} ${port}`;
    if (this.listeners.has(key)) return;
    const { clock, transport } = this.environment;
    const failed = (error: string): void => {
      this.report('', 'error', `listening on [${address}]:${port}: ${error}`);
      // The address may not be there yet, or an earlier process still holds the port.
      const timer = clock.setTimeout(() => {
        if (this.listeners.get(key) !== retry) return;
        this.listeners.delete(key);
        this.listenOn(address, port);
      }, listenRetryMs);
      const retry: Listener = { cancel: () => timer.cancel(), setNeighbors: () => undefined };
      listener.cancel();
      if (this.listeners.get(key) === listener) this.listeners.set(key, retry);
      else timer.cancel();
    };
    const refused = (peer: string, reason: string): void => this.peers.get(peer)?.failed(reason);
    const listener = transport.listen({ address, port }, { accepted: (stream) => this.accepted(stream), refused, failed }, [...this.config.neighbors, ...this.dynamic.rules()]);
    this.listeners.set(key, listener);
  }

  private accepted(stream: Stream): void {
    const peer = this.peers.get(stream.remote.address);
    if (peer) {
      peer.accept(stream);
      return;
    }
    if (this.dynamic.accept(stream)) return;
    // RFC 4486 section 4: the peer learns why, although no OPEN has been exchanged.
    stream.write(encodeNotification(cease(CeaseSubcode.connectionRejected)));
    stream.close();
    this.report(stream.remote.address, 'error', 'connection from an address that is no neighbour');
  }

  private pathsChanged(changes: readonly PathChange[]): void {
    const { locRib, taps } = this.environment;
    for (const { previous, next } of changes) {
      if (next && next.rejected === undefined) locRib.put(next);
      else if (previous && previous.rejected === undefined) locRib.remove(previous.prefix, previous.source, previous.pathId);
      this.feed.pathChanged(previous, next);
    }
    if (taps.active) taps.paths(changes);
    this.scheduleDecision();
  }

  private scheduleDecision(): void {
    this.decisionTimer ??= this.environment.clock.setTimeout(() => this.decide(decisionSlice), 0);
  }

  /** Decides marked prefixes, tells neighbours and listeners, and goes on later when there are more than `limit`. */
  private decide(limit: number): void {
    this.decisionTimer = undefined;
    const { clock, locRib, taps, updateGroups, deferral } = this.environment;
    if (deferral.defersSelection) return;
    const until = clock.now() + decisionMs;
    do {
      for (const change of locRib.decide(limit)) {
        const bestChanged = change.entry.best !== change.previousBest;
        updateGroups.mark(change.entry, bestChanged);
        if (!bestChanged) continue;
        this.feed.decided(change);
        if (taps.active) taps.decided(change);
      }
    } while (locRib.pending > 0 && clock.now() < until);
    this.feed.flush();
    if (locRib.pending > 0) this.scheduleDecision();
    else for (const { exchange } of this.peers.values()) if (exchange.isDumping) exchange.schedulePump();
  }

  private report(peer: string, kind: BgpEvent['kind'], text: string, raw?: Uint8Array): void {
    const { clock, log } = this.options;
    const line = `bgp ${peer === '' ? '' : `${peer}: `}${text}`;
    if (kind === 'state') log?.info(line);
    else log?.warn(line);
    const event: BgpEvent = { unixMs: clock.unixMs(), peer, kind, text, raw: raw && Buffer.from(raw.subarray(0, rawLimit)).toString('hex') };
    for (const listener of this.eventListeners) listener(event);
  }
}

/** Route targets of the configuration, which has checked their text. */
const importTargetsOf = ({ vpn }: BgpConfig): ReadonlySet<bigint> => new Set((vpn?.importTargets ?? []).map((text) => parseRouteTarget(text)!));

/** What cannot change under a session: all but policy, limits and description. Whether a path came from a client stays with the path. */
function sessionParameters(neighbor: BgpNeighborConfig): Partial<BgpNeighborConfig> {
  const { address, port, as, localAddress, passive, holdTimeMs, connectRetryMs, delayOpenMs = 0, role, strictRole = false, ttl, minimumTtl, password, addPath, routeReflectorClient = false, families, srv6 } = neighbor;
  return { address, port, as, localAddress, passive, holdTimeMs, connectRetryMs, delayOpenMs, role, strictRole, ttl, minimumTtl, password, addPath, routeReflectorClient, families, srv6 };
}
