/** A neighbour on one interface: its state machine carried out, its lists, and what it said of itself (RFC 2328 section 10). */
import type { Timer } from '../clock.js';
import { BURST_PACKETS, BURST_PAUSE_MS } from './constants.js';
import type { OspfEnvironment } from './environment.js';
import { DatabaseExchange } from './exchange.js';
import { formatId } from './ids.js';
import type { OspfInterface } from './interface.js';
import { isAtLeast, type NeighborAction, type NeighborEvent, neighborTransition } from './neighbor-fsm.js';
import type { StoredLsa } from './stored-lsa.js';
import type { NeighborState, OspfNeighborView } from './types.js';
import type { HelloPacket } from './wire/types.js';

export class Neighbor {
  state: NeighborState = 'Down';
  interfaceId = 0;
  priority = 0;
  designated = 0;
  backup = 0;
  options = 0;
  /** Highest sequence number of its Authentication Trailers by kind of packet (RFC 7166 section 4.1). */
  readonly authenticationSequences = new Map<number, bigint>();
  readonly exchange: DatabaseExchange;
  /** LSAs that it has not acknowledged, each with when it was last sent; the longest waiting first. */
  private readonly retransmissions = new Map<StoredLsa, number>();
  private retransmitTimer: Timer | undefined;
  private inactivityTimer: Timer | undefined;
  private lastHeard = 0;
  private changedAt: number;
  private changes = 0;
  private gone = false;

  constructor(
    private readonly environment: OspfEnvironment,
    readonly owner: OspfInterface,
    readonly routerId: number,
    readonly address: string,
  ) {
    this.exchange = new DatabaseExchange(environment, this);
    this.changedAt = environment.clock.now();
  }

  /** Whether the adjacency is announced: Full, or of a router that restarts and is helped (RFC 3623 section 3). */
  get isAdvertised(): boolean {
    return this.state === 'Full' || this.isHelped;
  }

  get isHelped(): boolean {
    return this.environment.grace.isHelping(this);
  }

  /** Takes what a Hello says; whether anything that counts for elections, or for own LSAs, is different. */
  learn(hello: HelloPacket): { readonly election: boolean; readonly topology: boolean } {
    const declares = (packet: { readonly designated: number; readonly backup: number }): string => `${packet.designated === this.routerId} ${packet.backup === this.routerId}`;
    const election = hello.priority !== this.priority || declares(hello) !== declares(this);
    const topology = hello.interfaceId !== this.interfaceId;
    this.interfaceId = hello.interfaceId;
    this.priority = hello.priority;
    this.options = hello.options;
    // RFC 3623 section 3: one that restarts keeps its office, whatever it says before it knows the others again.
    if (!this.isHelped) {
      this.designated = hello.designated;
      this.backup = hello.backup;
    }
    return { election, topology };
  }

  handle(event: NeighborEvent, reason: string = event): void {
    const transition = this.gone
      ? undefined
      : neighborTransition(this.state, event, { adjacent: this.owner.shouldBeAdjacent(this), requestsEmpty: this.exchange.requests.size === 0 });
    if (!transition) return;
    const from = this.state;
    // Whoever says that it is down knows more than that it restarts.
    if (transition.state === 'Down') this.environment.grace.end(this, reason);
    if (from === 'Full' && transition.state !== 'Full' && !this.isHelped) this.environment.neighborLost(this, reason);
    this.state = transition.state;
    this.gone = transition.state === 'Down';
    for (const action of transition.actions) this.act(action);
    if (from !== transition.state) this.changed(from, transition.state, reason);
  }

  private act(action: NeighborAction): void {
    switch (action) {
      case 'restartInactivityTimer':
        this.lastHeard = this.environment.clock.now();
        this.watch();
        return;
      case 'stopInactivityTimer':
        this.inactivityTimer?.cancel();
        this.inactivityTimer = undefined;
        return;
      case 'clearLists':
        this.clearLists();
        return;
      case 'startExchange':
        this.exchange.start();
        return;
      case 'listDatabase':
        this.exchange.listDatabase();
        return;
      case 'sendRequests':
        this.exchange.proceed();
    }
  }

  private changed(from: NeighborState, to: NeighborState, reason: string): void {
    this.changes++;
    this.changedAt = this.environment.clock.now();
    if (to === 'Down') this.owner.removeNeighbor(this);
    const identity = { interface: this.owner.name, routerId: formatId(this.routerId), address: this.address };
    this.environment.event({ kind: 'neighbor-state', ...identity, from, to, reason, restarting: this.isHelped });
    // One of the actions may have taken it further already.
    if (to === 'Full' && this.state === 'Full' && !this.isHelped) this.environment.neighborFull(this);
    if (from === 'Full' || to === 'Full') this.environment.topologyChanged();
    if (isAtLeast(from, '2-Way') !== isAtLeast(to, '2-Way')) this.owner.handle('NeighborChange');
  }

  private watch(): void {
    if (this.inactivityTimer) return;
    const { clock } = this.environment;
    const wait = this.lastHeard + this.owner.config.deadIntervalMs - clock.now();
    this.inactivityTimer = clock.setTimeout(() => {
      this.inactivityTimer = undefined;
      // RFC 3623 section 3: the one that restarts is silent.
      if (this.isHelped) return;
      if (clock.now() - this.lastHeard >= this.owner.config.deadIntervalMs) this.handle('InactivityTimer', 'no Hello within the dead interval');
      else this.watch();
    }, Math.max(1, wait));
  }

  /** Its silence counts again, or counts differently: it is helped no longer, or the dead interval is another one. */
  watchAgain(): void {
    this.inactivityTimer?.cancel();
    this.inactivityTimer = undefined;
    if (!this.gone && this.state !== 'Down') this.watch();
  }

  /** Puts an LSA on the retransmission list; it was just sent, or is about to be. */
  expectAcknowledgment(lsa: StoredLsa): void {
    if (this.retransmissions.delete(lsa)) lsa.retransmissions--;
    this.retransmissions.set(lsa, this.environment.clock.now());
    lsa.retransmissions++;
    this.retransmitTimer ??= this.environment.clock.setTimeout(() => this.retransmit(), this.owner.config.retransmitIntervalMs);
  }

  /** Takes an LSA off the retransmission list; whether it was there. */
  acknowledged(lsa: StoredLsa): boolean {
    if (!this.retransmissions.delete(lsa)) return false;
    lsa.retransmissions--;
    if (this.retransmissions.size === 0) this.stopRetransmitting();
    return true;
  }

  isExpectedToAcknowledge(lsa: StoredLsa): boolean {
    return this.retransmissions.has(lsa);
  }

  retransmissionList(): Iterable<StoredLsa> {
    return this.retransmissions.keys();
  }

  private stopRetransmitting(): void {
    this.retransmitTimer?.cancel();
    this.retransmitTimer = undefined;
  }

  /** Sends again what was sent an interval ago, no more than a burst at once (RFC 2328 section 13.6). */
  private retransmit(): void {
    const { clock } = this.environment;
    const { retransmitIntervalMs } = this.owner.config;
    const now = clock.now();
    let octets = BURST_PACKETS * this.owner.mtu;
    let wait = retransmitIntervalMs;
    for (const [lsa, sentAt] of this.retransmissions) {
      if (now - sentAt < retransmitIntervalMs) {
        wait = sentAt + retransmitIntervalMs - now;
        break;
      }
      if (octets <= 0) {
        wait = BURST_PAUSE_MS;
        break;
      }
      octets -= lsa.raw.length;
      this.retransmissions.delete(lsa);
      this.retransmissions.set(lsa, now);
      this.owner.sender.reply(this, lsa);
      this.owner.count('retransmitted LSAs');
    }
    this.retransmitTimer = this.retransmissions.size > 0 ? clock.setTimeout(() => this.retransmit(), Math.max(1, wait)) : undefined;
  }

  private clearLists(): void {
    this.stopRetransmitting();
    for (const lsa of this.retransmissions.keys()) lsa.retransmissions--;
    this.retransmissions.clear();
    this.exchange.clear();
    this.owner.sender.forget(this);
  }

  view(): OspfNeighborView {
    const now = this.environment.clock.now();
    return {
      routerId: formatId(this.routerId),
      interface: this.owner.name,
      address: this.address,
      interfaceId: this.interfaceId,
      priority: this.priority,
      state: this.state,
      designated: formatId(this.designated),
      backup: formatId(this.backup),
      options: this.options,
      deadInMs: this.isHelped ? Infinity : Math.max(0, this.lastHeard + this.owner.config.deadIntervalMs - now),
      uptimeMs: now - this.changedAt,
      retransmissions: this.retransmissions.size,
      requests: this.exchange.requests.size,
      databaseSummaries: this.exchange.summariesLeft,
      restarting: this.isHelped,
      stateChanges: this.changes,
    };
  }
}
