/**
 * Adj-RIB-In of one peer (RFC 4271 section 3.2): every path the peer has announced, with what the import policy made of it. Rejected
 * paths are kept, so that a policy can change without asking the peer again and an operator can see why a route is not used.
 */
import { equalAttributes, equalNextHops } from './attributes.js';
import { DestinationTable } from './destination-table.js';
import type { Path, PathSource } from './path.js';
import type { Imported } from './policy.js';
import { type Destination, equalLabels, type FamilyName, familyOfDestination } from './wire/families.js';
import type { NextHop, Nlri, PathAttributes } from './wire/types.js';

type Import = (prefix: Destination, nextHop: NextHop, attributes: PathAttributes) => Imported;

/** A path that appeared, changed or went; what is in `next` replaces what was in `previous`. */
export interface PathChange {
  readonly previous: Path | undefined;
  readonly next: Path | undefined;
}

export class AdjRibIn {
  private readonly table = new DestinationTable<Path>();
  /** Paths that have to be announced again, or go at the end of the refresh. */
  private readonly unconfirmed = new Set<Path>();
  private acceptedCount = 0;
  private readonly counts = new Map<FamilyName, { received: number; accepted: number }>();

  constructor(
    private source: PathSource,
    private importRoute: Import,
  ) {}

  /** A new session: what it announces comes from this source under these rules. Paths kept from the last one stay as they are. */
  begin(source: PathSource, importRoute: Import): void {
    this.source = source;
    this.importRoute = importRoute;
  }

  get received(): number {
    return this.table.size;
  }

  get accepted(): number {
    return this.acceptedCount;
  }

  /** Paths of one family. */
  countsOf(family: FamilyName): { readonly received: number; readonly accepted: number } {
    return this.counts.get(family) ?? { received: 0, accepted: 0 };
  }

  paths(): Iterable<Path> {
    return this.table.values();
  }

  /** Takes an announcement; undefined when it says nothing new. `now` in ms. */
  announce({ prefix, pathId }: Nlri, nextHop: NextHop, attributes: PathAttributes, now: number): PathChange | undefined {
    const old = this.table.get(prefix, pathId);
    if (old && equalLabels(old.prefix, prefix) && equalNextHops(old.nextHop, nextHop) && equalAttributes(old.received ?? old.attributes, attributes)) {
      this.unconfirmed.delete(old);
      return old.stale ? this.replace(old, { ...old, stale: false }) : undefined;
    }
    const imported = this.importRoute(prefix, nextHop, attributes);
    const { source } = this;
    const { rejected } = imported;
    return this.replace(old, { prefix, source, pathId, nextHop, attributes: imported.attributes, received: attributes, receivedAt: now, rejected, stale: false, localId: 0 });
  }

  /** Takes a withdrawal; undefined when there was no such path (which is no error: RFC 4271 section 4.3). */
  withdraw({ prefix, pathId }: Nlri): PathChange | undefined {
    const old = this.table.get(prefix, pathId);
    return old && this.remove(old);
  }

  /** Removes everything: the session is over. */
  clear(): PathChange[] {
    return this.table.values().map((path) => this.remove(path));
  }

  /** Keeps every path of a family although the session has ended (RFC 4724 section 4.2), until it is announced again or swept. */
  markStale(family: FamilyName): PathChange[] {
    const changes: PathChange[] = [];
    for (const path of this.table.values()) {
      if (familyOfDestination(path.prefix) !== family) continue;
      const kept = path.stale ? path : { ...path, stale: true };
      if (kept !== path) changes.push(this.replace(path, kept));
      this.unconfirmed.add(kept);
    }
    return changes;
  }

  /** The peer is about to announce everything of a family again (RFC 7313 section 4.2). */
  beginRefresh(family: FamilyName): void {
    for (const path of this.table.values()) if (familyOfDestination(path.prefix) === family) this.unconfirmed.add(path);
  }

  /** Paths that go unless they are announced again. */
  get awaited(): number {
    return this.unconfirmed.size;
  }

  /** Removes what has not been announced again since `markStale` or `beginRefresh`; with `onlyStale` the former alone. */
  sweep(family: FamilyName, onlyStale = false): PathChange[] {
    const changes: PathChange[] = [];
    for (const path of this.unconfirmed) {
      if (familyOfDestination(path.prefix) === family && (!onlyStale || path.stale)) changes.push(this.remove(path));
    }
    return changes;
  }

  /** Applies a new policy to what was received. */
  reimport(importRoute: Import): PathChange[] {
    this.importRoute = importRoute;
    const changes: PathChange[] = [];
    for (const path of this.table.values()) {
      const imported = importRoute(path.prefix, path.nextHop, path.received ?? path.attributes);
      if (imported.rejected === path.rejected && equalAttributes(imported.attributes, path.attributes)) continue;
      const isAwaited = this.unconfirmed.has(path);
      const next = { ...path, ...imported };
      changes.push(this.replace(path, next));
      if (isAwaited) this.unconfirmed.add(next);
    }
    return changes;
  }

  private replace(old: Path | undefined, next: Path): PathChange {
    this.forget(old);
    this.count(next, 1);
    this.table.put(next);
    return { previous: old, next };
  }

  private remove(path: Path): PathChange {
    this.forget(path);
    this.table.delete(path.prefix, path.pathId);
    return { previous: path, next: undefined };
  }

  private forget(path: Path | undefined): void {
    if (path === undefined) return;
    this.count(path, -1);
    if (this.unconfirmed.size > 0) this.unconfirmed.delete(path);
  }
  private count({ prefix, rejected }: Path, by: 1 | -1): void {
    const family = familyOfDestination(prefix);
    let counts = this.counts.get(family);
    if (!counts) this.counts.set(family, (counts = { received: 0, accepted: 0 }));
    counts.received += by;
    if (rejected !== undefined) return;
    counts.accepted += by;
    this.acceptedCount += by;
  }
}
