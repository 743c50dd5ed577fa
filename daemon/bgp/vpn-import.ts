/**
 * Import of VPN routes by route target (RFC 4364 section 4.3.1, RFC 4659 section 4): of the best paths of one IP prefix under all route
 * distinguishers, those with a target of ours and a usable SRv6 SID compete, and the winner is the prefix's route through that SID. The
 * SID has to be reachable before the route may win (RFC 9252 section 5). Service routes are none of its business.
 */
import type { Prefix } from '../../dataplane/packet/ip.js';
import { type NextHopResolver, selectBestPath } from './best-path.js';
import type { RibEntry } from './loc-rib.js';
import type { Path } from './path.js';
import { isServiceRoute, type LocalSpeaker } from './policy.js';
import { encapsulationSid } from './srv6.js';
import { VpnPrefix } from './wire/vpn-prefix.js';

/** The path through which a prefix is imported now; undefined when none is any more. */
export interface VpnChange {
  readonly prefix: Prefix;
  readonly best: Path | undefined;
}

interface Imported {
  readonly prefix: Prefix;
  /** Best path by route distinguisher. */
  readonly paths: Map<bigint, Path>;
  best: Path | undefined;
}

/** Whether a path carries a route target that this router imports. */
export function matchesTargets({ importTargets }: Pick<LocalSpeaker, 'importTargets'>, { attributes }: Path): boolean {
  return attributes.extendedCommunities.some((community) => importTargets.has(community));
}

export class VpnImport {
  private readonly prefixes = new Map<string, Imported>();

  constructor(
    private readonly local: LocalSpeaker,
    private readonly resolve: NextHopResolver,
  ) {}

  /** A prefix of a VPN was decided anew; what follows from it, if anything does. */
  decided({ prefix: destination, best }: RibEntry): VpnChange | undefined {
    if (!(destination instanceof VpnPrefix)) return undefined;
    const key = destination.prefix.toString();
    const imports = best && best.source.kind !== 'local' && matchesTargets(this.local, best) && !isServiceRoute(this.local, destination) && encapsulationSid(best) !== undefined;
    let imported = this.prefixes.get(key);
    if (!imported && !imports) return undefined;
    if (!imported) this.prefixes.set(key, (imported = { prefix: destination.prefix, paths: new Map(), best: undefined }));
    if (imports) imported.paths.set(destination.rd, best);
    else imported.paths.delete(destination.rd);
    return this.select(key, imported);
  }

  /** SIDs that routes are imported through or could be: to be watched like next hops. */
  *sids(): Iterable<string> {
    for (const { paths } of this.prefixes.values()) for (const path of paths.values()) yield encapsulationSid(path)!;
  }

  /** These addresses resolve differently now. */
  nextHopsChanged(changed: ReadonlySet<string>): VpnChange[] {
    return [...this.prefixes].flatMap(([key, imported]) => {
      const concerned = [...imported.paths.values()].some((path) => changed.has(encapsulationSid(path)!) || changed.has(path.nextHop.address));
      return (concerned && this.select(key, imported)) || [];
    });
  }

  /** Other route targets or service prefixes apply. */
  rebuild(entries: Iterable<RibEntry>): VpnChange[] {
    const before = [...this.prefixes.values()];
    const changes = new Map<string, VpnChange>();
    this.prefixes.clear();
    for (const { prefix } of before) changes.set(prefix.toString(), { prefix, best: undefined });
    for (const entry of entries) {
      const change = this.decided(entry);
      if (change) changes.set(change.prefix.toString(), change);
    }
    return [...changes.values()];
  }

  private select(key: string, imported: Imported): VpnChange | undefined {
    const usable = [...imported.paths.values()].filter((path) => this.resolve(encapsulationSid(path)!) !== undefined);
    const best = selectBestPath(usable, this.resolve)?.best;
    if (imported.paths.size === 0) this.prefixes.delete(key);
    if (best === imported.best) return undefined;
    imported.best = best;
    return { prefix: imported.prefix, best };
  }
}
