/** ORIGINATOR_ID of route reflection (RFC 4456 section 8), between internal peers only. */
import { formatIp, parseIp } from '../../../../dataplane/packet/ip.js';
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, OPTIONAL_NON_TRANSITIVE, withdraw, writeAttributeHeader } from './attribute.js';

export const originatorId: AttributeDecoder = {
  type: AttributeType.originatorId,
  name: 'ORIGINATOR_ID',
  flags: OPTIONAL_NON_TRANSITIVE,
  internalOnly: true,
  decode(value, draft) {
    if (value.remaining !== 4) return withdraw('RFC 7606 section 7.9', `ORIGINATOR_ID of ${value.remaining} octets`);
    draft.originatorId = formatIp(value.rest());
    return undefined;
  },
};

export const encodeOriginatorId: AttributeEncoder = (writer, attributes, context) => {
  if (attributes.originatorId === undefined || !context.ibgp) return;
  writeAttributeHeader(writer, OPTIONAL_NON_TRANSITIVE, AttributeType.originatorId, 4);
  writer.octets(parseIp(attributes.originatorId)!);
};
