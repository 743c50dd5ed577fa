import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { diffConfig } from '../../../daemon/config/diff.js';
import { formatConfigErrors } from '../../../daemon/config/errors.js';
import { parseConfig } from '../../../daemon/config/load.js';
import type { Config } from '../../../daemon/config/types.js';
import { PolicyBook } from '../../../daemon/bgp/policy/book.js';

const ROUTER = `router: {id: 10.0.0.1, loopback: "fc00:0:1::1", locator: "fcbb:bb00:1::/48", domainSources: ["fc00::/16"]}
cpn: {servicePrefixes: ["2001:db8:5e::/48"]}
`;
const BGP = `${ROUTER}bgp:\n  as: 65000\n`;

function load(text: string): Config {
  const result = parseConfig(text);
  if (!result.ok) assert.fail(formatConfigErrors(result.errors));
  return result.config;
}

const BAD: readonly (readonly [name: string, text: string, line: number, field: string, expected: RegExp, found: RegExp])[] = [
  ['a bad regular expression', '  asPathLists:\n    a: ["^6500[1"]\n', 6, 'bgp.asPathLists.a[0]', /expression over the AS path such as "\^65001_" \(expected \] at character/, /6500\[1/],
  ['a bad prefix range', '  prefixLists:\n    a: ["2001:db8::/32 le 31"]\n', 6, 'bgp.prefixLists.a[0]', /"ge N" and "le N"/, /le 31/],
  ['host bits in a range', '  prefixLists:\n    a: ["2001:db8::1/32"]\n', 6, 'bgp.prefixLists.a[0]', /without host bits/, /::1\/32/],
  ['a bad community', '  policies:\n    p:\n      rules:\n        - match: {community: "65536:1"}\n', 8, 'bgp.policies.p.rules[0].match.community', /communities such as 65000:100/, /65536:1/],
  ['an unknown condition', '  policies:\n    p:\n      rules:\n        - match: {comunity: "1:1"}\n', 8, 'bgp.policies.p.rules[0].match.comunity', /did you mean community/, /comunity/],
  ['an unknown action', '  policies:\n    p:\n      rules:\n        - {action: permit}\n', 8, 'bgp.policies.p.rules[0].action', /one of accept, reject, continue/, /permit/],
  ['an unknown prefix list', '  prefixLists: {customers: []}\n  policies:\n    p:\n      rules:\n        - match: {prefixList: custmers}\n', 9, 'bgp.policies.p.rules[0].match.prefixList', /a prefix list of bgp.prefixLists \(did you mean customers\?\)/, /custmers/],
  ['an unknown AS-path list', '  policies: {p: {rules: [{match: {not: {asPathList: x}}}]}}\n', 5, 'bgp.policies.p.rules[0].match.not.asPathList', /AS-path list of bgp.asPathLists \(there is none\)/, /x/],
  ['an unknown policy', '  policies: {in: {}}\n  neighbors:\n    - {address: fc00::2, as: 65001, import: {policy: [in, out]}}\n', 7, 'bgp.neighbors[0].import.policy', /a policy of bgp.policies/, /out/],
  ['an unknown policy of a group', '  groups:\n    g: {export: {policy: out}}\n', 6, 'bgp.groups.g.export.policy', /a policy of bgp.policies \(there is none\)/, /out/],
  ['an unknown group', '  neighbors:\n    - {address: fc00::2, as: 65001, group: g}\n', 6, 'bgp.neighbors[0].group', /a group of bgp.groups/, /g/],
  ['a cycle of groups', '  groups:\n    a: {group: b}\n    b: {group: c}\n    c: {group: a}\n', 6, 'bgp.groups.a.group', /not lead back to themselves/, /a -> b -> c -> a/],
  ['a group of itself', '  groups:\n    a: {group: a}\n', 6, 'bgp.groups.a.group', /not lead back/, /a -> a/],
  ['a neighbor without an AS', '  groups: {g: {cpn: true}}\n  neighbors:\n    - {address: fc00::2, group: g}\n', 7, 'bgp.neighbors[0].as', /an AS number, here or in the group/, /nothing/],
  ['a next hop set on import', '  policies: {p: {rules: [{set: {nextHop: self}}]}}\n  neighbors:\n    - {address: fc00::2, as: 65001, import: {policy: p}}\n', 7, 'bgp.neighbors[0].import.policy', /for export only/, /p, whose rule 1/],
  ['a reflector client of another AS', '  neighbors:\n    - {address: fc00::2, as: 65001, routeReflectorClient: true}\n', 6, 'bgp.neighbors[0].routeReflectorClient', /own AS \(RFC 4456 section 6\)/, /AS 65001/],
  ['a dynamic range without an AS', '  dynamic:\n    - {prefix: "fc00::/16"}\n', 6, 'bgp.dynamic[0].as', /an AS number or a list/, /nothing/],
  ['a dynamic range with a password', '  groups: {g: {as: 65000, password: secret}}\n  dynamic:\n    - {prefix: "fc00::/16", group: g}\n', 7, 'bgp.dynamic[0].group', /without a password/, /g/],
  ['a dynamic range over services', '  dynamic:\n    - {prefix: "2001:db8::/32", as: 65000}\n', 6, 'bgp.dynamic[0].prefix', /outside the service prefixes/, /2001:db8::\/32/],
  ['a limit of nothing', '  neighbors:\n    - {address: fc00::2, as: 65001, maxPrefix: {ipv6-unicast: {limit: 0}}}\n', 6, 'bgp.neighbors[0].maxPrefix.ipv6-unicast.limit', /from 1 to/, /0/],
  ['a limit of an unknown family', '  neighbors:\n    - {address: fc00::2, as: 65001, maxPrefix: {ipv6: {limit: 5}}}\n', 6, 'bgp.neighbors[0].maxPrefix.ipv6', /one of the fields ipv6-unicast/, /ipv6/],
  ['a range of values upside down', '  policies: {p: {rules: [{match: {med: {min: 5, max: 4}}}]}}\n', 5, 'bgp.policies.p.rules[0].match.med', /min not above max/, /mapping/],
];

describe('the BGP part of a configuration', () => {
  for (const [name, text, line, field, expected, found] of BAD) {
    it(`with ${name} is refused, with line and field`, () => {
      const result = parseConfig(BGP + text);
      assert.ok(!result.ok);
      const [error] = result.errors;
      assert.deepEqual([error?.line, error?.field], [line, field]);
      assert.match(error!.expected, expected);
      assert.match(error!.found, found);
    });
  }

  it('gives neighbors what their groups say, nearest first, and their own words above all', () => {
    const { bgp } = load(`${BGP}  groups:
    all: {holdTime: 9s, ttl: 3, cpn: true}
    clients: {group: all, as: 65000, routeReflectorClient: true, holdTime: 30s, gtsm: true}
  neighbors:
    - {address: fc00::2, group: clients, holdTime: 60s}
    - {address: fc00::3, group: clients, ttl: 7, cpn: false}
    - {address: fc00::4, as: 65001}
`);
    assert.deepEqual(
      bgp?.neighbors.map(({ as, group, routeReflectorClient, holdTimeMs, ttl, minimumTtl, cpn, addPath }) => [as, group, routeReflectorClient, holdTimeMs, ttl, minimumTtl, cpn, addPath.send]),
      [
        [65000, 'clients', true, 60_000, 255, 255, true, true],
        [65000, 'clients', true, 30_000, 7, undefined, false, false],
        [65001, undefined, false, 90_000, 1, undefined, false, false],
      ],
    );
  });

  it('makes a template for each AS of a dynamic range', () => {
    const { bgp } = load(`${BGP}  groups: {g: {import: any}}\n  dynamic: [{prefix: "fc00:1::/32", group: g, as: [65000, 65001], limit: 3}]\n`);
    const [range] = bgp!.dynamic!;
    assert.deepEqual([range?.prefix, range?.limit, range?.templates.map(({ as, passive, import: imported, export: exported }) => [as, passive, imported, exported])], [
      'fc00:1::/32',
      3,
      [[65000, true, 'any', 'any'], [65001, true, 'any', 'none']],
    ]);
  });

  it('takes policies and filters over at run time, a client that becomes one with its session', () => {
    const text = (policy: string, options: string): string => `${BGP}  policies: {p: {default: ${policy}}}\n  neighbors: [{address: fc00::2, as: 65000, import: {policy: p}, ${options}}]\n`;
    const differences = diffConfig(load(text('accept', '')), load(text('reject', 'routeReflectorClient: true, allowAsIn: 1')));
    assert.deepEqual(differences.map(({ field, effect }) => [field, effect]).sort(), [
      ['bgp.neighbors["fc00::2"].allowAsIn', 'now'],
      ['bgp.neighbors["fc00::2"].routeReflectorClient', 'session'],
      ['bgp.policies.p.default', 'now'],
    ]);
  });

  it('of the README is good, and its policies compile', () => {
    const readme = readFileSync(join(process.cwd(), 'README.md'), 'utf8');
    const section = readme.slice(readme.indexOf('### BGP policy'), readme.indexOf('### cpnctl'));
    const [, example] = /```yaml\n([^`]*)```/.exec(section) ?? [];
    assert.ok(example);
    const result = parseConfig(ROUTER + example);
    if (!result.ok) assert.fail(formatConfigErrors(result.errors));
    const { prefixLists = {}, asPathLists = {}, policies = {}, neighbors } = result.config.bgp!;
    const book = new PolicyBook({ prefixLists, asPathLists, policies });
    for (const name of Object.keys(policies)) book.chain([name], 65000);
    assert.equal(neighbors.length, 3);
  });
});
