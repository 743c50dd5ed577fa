import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { prefixSidOf } from '../../../../daemon/bgp/wire/attributes/prefix-sid.js';
import { hex } from '../../../vectors/load.js';
import { sid as anySid } from '../../computing/arbitraries.js';
import { AS_PATH, attribute, decodedUpdate, NEXT_HOP, NLRI, ORIGIN, update } from './support/messages.js';

const SID = 'fcbb bb00 0001 00d6 0000 0000 0000 0000';
const INFO = { sid: 'fcbb:bb00:1:d6::', behaviour: 0x10, structure: { block: 32, node: 16, function: 16, argument: 0 } };

const read = (value: string) => decodedUpdate(update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP, attribute(0xc0, 40, value)], nlri: NLRI })).attributes?.prefixSid;

describe('Prefix-SID with an SRv6 SID (RFC 9252)', () => {
  it('is one L3 Service TLV with one SID Information and one SID Structure', () => {
    const expected = hex(`
      05 0022 00        # SRv6 L3 Service TLV, 34 octets, reserved
      01 001e 00        # SRv6 SID Information, 30 octets, reserved
      ${SID}
      00 0010 00        # flags, End.DX6, reserved
      01 0006           # SID Structure
      20 10 10 00 00 00 # LBL, LNL, FunL, ArgL, nothing transposed`);
    assert.deepEqual(prefixSidOf(INFO), { value: expected, sid: INFO, transposition: undefined });
  });

  it('gives back any SID', () => {
    fc.assert(fc.property(anySid, (info) => assert.deepEqual(read(Buffer.from(prefixSidOf(info).value).toString('hex'))?.sid, info)));
  });

  it('finds the first SID behind other TLVs, and takes a missing structure for zeros', () => {
    const value = `01 0007 00 0000 00000001  05 0021 00  07 0001 aa  01 0015 00 ${SID} 00 0010 00  99 0001 bb`;
    assert.deepEqual(read(value)?.sid, { ...INFO, structure: { block: 0, node: 0, function: 0, argument: 0 } });
  });

  it('finds none in an L2 Service TLV, and passes it on', () => {
    const value = `06 0019 00 01 0015 00 ${SID} 00 0010 00`;
    assert.equal(read(value)?.sid, undefined);
    assert.deepEqual(read(value)?.value, hex(value));
  });

  it('refuses a SID that is no IPv6 address', () => {
    assert.throws(() => prefixSidOf({ ...INFO, sid: '192.0.2.1' }), RangeError);
  });
});
