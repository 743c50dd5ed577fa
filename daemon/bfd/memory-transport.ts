/** Links in memory with a delay, for tests: services on one ManualClock talk over them. */
import type { Clock } from '../clock.js';
import type { ArrivedPacket, BfdTransport, Channel, ChannelOptions, TransportListener } from './transport.js';

export class MemoryLinks {
  private readonly hosts = new Map<string, MemoryTransport>();
  /** Directed pairs "source destination" that lose everything. */
  private readonly cuts = new Set<string>();

  constructor(
    readonly clock: Clock,
    readonly delayMs = 1,
  ) {}

  /** A host with one address on an interface. */
  host(address: string, device = 'eth0'): MemoryTransport {
    const host = new MemoryTransport(this, address, device);
    this.hosts.set(address, host);
    return host;
  }

  cut(source: string, destination: string): void {
    this.cuts.add(`${source} ${destination}`);
  }

  mend(): void {
    this.cuts.clear();
  }

  deliver(packet: Omit<ArrivedPacket, 'interface'>): void {
    if (this.cuts.has(`${packet.source} ${packet.destination}`)) return;
    this.clock.setTimeout(() => this.hosts.get(packet.destination)?.receive(packet), this.delayMs);
  }
}

export class MemoryTransport implements BfdTransport {
  private listener: TransportListener | undefined;
  /** What has arrived at a host whose process does not run. */
  private waiting: Omit<ArrivedPacket, 'interface'>[] = [];
  /** The process is busy: packets wait until it drains them. */
  busy = false;
  /** Source ports that somebody else has. */
  readonly taken = new Set<number>();
  /** Every packet sent, for looking at. */
  readonly sent: { readonly at: number; readonly data: Uint8Array; readonly options: ChannelOptions }[] = [];

  constructor(
    private readonly links: MemoryLinks,
    private readonly address: string,
    private readonly device: string,
  ) {}

  listen(listener: TransportListener): void {
    this.listener = listener;
  }

  open({ ...options }: ChannelOptions): Channel {
    if (this.taken.has(options.sourcePort)) throw new Error('bind: EADDRINUSE');
    return {
      send: (data) => {
        this.sent.push({ at: this.links.clock.now(), data, options });
        this.links.deliver({ data, source: options.localAddress ?? this.address, destination: options.peer, hopLimit: 255, multihop: options.multihop });
        return undefined;
      },
      close: () => undefined,
    };
  }

  receive(packet: Omit<ArrivedPacket, 'interface'>): void {
    this.waiting.push(packet);
    if (!this.busy) this.drain();
  }

  drain(): void {
    const arrived = this.waiting;
    this.waiting = [];
    for (const packet of arrived) this.listener?.received({ ...packet, interface: this.device });
  }

  close(): void {
    this.listener = undefined;
  }
}
