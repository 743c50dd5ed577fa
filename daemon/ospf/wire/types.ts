/**
 * OSPFv3 packets and link-state advertisements as values (RFC 5340 appendix A). Router IDs, area IDs, Link State IDs and interface IDs are
 * unsigned 32-bit numbers; addresses are canonical text, prefixes are `Prefix`. What is flooded is always the raw octets, never an encoding of
 * a decoded value, so that unknown TLVs and reserved bits pass unchanged.
 */
import type { Prefix } from '../../../dataplane/packet/ip.js';
import type { CpnDecoded } from '../../computing/block.js';

/** LS types with U bit and flooding scope (RFC 5340 section A.4.2.1). */
export const LsType = {
  router: 0x2001,
  network: 0x2002,
  interAreaPrefix: 0x2003,
  interAreaRouter: 0x2004,
  asExternal: 0x4005,
  nssa: 0x2007,
  link: 0x0008,
  intraAreaPrefix: 0x2009,
  /** RFC 5329. */
  intraAreaTe: 0xa00a,
  /** RFC 5187. */
  grace: 0x000b,
  /** RFC 7770, area scope. */
  routerInformation: 0xa00c,
  /** RFC 8362. */
  extendedRouter: 0xa021,
  /** RFC 9513. */
  srv6Locator: 0xa02a,
  /** proto/WIRE.md section 3. */
  cpn: 0xbff0,
} as const;

export type FloodingScope = 'link' | 'area' | 'as' | 'reserved';

/** Bits of the 24-bit Options field (RFC 5340 section A.2; L: RFC 5613 section 2.1; AT: RFC 7166 section 2.1). */
export const OptionBit = { v6: 0x01, e: 0x02, n: 0x08, r: 0x10, dc: 0x20, l: 0x200, at: 0x400 } as const;

/** Bits of PrefixOptions (RFC 5340 section A.4.1.1; N, a prefix of the router itself: RFC 8362 section 3.1; AC, anycast: RFC 9513 section 6). */
export const PrefixOptionBit = { nu: 0x01, la: 0x02, p: 0x08, dn: 0x10, n: 0x20, ac: 0x80 } as const;

export const MAX_AGE = 3600;
export const INITIAL_SEQUENCE = -0x7fffffff; // 0x80000001
export const MAX_SEQUENCE = 0x7fffffff;
export const LSA_HEADER_LENGTH = 20;
export const PACKET_HEADER_LENGTH = 16;

export interface LsaHeader {
  /** s, 0..3600; DoNotAge (RFC 4136) is not used: the bit is masked out. */
  readonly age: number;
  readonly type: number;
  readonly id: number;
  readonly router: number;
  /** Signed 32 bits. */
  readonly sequence: number;
  readonly checksum: number;
  /** Octets, header included. */
  readonly length: number;
}

export interface Lsa {
  readonly header: LsaHeader;
  /** The whole LSA, header included; its age field may be stale: `encodePacket` writes that of `header` instead. */
  readonly raw: Uint8Array;
  /** Read when first asked for. A spread (`{ ...lsa }`) loses it: `withAge` makes a copy at another age. */
  readonly body: LsaBody;
}

export type LsaBody =
  | RouterLsa
  | NetworkLsa
  | InterAreaPrefixLsa
  | InterAreaRouterLsa
  | ExternalLsa
  | LinkLsa
  | IntraAreaPrefixLsa
  | IntraAreaTeLsa
  | GraceLsa
  | RouterInformationLsa
  | ExtendedRouterLsa
  | Srv6LocatorLsa
  | CpnLsa
  | { readonly kind: 'unknown' }
  /** A known type whose body makes no sense: kept and flooded as any other, its content ignored. */
  | { readonly kind: 'malformed'; readonly reason: string };

/** Why an LSA was left out; the header where it could be read. */
export interface LsaFault {
  readonly header: LsaHeader | undefined;
  readonly reason: string;
}

export type LsaDecoded = { readonly ok: true; readonly lsa: Lsa } | { readonly ok: false; readonly fault: LsaFault };

export interface LsaPrefix {
  readonly prefix: Prefix;
  /** PrefixOptions. */
  readonly options: number;
  readonly metric: number;
}

export type RouterLinkType = 1 | 2 | 4; // point-to-point, transit network, virtual

export interface RouterLink {
  readonly type: RouterLinkType;
  readonly metric: number;
  readonly interfaceId: number;
  readonly neighborInterfaceId: number;
  readonly neighborRouterId: number;
}

export interface RouterLsa {
  readonly kind: 'router';
  readonly flags: { readonly nt: boolean; readonly v: boolean; readonly e: boolean; readonly b: boolean };
  readonly options: number;
  readonly links: readonly RouterLink[];
}

export interface NetworkLsa {
  readonly kind: 'network';
  readonly options: number;
  readonly routers: readonly number[];
}

export interface InterAreaPrefixLsa extends LsaPrefix {
  readonly kind: 'interAreaPrefix';
}

export interface InterAreaRouterLsa {
  readonly kind: 'interAreaRouter';
  readonly options: number;
  readonly metric: number;
  readonly destination: number;
}

/** AS-External-LSA or NSSA-LSA. */
export interface ExternalLsa extends LsaPrefix {
  readonly kind: 'asExternal' | 'nssa';
  /** E bit: type 2 metric. */
  readonly type2: boolean;
  readonly forwarding: string | undefined;
  readonly tag: number | undefined;
  readonly referenced: { readonly type: number; readonly id: number } | undefined;
}

export interface LinkLsa {
  readonly kind: 'link';
  readonly priority: number;
  readonly options: number;
  readonly linkLocal: string;
  readonly prefixes: readonly LsaPrefix[];
}

export interface IntraAreaPrefixLsa {
  readonly kind: 'intraAreaPrefix';
  readonly referenced: { readonly type: number; readonly id: number; readonly router: number };
  readonly prefixes: readonly LsaPrefix[];
}

/** Link TLV of an Intra-Area-TE-LSA (RFC 5329 section 4, RFC 7471 section 4). Bandwidths in octets per second as IEEE floats carry them. */
export interface TeLink {
  readonly linkType: 1 | 2; // point-to-point, multi-access
  readonly neighbor: { readonly interfaceId: number; readonly routerId: number } | undefined;
  readonly local: readonly string[];
  readonly remote: readonly string[];
  readonly teMetric: number | undefined;
  readonly maximumBandwidth: number | undefined;
  readonly maximumReservable: number | undefined;
  /** RFC 7471 sub-TLVs 27 to 33; delays in us, loss in units of 0.000003 %; `anomalous` is the A bit. */
  readonly delay: { readonly us: number; readonly anomalous: boolean } | undefined;
  readonly delayRange: { readonly minimumUs: number; readonly maximumUs: number; readonly anomalous: boolean } | undefined;
  readonly delayVariationUs: number | undefined;
  readonly loss: { readonly value: number; readonly anomalous: boolean } | undefined;
  readonly residualBandwidth: number | undefined;
  readonly availableBandwidth: number | undefined;
  readonly utilizedBandwidth: number | undefined;
}

export interface IntraAreaTeLsa {
  readonly kind: 'intraAreaTe';
  /** Router IPv6 Address TLV. */
  readonly routerAddress: string | undefined;
  readonly link: TeLink | undefined;
}

export interface GraceLsa {
  readonly kind: 'grace';
  readonly periodSeconds: number;
  /** 0 unknown, 1 software restart, 2 reload or upgrade, 3 switch to a redundant control processor. */
  readonly reason: number;
}

export interface RouterInformationLsa {
  readonly kind: 'routerInformation';
  /** Bits of the Informational Capabilities TLV; undefined without one. */
  readonly informational: number | undefined;
  /** SRv6 Capabilities TLV (RFC 9513 section 2), 16 bits of flags: O, 0x4000, reads the O-flag of an SRH (RFC 9259). */
  readonly srv6: { readonly flags: number } | undefined;
  /** SR-Algorithm TLV (RFC 9513 section 3). */
  readonly algorithms: readonly number[];
  /** Node MSD TLV (RFC 8476, RFC 9513 section 4): [type, value]. */
  readonly msd: readonly (readonly [number, number])[];
}

export interface SidStructure {
  readonly block: number;
  readonly node: number;
  readonly function: number;
  readonly argument: number;
}

/** SRv6 End.X SID or LAN End.X SID sub-TLV (RFC 9513 section 9). */
export interface EndXSid {
  readonly behaviour: number;
  /** Bit 7 B (backup), bit 6 S (set), bit 5 P (persistent). */
  readonly flags: number;
  readonly algorithm: number;
  readonly weight: number;
  /** LAN End.X: the neighbour that it leads to. */
  readonly neighborRouterId: number | undefined;
  readonly sid: string;
  readonly structure: SidStructure | undefined;
}

export interface ExtendedRouterLink extends RouterLink {
  readonly endX: readonly EndXSid[];
}

export interface ExtendedRouterLsa {
  readonly kind: 'extendedRouter';
  readonly flags: RouterLsa['flags'];
  readonly options: number;
  readonly links: readonly ExtendedRouterLink[];
}

/** SRv6 End SID sub-TLV (RFC 9513 section 8). */
export interface EndSid {
  readonly flags: number;
  readonly behaviour: number;
  readonly sid: string;
  readonly structure: SidStructure | undefined;
}

export interface Srv6Locator {
  /** 1 intra-area, 2 inter-area, 3 AS external type 1, 4 type 2, 5, 6 NSSA (RFC 9513 section 7.1). */
  readonly routeType: number;
  readonly algorithm: number;
  readonly prefixOptions: number;
  readonly metric: number;
  readonly prefix: Prefix;
  readonly endSids: readonly EndSid[];
}

export interface Srv6LocatorLsa {
  readonly kind: 'srv6Locator';
  readonly locators: readonly Srv6Locator[];
}

export interface CpnLsa {
  readonly kind: 'cpn';
  readonly block: CpnDecoded;
}

/** What all packets begin with (RFC 5340 section A.3.1). */
export interface PacketHeader {
  readonly routerId: number;
  readonly areaId: number;
  readonly instanceId: number;
}

export interface HelloPacket extends PacketHeader {
  readonly kind: 'hello';
  readonly interfaceId: number;
  readonly priority: number;
  readonly options: number;
  /** s */
  readonly helloInterval: number;
  /** s */
  readonly deadInterval: number;
  readonly designated: number;
  readonly backup: number;
  readonly neighbors: readonly number[];
}

export interface DatabaseDescriptionPacket extends PacketHeader {
  readonly kind: 'databaseDescription';
  readonly options: number;
  readonly mtu: number;
  readonly initial: boolean;
  readonly more: boolean;
  readonly master: boolean;
  readonly sequence: number;
  readonly headers: readonly LsaHeader[];
}

export interface LsaKey {
  readonly type: number;
  readonly id: number;
  readonly router: number;
}

export interface LinkStateRequestPacket extends PacketHeader {
  readonly kind: 'linkStateRequest';
  readonly requests: readonly LsaKey[];
}

/** LSAs of an Update: the good ones decoded, in order; `faults` counts those whose checksum or length is wrong and which were left out. */
export interface LinkStateUpdatePacket extends PacketHeader {
  readonly kind: 'linkStateUpdate';
  readonly lsas: readonly Lsa[];
  readonly faults: readonly LsaFault[];
}

export interface LinkStateAcknowledgmentPacket extends PacketHeader {
  readonly kind: 'linkStateAcknowledgment';
  readonly headers: readonly LsaHeader[];
}

export type OspfPacket = HelloPacket | DatabaseDescriptionPacket | LinkStateRequestPacket | LinkStateUpdatePacket | LinkStateAcknowledgmentPacket;

/** Why a packet was dropped: a stable word to count by, and a text for people. */
export interface PacketFault {
  readonly counter: 'length' | 'version' | 'type' | 'checksum' | 'body' | 'authentication';
  readonly reason: string;
}

export type PacketDecoded = { readonly ok: true; readonly packet: OspfPacket } | { readonly ok: false; readonly fault: PacketFault };
