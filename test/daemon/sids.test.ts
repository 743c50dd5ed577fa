import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeSid } from '../../daemon/sids.js';
import { Prefix } from '../../dataplane/packet/ip.js';

test('a SID is the locator with the function behind it, whatever the length of the function', () => {
  const sid = (locator: string, bits: number, code: number): string => makeSid(Prefix.from(locator), bits, code);
  assert.equal(sid('fcbb:bb00:1::/48', 16, 0xe001), 'fcbb:bb00:1:e001::');
  assert.equal(sid('fcbb:bb00:1::/48', 12, 0xe01), 'fcbb:bb00:1:e010::');
  assert.equal(sid('fcbb:bb00::/40', 16, 0x0100), 'fcbb:bb00:1::');
  // Functions of more than 32 bits: the code stands in the last of them.
  assert.equal(sid('fcbb:bb00:1::/48', 48, 0x0001), 'fcbb:bb00:1::1:0:0');
  assert.equal(sid('fcbb:bb00:1::/48', 80, 0xe001), 'fcbb:bb00:1::e001');
  assert.throws(() => sid('fcbb:bb00:1::/48', 12, 0x1000), RangeError);
});
