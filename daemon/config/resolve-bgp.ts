/** The BGP part of the effective configuration: what neighbors take from their groups, and defaults that depend on other fields. */
import { Prefix, parseIp } from '../../dataplane/packet/ip.js';
import { bfdProfileName } from './resolve-bfd.js';
import type { FileConfig } from './schema.js';
import type { BgpConfig, BgpNeighborConfig, BgpVpnConfig, DynamicNeighborsConfig } from './types.js';

type FileBgp = NonNullable<FileConfig['bgp']>;
type FileGroup = FileBgp['groups'][string];
/** What is said of a neighbor altogether; `as` may be missing until check-bgp.ts has refused it. */
type Options = FileGroup;

/** A group with what it takes from the groups above it, nearest first; the way ends at a name that is unknown or comes again. */
export function groupChain(groups: FileBgp['groups'], name: string | undefined): string[] {
  const chain: string[] = [];
  for (let next = name; next !== undefined && Object.hasOwn(groups, next) && !chain.includes(next); next = groups[next]!.group) chain.push(next);
  return chain;
}

/** What `near` says counts; `ttl` and `gtsm` speak of the same thing. */
function override(far: Options, near: Options): Options {
  const said = Object.fromEntries(Object.entries(near).filter(([, value]) => value !== undefined)) as Options;
  const merged = { ...far, ...said };
  if (near.ttl !== undefined && near.gtsm === undefined) merged.gtsm = undefined;
  if (near.gtsm !== undefined && near.gtsm !== false && near.ttl === undefined) merged.ttl = undefined;
  return merged;
}

const optionsOf = (bgp: FileBgp, own: Options): Options => groupChain(bgp.groups, own.group).reduceRight((far, name) => override(far, bgp.groups[name]!), {} as Options);

export function resolveBgp(bgp: FileBgp, file: FileConfig): BgpConfig {
  return {
    as: bgp.as,
    listen: bgp.listen,
    networks: bgp.networks ?? [`${file.router.loopback}/128`, file.router.locator],
    vpn: bgp.vpn && resolveVpn(bgp.vpn, bgp.as, file.router.id),
    clusterId: bgp.routeReflector?.clusterId,
    neighbors: bgp.neighbors.map(({ address, ...own }) => resolveNeighbor(address, override(optionsOf(bgp, own), own), bgp.as, file)),
    dynamic: bgp.dynamic.map((range) => resolveDynamic(range, bgp, file)),
    prefixLists: bgp.prefixLists,
    asPathLists: bgp.asPathLists,
    policies: bgp.policies,
  };
}

/** Without words of the file: one route distinguisher a router, of type 1 (RFC 4364 section 4.2), and one route target an AS. */
function resolveVpn(vpn: NonNullable<FileBgp['vpn']>, as: number, routerId: string): BgpVpnConfig {
  const exportTargets = vpn.exportTargets ?? [`${as}:1`];
  return {
    rd: vpn.rd === 'auto' ? `${routerId}:1` : vpn.rd,
    exportTargets,
    importTargets: vpn.importTargets ?? exportTargets,
    transposition: vpn.transposition,
    networks: vpn.networks,
  };
}

/** The template's address and local address are those of nobody: each session has its own. */
function resolveDynamic(range: FileBgp['dynamic'][number], bgp: FileBgp, file: FileConfig): DynamicNeighborsConfig {
  const options = optionsOf(bgp, { group: range.group });
  const ases = range.as ?? (options.as === undefined ? [] : [options.as]);
  const templates = ases.map((as) => ({ ...resolveNeighbor(Prefix.from(range.prefix).address, { ...options, as, group: range.group }, bgp.as, file), passive: true }));
  return { prefix: range.prefix, limit: range.limit, templates };
}

function resolveNeighbor(address: string, options: Options, ownAs: number, file: FileConfig): BgpNeighborConfig {
  const as = options.as ?? ownAs;
  const internal = as === ownAs;
  const { gtsm = false, cpn = false } = options;
  const gtsmHops = gtsm === false ? undefined : gtsm === true ? 1 : gtsm.hops;
  const ttl = gtsmHops === undefined ? (options.ttl ?? (internal ? 255 : 1)) : 255;
  const filter = internal ? 'any' : 'none'; // RFC 8212
  const addPath = options.addPath ?? (cpn ? 'both' : 'none');
  const linkAddress = ownAddressTowards(address, file);
  const isOneHop = (gtsmHops ?? ttl) === 1;
  const localAddress = options.localAddress ?? (isOneHop ? linkAddress : undefined) ?? file.router.loopback;
  return {
    address,
    port: options.port ?? 179,
    as,
    group: options.group,
    localAddress,
    description: options.description ?? '',
    passive: options.passive ?? false,
    holdTimeMs: options.holdTime ?? 90_000,
    connectRetryMs: options.connectRetry ?? 5000,
    advertisementIntervalMs: options.advertisementInterval ?? 0,
    delayOpenMs: options.delayOpen ?? 0,
    role: options.role,
    strictRole: options.strictRole ?? false,
    ttl,
    minimumTtl: gtsmHops === undefined ? undefined : 255 - gtsmHops + 1,
    password: options.password,
    bfd: resolveBgpBfd(options.bfd, !isOneHop && localAddress !== linkAddress),
    cpn,
    cpnAccept: options.cpnAccept ?? [],
    addPath: { receive: addPath === 'both' || addPath === 'receive', send: addPath === 'both' || addPath === 'send' },
    nextHopSelf: options.nextHopSelf ?? false,
    families: options.families,
    srv6: options.srv6 ?? false,
    routeReflectorClient: options.routeReflectorClient ?? false,
    allowAsIn: options.allowAsIn ?? 0,
    advertisePeerAs: options.advertisePeerAs ?? false,
    removePrivateAs: options.removePrivateAs === 'replace' ? 'replace' : options.removePrivateAs === true ? 'remove' : 'keep',
    maxPrefix: prefixLimits(options.maxPrefix),
    import: options.import ?? filter,
    export: options.export ?? filter,
  };
}

/** A neighbor that is not on a link of ours takes more than one hop. */
function resolveBgpBfd(bfd: Options['bfd'], isFar: boolean): BgpNeighborConfig['bfd'] {
  if (bfd === undefined || bfd === false) return undefined;
  if (typeof bfd !== 'object') return { profile: bfdProfileName(bfd) ?? 'default', strict: false, multihop: isFar };
  return { profile: bfd.profile, strict: bfd.strict, multihop: bfd.multihop ?? isFar };
}

function prefixLimits(limits: Options['maxPrefix']): BgpNeighborConfig['maxPrefix'] {
  return Object.fromEntries(
    Object.entries(limits ?? {}).flatMap(([family, limit]) => {
      if (!limit) return [];
      const { limit: routes, warnAt, action, restartAfter } = limit;
      return [[family, { limit: routes, warnPercent: warnAt, action, restartAfterMs: restartAfter }]];
    }),
  );
}

/** Our address on the link that `address` is on. */
function ownAddressTowards(address: string, file: FileConfig): string | undefined {
  const bytes = parseIp(address)!;
  for (const { addresses } of Object.values(file.interfaces)) {
    const own = addresses.find((candidate) => Prefix.from(candidate).contains(bytes));
    if (own !== undefined) return own.slice(0, own.indexOf('/'));
  }
  return undefined;
}
