/** The exchange of databases with one neighbour: Database Description and Link State Request packets (RFC 2328 sections 10.6 to 10.9). */
import type { Timer } from '../clock.js';
import { MAX_REQUESTS, REQUESTS_A_PACKET } from './constants.js';
import type { OspfEnvironment } from './environment.js';
import type { Neighbor } from './neighbor.js';
import { isAtLeast } from './neighbor-fsm.js';
import type { PacketBody } from './sender.js';
import { lsaKey, type StoredLsa } from './stored-lsa.js';
import { compareLsaInstances, floodingScope } from './wire/lsa-header.js';
import { type DatabaseDescriptionPacket, type LinkStateRequestPacket, LSA_HEADER_LENGTH, type LsaHeader, type LsaKey, LsType, PACKET_HEADER_LENGTH } from './wire/types.js';

const DESCRIPTION_HEADER = 12;

type Description = Extract<PacketBody, { kind: 'databaseDescription' }>;

export class DatabaseExchange {
  /** The Link State request list: what the neighbour has and we want, by key. */
  readonly requests = new Map<string, LsaHeader>();
  /** Asked for and not answered yet. */
  private readonly outstanding = new Set<string>();
  private summaries: StoredLsa[] = [];
  private described = 0;
  private isMaster = false;
  private sequence: number | undefined;
  private sent: Description | undefined;
  private received: DatabaseDescriptionPacket | undefined;
  private timer: Timer | undefined;
  private requestTimer: Timer | undefined;

  constructor(
    private readonly environment: OspfEnvironment,
    private readonly neighbor: Neighbor,
  ) {}

  /** LSAs not yet described to the neighbour. */
  get summariesLeft(): number {
    return this.summaries.length - this.described;
  }

  clear(): void {
    this.stopTimers();
    this.requests.clear();
    this.outstanding.clear();
    this.summaries = [];
    this.described = 0;
    this.sent = this.received = undefined;
  }

  private stopTimers(): void {
    this.timer?.cancel();
    this.requestTimer?.cancel();
    this.timer = this.requestTimer = undefined;
  }

  /** ExStart: declares us master, again and again until the neighbour settles it. */
  start(): void {
    this.sequence = this.sequence === undefined ? Math.floor(this.environment.random() * 2 ** 31) : (this.sequence + 1) >>> 0;
    this.isMaster = true;
    this.received = undefined;
    this.describe({ initial: true, more: true, headers: [] });
  }

  /** Exchange begins: the list of all there is to describe (section 10.3, NegotiationDone). */
  listDatabase(): void {
    const { lsdb } = this.environment;
    this.summaries = [];
    this.described = 0;
    const take = (lsas: Iterable<StoredLsa>): void => {
      for (const lsa of lsas) {
        // A Grace-LSA is sent at once: it may be flushed before it is asked for, and FRR would ask for ever.
        if (!lsa.isMaxAge && lsa.header.type !== LsType.grace) this.summaries.push(lsa);
        else {
          this.neighbor.owner.sender.reply(this.neighbor, lsa);
          this.neighbor.expectAcknowledgment(lsa);
        }
      }
    };
    take(lsdb.all({ scope: 'link', interface: this.neighbor.owner.name }));
    take(lsdb.all({ scope: 'area' }));
    take(lsdb.all({ scope: 'as' }));
  }

  private describe(part: Pick<Description, 'initial' | 'more' | 'headers'>): void {
    const { owner } = this.neighbor;
    this.sent = { kind: 'databaseDescription', options: owner.options, mtu: Math.min(0xffff, owner.mtu), master: this.isMaster, sequence: this.sequence!, ...part };
    this.sendDescription();
  }

  private sendDescription(): void {
    const { owner } = this.neighbor;
    this.timer?.cancel();
    this.timer = undefined;
    if (this.sent) owner.sender.send(this.sent, owner.sender.destinationOf(this.neighbor));
    // Section 10.8: a slave repeats only what the master repeats.
    if (this.isMaster) this.timer = this.environment.clock.setTimeout(() => this.sendDescription(), owner.config.retransmitIntervalMs);
  }

  private describeNext(): void {
    const { owner } = this.neighbor;
    const now = this.environment.clock.now();
    const most = Math.max(1, Math.floor((owner.sender.capacity - PACKET_HEADER_LENGTH - DESCRIPTION_HEADER) / LSA_HEADER_LENGTH));
    const headers = this.summaries.slice(this.described, this.described + most).map((lsa) => lsa.headerAt(now));
    this.described += headers.length;
    // Instances of before an exchange are not held until the next one.
    if (this.summariesLeft === 0) {
      this.summaries = [];
      this.described = 0;
    }
    this.describe({ initial: false, more: this.summariesLeft > 0, headers });
  }

  receiveDescription(packet: DatabaseDescriptionPacket): void {
    const { neighbor } = this;
    const { owner } = neighbor;
    if (packet.mtu > owner.mtu && !owner.config.mtuIgnore) {
      owner.drop(neighbor.address, 'mtu', `Database Description with interface MTU ${packet.mtu}, here it is ${owner.mtu}`);
      return;
    }
    if (neighbor.state === 'Init') neighbor.handle('2-WayReceived');
    switch (neighbor.state) {
      case 'ExStart':
        this.negotiate(packet);
        return;
      case 'Exchange':
        if (this.isRepeated(packet)) this.answerRepeated();
        else if (this.isNext(packet)) this.accept(packet);
        return;
      case 'Loading':
      case 'Full':
        if (this.isRepeated(packet)) this.answerRepeated();
        else neighbor.handle('SeqNumberMismatch', 'a Database Description that repeats none');
        return;
      case 'Down':
      case 'Init':
      case '2-Way':
        owner.count('dropped state');
    }
  }

  private negotiate(packet: DatabaseDescriptionPacket): void {
    const { routerId } = this.environment;
    const { neighbor } = this;
    const isHigher = neighbor.routerId > routerId;
    if (packet.initial && packet.more && packet.master && packet.headers.length === 0 && isHigher) {
      this.isMaster = false;
      this.sequence = packet.sequence;
    } else if (packet.initial || packet.master || packet.sequence !== this.sequence || isHigher) {
      return;
    }
    this.timer?.cancel();
    this.timer = undefined;
    neighbor.options = packet.options;
    neighbor.handle('NegotiationDone');
    this.accept(packet);
  }

  private isRepeated(packet: DatabaseDescriptionPacket): boolean {
    const last = this.received;
    return (
      last !== undefined &&
      last.initial === packet.initial &&
      last.more === packet.more &&
      last.master === packet.master &&
      last.options === packet.options &&
      last.sequence === packet.sequence
    );
  }

  private answerRepeated(): void {
    if (!this.isMaster) this.sendDescription();
  }

  private isNext(packet: DatabaseDescriptionPacket): boolean {
    const expected = this.isMaster ? this.sequence! : (this.sequence! + 1) >>> 0;
    const fault =
      packet.master === this.isMaster
        ? 'both are master, or none'
        : packet.initial
          ? 'a Database Description that begins anew'
          : packet.options !== this.received?.options
            ? 'other options than before'
            : packet.sequence !== expected
              ? `DD sequence number ${packet.sequence} where ${expected} is due`
              : undefined;
    if (fault !== undefined) this.neighbor.handle('SeqNumberMismatch', fault);
    return fault === undefined;
  }

  /** The next packet in sequence: what it lists, and the next one of ours. */
  private accept(packet: DatabaseDescriptionPacket): void {
    const { neighbor } = this;
    this.received = { ...packet, headers: [] };
    for (const header of packet.headers) {
      if (!this.consider(header)) return;
    }
    const isAllSent = this.sent?.more === false && !this.sent.initial;
    if (this.isMaster) {
      this.sequence = (this.sequence! + 1) >>> 0;
      if (isAllSent && !packet.more) {
        this.timer?.cancel();
        this.timer = undefined;
        neighbor.handle('ExchangeDone');
        return;
      }
      this.describeNext();
    } else {
      this.sequence = packet.sequence;
      this.describeNext();
      if (!packet.more && this.summariesLeft === 0) {
        neighbor.handle('ExchangeDone');
        return;
      }
    }
    if (this.outstanding.size === 0 && this.requests.size > 0) this.sendRequests();
  }

  /** Puts an LSA that is missing or older here on the request list; false: the exchange starts over. */
  private consider(header: LsaHeader): boolean {
    const { lsdb, cpnLsType, clock } = this.environment;
    const scope = floodingScope(header.type, cpnLsType);
    if (scope === 'reserved') {
      this.neighbor.handle('SeqNumberMismatch', `an LSA of reserved scope, LS type 0x${header.type.toString(16)}`);
      return false;
    }
    const copy = lsdb.get(scope, this.neighbor.owner.name, header);
    if (copy && compareLsaInstances(header, copy.headerAt(clock.now())) <= 0) return true;
    if (this.requests.size >= MAX_REQUESTS) {
      this.neighbor.handle('KillNbr', `more than ${MAX_REQUESTS} LSAs described`);
      return false;
    }
    this.requests.set(lsaKey(header), header);
    return true;
  }

  /** What the neighbour described of an LSA that was asked for, or is to be. */
  requested(key: LsaKey): LsaHeader | undefined {
    return this.requests.size === 0 ? undefined : this.requests.get(lsaKey(key));
  }

  /** The LSA came, from this neighbour or another. */
  satisfied(key: LsaKey): void {
    const text = lsaKey(key);
    this.requests.delete(text);
    this.outstanding.delete(text);
  }

  /** After an update: asks for more once everything asked for is here; Loading is done when nothing is left. */
  proceed(): void {
    if (!isAtLeast(this.neighbor.state, 'Exchange') || this.neighbor.state === 'Full' || this.outstanding.size > 0) return;
    this.sendRequests();
  }

  sendRequests(): void {
    this.requestTimer?.cancel();
    this.requestTimer = undefined;
    this.outstanding.clear();
    if (this.requests.size === 0) {
      this.neighbor.handle('LoadingDone');
      return;
    }
    const { owner } = this.neighbor;
    const requests: LsaKey[] = [];
    for (const [key, { type, id, router }] of this.requests) {
      if (requests.length === REQUESTS_A_PACKET) break;
      requests.push({ type, id, router });
      this.outstanding.add(key);
    }
    owner.sender.send({ kind: 'linkStateRequest', requests }, owner.sender.destinationOf(this.neighbor));
    this.requestTimer = this.environment.clock.setTimeout(() => this.sendRequests(), owner.config.retransmitIntervalMs);
  }

  receiveRequest(packet: LinkStateRequestPacket): void {
    const { neighbor } = this;
    const { owner } = neighbor;
    if (!isAtLeast(neighbor.state, 'Exchange')) {
      owner.count('dropped state');
      return;
    }
    const { lsdb, cpnLsType } = this.environment;
    for (const key of packet.requests) {
      const scope = floodingScope(key.type, cpnLsType);
      const lsa = scope === 'reserved' ? undefined : lsdb.get(scope, owner.name, key);
      if (!lsa) {
        neighbor.handle('BadLSReq', `asked for an LSA that is not here, LS type 0x${key.type.toString(16)}`);
        return;
      }
      owner.sender.reply(neighbor, lsa);
    }
  }
}
