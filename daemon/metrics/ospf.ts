/** Metrics of OSPFv3. */
import type { OspfFacade, OspfNeighborEntry, OspfStatusView } from '../northbound/ospf.js';
import type { MetricDefinition, Sample } from './definition.js';

export type OspfMetricsSource = Pick<OspfFacade, 'status' | 'interfaces' | 'neighbors'>;

type Definition = MetricDefinition<OspfMetricsSource>;

const status = (name: string, type: Definition['type'], help: string, value: (view: OspfStatusView) => number): Definition => ({ name, help, type, labels: [], read: (source) => [[[], value(source.status())]] });

const perNeighbor = (name: string, type: Definition['type'], help: string, value: (entry: OspfNeighborEntry) => number): Definition => ({
  name,
  help,
  type,
  labels: ['interface', 'router_id'],
  read: (source) => source.neighbors(undefined).map((entry): Sample => [[entry.interface, entry.routerId], value(entry)]),
});

export const OSPF_METRICS: readonly Definition[] = [
  status('cpn_ospf_routers', 'gauge', 'Routers of the area that can be reached', ({ routers }) => routers),
  status('cpn_ospf_routes', 'gauge', 'Routes that OSPFv3 found', ({ routes }) => routes),
  status('cpn_ospf_protected_routes', 'gauge', 'Routes with a loop-free alternate or a repair list', ({ protectedRoutes }) => protectedRoutes),
  status('cpn_ospf_overloaded', 'gauge', 'Whether the link-state database outgrew its limit (1) or not (0)', ({ overloaded }) => (overloaded ? 1 : 0)),
  {
    name: 'cpn_ospf_lsas',
    help: 'LSAs in the link-state database, by type',
    type: 'gauge',
    labels: ['type'],
    read: (source) => Object.entries(source.status().lsasByType).map(([type, count]): Sample => [[type], count]),
  },
  {
    name: 'cpn_ospf_spf_runs_total',
    help: 'Route calculations: of the whole tree, of a part of it, of prefixes alone',
    type: 'counter',
    labels: ['kind'],
    read: (source) => {
      const { spfFull, spfIncremental, spfPartial } = source.status();
      return [[['full'], spfFull], [['incremental'], spfIncremental], [['partial'], spfPartial]];
    },
  },
  status('cpn_ospf_spf_last_seconds', 'gauge', 'How long the last route calculation took', ({ spfLastMs }) => (spfLastMs ?? 0) / 1000),
  {
    name: 'cpn_ospf_packets_total',
    help: 'Packets sent, received and dropped, by interface and what they were or why',
    type: 'counter',
    labels: ['interface', 'counter'],
    read: (source) => source.interfaces().flatMap(({ name, counters }) => Object.entries(counters).map(([counter, value]): Sample => [[name, counter], Number(value)])),
  },
];

export const OSPF_NEIGHBOR_METRICS: readonly Definition[] = [
  perNeighbor('cpn_ospf_neighbor_full', 'gauge', 'Whether a neighbor is Full (1) or not (0)', ({ state }) => (state === 'Full' ? 1 : 0)),
  perNeighbor('cpn_ospf_neighbor_state_changes_total', 'counter', 'Changes of the state of a neighbor', ({ stateChanges }) => stateChanges),
  perNeighbor('cpn_ospf_neighbor_retransmissions', 'gauge', 'LSAs that a neighbor has not acknowledged yet', ({ retransmissions }) => retransmissions),
];
