/**
 * BFD of a router: one session a peer, however many clients watch it; packets find their session by discriminator, else by interface and
 * source (RFC 5880 section 6.3, RFC 5881 section 3), of multihop sessions by source and destination (RFC 5883 section 4).
 */
import { isDeepStrictEqual } from 'node:util';
import type { Clock, Timer } from '../clock.js';
import { describeDiagnostic } from './diagnostic.js';
import { fastestProfile } from './profiles.js';
import { BfdSession } from './session.js';
import { SOURCE_PORTS, type ArrivedPacket, type BfdTransport, type Channel } from './transport.js';
import type { BfdConfig, BfdHandle, BfdListener, BfdProfile, BfdRegistrar, BfdRequest, BfdSessionView, BfdTransition, BfdVerdict, BfdView } from './types.js';
import { decodeControl, type BfdState, type ControlPacket } from './wire/packet.js';

export interface BfdServiceOptions {
  readonly clock: Clock;
  readonly transport: BfdTransport;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly config: BfdConfig;
  readonly report: (event: BfdEvent) => void;
}

export interface BfdEvent {
  readonly type: 'state' | 'error';
  readonly severity: 'info' | 'warning';
  readonly text: string;
  readonly fields: Readonly<Record<string, string | number>>;
}

interface Client {
  readonly request: BfdRequest;
  readonly listener: BfdListener;
  /** What it was told last. */
  told: BfdVerdict | undefined;
}

interface Watched {
  readonly session: BfdSession;
  readonly peer: string;
  readonly interface: string | undefined;
  readonly localAddress: string | undefined;
  readonly multihop: boolean;
  sourcePort: number;
  readonly clients: Set<Client>;
  readonly history: BfdTransition[];
  profile: BfdProfile;
  channel: Channel | undefined;
  /** Where the peer's packets go to. */
  seenLocal: string | undefined;
  flaps: number;
  changedAt: number;
  error: string | undefined;
  /** Runs while a session without clients says goodbye. */
  goodbye: Timer | undefined;
}

/** Changes of state that a session remembers. */
const HISTORY = 16;
/** RFC 5880 section 6.8.16: AdminDown is said for a Detection Time, which is three slow intervals for most. */
const GOODBYE_MS = 3500;
/** RFC 5881 section 5. */
const HOP_LIMIT = 255;

export class BfdService implements BfdRegistrar {
  private config: BfdConfig;
  private readonly sessions = new Set<Watched>();
  private readonly byDiscriminator = new Map<number, Watched>();
  /** By address of the peer. */
  private readonly byPeer = new Map<string, Set<Watched>>();
  private readonly discards: Record<string, number> = {};
  private nextPort: number = SOURCE_PORTS.first;
  private isListening = false;

  constructor(private readonly options: BfdServiceOptions) {
    this.config = options.config;
  }

  register(request: BfdRequest, listener: BfdListener): BfdHandle {
    const client: Client = { request, listener, told: undefined };
    const watched = this.find(request) ?? this.create(request);
    if (!watched) return { unregister: () => undefined };
    watched.clients.add(client);
    this.revive(watched);
    this.follow(watched);
    this.options.clock.setTimeout(() => this.tell(watched), 0);
    return { unregister: () => this.unregister(watched, client) };
  }

  /** Other profiles; sessions take theirs over while they run. */
  configure(config: BfdConfig): void {
    this.config = config;
    for (const watched of this.sessions) this.follow(watched);
  }

  /** Says on every session that BFD is switched off, and ends. */
  close(): void {
    for (const watched of [...this.sessions]) {
      for (const client of watched.clients) watched.clients.delete(client);
      watched.session.adminDown();
      this.remove(watched);
    }
    this.options.transport.close();
  }

  view(): BfdView {
    return { sessions: [...this.sessions].filter(({ clients }) => clients.size > 0).map((watched) => this.viewOf(watched)), discards: { ...this.discards } };
  }

  /** A session that this client can share: of the same peer and kind, and not on another interface. */
  private find({ peer, interface: device, localAddress, multihop }: BfdRequest): Watched | undefined {
    for (const watched of this.byPeer.get(peer) ?? []) {
      if (watched.multihop !== multihop) continue;
      if (multihop ? watched.localAddress === localAddress : watched.interface === undefined || device === undefined || watched.interface === device) return watched;
    }
    return undefined;
  }

  private create(request: BfdRequest): Watched | undefined {
    const { clock, transport, report } = this.options;
    const { peer, interface: device, localAddress, multihop } = request;
    if (this.sessions.size >= this.config.maxSessions) {
      report({ type: 'error', severity: 'warning', text: `no BFD session with ${peer} for ${request.client}: there are ${this.config.maxSessions} (bfd.maxSessions)`, fields: { peer } });
      return undefined;
    }
    if (!this.isListening) {
      this.isListening = true;
      transport.listen({ received: (packet) => this.received(packet), failed: (text) => report({ type: 'error', severity: 'warning', text, fields: {} }) });
    }
    const profile = this.profileOf(request);
    const session = new BfdSession(this.freeDiscriminator(), profile, {
      clock,
      random: this.options.random,
      send: (octets) => this.send(watched, octets),
      drain: () => transport.drain(),
      changed: (from) => this.changed(watched, from),
    });
    const watched: Watched = {
      session,
      peer,
      interface: device,
      localAddress,
      multihop,
      sourcePort: this.freePort(),
      clients: new Set(),
      history: [],
      profile,
      channel: undefined,
      seenLocal: undefined,
      flaps: 0,
      changedAt: clock.now(),
      error: undefined,
      goodbye: undefined,
    };
    this.sessions.add(watched);
    this.byDiscriminator.set(session.discriminator, watched);
    this.byPeer.set(peer, (this.byPeer.get(peer) ?? new Set()).add(watched));
    session.start();
    return watched;
  }

  /** RFC 5880 section 6.8.1: unique and not 0; at random, so that a restarted router is not taken for what it was. */
  private freeDiscriminator(): number {
    for (;;) {
      const value = 1 + Math.floor(this.options.random() * 0xffff_ffff);
      if (!this.byDiscriminator.has(value)) return value;
    }
  }

  private freePort(): number {
    const used = new Set([...this.sessions].map(({ sourcePort }) => sourcePort));
    while (used.has(this.nextPort)) this.nextPort = this.nextPort === SOURCE_PORTS.last ? SOURCE_PORTS.first : this.nextPort + 1;
    const port = this.nextPort;
    this.nextPort = port === SOURCE_PORTS.last ? SOURCE_PORTS.first : port + 1;
    return port;
  }

  private profileOf({ profile }: BfdRequest): BfdProfile {
    const { profiles } = this.config;
    return (Object.hasOwn(profiles, profile) ? profiles[profile] : undefined) ?? profiles['default']!;
  }

  /** Takes the profile that the clients want together. */
  private follow(watched: Watched): void {
    if (watched.clients.size === 0) return;
    const profile = fastestProfile([...watched.clients].map(({ request }) => this.profileOf(request)));
    if (isDeepStrictEqual(profile, watched.profile)) return;
    watched.profile = profile;
    watched.session.configure(profile);
  }

  private unregister(watched: Watched, client: Client): void {
    if (!watched.clients.delete(client)) return;
    if (watched.clients.size > 0) {
      this.follow(watched);
      return;
    }
    watched.session.adminDown();
    watched.goodbye = this.options.clock.setTimeout(() => this.remove(watched), GOODBYE_MS);
  }

  /** A client came while the session said goodbye. */
  private revive(watched: Watched): void {
    if (!watched.goodbye) return;
    watched.goodbye.cancel();
    watched.goodbye = undefined;
    watched.session.start();
  }

  private remove(watched: Watched): void {
    watched.goodbye?.cancel();
    watched.session.stop();
    watched.channel?.close();
    this.sessions.delete(watched);
    this.byDiscriminator.delete(watched.session.discriminator);
    const ofPeer = this.byPeer.get(watched.peer);
    ofPeer?.delete(watched);
    if (ofPeer?.size === 0) this.byPeer.delete(watched.peer);
  }

  private send(watched: Watched, octets: Uint8Array): boolean {
    let failure: string | undefined;
    try {
      watched.channel ??= this.options.transport.open(watched);
      failure = watched.channel.send(octets);
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
      // Somebody else's socket may have this one.
      watched.sourcePort = this.freePort();
    }
    if (failure !== undefined && watched.session.state !== 'up') {
      // The interface or the address may be another one by the next time; while the session is up its socket stays what it is.
      watched.channel?.close();
      watched.channel = undefined;
    }
    watched.error = failure;
    return failure === undefined;
  }

  private discard(reason: string): void {
    this.discards[reason] = (this.discards[reason] ?? 0) + 1;
  }

  private received(arrived: ArrivedPacket): void {
    const decoded = decodeControl(arrived.data);
    if (!decoded.ok) {
      this.discard(decoded.fault);
      return;
    }
    const watched = this.demultiplex(arrived, decoded.packet);
    if (!watched) {
      this.discard('no session');
      return;
    }
    const { session } = watched;
    // RFC 5881 section 5: what came over a router is no packet of a neighbor.
    if (!arrived.multihop && (arrived.hopLimit !== HOP_LIMIT || (watched.interface !== undefined && watched.interface !== arrived.interface))) {
      session.counters.refused++;
      this.discard(arrived.hopLimit === HOP_LIMIT ? 'interface' : 'hop limit');
      return;
    }
    if (!session.receive(decoded.packet, decoded.octets)) {
      this.discard('not authentic');
      return;
    }
    watched.seenLocal = arrived.destination;
  }

  private demultiplex({ source, destination, interface: device, multihop }: ArrivedPacket, { yourDiscriminator }: ControlPacket): Watched | undefined {
    if (yourDiscriminator !== 0) {
      const watched = this.byDiscriminator.get(yourDiscriminator);
      return watched?.multihop === multihop ? watched : undefined;
    }
    for (const watched of this.byPeer.get(source) ?? []) {
      if (watched.multihop !== multihop) continue;
      if (multihop ? watched.localAddress === undefined || watched.localAddress === destination : watched.interface === undefined || watched.interface === device) return watched;
    }
    return undefined;
  }

  private changed(watched: Watched, from: BfdState): void {
    const { clock, report } = this.options;
    const { session, peer, history } = watched;
    const { state } = session;
    if (state !== from) {
      const diagnostic = describeDiagnostic(session.diagnostic);
      if (from === 'up') watched.flaps++;
      watched.changedAt = clock.now();
      history.push({ at: clock.unixMs(), state, diagnostic });
      if (history.length > HISTORY) history.shift();
      const isFault = from === 'up' && state === 'down' && session.remote.state !== 'adminDown';
      const why = session.diagnostic === 0 ? '' : ` (${diagnostic})`;
      report({ type: 'state', severity: isFault ? 'warning' : 'info', text: `${peer}: ${from} -> ${state}${why}`, fields: { peer, state, diagnostic: session.diagnostic } });
    }
    this.tell(watched);
  }

  /** Tells each client the verdict where it is another one; an end is one only of what was up. */
  private tell(watched: Watched): void {
    const { session } = watched;
    if (session.state === 'adminDown') return;
    const { remote } = session;
    const verdict: BfdVerdict = session.state === 'up' ? 'up' : remote.discriminator !== 0 && remote.state === 'adminDown' ? 'adminDown' : 'down';
    const change = { diagnostic: session.diagnostic, at: this.options.clock.unixMs(), controlPlaneIndependent: session.peerIndependent };
    for (const client of [...watched.clients]) {
      if (client.told === verdict || (verdict === 'down' && client.told !== 'up')) continue;
      client.told = verdict;
      client.listener(verdict, change);
    }
  }

  private viewOf({ session, peer, interface: device, localAddress, multihop, clients, history, profile, seenLocal, flaps, changedAt, error }: Watched): BfdSessionView {
    const { remote, state } = session;
    const stateMs = this.options.clock.now() - changedAt;
    const isHeard = remote.discriminator !== 0;
    return {
      peer,
      interface: device,
      local: localAddress ?? seenLocal,
      multihop,
      state,
      stateMs,
      remoteState: remote.state,
      diagnostic: describeDiagnostic(session.diagnostic),
      remoteDiagnostic: describeDiagnostic(remote.diagnostic),
      discriminator: session.discriminator,
      remoteDiscriminator: remote.discriminator,
      profile: profile.name,
      clients: [...new Set([...clients].map(({ request }) => request.client))].sort(),
      multiplier: profile.multiplier,
      remoteMultiplier: remote.multiplier,
      transmitIntervalMs: session.transmitIntervalUs / 1000,
      receiveIntervalMs: isHeard ? session.receiveIntervalUs / 1000 : 0,
      detectionTimeMs: session.detectionTimeMs,
      remoteMinTxMs: remote.minTxUs / 1000,
      remoteMinRxMs: isHeard ? remote.minRxUs / 1000 : 0,
      demand: remote.demand,
      controlPlaneIndependent: session.peerIndependent,
      passive: profile.passive,
      authentication: profile.authentication?.type,
      flaps,
      uptimeMs: state === 'up' ? stateMs : undefined,
      counters: { ...session.counters },
      history: [...history],
      error,
    };
  }
}
