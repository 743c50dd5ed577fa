/** EXTENDED_COMMUNITIES (RFC 4360), each as one 64-bit number. */
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, OPTIONAL_TRANSITIVE, transitiveFlags, withdraw, writeAttributeHeader } from './attribute.js';

export const extendedCommunities: AttributeDecoder = {
  type: AttributeType.extendedCommunities,
  name: 'EXTENDED_COMMUNITIES',
  flags: OPTIONAL_TRANSITIVE,
  decode(value, draft) {
    if (value.remaining === 0 || value.remaining % 8 !== 0) return withdraw('RFC 7606 section 7.14', `EXTENDED_COMMUNITIES of ${value.remaining} octets`);
    const list: bigint[] = [];
    while (value.remaining > 0) list.push(value.u64());
    draft.extendedCommunities = list;
    return undefined;
  },
};

export const encodeExtendedCommunities: AttributeEncoder = (writer, attributes) => {
  const list = attributes.extendedCommunities;
  if (list.length === 0) return;
  writeAttributeHeader(writer, transitiveFlags(AttributeType.extendedCommunities, attributes), AttributeType.extendedCommunities, 8 * list.length);
  for (const community of list) writer.u64(community);
};
