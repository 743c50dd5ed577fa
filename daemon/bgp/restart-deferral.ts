/**
 * The restarting speaker (RFC 4724 section 4.1): after a restart that left forwarding in place, routes are selected and announced only
 * when every peer has sent its table, or when the Selection_Deferral_Timer expires; and no End-of-RIB leaves before this router's own
 * routes are complete, since a helper takes what is missing then for gone.
 */
import type { Clock, Timer } from '../clock.js';
import type { Negotiated } from './open.js';
import type { FamilyName } from './wire/families.js';

export interface DeferralOptions {
  readonly clock: Clock;
  /** Forwarding state of an earlier run is in place. */
  readonly restarting: boolean;
  /** Own routes are not complete until `ownRoutesComplete` says so. */
  readonly awaitsOwnRoutes: boolean;
  /** Selection_Deferral_Timer, ms; own routes are awaited no longer either. */
  readonly limitMs: number;
  /** How long neighbours may keep our routes, ms: a restart is none any more after that. */
  readonly restartTimeMs: number;
  /** Selection or End-of-RIB may go on. */
  readonly released: () => void;
  readonly report: (text: string) => void;
}

export class RestartDeferral {
  /** Peers whose tables are awaited; undefined while their session is not up. */
  private readonly awaited = new Map<string, Set<FamilyName> | undefined>();
  private readonly startedAt: number;
  private readonly timer: Timer;
  private selects: boolean;
  private ownComplete: boolean;

  constructor(private readonly options: DeferralOptions) {
    this.startedAt = options.clock.now();
    this.selects = !options.restarting;
    this.ownComplete = !options.awaitsOwnRoutes;
    this.timer = options.clock.setTimeout(() => {
      this.ownRoutesComplete();
      this.select('the selection deferral time is over');
    }, options.limitMs);
  }

  /** Routes are not selected yet. */
  get defersSelection(): boolean {
    return !this.selects;
  }

  /** End-of-RIB must wait. */
  get holdsEndOfRib(): boolean {
    return !this.selects || !this.ownComplete;
  }

  /** Sessions that come up now are the first after a restart, and the forwarding state of the earlier run is still there. */
  get isRestart(): boolean {
    return this.options.restarting && this.options.clock.now() - this.startedAt < this.options.restartTimeMs;
  }

  /** All peers there are at the start, by address. */
  begin(peers: readonly string[]): void {
    if (this.selects) return;
    for (const peer of peers) this.awaited.set(peer, undefined);
    this.check();
  }

  /** RFC 4724 section 4.1: peers that restart themselves, and those that do not know graceful restart, are not waited for. */
  sessionUp(peer: string, { gracefulRestart, families }: Negotiated): void {
    if (!this.awaited.has(peer)) return;
    if (!gracefulRestart || gracefulRestart.restarting) this.awaited.delete(peer);
    else this.awaited.set(peer, new Set(families));
    this.check();
  }

  sessionDown(peer: string): void {
    if (this.awaited.has(peer)) this.awaited.set(peer, undefined);
  }

  endOfRib(peer: string, family: FamilyName): void {
    const families = this.awaited.get(peer);
    families?.delete(family);
    if (families?.size === 0) this.peerGone(peer);
  }

  /** The peer is not waited for any more: it has sent all, or is not configured or is shut down now. */
  peerGone(peer: string): void {
    this.awaited.delete(peer);
    this.check();
  }

  ownRoutesComplete(): void {
    if (this.ownComplete) return;
    this.ownComplete = true;
    this.released();
  }

  stop(): void {
    this.timer.cancel();
  }

  private check(): void {
    if (this.awaited.size === 0) this.select('every peer has sent its table');
  }

  private select(why: string): void {
    if (this.selects) return;
    this.selects = true;
    this.awaited.clear();
    this.options.report(`route selection begins after the restart: ${why}`);
    this.released();
  }

  private released(): void {
    if (this.selects && this.ownComplete) this.timer.cancel();
    this.options.released();
  }
}
