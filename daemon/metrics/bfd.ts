/** Metrics of BFD sessions. */
import type { BfdSessionView, BfdView } from '../bfd/types.js';
import type { MetricDefinition, Sample } from './definition.js';

export interface BfdMetricsSource {
  view(): Promise<BfdView>;
}

type Definition = MetricDefinition<BfdMetricsSource>;

function perSession(name: string, type: Definition['type'], help: string, value: (session: BfdSessionView) => number): Definition {
  return {
    name,
    help,
    type,
    labels: ['peer', 'interface', 'multihop'],
    read: async (source) => (await source.view()).sessions.map((session): Sample => [[session.peer, session.interface ?? '', String(session.multihop)], value(session)]),
  };
}

export const BFD_METRICS: readonly Definition[] = [
  { name: 'cpn_bfd_sessions', help: 'BFD sessions by state', type: 'gauge', labels: ['state'], read: async (source) => byState((await source.view()).sessions) },
  { name: 'cpn_bfd_discarded_total', help: 'BFD packets discarded, by why', type: 'counter', labels: ['reason'], read: async (source) => Object.entries((await source.view()).discards).map(([reason, count]): Sample => [[reason], count]) },
];

export const BFD_SESSION_METRICS: readonly Definition[] = [
  perSession('cpn_bfd_up', 'gauge', 'Whether a BFD session is up (1) or not (0)', ({ state }) => (state === 'up' ? 1 : 0)),
  perSession('cpn_bfd_uptime_seconds', 'gauge', 'Time since a BFD session came up; 0 while it is not', ({ uptimeMs }) => (uptimeMs ?? 0) / 1000),
  perSession('cpn_bfd_detection_time_seconds', 'gauge', 'Silence after which a BFD session goes down', ({ detectionTimeMs }) => detectionTimeMs / 1000),
  perSession('cpn_bfd_flaps_total', 'counter', 'How often a BFD session was up and went down', ({ flaps }) => flaps),
  perSession('cpn_bfd_sent_total', 'counter', 'BFD packets sent', ({ counters }) => counters.sent),
  perSession('cpn_bfd_received_total', 'counter', 'BFD packets received', ({ counters }) => counters.received),
  perSession('cpn_bfd_authentication_failed_total', 'counter', 'BFD packets whose authentication was not accepted', ({ counters }) => counters.authenticationFailed),
];

function byState(sessions: readonly BfdSessionView[]): Sample[] {
  const counts = new Map<string, number>();
  for (const { state } of sessions) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, count]): Sample => [[state], count]);
}
