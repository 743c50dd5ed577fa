/** What one speaker's parts share. */
import type { BfdRegistrar } from '../bfd/types.js';
import type { Clock } from '../clock.js';
import type { NextHopResolver } from './best-path.js';
import type { LocRib } from './loc-rib.js';
import type { LocalSpeaker } from './policy.js';
import type { PolicyBook } from './policy/book.js';
import type { Taps } from './telemetry/tap.js';
import type { RestartDeferral } from './restart-deferral.js';
import type { Transport } from './transport.js';
import type { UpdateGroups } from './update-groups.js';
import type { FamilyName } from './wire/families.js';

/** Something an operator wants to hear of. */
export interface BgpEvent {
  readonly unixMs: number;
  /** Peer address; empty when it concerns the speaker itself. */
  readonly peer: string;
  readonly kind: 'state' | 'notification' | 'fault' | 'error';
  readonly text: string;
  /** The octets concerned, hexadecimal. */
  readonly raw: string | undefined;
}

export interface Environment {
  readonly clock: Clock;
  readonly transport: Transport;
  /** Undefined: neighbors with `bfd` are not watched. */
  readonly bfd: BfdRegistrar | undefined;
  readonly random: () => number;
  readonly local: LocalSpeaker;
  readonly families: readonly FamilyName[];
  /** Type code of the CPN attribute. */
  readonly attributeType: number;
  /** Advertised in the graceful restart capability, ms. */
  readonly restartTimeMs: number;
  /** How long routes stay at most that a restarted or refreshing peer has not announced again, ms. */
  readonly stalePathMs: number;
  /** What this router's own restart holds back. */
  readonly deferral: RestartDeferral;
  readonly resolve: NextHopResolver;
  readonly locRib: LocRib;
  /** The policies as configured now. */
  readonly policies: () => PolicyBook;
  /** Telemetry that looks on. */
  readonly taps: Taps;
  readonly updateGroups: UpdateGroups;
  readonly report: (peer: string, kind: BgpEvent['kind'], text: string, raw?: Uint8Array) => void;
}
