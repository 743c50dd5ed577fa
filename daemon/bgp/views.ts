/** What operators see of the speaker: plain objects for the API and the CLI. */
import type { Prefix } from '../../dataplane/packet/ip.js';
import { formatAsPath } from './attributes.js';
import type { RouteFilterConfig } from '../config/types.js';
import type { Environment } from './environment.js';
import type { RibEntry } from './loc-rib.js';
import { timerNames, type StateName } from './fsm.js';
import type { MessageCounts } from './counters.js';
import { buildOpen } from './open.js';
import type { Path } from './path.js';
import type { LastError, Peer } from './peer.js';
import { isServiceRoute } from './policy.js';
import { formatCommunity, formatExtendedCommunity, formatLargeCommunity } from './policy/communities.js';
import { familyOf, ipPrefixOf, isVpn } from './wire/families.js';
import { VpnPrefix } from './wire/vpn-prefix.js';
import { roleOfValue } from './role.js';
import type { AddPathFamily, AfiSafi, Capability, PathAttributes } from './wire/types.js';

interface PrefixCounts {
  readonly received: number;
  readonly accepted: number;
  /** Kept over a restart of the peer, or unconfirmed in a refresh. */
  readonly stale: number;
  /** Paths the peer holds from us. */
  readonly sent: number;
}

export interface SummaryView {
  readonly routerId: string;
  readonly as: number;
  readonly prefixes: number;
  /** Paths of all prefixes, rejected ones too. */
  readonly paths: number;
  readonly neighbors: readonly {
    readonly address: string;
    readonly as: number;
    readonly state: StateName;
    /** Since the session came up or went down, ms. */
    readonly sinceMs: number;
    readonly messagesReceived: number;
    readonly messagesSent: number;
    readonly prefixes: PrefixCounts;
    readonly description: string;
  }[];
}

export interface NeighborView {
  readonly address: string;
  readonly as: number;
  readonly type: 'ibgp' | 'ebgp';
  readonly description: string;
  readonly localAddress: string;
  readonly cpn: boolean;
  readonly group: string | undefined;
  /** Nobody configured it: it connected from a range. */
  readonly dynamic: boolean;
  readonly routeReflectorClient: boolean;
  /** any, none, prefixes or the names of policies. */
  readonly importPolicy: string;
  readonly exportPolicy: string;
  readonly state: StateName;
  readonly sinceMs: number;
  readonly establishedCount: number;
  readonly identifier: string | undefined;
  /** Ends of the TCP connection, `[address]:port`. */
  readonly connection: { readonly local: string; readonly remote: string; readonly openedBy: 'us' | 'peer' } | undefined;
  readonly holdTimeMs: number;
  readonly keepaliveMs: number;
  /** Timers that run, with the ms until they expire. */
  readonly timers: Readonly<Record<string, number>>;
  readonly messages: { readonly received: Readonly<MessageCounts>; readonly sent: Readonly<MessageCounts>; readonly octetsReceived: number; readonly octetsSent: number };
  readonly updateErrors: { readonly treatAsWithdraw: number; readonly attributeDiscard: number };
  readonly prefixes: PrefixCounts;
  readonly capabilities: { readonly advertised: readonly string[]; readonly received: readonly string[] };
  /** Families whose End-of-RIB the peer has sent. */
  readonly endOfRib: readonly string[];
  readonly lastError: LastError | undefined;
  /** The operator's words of a shutdown that lasts; undefined when there is none. */
  readonly shutdown: string | undefined;
  /** What BFD says; undefined without it. */
  readonly bfd: string | undefined;
}

export interface RouteView {
  readonly prefix: string;
  readonly best: boolean;
  /** Why it is the best path, is rejected, or cannot be used; empty for an ordinary other path. */
  readonly reason: string;
  readonly rejected: boolean;
  readonly service: boolean;
  readonly stale: boolean;
  /** Empty for routes of this router. */
  readonly peer: string;
  readonly source: 'local' | 'ibgp' | 'ebgp';
  readonly pathId: number;
  readonly nextHop: string;
  readonly linkLocal: string | undefined;
  readonly origin: 'igp' | 'egp' | 'incomplete';
  readonly asPath: string;
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  readonly communities: readonly string[];
  readonly extendedCommunities: readonly string[];
  readonly largeCommunities: readonly string[];
  /** RFC 9234: the AS that let the route out towards customers only. */
  readonly onlyToCustomer: number | undefined;
  readonly originatorId: string | undefined;
  readonly clusterList: readonly string[];
  /** The CPN attribute's value, hexadecimal. */
  readonly cpn: string | undefined;
  readonly prefixSid: string | undefined;
  readonly unknown: readonly { readonly type: number; readonly flags: number; readonly value: string }[];
  readonly ageMs: number;
  /** Peers that hold the route from us, with the path identifier it has there. */
  readonly announcedTo: readonly { readonly peer: string; readonly pathId: number }[];
}

const prefixCounts = (peer: Peer): PrefixCounts => ({
  received: peer.exchange.adjRibIn.received,
  accepted: peer.exchange.adjRibIn.accepted,
  stale: peer.exchange.adjRibIn.awaited,
  sent: peer.exchange.adjRibOut?.size ?? 0,
});

const total = (counts: MessageCounts): number => Object.values(counts).reduce((sum, count) => sum + count, 0);

export function summaryView(environment: Environment, peers: readonly Peer[]): SummaryView {
  const { clock, local, locRib } = environment;
  return {
    routerId: local.identifier,
    as: local.as,
    prefixes: locRib.size,
    paths: pathCount(environment, peers),
    neighbors: peers.map((peer) => ({
      address: peer.address,
      as: peer.config.as,
      state: peer.state,
      sinceMs: clock.now() - peer.changedAt,
      messagesReceived: total(peer.counters.received),
      messagesSent: total(peer.counters.sent),
      prefixes: prefixCounts(peer),
      description: peer.config.description,
    })),
  };
}

/** Paths of the Loc-RIB and rejected ones. */
function pathCount({ locRib }: Environment, peers: readonly Peer[]): number {
  let count = 0;
  for (const { paths } of locRib.entries()) count += paths.length;
  for (const { exchange } of peers) count += exchange.adjRibIn.received - exchange.adjRibIn.accepted;
  return count;
}

export function neighborView(environment: Environment, peer: Peer): NeighborView {
  const { config, connection, counters } = peer;
  const { stream, negotiated, peerOpen, state } = connection;
  const end = ({ address, port }: { address: string; port: number }): string => `[${address}]:${port}`;
  return {
    address: peer.address,
    as: config.as,
    type: config.as === environment.local.as ? 'ibgp' : 'ebgp',
    description: config.description,
    localAddress: config.localAddress,
    cpn: config.cpn,
    group: config.group,
    dynamic: peer.dynamic,
    routeReflectorClient: config.routeReflectorClient ?? false,
    importPolicy: filterText(config.import),
    exportPolicy: filterText(config.export),
    state: peer.state,
    sinceMs: environment.clock.now() - peer.changedAt,
    establishedCount: peer.establishedCount,
    identifier: negotiated?.identifier,
    connection: stream && { local: end(stream.local), remote: end(stream.remote), openedBy: connection.accepted ? 'peer' : 'us' },
    holdTimeMs: state.holdMs,
    keepaliveMs: state.keepaliveMs,
    timers: Object.fromEntries(timerNames.flatMap((name) => (connection.timeLeft(name) === undefined ? [] : [[name, connection.timeLeft(name)!]]))),
    messages: { received: { ...counters.received }, sent: { ...counters.sent }, octetsReceived: counters.octetsReceived, octetsSent: counters.octetsSent },
    updateErrors: { treatAsWithdraw: counters.treatAsWithdraw, attributeDiscard: counters.attributeDiscard },
    prefixes: prefixCounts(peer),
    capabilities: {
      advertised: buildOpen(peer.openOptions).capabilities.map(capabilityText),
      received: (peerOpen?.capabilities ?? []).map(capabilityText),
    },
    endOfRib: [...peer.exchange.endOfRibReceived],
    lastError: peer.lastError,
    shutdown: peer.shutdownText,
    bfd: peer.bfd.state,
  };
}

function filterText(filter: RouteFilterConfig): string {
  if (typeof filter === 'string') return filter;
  return 'policy' in filter ? `policy ${filter.policy.join(', ')}` : filter.join(', ');
}

function familyText(family: AfiSafi): string {
  return familyOf(family) ?? `afi ${family.afi} safi ${family.safi}`;
}

function capabilityText(capability: Capability): string {
  switch (capability.kind) {
    case 'multiprotocol':
      return `multiprotocol ${familyText(capability.family)}`;
    case 'routeRefresh':
      return 'route refresh';
    case 'extendedNextHop':
      return `extended next hop ${capability.entries.map((entry) => `${familyText(entry)} via afi ${entry.nextHopAfi}`).join(', ')}`;
    case 'extendedMessage':
      return 'extended messages';
    case 'gracefulRestart': {
      const families = capability.families.map((entry) => `${familyText(entry)}${entry.forwardingPreserved ? ' preserved' : ''}`);
      return `graceful restart ${capability.timeSeconds} s${capability.restarting ? ' restarting' : ''}${capability.notification ? ' notification' : ''} ${families.join(', ')}`.trimEnd();
    }
    case 'role':
      return `role ${roleOfValue(capability.role) ?? capability.role}`;
    case 'fourOctetAs':
      return `4-octet AS ${capability.as}`;
    case 'addPath':
      return `ADD-PATH ${capability.families.map((entry) => `${familyText(entry)} ${addPathText(entry)}`).join(', ')}`;
    case 'enhancedRouteRefresh':
      return 'enhanced route refresh';
    case 'unknown':
      return `code ${capability.code}`;
  }
}

const addPathText = ({ receive, send }: AddPathFamily): string => (receive && send ? 'both' : receive ? 'receive' : 'send');

/** All paths of one prefix. */
export interface PrefixView {
  readonly prefix: string;
  readonly routes: readonly RouteView[];
}

/** Every path of every prefix, or of one in all families: best first, rejected ones last. Made as they are asked for, since a table may be large. */
export function* prefixViews(environment: Environment, peers: readonly Peer[], prefix: Prefix | undefined): Generator<PrefixView> {
  const { locRib } = environment;
  const rejected = rejectedPaths(peers, prefix);
  for (const entry of prefix ? entriesOf(environment, peers, prefix) : locRib.entries()) {
    const text = entry.prefix.toString();
    const others = entry.paths.filter((path) => path !== entry.best);
    const routes = (entry.best ? [entry.best, ...others] : others).map((path) => routeView(environment, peers, path, path === entry.best, path === entry.best || !entry.best ? entry.reason : ''));
    const refused = rejected.get(text) ?? [];
    rejected.delete(text);
    yield { prefix: text, routes: [...routes, ...refused.map((path) => routeView(environment, peers, path, false, path.rejected!))] };
  }
  for (const [text, paths] of rejected) yield { prefix: text, routes: paths.map((path) => routeView(environment, peers, path, false, path.rejected!)) };
}

/** The entries of an IP prefix: of unicast, and of every VPN. */
function* entriesOf({ locRib }: Environment, peers: readonly Peer[], prefix: Prefix): Generator<RibEntry> {
  const unicast = locRib.get(prefix);
  if (unicast) yield unicast;
  if (!peers.some((peer) => peer.openOptions.families.some(isVpn))) return;
  const text = prefix.toString();
  for (const entry of locRib.entries()) if (entry.prefix instanceof VpnPrefix && entry.prefix.prefix.toString() === text) yield entry;
}

function rejectedPaths(peers: readonly Peer[], prefix: Prefix | undefined): Map<string, Path[]> {
  const rejected = new Map<string, Path[]>();
  const wanted = prefix?.toString();
  for (const peer of peers) {
    for (const path of peer.exchange.adjRibIn.paths()) {
      if (path.rejected === undefined) continue;
      const text = path.prefix.toString();
      if (wanted === undefined || ipPrefixOf(path.prefix).toString() === wanted) rejected.set(text, [...(rejected.get(text) ?? []), path]);
    }
  }
  return rejected;
}

const originNames = ['igp', 'egp', 'incomplete'] as const;
const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function routeView(environment: Environment, peers: readonly Peer[], path: Path, best: boolean, reason: string): RouteView {
  const { attributes } = path;
  return {
    prefix: path.prefix.toString(),
    best,
    reason,
    rejected: path.rejected !== undefined,
    service: isServiceRoute(environment.local, path.prefix),
    stale: path.stale,
    peer: path.source.address,
    source: path.source.kind,
    pathId: path.pathId,
    nextHop: path.nextHop.address,
    linkLocal: path.nextHop.linkLocal,
    origin: originNames[attributes.origin],
    asPath: formatAsPath(attributes.asPath),
    med: attributes.med,
    localPref: attributes.localPref,
    communities: attributes.communities.map(formatCommunity),
    ...opaque(attributes),
    onlyToCustomer: attributes.onlyToCustomer,
    originatorId: attributes.originatorId,
    clusterList: attributes.clusterList,
    cpn: attributes.cpn && hex(attributes.cpn.value),
    prefixSid: attributes.prefixSid && (attributes.prefixSid.sid?.sid ?? hex(attributes.prefixSid.value)),
    ageMs: environment.clock.now() - path.receivedAt,
    announcedTo: announcedTo(peers, path, best),
  };
}

function opaque(attributes: PathAttributes): Pick<RouteView, 'extendedCommunities' | 'largeCommunities' | 'unknown'> {
  return {
    extendedCommunities: attributes.extendedCommunities.map(formatExtendedCommunity),
    largeCommunities: attributes.largeCommunities.map(formatLargeCommunity),
    unknown: attributes.unknown.map(({ type, flags, value }) => ({ type, flags, value: hex(value) })),
  };
}

function announcedTo(peers: readonly Peer[], path: Path, best: boolean): { peer: string; pathId: number }[] {
  if (path.rejected !== undefined) return [];
  return peers.flatMap((peer) => {
    const sent = peer.exchange.adjRibOut?.announcedFor(path.prefix) ?? [];
    const own = sent.find((pathId) => (pathId === 0 ? best : pathId === path.localId));
    return own === undefined ? [] : [{ peer: peer.address, pathId: own }];
  });
}
