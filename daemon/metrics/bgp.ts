/**
 * BGP metrics under the names that users know: those of GoBGP's own exporter (`bgp_...`) and of frr_exporter (`frr_bgp_...`), with
 * their labels, so that dashboards and alert rules made for them work unchanged.
 */
import type { NeighborView } from '../bgp/views.js';
import type { MetricDefinition, Sample } from './definition.js';

/** What the metrics read of a speaker. */
export interface BgpMetricsSource {
  neighbors(): readonly NeighborView[];
  /** Routes of a neighbor by family. */
  routes(address: string): Iterable<{ readonly family: string; readonly received: number; readonly accepted: number; readonly sent: number }>;
  /** AS of this router. */
  localAs(): number;
  prefixes(): number;
}

type Definition = MetricDefinition<BgpMetricsSource>;
type MessageType = keyof NeighborView['messages']['sent'];

const ESTABLISHED = 'Established';

/** Message types as GoBGP's names have them. */
const MESSAGES: readonly (readonly [name: string, type: MessageType, text: string])[] = [
  ['update', 'update', 'UPDATE'],
  ['notification', 'notification', 'NOTIFICATION'],
  ['open', 'open', 'OPEN'],
  ['refresh', 'routeRefresh', 'ROUTE-REFRESH'],
  ['keepalive', 'keepalive', 'KEEPALIVE'],
];

const total = (counts: NeighborView['messages']['sent']): number => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** One value a neighbor, labelled with its address. */
function perPeer(name: string, type: Definition['type'], help: string, value: (neighbor: NeighborView, source: BgpMetricsSource) => number): Definition {
  return { name, help, type, labels: ['peer'], read: (source) => source.neighbors().map((neighbor): Sample => [[neighbor.address], value(neighbor, source)]) };
}

type FamilyCounts = BgpMetricsSource['routes'] extends (address: string) => Iterable<infer Counts> ? Counts : never;

/** One value a neighbor and family; the family as GoBGP writes it: ipv6-unicast, l3vpn-ipv6-unicast. */
function perFamily(name: string, help: string, value: (counts: FamilyCounts) => number): Definition {
  return {
    name,
    help,
    type: 'gauge',
    labels: ['peer', 'route_family'],
    *read(source): Generator<Sample> {
      for (const { address } of source.neighbors()) {
        for (const counts of source.routes(address)) {
          const family = counts.family.endsWith('-vpn') ? `l3vpn-${counts.family.slice(0, 4)}-unicast` : counts.family;
          yield [[address, family], value(counts)];
        }
      }
    },
  };
}

const messages = (['received', 'sent'] as const).flatMap((direction): Definition[] => [
  ...MESSAGES.map(([name, type, text]) => perPeer(`bgp_${direction}_${name}_total`, 'counter', `${text} messages ${direction}`, (neighbor) => neighbor.messages[direction][type])),
  perPeer(`bgp_${direction}_message_total`, 'counter', `BGP messages ${direction}`, (neighbor) => total(neighbor.messages[direction])),
]);

/** `SESSION_STATE_ESTABLISHED`, as GoBGP writes states. */
const goState = (state: string): string => `SESSION_STATE_${state.toUpperCase()}`;

const gobgp: readonly Definition[] = [
  ...messages,
  {
    name: 'bgp_peer_state',
    help: 'State of the session to a neighbor, in the labels; always 1',
    type: 'gauge',
    labels: ['peer', 'session_state', 'admin_state'],
    read: (source) => source.neighbors().map(({ address, state, shutdown }): Sample => [[address, goState(state), shutdown === undefined ? 'ADMIN_STATE_UP' : 'ADMIN_STATE_DOWN'], 1]),
  },
  perPeer('bgp_peer_asn', 'gauge', 'AS number of a neighbor', ({ as }) => as),
  perPeer('bgp_peer_local_asn', 'gauge', 'AS number of this router towards a neighbor', (_neighbor, source) => source.localAs()),
  perPeer('bgp_peer_flops_total', 'counter', 'Sessions that were established and ended again', ({ establishedCount, state }) => Math.max(0, establishedCount - (state === ESTABLISHED ? 1 : 0))),
  perPeer('bgp_peer_uptime_seconds', 'gauge', 'Time since the session was established; 0 while it is not', ({ state, sinceMs }) => (state === ESTABLISHED ? sinceMs / 1000 : 0)),
  perFamily('bgp_routes_received', 'Routes received from a neighbor, rejected ones too', ({ received }) => received),
  perFamily('bgp_routes_accepted', 'Routes received from a neighbor that the import policy accepted', ({ accepted }) => accepted),
  perFamily('bgp_routes_advertised', 'Routes that a neighbor holds from this router', ({ sent }) => sent),
];

const FRR_LABELS = ['vrf', 'afi', 'safi', 'local_as', 'peer', 'peer_as'] as const;

/** Per neighbor with frr_exporter's labels. The counts are those of all families of the session, under the one that all sessions have. */
function frrPeer(name: string, type: Definition['type'], help: string, value: (neighbor: NeighborView) => number): Definition {
  return {
    name: `frr_bgp_${name}`,
    help,
    type,
    labels: FRR_LABELS,
    read: (source) => source.neighbors().map((neighbor): Sample => [['default', 'ipv6', 'unicast', String(source.localAs()), neighbor.address, String(neighbor.as)], value(neighbor)]),
  };
}

const frr: readonly Definition[] = [
  frrPeer('peer_state', 'gauge', 'State of a neighbor (2 administratively down, 1 established, 0 down)', ({ state, shutdown }) => (shutdown !== undefined ? 2 : state === ESTABLISHED ? 1 : 0)),
  frrPeer('peer_uptime_seconds', 'gauge', 'How long a neighbor has been up', ({ state, sinceMs }) => (state === ESTABLISHED ? sinceMs / 1000 : 0)),
  // frr_exporter calls these totals and means levels; a level they stay.
  frrPeer('peer_prefixes_received_count_total', 'gauge', 'Prefixes received', ({ prefixes }) => prefixes.received),
  frrPeer('peer_prefixes_accepted_count_total', 'gauge', 'Prefixes accepted', ({ prefixes }) => prefixes.accepted),
  frrPeer('peer_prefixes_filtered_count_total', 'gauge', 'Prefixes rejected', ({ prefixes }) => prefixes.received - prefixes.accepted),
  frrPeer('peer_prefixes_advertised_count_total', 'gauge', 'Prefixes advertised', ({ prefixes }) => prefixes.sent),
  frrPeer('peer_message_received_total', 'counter', 'Messages received', ({ messages: { received } }) => total(received)),
  frrPeer('peer_message_sent_total', 'counter', 'Messages sent', ({ messages: { sent } }) => total(sent)),
];

/** Without a series for each neighbor. */
export const BGP_SUMMARY_METRICS: readonly Definition[] = [
  {
    name: 'frr_bgp_peers_count_total',
    help: 'Neighbors configured',
    type: 'gauge',
    labels: ['vrf', 'afi', 'safi', 'local_as'],
    read: (source) => [[['default', 'ipv6', 'unicast', String(source.localAs())], source.neighbors().length]],
  },
  {
    name: 'frr_bgp_rib_count_total',
    help: 'Prefixes of the Loc-RIB',
    type: 'gauge',
    labels: ['vrf', 'afi', 'safi', 'local_as'],
    read: (source) => [[['default', 'ipv6', 'unicast', String(source.localAs())], source.prefixes()]],
  },
];

export const BGP_NEIGHBOR_METRICS: readonly Definition[] = [
  ...gobgp,
  ...frr,
  perPeer('cpn_bgp_treat_as_withdraw_total', 'counter', 'UPDATEs with a fault that withdrew their routes (RFC 7606)', ({ updateErrors }) => updateErrors.treatAsWithdraw),
  perPeer('cpn_bgp_attribute_discard_total', 'counter', 'UPDATEs with an attribute that was discarded (RFC 7606)', ({ updateErrors }) => updateErrors.attributeDiscard),
  perPeer('cpn_bgp_received_octets_total', 'counter', 'Octets received in sessions with a neighbor', ({ messages: { octetsReceived } }) => octetsReceived),
  perPeer('cpn_bgp_sent_octets_total', 'counter', 'Octets sent in sessions with a neighbor', ({ messages: { octetsSent } }) => octetsSent),
];
