/** STAMP of a router: the reflector on its loopback address, and a sender session an exit. The only part with sockets. */
import { systemClock, type Clock } from '../../clock.js';
import { native } from '../../../dataplane/native/index.js';
import { canonicalIp } from '../../../dataplane/packet/ip.js';
import { Reflector, type Received, type ReflectorCounters } from './reflector.js';
import { StampSession } from './session.js';
import { socketAddress, TimestampedSocket } from './socket.js';
import type { PathStatistics } from './statistics.js';

export interface StampOptions {
  /** Our SRv6 loopback: source of probes and replies. */
  readonly address: string;
  /** Port of every reflector of the domain. */
  readonly port: number;
  readonly intervalMs: number;
  readonly lost: number;
  /** Prefixes whose addresses may measure us. */
  readonly allowed: readonly string[];
}

export interface StampListener {
  /** An exit stopped answering, or answers again. */
  onAlive(exit: string, alive: boolean): void;
  onMeasured(exit: string): void;
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

export class StampService {
  private readonly reflector: Reflector;
  private readonly reflectorSocket: TimestampedSocket;
  private readonly senderSocket: TimestampedSocket;
  private readonly sessions = new Map<string, StampSession>();
  private readonly verdicts = { measured: 0, late: 0, malformed: 0, unexpected: 0 };

  /** Throws NativeError when the port is taken or not ours to use. */
  constructor(
    private options: StampOptions,
    private readonly listener: StampListener,
    private readonly clock: Clock = systemClock,
    private readonly random: () => number = Math.random,
  ) {
    this.reflector = new Reflector(options.allowed, options.port);
    const onError = (error: unknown): void => listener.onError(error);
    this.reflectorSocket = new TimestampedSocket(options.address, options.port, (received) => this.reflect(received), onError);
    try {
      this.senderSocket = new TimestampedSocket(options.address, 0, (received) => this.receive(received), onError);
    } catch (error) {
      this.reflectorSocket.close();
      throw error;
    }
  }

  private reflect(received: Received): void {
    const reply = this.reflector.answer(received, () => native.realtimeNs());
    if (reply) this.reflectorSocket.send(reply, socketAddress(received.source, received.port));
  }

  private receive(received: Received): void {
    const session = received.port === this.options.port ? this.sessions.get(received.source) : undefined;
    if (!session) {
      this.verdicts.unexpected++;
      return;
    }
    // How long the packet waited for this process, on the kernel's clock; a clock that was set in between says nothing.
    const waitedMs = Number(native.realtimeNs() - received.receivedNs) / 1e6;
    const receivedAt = this.clock.now() - (waitedMs >= 0 && waitedMs < 10_000 ? waitedMs : 0);
    this.verdicts[session.onPacket(received.data, receivedAt)]++;
  }

  /** Measures exactly these exits from now on; sessions to exits already measured go on undisturbed. */
  setTargets(exits: Iterable<string>): void {
    const wanted = new Set<string>();
    for (const exit of exits) wanted.add(canonicalIp(exit) ?? exit);
    for (const exit of [...this.sessions.keys()]) if (!wanted.has(exit)) this.remove(exit);
    for (const exit of wanted) this.add(exit);
  }

  add(exit: string): void {
    if (this.sessions.has(exit)) return;
    const address = socketAddress(exit, this.options.port);
    const session = new StampSession(
      { intervalMs: this.options.intervalMs, lost: this.options.lost, sessionId: 1 + Math.floor(this.random() * 65_535) },
      {
        send: (packet) => this.senderSocket.send(packet, address),
        drain: () => this.senderSocket.drain(),
        unixNs: () => native.realtimeNs(),
        random: this.random,
        onAlive: (alive) => this.listener.onAlive(exit, alive),
        onMeasured: () => this.listener.onMeasured(exit),
      },
      this.clock,
    );
    this.sessions.set(exit, session);
    session.start();
  }

  remove(exit: string): void {
    this.sessions.get(exit)?.stop();
    this.sessions.delete(exit);
  }

  /** Interval, loss limit and allowed sources at run time; address and port need a new service. */
  reconfigure(options: Pick<StampOptions, 'intervalMs' | 'lost' | 'allowed'>): void {
    this.options = { ...this.options, ...options };
    this.reflector.setAllowed(options.allowed);
    for (const session of this.sessions.values()) session.reconfigure({ intervalMs: options.intervalMs, lost: options.lost });
  }

  /** Undefined for an exit that is not measured. */
  state(exit: string): { readonly alive: boolean; readonly statistics: PathStatistics } | undefined {
    const session = this.sessions.get(exit);
    return session && { alive: session.alive, statistics: session.statistics };
  }

  get counters(): { readonly sender: SenderCounters; readonly reflector: Readonly<ReflectorCounters> } {
    return { sender: { ...this.verdicts }, reflector: { ...this.reflector.counters } };
  }

  close(): void {
    for (const exit of [...this.sessions.keys()]) this.remove(exit);
    this.senderSocket.close();
    this.reflectorSocket.close();
  }
}
