/**
 * BGP-4 messages as values: what the decoder yields and the encoder takes. Addresses are canonical text, numbers are host
 * numbers, octets that must be passed on unchanged are kept as they came. Decoded values own their octets: nothing in them views
 * the receive buffer.
 *
 * Entry points: `MessageFramer` (framer.ts) cuts a stream into messages, `decodeMessage` (decode.ts) reads one,
 * `encodeOpen`, `encodeKeepalive`, `encodeNotification`, `encodeRouteRefresh` (encode.ts) and `packAnnouncements`,
 * `packWithdrawals`, `encodeEndOfRib` (pack.ts) write.
 */
import type { CpnEvent } from '../../computing/block.js';
import type { CpnBlock, SidInfo } from '../../computing/types.js';
import type { Destination } from './families.js';

/** An address family and its subsequent identifier (RFC 4760), as IANA numbers. */
export interface AfiSafi {
  readonly afi: number;
  readonly safi: number;
}

export const AFI_IPV4 = 1;
export const AFI_IPV6 = 2;
export const SAFI_UNICAST = 1;
/** Labeled VPN addresses (RFC 4364, RFC 4659). */
export const SAFI_VPN = 128;

export const IPV4_UNICAST: AfiSafi = { afi: AFI_IPV4, safi: SAFI_UNICAST };
export const IPV6_UNICAST: AfiSafi = { afi: AFI_IPV6, safi: SAFI_UNICAST };

/** Type octet of each message (RFC 4271 section 4.1, RFC 2918). */
export const MessageType = { open: 1, update: 2, notification: 3, keepalive: 4, routeRefresh: 5 } as const;

/** Octets of marker, length and type. */
export const HEADER_LENGTH = 19;
/** RFC 4271 section 4.1. */
export const MAX_MESSAGE_LENGTH = 4096;
/** RFC 8654 section 4: UPDATE, NOTIFICATION and ROUTE-REFRESH once both sides announced the capability. */
export const MAX_EXTENDED_MESSAGE_LENGTH = 65535;
/** Stands for a 4-octet AS number towards and from speakers that know only two octets (RFC 6793 section 9). */
export const AS_TRANS = 23456;

/** A capability of the OPEN (RFC 5492). A capability of a known code but impossible length is kept as `unknown`. */
export type Capability =
  | { readonly kind: 'multiprotocol'; readonly family: AfiSafi } // 1, RFC 4760
  | { readonly kind: 'routeRefresh' } // 2, RFC 2918
  | { readonly kind: 'extendedNextHop'; readonly entries: readonly ExtendedNextHopEntry[] } // 5, RFC 8950
  | { readonly kind: 'extendedMessage' } // 6, RFC 8654
  | { readonly kind: 'role'; readonly role: number } // 9, RFC 9234
  | { readonly kind: 'gracefulRestart'; readonly restarting: boolean; readonly notification: boolean; readonly timeSeconds: number; readonly families: readonly GracefulRestartFamily[] } // 64, RFC 4724, 8538
  | { readonly kind: 'fourOctetAs'; readonly as: number } // 65, RFC 6793
  | { readonly kind: 'addPath'; readonly families: readonly AddPathFamily[] } // 69, RFC 7911
  | { readonly kind: 'enhancedRouteRefresh' } // 70, RFC 7313
  | { readonly kind: 'unknown'; readonly code: number; readonly value: Uint8Array };

export interface ExtendedNextHopEntry extends AfiSafi {
  readonly nextHopAfi: number;
}

export interface GracefulRestartFamily extends AfiSafi {
  /** The Forwarding State bit: the sender kept forwarding through its restart. */
  readonly forwardingPreserved: boolean;
}

export interface AddPathFamily extends AfiSafi {
  /** The sender is willing to receive, or able to send, several paths of a prefix in this family. */
  readonly receive: boolean;
  readonly send: boolean;
}

export interface OpenMessage {
  readonly type: 'open';
  /** The speaker's AS: of the 4-octet capability when present, else of the fixed field. */
  readonly as: number;
  /** The 2-octet My Autonomous System field as it stands on the wire. */
  readonly myAutonomousSystem: number;
  readonly holdTime: number; // s, 0 or at least 3
  readonly identifier: string; // dotted
  readonly capabilities: readonly Capability[];
}

export interface KeepaliveMessage {
  readonly type: 'keepalive';
}

/** Code, subcode and data of a NOTIFICATION. */
export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

export interface NotificationMessage extends Notification {
  readonly type: 'notification';
  /** The operator's words in Cease 2 and 4 (RFC 9003); undefined when there are none or they are not UTF-8. */
  readonly shutdownCommunication: string | undefined;
}

/** Message subtypes of RFC 7313; other numbers are kept and must be ignored by the receiver (section 5). */
export const RouteRefreshSubtype = { request: 0, begin: 1, end: 2 } as const;

export interface RouteRefreshMessage {
  readonly type: 'routeRefresh';
  readonly family: AfiSafi;
  readonly subtype: number;
}

/** One prefix, of a VPN or not, with its path identifier, 0 where ADD-PATH is off. The family is the prefix's. */
export interface Nlri {
  readonly prefix: Destination;
  readonly pathId: number;
}

/**
 * Of IPv6 unicast a global address and perhaps a link-local one (RFC 2545 section 3); of IPv4 one address of either family. The route
 * distinguisher of zero that stands before those of a VPN (RFC 4659 section 3.2.1) is not in here.
 */
export interface NextHop {
  readonly address: string;
  readonly linkLocal: string | undefined;
}

/** Reachable prefixes that share a next hop: from NEXT_HOP and the NLRI field, or from MP_REACH_NLRI. */
export interface Announcement {
  readonly family: AfiSafi;
  readonly nextHop: NextHop;
  readonly nlri: readonly Nlri[];
}

export interface UpdateMessage {
  readonly type: 'update';
  /** From the Withdrawn Routes field and MP_UNREACH_NLRI, and, when the disposition says so, every announced NLRI too. */
  readonly withdrawn: readonly Nlri[];
  /** Empty when the disposition is treatAsWithdraw: nobody can install a route that must be withdrawn. At most two (IPv4 both ways). */
  readonly announced: readonly Announcement[];
  /** Shared by all of `announced`. Undefined when there is nothing announced. */
  readonly attributes: PathAttributes | undefined;
  /** The family whose initial update this ends (RFC 4724 section 2). */
  readonly endOfRib: AfiSafi | undefined;
  /** The strongest disposition among the faults (RFC 7606 section 2); `accept` without any. */
  readonly disposition: 'accept' | 'attributeDiscard' | 'treatAsWithdraw';
  readonly faults: readonly Fault[];
}

export type Message = OpenMessage | UpdateMessage | NotificationMessage | KeepaliveMessage | RouteRefreshMessage;

/** What was wrong with a message and what RFC 7606 (or the section named) says follows. */
export interface Fault {
  /** For example `RFC 7606 section 7.1`. */
  readonly section: string;
  /** Type code of the path attribute concerned. */
  readonly attribute: number | undefined;
  readonly disposition: 'attributeDiscard' | 'treatAsWithdraw' | 'sessionReset';
  /** One sentence fit for a log. */
  readonly reason: string;
  /** The NOTIFICATION to send; with sessionReset only. */
  readonly notification: Notification | undefined;
  /** The offending octets (for an attribute: flags, type, length and value), for the log. */
  readonly raw: Uint8Array | undefined;
}

/** Either a message, or the fault whose NOTIFICATION ends the session. */
export type DecodeResult = { readonly ok: true; readonly message: Message } | { readonly ok: false; readonly fault: SessionFault };

export interface SessionFault extends Fault {
  readonly disposition: 'sessionReset';
  readonly notification: Notification;
}

/** What the session has negotiated, as far as reading messages depends on it. */
export interface DecodeContext {
  /** Both sides announced 4-octet AS numbers (RFC 6793). */
  readonly fourOctetAs: boolean;
  /** Whether NLRI of this family arrive with path identifiers (RFC 7911). */
  addPath(afi: number, safi: number): boolean;
  /** We announced extended messages, so that the peer may send them (RFC 8654 section 4: each direction by itself). */
  readonly extendedMessage: boolean;
  readonly ibgp: boolean;
  /** Type code of the CPN attribute; 255 unless configured. */
  readonly cpnAttributeType: number;
}

/** What the session has negotiated, as far as writing messages depends on it. */
export interface EncodeContext {
  readonly fourOctetAs: boolean;
  /** Whether NLRI of this family leave with path identifiers (RFC 7911). */
  addPath(afi: number, safi: number): boolean;
  /** The peer announced extended messages, so that it may be sent them. */
  readonly extendedMessage: boolean;
  /** LOCAL_PREF, ORIGINATOR_ID and CLUSTER_LIST are written to internal peers only. */
  readonly ibgp: boolean;
  readonly cpnAttributeType: number;
}

/** Type codes of the path attributes this codec knows; the CPN attribute's is configured. */
export const AttributeType = {
  origin: 1,
  asPath: 2,
  nextHop: 3,
  med: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  communities: 8,
  originatorId: 9,
  clusterList: 10,
  mpReach: 14,
  mpUnreach: 15,
  extendedCommunities: 16,
  as4Path: 17,
  as4Aggregator: 18,
  largeCommunities: 32,
  onlyToCustomer: 35,
  prefixSid: 40,
} as const;

/** Default type code of the CPN attribute (proto/WIRE.md section 2). */
export const CPN_ATTRIBUTE_TYPE = 255;

/** Bits of the attribute flags octet (RFC 4271 section 4.3). */
export const AttributeFlag = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const;

export const OriginCode = { igp: 0, egp: 1, incomplete: 2 } as const;
export type OriginValue = 0 | 1 | 2;

/** Segment types of RFC 4271 section 4.3 and RFC 5065. */
export const AsSegmentType = { set: 1, sequence: 2, confedSequence: 3, confedSet: 4 } as const;

export interface AsPathSegment {
  readonly type: 1 | 2 | 3 | 4;
  readonly as: readonly number[];
}

export interface Aggregator {
  readonly as: number;
  readonly address: string;
}

/** RFC 8092. */
export interface LargeCommunity {
  readonly global: number;
  readonly local1: number;
  readonly local2: number;
}

/** An attribute this codec does not interpret, as received; `value` is passed on octet for octet. */
export interface RawAttribute {
  readonly flags: number;
  readonly type: number;
  readonly value: Uint8Array;
}

/** Prefix-SID, attribute 40 (RFC 8669, RFC 9252): the octets that are passed on, and the first SRv6 SID found in them. */
export interface PrefixSid {
  readonly value: Uint8Array;
  /** As it stands here; `serviceSid` puts transposed bits back. */
  readonly sid: SidInfo | undefined;
  /** Bits of the SID that the label of a VPN prefix carries (RFC 9252 section 4). */
  readonly transposition?: { readonly length: number; readonly offset: number } | undefined;
}

/**
 * The CPN attribute: the octets that are passed on, the flags they came with, and what they say. An attribute of that type with
 * somebody else's content is among `unknown`; one with a framing fault withdraws the route.
 */
export interface CpnAttribute {
  readonly flags: number;
  readonly value: Uint8Array;
  readonly block: CpnBlock;
  /** What was ignored in the block, for the log. */
  readonly events: readonly CpnEvent[];
}

/**
 * The attributes of a route, without its next hop, which depends on the family (see Announcement).
 * AS numbers are always 4-octet: AS4_PATH and AS4_AGGREGATOR are merged on receipt and made on sending (RFC 6793 section 4.2).
 */
export interface PathAttributes {
  readonly origin: OriginValue;
  readonly asPath: readonly AsPathSegment[];
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  readonly atomicAggregate: boolean;
  readonly aggregator: Aggregator | undefined;
  readonly communities: readonly number[];
  /** Each of 8 octets. */
  readonly extendedCommunities: readonly bigint[];
  readonly largeCommunities: readonly LargeCommunity[];
  /** The AS that let the route out towards customers only (RFC 9234). */
  readonly onlyToCustomer: number | undefined;
  readonly originatorId: string | undefined;
  readonly clusterList: readonly string[];
  readonly prefixSid: PrefixSid | undefined;
  readonly cpn: CpnAttribute | undefined;
  /** Type codes of known optional transitive attributes that came with Partial set, which nobody may clear (RFC 4271 section 4.3). */
  readonly partial: readonly number[];
  /** Unknown transitive attributes, Partial already set, in order of type. Unknown non-transitive ones are dropped on receipt. */
  readonly unknown: readonly RawAttribute[];
}

/** Attributes of a route originated here: ORIGIN IGP, empty AS_PATH, nothing else. Spread it and set what differs. */
export const EMPTY_ATTRIBUTES: PathAttributes = {
  origin: OriginCode.igp,
  asPath: [],
  med: undefined,
  localPref: undefined,
  atomicAggregate: false,
  aggregator: undefined,
  communities: [],
  extendedCommunities: [],
  largeCommunities: [],
  onlyToCustomer: undefined,
  originatorId: undefined,
  clusterList: [],
  prefixSid: undefined,
  cpn: undefined,
  partial: [],
  unknown: [],
};

/** Well-known communities (RFC 1997). */
export const NO_EXPORT = 0xffffff01;
export const NO_ADVERTISE = 0xffffff02;
export const NO_EXPORT_SUBCONFED = 0xffffff03;
