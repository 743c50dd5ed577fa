/** AGGREGATOR (RFC 4271 section 5.1.7), with an AS number of two or four octets as the session has it (RFC 6793). */
import { formatIp, parseIp } from '../../../../dataplane/packet/ip.js';
import { UpdateSubcode } from '../notification.js';
import { AS_TRANS, AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, discard, OPTIONAL_TRANSITIVE, transitiveFlags, writeAttributeHeader } from './attribute.js';

export const aggregator: AttributeDecoder = {
  type: AttributeType.aggregator,
  name: 'AGGREGATOR',
  flags: OPTIONAL_TRANSITIVE,
  decode(value, draft, context) {
    if (value.remaining !== (context.fourOctetAs ? 8 : 6)) {
      return discard('RFC 7606 section 7.7', `AGGREGATOR of ${value.remaining} octets`, UpdateSubcode.attributeLengthError);
    }
    const as = context.fourOctetAs ? value.u32() : value.u16();
    if (as === 0) return discard('RFC 7607 section 2', 'AGGREGATOR with AS number 0');
    draft.aggregator = { as, address: formatIp(value.rest()) };
    return undefined;
  },
};

export const encodeAggregator: AttributeEncoder = (writer, attributes, context) => {
  if (!attributes.aggregator) return;
  const { as, address } = attributes.aggregator;
  writeAttributeHeader(writer, transitiveFlags(AttributeType.aggregator, attributes), AttributeType.aggregator, context.fourOctetAs ? 8 : 6);
  if (context.fourOctetAs) writer.u32(as);
  else writer.u16(as > 0xffff ? AS_TRANS : as);
  writer.octets(parseIp(address)!);
};
