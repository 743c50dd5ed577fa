import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { formatAsPath } from '../../../../daemon/bgp/attributes.js';
import { PolicyBook, type Verdict } from '../../../../daemon/bgp/policy/book.js';
import { formatCommunity, formatExtendedCommunity, formatLargeCommunity, parseCommunity, parseExtendedCommunity, parseLargeCommunity } from '../../../../daemon/bgp/policy/communities.js';
import type { PolicyRoute } from '../../../../daemon/bgp/policy/conditions.js';
import { compilePrefixList, parsePrefixRange, prefixRange } from '../../../../daemon/bgp/policy/prefix-list.js';
import { AsSegmentType, EMPTY_ATTRIBUTES, type PathAttributes } from '../../../../daemon/bgp/wire/types.js';
import { policiesOf } from './policies.js';

const sequence = (...as: number[]): PathAttributes['asPath'][number] => ({ type: AsSegmentType.sequence, as });
const attributes = (overrides: Partial<PathAttributes> = {}): PathAttributes => ({ ...EMPTY_ATTRIBUTES, localPref: 100, asPath: [sequence(65001, 65002)], ...overrides });

const route = (overrides: Partial<PolicyRoute> = {}): PolicyRoute => ({
  prefix: Prefix.from('2001:db8:a::/48'),
  nextHop: '2001:db8::1',
  source: { address: '2001:db8::1', kind: 'ebgp' },
  isService: false,
  nextHopCost: () => 30,
  ...overrides,
});

/** A policy `p` of one rule, given as the YAML of the rule. */
function judge(rule: string, of: Partial<PathAttributes> = {}, where: Partial<PolicyRoute> = {}, lists = ''): Verdict {
  const book = new PolicyBook(policiesOf(`${lists}  policies:\n    p: {rules: [${rule}]}\n`) as ConstructorParameters<typeof PolicyBook>[0]);
  return book.chain(['p'], 65000).evaluate(route(where), attributes(of));
}

const accepts = (match: string, of: Partial<PathAttributes> = {}, where: Partial<PolicyRoute> = {}, lists = ''): boolean => judge(`{match: ${match}}`, of, where, lists).accepted;

describe('A rule', () => {
  const lists = '  prefixLists: {ours: ["2001:db8::/32 ge 40 le 48"], none: ["deny 2001:db8:a::/48", "2001:db8::/32 le 128"]}\n  asPathLists: {transit: ["^65001_", "_7$"]}\n';
  const cases: readonly [match: string, expected: boolean, of?: Partial<PathAttributes>, where?: Partial<PolicyRoute>][] = [
    ['{}', true],
    ['{family: ipv6}', true],
    ['{family: ipv4}', false],
    ['{prefix: "2001:db8:a::/48"}', true],
    ['{prefix: "2001:db8::/32"}', false],
    ['{prefix: ["10.0.0.0/8 le 24", "2001:db8::/32 le 48"]}', true],
    ['{prefixList: ours}', true],
    ['{prefixList: ours}', false, {}, { prefix: Prefix.from('2001:db8::/32') }],
    ['{prefixList: none}', false],
    ['{prefixList: none}', true, {}, { prefix: Prefix.from('2001:db8:b::/48') }],
    ['{prefixList: [none, ours]}', true],
    ['{nextHop: "2001:db8::/64"}', true],
    ['{nextHop: "2001:db9::/64"}', false],
    ['{peer: "2001:db8::1"}', true],
    ['{peer: ["2001:db8::2"]}', false],
    ['{source: [ibgp, local]}', false],
    ['{source: ebgp}', true],
    ['{community: "65000:1"}', true, { communities: [0xfde80001, 7] }],
    ['{community: "65000:*"}', true, { communities: [7, 0xfde80009] }],
    ['{community: "65000:1"}', false, { communities: [7] }],
    ['{extendedCommunity: "rt:65000:*"}', true, { extendedCommunities: [parseExtendedCommunity('rt:65000:5')!] }],
    ['{largeCommunity: "65000:1:*"}', true, { largeCommunities: [{ global: 65000, local1: 1, local2: 9 }] }],
    ['{asPath: "^65001_"}', true],
    ['{asPath: "_65001$"}', false],
    ['{asPathList: transit}', true],
    ['{asPathList: transit}', false, { asPath: [sequence(65002)] }],
    ['{originAs: 65002}', true],
    ['{originAs: 65001}', false],
    ['{originAs: 8}', true, { asPath: [sequence(1), { type: AsSegmentType.set, as: [7, 8] }] }],
    ['{passesAs: [9, 65001]}', true],
    ['{passesAs: 9}', false],
    ['{neighborAs: 65001}', true],
    ['{neighborAs: 65002}', false],
    ['{asPathLength: 2}', true],
    ['{asPathLength: {max: 1}}', false],
    ['{med: {min: 5}}', false],
    ['{med: {min: 5}}', true, { med: 5 }],
    ['{localPreference: 100}', true],
    ['{origin: [egp, incomplete]}', true, { origin: 2 }],
    ['{origin: egp}', false],
    ['{service: true}', true, {}, { isService: true }],
    ['{service: true}', false],
    ['{cpn: {present: false}}', true],
    ['{cpn: {}}', false],
    ['{family: ipv6, med: 1}', false],
    ['{not: {prefixList: ours}}', false],
    ['{not: {prefixList: ours, med: 7}}', true],
  ];
  for (const [match, expected, of, where] of cases) {
    test(`with ${match} ${expected ? 'takes' : 'leaves'} ${JSON.stringify({ ...of, ...(where?.prefix ? { prefix: where.prefix.toString() } : {}) }, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))}`, () => {
      assert.equal(accepts(match, of, where, lists), expected);
    });
  }

  test('looks into the CPN attribute', () => {
    const block = {
      service: undefined,
      origin: { exit: 'fc00:0:11::1', sequence: 1n, originatedAt: 1n, validity: 0 },
      instances: [{ computing: [{ class: 2, chip: 2, total: 1n, residual: 1n }] }],
    } as unknown as NonNullable<PathAttributes['cpn']>['block'];
    const cpn = { flags: 0xc0, value: new Uint8Array(0), block, events: [] };
    const service = { prefix: Prefix.from('2001:db8:5e::1/128'), isService: true };
    for (const [match, expected] of [
      ['{cpn: {}}', true],
      ['{cpn: {present: false}}', false],
      ['{cpn: {exit: "fc00:0:11::/48"}}', true],
      ['{cpn: {exit: "fc00:0:12::/48"}}', false],
      ['{cpn: {class: [neural, parallel]}}', true],
      ['{cpn: {class: logical}}', false],
      ['{cpn: {service: "2001:db8:5e::/48", class: parallel}}', true],
      ['{cpn: {service: "2001:db8:5f::/48"}}', false],
    ] as const) {
      assert.equal(accepts(match, { cpn }, service), expected, match);
    }
  });
});

describe('What a rule sets', () => {
  const set = (settings: string, of: Partial<PathAttributes> = {}): Verdict => judge(`{set: ${settings}}`, of);
  test('is LOCAL_PREF, by value or by difference, within 32 bits', () => {
    assert.equal(set('{localPreference: 200}').attributes.localPref, 200);
    assert.equal(set('{localPreference: {add: 50}}').attributes.localPref, 150);
    assert.equal(set('{localPreference: {add: -500}}').attributes.localPref, 0);
    assert.equal(set('{localPreference: {add: 4294967295}}').attributes.localPref, 4294967295);
  });
  test('is MED, by value, difference, cost of the next hop, or none', () => {
    assert.equal(set('{med: 7}').attributes.med, 7);
    assert.equal(set('{med: {add: 3}}', { med: 4 }).attributes.med, 7);
    assert.equal(set('{med: igp}').attributes.med, 30);
    assert.equal(set('{med: none}', { med: 4 }).attributes.med, undefined);
  });
  test('is the AS path in front, with the AS that was named or the own one', () => {
    assert.equal(formatAsPath(set('{prepend: {count: 2}}').attributes.asPath), '65000 65000 65001 65002');
    assert.equal(formatAsPath(set('{prepend: {as: 7}}').attributes.asPath), '7 65001 65002');
  });
  test('is communities of each kind: replaced, removed, added, none twice', () => {
    const old = {
      communities: ['65000:1', '65000:2', '65001:1'].map((text) => parseCommunity(text)!),
      extendedCommunities: [parseExtendedCommunity('rt:1:1')!],
      largeCommunities: [parseLargeCommunity('1:2:3')!],
    };
    assert.deepEqual(set('{community: {remove: "65000:*", add: ["65001:1", "65009:9"]}}', old).attributes.communities.map(formatCommunity), ['65001:1', '65009:9']);
    assert.deepEqual(set('{community: {replace: []}}', old).attributes.communities, []);
    assert.deepEqual(set('{extendedCommunity: {add: "soo:2:2"}}', old).attributes.extendedCommunities.map(formatExtendedCommunity), ['rt:1:1', 'soo:2:2']);
    assert.deepEqual(set('{largeCommunity: {replace: ["9:9:9"], add: ["9:9:9", "1:1:1"]}}', old).attributes.largeCommunities.map(formatLargeCommunity), ['9:9:9', '1:1:1']);
  });
  test('is ORIGIN and the next hop', () => {
    assert.equal(set('{origin: incomplete}').attributes.origin, 2);
    assert.equal(set('{nextHop: self}').nextHop, 'self');
    assert.equal(set('{nextHop: "2001:db8:0::9"}').nextHop, '2001:db8::9');
  });
  test('is made once for routes that share attributes, so that they are packed together', () => {
    const book = new PolicyBook(policiesOf('  policies:\n    p: {rules: [{set: {localPreference: 7, med: igp}}]}\n') as ConstructorParameters<typeof PolicyBook>[0]);
    const [chain, again] = [book.chain(['p'], 65000), book.chain(['p'], 65000)];
    const shared = attributes();
    const first = chain.evaluate(route(), shared).attributes;
    assert.equal(chain.evaluate(route({ prefix: Prefix.from('2001:db8:b::/48') }), shared).attributes, first);
    assert.equal(again.evaluate(route(), shared).attributes, first);
    assert.notEqual(chain.evaluate(route({ nextHopCost: () => 31 }), shared).attributes, first);
  });
});

describe('Rules in order', () => {
  const book = new PolicyBook(
    policiesOf(`
  policies:
    tag:
      default: continue
      rules:
        - {name: mark, match: {neighborAs: 65001}, set: {community: {add: "65000:1"}}, action: continue}
    choose:
      rules:
        - {match: {community: "65000:1", med: 9}, action: reject}
        - {name: marked, match: {community: "65000:1"}, set: {localPreference: 300}}
`) as ConstructorParameters<typeof PolicyBook>[0],
  );
  const chain = book.chain(['tag', 'choose'], 65000);

  test('see what those before them have set', () => {
    const verdict = chain.evaluate(route(), attributes());
    assert.deepEqual([verdict.accepted, verdict.by, verdict.attributes.localPref], [true, 'choose rule 2 (marked)', 300]);
  });
  test('end with the first that accepts or rejects, and a route that none decides is rejected', () => {
    assert.deepEqual([chain.evaluate(route(), attributes({ med: 9 }))].map(({ accepted, by }) => [accepted, by]), [[false, 'choose rule 1']]);
    assert.deepEqual([chain.evaluate(route(), attributes({ asPath: [sequence(7)] }))].map(({ accepted, by }) => [accepted, by]), [[false, 'choose default']]);
    assert.deepEqual([book.chain(['tag'], 1).evaluate(route(), attributes())].map(({ accepted, by }) => [accepted, by]), [[false, 'no policy decided']]);
  });
  test('are counted, but not by a trace, which tells each step', () => {
    const before = book.views('choose')![0]!.rules.map(({ hits }) => hits);
    const { steps, accepted } = chain.trace(route(), attributes());
    assert.ok(accepted);
    assert.deepEqual(
      steps.map(({ policy, rule, matched, unmet }) => [policy, rule, matched, unmet]),
      [['tag', 1, true, undefined], ['tag', 0, true, undefined], ['choose', 1, false, 'med'], ['choose', 2, true, undefined]],
    );
    assert.deepEqual(book.views('choose')![0]!.rules.map(({ hits }) => hits), before);
    chain.evaluate(route(), attributes());
    assert.deepEqual(book.views('choose')![0]!.rules.map(({ hits }) => hits), [before[0], before[1]! + 1]);
    assert.equal(book.views('nobody'), undefined);
  });
  test('are shown as the file has them', () => {
    const [tag] = book.views('tag')!;
    assert.deepEqual(tag?.rules.map(({ name, match, set, action }) => [name, match, set, action]), [['mark', 'neighborAs 65001', 'community (add 65000:1)', 'continue']]);
  });

  test('give what a plain reading of them gives', () => {
    const rule = fc.record({ community: fc.constantFrom(undefined, 1, 2), adds: fc.constantFrom(undefined, 1, 2), preference: fc.constantFrom(undefined, 5), action: fc.constantFrom('accept', 'reject', 'continue') });
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 6 }), fc.constantFrom('accept', 'reject', 'continue'), fc.uniqueArray(fc.constantFrom(1, 2)), (rules, last, held) => {
        const text = rules.map(({ community, adds, preference, action }) => {
          const match = community === undefined ? '{}' : `{community: "0:${community}"}`;
          const settings = [...(adds === undefined ? [] : [`community: {add: "0:${adds}"}`]), ...(preference === undefined ? [] : [`localPreference: {add: ${preference}}`])];
          return `{match: ${match}, set: {${settings.join(', ')}}, action: ${action}}`;
        });
        const book2 = new PolicyBook(policiesOf(`  policies:\n    p: {default: ${last}, rules: [${text.join(', ')}]}\n`) as ConstructorParameters<typeof PolicyBook>[0]);
        const verdict = book2.chain(['p'], 65000).evaluate(route(), attributes({ communities: held }));
        const model = new Set(held);
        let preference = 100;
        let decided: string | undefined;
        for (const item of rules) {
          if (item.community !== undefined && !model.has(item.community)) continue;
          if (item.action !== 'reject') {
            if (item.adds !== undefined) model.add(item.adds);
            preference += item.preference ?? 0;
          }
          if (item.action !== 'continue') {
            decided = item.action;
            break;
          }
        }
        assert.equal(verdict.accepted, (decided ?? last) === 'accept');
        if (!verdict.accepted) return;
        assert.deepEqual([[...verdict.attributes.communities].sort(), verdict.attributes.localPref], [[...model].sort(), preference]);
      }),
      { numRuns: 200 },
    );
  });
});

describe('A prefix list', () => {
  test('reads what routers read', () => {
    const read = (text: string): unknown => {
      const parsed = parsePrefixRange(text);
      return parsed && prefixRange(parsed.prefix, parsed.ge, parsed.le, parsed.permit);
    };
    assert.deepEqual(read('2001:db8::/32'), { prefix: '2001:db8::/32', ge: 32, le: 32, permit: true });
    assert.deepEqual(read('2001:db8::/32 ge 48'), { prefix: '2001:db8::/32', ge: 48, le: 128, permit: true });
    assert.deepEqual(read('deny 10.0.0.0/8  ge 16 le 24'), { prefix: '10.0.0.0/8', ge: 16, le: 24, permit: false });
    for (const text of ['', '10.0.0.0', '10.0.0.0/8 le 7', '10.0.0.0/8 ge 25 le 24', '10.0.0.0/8 le 33', '10.0.0.0/8 gt 9', '::/0 le 129']) assert.equal(read(text), undefined, text);
  });

  test('holds exactly the prefixes inside of the lengths given', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 32 }), fc.integer({ min: 0, max: 32 }), fc.integer({ min: 0, max: 32 }), fc.integer({ min: 0, max: 32 }), fc.integer(), fc.boolean(), (length, ge, le, other, bits, inside) => {
        const base = Prefix.of(Uint8Array.of(10, 1, 2, 3), length);
        const range = prefixRange(base.toString(), ge, le, true);
        assert.equal(range !== undefined, ge >= length && le >= ge);
        if (!range) return;
        const address = inside ? Uint8Array.of(10, 1, 2, 3) : Uint8Array.of(bits >>> 24, bits >>> 16, bits >>> 8, bits);
        const candidate = Prefix.of(address, other);
        assert.equal(compilePrefixList([range])(candidate), base.contains(candidate) && other >= ge && other <= le);
      }),
    );
  });
});
