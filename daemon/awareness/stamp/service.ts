/** STAMP of a router: the reflector on its loopback address, and a sender session a way. The only part with sockets beside the links'. */
import { systemClock, type Clock } from '../../clock.js';
import { native } from '../../../dataplane/native/index.js';
import { parseIp } from '../../../dataplane/packet/ip.js';
import { socketAddress } from '../../../dataplane/packet/socket-address.js';
import { Reflector, type Received, type ReflectorCounters, type ReflectorOptions } from './reflector.js';
import { StampSession, type Outage, type PathDetail } from './session.js';
import { TimestampedSocket } from './socket.js';
import type { PathStatistics } from './statistics.js';
import { wayName, type Way } from './way.js';

/** What may change at run time. */
export interface StampSettings extends ReflectorOptions {
  readonly intervalMs: number;
  readonly lost: number;
  /** How long a way must answer before it is used again, ms. */
  readonly holdMs?: number;
  /** See SessionOptions. */
  readonly leastBoundMs?: number;
}

export interface StampOptions extends StampSettings {
  /** Our SRv6 loopback: source of probes and replies. */
  readonly address: string;
  /** Port of every reflector of the domain. */
  readonly port: number;
}

export interface StampListener {
  /** A way (`wayName`) stopped answering, or answers again. */
  onAlive(way: string, alive: boolean, outage: Outage): void;
  onMeasured(way: string): void;
  /** A socket failed; called once an error. */
  onError(error: unknown): void;
}

export interface SenderCounters {
  /** Replies taken, those among them that came late, and packets that were no reply to a probe of ours. */
  readonly measured: number;
  readonly late: number;
  readonly malformed: number;
  readonly unexpected: number;
}

interface Measured {
  readonly session: StampSession;
  /** Of this way alone: a segment list belongs to a socket. Undefined for plain ways, which share one. */
  readonly socket: TimestampedSocket | undefined;
}

const sidOctets = (sids: readonly string[]): Uint8Array[] => sids.map((sid) => parseIp(sid)!);

export class StampService {
  private readonly reflector: Reflector;
  private readonly reflectorSocket: TimestampedSocket;
  private readonly senderSocket: TimestampedSocket;
  /** By name of the way; that of a plain way is the exit's address. */
  private readonly ways = new Map<string, Measured & { readonly way: Way }>();
  private readonly verdicts = { measured: 0, late: 0, malformed: 0, unexpected: 0 };
  private readonly onError = (error: unknown): void => this.listener.onError(error);

  /** Throws NativeError when the port is taken or not ours to use. */
  constructor(
    private options: StampOptions,
    private readonly listener: StampListener,
    private readonly clock: Clock = systemClock,
    private readonly random: () => number = Math.random,
  ) {
    this.reflector = new Reflector(options, options.port);
    this.reflectorSocket = new TimestampedSocket(options.address, options.port, (received) => this.reflect(received), this.onError);
    try {
      this.senderSocket = new TimestampedSocket(options.address, 0, (received) => this.receive(received, this.ways.get(received.source)), this.onError);
    } catch (error) {
      this.reflectorSocket.close();
      throw error;
    }
  }

  private reflect(received: Received): void {
    const reply = this.reflector.answer(received, () => native.realtimeNs());
    if (!reply) return;
    try {
      this.reflectorSocket.setSegments(reply.returnPath);
    } catch (error) {
      this.onError(error);
      return;
    }
    this.reflectorSocket.send(reply.packet, socketAddress(received.source, received.port));
  }

  private receive(received: Received, measured: Measured | undefined): void {
    if (!measured || received.port !== this.options.port) {
      this.verdicts.unexpected++;
      return;
    }
    // How long the packet waited for this process, on the kernel's clock; a clock that was set in between says nothing.
    const waitedMs = Number(native.realtimeNs() - received.receivedNs) / 1e6;
    const receivedAt = this.clock.now() - (waitedMs >= 0 && waitedMs < 10_000 ? waitedMs : 0);
    this.verdicts[measured.session.onPacket(received.data, receivedAt, received.receivedNs)]++;
  }

  /** Measures exactly these ways from now on; sessions of ways already measured go on undisturbed. */
  setTargets(ways: Iterable<Way>): void {
    const wanted = new Map<string, Way>();
    for (const way of ways) wanted.set(wayName(way.exit, way.transit), way);
    for (const [name, { way }] of [...this.ways]) {
      const again = wanted.get(name);
      if (again?.back.join() !== way.back.join()) this.remove(name);
    }
    for (const [name, way] of wanted) if (!this.ways.has(name)) this.add(name, way);
  }

  private add(name: string, way: Way): void {
    const address = socketAddress(way.exit, this.options.port);
    const returnPath = sidOctets(way.back);
    const plain = way.transit.length === 0 && way.back.length === 0;
    const socket = plain ? undefined : this.openWay(name, way);
    const sender = plain ? this.senderSocket : socket;
    const session = new StampSession(
      { ...this.sessionSettings(), sessionId: 1 + Math.floor(this.random() * 65_535), returnPath },
      {
        send: (packet, onTransmitted) => sender?.send(packet, address, onTransmitted) ?? false,
        drain: () => sender?.drain(),
        unixNs: () => native.realtimeNs(),
        random: this.random,
        onAlive: (alive, outage) => this.listener.onAlive(name, alive, outage),
        onMeasured: () => this.listener.onMeasured(name),
      },
      this.clock,
    );
    this.ways.set(name, { session, socket, way });
    session.start();
  }

  /** A socket whose packets take the segment list of a way; undefined when the kernel gives none: the way is dead then. */
  private openWay(name: string, { exit, transit }: Way): TimestampedSocket | undefined {
    const onPacket = (received: Received): void => this.receive(received, received.source === exit ? this.ways.get(name) : undefined);
    let socket: TimestampedSocket | undefined;
    try {
      socket = new TimestampedSocket(this.options.address, 0, onPacket, this.onError);
      socket.setSegments(sidOctets(transit));
      return socket;
    } catch (error) {
      socket?.close();
      this.onError(error);
      return undefined;
    }
  }

  private remove(name: string): void {
    const measured = this.ways.get(name);
    measured?.session.stop();
    measured?.socket?.close();
    this.ways.delete(name);
  }

  private sessionSettings(): Pick<StampSettings, 'intervalMs' | 'lost' | 'holdMs' | 'leastBoundMs' | 'synchronised'> {
    const { intervalMs, lost, holdMs, leastBoundMs, synchronised } = this.options;
    return { intervalMs, lost, ...(holdMs !== undefined && { holdMs }), ...(leastBoundMs !== undefined && { leastBoundMs }), ...(synchronised !== undefined && { synchronised }) };
  }

  /** Address and port need a new service. */
  reconfigure(settings: StampSettings): void {
    this.options = { ...this.options, ...settings };
    this.reflector.reconfigure(this.options);
    for (const { session } of this.ways.values()) session.reconfigure(this.sessionSettings());
  }

  /** By name of the way; undefined for one that is not measured. */
  state(way: string): { readonly alive: boolean; readonly statistics: PathStatistics } | undefined {
    const session = this.ways.get(way)?.session;
    return session && { alive: session.alive, statistics: session.statistics };
  }

  detail(way: string): PathDetail | undefined {
    return this.ways.get(way)?.session.detail;
  }

  get counters(): { readonly sender: SenderCounters; readonly reflector: Readonly<ReflectorCounters> } {
    return { sender: { ...this.verdicts }, reflector: { ...this.reflector.counters } };
  }

  close(): void {
    for (const name of [...this.ways.keys()]) this.remove(name);
    this.senderSocket.close();
    this.reflectorSocket.close();
  }
}
