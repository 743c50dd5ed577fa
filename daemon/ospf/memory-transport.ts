/** OSPF links in memory on an injected clock, with delay, loss and cuts: networks of routers run in a unit test. */
import type { Clock } from '../clock.js';
import { ALL_D_ROUTERS, ALL_SPF_ROUTERS, type OspfTransport, type TransportHandlers, type TransportInterface, type TransportPort } from './transport.js';

interface Station {
  readonly link: TransportInterface;
  readonly handlers: TransportHandlers;
  designated: boolean;
}

export interface MemoryLinkOptions {
  readonly delayMs?: number;
  /** Probability that a packet is lost on its way to one station. */
  readonly loss?: number;
  /** Uniform in [0, 1); needed with `loss`. */
  readonly random?: () => number;
}

/** One wire, with two stations or more. */
export class MemoryLink {
  private readonly stations = new Set<Station>();
  /** Nothing arrives while it is cut; nobody is told. */
  cut = false;
  loss: number;
  /** Sees every packet sent. */
  tap: ((bytes: Uint8Array, source: string, destination: string) => void) | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly options: MemoryLinkOptions = {},
  ) {
    this.loss = options.loss ?? 0;
  }

  attach(link: TransportInterface, handlers: TransportHandlers): TransportPort {
    const station: Station = { link, handlers, designated: false };
    this.stations.add(station);
    return {
      send: (bytes, destination) => this.carry(station, bytes, destination),
      setDesignated: (member) => void (station.designated = member),
      close: () => void this.stations.delete(station),
    };
  }

  /** Lets a packet appear at one station, whoever it seems to come from. */
  injectAt(linkLocal: string, bytes: Uint8Array, source: string, destination: string): void {
    for (const station of this.stations) if (station.link.linkLocal === linkLocal) station.handlers.received(bytes, source, destination);
  }

  private isFor(station: Station, destination: string): boolean {
    return destination === ALL_SPF_ROUTERS || (destination === ALL_D_ROUTERS ? station.designated : station.link.linkLocal === destination);
  }

  private carry(from: Station, bytes: Uint8Array, destination: string): void {
    this.tap?.(bytes, from.link.linkLocal, destination);
    if (this.cut) return;
    const copy = Uint8Array.from(bytes);
    for (const station of this.stations) {
      if (station === from || (this.loss > 0 && this.options.random!() < this.loss)) continue;
      this.clock.setTimeout(() => {
        if (!this.cut && this.stations.has(station) && this.isFor(station, destination)) station.handlers.received(copy, from.link.linkLocal, destination);
      }, this.options.delayMs ?? 1);
    }
  }
}

/** The wires of one router by the name of its interface. */
export class MemoryTransport implements OspfTransport {
  constructor(private readonly links: ReadonlyMap<string, MemoryLink>) {}

  open(link: TransportInterface, handlers: TransportHandlers): TransportPort {
    const wire = this.links.get(link.name);
    if (!wire) throw new Error(`no such interface: ${link.name}`);
    return wire.attach(link, handlers);
  }
}
