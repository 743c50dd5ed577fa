/**
 * Announces services on demand that do not run, so that first packets at any entry get them to run (survey section 5.3): as an aggregate instance (proto/WIRE.md
 * section 5) without load and delay, whose SID leads to this router's daemon. It activates the service and answers Destination Unreachable until it runs. Of a
 * service that runs here its instances are announced instead; the one that was dormant keeps its number, so that flows pinned to it follow with one write. Pure.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Instance } from '../../computing/types.js';
import type { Advertisement } from '../../rib/candidate.js';

export interface DormantParts {
  readonly clock: { unixMs(): number };
  /** Of the next announcement. */
  readonly nextSequence: () => bigint;
  /** Exit router ID. */
  readonly exit: string;
  readonly announce: (advertisements: readonly Advertisement[]) => void;
}

export class DormantServices {
  private dormant: ReadonlyMap<string, Instance> = new Map();
  /** What is announced of them now. */
  private readonly announced = new Map<string, Instance>();
  /** Services with an instance that runs and is announced. */
  private readonly running = new Set<string>();

  constructor(private readonly parts: DormantParts) {}

  /** What could be activated now. */
  set(dormant: ReadonlyMap<string, Instance>): void {
    this.dormant = dormant;
    this.tell([...new Set([...dormant.keys(), ...this.announced.keys()])].filter((service) => !isDeepStrictEqual(lasting(dormant.get(service)), lasting(this.announced.get(service)))));
  }

  /** Everything is to be announced again: somebody held a higher sequence of this router. */
  renewAll(): void {
    this.tell([...this.announced.keys()]);
  }

  /** What is to be said of own instances, with what could be activated in the place of those that are withdrawn. */
  withDormant(advertisements: readonly Advertisement[]): readonly Advertisement[] {
    return advertisements.map((advertisement) => {
      const { service, instances } = advertisement;
      if (instances.length > 0) {
        this.running.add(service);
        this.announced.delete(service);
        return advertisement;
      }
      this.running.delete(service);
      const dormant = this.dormant.get(service);
      if (!dormant) return advertisement;
      this.announced.set(service, dormant);
      return { ...advertisement, instances: [dormant] };
    });
  }

  private tell(services: readonly string[]): void {
    const due = services.filter((service) => !this.running.has(service));
    if (due.length === 0) return;
    const shared = { exit: this.parts.exit, source: 'local', peer: '', pathId: 0, sequence: this.parts.nextSequence(), originatedAt: BigInt(this.parts.clock.unixMs()), validityMs: 0, stale: false } as const;
    this.parts.announce(
      due.map((service) => {
        const instance = this.dormant.get(service);
        if (instance) this.announced.set(service, instance);
        else this.announced.delete(service);
        return { ...shared, service, instances: instance ? [instance] : [] };
      }),
    );
  }
}

/** What is worth an announcement: what is free on the node changes all the time, and goes along. */
const lasting = (instance: Instance | undefined): unknown => instance && { ...instance, storage: [], interface: undefined };
