/** Attributes this codec does not know (RFC 4271 sections 5 and 6.3). */
import { UpdateSubcode } from '../notification.js';
import { copyOf } from '../octets.js';
import { AttributeFlag } from '../types.js';
import { type AttributeEncoder, type AttributeProblem, reset, writeAttributeHeader } from './attribute.js';
import type { AttributeDraft } from './draft.js';

/** Keeps an optional transitive attribute, with Partial set; drops a non-transitive one; an unrecognised well-known one ends the session. */
export function decodeUnknown(flags: number, type: number, value: Uint8Array, draft: AttributeDraft): AttributeProblem | undefined {
  if ((flags & AttributeFlag.optional) === 0) {
    return reset('RFC 4271 section 6.3', `well-known attribute ${type} is not recognised`, UpdateSubcode.unrecognizedWellKnownAttribute);
  }
  if ((flags & AttributeFlag.transitive) !== 0) {
    draft.unknown.push({ flags: AttributeFlag.optional | AttributeFlag.transitive | AttributeFlag.partial, type, value: copyOf(value) });
  }
  return undefined;
}

export const encodeUnknown: AttributeEncoder = (writer, attributes) => {
  for (const { flags, type, value } of attributes.unknown) {
    writeAttributeHeader(writer, flags, type, value.length);
    writer.octets(value);
  }
};
