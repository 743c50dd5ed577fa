/**
 * A BMP session to one monitoring station (RFC 7854): connects, says who is up, sends the tables, and then what changes. The station never
 * holds up BGP: what it does not read in time waits up to a limit, then the connection is given up and begun anew later.
 */
import { connect, type Socket } from 'node:net';
import type { Timer } from '../../clock.js';
import type { PathChange } from '../adj-rib-in.js';
import type { DecisionChange } from '../loc-rib.js';
import { encodeOpen } from '../wire/encode.js';
import { afiSafiOf, FAMILY_NAMES, type FamilyName } from '../wire/families.js';
import { AS_TRANS, MessageType, type EncodeContext } from '../wire/types.js';
import { bmpInitiation, bmpPeerDown, bmpPeerUp, bmpRouteMirroring, bmpRouteMonitoring, bmpStatisticsReport, bmpTermination, TerminationReason, type BmpPeer, type BmpTable, type PeerDownReason } from './bmp.js';
import type { AdjRoute, TelemetrySource } from './source.js';
import type { SessionEnd, SessionTap, TappedSession } from './tap.js';
import { announcements, endOfRib, withdrawals } from './updates.js';

export interface BmpOptions {
  readonly address: string;
  readonly port: number;
  readonly tables: readonly BmpTable[];
  /** Messages that broke the rules are mirrored too (RFC 7854 section 4.7). */
  readonly mirrorFaulty: boolean;
  /** 0: no statistics. */
  readonly statisticsMs: number;
  /** First wait before another attempt; doubles up to `maxRetryMs` (RFC 7854 section 3.2). */
  readonly retryMs: number;
  readonly maxRetryMs: number;
  readonly sysName: string;
  readonly sysDescr: string;
}

/** Octets that may wait for the station before it is given up. */
const QUEUE_LIMIT = 64 * 1024 * 1024;
/** A dump goes on when less than this waits. */
const DUMP_WATERMARK = 256 * 1024;
const DUMP_SLICE = 500;
const CONNECT_TIMEOUT_MS = 10_000;
const TYPE_OFFSET = 18;

export class BmpSession implements SessionTap {
  private socket: Socket | undefined;
  private connected = false;
  private untap: (() => void) | undefined;
  private retryTimer: Timer | undefined;
  private statisticsTimer: Timer | undefined;
  private retryMs: number;
  /** Resolves when a dump may go on. */
  private resume: (() => void) | undefined;
  readonly counters = { connections: 0, messages: 0, octets: 0, givenUp: 0 };

  constructor(
    readonly options: BmpOptions,
    private readonly source: TelemetrySource,
    private readonly report: (severity: 'info' | 'warning', text: string) => void,
  ) {
    this.retryMs = options.retryMs;
  }

  get isConnected(): boolean {
    return this.connected;
  }

  start(): void {
    const { address, port } = this.options;
    const socket = connect({ host: address, port, timeout: CONNECT_TIMEOUT_MS });
    this.socket = socket;
    socket.setNoDelay(true);
    socket.once('timeout', () => {
      if (!this.connected) socket.destroy(new Error('no answer'));
    });
    socket.once('connect', () => this.socketUp(socket));
    // The station has nothing to say (RFC 7854 section 3.2).
    socket.on('data', () => undefined);
    socket.on('drain', () => this.wake());
    socket.on('error', (error) => this.report('warning', `BMP station [${address}]:${port}: ${error.message}`));
    socket.once('close', () => this.socketDown(socket));
  }

  /** Ends the session with a Termination message. */
  stop(): void {
    this.retryTimer?.cancel();
    const { socket } = this;
    this.socket = undefined;
    if (socket && this.connected) socket.end(bmpTermination(TerminationReason.administrativelyClosed));
    else socket?.destroy();
    this.detach();
  }

  private get station(): string {
    return `BMP station [${this.options.address}]:${this.options.port}`;
  }

  private has(table: BmpTable): boolean {
    return this.options.tables.includes(table);
  }

  private socketUp(socket: Socket): void {
    if (this.socket !== socket) return;
    this.connected = true;
    this.retryMs = this.options.retryMs;
    this.counters.connections++;
    this.report('info', `${this.station}: connected`);
    this.send(bmpInitiation(this.options.sysName, this.options.sysDescr));
    this.untap = this.source.tap(this);
    void this.dumpAll(socket);
    this.statisticsLater();
  }

  private socketDown(socket: Socket): void {
    if (this.socket !== socket) return;
    if (this.connected) this.report('warning', `${this.station}: disconnected`);
    this.detach();
    this.retryTimer = this.source.clock.setTimeout(() => this.start(), this.retryMs);
    this.retryMs = Math.min(this.options.maxRetryMs, this.retryMs * 2);
  }

  private detach(): void {
    this.connected = false;
    this.untap?.();
    this.untap = undefined;
    this.statisticsTimer?.cancel();
    this.wake();
  }

  private wake(): void {
    this.resume?.();
    this.resume = undefined;
  }

  private send(message: Uint8Array): void {
    const { socket } = this;
    if (!socket || !this.connected) return;
    if (socket.writableLength > QUEUE_LIMIT) {
      this.counters.givenUp++;
      this.report('warning', `${this.station}: does not read, ${socket.writableLength} octets wait; the connection is given up`);
      socket.destroy();
      return;
    }
    socket.write(message);
    this.counters.messages++;
    this.counters.octets += message.length;
  }

  // What happens, as it happens.

  message(session: TappedSession, direction: 'sent' | 'received', message: Uint8Array): void {
    const table: BmpTable = direction === 'received' ? 'adjRibInPre' : 'adjRibOutPost';
    if (message[TYPE_OFFSET] === MessageType.update && this.has(table)) this.send(bmpRouteMonitoring(this.now(), peerOf(session), table, message));
  }

  faulty(session: TappedSession, message: Uint8Array): void {
    if (this.options.mirrorFaulty) this.send(bmpRouteMirroring(this.now(), peerOf(session), message));
  }

  up(session: TappedSession): void {
    this.peerUp(session);
  }

  down(session: TappedSession, end: SessionEnd): void {
    // One Peer Down stands for all tables of the peer, as its Peer Up did (RFC 8671 section 5.2).
    this.send(bmpPeerDown(this.now(), peerOf(session), 'adjRibInPre', downReason(end)));
  }

  paths(changes: readonly PathChange[]): void {
    if (!this.has('adjRibInPost')) return;
    for (const { session, established } of this.source.sessions()) {
      if (!established) continue;
      const own = changes.filter(({ previous, next }) => (next ?? previous)?.source.address === session.address);
      if (own.length === 0) continue;
      const accepted = own.flatMap(({ next }) => (next && next.rejected === undefined ? [next] : []));
      const gone = own.flatMap(({ previous, next }) => (previous && previous.rejected === undefined && (!next || next.rejected !== undefined) ? [previous] : []));
      const updates = [...withdrawals(gone, session.asReceived), ...announcements(accepted, session.asReceived)];
      for (const update of updates) this.send(bmpRouteMonitoring(this.now(), peerOf(session), 'adjRibInPost', update));
    }
  }

  decided({ entry: { prefix, best } }: DecisionChange): void {
    if (!this.has('locRib')) return;
    const updates = best ? announcements([{ ...best, pathId: 0 }], this.locRibContext()) : withdrawals([{ prefix, pathId: 0 }], this.locRibContext());
    for (const update of updates) this.send(bmpRouteMonitoring(this.now(), this.self(), 'locRib', update));
  }

  // The tables as they are.

  private peerUp(session: TappedSession): void {
    // RFC 8671 section 5.1: one Peer Up, without the O flag, stands for all tables of a peer.
    this.send(bmpPeerUp(this.now(), peerOf(session), 'adjRibInPre', session));
  }

  private async dumpAll(socket: Socket): Promise<void> {
    const sessions = [...this.source.sessions()].filter(({ established }) => established).map(({ session }) => session);
    for (const session of sessions) this.peerUp(session);
    for (const session of sessions) {
      const { address, asReceived, families } = session;
      const peer = peerOf(session);
      if (this.has('adjRibInPre')) await this.dump(socket, this.source.adjRibIn(address, 'pre'), peer, 'adjRibInPre', asReceived, families);
      if (this.has('adjRibInPost')) await this.dump(socket, this.source.adjRibIn(address, 'post'), peer, 'adjRibInPost', asReceived, families);
      if (this.has('adjRibOutPost')) await this.dump(socket, this.source.adjRibOut(address), peer, 'adjRibOutPost', asReceived, families);
    }
    if (!this.has('locRib') || this.socket !== socket) return;
    const open = this.locRibOpen();
    this.send(bmpPeerUp(this.now(), this.self(), 'locRib', { localAddress: '', localPort: 0, remotePort: 0, sentOpen: open, receivedOpen: open }));
    await this.dump(socket, this.bestPaths(), this.self(), 'locRib', this.locRibContext(), FAMILY_NAMES);
  }

  private *bestPaths(): Iterable<AdjRoute> {
    for (const { best } of this.source.locRib()) if (best) yield { ...best, pathId: 0 };
  }

  /** One table, at the pace at which the station reads, and its end (RFC 7854 section 5). */
  private async dump(socket: Socket, routes: Iterable<AdjRoute>, peer: BmpPeer, table: BmpTable, context: EncodeContext, families: readonly FamilyName[]): Promise<void> {
    let slice: AdjRoute[] = [];
    const flush = async (): Promise<boolean> => {
      if (this.socket !== socket || !this.connected) return false;
      for (const update of announcements(slice, context)) this.send(bmpRouteMonitoring(this.now(), peer, table, update));
      slice = [];
      if (socket.writableLength > DUMP_WATERMARK) await new Promise<void>((resolve) => (this.resume = resolve));
      else await new Promise<void>((resolve) => setImmediate(resolve));
      return this.socket === socket && this.connected;
    };
    for (const route of routes) {
      slice.push(route);
      if (slice.length >= DUMP_SLICE && !(await flush())) return;
    }
    if (!(await flush())) return;
    for (const family of families) this.send(bmpRouteMonitoring(this.now(), peer, table, endOfRib(family)));
  }

  private statisticsLater(): void {
    const { statisticsMs } = this.options;
    if (statisticsMs === 0) return;
    this.statisticsTimer = this.source.clock.setTimeout(() => {
      for (const { session, established } of this.source.sessions()) {
        if (!established) continue;
        const total = { received: 0, accepted: 0, sent: 0, treatAsWithdraw: 0 };
        for (const { received, accepted, sent, treatAsWithdraw } of this.source.statistics(session.address)) {
          total.received += received;
          total.accepted += accepted;
          total.sent += sent;
          total.treatAsWithdraw = treatAsWithdraw;
        }
        const { received, accepted, sent, treatAsWithdraw } = total;
        this.send(bmpStatisticsReport(this.now(), peerOf(session), 'adjRibInPre', { rejectedByPolicy: received - accepted, adjRibIn: received, treatAsWithdraw }));
        if (this.has('adjRibOutPost')) this.send(bmpStatisticsReport(this.now(), peerOf(session), 'adjRibOutPost', { adjRibOutPost: sent }));
      }
      if (this.has('locRib')) this.send(bmpStatisticsReport(this.now(), this.self(), 'locRib', { locRib: this.source.locRibSize }));
      this.statisticsLater();
    }, statisticsMs);
  }

  private now(): number {
    return this.source.clock.unixMs();
  }

  private self(): BmpPeer {
    const { as, identifier } = this.source.local;
    return { address: '', as, identifier, twoOctetAs: false };
  }

  private locRibContext(): EncodeContext {
    return { fourOctetAs: true, addPath: () => false, extendedMessage: true, ibgp: true, cpnAttributeType: this.source.attributeType };
  }

  /** RFC 9069 section 5.1: an OPEN that says which families the table has and that AS numbers take four octets. */
  private locRibOpen(): Uint8Array {
    const { as, identifier } = this.source.local;
    const capabilities = [...FAMILY_NAMES.map((family) => ({ kind: 'multiprotocol', family: afiSafiOf(family) }) as const), { kind: 'fourOctetAs', as } as const];
    return encodeOpen({ as: as > 0xffff ? AS_TRANS : as, holdTime: 0, identifier, capabilities });
  }
}

const peerOf = ({ address, as, identifier, fourOctetAs }: TappedSession): BmpPeer => ({ address, as, identifier, twoOctetAs: !fourOctetAs });

function downReason(end: SessionEnd): PeerDownReason {
  if (end.kind === 'sent') return { kind: 'localNotification', message: end.notification };
  if (end.kind === 'received') return { kind: 'remoteNotification', message: end.notification };
  return { kind: 'remoteClosed' };
}
