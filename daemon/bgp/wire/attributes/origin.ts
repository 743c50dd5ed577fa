/** ORIGIN (RFC 4271 section 5.1.1). */
import { UpdateSubcode } from '../notification.js';
import { AttributeType, type OriginValue } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, WELL_KNOWN, withdraw, writeAttributeHeader } from './attribute.js';

const SECTION = 'RFC 7606 section 7.1';

export const origin: AttributeDecoder = {
  type: AttributeType.origin,
  name: 'ORIGIN',
  flags: WELL_KNOWN,
  decode(value, draft) {
    if (value.remaining !== 1) return withdraw(SECTION, `ORIGIN of ${value.remaining} octets`);
    const code = value.u8();
    if (code > 2) return withdraw(SECTION, `ORIGIN value ${code}`, UpdateSubcode.invalidOrigin);
    draft.origin = code as OriginValue;
    return undefined;
  },
};

export const encodeOrigin: AttributeEncoder = (writer, attributes) => {
  writeAttributeHeader(writer, WELL_KNOWN, AttributeType.origin, 1);
  writer.u8(attributes.origin);
};
