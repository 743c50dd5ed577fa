/**
 * Adj-RIB-Out of one peer (RFC 4271 section 3.2): what the peer has been told, and which prefixes it still has to be told about.
 *
 * A prefix waits at most once however often it changes, and what is sent is worked out when the connection can take it. A slow peer
 * therefore costs one set of prefixes and skips states in between, instead of a queue that grows.
 */
import { equalAttributes, equalNextHops } from './attributes.js';
import { eligiblePaths, type NextHopResolver } from './best-path.js';
import type { RibEntry } from './loc-rib.js';
import type { Path } from './path.js';
import type { Exported } from './policy.js';
import { type Destination, equalLabels, type FamilyName, familyOfDestination } from './wire/families.js';
import type { NextHop, Nlri, PathAttributes } from './wire/types.js';

type Export = (path: Path) => Exported | string;

/** Announcements that share next hop and attributes, to be packed into as few messages as possible. */
export interface AnnouncementGroup {
  readonly nextHop: NextHop;
  readonly attributes: PathAttributes;
  readonly family: FamilyName;
  readonly nlri: Nlri[];
}

interface OutgoingBatch {
  readonly withdrawn: Nlri[];
  readonly announced: AnnouncementGroup[];
}

interface Sent extends Nlri {
  readonly nextHop: NextHop;
  readonly attributes: PathAttributes;
  /** The peer asked for it again: send it even if it has not changed. */
  readonly resend: boolean;
}

interface AdjRibOutOptions {
  /** Peer address: a path never goes back to whom it came from. */
  readonly peer: string;
  readonly exportRoute: Export;
  /** All eligible paths of a prefix (RFC 7911) instead of the best one. */
  readonly addPath: (family: FamilyName) => boolean;
  /** Families that were negotiated. */
  readonly families: (family: FamilyName) => boolean;
  readonly resolve: NextHopResolver;
}

export class AdjRibOut {
  /** By prefix; one entry a path. */
  private readonly sent = new Map<string, Map<number, Sent>>();
  private readonly waiting = new Map<string, RibEntry>();
  private count = 0;

  constructor(private options: AdjRibOutOptions) {}

  /** Paths the peer holds from us. */
  get size(): number {
    return this.count;
  }

  /** Prefixes the peer has to be told about. */
  get pending(): number {
    return this.waiting.size;
  }

  *announced(): Iterable<Nlri & Exported> {
    for (const paths of this.sent.values()) yield* paths.values();
  }

  /** What the peer has been told of one prefix. */
  announcedFor(prefix: Destination): readonly (Nlri & Exported)[] {
    return [...(this.sent.get(prefix.toString())?.values() ?? [])];
  }

  /** Notes that a prefix changed. */
  mark(entry: RibEntry): void {
    if (this.options.families(familyOfDestination(entry.prefix))) this.waiting.set(entry.prefix.toString(), entry);
  }

  /** Other export rules from now on; the caller marks every entry. */
  setExport(exportRoute: Export): void {
    this.options = { ...this.options, exportRoute };
  }

  /** Everything of one family is to be sent again (RFC 2918 section 4); the caller marks every entry. */
  resend(family: FamilyName): void {
    for (const paths of this.sent.values()) {
      for (const [id, sent] of paths) if (familyOfDestination(sent.prefix) === family) paths.set(id, { ...sent, resend: true });
    }
  }

  /**
   * Works out what to send for up to `limit` waiting prefixes, fewer when they share no attributes and need many messages, and counts it
   * as sent.
   */
  take(limit: number): OutgoingBatch {
    const withdrawn: Nlri[] = [];
    const groups = new Map<PathAttributes, AnnouncementGroup[]>();
    let taken = 0;
    for (const [key, entry] of this.waiting) {
      if (taken++ >= limit || groups.size >= limit / 8) break;
      this.waiting.delete(key);
      this.takeEntry(key, entry, withdrawn, groups);
    }
    return { withdrawn, announced: [...groups.values()].flat() };
  }

  /** Paths that could not be sent after all. */
  forget(nlri: readonly Nlri[]): void {
    for (const { prefix, pathId } of nlri) {
      const paths = this.sent.get(prefix.toString());
      if (!paths?.delete(pathId)) continue;
      this.count--;
      if (paths.size === 0) this.sent.delete(prefix.toString());
    }
  }

  private takeEntry(key: string, entry: RibEntry, withdrawn: Nlri[], groups: Map<PathAttributes, AnnouncementGroup[]>): void {
    const before = this.sent.get(key);
    const after = this.wanted(entry);
    for (const [id, sent] of before ?? []) if (!after?.has(id)) withdrawn.push({ prefix: sent.prefix, pathId: id });
    for (const [id, wanted] of after ?? []) {
      const sent = before?.get(id);
      if (!sent || sent.resend || !equalLabels(sent.prefix, wanted.prefix) || !equalNextHops(sent.nextHop, wanted.nextHop) || !equalAttributes(sent.attributes, wanted.attributes)) group(groups, wanted);
    }
    this.count += (after?.size ?? 0) - (before?.size ?? 0);
    if (after) this.sent.set(key, after);
    else this.sent.delete(key);
  }

  /** What the peer should hold of a prefix, by path identifier. */
  private wanted(entry: RibEntry): Map<number, Sent> | undefined {
    const { exportRoute, resolve, peer } = this.options;
    const addPath = this.options.addPath(familyOfDestination(entry.prefix));
    const paths = addPath ? eligiblePaths(entry.paths, resolve) : entry.best ? [entry.best] : [];
    let wanted: Map<number, Sent> | undefined;
    for (const path of paths) {
      if (path.source.address === peer) continue;
      const exported = exportRoute(path);
      if (typeof exported === 'string') continue;
      const pathId = addPath ? path.localId : 0;
      (wanted ??= new Map()).set(pathId, { prefix: path.prefix, pathId, ...exported, resend: false });
    }
    return wanted;
  }
}

function group(groups: Map<PathAttributes, AnnouncementGroup[]>, wanted: Sent): void {
  let sameAttributes = groups.get(wanted.attributes);
  if (!sameAttributes) groups.set(wanted.attributes, (sameAttributes = []));
  const family = familyOfDestination(wanted.prefix);
  let same = sameAttributes.find((other) => other.family === family && equalNextHops(other.nextHop, wanted.nextHop));
  if (!same) sameAttributes.push((same = { nextHop: wanted.nextHop, attributes: wanted.attributes, family, nlri: [] }));
  same.nlri.push({ prefix: wanted.prefix, pathId: wanted.pathId });
}
