/**
 * Loc-RIB (RFC 4271 section 3.2): all accepted paths by prefix, and the best of each. Changes only mark a prefix; `decide` runs the
 * decision process over a bounded number of marked prefixes, so that a large table does not hold up the event loop.
 *
 * Entries are numbered densely, so that what is known of an entry elsewhere (Adj-RIB-Out) stands in arrays.
 */
import { type NextHopResolver, selectBestPath } from './best-path.js';
import { DestinationTable, type Keyed } from './destination-table.js';
import type { Path, PathSource } from './path.js';
import type { Destination } from './wire/families.js';

/** What the Loc-RIB knows of one prefix. */
export interface RibEntry {
  readonly prefix: Destination;
  /** Number of the entry, for as long as it has paths or somebody holds it. */
  readonly id: number;
  readonly paths: readonly Path[];
  readonly best: Path | undefined;
  /** The step of the decision process that chose `best`. */
  readonly reason: string;
}

class Entry implements RibEntry, Keyed {
  readonly pathId = 0;
  paths: readonly Path[] = [];
  best: Path | undefined;
  reason = '';
  isMarked = false;
  /** How many others keep something under the number. */
  holders = 0;

  constructor(
    readonly prefix: Destination,
    readonly id: number,
  ) {}

  /** Nothing is known of the prefix any more. */
  get isEmpty(): boolean {
    return this.paths.length === 0 && this.best === undefined && !this.isMarked;
  }
}

/** One prefix after a decision: its entry, and the best path before. */
export interface DecisionChange {
  readonly entry: RibEntry;
  readonly previousBest: Path | undefined;
}

const sameSource = (a: PathSource, b: PathSource): boolean => a === b || (a.kind === b.kind && a.address === b.address);

export class LocRib {
  private readonly table = new DestinationTable<Entry>();
  private readonly byId: (Entry | undefined)[] = [];
  private readonly freeIds: number[] = [];
  /** Marked entries; those before `next` have had their turn. */
  private marked: Entry[] = [];
  private next = 0;
  /** Entries that became empty: given up once listeners have heard of the decision. */
  private emptied: Entry[] = [];
  private emptyCount = 0;

  constructor(private readonly resolve: NextHopResolver) {}

  /** Prefixes with paths, or with a decision to come. */
  get size(): number {
    return this.table.size - this.emptyCount;
  }

  /** Prefixes whose paths changed since their last decision. */
  get pending(): number {
    return this.marked.length - this.next;
  }

  /** All numbers of entries are below this. */
  get idLimit(): number {
    return this.byId.length;
  }

  /** The entry of a number, which may be without paths while somebody holds it. */
  at(id: number): RibEntry | undefined {
    return this.byId[id];
  }

  get(prefix: Destination): RibEntry | undefined {
    const entry = this.table.get(prefix);
    return entry?.isEmpty ? undefined : entry;
  }

  *entries(): Generator<RibEntry> {
    for (const entry of this.byId) if (entry && !entry.isEmpty) yield entry;
  }

  /** Keeps the number of an entry from being given to another prefix. */
  hold(entry: RibEntry): void {
    this.byId[entry.id]!.holders++;
  }

  release({ id }: RibEntry): void {
    const entry = this.byId[id]!;
    entry.holders--;
    if (entry.holders === 0 && entry.isEmpty) this.emptied.push(entry);
  }

  /** Adds a path, replacing the one of the same source and path identifier. */
  put(path: Path): void {
    const entry = this.table.get(path.prefix) ?? this.make(path.prefix);
    if (entry.isEmpty) this.emptyCount--;
    const { paths } = entry;
    const index = this.indexOf(paths, path.source, path.pathId);
    path.localId = index < 0 ? freeLocalId(paths) : paths[index]!.localId;
    if (paths.length === 0) entry.paths = [path];
    else entry.paths = index < 0 ? [...paths, path] : paths.with(index, path);
    this.mark(entry);
  }

  /** Removes the path of a source with a path identifier. */
  remove(prefix: Destination, source: PathSource, pathId: number): void {
    const entry = this.table.get(prefix);
    const index = entry ? this.indexOf(entry.paths, source, pathId) : -1;
    if (!entry || index < 0) return;
    entry.paths = entry.paths.length === 1 ? [] : entry.paths.toSpliced(index, 1);
    this.mark(entry);
  }

  /** Next hops of learned paths. */
  nextHops(): Set<string> {
    const used = new Set<string>();
    for (const entry of this.byId) if (entry) for (const path of entry.paths) if (path.source.kind !== 'local') used.add(path.nextHop.address);
    return used;
  }

  /** Marks the prefixes of which a path has one of these next hops: they resolve differently now. */
  markNextHops(changed: ReadonlySet<string>): void {
    for (const entry of this.byId) if (entry?.paths.some((path) => changed.has(path.nextHop.address))) this.mark(entry);
  }

  /**
   * Decides up to `limit` marked prefixes and returns each with what was best before, changed or not: a path that is not best matters to
   * peers that get all paths. The caller tells all who hold entries before it calls again.
   */
  decide(limit: number): DecisionChange[] {
    this.giveUpEmptied();
    const changes: DecisionChange[] = [];
    while (this.next < this.marked.length && changes.length < limit) {
      const entry = this.marked[this.next++]!;
      const previousBest = entry.best;
      const decision = selectBestPath(entry.paths, this.resolve);
      entry.isMarked = false;
      entry.best = decision?.best;
      entry.reason = decision?.reason ?? (entry.paths.length === 0 ? '' : 'no path has a next hop that resolves');
      if (entry.paths.length === 0) {
        this.emptyCount++;
        this.emptied.push(entry);
      }
      changes.push({ entry, previousBest });
    }
    if (this.next * 2 >= this.marked.length) {
      this.marked = this.marked.slice(this.next);
      this.next = 0;
    }
    return changes;
  }

  private make(prefix: Destination): Entry {
    this.giveUpEmptied();
    const entry = new Entry(prefix, this.freeIds.pop() ?? this.byId.length);
    this.byId[entry.id] = entry;
    this.table.put(entry);
    this.emptyCount++;
    return entry;
  }

  private mark(entry: Entry): void {
    if (entry.isMarked) return;
    entry.isMarked = true;
    this.marked.push(entry);
  }

  private giveUpEmptied(): void {
    const { emptied } = this;
    if (emptied.length === 0) return;
    this.emptied = [];
    for (const entry of emptied) {
      if (!entry.isEmpty || entry.holders > 0 || this.byId[entry.id] !== entry) continue;
      this.byId[entry.id] = undefined;
      this.freeIds.push(entry.id);
      this.table.delete(entry.prefix);
      this.emptyCount--;
    }
  }

  private indexOf(paths: readonly Path[], source: PathSource, pathId: number): number {
    for (let i = 0; i < paths.length; i++) if (paths[i]!.pathId === pathId && sameSource(paths[i]!.source, source)) return i;
    return -1;
  }
}

/** Path identifiers start at 1: some speakers take 0 for "none" (RFC 7911 section 3 gives it no meaning). */
function freeLocalId(paths: readonly Path[]): number {
  for (let id = 1; ; id++) if (!paths.some((path) => path.localId === id)) return id;
}
