/** What every attribute's file provides, and the words for what can be wrong with one (RFC 7606 section 2). */
import type { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { UpdateSubcode } from '../notification.js';
import { AttributeFlag, type DecodeContext, type EncodeContext, type Fault, type PathAttributes } from '../types.js';
import type { AttributeDraft } from './draft.js';

/** What is wrong with one attribute. The subcode is for the NOTIFICATION, should it come to a session reset. */
export interface AttributeProblem {
  readonly disposition: Fault['disposition'];
  readonly section: string;
  readonly reason: string;
  readonly subcode: number;
}

export interface AttributeDecoder {
  readonly type: number;
  readonly name: string;
  /** Optional and Transitive as specified; other values are a conflict (RFC 7606 section 3 (c)). */
  readonly flags: number;
  /** What follows from such a conflict; treatAsWithdraw unless the attribute's specification says otherwise. */
  readonly onFlagsConflict?: 'attributeDiscard';
  /** Discarded from external peers without a look at it (RFC 7606 sections 7.5, 7.9, 7.10). */
  readonly internalOnly?: true;
  /** Reads the value, which fills the reader, into the draft. */
  decode(value: Reader, draft: AttributeDraft, context: DecodeContext): AttributeProblem | undefined;
}

/** Writes the attribute where the route has it. */
export type AttributeEncoder = (writer: Writer, attributes: PathAttributes, context: EncodeContext) => void;

export const WELL_KNOWN = AttributeFlag.transitive;
export const OPTIONAL_TRANSITIVE = AttributeFlag.optional | AttributeFlag.transitive;
export const OPTIONAL_NON_TRANSITIVE = AttributeFlag.optional;

export function withdraw(section: string, reason: string, subcode: number = UpdateSubcode.attributeLengthError): AttributeProblem {
  return { disposition: 'treatAsWithdraw', section, reason, subcode };
}

export function discard(section: string, reason: string, subcode: number = UpdateSubcode.optionalAttributeError): AttributeProblem {
  return { disposition: 'attributeDiscard', section, reason, subcode };
}

export function reset(section: string, reason: string, subcode: number = UpdateSubcode.optionalAttributeError): AttributeProblem {
  return { disposition: 'sessionReset', section, reason, subcode };
}

/** Writes flags, type and length of an attribute whose value of `length` octets follows, with Extended Length where it is needed. */
export function writeAttributeHeader(writer: Writer, flags: number, type: number, length: number): void {
  if (length > 255) writer.u8(flags | AttributeFlag.extendedLength).u8(type).u16(length);
  else writer.u8(flags & ~AttributeFlag.extendedLength).u8(type).u8(length);
}

/** Optional transitive, with Partial where the attribute came with it. */
export function transitiveFlags(type: number, attributes: PathAttributes): number {
  return OPTIONAL_TRANSITIVE | (attributes.partial.includes(type) ? AttributeFlag.partial : 0);
}
