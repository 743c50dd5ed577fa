/**
 * The LSAs that this router originates: what each is to say, when it may say so again (MinLSInterval), refreshes, sequence numbers to their
 * end, and what comes back from the network under our name (RFC 2328 sections 12.4, 13.4 and 14.1).
 */
import type { Timer } from '../../clock.js';
import { LS_REFRESH_TIME, MIN_LS_ARRIVAL_MS, MIN_LS_INTERVAL_MS, REFRESH_JITTER } from '../constants.js';
import type { OspfEnvironment } from '../environment.js';
import { lsaKey, StoredLsa, type StoredScope } from '../stored-lsa.js';
import { buildLsa } from '../wire/lsa.js';
import { floodingScope } from '../wire/lsa-header.js';
import { INITIAL_SEQUENCE, LSA_HEADER_LENGTH, LsType, MAX_SEQUENCE } from '../wire/types.js';

/** What names an own LSA. */
export interface OwnLsaName {
  readonly type: number;
  readonly id: number;
  /** Link scope: the interface. */
  readonly interface?: string;
}

interface Own {
  readonly name: OwnLsaName;
  readonly scope: StoredScope;
  /** Undefined: it is not to be there. */
  body: Uint8Array | undefined;
  /** Highest sequence number used or seen. */
  sequence: number;
  originatedAt: number;
  timer: Timer | undefined;
  /** Origination is due whether or not the body is different: a refresh, or a newer one came back. */
  due: boolean;
  /** It has reached the last sequence number: it begins anew once the flushed one is gone everywhere. */
  wrapping: boolean;
}

const nameOf = ({ header: { type, id }, link }: StoredLsa): OwnLsaName => (link === undefined ? { type, id } : { type, id, interface: link });

/** Who routes by an LSA of these of an earlier life is led astray. */
const TOPOLOGY = new Set<number>([LsType.router, LsType.network, LsType.intraAreaPrefix]);
/** How long LSAs of an earlier life stay after a graceful restart unless they are made anew, ms. */
const LEFTOVERS_MS = 15_000;
/** An LSA is flushed so long after it was originated at the earliest: MinLSArrival, and what the way of the first may have been slower than that of the second. */
const FLUSH_AFTER_MS = MIN_LS_ARRIVAL_MS + 100;

/** Sequence numbers of LSAs that are not there any more, remembered at most. */
const MOST_REMEMBERED = 20_000;

export class OwnLsas {
  private readonly owns = new Map<string, Own>();
  /** LSAs of area and AS stay as the network has them. */
  private holding = false;
  private leftovers: Timer | undefined;

  constructor(private readonly environment: OspfEnvironment) {}

  /**
   * Announces an LSA with this body, or changes one to it, as soon as MinLSInterval allows; it is kept up from there on. Throws RangeError on a
   * type of reserved scope, and on link scope without an interface.
   */
  originate(name: OwnLsaName, body: Uint8Array): void {
    const own = this.own(name);
    // What waits to be flushed stays instead.
    if (!own.body) this.cancel(own);
    // An interface that began anew took its link's LSAs with it.
    if (own.body && Buffer.compare(own.body, body) === 0 && this.stored(own)) return;
    own.body = body;
    this.schedule(own);
  }

  /** Takes an LSA back: at once, unless receivers would drop that because they have it for less than MinLSArrival, and hear of it by a retransmission. */
  flush(name: OwnLsaName): void {
    const own = this.withdraw(name);
    if (!own) return;
    const wait = own.originatedAt + FLUSH_AFTER_MS - this.environment.clock.now();
    if (wait <= 0) this.expire(own);
    else {
      own.timer = this.environment.clock.setTimeout(() => {
        own.timer = undefined;
        this.expire(own);
      }, wait);
    }
  }

  /** All of them at once: nobody is there later to do it. */
  flushAll(): void {
    for (const { name } of [...this.owns.values()]) {
      const own = this.withdraw(name);
      if (own) this.expire(own);
    }
  }

  /** Nothing is to be said of it any more; undefined when that was so. */
  private withdraw(name: OwnLsaName): Own | undefined {
    const own = this.owns.get(this.key(name));
    if (own?.body === undefined) return undefined;
    this.cancel(own);
    own.body = undefined;
    own.due = false;
    return own;
  }

  private expire(own: Own): void {
    const stored = this.isHeld(own) ? undefined : this.stored(own);
    if (stored) this.environment.flooding.expire(stored);
  }

  /** Whether MinLSInterval holds another body of it back. */
  isPaced(name: OwnLsaName): boolean {
    const own = this.owns.get(this.key(name));
    return own !== undefined && (own.wrapping || own.originatedAt + MIN_LS_INTERVAL_MS > this.environment.clock.now());
  }

  /** Begins a graceful restart (RFC 3623 section 2.2, step 1): what is to be said is remembered, and said after `release`. Link scope is not held. */
  hold(): void {
    this.holding = true;
  }

  /**
   * Ends it: LSAs that are to be different from what the network has are originated. Those of the topology that are not to be there any more go; others of
   * the earlier life have some time to be made anew, as what they tell may not be known yet.
   */
  release(): void {
    if (!this.holding) return;
    this.holding = false;
    const now = this.environment.clock.now();
    for (const own of this.owns.values()) {
      const stored = this.stored(own);
      own.due ||= stored !== undefined && stored.ageAt(now) >= stored.refreshAge;
      if (own.body) this.schedule(own);
    }
    this.flushLeftovers((type) => TOPOLOGY.has(type));
    this.leftovers = this.environment.clock.setTimeout(() => {
      this.leftovers = undefined;
      this.flushLeftovers(() => true);
    }, LEFTOVERS_MS);
  }

  private flushLeftovers(matches: (type: number) => boolean): void {
    const { lsdb, routerId, flooding } = this.environment;
    for (const lsa of [...lsdb.all({ router: routerId })]) if (lsa.scope !== 'link' && matches(lsa.header.type) && !this.isOriginated(nameOf(lsa))) flooding.expire(lsa);
  }

  private isHeld({ scope }: Own): boolean {
    return this.holding && scope !== 'link';
  }

  /** LSAs of a link that is gone with its database. Neighbours may have them still: the sequence numbers stay. */
  forgetLink(link: string): void {
    for (const own of this.owns.values()) {
      if (own.name.interface !== link) continue;
      this.cancel(own);
      own.body = undefined;
      own.due = own.wrapping = false;
      own.originatedAt = -Infinity;
    }
  }

  stop(): void {
    this.leftovers?.cancel();
    for (const own of this.owns.values()) this.cancel(own);
  }

  isOriginated(name: OwnLsaName): boolean {
    return this.owns.get(this.key(name))?.body !== undefined;
  }

  /** Section 13.4: a newer instance of ours, which is in the database now. */
  received(lsa: StoredLsa): 'superseded' | 'flushed' | 'kept' {
    const { sequence } = lsa.header;
    const own = this.own(nameOf(lsa));
    own.sequence = sequence;
    if (this.isHeld(own) || (own.body === undefined && this.leftovers && !TOPOLOGY.has(own.name.type) && own.scope !== 'link')) return 'kept';
    if (own.body === undefined) {
      this.environment.flooding.expire(lsa);
      return 'flushed';
    }
    own.due = true;
    this.schedule(own);
    return 'superseded';
  }

  refresh(lsa: StoredLsa): void {
    const own = this.owns.get(this.key(nameOf(lsa)));
    if (own && this.isHeld(own)) return;
    if (own?.body === undefined) {
      this.environment.flooding.expire(lsa);
      return;
    }
    own.due = true;
    this.schedule(own);
  }

  /** An LSA of MaxAge has left the database. */
  removed(lsa: StoredLsa): void {
    const key = this.key(nameOf(lsa));
    const own = this.owns.get(key);
    if (!own) return;
    if (own.wrapping) this.beginAnew(own);
    else if (own.body === undefined && this.owns.size > MOST_REMEMBERED) this.owns.delete(key);
  }

  private key({ type, id, interface: link }: OwnLsaName): string {
    const key = lsaKey({ type, id, router: this.environment.routerId });
    return link === undefined ? key : `${key} ${link}`;
  }

  private own(name: OwnLsaName): Own {
    const key = this.key(name);
    const known = this.owns.get(key);
    if (known) return known;
    const scope = floodingScope(name.type, this.environment.cpnLsType);
    if (scope === 'reserved') throw new RangeError(`LS type 0x${name.type.toString(16)} has a reserved flooding scope`);
    if ((scope === 'link') !== (name.interface !== undefined)) throw new RangeError(`LS type 0x${name.type.toString(16)} is flooded in the ${scope}: an interface belongs to link scope, and only to it`);
    const own: Own = { name, scope, body: undefined, sequence: INITIAL_SEQUENCE - 1, originatedAt: -Infinity, timer: undefined, due: false, wrapping: false };
    this.owns.set(key, own);
    return own;
  }

  private stored(own: Own): StoredLsa | undefined {
    const { type, id } = own.name;
    return this.environment.lsdb.get(own.scope, own.name.interface, { type, id, router: this.environment.routerId });
  }

  private cancel(own: Own): void {
    own.timer?.cancel();
    own.timer = undefined;
  }

  private schedule(own: Own): void {
    if (own.timer || own.wrapping || this.isHeld(own)) return;
    const wait = own.originatedAt + MIN_LS_INTERVAL_MS - this.environment.clock.now();
    if (wait <= 0) this.build(own);
    else {
      own.timer = this.environment.clock.setTimeout(() => {
        own.timer = undefined;
        this.build(own);
      }, wait);
    }
  }

  private build(own: Own): void {
    const { environment } = this;
    const { body } = own;
    if (!body) return;
    const current = this.stored(own);
    const isSame = current !== undefined && !current.isMaxAge && Buffer.compare(current.raw.subarray(LSA_HEADER_LENGTH), body) === 0;
    // Changed and changed back while it had to wait.
    if (isSame && !own.due) return;
    if (own.sequence >= MAX_SEQUENCE) {
      // RFC 2328 section 12.1.6: the old one has to be gone before the first sequence number comes again.
      own.wrapping = true;
      if (current) environment.flooding.expire(current);
      else this.beginAnew(own);
      return;
    }
    own.sequence = Math.max(own.sequence + 1, INITIAL_SEQUENCE);
    own.originatedAt = environment.clock.now();
    own.due = false;
    const { type, id } = own.name;
    const lsa = buildLsa({ age: 0, type, id, router: environment.routerId, sequence: own.sequence }, body, environment.cpnLsType);
    const stored = new StoredLsa(lsa, own.scope, own.name.interface, true, own.originatedAt, false);
    stored.refreshAge = LS_REFRESH_TIME - Math.floor(environment.random() * REFRESH_JITTER);
    environment.flooding.replace(stored);
    environment.flooding.flood(stored, undefined);
  }

  private beginAnew(own: Own): void {
    own.wrapping = false;
    own.sequence = INITIAL_SEQUENCE - 1;
    this.build(own);
  }
}
