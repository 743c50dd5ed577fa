/**
 * RFC 7606 as a table: every attribute with every fault there is for it, and the disposition that follows. The rows are data; the loops
 * below put each fault into an UPDATE with otherwise sound attributes and compare what the decoder makes of it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeMessage } from '../../../../daemon/bgp/wire/decode.js';
import type { DecodeContext } from '../../../../daemon/bgp/wire/types.js';
import { AS_PATH, attribute, EBGP, IBGP, MP_NEXT_HOP, NEXT_HOP, NLRI, OLD, ORIGIN, update } from '../wire/support/messages.js';

type Disposition = 'accept' | 'attributeDiscard' | 'treatAsWithdraw' | 'sessionReset';

interface Row {
  readonly name: string;
  readonly type: number;
  /** Optional and Transitive as specified. */
  readonly flags: number;
  readonly context?: DecodeContext;
  /** Values that are sound. */
  readonly sound: readonly string[];
  /** What follows from other flags than those specified (section 3 (c)). */
  readonly onFlags: Disposition;
  /** Which lengths can be right, of 0 to 40 octets; undefined where no length is wrong by itself. */
  readonly lengths?: (length: number) => boolean;
  /** What follows from a length that cannot be right, and the section that says so. */
  readonly onLength?: readonly [Disposition, section: string];
  /** Values of a possible length with a fault in them. */
  readonly faults?: readonly (readonly [what: string, value: string, Disposition, section: string])[];
  /** What follows from a second one (section 3 (g)). */
  readonly onRepetition?: Disposition;
}

const is =
  (...lengths: number[]) =>
  (length: number): boolean =>
    lengths.includes(length);
const multipleOf =
  (size: number) =>
  (length: number): boolean =>
    length > 0 && length % size === 0;

const as = (...numbers: number[]): string => numbers.map((number) => number.toString(16).padStart(8, '0')).join('');
const reach = (nextHop: string, nlri: string, head = '000201'): string => `${head}${(nextHop.length / 2).toString(16).padStart(2, '0')}${nextHop}00${nlri}`;
const HOST = '8020010db8cafe00000000000000000001';
const LINK_LOCAL = `fe80${'0'.repeat(27)}1`;

const rows: readonly Row[] = [
  {
    name: 'ORIGIN',
    type: 1,
    flags: 0x40,
    sound: ['00', '01', '02'],
    onFlags: 'treatAsWithdraw',
    lengths: is(1),
    onLength: ['treatAsWithdraw', '7606 section 7.1'],
    faults: [['value 3', '03', 'treatAsWithdraw', '7606 section 7.1'], ['value 255', 'ff', 'treatAsWithdraw', '7606 section 7.1']],
  },
  {
    name: 'AS_PATH',
    type: 2,
    flags: 0x40,
    sound: [`0201${as(65000)}`, `0102${as(1, 2)}0201${as(3)}`, ''],
    onFlags: 'treatAsWithdraw',
    faults: [
      ['one octet', '02', 'treatAsWithdraw', '7606 section 7.2'],
      ['segment type 0', `0001${as(1)}`, 'treatAsWithdraw', '7606 section 7.2'],
      ['segment type 5', `0501${as(1)}`, 'treatAsWithdraw', '7606 section 7.2'],
      ['a segment without AS numbers', '0200', 'treatAsWithdraw', '7606 section 7.2'],
      ['a segment that overruns', `0203${as(1, 2)}`, 'treatAsWithdraw', '7606 section 7.2'],
      ['a segment that underruns', `0201${as(1)}02`, 'treatAsWithdraw', '7606 section 7.2'],
      ['AS number 0', `0201${as(0)}`, 'treatAsWithdraw', '7606 section 7.2'],
    ],
  },
  {
    name: 'AS_PATH of an external peer',
    type: 2,
    flags: 0x40,
    context: EBGP,
    sound: [`0201${as(65000)}`],
    onFlags: 'treatAsWithdraw',
    faults: [
      ['AS_CONFED_SEQUENCE', `0301${as(1)}`, 'treatAsWithdraw', '5065 section 5'],
      ['AS_CONFED_SET', `0401${as(1)}`, 'treatAsWithdraw', '5065 section 5'],
    ],
  },
  {
    name: 'NEXT_HOP',
    type: 3,
    flags: 0x40,
    sound: ['c0000201'],
    onFlags: 'treatAsWithdraw',
    lengths: is(4),
    onLength: ['treatAsWithdraw', '7606 section 7.3'],
    faults: [
      ['0.0.0.0', '00000000', 'treatAsWithdraw', '4271 section 6.3'],
      ['a multicast address', 'e0000001', 'treatAsWithdraw', '4271 section 6.3'],
      ['255.255.255.255', 'ffffffff', 'treatAsWithdraw', '4271 section 6.3'],
    ],
  },
  { name: 'MULTI_EXIT_DISC', type: 4, flags: 0x80, sound: ['00000000', 'ffffffff'], onFlags: 'treatAsWithdraw', lengths: is(4), onLength: ['treatAsWithdraw', '7606 section 7.4'] },
  { name: 'LOCAL_PREF of an internal peer', type: 5, flags: 0x40, sound: ['00000064'], onFlags: 'treatAsWithdraw', lengths: is(4), onLength: ['treatAsWithdraw', '7606 section 7.5'] },
  { name: 'ATOMIC_AGGREGATE', type: 6, flags: 0x40, sound: [''], onFlags: 'treatAsWithdraw', lengths: is(0), onLength: ['attributeDiscard', '7606 section 7.6'] },
  {
    name: 'AGGREGATOR with 4-octet AS numbers',
    type: 7,
    flags: 0xc0,
    sound: [`${as(65000)}c0000201`],
    onFlags: 'treatAsWithdraw',
    lengths: is(8),
    onLength: ['attributeDiscard', '7606 section 7.7'],
    faults: [['AS number 0', `${as(0)}c0000201`, 'attributeDiscard', '7607 section 2']],
  },
  {
    name: 'AGGREGATOR with 2-octet AS numbers',
    type: 7,
    flags: 0xc0,
    context: OLD,
    sound: ['fde8c0000201'],
    onFlags: 'treatAsWithdraw',
    lengths: is(6),
    onLength: ['attributeDiscard', '7606 section 7.7'],
    faults: [['AS number 0', '0000c0000201', 'attributeDiscard', '7607 section 2']],
  },
  { name: 'COMMUNITIES', type: 8, flags: 0xc0, sound: ['fde80001', 'fde80001ffffff01'], onFlags: 'treatAsWithdraw', lengths: multipleOf(4), onLength: ['treatAsWithdraw', '7606 section 7.8'] },
  { name: 'ORIGINATOR_ID of an internal peer', type: 9, flags: 0x80, sound: ['c0000201'], onFlags: 'treatAsWithdraw', lengths: is(4), onLength: ['treatAsWithdraw', '7606 section 7.9'] },
  { name: 'CLUSTER_LIST of an internal peer', type: 10, flags: 0x80, sound: ['c0000201', 'c0000201c0000202'], onFlags: 'treatAsWithdraw', lengths: multipleOf(4), onLength: ['treatAsWithdraw', '7606 section 7.10'] },
  {
    name: 'MP_REACH_NLRI',
    type: 14,
    flags: 0x80,
    sound: [reach(MP_NEXT_HOP, HOST), reach(MP_NEXT_HOP + LINK_LOCAL, HOST), reach(MP_NEXT_HOP, '00'), reach(MP_NEXT_HOP, '')],
    onFlags: 'treatAsWithdraw',
    faults: [
      ['nothing in it', '', 'sessionReset', '7606 section 7.11'],
      ['no next hop length', '000201', 'sessionReset', '7606 section 7.11'],
      ['a next hop that overruns', '00020110 2001', 'sessionReset', '7606 section 7.11'],
      ['no reserved octet', `00020110${MP_NEXT_HOP}`, 'sessionReset', '7606 section 7.11'],
      ...[0, 1, 4, 15, 17, 31, 33].map((length) => [`a next hop of ${length} octets`, reach('20'.repeat(length), HOST), 'sessionReset', '7606 section 7.11'] as const),
      ['next hop ::', reach('0'.repeat(32), HOST), 'treatAsWithdraw', '4271 section 6.3'],
      ['a multicast next hop', reach(`ff02${'0'.repeat(27)}1`, HOST), 'treatAsWithdraw', '4271 section 6.3'],
      ['a prefix length of 129', reach(MP_NEXT_HOP, `81${'20'.repeat(17)}`), 'sessionReset', '7606 section 5.3'],
      ['a prefix cut short', reach(MP_NEXT_HOP, '3020010db8'), 'sessionReset', '7606 section 5.3'],
      ['a family that is not spoken', reach('c0000201', '', '001946'), 'attributeDiscard', '4760 section 7'],
    ],
    onRepetition: 'sessionReset',
  },
  {
    name: 'MP_UNREACH_NLRI',
    type: 15,
    flags: 0x80,
    sound: ['0002013020010db8bbbb', '00020100', '000201'],
    onFlags: 'treatAsWithdraw',
    lengths: (length) => length >= 3,
    onLength: ['sessionReset', '7606 section 7.12'],
    faults: [
      ['a prefix length of 129', `00020181${'20'.repeat(17)}`, 'sessionReset', '7606 section 5.3'],
      ['a prefix cut short', '0002013020010db8', 'sessionReset', '7606 section 5.3'],
      ['prefixes of a family that is not spoken', '00194600', 'attributeDiscard', '4760 section 7'],
    ],
    onRepetition: 'sessionReset',
  },
  { name: 'EXTENDED_COMMUNITIES', type: 16, flags: 0xc0, sound: ['0002fde800000001'], onFlags: 'treatAsWithdraw', lengths: multipleOf(8), onLength: ['treatAsWithdraw', '7606 section 7.14'] },
  {
    name: 'AS4_PATH of a 2-octet speaker',
    type: 17,
    flags: 0xc0,
    context: OLD,
    sound: [`0201${as(65000)}`],
    onFlags: 'attributeDiscard',
    faults: [
      ['nothing in it', '', 'attributeDiscard', '6793 section 6'],
      ['segment type 5', `0501${as(1)}`, 'attributeDiscard', '6793 section 6'],
      ['a segment without AS numbers', '0200', 'attributeDiscard', '6793 section 6'],
      ['a segment that overruns', `0202${as(1)}`, 'attributeDiscard', '6793 section 6'],
      ['a segment that underruns', `0201${as(1)}02`, 'attributeDiscard', '6793 section 6'],
      ['AS number 0', `0201${as(0)}`, 'attributeDiscard', '6793 section 6'],
    ],
  },
  { name: 'AS4_AGGREGATOR of a 2-octet speaker', type: 18, flags: 0xc0, context: OLD, sound: [`${as(65000)}c0000201`], onFlags: 'attributeDiscard', lengths: is(8), onLength: ['attributeDiscard', '6793 section 6'] },
  { name: 'LARGE_COMMUNITY', type: 32, flags: 0xc0, sound: ['00'.repeat(12), '00'.repeat(24)], onFlags: 'treatAsWithdraw', lengths: multipleOf(12), onLength: ['treatAsWithdraw', '8092 section 6'] },
  { name: 'OTC', type: 35, flags: 0xc0, sound: ['0000fde9'], onFlags: 'treatAsWithdraw', lengths: is(4), onLength: ['treatAsWithdraw', '9234 section 5'] },
];

/** An attribute that must not come from an external peer is discarded whatever is in it (sections 7.5, 7.9, 7.10). */
const internalOnly = [
  ['LOCAL_PREF', 5, 0x40],
  ['ORIGINATOR_ID', 9, 0x80],
  ['CLUSTER_LIST', 10, 0x80],
] as const;

/** Sound attributes without the one under test: an announcement of 198.51.100.0/24. */
const others = (type: number, context: DecodeContext): string[] =>
  [ORIGIN, context === OLD ? attribute(0x40, 2, '0201 fde8') : AS_PATH, NEXT_HOP].filter((octets) => Number.parseInt(octets.slice(2, 4), 16) !== type);

function outcome(type: number, context: DecodeContext, ...octets: string[]): { disposition: Disposition; section: string | undefined } {
  const result = decodeMessage(update({ attributes: [...others(type, context), ...octets], nlri: NLRI }), context);
  if (!result.ok) return { disposition: 'sessionReset', section: result.fault.section };
  assert.equal(result.message.type, 'update');
  const { disposition, faults, announced, withdrawn } = result.message;
  // What a disposition means for the routes of the message (section 2).
  const told = disposition === 'treatAsWithdraw' ? withdrawn : announced.flatMap(({ nlri }) => nlri);
  assert.ok(told.some(({ prefix }) => prefix.toString() === '198.51.100.0/24'), `${disposition} accounts for the announced prefix`);
  assert.equal(announced.length === 0, disposition === 'treatAsWithdraw');
  return { disposition, section: faults[0]?.section };
}

const inText = (section: string): string => `RFC ${section}`;

for (const { name, type, flags, context = IBGP, sound, onFlags, lengths, onLength, faults = [], onRepetition = 'attributeDiscard' } of rows) {
  const right = attribute(flags, type, sound[0]!);

  for (const value of sound) {
    test(`7606 section 3: ${name} with value ${value || 'of no octets'} is accepted, with Extended Length and reserved bits too`, () => {
      for (const extra of [0x00, 0x10, 0x0f, 0x1f]) assert.equal(outcome(type, context, attribute(flags | extra, type, value)).disposition, 'accept', `0x${extra.toString(16)}`);
    });
  }

  for (const wrong of [0x00, 0x40, 0x80, 0xc0].filter((bits) => bits !== flags)) {
    test(`7606 section 3 (c): ${name} with flags 0x${wrong.toString(16)}: ${onFlags}`, () => {
      assert.deepEqual(outcome(type, context, attribute(wrong, type, sound[0]!)), { disposition: onFlags, section: inText('7606 section 3 (c)') });
    });
  }

  if (lengths && onLength) {
    test(`${onLength[1]}: ${name} of every impossible length up to 40 octets: ${onLength[0]}`, () => {
      for (let length = 0; length <= 40; length++) {
        if (lengths(length)) continue;
        assert.deepEqual(outcome(type, context, attribute(flags, type, '00'.repeat(length))), { disposition: onLength[0], section: inText(onLength[1]) }, `${length} octets`);
      }
    });
  }

  for (const [what, value, disposition, section] of faults) {
    test(`${section}: ${name} with ${what}: ${disposition}`, () => {
      assert.deepEqual(outcome(type, context, attribute(flags, type, value.replaceAll(' ', ''))), { disposition, section: inText(section) });
    });
  }

  test(`7606 section 3 (g): ${name} twice: ${onRepetition}`, () => {
    assert.deepEqual(outcome(type, context, right, right), { disposition: onRepetition, section: inText('7606 section 3 (g)') });
  });

  test(`7606 section 4: ${name} last, with a length beyond the attribute list: treatAsWithdraw`, () => {
    for (const excess of [1, 200]) {
      const length = Math.min(255, sound[0]!.length / 2 + excess);
      const overrun = attribute(flags, type, sound[0]!).replace(/^(....)../, `$1${length.toString(16).padStart(2, '0')}`);
      assert.deepEqual(outcome(type, context, overrun), { disposition: 'treatAsWithdraw', section: inText('7606 section 4') });
    }
  });

  test(`7606 section 3: ${name} anywhere among the attributes reads the same`, () => {
    const before = others(type, context);
    for (let at = 0; at <= before.length; at++) {
      const attributes = [...before.slice(0, at), right, ...before.slice(at)];
      const result = decodeMessage(update({ attributes, nlri: NLRI }), context);
      assert.ok(result.ok && result.message.type === 'update' && result.message.disposition === 'accept', `${at} attributes before it`);
    }
  });
}

for (const [name, type, flags] of internalOnly) {
  test(`7606 section 7: ${name} of an external peer is discarded, whatever its flags and its length`, () => {
    for (const given of [flags, 0xc0, 0x00]) {
      for (let length = 0; length <= 8; length++) {
        assert.deepEqual(outcome(type, EBGP, attribute(given, type, '00'.repeat(length))), { disposition: 'attributeDiscard', section: inText('7606 section 7') });
      }
    }
  });
}

for (const [name, type] of [
  ['ORIGIN', 1],
  ['AS_PATH', 2],
  ['NEXT_HOP', 3],
] as const) {
  test(`7606 section 3 (d): ${name} missing: treatAsWithdraw`, () => {
    assert.deepEqual(outcome(type, IBGP), { disposition: 'treatAsWithdraw', section: inText('7606 section 3 (d)') });
  });
}

test('4271 section 6.3: an unrecognised attribute is dropped, passed on with Partial, or a session reset where it is well-known', () => {
  for (const [flags, disposition] of [[0x80, 'accept'], [0xc0, 'accept'], [0xe0, 'accept'], [0x40, 'sessionReset'], [0x00, 'sessionReset']] as const) {
    assert.equal(outcome(200, IBGP, attribute(flags, 200, '0102')).disposition, disposition, `0x${flags.toString(16)}`);
  }
});

test('7606 section 5.2: an UPDATE without reachable prefixes whose attributes cannot be trusted ends the session', () => {
  for (const { type, flags, context = IBGP, lengths, onLength } of rows) {
    if (!lengths || onLength?.[0] !== 'treatAsWithdraw') continue;
    const length = [0, 1, 2, 3, 4, 5].find((each) => !lengths(each))!;
    const result = decodeMessage(update({ withdrawn: '080a', attributes: [attribute(flags, type, '00'.repeat(length))] }), context);
    assert.ok(!result.ok && result.fault.section === 'RFC 7606 section 5.2', `attribute ${type}`);
    assert.equal(result.fault.notification.code, 3);
  }
});

for (const [field, build] of [
  ['withdrawn routes', (nlri: string) => update({ withdrawn: nlri })],
  ['NLRI', (nlri: string) => update({ attributes: [ORIGIN, AS_PATH, NEXT_HOP], nlri })],
] as const) {
  for (const [what, nlri] of [
    ['a prefix length of 33', '21c000020100'],
    ['a prefix length of 255', `ff${'00'.repeat(32)}`],
    ['a prefix cut short', '18c000'],
    ['a length alone', '18'],
  ] as const) {
    test(`7606 section 5.3: ${field} with ${what} end the session with Invalid Network Field`, () => {
      const result = decodeMessage(build(nlri), IBGP);
      assert.ok(!result.ok);
      assert.deepEqual([result.fault.notification.code, result.fault.notification.subcode, result.fault.section], [3, 10, 'RFC 7606 section 5.3']);
    });
  }
}
