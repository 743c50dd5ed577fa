/** What a case works with: sessions of all kinds, prefixes of its own, and judgements on what is seen. All ends with the case. */
import { connectTcp, Doorway, type ConnectOptions } from './connect.js';
import { type Identity, Peer, type Route, usualCapabilities } from './peer.js';
import { AddressPool, type Profile, profiles, type Target, testerAs } from './target.js';
import { fail, inconclusive, notApplicable, verify } from './verdict.js';
import { address, type Bytes, join, MessageType, nlri, toHex, update } from './wire/build.js';
import { asPath, localPref, mpReach, mpUnreach, nextHop, origin } from './wire/attributes.js';

/** How long an answer may take, ms. Speakers answer within milliseconds; the rest is for a busy machine. */
export const answerMs = 4000;
/** How long a session may take to come up, with the pauses that a target makes between attempts, ms. */
const sessionMs = 10_000;

export type Overrides = Partial<Identity> & { readonly extraCapabilities?: readonly Bytes[]; readonly socket?: Partial<ConnectOptions> };

export interface RouteOptions {
  readonly asPath?: readonly number[];
  readonly pathId?: number;
  /** Further attributes behind the mandatory ones. */
  readonly extra?: readonly Bytes[];
  readonly origin?: number;
  readonly nextHop?: string;
  readonly localPref?: number;
}

/** What all cases of a run share. */
export class Bench {
  private readonly pools: ReadonlyMap<Profile, AddressPool>;
  private readonly sizes: ReadonlyMap<Profile, number>;
  private prefixes = 0;
  private identifiers = 0;

  constructor(readonly target: Target) {
    this.pools = new Map(profiles.map((profile) => [profile, new AddressPool(target.sources[profile] ?? [])]));
    this.sizes = new Map(profiles.map((profile) => [profile, target.sources[profile]?.length ?? 0]));
  }

  pool(profile: Profile): { readonly pool: AddressPool; readonly size: number } {
    return { pool: this.pools.get(profile)!, size: this.sizes.get(profile)! };
  }

  nextPrefix(): number {
    return this.prefixes++;
  }

  nextIdentifier(): string {
    this.identifiers++;
    return `10.200.${(this.identifiers >> 8) & 0xff}.${this.identifiers & 0xff}`;
  }
}

export class Tester {
  private readonly held: { readonly profile: Profile; readonly address: string }[] = [];
  private readonly peers: Peer[] = [];
  private readonly doorways: Doorway[] = [];

  constructor(private readonly bench: Bench) {}

  get target(): Target {
    return this.bench.target;
  }

  /** The family of the session's own addresses: its routes need no second address. */
  get family(): '1/1' | '2/1' {
    return this.target.address.includes(':') ? '2/1' : '1/1';
  }

  /** A prefix that no other case uses. */
  prefix(family: string = this.family): string {
    const index = this.bench.nextPrefix();
    if (family === '2/1') return `2001:db8:${(0x1000 + index).toString(16)}::/48`;
    return `198.${18 + ((index >> 12) & 1)}.${(index >> 4) & 0xff}.${(index & 15) * 16}/28`;
  }

  /** A service address inside the service prefix that no other case uses. */
  service(): string {
    return `${this.target.servicePrefix.split('/')[0]!}${(0x1000 + this.bench.nextPrefix()).toString(16)}/128`;
  }

  identity(profile: Profile, { extraCapabilities = [], ...overrides }: Overrides = {}): Identity {
    const as = testerAs(this.target, profile);
    return { as, identifier: this.bench.nextIdentifier(), holdTime: 90, capabilities: [...usualCapabilities(as), ...extraCapabilities], ...overrides };
  }

  /** An address of a kind of neighbour, this case's own until it ends. */
  async lease(profile: Profile): Promise<string> {
    const { pool, size } = this.bench.pool(profile);
    if (size === 0) return notApplicable(`the target has no neighbour of the kind ${profile}`);
    if (this.held.filter((entry) => entry.profile === profile).length >= size) notApplicable(`the target has ${size} neighbours of the kind ${profile}, the case needs more`);
    const leased = await pool.take();
    this.held.push({ profile, address: leased });
    return leased;
  }

  /** A connection of the tester's own making; no message has been sent. A string says why there is none. */
  async dial(local: string, identity: Identity, socket: Partial<ConnectOptions> = {}): Promise<Peer | string> {
    const { address: remote, port } = this.target;
    const connected = await connectTcp({ local, remote, port, timeoutMs: 3000, ...socket });
    return typeof connected === 'string' ? connected : this.adopt(new Peer(connected, local, identity));
  }

  adopt(peer: Peer): Peer {
    this.peers.push(peer);
    return peer;
  }

  /** A listener on the port of BGP, for targets that connect. */
  async doorway(local: string): Promise<Doorway> {
    const opened = await Doorway.open(local, 179);
    if (typeof opened === 'string') return inconclusive(`the tester cannot listen on port 179: ${opened}`);
    this.doorways.push(opened);
    return opened;
  }

  /**
   * A connection on which the target's OPEN has come (the target is in OpenSent). Targets refuse neighbours for a while after a session that
   * failed, so it is tried again.
   */
  async openSent(profile: Profile, overrides: Overrides = {}, local?: string): Promise<Peer> {
    const source = local ?? (await this.lease(profile));
    const identity = this.identity(profile, overrides);
    return this.retried(async () => {
      const peer = await this.dial(source, identity, overrides.socket);
      if (typeof peer === 'string') return peer;
      await peer.until(() => peer.open !== undefined || peer.isClosed, 2000);
      return peer.open !== undefined ? peer : `no OPEN came (${peer.lastSeen()})`;
    });
  }

  /** The target has our OPEN and waits for KEEPALIVE (OpenConfirm). */
  async openConfirm(profile: Profile, overrides: Overrides = {}, local?: string): Promise<Peer> {
    const source = local ?? (await this.lease(profile));
    return this.retried(async () => {
      const peer = await this.openSent(profile, overrides, source);
      peer.sendOpen();
      const answer = await peer.until(() => peer.received.find(({ type }) => type === MessageType.keepalive) ?? (peer.isClosed ? 'closed' : undefined), answerMs);
      return answer !== undefined && answer !== 'closed' ? peer : `our OPEN was not accepted (${peer.lastSeen()})`;
    });
  }

  /** A session that is up. Inconclusive when there is none in time. */
  async established(profile: Profile, overrides: Overrides = {}, local?: string): Promise<Peer> {
    const peer = await this.openConfirm(profile, overrides, local);
    peer.keepAlive();
    return peer;
  }

  /** A session that the case says must come up: it fails when the OPEN is refused. */
  async accepted(profile: Profile, overrides: Overrides = {}, openOverrides: Parameters<Peer['sendOpen']>[0] = {}, local?: string): Promise<Peer> {
    const peer = await this.openSent(profile, overrides, local);
    peer.sendOpen(openOverrides);
    await this.confirmed(peer);
    return peer;
  }

  /** Our OPEN was sent: the case says that it must be answered by KEEPALIVE. */
  async confirmed(peer: Peer): Promise<void> {
    await peer.until(() => peer.isClosed || peer.received.some(({ type }) => type === MessageType.keepalive), answerMs);
    verify(peer.received.some(({ type }) => type === MessageType.keepalive), `the OPEN was not answered by KEEPALIVE: ${peer.lastSeen()}`);
    peer.keepAlive();
  }

  private async retried(attempt: () => Promise<Peer | string>): Promise<Peer> {
    const end = performance.now() + sessionMs;
    for (let pause = 50; ; pause = Math.min(1000, pause * 2)) {
      const result = await attempt();
      if (typeof result !== 'string') return result;
      if (performance.now() > end) return inconclusive(`no session: ${result}`);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  /** One UPDATE that announces routes, right in every way, in the family of the first prefix. */
  announcement(peer: Peer, prefixes: readonly string[], options: RouteOptions = {}): Bytes {
    const internal = peer.identity.as === this.target.as;
    const path = options.asPath ?? (internal ? [] : [peer.identity.as]);
    const attributes = [origin(options.origin ?? 0), asPath(path, peer.asSize)];
    const isV6 = prefixes[0]!.includes(':');
    const list = join(...prefixes.map((prefix) => nlri(prefix, options.pathId)));
    const hop = options.nextHop ?? this.nextHopFor(peer, isV6);
    if (!isV6) attributes.push(nextHop(hop));
    if (internal) attributes.push(localPref(options.localPref ?? 100));
    attributes.push(...(options.extra ?? []));
    if (!isV6) return update({ attributes: join(...attributes), reachable: list });
    return update({ attributes: join(mpReach({ afi: 2, safi: 1, nextHop: address(hop), nlri: list }), ...attributes) });
  }

  withdrawal(prefixes: readonly string[], pathId?: number): Bytes {
    const list = join(...prefixes.map((prefix) => nlri(prefix, pathId)));
    return prefixes[0]!.includes(':') ? update({ attributes: mpUnreach(2, 1, list) }) : update({ withdrawn: list });
  }

  /** The tester's own address, as a next hop of the family. */
  nextHopFor(peer: Peer, isV6: boolean): string {
    if (isV6 === peer.local.includes(':')) return peer.local;
    return isV6 ? notApplicable('IPv6 routes need a session over IPv6') : (this.target.nextHop4 ?? notApplicable('no IPv4 next hop of the tester is known (--next-hop4)'));
  }

  requireFamily(peer: Peer, family: string): void {
    if (!peer.offersFamily(family) && !(family === '1/1' && peer.offered(1) === undefined)) notApplicable(`the target does not offer AFI/SAFI ${family}`);
  }

  require(condition: boolean, what: string): void {
    if (!condition) notApplicable(what);
  }

  /** Waits for a route at a collector that `matches`; inconclusive (a precondition) or, by `otherwise`, something else when it does not come. */
  async arrives(collector: Peer, prefix: string, what: string, matches: (route: Route) => boolean = () => true, otherwise: (text: string) => never = inconclusive): Promise<Route> {
    const route = await collector.until(() => collector.paths(prefix).find(matches), answerMs);
    if (route) return route;
    const held = collector.route(prefix);
    return otherwise(`${what}: ${held ? `the collector has another route: ${routeText(held)}` : `the collector has no route to ${prefix}`}; ${collector.fault ?? ''}`);
  }

  /** As `arrives`, where the case is about the arrival itself. */
  mustArrive(collector: Peer, prefix: string, what: string, matches?: (route: Route) => boolean): Promise<Route> {
    return this.arrives(collector, prefix, what, matches, fail);
  }

  /** Waits until a route is gone at a collector; fails when it stays. */
  async mustGo(collector: Peer, prefix: string, what: string, timeoutMs = answerMs): Promise<void> {
    const gone = await collector.until(() => collector.route(prefix) === undefined, timeoutMs);
    verify(gone !== undefined, `${what}: the collector still has ${prefix}`);
  }

  /**
   * Waits until everything that `feeder` has sent has gone through the target to `collector`: two marker routes one after the other, since a
   * target may send what it learns in another order, but not the second before it has seen all that came before the first. False when the
   * session of the feeder ended meanwhile.
   */
  async settled(feeder: Peer, collector: Peer, options: RouteOptions = {}): Promise<boolean> {
    for (let round = 0; round < 2; round++) {
      const marker = this.prefix();
      feeder.send(this.announcement(feeder, [marker], options));
      const ended = new Promise<void>((resolve) => void feeder.until(() => feeder.isClosed, answerMs).then(() => resolve()));
      await Promise.race([collector.until(() => collector.route(marker) !== undefined || collector.isClosed, answerMs), ended]);
      if (feeder.isClosed) return false;
      if (collector.route(marker) === undefined) inconclusive(`a marker route did not get from ${feeder.local} to ${collector.local}: feeder has ${feeder.lastSeen()}; collector ${collector.isClosed ? 'closed' : 'open'}`);
    }
    return true;
  }

  /** Expects a NOTIFICATION and then the end of the connection (RFC 4271 section 6: "the BGP connection is closed"). */
  async expectNotification(peer: Peer, code: number, subcodes: number | readonly number[] | undefined, { data, timeoutMs = answerMs }: { readonly data?: Bytes | ((data: Bytes) => boolean); readonly timeoutMs?: number } = {}): Promise<void> {
    await peer.until(() => peer.notification !== undefined || peer.isClosed, timeoutMs);
    const got = peer.notification;
    if (!got) return fail(peer.isClosed ? `the connection was closed without NOTIFICATION; before: ${peer.lastSeen()}` : `no NOTIFICATION within ${timeoutMs} ms; before: ${peer.lastSeen()}`);
    const wanted = subcodes === undefined || typeof subcodes === 'number' ? subcodes : subcodes.join(' or ');
    const fits = got.code === code && (subcodes === undefined || (typeof subcodes === 'number' ? got.subcode === subcodes : subcodes.includes(got.subcode)));
    verify(fits, `expected NOTIFICATION ${code}/${wanted ?? 'any'}, got ${got.text}`);
    if (typeof data === 'function') verify(data(got.data), `the data field is wrong: ${got.text}`);
    else if (data) verify(toHex(got.data) === toHex(data), `expected data ${toHex(data)}, got ${got.text}`);
    await peer.until(() => peer.isClosed, answerMs);
    verify(peer.isClosed, `the connection stays open after ${got.text}`);
  }

  /** Expects that the session goes on: a NOTIFICATION or the end of the connection is a failure. */
  expectAlive(peer: Peer, what: string): void {
    verify(!peer.isClosed && !peer.notification, `${what}: the session ended: ${peer.notification?.text ?? 'closed without NOTIFICATION'}`);
  }

  /** Routes of a feeder reach a collector: the session is well. */
  async expectWell(feeder: Peer, collector: Peer, what: string, options: RouteOptions = {}): Promise<void> {
    const well = await this.settled(feeder, collector, options);
    verify(well, `${what}: the session ended: ${feeder.notification?.text ?? 'closed without NOTIFICATION'}`);
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
  }

  /** Ends all sessions and gives the addresses back. */
  async end(): Promise<void> {
    for (const peer of this.peers) peer.close();
    for (const doorway of this.doorways) doorway.close();
    await Promise.all(this.peers.map((peer) => peer.until(() => peer.isClosed, 1000)));
    for (const { profile, address: leased } of this.held) this.bench.pool(profile).pool.give(leased);
  }
}

/** Attributes of a route for a report. */
export const routeText = ({ prefix, pathId, attributes }: Route): string =>
  `${prefix}${pathId === undefined ? '' : ` (path ${pathId})`} {${[...attributes].map(([type, { flags, value }]) => `${type}: ${flags.toString(16)} ${toHex(value).slice(0, 48)}`).join(', ')}}`;

