/**
 * Adj-RIB-In of one peer (RFC 4271 section 3.2): every path the peer has announced, with what the import policy made of it. Rejected
 * paths are kept, so that a policy can change without asking the peer again and an operator can see why a route is not used.
 */
import { equalAttributes, equalNextHops } from './attributes.js';
import { pathKey, type Path, type PathSource } from './path.js';
import type { Imported } from './policy.js';
import { type Destination, equalLabels, type FamilyName, familyOfDestination } from './wire/families.js';
import type { NextHop, Nlri, PathAttributes } from './wire/types.js';

type Import = (prefix: Destination, nextHop: NextHop, attributes: PathAttributes) => Imported;

/** A path that appeared, changed or went; what is in `next` replaces what was in `previous`. */
export interface PathChange {
  readonly previous: Path | undefined;
  readonly next: Path | undefined;
}

interface Stored {
  readonly path: Path;
  /** As received, for a later policy. */
  readonly received: PathAttributes;
}

export class AdjRibIn {
  private readonly entries = new Map<string, Stored>();
  /** Keys of paths that have to be announced again, or go at the end of the refresh. */
  private readonly unconfirmed = new Set<string>();
  private acceptedCount = 0;

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
    return this.entries.size;
  }

  get accepted(): number {
    return this.acceptedCount;
  }

  *paths(): Iterable<Path> {
    for (const { path } of this.entries.values()) yield path;
  }

  /** Takes an announcement; undefined when it says nothing new. `now` in ms. */
  announce(nlri: Nlri, nextHop: NextHop, attributes: PathAttributes, now: number): PathChange | undefined {
    const key = pathKey(nlri.prefix, nlri.pathId);
    const old = this.entries.get(key);
    this.unconfirmed.delete(key);
    if (old && equalLabels(old.path.prefix, nlri.prefix) && equalNextHops(old.path.nextHop, nextHop) && equalAttributes(old.received, attributes)) {
      if (!old.path.stale) return undefined;
      return this.put(key, old, { ...old, path: { ...old.path, stale: false } });
    }
    return this.put(key, old, { path: this.build(nlri.prefix, nlri.pathId, nextHop, attributes, now), received: attributes });
  }

  /** Takes a withdrawal; undefined when there was no such path (which is no error: RFC 4271 section 4.3). */
  withdraw(nlri: Nlri): PathChange | undefined {
    const key = pathKey(nlri.prefix, nlri.pathId);
    const old = this.entries.get(key);
    return old && this.put(key, old, undefined);
  }

  /** Removes everything: the session is over. */
  clear(): PathChange[] {
    const changes: PathChange[] = [];
    for (const [key, stored] of this.entries) changes.push(this.put(key, stored, undefined));
    return changes;
  }

  /** Keeps every path of a family although the session has ended (RFC 4724 section 4.2), until it is announced again or swept. */
  markStale(family: FamilyName): PathChange[] {
    const changes: PathChange[] = [];
    for (const [key, stored] of this.entries) {
      if (familyOfDestination(stored.path.prefix) !== family) continue;
      this.unconfirmed.add(key);
      if (!stored.path.stale) changes.push(this.put(key, stored, { ...stored, path: { ...stored.path, stale: true } }));
    }
    return changes;
  }

  /** The peer is about to announce everything of a family again (RFC 7313 section 4.2). */
  beginRefresh(family: FamilyName): void {
    for (const [key, { path }] of this.entries) if (familyOfDestination(path.prefix) === family) this.unconfirmed.add(key);
  }

  /** Paths that go unless they are announced again. */
  get awaited(): number {
    return this.unconfirmed.size;
  }

  /** Removes what has not been announced again since `markStale` or `beginRefresh`; with `onlyStale` the former alone. */
  sweep(family: FamilyName, onlyStale = false): PathChange[] {
    const changes: PathChange[] = [];
    for (const key of this.unconfirmed) {
      const stored = this.entries.get(key);
      if (!stored || familyOfDestination(stored.path.prefix) !== family || (onlyStale && !stored.path.stale)) continue;
      changes.push(this.put(key, stored, undefined));
    }
    return changes;
  }

  /** Applies a new policy to what was received. */
  reimport(importRoute: Import): PathChange[] {
    this.importRoute = importRoute;
    const changes: PathChange[] = [];
    for (const [key, stored] of this.entries) {
      const { path } = stored;
      const imported = importRoute(path.prefix, path.nextHop, stored.received);
      if (imported.rejected === path.rejected && equalAttributes(imported.attributes, path.attributes)) continue;
      changes.push(this.put(key, stored, { ...stored, path: { ...path, ...imported } }));
    }
    return changes;
  }

  private build(prefix: Destination, pathId: number, nextHop: NextHop, attributes: PathAttributes, now: number): Path {
    return { prefix, source: this.source, pathId, nextHop, ...this.importRoute(prefix, nextHop, attributes), receivedAt: now, stale: false, localId: 0 };
  }

  private put(key: string, old: Stored | undefined, next: Stored | undefined): PathChange {
    if (old && old.path.rejected === undefined) this.acceptedCount--;
    if (next && next.path.rejected === undefined) this.acceptedCount++;
    if (next) {
      this.entries.set(key, next);
    } else {
      this.entries.delete(key);
      this.unconfirmed.delete(key);
    }
    return { previous: old?.path, next: next?.path };
  }
}
