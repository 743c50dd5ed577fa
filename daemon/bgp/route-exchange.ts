/**
 * Exchange of routes with one peer: the two Adj-RIBs and what fills and empties them while a session is up: initial dump and
 * End-of-RIB, route refresh (RFC 2918, RFC 7313), a peer's graceful restart (RFC 4724 section 4.2), and writing at the pace at which
 * the peer reads.
 */
import { AdjRibIn, type PathChange } from './adj-rib-in.js';
import { identifierNumber } from './best-path.js';
import type { Connection } from './connection.js';
import type { Environment } from './environment.js';
import type { Negotiated } from './open.js';
import type { PathSource } from './path.js';
import { type FamilyRules, withExportRules, withImportRules } from './family-rules.js';
import { dependsOnCost, exporter, importer, isServiceRoute, type PeerPolicy } from './policy.js';
import { groupKey } from './group-key.js';
import type { GroupMember, GroupRules } from './update-group.js';
import { exportWithRole, importWithRole } from './role.js';
import { StaleRoutes } from './stale-routes.js';
import { encodeRouteRefresh } from './wire/encode.js';
import { encodeEndOfRib } from './wire/pack.js';
import { afiSafiOf, type FamilyName, familyOf, familyOfDestination } from './wire/families.js';
import { RouteRefreshSubtype, type Notification, type RouteRefreshMessage, type UpdateMessage } from './wire/types.js';

interface Session {
  readonly connection: Connection;
  readonly negotiated: Negotiated;
  readonly localAddress: string;
  readonly member: GroupMember;
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
  private readonly stale: StaleRoutes;

  constructor(
    private readonly environment: Environment,
    private readonly address: string,
    private policy: PeerPolicy,
    private readonly changed: (changes: readonly PathChange[]) => void,
  ) {
    this.source = this.sourceFor(undefined);
    this.adjRibIn = new AdjRibIn(this.source, this.importRules(''));
    this.stale = new StaleRoutes(environment.clock, this.adjRibIn, environment.stalePathMs, changed);
  }

  get adjRibOut(): GroupMember | undefined {
    return this.session?.member;
  }

  /** A full table is still being written, and its end is to be said. */
  get isDumping(): boolean {
    return this.session !== undefined && this.session.endOfRib.size + this.session.endOfRefresh.size > 0;
  }

  begin(connection: Connection, negotiated: Negotiated): void {
    const localAddress = connection.stream?.local.address ?? '';
    this.source = this.sourceFor(negotiated.identifier);
    this.adjRibIn.begin(this.source, this.importRules(localAddress));
    this.endOfRibReceived.clear();
    this.stale.sessionUp(negotiated);
    const member = this.environment.updateGroups.join(
      {
        address: this.address,
        connection,
        caughtUp: () => this.caughtUp(),
        report: (text) => this.environment.report(this.address, 'error', text),
      },
      this.groupRules(connection, negotiated, localAddress),
    );
    this.session = { connection, negotiated, localAddress, member, endOfRib: new Set(negotiated.families), endOfRefresh: new Set() };
  }

  /** The session is over, with this NOTIFICATION if there was one. A peer that can restart gracefully may keep its routes for a while. */
  end(notification: Notification | undefined): void {
    const negotiated = this.session?.negotiated;
    if (this.session) this.environment.updateGroups.leave(this.session.member);
    this.session = undefined;
    this.stale.sessionDown(negotiated, notification);
  }

  /** The way to a peer failed, whose routes are kept for its restart: they go. */
  abortRestart(): void {
    if (!this.session) this.stale.clear();
  }

  /** Forgets the peer: its routes go, its timers stop. */
  dispose(): void {
    this.end(undefined);
    this.stale.clear();
  }

  update(message: UpdateMessage): void {
    const { negotiated } = this.session ?? {};
    if (!negotiated) return;
    // Whole ms: a fraction would take memory of its own in every path.
    const now = Math.trunc(this.environment.clock.now());
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
    }
    this.changed(changes);
    if (!ended) return;
    this.stale.allAnnounced(ended);
    this.environment.deferral.endOfRib(this.address, ended);
  }

  routeRefresh(message: RouteRefreshMessage): void {
    const family = familyOf(message.family);
    const { session } = this;
    // RFC 2918 section 4: a family that was not negotiated is ignored.
    if (!session || !family || !session.negotiated.families.includes(family)) return;
    if (message.subtype === RouteRefreshSubtype.begin) this.stale.refreshBegins(family);
    else if (message.subtype === RouteRefreshSubtype.end) this.stale.allAnnounced(family);
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
    this.changed(this.adjRibIn.reimport(this.importRules(session?.localAddress ?? '')));
    if (!session) return;
    this.environment.updateGroups.setRules(session.member, this.groupRules(session.connection, session.negotiated, session.localAddress));
  }

  /** Writes what is waiting, as far as the streams of the group take it. */
  pump(): void {
    this.session?.member.group.pump();
  }

  private caughtUp(): void {
    const { locRib, deferral } = this.environment;
    if (this.session && locRib.pending === 0 && !deferral.holdsEndOfRib) this.finishDumps(this.session);
  }

  private groupRules(connection: Connection, negotiated: Negotiated, localAddress: string): GroupRules {
    const { policy } = this;
    return {
      key: groupKey(policy, negotiated, localAddress),
      exportRoute: this.exportRules(localAddress, negotiated),
      addPath: (family) => negotiated.addPathSend.includes(family),
      families: (family) => negotiated.families.includes(family),
      marksEvery: (family) => dependsOnCost(policy) || negotiated.addPathSend.includes(family),
      encode: connection.encodeContext,
      advertisementIntervalMs: policy.advertisementIntervalMs ?? 0,
    };
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
    this.session?.member.group.schedulePump();
  }

  private resend(session: Session, family: FamilyName): void {
    if (session.negotiated.enhancedRouteRefresh && !session.endOfRefresh.has(family)) {
      // RFC 7313 section 4.1: a refresh does not begin before the initial End-of-RIB.
      if (!session.endOfRib.has(family)) {
        this.sendRefresh(session, family, RouteRefreshSubtype.begin);
        session.endOfRefresh.add(family);
      }
    }
    this.environment.updateGroups.resend(session.member, family);
  }

  private importRules(localAddress: string): ReturnType<typeof importer> {
    return importWithRole(this.policy.role, this.policy.as, withImportRules(importer(this.environment.local, this.policy, localAddress), this.familyRules()));
  }

  private exportRules(localAddress: string, negotiated: Negotiated): ReturnType<typeof exporter> {
    const { local, resolve } = this.environment;
    return exportWithRole(this.policy.role, local.as, withExportRules(exporter(local, this.policy, localAddress, resolve), this.familyRules(negotiated)));
  }

  private familyRules(negotiated?: Negotiated): FamilyRules {
    const { kind, srv6 } = this.policy;
    return { kind, srv6, extendedNextHop: negotiated?.extendedNextHop ?? [], isService: (destination) => isServiceRoute(this.environment.local, destination) };
  }

  private sourceFor(identifier: string | undefined): PathSource {
    return { address: this.address, as: this.policy.as, kind: this.policy.kind, identifier: identifier === undefined ? 0 : identifierNumber(identifier), reflectorClient: this.policy.reflectorClient, srv6: this.policy.srv6 };
  }
}
