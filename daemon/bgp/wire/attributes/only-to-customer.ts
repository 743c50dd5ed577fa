/** Only to Customer, OTC (RFC 9234 section 5): the AS that let a route out towards customers only. */
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, OPTIONAL_TRANSITIVE, transitiveFlags, withdraw, writeAttributeHeader } from './attribute.js';

export const onlyToCustomer: AttributeDecoder = {
  type: AttributeType.onlyToCustomer,
  name: 'OTC',
  flags: OPTIONAL_TRANSITIVE,
  decode(value, draft) {
    if (value.remaining !== 4) return withdraw('RFC 9234 section 5', `OTC of ${value.remaining} octets`);
    draft.onlyToCustomer = value.u32();
    return undefined;
  },
};

export const encodeOnlyToCustomer: AttributeEncoder = (writer, attributes) => {
  if (attributes.onlyToCustomer === undefined) return;
  writeAttributeHeader(writer, transitiveFlags(AttributeType.onlyToCustomer, attributes), AttributeType.onlyToCustomer, 4);
  writer.u32(attributes.onlyToCustomer);
};
