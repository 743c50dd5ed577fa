/**
 * Peers that are told the same: one Adj-RIB-Out, whose messages are worked out and encoded once and written to all of them. A route does not
 * go back to the peer it came from, which is the only difference between them.
 */
import type { Timer } from '../clock.js';
import { AdjRibOut, type AdjRibOutOptions, type AnnouncementGroup, type Export, type OutgoingBatch } from './adj-rib-out.js';
import type { Connection } from './connection.js';
import type { Stream } from './transport.js';
import type { UpdateGroups } from './update-groups.js';
import { afiSafiOf, type Destination, type FamilyName } from './wire/families.js';
import { UpdatePacker } from './wire/pack.js';
import type { EncodeContext } from './wire/types.js';

/** Octets queued on a stream above which nothing more is written to the group. */
const outputHigh = 256 * 1024;
/** Prefixes worked out at a time, and how long before others get their turn, ms. */
const outputSlice = 500;
const outputMs = 2;
/** How long the others wait for a peer that does not read, before it has to go its own way, ms. */
const lagMs = 500;

/** What a group has to know to tell a peer something. */
export interface GroupRules extends Omit<AdjRibOutOptions, 'locRib' | 'resolve'> {
  /** Peers with equal keys may share a group: all of the rules and `encode` follow from it. */
  readonly key: string;
  /** A prefix whose best path did not change matters all the same. */
  readonly marksEvery: (family: FamilyName) => boolean;
  readonly encode: EncodeContext;
  /** The least time between two advertisements, withdrawals too (RFC 4271 section 9.2.1.1), ms. */
  readonly advertisementIntervalMs: number;
}

/** What the group needs of a peer's session. */
export interface GroupPeer {
  readonly address: string;
  readonly connection: Pick<Connection, 'sendEncoded'> & { readonly stream: Pick<Stream, 'buffered'> | undefined };
  /** All that was to be told has been written. */
  caughtUp(): void;
  report(text: string): void;
}

/** A peer's place in a group: its Adj-RIB-Out as others see it. */
export class GroupMember {
  constructor(
    readonly peer: GroupPeer,
    public group: UpdateGroup,
  ) {}

  /** Paths the peer holds from us. */
  get size(): number {
    return this.group.out.sizeFor(this.peer.address);
  }

  /** Path identifiers under which the peer holds paths of a prefix. */
  announcedFor(prefix: Destination): readonly number[] {
    const entry = this.group.owner.locRib.get(prefix);
    return entry ? this.group.out.announcedFor(this.peer.address, entry) : [];
  }

  /** All that the peer has been told. */
  told(): ReturnType<AdjRibOut['toldTo']> {
    return this.group.out.toldTo(this.peer.address);
  }

  get isLagging(): boolean {
    return (this.peer.connection.stream?.buffered ?? 0) > outputHigh;
  }
}

/** A part of what leaves, in order: octets and messages of it up to its end; `from` names the one peer that does not get it. */
interface Part {
  readonly from: string;
  readonly end: number;
  readonly count: number;
}

export class UpdateGroup {
  readonly members = new Set<GroupMember>();
  private readonly packer: UpdatePacker;
  private pumpTimer: Timer | undefined;
  private lagTimer: Timer | undefined;
  /** Nothing is written before, ms: MinRouteAdvertisementIntervalTimer, one for all destinations of these peers. */
  private notBefore = -Infinity;

  constructor(
    readonly owner: UpdateGroups,
    public rules: GroupRules,
    readonly out: AdjRibOut,
  ) {
    this.packer = new UpdatePacker(rules.encode);
  }

  setRules(rules: GroupRules): void {
    this.rules = rules;
    this.out.setExport(rules.exportRoute satisfies Export);
    this.schedulePump();
  }

  /** Soon, together with other changes of the same turn. */
  schedulePump(): void {
    const { clock } = this.owner;
    this.pumpTimer ??= clock.setTimeout(() => this.pump(), Math.max(0, this.notBefore - clock.now()));
  }

  /** Writes what is waiting, as far as the streams take it. */
  pump(): void {
    this.pumpTimer?.cancel();
    this.pumpTimer = undefined;
    const { clock } = this.owner;
    if (clock.now() < this.notBefore) {
      this.schedulePump();
      return;
    }
    const isChange = this.out.pending > 0;
    const until = clock.now() + outputMs;
    do {
      if (this.isHeldUp()) return;
      this.write(this.out.take(outputSlice));
    } while (this.out.pending > 0 && clock.now() < until);
    if (this.out.pending > 0) {
      this.schedulePump();
      return;
    }
    if (isChange) this.notBefore = clock.now() + this.owner.jitter(this.rules.advertisementIntervalMs);
    for (const { peer } of this.members) peer.caughtUp();
    this.owner.merge(this);
  }

  dispose(): void {
    this.pumpTimer?.cancel();
    this.lagTimer?.cancel();
    this.pumpTimer = this.lagTimer = undefined;
    this.out.dispose();
  }

  /** A stream is full: its `drained` goes on, or the peer gets a group of its own when the others have waited long enough. */
  private isHeldUp(): boolean {
    const lagging = [...this.members].filter(({ isLagging }) => isLagging);
    if (lagging.length === 0) {
      this.lagTimer?.cancel();
      this.lagTimer = undefined;
      return false;
    }
    if (lagging.length < this.members.size) this.lagTimer ??= this.owner.clock.setTimeout(() => this.leaveBehind(), lagMs);
    return true;
  }

  private leaveBehind(): void {
    this.lagTimer = undefined;
    const lagging = [...this.members].filter(({ isLagging }) => isLagging);
    if (lagging.length > 0 && lagging.length < this.members.size) this.owner.split(this, lagging);
    this.schedulePump();
  }

  private write(batch: OutgoingBatch): void {
    const parts = this.encode(batch);
    const { count } = this.packer;
    const octets = this.packer.take();
    for (const { peer } of this.members) {
      if (parts.some(({ from }) => from === peer.address)) this.writeOthers(peer, parts, octets);
      else peer.connection.sendEncoded('update', count, octets);
      const back = batch.takenBack.get(peer.address);
      if (!back) continue;
      for (const [family, nlri] of this.owner.byFamily(back)) this.packer.withdraw(afiSafiOf(family), nlri);
      peer.connection.sendEncoded('update', this.packer.count, this.packer.take());
    }
  }

  /** Writes what does not come from the peer itself. */
  private writeOthers({ address, connection }: GroupPeer, parts: readonly Part[], octets: Uint8Array): void {
    let start = 0;
    let before = 0;
    for (const { from, end, count } of parts) {
      if (from !== address) connection.sendEncoded('update', count - before, octets.subarray(start, end));
      start = end;
      before = count;
    }
  }

  private encode({ withdrawn, announced }: OutgoingBatch): Part[] {
    const { packer } = this;
    const parts: Part[] = [];
    const end = (from: string): void => {
      if (parts.at(-1)?.from === from) parts.pop();
      parts.push({ from, end: packer.length, count: packer.count });
    };
    for (const { family, from, nlri } of withdrawn) {
      packer.withdraw(afiSafiOf(family), nlri);
      end(from);
    }
    for (const group of announced) {
      this.pack(group);
      end(group.from);
    }
    return parts;
  }

  private pack({ attributes, nextHop, nlri, family }: AnnouncementGroup): void {
    if (this.packer.announce({ family: afiSafiOf(family), nextHop, nlri }, attributes)) return;
    // RFC 8654 section 4: routes that fit no message of these peers are withdrawn from them.
    this.out.forget(nlri);
    for (const { peer } of this.members) peer.report(`${nlri.length} routes not announced, ${nlri[0]!.prefix.toString()} among them: their attributes are too long for the peer`);
    this.packer.withdraw(afiSafiOf(family), nlri);
  }
}
