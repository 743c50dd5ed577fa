/** AS4_AGGREGATOR (RFC 6793 section 4.2): the aggregator's 4-octet AS number, carried past speakers that know only two octets. */
import { formatIp, parseIp } from '../../../../dataplane/packet/ip.js';
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, discard, OPTIONAL_TRANSITIVE, writeAttributeHeader } from './attribute.js';

export const as4Aggregator: AttributeDecoder = {
  type: AttributeType.as4Aggregator,
  name: 'AS4_AGGREGATOR',
  flags: OPTIONAL_TRANSITIVE,
  onFlagsConflict: 'attributeDiscard',
  decode(value, draft, context) {
    if (context.fourOctetAs) return discard('RFC 6793 section 4.1', 'AS4_AGGREGATOR from a speaker with 4-octet AS numbers');
    if (value.remaining !== 8) return discard('RFC 6793 section 6', `AS4_AGGREGATOR of ${value.remaining} octets`);
    const as = value.u32();
    if (as === 0) return discard('RFC 7607 section 2', 'AS4_AGGREGATOR with AS number 0');
    draft.as4Aggregator = { as, address: formatIp(value.rest()) };
    return undefined;
  },
};

export const encodeAs4Aggregator: AttributeEncoder = (writer, attributes, context) => {
  if (context.fourOctetAs || !attributes.aggregator || attributes.aggregator.as <= 0xffff) return;
  writeAttributeHeader(writer, OPTIONAL_TRANSITIVE, AttributeType.as4Aggregator, 8);
  writer.u32(attributes.aggregator.as).octets(parseIp(attributes.aggregator.address)!);
};
