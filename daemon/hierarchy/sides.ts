/**
 * The two sides of a border router, and what keeps information and packets from going round (proto/WIRE.md section 5):
 *
 * - outward: the instances inside the edge network, told the outside by BGP as one aggregate instance a service;
 * - inward: the instances outside, told the inside by OSPFv3.
 *
 * What an aggregate is made of is what its SID chooses among, and the two sides have nothing in common: an exit is inside or it is not. Outward takes no
 * aggregate at all, so that a packet to an outward SID leaves for an instance; inward takes what BGP says of exits outside, whose aggregates are outward ones. So
 * a packet is rewritten twice at most, and nothing an edge network said of itself comes back to it as something of others.
 */
import type { Candidate } from '../rib/candidate.js';

export type Side = 'outward' | 'inward';
export const SIDES: readonly Side[] = ['outward', 'inward'];

/** Instance IDs of aggregates. The two never stand in one announcement, but a router may hear both. */
export const AGGREGATE_ID: Readonly<Record<Side, number>> = { outward: 0xffff_fffe, inward: 0xffff_ffff };

/** Where an exit is. */
export interface EdgeView {
  /** OSPFv3 holds an announcement of it. */
  isHeardByOspf(exit: string): boolean;
  /** Heard by OSPFv3, or said to be inside by the configuration. */
  isInside(exit: string): boolean;
}

/** The candidates of a service that the aggregate of a side stands for. Those of this router's own aggregates are none: the computing RIB holds no such. */
export function candidatesOf(side: Side, candidates: readonly Candidate[], view: EdgeView): Candidate[] {
  if (side === 'inward') return candidates.filter(({ source, exit }) => source === 'bgp' && !view.isInside(exit));
  return candidates.filter(({ source, exit, instance }) => !instance.aggregate && (source === 'local' || source === 'ospf' || (source === 'bgp' && view.isHeardByOspf(exit))));
}
