/** The flooding procedure (RFC 2328 section 13, RFC 5340 section 4.5). */
import { MIN_LS_ARRIVAL_MS } from './constants.js';
import type { OspfEnvironment } from './environment.js';
import type { OspfInterface } from './interface.js';
import type { Neighbor } from './neighbor.js';
import { isAtLeast } from './neighbor-fsm.js';
import { StoredLsa, type StoredScope } from './stored-lsa.js';
import { compareLsaInstances, floodingScope } from './wire/lsa-header.js';
import { type LinkStateAcknowledgmentPacket, type LinkStateUpdatePacket, type Lsa, type LsaHeader, MAX_AGE, MAX_SEQUENCE } from './wire/types.js';

export interface FloodingHooks {
  /** An own LSA came in that is newer than what this router made (section 13.4). It is in the database, and flooded. */
  ownReceived(lsa: StoredLsa): void;
  /** The contents of an LSA changed, `old` is what it was. */
  changed(lsa: StoredLsa, old: StoredLsa | undefined): void;
  /** Whether one more LSA of others may be stored; called for each that is not there yet. */
  hasRoom(): boolean;
}

/**
 * The end of an instance is not held up by MinLSArrival, which limits how often there is another one: a router that has forgotten a flushed LSA takes it again
 * from one that has not heard of the flush, and would not listen to those that have. In step with the retransmissions both could go round for ever.
 */
const isFlushOf = (header: LsaHeader, copy: LsaHeader): boolean => header.age >= MAX_AGE && header.sequence === copy.sequence && header.checksum === copy.checksum;

export class Flooding {
  constructor(
    private readonly environment: OspfEnvironment,
    private readonly hooks: FloodingHooks,
  ) {}

  receiveUpdate(neighbor: Neighbor, packet: LinkStateUpdatePacket): void {
    const { owner } = neighbor;
    if (!isAtLeast(neighbor.state, 'Exchange')) {
      owner.count('dropped state');
      return;
    }
    for (const { reason } of packet.faults) owner.drop(neighbor.address, 'lsa', reason);
    for (const lsa of packet.lsas) {
      // What one of them set off may have ended the adjacency.
      if (!isAtLeast(neighbor.state, 'Exchange')) return;
      this.receive(neighbor, lsa);
    }
    neighbor.exchange.proceed();
  }

  private receive(neighbor: Neighbor, lsa: Lsa): void {
    const { environment } = this;
    const { lsdb, clock } = environment;
    const { owner } = neighbor;
    const { header } = lsa;
    const scope = floodingScope(header.type, environment.cpnLsType);
    if (scope === 'reserved') {
      owner.count('dropped scope');
      return;
    }
    const now = clock.now();
    const copy = lsdb.get(scope, owner.name, header);
    if (header.age >= MAX_AGE && !copy && !this.isExchanging(scope, owner)) {
      owner.sender.acknowledge(neighbor, header);
      neighbor.exchange.satisfied(header);
      return;
    }
    const order = copy ? compareLsaInstances(header, copy.headerAt(now)) : 1;
    if (order > 0) {
      if (copy?.flooded === true && now - copy.receivedAt < MIN_LS_ARRIVAL_MS && !isFlushOf(header, copy.header)) owner.count('dropped too soon');
      else this.accept(neighbor, lsa, scope, copy);
    } else if (neighbor.exchange.requested(header)) {
      neighbor.handle('BadLSReq', 'an LSA that was asked for came older than it was described');
    } else if (order === 0) {
      this.acknowledgeRepeated(neighbor, copy!, lsa);
    } else if (!(copy!.isMaxAge && copy!.header.sequence === MAX_SEQUENCE) && now - copy!.sentBackAt >= MIN_LS_ARRIVAL_MS) {
      copy!.sentBackAt = now;
      owner.sender.reply(neighbor, copy!);
    }
  }

  /** Step 5: newer than what is here. */
  private accept(neighbor: Neighbor, lsa: Lsa, scope: StoredScope, copy: StoredLsa | undefined): void {
    const { environment } = this;
    const { owner } = neighbor;
    const self = lsa.header.router === environment.routerId;
    if (!copy && !self && !this.hooks.hasRoom()) return;
    const stored = new StoredLsa(lsa, scope, scope === 'link' ? owner.name : undefined, self, environment.clock.now(), true);
    this.replace(stored);
    const isFloodedBack = this.flood(stored, neighbor);
    if (!isFloodedBack && (owner.state !== 'Backup' || neighbor.routerId === owner.designated)) owner.sender.acknowledgeLater(lsa.header);
    if (self) this.hooks.ownReceived(stored);
  }

  /** Puts an LSA in the place of an older one, which nobody needs to acknowledge any more. */
  replace(lsa: StoredLsa): void {
    const old = this.environment.lsdb.install(lsa);
    if (old && old.retransmissions > 0) {
      for (const owner of this.environment.interfaces()) for (const neighbor of owner.neighbors.values()) neighbor.acknowledged(old);
    }
    if (!old?.hasBodyOf(lsa) || old.isMaxAge !== lsa.isMaxAge) this.hooks.changed(lsa, old);
  }

  /** Makes an LSA that is there one of MaxAge and tells everybody. */
  expire(lsa: StoredLsa): void {
    if (lsa.isMaxAge) return;
    this.environment.lsdb.expire(lsa);
    this.hooks.changed(lsa, lsa);
    this.flood(lsa, undefined);
  }

  /** Step 7, and section 13.5 on what an LSA received twice is answered with. */
  private acknowledgeRepeated(neighbor: Neighbor, copy: StoredLsa, lsa: Lsa): void {
    const { owner } = neighbor;
    if (!neighbor.acknowledged(copy)) owner.sender.acknowledge(neighbor, lsa.header);
    else if (owner.state === 'Backup' && neighbor.routerId === owner.designated) owner.sender.acknowledgeLater(lsa.header);
  }

  receiveAcknowledgment(neighbor: Neighbor, packet: LinkStateAcknowledgmentPacket): void {
    const { lsdb, cpnLsType, clock } = this.environment;
    if (!isAtLeast(neighbor.state, 'Exchange')) {
      neighbor.owner.count('dropped state');
      return;
    }
    for (const header of packet.headers) {
      const scope = floodingScope(header.type, cpnLsType);
      const copy = scope === 'reserved' ? undefined : lsdb.get(scope, neighbor.owner.name, header);
      if (copy && neighbor.isExpectedToAcknowledge(copy) && compareLsaInstances(header, copy.headerAt(clock.now())) === 0) neighbor.acknowledged(copy);
    }
  }

  /** Section 13.3: to everybody who needs it; whether it goes out by the interface it came in by. */
  flood(lsa: StoredLsa, from: Neighbor | undefined): boolean {
    let isFloodedBack = false;
    for (const owner of this.environment.interfaces()) {
      if (lsa.scope === 'link' && owner.name !== lsa.link) continue;
      if (!this.floodOn(owner, lsa, from)) continue;
      if (owner === from?.owner) isFloodedBack = true;
    }
    return isFloodedBack;
  }

  private floodOn(owner: OspfInterface, lsa: StoredLsa, from: Neighbor | undefined): boolean {
    const now = this.environment.clock.now();
    let isNeeded = false;
    for (const neighbor of owner.neighbors.values()) {
      if (!isAtLeast(neighbor.state, 'Exchange')) continue;
      const described = neighbor.exchange.requested(lsa.header);
      if (described) {
        const order = compareLsaInstances(lsa.headerAt(now), described);
        if (order < 0) continue;
        neighbor.exchange.satisfied(lsa.header);
        if (neighbor !== from) neighbor.exchange.proceed();
        if (order === 0) continue;
      }
      if (neighbor === from) continue;
      neighbor.expectAcknowledgment(lsa);
      isNeeded = true;
    }
    if (!isNeeded) return false;
    if (owner === from?.owner) {
      // The Designated Router, or its backup, tells the others; as backup this router leaves it to the Designated Router.
      if (from.routerId === owner.designated || from.routerId === owner.backup || owner.state === 'Backup') return false;
    }
    owner.sender.flood(lsa);
    return true;
  }

  /** Whether a neighbour that would hear of an LSA of this scope is in Exchange or Loading. */
  isExchanging(scope: StoredScope, link: OspfInterface | undefined): boolean {
    for (const owner of this.environment.interfaces()) {
      if (scope === 'link' && owner !== link) continue;
      for (const { state } of owner.neighbors.values()) if (state === 'Exchange' || state === 'Loading') return true;
    }
    return false;
  }
}
