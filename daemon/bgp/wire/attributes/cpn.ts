/** The CPN attribute (proto/WIRE.md section 2): one CPN block, optional transitive, of a configured type code. */
import { decodeCpnBlock, encodeCpnBlock, isCpnBlock } from '../../../computing/block.js';
import type { CpnBlock } from '../../../computing/types.js';
import { copyOf } from '../octets.js';
import { AttributeFlag, type CpnAttribute } from '../types.js';
import { type AttributeEncoder, type AttributeProblem, OPTIONAL_TRANSITIVE, withdraw, writeAttributeHeader } from './attribute.js';
import type { AttributeDraft } from './draft.js';

const SECTION = 'proto/WIRE.md section 2';

/**
 * Reads the attribute into the draft. What somebody else put under this type code is handled as an unknown attribute, whatever its
 * flags, since two experiments may have chosen the same code: never as ours, and never as an unrecognised well-known one, which would
 * end the session. Without Optional or Transitive it is not passed on with those flags: a stock router would reset on them.
 */
export function decodeCpn(flags: number, type: number, value: Uint8Array, draft: AttributeDraft): AttributeProblem | undefined {
  if (!isCpnBlock(value)) {
    draft.unknown.push({ flags: OPTIONAL_TRANSITIVE | AttributeFlag.partial, type, value: copyOf(value) });
    return undefined;
  }
  if ((flags & OPTIONAL_TRANSITIVE) !== OPTIONAL_TRANSITIVE) return withdraw(SECTION, `CPN attribute with flags 0x${flags.toString(16)}`);
  const own = copyOf(value);
  const decoded = decodeCpnBlock(own);
  if (decoded.kind === 'framingFault') return withdraw(SECTION, `CPN attribute: ${decoded.reason} at octet ${decoded.offset}`);
  if (decoded.kind === 'block') {
    draft.cpn = { flags: OPTIONAL_TRANSITIVE | (flags & AttributeFlag.partial), value: own, block: decoded.block, events: decoded.events };
  }
  return undefined;
}

/** The attribute of a block originated here. Throws RangeError as `encodeCpnBlock` does. */
export function cpnAttributeOf(block: CpnBlock): CpnAttribute {
  return { flags: OPTIONAL_TRANSITIVE, value: encodeCpnBlock(block), block, events: [] };
}

export const encodeCpn: AttributeEncoder = (writer, attributes, context) => {
  if (!attributes.cpn) return;
  writeAttributeHeader(writer, attributes.cpn.flags, context.cpnAttributeType, attributes.cpn.value.length);
  writer.octets(attributes.cpn.value);
};
