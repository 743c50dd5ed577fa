/**
 * What leaves by one interface. Updates and acknowledgments wait until the end of the turn, so that they share packets; a long queue of updates
 * leaves in bursts.
 */
import type { Timer } from '../clock.js';
import { ACK_DELAY_MS, BURST_PACKETS, BURST_PAUSE_MS, IPV6_HEADER } from './constants.js';
import type { OspfEnvironment } from './environment.js';
import type { OspfInterface } from './interface.js';
import type { Neighbor } from './neighbor.js';
import type { StoredLsa } from './stored-lsa.js';
import { ALL_D_ROUTERS, ALL_SPF_ROUTERS } from './transport.js';
import { authenticate, trailerLength } from './wire/authentication.js';
import { withAge } from './wire/lsa.js';
import { encodePacket } from './wire/packet.js';
import { type Lsa, LSA_HEADER_LENGTH, type LsaHeader, MAX_AGE, type OspfPacket, PACKET_HEADER_LENGTH, type PacketHeader } from './wire/types.js';

const UPDATE_HEADER = 4; // number of LSAs

/** A packet without what all packets of an interface begin with. */
export type PacketBody = OspfPacket extends infer P ? (P extends OspfPacket ? Omit<P, keyof PacketHeader> : never) : never;

export class PacketSender {
  private readonly floods = new Set<StoredLsa>();
  private readonly replies = new Map<Neighbor, Set<StoredLsa>>();
  private readonly directAcks = new Map<Neighbor, LsaHeader[]>();
  private readonly delayedAcks: LsaHeader[] = [];
  private turn: Timer | undefined;
  private ackTimer: Timer | undefined;

  constructor(
    private readonly environment: OspfEnvironment,
    private readonly owner: OspfInterface,
  ) {}

  /** Octets of an OSPF packet that fit a link, trailer aside. */
  get capacity(): number {
    const key = this.owner.keys[0];
    return this.owner.mtu - IPV6_HEADER - (key ? trailerLength(key) : 0);
  }

  /** Where packets for all who listen go (RFC 2328 section 13.3 step 5, section 13.5). */
  get floodingDestination(): string {
    const { state } = this.owner;
    return state === 'DROther' || state === 'Waiting' ? ALL_D_ROUTERS : ALL_SPF_ROUTERS;
  }

  /** Where packets for one neighbour go: on point-to-point links everything is multicast (RFC 2328 section 8.1). */
  destinationOf(neighbor: Neighbor): string {
    return this.owner.config.network === 'point-to-point' ? ALL_SPF_ROUTERS : neighbor.address;
  }

  send(body: PacketBody, destination: string): void {
    const { port, linkLocal, config, keys } = this.owner;
    if (!port || linkLocal === undefined) return;
    const { routerId, areaId } = this.environment;
    const packet = { ...body, routerId, areaId, instanceId: config.instanceId } as OspfPacket;
    const bytes = encodePacket(packet, { source: linkLocal, destination });
    const key = keys[0];
    port.send(key ? authenticate(bytes, linkLocal, key, this.environment.nextAuthenticationSequence()) : bytes, destination);
    this.owner.count(`sent ${packet.kind}`);
  }

  /** To all on the link. */
  flood(lsa: StoredLsa): void {
    this.floods.add(lsa);
    this.wake(0);
  }

  /** To one neighbour, who asked or needs it again. */
  reply(neighbor: Neighbor, lsa: StoredLsa): void {
    let queue = this.replies.get(neighbor);
    if (!queue) this.replies.set(neighbor, (queue = new Set()));
    queue.add(lsa);
    this.wake(0);
  }

  acknowledge(neighbor: Neighbor, header: LsaHeader): void {
    const waiting = this.directAcks.get(neighbor);
    if (waiting) waiting.push(header);
    else this.directAcks.set(neighbor, [header]);
    this.wake(0);
  }

  acknowledgeLater(header: LsaHeader): void {
    this.delayedAcks.push(header);
    this.ackTimer ??= this.environment.clock.setTimeout(() => this.sendDelayedAcks(), Math.min(ACK_DELAY_MS, this.owner.config.retransmitIntervalMs / 2));
  }

  /** A neighbour that is gone needs nothing more. */
  forget(neighbor: Neighbor): void {
    this.replies.delete(neighbor);
    this.directAcks.delete(neighbor);
  }

  /** Sends all that waits, however much it is. */
  flush(): void {
    this.sendDelayedAcks();
    while (this.sendQueued()) continue;
  }

  clear(): void {
    this.turn?.cancel();
    this.ackTimer?.cancel();
    this.turn = this.ackTimer = undefined;
    this.floods.clear();
    this.replies.clear();
    this.directAcks.clear();
    this.delayedAcks.length = 0;
  }

  private wake(ms: number): void {
    this.turn ??= this.environment.clock.setTimeout(() => {
      this.turn = undefined;
      if (this.sendQueued()) this.wake(BURST_PAUSE_MS);
    }, ms);
  }

  /** Sends one burst; whether something is left. */
  private sendQueued(): boolean {
    for (const [neighbor, headers] of this.directAcks) this.sendAcks(headers, this.destinationOf(neighbor));
    this.directAcks.clear();
    let packets = BURST_PACKETS;
    for (const [neighbor, queue] of this.replies) {
      packets = this.sendUpdates(queue, this.destinationOf(neighbor), packets, (lsa) => this.isCurrent(lsa));
      if (queue.size > 0) return true;
      this.replies.delete(neighbor);
    }
    // Whoever waited for it may have got it from somebody else meanwhile.
    this.sendUpdates(this.floods, this.floodingDestination, packets, (lsa) => this.isCurrent(lsa) && lsa.retransmissions > 0);
    return this.floods.size > 0;
  }

  private isCurrent(lsa: StoredLsa): boolean {
    return this.environment.lsdb.get(lsa.scope, lsa.link, lsa.header) === lsa;
  }

  /** Takes LSAs off a queue into at most `packets` packets; how many it may be still. */
  private sendUpdates(queue: Set<StoredLsa>, destination: string, packets: number, isWanted: (lsa: StoredLsa) => boolean): number {
    let left = packets;
    let lsas: Lsa[] = [];
    const capacity = this.capacity - PACKET_HEADER_LENGTH - UPDATE_HEADER;
    let room = capacity;
    const send = (): void => {
      if (lsas.length === 0) return;
      this.send({ kind: 'linkStateUpdate', lsas, faults: [] }, destination);
      lsas = [];
      room = capacity;
      left--;
    };
    for (const lsa of queue) {
      if (isWanted(lsa)) {
        // One that is larger than a packet goes alone, in IPv6 fragments.
        if (lsa.raw.length > room) send();
        if (left <= 0) return 0;
        lsas.push(this.agedCopy(lsa));
        room -= lsa.raw.length;
      }
      queue.delete(lsa);
    }
    send();
    return left;
  }

  /** RFC 2328 section 13.3: the age grows by InfTransDelay on the way out. */
  private agedCopy(lsa: StoredLsa): Lsa {
    return withAge(lsa, Math.min(MAX_AGE, lsa.ageAt(this.environment.clock.now()) + this.owner.config.transmitDelay));
  }

  private sendDelayedAcks(): void {
    this.ackTimer?.cancel();
    this.ackTimer = undefined;
    this.sendAcks(this.delayedAcks.splice(0), this.floodingDestination);
  }

  private sendAcks(headers: readonly LsaHeader[], destination: string): void {
    const most = Math.max(1, Math.floor((this.capacity - PACKET_HEADER_LENGTH) / LSA_HEADER_LENGTH));
    for (let at = 0; at < headers.length; at += most) this.send({ kind: 'linkStateAcknowledgment', headers: headers.slice(at, at + most) }, destination);
  }
}
