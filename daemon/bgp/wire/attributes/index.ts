/** All attributes: decoders by type code, encoders in the order they are written. */
import { aggregator, encodeAggregator } from './aggregator.js';
import { as4Aggregator, encodeAs4Aggregator } from './as4-aggregator.js';
import { as4Path, encodeAs4Path } from './as4-path.js';
import { asPath, encodeAsPath } from './as-path.js';
import { atomicAggregate, encodeAtomicAggregate } from './atomic-aggregate.js';
import type { AttributeDecoder, AttributeEncoder } from './attribute.js';
import { clusterList, encodeClusterList } from './cluster-list.js';
import { communities, encodeCommunities } from './communities.js';
import { encodeCpn } from './cpn.js';
import { encodeExtendedCommunities, extendedCommunities } from './extended-communities.js';
import { encodeLargeCommunities, largeCommunities } from './large-communities.js';
import { encodeLocalPref, localPref } from './local-pref.js';
import { encodeMed, med } from './med.js';
import { mpReach } from './mp-reach.js';
import { mpUnreach } from './mp-unreach.js';
import { nextHop } from './next-hop.js';
import { encodeOnlyToCustomer, onlyToCustomer } from './only-to-customer.js';
import { encodeOrigin, origin } from './origin.js';
import { encodeOriginatorId, originatorId } from './originator-id.js';
import { encodePrefixSid, prefixSid } from './prefix-sid.js';
import { encodeUnknown } from './unknown.js';

const ALL: readonly AttributeDecoder[] = [
  origin,
  asPath,
  nextHop,
  med,
  localPref,
  atomicAggregate,
  aggregator,
  communities,
  originatorId,
  clusterList,
  mpReach,
  mpUnreach,
  extendedCommunities,
  as4Path,
  as4Aggregator,
  largeCommunities,
  onlyToCustomer,
  prefixSid,
];

const BY_TYPE: readonly (AttributeDecoder | undefined)[] = Array.from({ length: 256 }, (_, type) => ALL.find((decoder) => decoder.type === type));

/** The decoder of a type code; undefined for unknown ones and for the CPN attribute, whose code is configured. */
export function attributeDecoder(type: number): AttributeDecoder | undefined {
  return BY_TYPE[type];
}

/** Encoders before and after NEXT_HOP, so that known type codes ascend (RFC 4271 section 5). */
export const ENCODERS_BEFORE_NEXT_HOP: readonly AttributeEncoder[] = [encodeOrigin, encodeAsPath];
export const ENCODERS_AFTER_NEXT_HOP: readonly AttributeEncoder[] = [
  encodeMed,
  encodeLocalPref,
  encodeAtomicAggregate,
  encodeAggregator,
  encodeCommunities,
  encodeOriginatorId,
  encodeClusterList,
  encodeExtendedCommunities,
  encodeAs4Path,
  encodeAs4Aggregator,
  encodeLargeCommunities,
  encodeOnlyToCustomer,
  encodePrefixSid,
  encodeUnknown,
  encodeCpn,
];
