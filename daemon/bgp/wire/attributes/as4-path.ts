/** AS4_PATH (RFC 6793 section 4.2): the 4-octet AS numbers of a path, carried past speakers that know only two octets. */
import { AttributeType } from '../types.js';
import { type AttributeDecoder, type AttributeEncoder, discard, OPTIONAL_TRANSITIVE, writeAttributeHeader } from './attribute.js';
import { isConfederation, readSegments, segmentsSize, splitSegments, writeSegments } from './segments.js';

export const as4Path: AttributeDecoder = {
  type: AttributeType.as4Path,
  name: 'AS4_PATH',
  flags: OPTIONAL_TRANSITIVE,
  onFlagsConflict: 'attributeDiscard',
  decode(value, draft, context) {
    if (context.fourOctetAs) return discard('RFC 6793 section 4.1', 'AS4_PATH from a speaker with 4-octet AS numbers');
    const segments = readSegments(value, 4);
    if (typeof segments === 'string' || segments.length === 0) {
      return discard('RFC 6793 section 6', `AS4_PATH: ${typeof segments === 'string' ? segments : 'empty'}`);
    }
    // Confederation segments must not be here and are dropped (section 6).
    draft.as4Path = segments.filter((segment) => !isConfederation(segment));
    return undefined;
  },
};

export const encodeAs4Path: AttributeEncoder = (writer, attributes, context) => {
  if (context.fourOctetAs || !attributes.asPath.some(({ as }) => as.some((number) => number > 0xffff))) return;
  const segments = splitSegments(attributes.asPath.filter((segment) => !isConfederation(segment)));
  if (segments.length === 0) return;
  writeAttributeHeader(writer, OPTIONAL_TRANSITIVE, AttributeType.as4Path, segmentsSize(segments, 4));
  writeSegments(writer, segments, 4);
};
