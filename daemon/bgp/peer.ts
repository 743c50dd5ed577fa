/**
 * One configured neighbour: its connections, of which two may exist for a moment (RFC 4271 section 6.8), and the routes exchanged
 * over the one that wins.
 */
import type { BfdChange } from '../bfd/types.js';
import type { Timer } from '../clock.js';
import type { BgpNeighborConfig, PrefixLimitConfig } from '../config/types.js';
import type { CpnEvent } from '../computing/block.js';
import type { PathChange } from './adj-rib-in.js';
import { identifierNumber } from './best-path.js';
import { Connection, type ConnectionHandlers, type ConnectionOptions } from './connection.js';
import { Counters } from './counters.js';
import type { Environment } from './environment.js';
import type { FsmContext, StateName } from './fsm.js';
import type { OpenOptions } from './open.js';
import { PeerBfd } from './peer-bfd.js';
import { peerPolicy } from './peer-policy.js';
import { maximumPrefixesNotification, PrefixLimits } from './prefix-limits.js';
import { RouteExchange } from './route-exchange.js';
import type { SessionEnd, TappedSession } from './telemetry/tap.js';
import type { Stream } from './transport.js';
import type { FamilyName } from './wire/families.js';
import { encodeNotification } from './wire/encode.js';
import { cease, ceaseWithCommunication, CeaseSubcode, describeNotification, hardReset } from './wire/notification.js';
import type { Fault, Notification, OpenMessage } from './wire/types.js';

/** Faults of one CPN block that are named in its event. */
const REPORTED_CPN_EVENTS = 8;
/**
 * How long a TCP connection attempt may take, ms: less than the ConnectRetryTimer at its shortest (RFC 4271 section 10: 0.75 of its value),
 * which would end the attempt without a reason.
 */
const connectTimeoutMs = (connectRetryMs: number): number => Math.min(5000, Math.floor(connectRetryMs * 0.7));
const idleHold = { initialMs: 1000, maximumMs: 60_000 };
/** Cease subcodes that are sent as a Hard Reset (RFC 8538 section 5.1, RFC 9384 section 3). */
const hardSubcodes: ReadonlySet<number> = new Set([
  CeaseSubcode.maximumPrefixes,
  CeaseSubcode.administrativeShutdown,
  CeaseSubcode.peerDeconfigured,
  CeaseSubcode.administrativeReset,
  CeaseSubcode.bfdDown,
]);
/** A second connection within this time of a session coming up is a late collision, not a restart of the peer, ms. */
const collisionWindowMs = 5000;

/** States of a connection on which OPEN went out. */
const hasOpened = (state: StateName): boolean => state === 'OpenSent' || state === 'OpenConfirm' || state === 'Established';

export interface LastError {
  readonly unixMs: number;
  readonly direction: 'sent' | 'received' | 'local';
  readonly text: string;
  readonly code: number | undefined;
  readonly subcode: number | undefined;
}

interface PeerHandlers {
  pathsChanged(changes: readonly PathChange[]): void;
  /** `isIdle` has become true. */
  idle(): void;
}

export class Peer {
  readonly counters = new Counters();
  readonly exchange: RouteExchange;
  /** Times the session has been established. */
  establishedCount = 0;
  /** When the session came up or went down last, ms of the injected clock. */
  changedAt: number;
  lastError: LastError | undefined;
  readonly bfd: PeerBfd;
  private readonly limits: PrefixLimits;
  /** Down, or about to be, for more routes than the peer may send; the timer ends the session and later the time it stays down. */
  private isOverLimit = false;
  private limitTimer: Timer | undefined;
  /** The operator's words of a shutdown that lasts; empty without words, undefined when there is none. */
  shutdownText: string | undefined;
  private primary: Connection;
  private second: Connection | undefined;
  private readonly connectionOptions: ConnectionOptions;
  private readonly handlers: ConnectionHandlers;
  private lastTapped: { readonly connection: Connection; readonly negotiated: Connection['negotiated']; readonly session: TappedSession } | undefined;

  constructor(
    public config: BgpNeighborConfig,
    private readonly environment: Environment,
    private readonly peerHandlers: PeerHandlers,
    /** Nobody configured it: it connected from a range. */
    readonly dynamic = false,
  ) {
    const { clock, transport, attributeType, local, random, restartTimeMs, deferral } = environment;
    const isFirstAfterRestart = (): boolean => this.establishedCount === 0 && deferral.isRestart;
    const isPreserved = (): boolean => this.establishedCount > 0 || deferral.isRestart;
    const { passive, connectRetryMs, delayOpenMs = 0, strictRole = false } = config;
    const fsm: FsmContext = { passive, connectRetryMs, delayOpenMs, idleHold, notificationWithoutOpen: true, random };
    const open: OpenOptions = {
      localAs: local.as,
      peerAs: config.as,
      identifier: local.identifier,
      holdTimeMs: config.holdTimeMs,
      families: config.families ?? environment.families,
      addPath: config.addPath,
      gracefulRestart: {
        timeMs: restartTimeMs,
        get restarting() {
          return isFirstAfterRestart();
        },
        get preserved() {
          return isPreserved();
        },
      },
      role: config.role,
      strictRole,
    };
    const { ttl, minimumTtl, password } = config;
    const connect = { local: config.localAddress, remote: { address: config.address, port: config.port }, ttl, minimumTtl, password, timeoutMs: connectTimeoutMs(config.connectRetryMs) };
    this.connectionOptions = { clock, transport, fsm, connect, open, attributeType, counters: this.counters };
    this.limits = new PrefixLimits(config.maxPrefix ?? {}, {
      warn: (text) => environment.report(this.address, 'error', text),
      exceeded: (family, limit) => this.limitExceeded(family, limit),
    });
    this.bfd = new PeerBfd(environment.bfd, { down: (change) => this.bfdDown(change), allowed: () => this.bfdAllows() });
    this.exchange = new RouteExchange(environment, config.address, peerPolicy(config, local.as, environment.policies()), (changes) => {
      if (changes.length === 0) return;
      peerHandlers.pathsChanged(changes);
      this.limits.count(changes);
      if (this.isIdle) peerHandlers.idle();
    });
    this.handlers = this.connectionHandlers();
    this.primary = new Connection(this.connectionOptions, this.handlers);
    this.changedAt = clock.now();
  }

  get address(): string {
    return this.config.address;
  }

  get state(): StateName {
    return this.primary.state.name;
  }

  /** No connection, and no routes kept from the last one. */
  get isIdle(): boolean {
    return (this.state === 'Idle' || this.state === 'Active') && !this.second && !this.isOverLimit && this.shutdownText === undefined && this.exchange.adjRibIn.received === 0;
  }

  /** The connection that counts: the established one, or the one that is tried. */
  get connection(): Connection {
    return this.primary;
  }

  /** What this side offers in OPEN. */
  get openOptions(): OpenOptions {
    return this.connectionOptions.open;
  }

  /** Takes a configuration that differs in policy and description only. */
  configure(config: BgpNeighborConfig): void {
    this.config = config;
    this.exchange.setPolicy(peerPolicy(config, this.environment.local.as, this.environment.policies()));
    this.limits.configure(config.maxPrefix ?? {});
    if (this.shutdownText === undefined) this.bfd.watch(config);
  }

  start(): void {
    this.forgetLimit();
    this.shutdownText = undefined;
    this.bfd.watch(this.config);
    if (this.bfd.allowsSession) this.primary.event({ type: 'ManualStart' });
  }

  /** BFD is what a strict neighbor waited for. */
  private bfdAllows(): void {
    if (this.primary.state.stopped && !this.isOverLimit) this.primary.event({ type: 'ManualStart' });
  }

  /**
   * The way to the peer failed: the session ends at once (RFC 9384 section 3). Routes kept for a restart of the peer stay, because its restart
   * may be what silenced BFD, unless the peer's BFD outlives its control plane (RFC 5882 section 4.3); ours never restarts while it looks on.
   */
  private bfdDown({ controlPlaneIndependent }: BfdChange): void {
    if (controlPlaneIndependent) this.exchange.abortRestart();
    const notification = this.cease(cease(CeaseSubcode.bfdDown));
    if (this.bfd.allowsSession) {
      for (const connection of [this.second, this.primary]) if (connection && hasOpened(connection.state.name)) connection.event({ type: 'AutomaticStop', notification });
    } else {
      this.end(notification);
    }
  }

  /** Ends the session with Administrative Shutdown and perhaps the operator's words (RFC 9003); it stays down until it is started again. */
  stop(text = ''): void {
    this.forgetLimit();
    this.bfd.stop();
    this.shutdownText = text;
    this.end(this.cease(ceaseWithCommunication(CeaseSubcode.administrativeShutdown, text)));
    this.exchange.dispose();
    this.environment.deferral.peerGone(this.address);
  }

  /** Closes without a NOTIFICATION, so that a peer that knows graceful restart keeps our routes (RFC 4724 section 4.1). */
  stopGracefully(): void {
    this.forgetLimit();
    this.bfd.stop();
    this.second?.dispose();
    this.primary.dispose();
    this.exchange.dispose();
  }

  /** Ends the session with a Cease subcode and perhaps the operator's words (RFC 9003); it comes back by itself. */
  reset(subcode: number, text = ''): void {
    const plain = subcode === CeaseSubcode.administrativeReset ? ceaseWithCommunication(subcode, text) : cease(subcode);
    const notification = this.cease(plain);
    this.second?.event({ type: 'AutomaticStop', notification });
    this.primary.event({ type: 'AutomaticStop', notification });
  }

  /** Ends what there is of the session; nothing but a start brings it back. */
  private end(notification: Notification): void {
    this.second?.event({ type: 'ManualStop', notification });
    this.primary.event({ type: 'ManualStop', notification });
  }

  /** RFC 8538 section 5.1: what ends a session for long, or is to clear it, is a Hard Reset to a peer that would keep our routes otherwise. */
  private cease(notification: Notification): Notification {
    const { state, negotiated } = this.primary;
    const isHard = hardSubcodes.has(notification.subcode) && state.name === 'Established' && negotiated?.gracefulRestart?.notification === true;
    return isHard ? hardReset(notification) : notification;
  }

  /**
   * More routes than the peer may send: the session ends, once what is being handled is done, and comes back after a while, or when the
   * operator clears it.
   */
  private limitExceeded(family: FamilyName, { limit, action, restartAfterMs }: PrefixLimitConfig): void {
    const { clock, report } = this.environment;
    if (this.isOverLimit) return;
    this.isOverLimit = true;
    this.limitTimer = clock.setTimeout(() => {
      this.end(this.cease(maximumPrefixesNotification(family, limit)));
      report(this.address, 'error', `more than ${limit} routes: ${action === 'restart' ? `down for ${restartAfterMs / 1000} s` : 'down until it is cleared'}`);
      if (action === 'restart') this.limitTimer = clock.setTimeout(() => this.start(), restartAfterMs);
    }, 0);
  }

  private forgetLimit(): void {
    this.isOverLimit = false;
    this.limitTimer?.cancel();
    this.limitTimer = undefined;
  }

  /** By the operator, perhaps with some words: resets the session, or starts one that is down for its number of routes. */
  clear(text = ''): void {
    if (this.isOverLimit && this.primary.state.stopped) this.start();
    else this.reset(CeaseSubcode.administrativeReset, text);
  }

  /** The session goes for good: by default because the neighbour is not configured any more. */
  remove(subcode: number = CeaseSubcode.peerDeconfigured): void {
    this.reset(subcode);
    this.stop();
  }

  /** A connection from the peer's address. */
  accept(stream: Stream): void {
    if (this.primary.state.stopped && !this.bfd.allowsSession) {
      // Without a word: a NOTIFICATION would make the peer wait longer with every attempt.
      stream.close();
      return;
    }
    switch (this.primary.state.name) {
      case 'Idle':
      case 'Active':
        this.primary.accept(stream);
        return;
      case 'Established':
        if (this.isRestart()) {
          // RFC 4724 section 5: the peer has lost the old connection, without a word of it.
          this.primary.event({ type: 'TcpFailed' });
          this.primary.accept(stream);
          return;
        }
        break;
      default:
    }
    this.second?.event({ type: 'CollisionDump' });
    this.second = Connection.incoming(this.connectionOptions, this.handlers);
    this.second.accept(stream);
  }

  private isRestart(): boolean {
    const established = this.environment.clock.now() - this.changedAt;
    return this.primary.negotiated?.gracefulRestart !== undefined && established > collisionWindowMs;
  }

  private connectionHandlers(): ConnectionHandlers {
    const { report, clock, taps, deferral } = this.environment;
    return {
      stateChanged: (connection, from) => this.stateChanged(connection, from),
      survivesCollision: (connection, open) => this.survivesCollision(connection, open),
      sessionUp: (connection, negotiated) => {
        this.establishedCount++;
        this.changedAt = clock.now();
        this.exchange.begin(connection, negotiated);
        if (taps.active) taps.up(this.tapped(connection));
        deferral.sessionUp(this.address, negotiated);
      },
      sessionDown: (connection, notification) => {
        this.changedAt = clock.now();
        if (taps.active) taps.down(this.tapped(connection), this.sessionEnd(notification));
        this.exchange.end(notification);
        deferral.sessionDown(this.address);
      },
      update: (message, raw) => {
        if (message.disposition === 'treatAsWithdraw') this.counters.treatAsWithdraw++;
        else if (message.disposition === 'attributeDiscard') this.counters.attributeDiscard++;
        for (const fault of message.faults) this.reportFault(fault, raw);
        if (taps.active && message.faults.length > 0) taps.faulty(this.tapped(this.primary), raw);
        const { cpn } = message.attributes ?? {};
        if (cpn && cpn.events.length > 0) report(this.address, 'fault', describeCpnEvents(cpn.events), cpn.value);
        this.exchange.update(message);
      },
      routeRefresh: (message) => this.exchange.routeRefresh(message),
      notification: (direction, notification) => this.notified(direction, notification),
      fault: (fault, raw) => this.reportFault(fault, raw),
      failed: (reason) => this.failed(reason),
      drained: () => this.exchange.pump(),
      isTapped: () => taps.active,
      message: (connection, direction, raw) => taps.message(this.tapped(connection), direction, raw),
    };
  }

  /** An attempt of ours or of the peer did not become a connection, or the connection broke. */
  failed(reason: string): void {
    const { report, clock } = this.environment;
    // A failed attempt does not hide why the session ended.
    const isAttempt = this.state !== 'Established' && this.state !== 'OpenConfirm';
    if (!isAttempt || this.lastError === undefined || this.lastError.direction === 'local') {
      this.lastError = { unixMs: clock.unixMs(), direction: 'local', text: reason, code: undefined, subcode: undefined };
    }
    report(this.address, 'error', reason);
  }

  private reportFault(fault: Fault, raw: Uint8Array): void {
    const attribute = fault.attribute === undefined ? '' : `attribute ${fault.attribute}: `;
    this.environment.report(this.address, 'fault', `${attribute}${fault.reason} (${fault.section}, ${fault.disposition})`, fault.raw ?? raw);
  }

  /** The session of a connection as telemetry names it. */
  tapped(connection: Connection = this.primary): TappedSession {
    // Made once for each state of a connection: telemetry sees every message.
    const { negotiated, sentOpen, receivedOpen } = connection;
    const known = this.lastTapped;
    if (known?.connection === connection && known.negotiated === negotiated && known.session.sentOpen === sentOpen && known.session.receivedOpen === receivedOpen) return known.session;
    const session = this.describe(connection);
    this.lastTapped = { connection, negotiated, session };
    return session;
  }

  private describe(connection: Connection): TappedSession {
    const { negotiated, stream, sentOpen, receivedOpen } = connection;
    const { config, environment } = this;
    return {
      address: config.address,
      as: config.as,
      localAddress: stream?.local.address ?? config.localAddress,
      localAs: environment.local.as,
      identifier: negotiated?.identifier ?? '0.0.0.0',
      localPort: stream?.local.port ?? 0,
      remotePort: stream?.remote.port ?? 0,
      fourOctetAs: negotiated?.fourOctetAs ?? true,
      families: negotiated?.families ?? [],
      asReceived: { ...connection.decodeContext(), ibgp: true },
      asSent: connection.encodeContext,
      sentOpen,
      receivedOpen,
    };
  }

  /** How the session ended: whoever said the last word. */
  private sessionEnd(notification: Notification | undefined): SessionEnd {
    if (!notification) return { kind: 'closed' };
    return { kind: this.lastError?.direction === 'received' ? 'received' : 'sent', notification: encodeNotification(notification) };
  }

  private notified(direction: 'sent' | 'received', notification: Notification): void {
    const { code, subcode } = notification;
    const text = `${describeNotification(notification)} (${code}/${subcode})`;
    this.lastError = { unixMs: this.environment.clock.unixMs(), direction, text, code, subcode };
    this.environment.report(this.address, 'notification', `${direction} ${text}`, notification.data);
  }

  private stateChanged(connection: Connection, from: StateName): void {
    const { name } = connection.state;
    if (connection === this.second) {
      // A second connection that fails is not tried again: the first one is.
      if (name === 'Idle' || name === 'Active') {
        this.second = undefined;
        connection.dispose();
      } else if (name === 'Established') {
        // The peer's OPEN on the first connection has not come; by now it need not.
        this.primary.event({ type: 'CollisionDump' });
      }
      return;
    }
    if (connection !== this.primary) return;
    this.environment.report(this.address, 'state', `${from} -> ${name}`);
    if (this.environment.taps.active) this.environment.taps.state(this.tapped(connection), from, name);
    // A second connection without an OPEN by now has lost (RFC 4271 section 6.8).
    if (name === 'Established') this.second?.event({ type: 'CollisionDump' });
    if ((name === 'Idle' || name === 'Active') && this.second && !this.primary.state.stopped) this.promote();
    if (this.isIdle && from !== 'Idle') this.peerHandlers.idle();
  }

  /** The second connection takes the place of the first. */
  private promote(): void {
    const { second, primary } = this;
    if (!second) return;
    this.second = undefined;
    this.primary = second;
    second.inherit(primary);
    primary.dispose();
    this.environment.report(this.address, 'state', `${primary.state.name} -> ${second.state.name}`);
  }

  /** RFC 4271 section 6.8: a valid OPEN has arrived on `connection`; is it the one to keep? */
  private survivesCollision(connection: Connection, open: OpenMessage): boolean {
    const { primary, second } = this;
    const other = connection === primary ? second : primary;
    if (!other) return true;
    switch (other.state.name) {
      case 'Idle':
      case 'Connect':
      case 'Active':
        // An attempt that has got no connection yet is given up for one that has.
        if (other === primary) this.promote();
        return true;
      case 'OpenSent':
        // The peer's OPEN on that connection settles it.
        return true;
      case 'OpenConfirm': {
        // Of two that the peer has opened it has given the older one up.
        const keep = connection.accepted === other.accepted || this.keepsAccepted(open) === connection.accepted ? connection : other;
        const lost = keep === connection ? other : connection;
        lost.event({ type: 'CollisionDump' });
        return keep === connection;
      }
      case 'Established':
        // RFC 4724 section 5: a peer that says it has restarted has lost the old connection, without a word of it.
        if (other === primary && other.negotiated?.gracefulRestart && open.capabilities.some((capability) => capability.kind === 'gracefulRestart' && capability.restarting)) {
          other.event({ type: 'TcpFailed' });
          return true;
        }
        connection.event({ type: 'CollisionDump' });
        return false;
    }
  }

  /** Whether the connection that the peer has opened is the one to keep (RFC 4271 section 6.8, RFC 6286 section 2.3). */
  private keepsAccepted(open: OpenMessage): boolean {
    const { local } = this.environment;
    const ours = identifierNumber(local.identifier);
    const theirs = identifierNumber(open.identifier);
    return ours === theirs ? local.as < open.as : ours < theirs;
  }
}

/** What was ignored of one block, in one line: a block may have some thousand faults. */
function describeCpnEvents(events: readonly CpnEvent[]): string {
  const named = events.slice(0, REPORTED_CPN_EVENTS).map(({ offset, instance, reason }) => `octet ${offset}${instance === undefined ? '' : `, instance ${instance}`}: ${reason}`);
  const more = events.length > named.length ? `; and ${events.length - named.length} more` : '';
  return `CPN block, ${named.join('; ')}${more}`;
}
