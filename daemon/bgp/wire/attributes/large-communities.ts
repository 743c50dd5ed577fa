/** LARGE_COMMUNITY (RFC 8092). */
import { AttributeType, type LargeCommunity } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, OPTIONAL_TRANSITIVE, transitiveFlags, withdraw, writeAttributeHeader } from './attribute.js';

export const largeCommunities: AttributeDecoder = {
  type: AttributeType.largeCommunities,
  name: 'LARGE_COMMUNITY',
  flags: OPTIONAL_TRANSITIVE,
  decode(value, draft) {
    if (value.remaining === 0 || value.remaining % 12 !== 0) return withdraw('RFC 8092 section 6', `LARGE_COMMUNITY of ${value.remaining} octets`);
    const list: LargeCommunity[] = [];
    while (value.remaining > 0) list.push({ global: value.u32(), local1: value.u32(), local2: value.u32() });
    draft.largeCommunities = list;
    return undefined;
  },
};

export const encodeLargeCommunities: AttributeEncoder = (writer, attributes) => {
  const list = attributes.largeCommunities;
  if (list.length === 0) return;
  writeAttributeHeader(writer, transitiveFlags(AttributeType.largeCommunities, attributes), AttributeType.largeCommunities, 12 * list.length);
  for (const { global, local1, local2 } of list) writer.u32(global).u32(local1).u32(local2);
};
