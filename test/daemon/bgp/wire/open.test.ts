import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeMessage } from '../../../../daemon/bgp/wire/decode.js';
import { encodeOpen } from '../../../../daemon/bgp/wire/open.js';
import { type Capability, IPV4_UNICAST, IPV6_UNICAST } from '../../../../daemon/bgp/wire/types.js';
import { hex } from '../../../vectors/load.js';
import { decoded, faultOf, IBGP, message } from './support/messages.js';

/** Version 4, AS 65000, hold time 90, identifier 192.0.2.1, no parameters. */
const SOUND = '04 fde8 005a c0000201 00';
const open = (body: string): Uint8Array => message(1, body);

function capabilitiesOf(parameters: string): readonly Capability[] {
  const length = hex(parameters).length.toString(16).padStart(2, '0');
  const value = decoded(open(`04 fde8 005a c0000201 ${length} ${parameters}`));
  assert.equal(value.type, 'open');
  return value.capabilities;
}

const ALL: Capability[] = [
  { kind: 'multiprotocol', family: IPV6_UNICAST },
  { kind: 'multiprotocol', family: IPV4_UNICAST },
  { kind: 'routeRefresh' },
  { kind: 'enhancedRouteRefresh' },
  { kind: 'extendedNextHop', entries: [{ ...IPV4_UNICAST, nextHopAfi: 2 }] },
  { kind: 'extendedMessage' },
  { kind: 'gracefulRestart', restarting: true, notification: false, timeSeconds: 120, families: [{ ...IPV6_UNICAST, forwardingPreserved: true }] },
  { kind: 'fourOctetAs', as: 4_200_000_001 },
  { kind: 'addPath', families: [{ ...IPV6_UNICAST, receive: true, send: true }] },
  { kind: 'unknown', code: 73, value: hex('027231 00') },
];

describe('OPEN', () => {
  it('reads the fixed fields', () => {
    assert.deepEqual(decoded(open(SOUND)), { type: 'open', as: 65000, myAutonomousSystem: 65000, holdTime: 90, identifier: '192.0.2.1', capabilities: [] });
  });

  const faults: [string, string, number, string][] = [
    ['version 3', '03 fde8 005a c0000201 00', 1, '0004'],
    ['AS 0', '04 0000 005a c0000201 00', 2, ''],
    ['AS 0 in the capability', '04 5ba0 005a c0000201 08 0206 4104 00000000', 2, ''],
    ['identifier 0.0.0.0', '04 fde8 005a 00000000 00', 3, ''],
    ['an optional parameter that is not capabilities', '04 fde8 005a c0000201 03 0101 00', 4, ''],
    ['hold time 1', '04 fde8 0001 c0000201 00', 6, ''],
    ['hold time 2', '04 fde8 0002 c0000201 00', 6, ''],
    ['parameters shorter than their length', '04 fde8 005a c0000201 04 0201 00', 0, ''],
    ['parameters longer than their length', '04 fde8 005a c0000201 02 0201 00', 0, ''],
    ['a parameter past the end', '04 fde8 005a c0000201 03 0208 00', 0, ''],
    ['a capability past the end of its parameter', '04 fde8 005a c0000201 04 0202 4104', 0, ''],
    ['a capability without length', '04 fde8 005a c0000201 03 0201 41', 0, ''],
    ['extended parameters cut short', '04 fde8 005a c0000201 ff ff 0004 02 0002 41', 0, ''],
  ];
  for (const [what, body, subcode, data] of faults) {
    it(`refuses ${what} with 2/${subcode}`, () => {
      const { notification } = faultOf(open(body));
      assert.deepEqual(notification, { code: 2, subcode, data: hex(data) });
    });
  }

  it('accepts hold times 0 and 3', () => {
    for (const holdTime of ['0000', '0003']) assert.equal(decoded(open(`04 fde8 ${holdTime} c0000201 00`)).type, 'open');
  });

  it('takes the AS number of the 4-octet capability', () => {
    const value = decoded(open('04 5ba0 005a c0000201 08 0206 4104 fa56ea01'));
    assert.deepEqual(value.type === 'open' && [value.as, value.myAutonomousSystem], [4_200_000_001, 23456]);
  });

  it('reads capabilities in one parameter or in several', () => {
    const expected = [{ kind: 'routeRefresh' }, { kind: 'enhancedRouteRefresh' }];
    assert.deepEqual(capabilitiesOf('0204 0200 4600'), expected);
    assert.deepEqual(capabilitiesOf('0202 0200 0202 4600'), expected);
  });

  it('keeps a capability of an impossible length as unknown', () => {
    for (const text of ['0104 000201', '4103 000001', '0201 00', '0601 00', '4501 00', '4001 00', '0505 0001000200', '4601 00']) {
      const [code, ...value] = hex(text.replace(/^(..)../, '$1'));
      const octets = hex(text);
      octets[1] = octets.length - 2;
      const parameter = Buffer.from(octets).toString('hex');
      assert.deepEqual(capabilitiesOf(`02${octets.length.toString(16).padStart(2, '0')} ${parameter}`), [
        { kind: 'unknown', code, value: Uint8Array.from(value) },
      ]);
    }
  });

  it('ignores an ADD-PATH family with an impossible mode (RFC 7911 section 4)', () => {
    assert.deepEqual(capabilitiesOf('020a 4508 00020104 00010101'), [{ kind: 'addPath', families: [{ ...IPV4_UNICAST, receive: true, send: false }] }]);
  });

  it('reads extended optional parameters, whatever length stands before them but 0 (RFC 9072 section 2)', () => {
    for (const length of ['ff', '01', '08']) {
      const value = decoded(open(`04 fde8 005a c0000201 ${length} ff 0005 02 0002 0200`));
      assert.deepEqual(value.type === 'open' && value.capabilities, [{ kind: 'routeRefresh' }]);
    }
  });

  it('decodes what it encodes', () => {
    const octets = encodeOpen({ as: 4_200_000_001, holdTime: 90, identifier: '192.0.2.1', capabilities: ALL });
    assert.deepEqual(decoded(octets), { type: 'open', as: 4_200_000_001, myAutonomousSystem: 23456, holdTime: 90, identifier: '192.0.2.1', capabilities: ALL });
  });

  it('uses extended parameters only when the capabilities need them', () => {
    const filler = (length: number): Capability => ({ kind: 'unknown', code: 200, value: new Uint8Array(length) });
    const encode = (...capabilities: Capability[]): Uint8Array => encodeOpen({ as: 65000, holdTime: 90, identifier: '192.0.2.1', capabilities });
    assert.equal(encode(filler(250))[28], 254);
    for (const list of [[filler(251)], [filler(255)], [filler(120), filler(130)], ALL.concat(filler(200))]) {
      const octets = encode(...list);
      assert.deepEqual([octets[28], octets[29]], [255, 255]);
      const value = decoded(octets);
      assert.deepEqual(value.type === 'open' && value.capabilities, list);
    }
  });

  it('refuses to encode what no OPEN can carry', () => {
    const base = { as: 65000, holdTime: 90, identifier: '192.0.2.1', capabilities: [] };
    assert.throws(() => encodeOpen({ ...base, identifier: '2001:db8::1' }), RangeError);
    assert.throws(() => encodeOpen({ ...base, capabilities: [{ kind: 'unknown', code: 1, value: new Uint8Array(256) }] }), RangeError);
    const many: Capability[] = Array.from({ length: 20 }, () => ({ kind: 'unknown', code: 1, value: new Uint8Array(255) }));
    assert.throws(() => encodeOpen({ ...base, capabilities: many }), RangeError);
  });

  it('never throws on truncation at any length or octets changed anywhere', () => {
    const body = encodeOpen({ as: 65000, holdTime: 90, identifier: '192.0.2.1', capabilities: ALL }).subarray(19);
    const wire = (octets: Uint8Array): Uint8Array => message(1, Buffer.from(octets).toString('hex'));
    for (let length = 0; length < body.length; length++) assert.equal(decodeMessage(wire(body.subarray(0, length)), IBGP).ok, false, `${length} octets`);
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(body.length - 1), fc.nat(255)), { maxLength: 6 }), (changes) => {
        const changed = body.slice();
        for (const [at, value] of changes) changed[at] = value;
        decodeMessage(wire(changed), IBGP);
      }),
    );
  });
});
