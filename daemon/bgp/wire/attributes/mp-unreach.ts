/** MP_UNREACH_NLRI (RFC 4760 section 4): withdrawn prefixes of a family; empty, it is that family's End-of-RIB (RFC 4724 section 2). */
import type { Writer } from '../../../../dataplane/packet/cursor.js';
import { familyOf } from '../families.js';
import { nlriSize, readNlri, writeNlri } from '../nlri.js';
import { type AfiSafi, AttributeType, type Nlri } from '../types.js';
import { type AttributeDecoder, discard, OPTIONAL_NON_TRANSITIVE, reset, writeAttributeHeader } from './attribute.js';

/** AFI and SAFI. */
const FIXED_LENGTH = 3;
/** What stands for the label of a withdrawn prefix (RFC 8277 section 2.4); any is accepted. */
const WITHDRAWN_LABEL = 0x800000;

/** Octets of the attribute with the longer form of its header, without its NLRI. */
export const MP_UNREACH_OVERHEAD = 4 + FIXED_LENGTH;

export const mpUnreach: AttributeDecoder = {
  type: AttributeType.mpUnreach,
  name: 'MP_UNREACH_NLRI',
  flags: OPTIONAL_NON_TRANSITIVE,
  decode(value, draft, context) {
    const family: AfiSafi = { afi: value.u16(), safi: value.u8() };
    if (!value.ok) return reset('RFC 7606 section 7.12', 'MP_UNREACH_NLRI of less than 3 octets');
    const empty = value.remaining === 0;
    const name = familyOf(family);
    if (name === undefined) {
      draft.mpUnreach = { family, nlri: [], empty };
      return empty ? undefined : discard('RFC 4760 section 7', `MP_UNREACH_NLRI of AFI ${family.afi}, SAFI ${family.safi}, which is not spoken here`);
    }
    const nlri = readNlri(value, name, context.addPath(family.afi, family.safi));
    if (!nlri) return reset('RFC 7606 section 5.3', 'MP_UNREACH_NLRI with incorrect NLRI');
    draft.mpUnreach = { family, nlri, empty };
    return undefined;
  },
};

export function encodeMpUnreach(writer: Writer, family: AfiSafi, nlri: readonly Nlri[], addPath: boolean): void {
  const length = FIXED_LENGTH + nlri.reduce((sum, item) => sum + nlriSize(item, addPath), 0);
  writeAttributeHeader(writer, OPTIONAL_NON_TRANSITIVE, AttributeType.mpUnreach, length);
  writer.u16(family.afi).u8(family.safi);
  for (const item of nlri) writeNlri(writer, item, addPath, WITHDRAWN_LABEL);
}
