/** ATOMIC_AGGREGATE (RFC 4271 section 5.1.6). */
import { UpdateSubcode } from '../notification.js';
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, discard, WELL_KNOWN, writeAttributeHeader } from './attribute.js';

export const atomicAggregate: AttributeDecoder = {
  type: AttributeType.atomicAggregate,
  name: 'ATOMIC_AGGREGATE',
  flags: WELL_KNOWN,
  decode(value, draft) {
    if (value.remaining !== 0) return discard('RFC 7606 section 7.6', `ATOMIC_AGGREGATE of ${value.remaining} octets`, UpdateSubcode.attributeLengthError);
    draft.atomicAggregate = true;
    return undefined;
  },
};

export const encodeAtomicAggregate: AttributeEncoder = (writer, attributes) => {
  if (attributes.atomicAggregate) writeAttributeHeader(writer, WELL_KNOWN, AttributeType.atomicAggregate, 0);
};
