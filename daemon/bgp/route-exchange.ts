/**
 * Exchange of routes with one peer: the two Adj-RIBs and what fills and empties them while a session is up: initial dump and
 * End-of-RIB, route refresh (RFC 2918, RFC 7313), a peer's graceful restart (RFC 4724 section 4.2), and writing at the pace at which
 * the peer reads.
 */
import type { Timer } from '../clock.js';
import { AdjRibIn, type PathChange } from './adj-rib-in.js';
import { AdjRibOut, type AnnouncementGroup } from './adj-rib-out.js';
import { identifierNumber } from './best-path.js';
import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import type { RibEntry } from './loc-rib.js';
import type { Negotiated } from './open.js';
import type { PathSource } from './path.js';
import { dependsOnCost, exporter, importer, type PeerPolicy } from './policy.js';
import { encodeRouteRefresh } from './wire/encode.js';
import { encodeEndOfRib, packAnnouncements, packWithdrawals } from './wire/pack.js';
import { afiSafiOf, type FamilyName, FAMILY_NAMES, familyOf, familyOfDestination } from './wire/families.js';
import { RouteRefreshSubtype, type EncodeContext, type Notification, type RouteRefreshMessage, type UpdateMessage } from './wire/types.js';

/** Octets queued on the stream above which nothing more is written. */
const outputHigh = 256 * 1024;
/** Prefixes worked out before others get their turn. */
const outputSlice = 500;

interface Session {
  readonly connection: Connection;
  readonly negotiated: Negotiated;
  readonly localAddress: string;
  readonly encode: EncodeContext;
  readonly out: AdjRibOut;
  /** Families whose End-of-RIB, or end of refresh, is to follow what is waiting now. */
  readonly endOfRib: Set<FamilyName>;
  readonly endOfRefresh: Set<FamilyName>;
}

export class RouteExchange {
  readonly adjRibIn: AdjRibIn;
  /** Families whose End-of-RIB the peer has sent in this session. */
  readonly endOfRibReceived = new Set<FamilyName>();
  private session: Session | undefined;
  private source: PathSource;
  private sweepTimer: Timer | undefined;
  private pumpTimer: Timer | undefined;

  constructor(
    private readonly environment: Environment,
    private readonly address: string,
    private policy: PeerPolicy,
    private readonly changed: (changes: readonly PathChange[]) => void,
  ) {
    this.source = this.sourceFor(undefined);
    this.adjRibIn = new AdjRibIn(this.source, importer(environment.local, policy, ''));
  }

  get adjRibOut(): AdjRibOut | undefined {
    return this.session?.out;
  }

  /** A full table is still being written, and its end is to be said. */
  get isDumping(): boolean {
    return this.session !== undefined && this.session.endOfRib.size + this.session.endOfRefresh.size > 0;
  }

  begin(connection: Connection, negotiated: Negotiated): void {
    const localAddress = connection.stream?.local.address ?? '';
    const { local, resolve, locRib } = this.environment;
    this.source = this.sourceFor(negotiated.identifier);
    this.adjRibIn.begin(this.source, importer(local, this.policy, localAddress));
    this.endOfRibReceived.clear();
    this.keepOnlyPreserved(negotiated);
    const out = new AdjRibOut({
      peer: this.address,
      exportRoute: exporter(local, this.policy, localAddress, resolve),
      addPath: (family) => negotiated.addPathSend.includes(family),
      families: (family) => negotiated.families.includes(family),
      resolve,
    });
    for (const entry of locRib.entries()) out.mark(entry);
    const endOfRib = new Set<FamilyName>(negotiated.families);
    this.session = { connection, negotiated, localAddress, encode: connection.encodeContext, out, endOfRib, endOfRefresh: new Set() };
    this.schedulePump();
  }

  /** The session is over. Without a NOTIFICATION a peer that can restart gracefully keeps its routes for its restart time. */
  end(notification: Notification | undefined): void {
    const restart = notification ? undefined : this.session?.negotiated.gracefulRestart;
    this.session = undefined;
    this.pumpTimer?.cancel();
    this.pumpTimer = undefined;
    this.sweepTimer?.cancel();
    this.sweepTimer = undefined;
    if (!restart || restart.preserved.length === 0) {
      this.changed(this.adjRibIn.clear());
      return;
    }
    for (const family of FAMILY_NAMES) {
      // What is stale since an earlier restart has had its time (RFC 4724 section 4.2).
      this.changed(this.adjRibIn.sweep(family, true));
      this.changed(this.adjRibIn.markStale(family));
      if (!restart.preserved.includes(family)) this.changed(this.adjRibIn.sweep(family));
    }
    this.sweepAfter(restart.timeMs);
  }

  /** Forgets the peer: its routes go, its timers stop. */
  dispose(): void {
    this.end({ code: 6, subcode: 0, data: new Uint8Array(0) });
  }

  update(message: UpdateMessage): void {
    const { negotiated } = this.session ?? {};
    if (!negotiated) return;
    const now = this.environment.clock.now();
    const changes: PathChange[] = [];
    const add = (change: PathChange | undefined): void => {
      if (change) changes.push(change);
    };
    for (const nlri of message.withdrawn) if (negotiated.families.includes(familyOfDestination(nlri.prefix))) add(this.adjRibIn.withdraw(nlri));
    for (const { family, nextHop, nlri } of message.announced) {
      const name = familyOf(family);
      if (!name || !negotiated.families.includes(name) || !message.attributes) continue;
      for (const item of nlri) add(this.adjRibIn.announce(item, nextHop, message.attributes, now));
    }
    const ended = message.endOfRib && familyOf(message.endOfRib);
    if (ended) {
      this.endOfRibReceived.add(ended);
      this.environment.report(this.address, 'state', `End-of-RIB of ${ended} received`);
      changes.push(...this.adjRibIn.sweep(ended));
    }
    this.changed(changes);
  }

  routeRefresh(message: RouteRefreshMessage): void {
    const family = familyOf(message.family);
    const { session } = this;
    // RFC 2918 section 4: a family that was not negotiated is ignored.
    if (!session || !family || !session.negotiated.families.includes(family)) return;
    if (message.subtype === RouteRefreshSubtype.begin) this.adjRibIn.beginRefresh(family);
    else if (message.subtype === RouteRefreshSubtype.end) this.changed(this.adjRibIn.sweep(family));
    else if (message.subtype === RouteRefreshSubtype.request) this.resend(session, family);
  }

  /** Asks the peer for all its routes; false when it cannot be asked. */
  requestRefresh(): boolean {
    const { session } = this;
    if (!session?.negotiated.routeRefresh) return false;
    for (const family of session.negotiated.families) {
      this.sendRefresh(session, family, RouteRefreshSubtype.request);
    }
    return true;
  }

  /** Sends the peer everything again, as if it had asked. */
  refreshPeer(): void {
    const { session } = this;
    if (session) for (const family of session.negotiated.families) this.resend(session, family);
  }

  /** Applies other import and export rules to what is there, without touching the session. */
  setPolicy(policy: PeerPolicy): void {
    this.policy = policy;
    const { session } = this;
    const { local, locRib, resolve } = this.environment;
    this.changed(this.adjRibIn.reimport(importer(local, policy, session?.localAddress ?? '')));
    if (!session) return;
    session.out.setExport(exporter(local, policy, session.localAddress, resolve));
    for (const entry of locRib.entries()) session.out.mark(entry);
    this.schedulePump();
  }

  /** A prefix was decided anew. */
  mark(entry: RibEntry, bestChanged: boolean): void {
    const { session } = this;
    if (!session || (!bestChanged && !session.negotiated.addPathSend.includes(familyOfDestination(entry.prefix)) && !dependsOnCost(this.policy))) return;
    session.out.mark(entry);
    this.schedulePump();
  }

  /** Writes what is waiting, as far as the stream takes it. */
  pump(): void {
    this.pumpTimer?.cancel();
    this.pumpTimer = undefined;
    const { session } = this;
    if (!session || (session.connection.stream?.buffered ?? Infinity) > outputHigh) return;
    const { withdrawn, announced } = session.out.take(outputSlice);
    const updates: Uint8Array[] = [];
    for (const family of session.negotiated.families) {
      const nlri = withdrawn.filter(({ prefix }) => familyOfDestination(prefix) === family);
      updates.push(...packWithdrawals(afiSafiOf(family), nlri, session.encode));
    }
    for (const group of announced) updates.push(...this.packGroup(session, group));
    session.connection.send('update', ...updates);
    if (session.out.pending > 0) this.schedulePump();
    else if (this.environment.locRib.pending === 0) this.finishDumps(session);
  }

  private packGroup(session: Session, { attributes, nextHop, nlri, family }: AnnouncementGroup): Uint8Array[] {
    const updates = packAnnouncements({ family: afiSafiOf(family), nextHop, nlri }, attributes, session.encode);
    if (updates) return updates;
    // RFC 8654 section 4: routes that fit no message of this peer are withdrawn from it.
    session.out.forget(nlri);
    this.environment.report(this.address, 'error', `${nlri.length} routes not announced, ${nlri[0]!.prefix.toString()} among them: their attributes are too long for the peer`);
    return packWithdrawals(afiSafiOf(family), nlri, session.encode);
  }

  private finishDumps(session: Session): void {
    for (const family of session.endOfRib) session.connection.send('update', encodeEndOfRib(afiSafiOf(family)));
    session.endOfRib.clear();
    for (const family of session.endOfRefresh) this.sendRefresh(session, family, RouteRefreshSubtype.end);
    session.endOfRefresh.clear();
  }

  private sendRefresh(session: Session, family: FamilyName, subtype: number): void {
    session.connection.send('routeRefresh', encodeRouteRefresh(afiSafiOf(family), subtype));
  }

  /** Soon, together with other changes of the same turn. */
  schedulePump(): void {
    this.pumpTimer ??= this.environment.clock.setTimeout(() => this.pump(), 0);
  }

  private resend(session: Session, family: FamilyName): void {
    if (session.negotiated.enhancedRouteRefresh && !session.endOfRefresh.has(family)) {
      // RFC 7313 section 4.1: a refresh does not begin before the initial End-of-RIB.
      if (!session.endOfRib.has(family)) {
        this.sendRefresh(session, family, RouteRefreshSubtype.begin);
        session.endOfRefresh.add(family);
      }
    }
    session.out.resend(family);
    for (const entry of this.environment.locRib.entries()) if (familyOfDestination(entry.prefix) === family) session.out.mark(entry);
    this.schedulePump();
  }

  /** RFC 4724 section 4.2: families the restarted peer does not list with preserved forwarding lose their stale routes at once. */
  private keepOnlyPreserved(negotiated: Negotiated): void {
    this.sweepTimer?.cancel();
    this.sweepTimer = undefined;
    const restart = negotiated.gracefulRestart;
    for (const family of FAMILY_NAMES) if (!restart?.preserved.includes(family) || !negotiated.families.includes(family)) this.changed(this.adjRibIn.sweep(family));
    if (restart && this.adjRibIn.awaited > 0) this.sweepAfter(restart.timeMs);
  }

  private sweepAfter(ms: number): void {
    this.sweepTimer = this.environment.clock.setTimeout(() => {
      this.sweepTimer = undefined;
      for (const family of FAMILY_NAMES) this.changed(this.adjRibIn.sweep(family));
    }, ms);
  }

  private sourceFor(identifier: string | undefined): PathSource {
    return { address: this.address, as: this.policy.as, kind: this.policy.kind, identifier: identifier === undefined ? 0 : identifierNumber(identifier), reflectorClient: this.policy.reflectorClient };
  }
}
