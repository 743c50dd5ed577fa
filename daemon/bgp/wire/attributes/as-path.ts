/** AS_PATH (RFC 4271 section 5.1.2), with AS numbers of two or four octets as the session has it (RFC 6793). */
import { UpdateSubcode } from '../notification.js';
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, WELL_KNOWN, withdraw, writeAttributeHeader } from './attribute.js';
import { isConfederation, readSegments, segmentsSize, splitSegments, writeSegments } from './segments.js';

export const asPath: AttributeDecoder = {
  type: AttributeType.asPath,
  name: 'AS_PATH',
  flags: WELL_KNOWN,
  decode(value, draft, context) {
    const segments = readSegments(value, context.fourOctetAs ? 4 : 2);
    if (typeof segments === 'string') return withdraw('RFC 7606 section 7.2', `AS_PATH: ${segments}`, UpdateSubcode.malformedAsPath);
    if (!context.ibgp && segments.some(isConfederation)) {
      return withdraw('RFC 5065 section 5', 'AS_PATH: a confederation segment from outside', UpdateSubcode.malformedAsPath);
    }
    draft.asPath = segments;
    return undefined;
  },
};

export const encodeAsPath: AttributeEncoder = (writer, attributes, context) => {
  const segments = splitSegments(attributes.asPath);
  const octets = context.fourOctetAs ? 4 : 2;
  writeAttributeHeader(writer, WELL_KNOWN, AttributeType.asPath, segmentsSize(segments, octets));
  writeSegments(writer, segments, octets);
};
