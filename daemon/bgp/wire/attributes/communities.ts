/** COMMUNITIES (RFC 1997). */
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, OPTIONAL_TRANSITIVE, transitiveFlags, withdraw, writeAttributeHeader } from './attribute.js';

export const communities: AttributeDecoder = {
  type: AttributeType.communities,
  name: 'COMMUNITIES',
  flags: OPTIONAL_TRANSITIVE,
  decode(value, draft) {
    if (value.remaining === 0 || value.remaining % 4 !== 0) return withdraw('RFC 7606 section 7.8', `COMMUNITIES of ${value.remaining} octets`);
    const list: number[] = [];
    while (value.remaining > 0) list.push(value.u32());
    draft.communities = list;
    return undefined;
  },
};

export const encodeCommunities: AttributeEncoder = (writer, attributes) => {
  const list = attributes.communities;
  if (list.length === 0) return;
  writeAttributeHeader(writer, transitiveFlags(AttributeType.communities, attributes), AttributeType.communities, 4 * list.length);
  for (const community of list) writer.u32(community);
};
