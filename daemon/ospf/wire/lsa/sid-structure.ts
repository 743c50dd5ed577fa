/** SRv6 SID Structure sub-TLV (RFC 9513 section 10), whose type depends on the registry of the LSA it is in. */
import type { Reader, Writer } from '../../../../dataplane/packet/cursor.js';
import { walkTlvs, writeTlv } from '../../../computing/tlv.js';
import type { SidStructure } from '../types.js';

const LENGTH = 4;

/** The structure among the sub-TLVs that fill the reader, if any; a reason when the parent must be ignored. */
export function readSidStructure({ bytes, offset, end }: Reader, type: number): { readonly structure: SidStructure | undefined } | string {
  let structure: SidStructure | undefined;
  const fault = walkTlvs(bytes, offset, end, (subType, start, to) => {
    if (subType !== type) return undefined;
    const [block, node, fun, argument] = bytes.subarray(start, to) as unknown as [number, number, number, number];
    if (to - start !== LENGTH || block + node + fun + argument > 128) return { reason: 'an impossible SID Structure', offset: start };
    if (structure) return { reason: 'two SID Structures', offset: start };
    structure = { block, node, function: fun, argument };
    return undefined;
  });
  return fault ? fault.reason : { structure };
}

export function writeSidStructure(writer: Writer, type: number, structure: SidStructure | undefined): void {
  if (structure) writeTlv(writer, type, (inner) => inner.u8(structure.block).u8(structure.node).u8(structure.function).u8(structure.argument));
}
