/** LOCAL_PREF (RFC 4271 section 5.1.5), between internal peers only. */
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, WELL_KNOWN, withdraw, writeAttributeHeader } from './attribute.js';

export const localPref: AttributeDecoder = {
  type: AttributeType.localPref,
  name: 'LOCAL_PREF',
  flags: WELL_KNOWN,
  internalOnly: true,
  decode(value, draft) {
    if (value.remaining !== 4) return withdraw('RFC 7606 section 7.5', `LOCAL_PREF of ${value.remaining} octets`);
    draft.localPref = value.u32();
    return undefined;
  },
};

export const encodeLocalPref: AttributeEncoder = (writer, attributes, context) => {
  if (attributes.localPref === undefined || !context.ibgp) return;
  writeAttributeHeader(writer, WELL_KNOWN, AttributeType.localPref, 4);
  writer.u32(attributes.localPref);
};
