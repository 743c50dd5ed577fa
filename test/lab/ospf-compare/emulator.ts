/**
 * The neighbours of a device under test, as one process in a namespace of its own: engines with real adjacencies, and LSAs of routers that are not there, sent
 * under the name of one neighbour until another one has got them from the device. One JSON command a line on stdin, one JSON answer a line on stdout.
 */
import { createInterface } from 'node:readline';
import { systemClock } from '../../../daemon/clock.js';
import { OspfEngine } from '../../../daemon/ospf/engine.js';
import { parseId } from '../../../daemon/ospf/ids.js';
import { RawTransport } from '../../../daemon/ospf/raw-transport.js';
import type { TransportPort } from '../../../daemon/ospf/transport.js';
import type { OspfConfig } from '../../../daemon/ospf/types.js';
import { decodeLsa } from '../../../daemon/ospf/wire/lsa.js';
import { compareLsaInstances } from '../../../daemon/ospf/wire/lsa-header.js';
import { encodePacket } from '../../../daemon/ospf/wire/packet.js';
import { type Lsa, MAX_AGE } from '../../../daemon/ospf/wire/types.js';
import { readLinks } from '../ospf-driver.js';

export interface EmulatorConfig {
  /** Router ID of the device under test. */
  readonly device: string;
  readonly engines: readonly OspfConfig[];
  /** LSAs go in under the name of this engine, by its first interface, */
  readonly feeder: number;
  /** and are there when this one has them. */
  readonly observer: number;
}

export type EmulatorCommand =
  | { readonly do: 'adjacencies' }
  | { readonly do: 'originate'; readonly engine: number; readonly type: number; readonly id: number; readonly body: string }
  | { readonly do: 'feed'; readonly lsas: readonly string[]; readonly timeoutMs: number }
  | { readonly do: 'database' };

/** One interface of an engine, and what the device says of its own end. */
export interface EmulatedAdjacency {
  readonly routerId: string;
  readonly interface: string;
  readonly interfaceId: number;
  readonly linkLocal: string | undefined;
  readonly state: string | undefined;
  readonly deviceInterfaceId: number | undefined;
}

export interface FeedAnswer {
  /** When the first was sent, Unix ms. */
  readonly sentAt: number;
  /** What did not come through in time. */
  readonly missing: readonly string[];
}

const RESEND_MS = 150;
const PACKET_OCTETS = 1300;

class Emulator {
  private readonly engines: readonly OspfEngine[];
  private port: TransportPort | undefined;

  constructor(private readonly config: EmulatorConfig) {
    const transport = new RawTransport();
    this.engines = config.engines.map((one) => new OspfEngine({ config: one, clock: systemClock, transport, random: Math.random }));
    for (const engine of this.engines) {
      engine.start();
      const reading = setInterval(() => {
        if (readLinks(engine)) clearInterval(reading);
      }, 100);
    }
  }

  run(command: EmulatorCommand): unknown {
    switch (command.do) {
      case 'adjacencies':
        return this.adjacencies();
      case 'originate':
        this.engines[command.engine]!.originate(command.type, command.id, Buffer.from(command.body, 'hex'));
        return true;
      case 'feed':
        return this.feed(command.lsas, command.timeoutMs);
      case 'database':
        return ['area', 'as'].flatMap((scope) => [...this.observer.lsas({ scope: scope as 'area' | 'as' })].map(({ raw }) => Buffer.from(raw).toString('hex')));
    }
  }

  private get observer(): OspfEngine {
    return this.engines[this.config.observer]!;
  }

  private adjacencies(): EmulatedAdjacency[] {
    return this.engines.flatMap((engine, index) =>
      engine.interfaceViews().map(({ name, interfaceId, linkLocal }) => {
        const device = engine.neighborViews().find((neighbor) => neighbor.interface === name && neighbor.routerId === this.config.device);
        return { routerId: this.config.engines[index]!.routerId, interface: name, interfaceId, linkLocal, state: device?.state, deviceInterfaceId: device?.interfaceId };
      }),
    );
  }

  /** Sends until all have come through the device. The device takes an LSA once a second (MinLSArrival), hence the repetition. */
  private async feed(texts: readonly string[], timeoutMs: number): Promise<FeedAnswer> {
    const lsas = texts.map((text) => {
      const decoded = decodeLsa(Buffer.from(text, 'hex'));
      if (!decoded.ok) throw new Error(decoded.fault.reason);
      return decoded.lsa;
    });
    const end = Date.now() + timeoutMs;
    const sentAt = Date.now();
    for (;;) {
      const missing = lsas.filter((lsa) => !this.arrived(lsa));
      if (missing.length === 0 || Date.now() > end) return { sentAt, missing: missing.map(({ header: { type, router, id } }) => `${type.toString(16)} ${router.toString(16)} ${id}`) };
      this.send(missing);
      const again = Date.now() + RESEND_MS;
      while (Date.now() < again && !lsas.every((lsa) => this.arrived(lsa))) await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  private arrived({ header }: Lsa): boolean {
    const stored = this.observer.get(header);
    if (!stored) return header.age >= MAX_AGE;
    return compareLsaInstances(stored.headerAt(systemClock.now()), header) >= 0;
  }

  private send(lsas: readonly Lsa[]): void {
    const engine = this.engines[this.config.feeder]!;
    const { name, interfaceId, linkLocal } = engine.interfaceViews()[0]!;
    const device = engine.neighborViews().find((neighbor) => neighbor.interface === name && neighbor.routerId === this.config.device);
    if (linkLocal === undefined || !device) return;
    this.port ??= new RawTransport().open({ name, index: interfaceId, linkLocal }, { received: () => undefined, failed: () => undefined });
    let packet: Lsa[] = [];
    let octets = 0;
    const flush = (): void => {
      const { routerId, area } = this.config.engines[this.config.feeder]!;
      const header = { routerId: parseId(routerId), areaId: parseId(area), instanceId: 0 };
      if (packet.length > 0) this.port!.send(encodePacket({ kind: 'linkStateUpdate', ...header, lsas: packet, faults: [] }, { source: linkLocal, destination: device.address }), device.address);
      packet = [];
      octets = 0;
    };
    for (const lsa of lsas) {
      if (octets + lsa.raw.length > PACKET_OCTETS) flush();
      packet.push(lsa);
      octets += lsa.raw.length;
    }
    flush();
  }
}

function main(config: EmulatorConfig): void {
  const emulator = new Emulator(config);
  createInterface({ input: process.stdin })
    .on('line', (line) => {
      void Promise.resolve(emulator.run(JSON.parse(line) as EmulatorCommand)).then((answer) => process.stdout.write(`${JSON.stringify(answer)}\n`));
    })
    .on('close', () => process.exit(0));
}

const [, script, argument] = process.argv;
if (script?.endsWith('emulator.js') && argument !== undefined) main(JSON.parse(argument) as EmulatorConfig);
