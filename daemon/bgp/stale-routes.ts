/**
 * The helper of a peer's graceful restart (RFC 4724 section 4.2, RFC 8538 section 4.1), and the bound on routes that a route refresh
 * left unconfirmed (RFC 7313 section 4.2): how long routes stay that the peer has not announced again.
 */
import type { Clock, Timer } from '../clock.js';
import type { AdjRibIn, PathChange } from './adj-rib-in.js';
import type { Negotiated } from './open.js';
import { FAMILY_NAMES, type FamilyName } from './wire/families.js';
import { hardResetContent } from './wire/notification.js';
import type { Notification } from './wire/types.js';

/**
 * Whether a session that ended with this NOTIFICATION, sent or received, or without one (undefined) leaves the peer's routes in place:
 * without one wherever the peer restarts gracefully (RFC 4724 section 4.2), with one only where both sides have said so, and not with a
 * Hard Reset (RFC 8538 section 4).
 */
export function keepsRoutes(negotiated: Negotiated | undefined, notification: Notification | undefined): boolean {
  const restart = negotiated?.gracefulRestart;
  if (!restart || restart.families.length === 0) return false;
  return notification === undefined || (restart.notification && hardResetContent(notification) === undefined);
}

export class StaleRoutes {
  /** The peer's restart time: the session has to be back by then. */
  private restartTimer: Timer | undefined;
  /** Upper bound from the loss of the session on; with RFC 8538 further restarts do not prolong it. */
  private staleTimer: Timer | undefined;
  private readonly refreshTimers = new Map<FamilyName, Timer>();

  constructor(
    private readonly clock: Clock,
    private readonly adjRibIn: AdjRibIn,
    /** How long stale routes are kept at most, ms. */
    private readonly limitMs: number,
    private readonly changed: (changes: readonly PathChange[]) => void,
  ) {}

  /** The session is over; `negotiated` is what it had. */
  sessionDown(negotiated: Negotiated | undefined, notification: Notification | undefined): void {
    this.stopRefreshTimers();
    const restart = negotiated?.gracefulRestart;
    if (!restart || !keepsRoutes(negotiated, notification)) {
      this.clear();
      return;
    }
    for (const family of FAMILY_NAMES) {
      // Without RFC 8538 what is stale since an earlier restart has had its time (RFC 4724 section 4.2).
      if (!restart.notification) this.changed(this.adjRibIn.sweep(family, true));
      this.changed(this.adjRibIn.markStale(family));
      if (!restart.families.includes(family)) this.sweep(family);
    }
    if (!restart.notification) this.stopStaleTimer();
    this.restartTimer?.cancel();
    this.restartTimer = this.clock.setTimeout(() => this.sweepAll(), restart.timeMs);
    this.staleTimer ??= this.clock.setTimeout(() => this.sweepAll(), this.limitMs);
  }

  /** A session is there: families whose forwarding the peer has not preserved, or does not name any more, lose their stale routes at once. */
  sessionUp(negotiated: Negotiated): void {
    this.restartTimer?.cancel();
    this.restartTimer = undefined;
    const preserved = negotiated.gracefulRestart?.preserved ?? [];
    for (const family of FAMILY_NAMES) if (!preserved.includes(family) || !negotiated.families.includes(family)) this.sweep(family);
    this.settle();
  }

  /** The peer begins to announce everything of a family again. */
  refreshBegins(family: FamilyName): void {
    this.adjRibIn.beginRefresh(family);
    this.refreshTimers.get(family)?.cancel();
    this.refreshTimers.set(family, this.clock.setTimeout(() => this.allAnnounced(family), this.limitMs));
  }

  /** The peer has announced everything of a family: by its End-of-RIB, or by the end of a refresh. */
  allAnnounced(family: FamilyName): void {
    this.refreshTimers.get(family)?.cancel();
    this.refreshTimers.delete(family);
    this.sweep(family);
    this.settle();
  }

  /** Removes all routes of the peer. */
  clear(): void {
    this.changed(this.adjRibIn.clear());
    this.stopRefreshTimers();
    this.restartTimer?.cancel();
    this.restartTimer = undefined;
    this.stopStaleTimer();
  }

  private sweep(family: FamilyName): void {
    this.changed(this.adjRibIn.sweep(family));
  }

  private sweepAll(): void {
    for (const family of FAMILY_NAMES) this.sweep(family);
    this.settle();
  }

  private settle(): void {
    if (this.adjRibIn.awaited > 0) return;
    this.stopStaleTimer();
    this.restartTimer?.cancel();
    this.restartTimer = undefined;
  }

  private stopStaleTimer(): void {
    this.staleTimer?.cancel();
    this.staleTimer = undefined;
  }

  private stopRefreshTimers(): void {
    for (const timer of this.refreshTimers.values()) timer.cancel();
    this.refreshTimers.clear();
  }
}
