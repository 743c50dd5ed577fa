/** What telemetry reads of a speaker: its sessions, its tables, its counters, and a tap on what happens. */
import type { Clock } from '../../clock.js';
import type { Environment } from '../environment.js';
import type { RibEntry } from '../loc-rib.js';
import type { LocalSpeaker } from '../policy.js';
import type { Peer } from '../peer.js';
import { familyOfDestination, type FamilyName } from '../wire/families.js';
import type { NextHop, Nlri, PathAttributes } from '../wire/types.js';
import type { SessionTap, TappedSession } from './tap.js';

/** A route of an Adj-RIB. */
export interface AdjRoute extends Nlri {
  readonly nextHop: NextHop;
  readonly attributes: PathAttributes;
}

export interface PeerStatistics {
  readonly family: FamilyName;
  readonly received: number;
  readonly accepted: number;
  readonly sent: number;
  /** UPDATEs treated as withdraw (RFC 7606) since the start. */
  readonly treatAsWithdraw: number;
}

export class TelemetrySource {
  constructor(
    private readonly environment: Environment,
    private readonly peers: () => Iterable<Peer>,
  ) {}

  get clock(): Clock {
    return this.environment.clock;
  }

  get local(): LocalSpeaker {
    return this.environment.local;
  }

  /** Type code of the CPN attribute. */
  get attributeType(): number {
    return this.environment.attributeType;
  }

  /** Looks on from now; the answer ends it. */
  tap(tap: SessionTap): () => void {
    return this.environment.taps.add(tap);
  }

  /** All neighbours; `established` says whether the session is up. */
  *sessions(): Iterable<{ readonly session: TappedSession; readonly established: boolean }> {
    for (const peer of this.peers()) yield { session: peer.tapped(), established: peer.state === 'Established' };
  }

  /** What a peer announced, before the import policy or after it (rejected routes left out). */
  *adjRibIn(address: string, policy: 'pre' | 'post'): Iterable<AdjRoute> {
    for (const peer of this.peers()) {
      if (peer.address !== address) continue;
      for (const path of peer.exchange.adjRibIn.paths()) {
        if (policy === 'pre') yield { ...path, attributes: path.received ?? path.attributes };
        else if (path.rejected === undefined) yield path;
      }
    }
  }

  /** What a peer has been told. */
  *adjRibOut(address: string): Iterable<AdjRoute> {
    for (const peer of this.peers()) if (peer.address === address) yield* peer.exchange.adjRibOut?.told() ?? [];
  }

  locRib(): Iterable<RibEntry> {
    return this.environment.locRib.entries();
  }

  get locRibSize(): number {
    return this.environment.locRib.size;
  }

  /** Routes of a neighbour by family. */
  *statistics(address: string): Iterable<PeerStatistics> {
    for (const peer of this.peers()) {
      if (peer.address !== address) continue;
      const { exchange, counters } = peer;
      const { families } = peer.tapped();
      for (const family of families) {
        const sent = families.length === 1 ? (exchange.adjRibOut?.size ?? 0) : count(exchange.adjRibOut?.told() ?? [], family);
        yield { family, ...exchange.adjRibIn.countsOf(family), sent, treatAsWithdraw: counters.treatAsWithdraw };
      }
    }
  }
}

function count(routes: Iterable<Nlri>, family: FamilyName): number {
  let found = 0;
  for (const { prefix } of routes) if (familyOfDestination(prefix) === family) found++;
  return found;
}
