import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { toJson } from '../../../daemon/computing/json.js';
import { CHIP_NAMES, nameOf } from '../../../daemon/computing/names.js';

describe('JSON of computing values', () => {
  it('keeps 64-bit numbers exact, as strings', () => {
    assert.deepEqual(toJson({ total: 2n ** 64n - 1n, list: [9_007_199_254_740_993n] }), { total: '18446744073709551615', list: ['9007199254740993'] });
  });

  it('drops absent properties, shows octets as hexadecimal and no number as null', () => {
    assert.deepEqual(toJson({ absent: undefined, octets: Uint8Array.of(0, 255), nan: Number.NaN, none: null, yes: true }), {
      octets: '00ff',
      nan: null,
      none: null,
      yes: true,
    });
  });

  it('names a known code and shows an unknown one as its number', () => {
    assert.equal(nameOf(CHIP_NAMES, 2), 'gpu');
    assert.equal(nameOf(CHIP_NAMES, 77), '77');
  });
});
