/** MULTI_EXIT_DISC (RFC 4271 section 5.1.4). */
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, OPTIONAL_NON_TRANSITIVE, withdraw, writeAttributeHeader } from './attribute.js';

export const med: AttributeDecoder = {
  type: AttributeType.med,
  name: 'MULTI_EXIT_DISC',
  flags: OPTIONAL_NON_TRANSITIVE,
  decode(value, draft) {
    if (value.remaining !== 4) return withdraw('RFC 7606 section 7.4', `MULTI_EXIT_DISC of ${value.remaining} octets`);
    draft.med = value.u32();
    return undefined;
  },
};

export const encodeMed: AttributeEncoder = (writer, attributes) => {
  if (attributes.med === undefined) return;
  writeAttributeHeader(writer, OPTIONAL_NON_TRANSITIVE, AttributeType.med, 4);
  writer.u32(attributes.med);
};
