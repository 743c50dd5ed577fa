/** LARGE_COMMUNITY (RFC 8092). */
import { AttributeType, type LargeCommunity } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, OPTIONAL_TRANSITIVE, transitiveFlags, withdraw, writeAttributeHeader } from './attribute.js';

export const largeCommunities: AttributeDecoder = {
  type: AttributeType.largeCommunities,
  name: 'LARGE_COMMUNITY',
  flags: OPTIONAL_TRANSITIVE,
  decode(value, draft) {
    if (value.remaining === 0 || value.remaining % 12 !== 0) return withdraw('RFC 8092 section 6', `LARGE_COMMUNITY of ${value.remaining} octets`);
    // RFC 8092 section 5: redundant values are removed in silence.
    const distinct = new Map<string, LargeCommunity>();
    while (value.remaining > 0) {
      const community = { global: value.u32(), local1: value.u32(), local2: value.u32() };
      distinct.set(`${community.global}:${community.local1}:${community.local2}`, community);
    }
    draft.largeCommunities = [...distinct.values()];
    return undefined;
  },
};

export const encodeLargeCommunities: AttributeEncoder = (writer, attributes) => {
  const list = attributes.largeCommunities;
  if (list.length === 0) return;
  writeAttributeHeader(writer, transitiveFlags(AttributeType.largeCommunities, attributes), AttributeType.largeCommunities, 12 * list.length);
  for (const { global, local1, local2 } of list) writer.u32(global).u32(local1).u32(local2);
};
