/**
 * The link-state database: LSAs of the area, of the AS, and of each link. LSAs age by one wheel for all; whoever reads routes from it hears of
 * changes in batches.
 */
import type { Clock } from '../clock.js';
import { AgeWheel } from './age-wheel.js';
import { CHECK_AGE } from './constants.js';
import { LsdbChanges, type LsdbListener } from './lsdb-changes.js';
import { lsaKey, type StoredLsa, type StoredScope } from './stored-lsa.js';
import { isLsaChecksumRight } from './wire/lsa-checksum.js';
import { type LsaKey, MAX_AGE } from './wire/types.js';

export interface LsdbHooks {
  /** An LSA of somebody else reached MaxAge where it lay: it is flooded once more (RFC 2328 section 14). */
  aged(lsa: StoredLsa): void;
  /** An own LSA is due to be originated again. */
  refresh(lsa: StoredLsa): void;
  /** The octets in memory do not match their checksum any more. */
  corrupted(lsa: StoredLsa): void;
  /** Whether an LSA of MaxAge has to stay, since a neighbour in Exchange or Loading may ask for it. */
  isWaitedFor(lsa: StoredLsa): boolean;
  /** An LSA of MaxAge has left the database: everybody knows that it is gone. */
  removed(lsa: StoredLsa): void;
}

export interface LsaFilter {
  readonly scope?: StoredScope;
  readonly type?: number;
  readonly router?: number;
  readonly interface?: string;
}

class Table {
  readonly byType = new Map<number, Map<string, StoredLsa>>();

  get(key: LsaKey): StoredLsa | undefined {
    return this.byType.get(key.type)?.get(lsaKey(key));
  }
}

export class Lsdb {
  private readonly area = new Table();
  private readonly as = new Table();
  private readonly links = new Map<string, Table>();
  private readonly wheel: AgeWheel<StoredLsa>;
  private readonly maxAge = new Set<StoredLsa>();
  private readonly changes: LsdbChanges;
  private foreign = 0;
  private total = 0;

  constructor(
    private readonly clock: Clock,
    private readonly hooks: LsdbHooks,
  ) {
    this.wheel = new AgeWheel(clock, (lsa) => this.onDue(lsa), () => this.sweep());
    this.changes = new LsdbChanges(clock);
  }

  start(): void {
    this.wheel.start();
  }

  stop(): void {
    this.wheel.stop();
    this.changes.stop();
  }

  /** LSAs of others. */
  get foreignCount(): number {
    return this.foreign;
  }

  get size(): number {
    return this.total;
  }

  onChange(listener: LsdbListener): () => void {
    return this.changes.add(listener);
  }

  /** `link`: the interface, which counts for link scope only. */
  get(scope: StoredScope, link: string | undefined, key: LsaKey): StoredLsa | undefined {
    return this.table(scope, link)?.get(key);
  }

  /** Every LSA that passes the filter, of each type in the order of arrival of its first instance. */
  *all(filter: LsaFilter = {}): Generator<StoredLsa> {
    for (const table of this.tables(filter)) {
      for (const lsas of filter.type === undefined ? table.byType.values() : [table.byType.get(filter.type)]) {
        for (const lsa of lsas?.values() ?? []) if (filter.router === undefined || lsa.header.router === filter.router) yield lsa;
      }
    }
  }

  /** Takes the place of the instance there is, which is returned. */
  install(lsa: StoredLsa): StoredLsa | undefined {
    const table = this.table(lsa.scope, lsa.link) ?? new Table();
    if (lsa.scope === 'link') this.links.set(lsa.link!, table);
    let lsas = table.byType.get(lsa.header.type);
    if (!lsas) table.byType.set(lsa.header.type, (lsas = new Map<string, StoredLsa>()));
    const key = lsaKey(lsa.header);
    const old = lsas.get(key);
    lsas.set(key, lsa);
    if (old) {
      this.wheel.cancel(old);
      this.maxAge.delete(old);
    }
    this.count(old, -1);
    this.count(lsa, 1);
    this.changes.record(key, old, lsa);
    if (lsa.isMaxAge) this.maxAge.add(lsa);
    else this.schedule(lsa);
    return old;
  }

  /** Makes an LSA that is there one of MaxAge. */
  expire(lsa: StoredLsa): void {
    if (lsa.isMaxAge) return;
    lsa.expire();
    this.wheel.cancel(lsa);
    this.maxAge.add(lsa);
    this.changes.record(lsaKey(lsa.header), lsa, lsa);
  }

  /** Takes an LSA out without a word to neighbours. */
  remove(lsa: StoredLsa): void {
    const table = this.table(lsa.scope, lsa.link);
    const lsas = table?.byType.get(lsa.header.type);
    const key = lsaKey(lsa.header);
    if (!table || lsas?.get(key) !== lsa) return;
    lsas.delete(key);
    if (lsas.size === 0) table.byType.delete(lsa.header.type);
    if (table.byType.size === 0 && lsa.link !== undefined) this.links.delete(lsa.link);
    this.wheel.cancel(lsa);
    this.maxAge.delete(lsa);
    this.count(lsa, -1);
    this.changes.record(key, lsa, undefined);
  }

  private count(lsa: StoredLsa | undefined, by: number): void {
    if (!lsa) return;
    this.total += by;
    if (!lsa.self) this.foreign += by;
  }

  private table(scope: StoredScope, link: string | undefined): Table | undefined {
    return scope === 'area' ? this.area : scope === 'as' ? this.as : link === undefined ? undefined : this.links.get(link);
  }

  private *tables({ scope, interface: link }: LsaFilter): Generator<Table> {
    if ((scope === undefined || scope === 'area') && link === undefined) yield this.area;
    if ((scope === undefined || scope === 'as') && link === undefined) yield this.as;
    if (scope !== undefined && scope !== 'link') return;
    for (const [name, table] of this.links) if (link === undefined || link === name) yield table;
  }

  /** The next age at which something happens: the checksum is verified, the LSA is refreshed, or it is over. */
  private schedule(lsa: StoredLsa): void {
    const age = lsa.ageAt(this.clock.now());
    const nextCheck = age - (age % CHECK_AGE) + CHECK_AGE;
    const end = lsa.self ? lsa.refreshAge : MAX_AGE;
    this.wheel.schedule(lsa, Math.max(0, Math.min(nextCheck, end) - age));
  }

  private onDue(lsa: StoredLsa): void {
    const age = lsa.ageAt(this.clock.now());
    if (!isLsaChecksumRight(lsa.raw)) {
      this.hooks.corrupted(lsa);
      return;
    }
    if (lsa.self && age >= lsa.refreshAge) {
      this.hooks.refresh(lsa);
      return;
    }
    if (age < MAX_AGE) {
      this.schedule(lsa);
      return;
    }
    this.expire(lsa);
    this.hooks.aged(lsa);
  }

  /** RFC 2328 section 14: an LSA of MaxAge goes when no retransmission list holds it and no neighbour is in Exchange or Loading. */
  private sweep(): void {
    for (const lsa of this.maxAge) {
      if (lsa.retransmissions > 0 || this.hooks.isWaitedFor(lsa)) continue;
      this.remove(lsa);
      this.hooks.removed(lsa);
    }
  }
}
