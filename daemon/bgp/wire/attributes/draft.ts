/** The attributes of an UPDATE while it is read, before mandatory ones are checked and AS4_PATH is merged. */
import type { Aggregator, AsPathSegment, CpnAttribute, LargeCommunity, NextHop, Nlri, OriginValue, PrefixSid, RawAttribute, AfiSafi } from '../types.js';

export interface MpReach {
  readonly family: AfiSafi;
  /** Undefined for a family this codec does not read; `nlri` is empty then. */
  readonly nextHop: NextHop | undefined;
  readonly nlri: readonly Nlri[];
}

export interface MpUnreach {
  readonly family: AfiSafi;
  readonly nlri: readonly Nlri[];
  /** No octet after the family: an End-of-RIB marker, when nothing else is in the UPDATE (RFC 4724 section 2). */
  readonly empty: boolean;
}

export interface AttributeDraft {
  origin?: OriginValue;
  asPath?: readonly AsPathSegment[];
  nextHop?: string;
  med?: number;
  localPref?: number;
  atomicAggregate?: true;
  aggregator?: Aggregator;
  communities?: readonly number[];
  originatorId?: string;
  clusterList?: readonly string[];
  mpReach?: MpReach;
  mpUnreach?: MpUnreach;
  extendedCommunities?: readonly bigint[];
  as4Path?: readonly AsPathSegment[];
  as4Aggregator?: Aggregator;
  largeCommunities?: readonly LargeCommunity[];
  onlyToCustomer?: number;
  prefixSid?: PrefixSid;
  cpn?: CpnAttribute;
  readonly partial: number[];
  readonly unknown: RawAttribute[];
}
