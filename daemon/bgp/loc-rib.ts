/**
 * Loc-RIB (RFC 4271 section 3.2): all accepted paths by prefix, and the best of each. Changes only mark a prefix; `decide` runs the
 * decision process over a bounded number of marked prefixes, so that a large table does not hold up the event loop.
 */
import { type NextHopResolver, selectBestPath } from './best-path.js';
import type { Path, PathSource } from './path.js';
import type { Destination } from './wire/families.js';

/** What the Loc-RIB knows of one prefix. */
export interface RibEntry {
  readonly prefix: Destination;
  readonly paths: readonly Path[];
  readonly best: Path | undefined;
  /** The step of the decision process that chose `best`. */
  readonly reason: string;
}

interface Entry extends RibEntry {
  paths: Path[];
  best: Path | undefined;
  reason: string;
}

/** One prefix after a decision: its entry, and the best path before. */
export interface DecisionChange {
  readonly entry: RibEntry;
  readonly previousBest: Path | undefined;
}

const sameSource = (a: PathSource, b: PathSource): boolean => a.kind === b.kind && a.address === b.address;

export class LocRib {
  private readonly table = new Map<string, Entry>();
  private readonly marked = new Set<Entry>();

  constructor(private readonly resolve: NextHopResolver) {}

  get size(): number {
    return this.table.size;
  }

  /** Prefixes whose paths changed since their last decision. */
  get pending(): number {
    return this.marked.size;
  }

  get(prefix: Destination): RibEntry | undefined {
    return this.table.get(prefix.toString());
  }

  entries(): Iterable<RibEntry> {
    return this.table.values();
  }

  /** Adds a path, replacing the one of the same source and path identifier. */
  put(path: Path): void {
    const key = path.prefix.toString();
    let entry = this.table.get(key);
    if (!entry) this.table.set(key, (entry = { prefix: path.prefix, paths: [], best: undefined, reason: '' }));
    const index = entry.paths.findIndex((other) => other.pathId === path.pathId && sameSource(other.source, path.source));
    path.localId = index < 0 ? freeLocalId(entry.paths) : entry.paths[index]!.localId;
    if (index < 0) entry.paths.push(path);
    else entry.paths[index] = path;
    this.marked.add(entry);
  }

  /** Removes the path of a source with a path identifier. */
  remove(prefix: Destination, source: PathSource, pathId: number): void {
    const entry = this.table.get(prefix.toString());
    const index = entry ? entry.paths.findIndex((other) => other.pathId === pathId && sameSource(other.source, source)) : -1;
    if (!entry || index < 0) return;
    entry.paths.splice(index, 1);
    this.marked.add(entry);
  }

  /** Next hops of learned paths. */
  nextHops(): Set<string> {
    const used = new Set<string>();
    for (const entry of this.table.values()) for (const path of entry.paths) if (path.source.kind !== 'local') used.add(path.nextHop.address);
    return used;
  }

  /** Marks the prefixes of which a path has one of these next hops: they resolve differently now. */
  markNextHops(changed: ReadonlySet<string>): void {
    for (const entry of this.table.values()) if (entry.paths.some((path) => changed.has(path.nextHop.address))) this.marked.add(entry);
  }

  /** Decides up to `limit` marked prefixes and returns each with what was best before, changed or not: a path that is not best
   * matters to peers that get all paths. */
  decide(limit: number): DecisionChange[] {
    const changes: DecisionChange[] = [];
    for (const entry of this.marked) {
      if (changes.length >= limit) break;
      this.marked.delete(entry);
      const previousBest = entry.best;
      const decision = selectBestPath(entry.paths, this.resolve);
      entry.best = decision?.best;
      entry.reason = decision?.reason ?? (entry.paths.length === 0 ? '' : 'no path has a next hop that resolves');
      if (entry.paths.length === 0) this.table.delete(entry.prefix.toString());
      changes.push({ entry, previousBest });
    }
    return changes;
  }
}

/** Path identifiers start at 1: some speakers take 0 for "none" (RFC 7911 section 3 gives it no meaning). */
function freeLocalId(paths: readonly Path[]): number {
  for (let id = 1; ; id++) if (!paths.some((path) => path.localId === id)) return id;
}
