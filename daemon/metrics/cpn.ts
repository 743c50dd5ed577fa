/** Metrics of the computing side: services, candidates, announcements, flows, paths, telemetry itself. */
import type { PathState } from '../rib/candidate.js';
import type { MetricDefinition, Sample } from './definition.js';

/** What the metrics read of a router. */
export interface CpnMetricsSource {
  info(): { readonly name: string; readonly version: string; readonly loopback: string };
  uptimeMs(): number;
  services(): number;
  candidates(): number;
  advertisements(): number;
  policies(): number;
  pinnedFlows(): number;
  routes(): number;
  /** Counters of dataplane, steering and STAMP, by name. */
  counters(): Readonly<Record<string, bigint>>;
  /** Own instances: health, draining, announced. */
  instances(): Iterable<{ readonly service: string; readonly instance: number; readonly up: boolean; readonly announced: boolean }>;
  announcements(): { readonly sent: number; readonly urgent: number; readonly delayedByBudget: number };
  /** Watched ways to exits; `transit` are the SIDs in between. */
  ways(): Iterable<{ readonly way: { readonly exit: string; readonly transit: readonly string[] }; readonly state: PathState }>;
  bmp(): Iterable<{ readonly station: string; readonly connected: boolean; readonly messages: number; readonly givenUp: number }>;
  mrt(): { readonly written: number; readonly dropped: number } | undefined;
  /** Computing nodes that registered; undefined: none may. */
  registration(): { readonly nodes: Readonly<Record<string, number>>; readonly counters: Readonly<Record<string, bigint>> } | undefined;
  /** Events by topic and severity since the start. */
  events(): Iterable<readonly [topic: string, severity: string, count: number]>;
}

type Definition = MetricDefinition<CpnMetricsSource>;

const single = (name: string, type: Definition['type'], help: string, value: (source: CpnMetricsSource) => number): Definition => ({ name, help, type, labels: [], read: (source) => [[[], value(source)]] });

const perPath = (name: string, help: string, value: (state: PathState) => number | undefined): Definition => ({
  name,
  help,
  type: 'gauge',
  labels: ['exit', 'via'],
  read: (source) =>
    [...source.ways()].flatMap(({ way: { exit, transit }, state }): Sample[] => {
      const found = value(state);
      return found === undefined ? [] : [[[exit, transit.join(' ')], found]];
    }),
});

export const CPN_METRICS: readonly Definition[] = [
  {
    name: 'cpn_router_info',
    help: 'This router, in the labels; always 1',
    type: 'gauge',
    labels: ['name', 'version', 'loopback'],
    read: (source) => {
      const { name, version, loopback } = source.info();
      return [[[name, version, loopback], 1]];
    },
  },
  single('cpn_uptime_seconds', 'gauge', 'Time since the daemon started', (source) => source.uptimeMs() / 1000),
  single('cpn_rib_services', 'gauge', 'Services in the computing RIB', (source) => source.services()),
  single('cpn_rib_candidates', 'gauge', 'Candidates in the computing RIB', (source) => source.candidates()),
  single('cpn_rib_advertisements', 'gauge', 'Advertisements held, those that do not count included', (source) => source.advertisements()),
  single('cpn_policies', 'gauge', 'Policies in the FIB', (source) => source.policies()),
  single('cpn_pinned_flows', 'gauge', 'Flows pinned to a policy', (source) => source.pinnedFlows()),
  single('cpn_unicast_routes', 'gauge', 'Prefixes of the unicast RIB', (source) => source.routes()),
  { name: 'cpn_events_total', help: 'Events of the event log', type: 'counter', labels: ['topic', 'severity'], read: (source) => [...source.events()].map(([topic, severity, count]): Sample => [[topic, severity], count]) },
  {
    name: 'cpn_internal_total',
    help: 'Counters of dataplane, steering and STAMP, as show status names them',
    type: 'counter',
    labels: ['counter'],
    read: (source) => Object.entries(source.counters()).map(([name, value]): Sample => [[name], Number(value)]),
  },
  {
    name: 'cpn_instance_up',
    help: 'Health of an own instance (1 up, 0 down)',
    type: 'gauge',
    labels: ['service', 'instance'],
    read: (source) => [...source.instances()].map(({ service, instance, up }): Sample => [[service, String(instance)], up ? 1 : 0]),
  },
  {
    name: 'cpn_instance_announced',
    help: 'Whether an own instance is announced (1) or not (0)',
    type: 'gauge',
    labels: ['service', 'instance'],
    read: (source) => [...source.instances()].map(({ service, instance, announced }): Sample => [[service, String(instance)], announced ? 1 : 0]),
  },
  single('cpn_announcements_total', 'counter', 'Announcements of own services, withdrawals included', (source) => source.announcements().sent),
  single('cpn_announcements_urgent_total', 'counter', 'Announcements that waited for nothing: up, down, draining, another SID', (source) => source.announcements().urgent),
  single('cpn_announcements_delayed_total', 'counter', 'Looks at a service whose announcement had to wait for the budget', (source) => source.announcements().delayedByBudget),
  perPath('cpn_path_alive', 'Whether an exit answers (1) or not (0)', ({ alive }) => (alive ? 1 : 0)),
  perPath('cpn_path_rtt_seconds', 'Round trip to an exit', ({ rttUs }) => (rttUs === undefined ? undefined : rttUs / 1e6)),
  perPath('cpn_path_jitter_seconds', 'Delay variation of the way to an exit', ({ jitterUs }) => jitterUs / 1e6),
  perPath('cpn_path_loss_ratio', 'Loss on the way to an exit, 0..1', ({ lossPpm }) => lossPpm / 1e6),
  { name: 'cpn_registered_nodes', help: 'Computing nodes that registered, by state', type: 'gauge', labels: ['state'], read: (source) => Object.entries(source.registration()?.nodes ?? {}).map(([state, count]): Sample => [[state], count]) },
  {
    name: 'cpn_registration_total',
    help: 'What registered nodes did, and what was refused or limited of it, as show computing nodes names it',
    type: 'counter',
    labels: ['counter'],
    read: (source) => Object.entries(source.registration()?.counters ?? {}).map(([name, count]): Sample => [[name], Number(count)]),
  },
  { name: 'cpn_bmp_connected', help: 'Whether a BMP station is connected (1) or not (0)', type: 'gauge', labels: ['station'], read: (source) => [...source.bmp()].map(({ station, connected }): Sample => [[station], connected ? 1 : 0]) },
  { name: 'cpn_bmp_messages_total', help: 'BMP messages sent', type: 'counter', labels: ['station'], read: (source) => [...source.bmp()].map(({ station, messages }): Sample => [[station], messages]) },
  { name: 'cpn_bmp_given_up_total', help: 'BMP connections ended because the station did not read', type: 'counter', labels: ['station'], read: (source) => [...source.bmp()].map(({ station, givenUp }): Sample => [[station], givenUp]) },
  { name: 'cpn_mrt_records_total', help: 'MRT records of updates', type: 'counter', labels: ['outcome'], read: (source) => Object.entries(source.mrt() ?? {}).map(([outcome, count]): Sample => [[outcome], count]) },
];
