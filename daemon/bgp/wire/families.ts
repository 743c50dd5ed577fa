/** The address families this speaker exchanges routes of (RFC 4760), by name, and what a route of each leads to. */
import { type Family, Prefix } from '../../../dataplane/packet/ip.js';
import { AFI_IPV4, AFI_IPV6, type AfiSafi, SAFI_UNICAST, SAFI_VPN } from './types.js';
import { VpnPrefix } from './vpn-prefix.js';

export type FamilyName = 'ipv6-unicast' | 'ipv4-unicast' | 'ipv6-vpn' | 'ipv4-vpn';

interface FamilyFacts extends AfiSafi {
  /** IP version of the prefixes. */
  readonly version: Family;
  readonly vpn: boolean;
}

const FACTS: Readonly<Record<FamilyName, FamilyFacts>> = {
  'ipv6-unicast': { afi: AFI_IPV6, safi: SAFI_UNICAST, version: 6, vpn: false },
  'ipv4-unicast': { afi: AFI_IPV4, safi: SAFI_UNICAST, version: 4, vpn: false },
  'ipv6-vpn': { afi: AFI_IPV6, safi: SAFI_VPN, version: 6, vpn: true },
  'ipv4-vpn': { afi: AFI_IPV4, safi: SAFI_VPN, version: 4, vpn: true },
};

/** All families, those of IPv6 first. */
export const FAMILY_NAMES = Object.keys(FACTS) as readonly FamilyName[];

const AFI_SAFIS = new Map(FAMILY_NAMES.map((name): [FamilyName, AfiSafi] => [name, { afi: FACTS[name].afi, safi: FACTS[name].safi }]));

/** The family of these numbers; undefined for one that is not spoken here. */
export function familyOf({ afi, safi }: AfiSafi): FamilyName | undefined {
  if (safi === SAFI_UNICAST) return afi === AFI_IPV6 ? 'ipv6-unicast' : afi === AFI_IPV4 ? 'ipv4-unicast' : undefined;
  if (safi === SAFI_VPN) return afi === AFI_IPV6 ? 'ipv6-vpn' : afi === AFI_IPV4 ? 'ipv4-vpn' : undefined;
  return undefined;
}

export const afiSafiOf = (family: FamilyName): AfiSafi => AFI_SAFIS.get(family)!;

export const ipVersionOf = (family: FamilyName): Family => FACTS[family].version;

export const isVpn = (family: FamilyName): boolean => FACTS[family].vpn;

/** What a route leads to: a prefix, in a VPN with the route distinguisher in front of it. `toString()` of both is fit for map keys. */
export type Destination = Prefix | VpnPrefix;

export function familyOfDestination(destination: Destination): FamilyName {
  if (destination instanceof VpnPrefix) return destination.prefix.family === 6 ? 'ipv6-vpn' : 'ipv4-vpn';
  return destination.family === 6 ? 'ipv6-unicast' : 'ipv4-unicast';
}

/** The IP prefix of a destination, whatever its family. */
export const ipPrefixOf = (destination: Destination): Prefix => (destination instanceof VpnPrefix ? destination.prefix : destination);

/** Whether two NLRI of one destination are the same on the wire: the label of a VPN prefix is no part of its key (RFC 8277 section 2.4). */
export const equalLabels = (a: Destination, b: Destination): boolean => a === b || !(a instanceof VpnPrefix) || !(b instanceof VpnPrefix) || a.label === b.label;
