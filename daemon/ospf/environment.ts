/** What the parts of one OSPFv3 instance see of each other. */
import type { Clock } from '../clock.js';
import type { OspfEvent } from './events.js';
import type { Flooding } from './flooding.js';
import type { GraceHelper } from './grace-helper.js';
import type { GraceRestarter } from './grace-restarter.js';
import type { OspfInterface } from './interface.js';
import type { Lsdb } from './lsdb.js';
import type { Neighbor } from './neighbor.js';
import type { OspfTransport } from './transport.js';

export interface OspfEnvironment {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly transport: OspfTransport;
  readonly routerId: number;
  readonly areaId: number;
  /** LS type of computing LSAs. */
  readonly cpnLsType: number;
  readonly lsdb: Lsdb;
  readonly flooding: Flooding;
  readonly grace: GraceHelper;
  /** Undefined: this router restarts without grace. */
  readonly restarter: GraceRestarter | undefined;
  interfaces(): Iterable<OspfInterface>;
  event(event: OspfEvent): void;
  /** Told before anything else is done about it. */
  neighborLost(neighbor: Neighbor, reason: string): void;
  neighborFull(neighbor: Neighbor): void;
  /** Something that own LSAs say may have changed. */
  topologyChanged(): void;
  /** Sequence number of the next Authentication Trailer, above all before it. */
  nextAuthenticationSequence(): bigint;
}
