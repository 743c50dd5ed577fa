/** What one router knows of ComNet by itself: its links, the ways it watches, and the computing behind its exits. Pure. */
import { GRADE_NAMES, nameOf } from '../../computing/names.js';
import type { Instance } from '../../computing/types.js';
import type { Candidate } from '../../rib/candidate.js';
import type { LinkReport } from '../link/links.js';
import type { WayReport } from '../path-monitor.js';
import type { PathDetail } from '../stamp/session.js';
import type { ComNetComputing, ComNetEdge, ComNetNode, ComNetPart } from './graph.js';

export interface OwnView {
  readonly router: { readonly loopback: string; readonly name: string };
  readonly links: readonly LinkReport[];
  readonly ways: readonly (WayReport & { readonly detail: PathDetail | undefined })[];
  readonly candidates: readonly Candidate[];
}

type Edge = Omit<ComNetEdge, 'weight'>;

export function ownComNet({ router, links, ways, candidates }: OwnView): ComNetPart {
  const self = router.loopback;
  const neighbourIds = neighboursThatAreExits(ways);
  const computing = new Map<string, ComNetComputing[]>([[self, []]]);
  for (const { exit } of ways.map(({ way }) => way)) if (!computing.has(exit)) computing.set(exit, []);
  for (const { exit, service, instance } of candidates) {
    const list = computing.get(exit) ?? [];
    computing.set(exit, list);
    list.push(computingOf(service, instance));
  }
  const nodes = [...computing].map(([id, list]): ComNetNode => ({ id, name: id === self ? router.name : undefined, kind: id === self ? 'self' : 'exit', computing: list }));
  const direct = links.filter(({ neighbour }) => neighbour !== undefined).map((link): Edge => linkEdge(self, neighbourIds.get(link.neighbour!) ?? link.neighbour!, link));
  return { nodes, edges: [...direct, ...ways.filter(({ way }) => way.exit !== self).map((way) => wayEdge(self, way))] };
}

/** The gateway of a plain way that no router forwards on is the exit at its end. */
function neighboursThatAreExits(ways: OwnView['ways']): Map<string, string> {
  const found = new Map<string, string>();
  for (const { way, gateway, detail } of ways) if (way.transit.length === 0 && gateway !== undefined && detail?.hops === 0) found.set(gateway, way.exit);
  return found;
}

function linkEdge(self: string, to: string, { interface: name, up, measurement, load }: LinkReport): Edge {
  const statistics = measurement?.answers ? measurement.statistics : undefined;
  return {
    from: self,
    to,
    kind: 'link',
    interface: name,
    via: [],
    up,
    delayUs: measurement?.detail.forwardUs ?? half(statistics?.rttUs),
    variationUs: statistics && measurement?.detail.variationUs,
    jitterUs: statistics?.jitterUs,
    lossPpm: statistics?.lossPpm,
    bandwidth: load?.bandwidth,
    sendRate: load?.sendRate,
    receiveRate: load?.receiveRate,
    utilisation: load?.utilisation,
  };
}

function wayEdge(self: string, { way, state, interface: name, detail }: OwnView['ways'][number]): Edge {
  const measured = state.rttUs !== undefined;
  return {
    from: self,
    to: way.exit,
    kind: 'way',
    interface: name,
    via: way.transit,
    up: state.alive && state.resolved,
    delayUs: detail?.forwardUs ?? half(state.rttUs),
    variationUs: detail?.variationUs,
    jitterUs: measured ? state.jitterUs : undefined,
    lossPpm: measured ? state.lossPpm : undefined,
    bandwidth: undefined,
    sendRate: undefined,
    receiveRate: undefined,
    utilisation: undefined,
  };
}

const half = (rttUs: number | undefined): number | undefined => (rttUs === undefined ? undefined : rttUs / 2);

function computingOf(service: string, { id, computing, load, grade, draining }: Instance): ComNetComputing {
  return {
    service,
    instance: id,
    grade: grade === undefined ? undefined : nameOf(GRADE_NAMES, grade),
    total: computing.reduce((sum, { total }) => sum + total, 0n),
    residual: computing.reduce((sum, { residual }) => sum + residual, 0n),
    utilisation: load && load.utilisation / 10_000,
    draining,
  };
}
