/**
 * STAMP on the links: a reflector on each IPv6 address of a core interface, and a sender session towards each neighbour. Packets are of the link
 * alone: sockets are bound to the interface, and a reflector takes what arrives with hop limit 255 only (RFC 5082 section 3).
 */
import type { LinkState } from '../../../dataplane/dataplane.js';
import { native } from '../../../dataplane/native/index.js';
import { socketAddress } from '../../../dataplane/packet/socket-address.js';
import type { Clock } from '../../clock.js';
import { Reflector } from '../stamp/reflector.js';
import { StampSession, type PathDetail } from '../stamp/session.js';
import { TimestampedSocket, type SocketOptions } from '../stamp/socket.js';
import type { PathStatistics } from '../stamp/statistics.js';
import type { LinkNeighbour } from './neighbours.js';

export interface LinkMeterSettings {
  readonly intervalMs: number;
  readonly synchronised: boolean;
}

/** What is measured of a link to a neighbour. */
export interface LinkMeasurement {
  /** The neighbour answers; false also where it runs no STAMP. */
  readonly answers: boolean;
  readonly statistics: PathStatistics;
  readonly detail: PathDetail;
}

const LOST = 3;
const LINK_LOCAL_PREFIX = 'fe80::/10';
const MINIMUM_HOP_LIMIT = 255;

const keyOf = ({ interface: name, index, own, neighbour }: LinkNeighbour): string => `${name} ${index} ${own} ${neighbour}`;

export class LinkMeter {
  /** By interface, its index and address. */
  private readonly reflectors = new Map<string, TimestampedSocket>();
  /** By keyOf(). */
  private readonly senders = new Map<string, { readonly session: StampSession; readonly socket: TimestampedSocket }>();

  constructor(
    private readonly port: number,
    private settings: LinkMeterSettings,
    private readonly clock: Clock,
    private readonly onError: (error: unknown) => void,
  ) {}

  /** Answers on these links and measures the way to these neighbours from now on. */
  setLinks(links: readonly LinkState[], neighbours: readonly LinkNeighbour[]): void {
    const answering = new Map(links.flatMap((link) => link.addresses.filter((text) => text.includes(':')).map((text) => [`${link.name} ${link.index} ${text}`, { link, text }] as const)));
    keepOnly(this.reflectors, answering, (socket) => socket.close());
    for (const [key, { link, text }] of answering) {
      if (this.reflectors.has(key)) continue;
      const socket = this.reflectorOn(link, text);
      if (socket) this.reflectors.set(key, socket);
    }
    const measured = new Map(neighbours.map((neighbour) => [keyOf(neighbour), neighbour]));
    keepOnly(this.senders, measured, stopSender);
    for (const [key, neighbour] of measured) if (!this.senders.has(key)) this.measure(key, neighbour);
  }

  private reflectorOn({ name, index }: LinkState, text: string): TimestampedSocket | undefined {
    const address = text.slice(0, text.indexOf('/'));
    const reflector = new Reflector({ allowed: [text, LINK_LOCAL_PREFIX], minimumHopLimit: MINIMUM_HOP_LIMIT, synchronised: this.settings.synchronised }, this.port);
    return this.open(address, this.port, { device: { name, index } }, (socket) => (received) => {
      const reply = reflector.answer(received, () => native.realtimeNs());
      if (reply) socket().send(reply.packet, socketAddress(received.source, received.port, index));
    });
  }

  private measure(key: string, { interface: name, index, own, neighbour }: LinkNeighbour): void {
    const address = socketAddress(neighbour, this.port, index);
    const socket = this.open(own, 0, { device: { name, index } }, () => (received) => {
      if (received.source !== neighbour || received.port !== this.port) return;
      const waitedMs = Number(native.realtimeNs() - received.receivedNs) / 1e6;
      session.onPacket(received.data, this.clock.now() - Math.max(0, waitedMs), received.receivedNs);
    });
    if (!socket) return;
    const session = new StampSession(
      { intervalMs: this.settings.intervalMs, lost: LOST, synchronised: this.settings.synchronised, sessionId: 1 + Math.floor(Math.random() * 65_535) },
      {
        send: (packet, onTransmitted) => socket.send(packet, address, onTransmitted),
        drain: () => socket.drain(),
        unixNs: () => native.realtimeNs(),
        random: Math.random,
        onAlive: () => undefined,
        onMeasured: () => undefined,
      },
      this.clock,
    );
    this.senders.set(key, { session, socket });
    session.start();
  }

  /** Undefined where the kernel gives no socket: the link went while we looked. */
  private open(address: string, port: number, options: SocketOptions, handler: (socket: () => TimestampedSocket) => ConstructorParameters<typeof TimestampedSocket>[2]): TimestampedSocket | undefined {
    try {
      const socket: TimestampedSocket = new TimestampedSocket(address, port, handler(() => socket), this.onError, options);
      return socket;
    } catch (error) {
      this.onError(error);
      return undefined;
    }
  }

  state(neighbour: LinkNeighbour): LinkMeasurement | undefined {
    const session = this.senders.get(keyOf(neighbour))?.session;
    return session && { answers: session.alive && session.statistics.received > 0, statistics: session.statistics, detail: session.detail };
  }

  close(): void {
    for (const socket of this.reflectors.values()) socket.close();
    for (const sender of this.senders.values()) stopSender(sender);
    this.reflectors.clear();
    this.senders.clear();
  }
}

function stopSender({ session, socket }: { readonly session: StampSession; readonly socket: TimestampedSocket }): void {
  session.stop();
  socket.close();
}

function keepOnly<T>(held: Map<string, T>, wanted: ReadonlyMap<string, unknown>, end: (value: T) => void): void {
  for (const [key, value] of [...held]) {
    if (wanted.has(key)) continue;
    end(value);
    held.delete(key);
  }
}
