/** Collects what changed between two turns and hands it to listeners in batches, each key once with its last value. */
import { Prefix } from '../../dataplane/packet/ip.js';
import type { CpnBlock } from '../computing/types.js';
import { formatAsPath } from './attributes.js';
import type { NextHopResolver } from './best-path.js';
import type { DecisionChange, RibEntry } from './loc-rib.js';
import { pathKey, type Path } from './path.js';
import { isServiceRoute, type LocalSpeaker } from './policy.js';
import { encapsulationSid } from './srv6.js';
import { matchesTargets, type VpnChange, VpnImport } from './vpn-import.js';
import { type Destination, ipPrefixOf } from './wire/families.js';
import { formatRouteDistinguisher } from './wire/route-distinguisher.js';
import { VpnPrefix } from './wire/vpn-prefix.js';

/** The best learned path of a unicast prefix. */
export interface UnicastBest {
  readonly nextHop: string;
  readonly linkLocal: string | undefined;
  readonly peer: string;
  readonly ibgp: boolean;
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  readonly asPath: string;
  readonly stale: boolean;
  /** The SID to encapsulate towards, of a VPN route or one of a neighbour in the SR domain (RFC 9252 section 5); undefined: forwarded as it is. */
  readonly sid: string | undefined;
}

export interface UnicastChange {
  readonly prefix: Prefix;
  /** Imported from the VPN families: a route of its own beside the unicast one. */
  readonly vpn: boolean;
  /** Undefined when no learned path is the best one any more: gone, unusable, or the route is announced here. */
  readonly best: UnicastBest | undefined;
}

/** One path of a service route as one peer announced it. */
export interface ServicePath {
  /** The computing state; undefined when the route carries none of ours: no candidate. */
  readonly block: CpnBlock | undefined;
  /** The CPN attribute's value as received. */
  readonly raw: Uint8Array | undefined;
  readonly nextHop: string;
  readonly peer: string;
  readonly ebgp: boolean;
  readonly stale: boolean;
  /** ms of the injected clock. */
  readonly receivedAt: number;
}

export interface ServiceRouteChange {
  readonly prefix: Prefix;
  /** Route distinguisher of a route of a VPN family: with peer, path identifier and prefix the key of the path. */
  readonly rd: string | undefined;
  readonly peer: string;
  readonly pathId: number;
  /** Undefined when the path is gone. */
  readonly path: ServicePath | undefined;
}

type Listener<Change> = (changes: readonly Change[]) => void;

export class ChangeFeed {
  private readonly unicastListeners = new Set<Listener<UnicastChange>>();
  private readonly serviceListeners = new Set<Listener<ServiceRouteChange>>();
  private unicast = new Map<string, UnicastChange>();
  private service = new Map<string, ServiceRouteChange>();

  private readonly vpn: VpnImport;

  constructor(
    private readonly local: LocalSpeaker,
    resolve: NextHopResolver,
  ) {
    this.vpn = new VpnImport(local, resolve);
  }

  onUnicast(listener: Listener<UnicastChange>): () => void {
    this.unicastListeners.add(listener);
    return () => void this.unicastListeners.delete(listener);
  }

  onService(listener: Listener<ServiceRouteChange>): () => void {
    this.serviceListeners.add(listener);
    return () => void this.serviceListeners.delete(listener);
  }

  /** The best path of a prefix changed. */
  decided({ entry, previousBest }: DecisionChange): void {
    if (this.unicastListeners.size === 0) return;
    if (!(entry.prefix instanceof Prefix)) {
      this.imported([this.vpn.decided(entry)]);
      return;
    }
    if (isServiceRoute(this.local, entry.prefix)) return;
    const best = entry.best?.source.kind === 'local' ? undefined : entry.best;
    const hadLearned = previousBest !== undefined && previousBest.source.kind !== 'local';
    if (!best && !hadLearned) return;
    this.unicast.set(entry.prefix.toString(), { prefix: entry.prefix, vpn: false, best: best && unicastBest(best) });
  }

  /** A path of a peer appeared, changed or went. */
  pathChanged(previous: Path | undefined, next: Path | undefined): void {
    const accepted = next?.rejected === undefined ? next : undefined;
    const wasAccepted = previous !== undefined && previous.rejected === undefined;
    const path = accepted ?? previous;
    if (!path || (!accepted && !wasAccepted) || !isServiceRoute(this.local, path.prefix)) return;
    this.setService(path, accepted !== undefined && this.isImported(accepted));
  }

  /** Other service prefixes apply: routes that are service routes now, or no longer, change listeners. */
  reclassify(entries: Iterable<RibEntry>, wasService: (prefix: Destination) => boolean): void {
    const all = [...entries];
    this.imported(this.vpn.rebuild(all));
    for (const entry of all) {
      const isService = isServiceRoute(this.local, entry.prefix);
      if (isService === wasService(entry.prefix)) continue;
      const best = entry.best?.source.kind === 'local' ? undefined : entry.best;
      if (best && entry.prefix instanceof Prefix) this.unicast.set(entry.prefix.toString(), { prefix: entry.prefix, vpn: false, best: isService ? undefined : unicastBest(best) });
      for (const path of entry.paths) if (path.source.kind !== 'local') this.setService(path, isService && this.isImported(path));
    }
  }

  /** Other route targets are imported now. */
  retarget(entries: Iterable<RibEntry>): void {
    const all = [...entries].filter(({ prefix }) => prefix instanceof VpnPrefix);
    this.imported(this.vpn.rebuild(all));
    for (const entry of all) {
      if (!isServiceRoute(this.local, entry.prefix)) continue;
      for (const path of entry.paths) if (path.source.kind !== 'local') this.setService(path, this.isImported(path));
    }
  }

  /** These addresses resolve differently now. */
  nextHopsChanged(changed: ReadonlySet<string>): void {
    this.imported(this.vpn.nextHopsChanged(changed));
  }

  /** SIDs that are to be watched like next hops. */
  sids(): Iterable<string> {
    return this.vpn.sids();
  }

  private imported(changes: readonly (VpnChange | undefined)[]): void {
    for (const change of changes) {
      if (change) this.unicast.set(`vpn ${change.prefix.toString()}`, { prefix: change.prefix, vpn: true, best: change.best && unicastBest(change.best) });
    }
  }

  /** Whether a path counts here: one of a VPN needs a route target of ours. */
  private isImported(path: Path): boolean {
    return !(path.prefix instanceof VpnPrefix) || matchesTargets(this.local, path);
  }

  private setService(path: Path, isPresent: boolean): void {
    const { prefix, pathId, source } = path;
    const rd = prefix instanceof VpnPrefix ? formatRouteDistinguisher(prefix.rd) : undefined;
    this.service.set(`${source.address} ${pathKey(prefix, pathId)}`, { prefix: ipPrefixOf(prefix), rd, pathId, peer: source.address, path: isPresent ? servicePath(path) : undefined });
  }

  /** Hands over what has been collected. */
  flush(): void {
    const { unicast, service } = this;
    if (unicast.size > 0) {
      this.unicast = new Map();
      const changes = [...unicast.values()];
      for (const listener of this.unicastListeners) listener(changes);
    }
    if (service.size > 0) {
      this.service = new Map();
      const changes = [...service.values()];
      for (const listener of this.serviceListeners) listener(changes);
    }
  }
}

function unicastBest(path: Path): UnicastBest {
  return {
    nextHop: path.nextHop.address,
    linkLocal: path.nextHop.linkLocal,
    peer: path.source.address,
    ibgp: path.source.kind === 'ibgp',
    med: path.attributes.med,
    localPref: path.attributes.localPref,
    asPath: formatAsPath(path.attributes.asPath),
    stale: path.stale,
    sid: path.source.srv6 === true || path.prefix instanceof VpnPrefix ? encapsulationSid(path) : undefined,
  };
}

function servicePath(path: Path): ServicePath {
  return {
    block: path.attributes.cpn?.block,
    raw: path.attributes.cpn?.value,
    nextHop: path.nextHop.address,
    peer: path.source.address,
    ebgp: path.source.kind === 'ebgp',
    stale: path.stale,
    receivedAt: path.receivedAt,
  };
}
