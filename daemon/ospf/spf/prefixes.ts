/**
 * Who announces which prefix, kept from LSAs as they change: Intra-Area-Prefix, Inter-Area-Prefix and -Router, AS-External and SRv6 Locator LSAs
 * (RFC 5340 sections 4.8.1 and 4.8.3 to 4.8.5, RFC 9513 section 7). NSSA-LSAs and NSSA locators are of no concern to an area that is none.
 */
import { Prefix, parseIp } from '../../../dataplane/packet/ip.js';
import { LsType, PrefixOptionBit, type Lsa, type LsaKey, type Srv6Locator } from '../wire/types.js';
import { current, lsaKeyText, networkKey, routerKey, type VertexKey } from './topology.js';
import type { LsaChange, SpfRouteType } from './types.js';

export interface Candidate {
  readonly prefix: Prefix;
  readonly type: SpfRouteType;
  /** Of a Locator LSA: counts only where no other LSA announces the prefix (RFC 9513 section 5). */
  readonly locator: boolean;
  /** Where it is attached: the router or network, of inter-area and external ones the router that announces it. */
  readonly key: VertexKey;
  readonly metric: number;
  /** Forwarding address as octets and text. */
  readonly forwarding: { readonly bytes: Uint8Array; readonly text: string } | undefined;
  readonly tag: number | undefined;
}

export interface PrefixEntry {
  readonly prefix: Prefix;
  readonly text: string;
  /** In order of announcer. */
  candidates: Candidate[];
}

/** LSInfinity (RFC 2328 appendix B); of locators RFC 9513 section 7.1. */
const INFINITY_24 = 0xffffff;
const INFINITY_32 = 0xffffffff;
const LINK_LOCAL = Prefix.from('fe80::/10');
const MULTICAST = Prefix.from('ff00::/8');
const LOCATOR_TYPES: Readonly<Record<number, SpfRouteType>> = { 1: 'intra', 2: 'inter', 3: 'external1', 4: 'external2' };

export class PrefixTable {
  private readonly entries = new Map<string, PrefixEntry>();
  private readonly byLsa = new Map<string, { readonly signature: string; readonly candidates: readonly Candidate[] }>();
  private readonly byVertex = new Map<VertexKey, Set<PrefixEntry>>();
  /** Entries with a forwarding address. */
  readonly forwarded = new Set<PrefixEntry>();
  /** Ways to AS boundary routers of other areas (Inter-Area-Router-LSAs): by destination, by LSA. */
  private readonly boundary = new Map<VertexKey, Map<string, { readonly key: VertexKey; readonly metric: number }>>();
  private readonly boundaryByBorder = new Map<VertexKey, Set<VertexKey>>();
  private readonly boundaryByLsa = new Map<string, { readonly destination: VertexKey; readonly metric: number }>();

  constructor(private readonly self: number) {}

  all(): Iterable<PrefixEntry> {
    return this.entries.values();
  }

  find(text: string): PrefixEntry | undefined {
    return this.entries.get(text);
  }

  /** Entries that lean on a vertex: attached there, or announced or led to by that router. */
  *leaningOn(key: VertexKey): Generator<PrefixEntry> {
    yield* this.byVertex.get(key) ?? [];
    for (const destination of this.boundaryByBorder.get(key) ?? []) yield* this.byVertex.get(destination) ?? [];
  }

  /** Ways to an AS boundary router through area border routers. */
  boundaryWays(key: VertexKey): Iterable<{ readonly key: VertexKey; readonly metric: number }> {
    return this.boundary.get(key)?.values() ?? [];
  }

  /** Takes the prefixes among the changes and returns the entries that they change. An entry without candidates is forgotten by `drop`. */
  update(changes: readonly LsaChange[]): Set<PrefixEntry> {
    const dirty = new Set<PrefixEntry>();
    for (const { key, after } of changes) {
      const lsa = current(after);
      if (key.type === LsType.interAreaRouter) this.setBoundary(key, lsa, dirty);
      else this.setPrefixes(key, lsa, dirty);
    }
    return dirty;
  }

  drop(entry: PrefixEntry): void {
    if (entry.candidates.length === 0) this.entries.delete(entry.text);
  }

  private setPrefixes(key: LsaKey, lsa: Lsa | undefined, dirty: Set<PrefixEntry>): void {
    const text = lsaKeyText(key);
    const before = this.byLsa.get(text);
    const candidates = lsa ? this.candidatesOf(lsa).filter(({ prefix }) => prefix.family === 6 && !LINK_LOCAL.contains(prefix) && !MULTICAST.contains(prefix)) : [];
    const signature = candidates.map((one) => `${one.prefix.toString()} ${one.type} ${one.key} ${one.metric} ${one.forwarding?.text ?? ''} ${one.tag ?? ''}`).join();
    if (signature === (before?.signature ?? '')) return;
    for (const candidate of before?.candidates ?? []) {
      const entry = this.entries.get(candidate.prefix.toString())!;
      entry.candidates = entry.candidates.filter((other) => other !== candidate);
      this.reindex(entry, candidate.key);
      dirty.add(entry);
    }
    for (const candidate of candidates) {
      const prefix = candidate.prefix.toString();
      let entry = this.entries.get(prefix);
      if (!entry) this.entries.set(prefix, (entry = { prefix: candidate.prefix, text: prefix, candidates: [] }));
      entry.candidates.push(candidate);
      entry.candidates.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
      this.reindex(entry, candidate.key);
      dirty.add(entry);
    }
    if (candidates.length > 0) this.byLsa.set(text, { signature, candidates });
    else this.byLsa.delete(text);
  }

  private reindex(entry: PrefixEntry, key: VertexKey): void {
    if (entry.candidates.some((candidate) => candidate.key === key)) addTo(this.byVertex, key, entry);
    else removeFrom(this.byVertex, key, entry);
    if (entry.candidates.some(({ forwarding }) => forwarding)) this.forwarded.add(entry);
    else this.forwarded.delete(entry);
  }

  private candidatesOf({ header, body }: Lsa): Candidate[] {
    const own = routerKey(header.router);
    const common = { locator: false, forwarding: undefined, tag: undefined, key: own };
    switch (body.kind) {
      case 'intraAreaPrefix': {
        const { referenced } = body;
        if (referenced.type !== LsType.router && referenced.type !== LsType.network) return [];
        const key = referenced.type === LsType.router ? routerKey(referenced.router) : networkKey(referenced.router, referenced.id);
        return body.prefixes.filter(usable).map(({ prefix, metric }) => ({ ...common, prefix, type: 'intra', key, metric }));
      }
      case 'interAreaPrefix':
        if (header.router === this.self || !usable(body) || body.metric >= INFINITY_24) return [];
        return [{ ...common, prefix: body.prefix, type: 'inter', metric: body.metric }];
      case 'asExternal': {
        if (header.router === this.self || !usable(body) || body.metric >= INFINITY_24) return [];
        const bytes = body.forwarding === undefined ? undefined : parseIp(body.forwarding);
        const forwarding = bytes?.some((octet) => octet !== 0) ? { bytes, text: body.forwarding! } : undefined;
        return [{ ...common, prefix: body.prefix, type: body.type2 ? 'external2' : 'external1', metric: body.metric, forwarding, tag: body.tag }];
      }
      case 'srv6Locator':
        return body.locators.flatMap((locator) => this.locatorCandidate(locator, header.router));
      default:
        return [];
    }
  }

  private locatorCandidate({ routeType, algorithm, metric, prefix, prefixOptions }: Srv6Locator, router: number): Candidate[] {
    const type = LOCATOR_TYPES[routeType];
    if (!type || algorithm !== 0 || metric >= INFINITY_32 || (prefixOptions & PrefixOptionBit.nu) !== 0) return [];
    if (type !== 'intra' && router === this.self) return [];
    return [{ prefix, type, locator: true, key: routerKey(router), metric, forwarding: undefined, tag: undefined }];
  }

  private setBoundary(key: LsaKey, lsa: Lsa | undefined, dirty: Set<PrefixEntry>): void {
    const text = lsaKeyText(key);
    const body = lsa?.body.kind === 'interAreaRouter' && lsa.body.metric < INFINITY_24 && key.router !== this.self ? lsa.body : undefined;
    const before = this.boundaryByLsa.get(text);
    const after = body && { destination: routerKey(body.destination), metric: body.metric };
    if (before?.destination === after?.destination && before?.metric === after?.metric) return;
    const border = routerKey(key.router);
    if (before) {
      const ways = this.boundary.get(before.destination)!;
      ways.delete(text);
      if (ways.size === 0) this.boundary.delete(before.destination);
      if (![...ways.values()].some((way) => way.key === border)) removeFrom(this.boundaryByBorder, border, before.destination);
      this.boundaryByLsa.delete(text);
    }
    if (after) {
      const ways = this.boundary.get(after.destination) ?? new Map<string, { key: VertexKey; metric: number }>();
      this.boundary.set(after.destination, ways.set(text, { key: border, metric: after.metric }));
      addTo(this.boundaryByBorder, border, after.destination);
      this.boundaryByLsa.set(text, after);
    }
    for (const changed of [before, after]) for (const entry of (changed && this.byVertex.get(changed.destination)) ?? []) dirty.add(entry);
  }
}

/** RFC 5340 section A.4.1.1: NU prefixes are left out of the calculation. */
const usable = ({ options }: { readonly options: number }): boolean => (options & PrefixOptionBit.nu) === 0;

function addTo<K, V>(index: Map<K, Set<V>>, key: K, value: V): void {
  const known = index.get(key);
  if (known) known.add(value);
  else index.set(key, new Set([value]));
}

function removeFrom<K, V>(index: Map<K, Set<V>>, key: K, value: V): void {
  const known = index.get(key);
  known?.delete(value);
  if (known?.size === 0) index.delete(key);
}
