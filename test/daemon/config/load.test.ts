import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { formatConfigErrors } from '../../../daemon/config/errors.js';
import { loadConfig, parseConfig } from '../../../daemon/config/load.js';
import { fileSchema } from '../../../daemon/config/schema.js';
import type { Config } from '../../../daemon/config/types.js';

// Compiled tests run from dist/, data files stay in the source tree.
const EXAMPLE = join(process.cwd(), 'daemon/config/example.yaml');
const exampleText = readFileSync(EXAMPLE, 'utf8');

const ROUTER = `router:
  id: 10.0.0.1
  loopback: fc00:0:1::1
  locator: fcbb:bb00:1::/48
  domainSources: [fc00::/16]
`;

function load(text: string): Config {
  const result = parseConfig(text);
  if (!result.ok) assert.fail(formatConfigErrors(result.errors));
  return result.config;
}

/** [what, text, line, field, part of expected, part of found] */
type Bad = readonly [name: string, text: string, line: number, field: string, expected: RegExp, found: RegExp];

const BAD: readonly Bad[] = [
  ['an empty file', '', 1, 'router', /mapping/, /nothing/],
  ['a list instead of a mapping', '- a', 1, '', /mapping/, /list/],
  ['broken YAML', 'router: {id: 10.0.0.1', 1, '', /YAML/, /./],
  ['a field given twice', `${ROUTER}log: {level: info}\nlog: {level: warn}\n`, 7, '', /each field once/, /a second "log"/],
  ['a missing field', 'router:\n  id: 10.0.0.1\n  loopback: fc00:0:1::1\n  locator: fcbb:bb00:1::/48\n', 1, 'router.domainSources', /list of IPv6 prefixes/, /nothing/],
  ['an unknown field with the nearest known one', `${ROUTER}dataplane:\n  flowIddle: 5m\n`, 7, 'dataplane.flowIddle', /did you mean flowIdle\?/, /unknown field flowIddle/],
  ['an unknown field unlike any', `${ROUTER}log:\n  colour: red\n`, 7, 'log.colour', /one of the fields level/, /unknown field colour/],
  ['an unknown field inside a list', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - {address: fc00::2, as: 65000, pasive: true}\n`, 9, 'bgp.neighbors[0].pasive', /did you mean passive\?/, /pasive/],
  ['a duration without a unit', `${ROUTER}cpn:\n  restartTime: 60\n`, 7, 'cpn.restartTime', /duration such as 100ms/, /60/],
  ['a hold time of 2 s', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - address: fc00::2\n      as: 65000\n      holdTime: 2s\n`, 11, 'bgp.neighbors[0].holdTime', /0 \(none\) or 3s/, /"2s"/],
  ['a password of 81 characters', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - address: fc00::2\n      as: 65000\n      password: ${'k'.repeat(81)}\n`, 11, 'bgp.neighbors[0].password', /1 to 80 printable ASCII/, /^\(hidden\)$/],
  ['a password that YAML reads as a number', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - {address: fc00::2, as: 65000, password: 31337}\n`, 9, 'bgp.neighbors[0].password', /a password/, /^\(hidden\)$/],
  ['a password that YAML reads as an alias', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - {address: fc00::2, as: 65000, password: *sesame}\n`, 1, '', /YAML/, /^(?!.*sesame).*begins with \* needs quotes/],
  ['GTSM over no hops', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - {address: fc00::2, as: 65000, gtsm: {hops: 0}}\n`, 9, 'bgp.neighbors[0].gtsm.hops', /a number of hops from 1 to 254/, /0/],
  ['an unknown field of GTSM', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - {address: fc00::2, as: 65000, gtsm: {hop: 2}}\n`, 9, 'bgp.neighbors[0].gtsm.hop', /did you mean hops/, /hop/],
  ['GTSM as a number', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - {address: fc00::2, as: 65000, gtsm: 2}\n`, 9, 'bgp.neighbors[0].gtsm', /true, false or \{hops: N\} with N from 1 to 254/, /2/],
  ['a hop limit beside GTSM', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - {address: fc00::2, as: 65001, gtsm: true, ttl: 1}\n`, 9, 'bgp.neighbors[0].ttl', /no ttl beside gtsm/, /1/],
  ['an address instead of a prefix', `${ROUTER}static:\n  - prefix: 2001:db8::1\n    unreachable: true\n`, 7, 'static[0].prefix', /address\/length/, /"2001:db8::1"/],
  ['a prefix with host bits', `${ROUTER}static:\n  - prefix: 2001:db8::1/64\n    unreachable: true\n`, 7, 'static[0].prefix', /without host bits/, /2001:db8::1\/64/],
  ['a plain address that ends in a colon', `${ROUTER}interfaces:\n  eth0:\n    endX: fc00::\n`, 8, '', /YAML/, /needs quotes/],
  ['a list of addresses that end in a colon', `${ROUTER}cpn:\n  services:\n    - id: default\n      via:\n        "fc00::9":\n          - fcbb:bb00:2::\n`, 11, 'cpn.services[0].via["fc00::9"][0]', /global IPv6 address/, /needs quotes/],
  ['an AS number that is reserved', `${ROUTER}bgp:\n  as: 23456\n`, 7, 'bgp.as', /not 23456/, /23456/],
  ['an aggregate for the outside without BGP', `${ROUTER}hierarchy:\n  outward: {}\n`, 7, 'hierarchy.outward', /a bgp section/, /none/],
  ['an aggregate for the inside without OSPFv3', `${ROUTER}bgp: {as: 65000}\nhierarchy:\n  inward: {}\n`, 8, 'hierarchy.inward', /an ospf section/, /none/],
  ['an aggregate of services that are none', `${ROUTER}bgp: {as: 65000}\nhierarchy:\n  outward: {services: [2001:db8:5e::/48]}\n`, 8, 'hierarchy.outward.services[0]', /inside cpn.servicePrefixes/, /2001:db8:5e::\/48/],
  ['attribute type 254', `${ROUTER}cpn:\n  attributeType: 254\n`, 7, 'cpn.attributeType', /neither 128, 129 nor 254/, /254/],
  ['attribute type of AS_PATH', `${ROUTER}cpn:\n  attributeType: 2\n`, 7, 'cpn.attributeType', /43 to 255/, /2/],
  ['a strategy that is none', `${ROUTER}cpn:\n  services:\n    - id: default\n      strategy: {name: gready}\n`, 9, 'cpn.services[0].strategy.name', /one of weighted, local, round-robin, greedy, two-choices, matching, adaptive/, /gready/],
  ['a strategy without a name', `${ROUTER}cpn:\n  services:\n    - id: default\n      strategy: {choices: 2}\n`, 9, 'cpn.services[0].strategy.name', /one of weighted/, /nothing/],
  ['a strategy as a word', `${ROUTER}cpn:\n  services:\n    - id: default\n      strategy: greedy\n`, 9, 'cpn.services[0].strategy', /a mapping/, /greedy/],
  ['a parameter of another strategy', `${ROUTER}cpn:\n  services:\n    - id: default\n      strategy: {name: greedy, choices: 2}\n`, 9, 'cpn.services[0].strategy.choices', /no choices beside the strategy greedy: it belongs to two-choices/, /2/],
  ['one choice of one', `${ROUTER}cpn:\n  services:\n    - id: default\n      strategy: {name: two-choices, choices: 1}\n`, 9, 'cpn.services[0].strategy.choices', /a number of candidates from 2 to 8/, /1/],
  ['a window of a second', `${ROUTER}cpn:\n  services:\n    - id: default\n      strategy: {name: matching, maxWindow: 1s}\n`, 9, 'cpn.services[0].strategy.maxWindow', /1ms up to 20ms/, /1s/],
  ['a window that ends before it begins', `${ROUTER}cpn:\n  services:\n    - id: default\n      strategy: {name: matching, minWindow: 8ms}\n`, 9, 'cpn.services[0].strategy.minWindow', /at most maxWindow, which is 5ms/, /8ms/],
  ['a pick that is held for no time', `${ROUTER}cpn:\n  services:\n    - id: default\n      strategy: {name: adaptive, hold: 0}\n`, 9, 'cpn.services[0].strategy.hold', /100ms up to 1h/, /0/],
  ['an option type that must be discarded when unknown', `${ROUTER}cpn:\n  requirementOption: 0x5e\n`, 7, 'cpn.requirementOption', /skip if unknown/, /94/],
  ['a service prefix of multicast addresses', `${ROUTER}cpn:\n  servicePrefixes: [239.1.0.0/16]\n`, 7, 'cpn.servicePrefixes[0]', /a unicast prefix/, /239\.1\.0\.0/],
  ['a service prefix of IPv4-mapped addresses', `${ROUTER}cpn:\n  servicePrefixes: ["::ffff:192.0.2.0/120"]\n`, 7, 'cpn.servicePrefixes[0]', /a unicast prefix/, /192\.0\.2\.0/],
  ['an IPv4 service prefix over an interface', `${ROUTER}interfaces: {eth0: {addresses: [192.0.2.1/24]}}\ncpn:\n  servicePrefixes: [192.0.2.128/25]\n`, 8, 'cpn.servicePrefixes[0]', /addresses of eth0/, /192\.0\.2\.0\/24/],
  ['a validity of half seconds', `${ROUTER}cpn:\n  announce:\n    validity: 4500ms\n`, 8, 'cpn.announce.validity', /whole seconds/, /4500ms/],
  ['three transit SIDs', `${ROUTER}cpn:\n  servicePrefixes: [2001:db8:5e::/48]\n  services:\n    - id: 2001:db8:5e::1\n      via: {"fc00::9": ["fcbb:bb00:2::", "fcbb:bb00:3::", "fcbb:bb00:4::"]}\n`, 10, 'cpn.services[0].via["fc00::9"]', /at most 3 SIDs/, /list/],
  ['three transit SIDs in one of several ways', `${ROUTER}cpn:\n  services:\n    - id: default\n      via: {"fc00::9": [["fcbb:bb00:2::"], {segments: ["fcbb:bb00:2::", "fcbb:bb00:3::", "fcbb:bb00:4::"]}]}\n`, 9, 'cpn.services[0].via["fc00::9"][1].segments', /at most 3 SIDs/, /list/],
  ['a way with a field that is none', `${ROUTER}cpn:\n  services:\n    - id: default\n      via: {"fc00::9": [{segments: [], back: []}]}\n`, 9, 'cpn.services[0].via["fc00::9"][0]', /back/, /./],
  ['a SID outside the SID blocks in one of several ways', `${ROUTER}cpn:\n  services:\n    - id: default\n      via: {"fc00::9": [[], ["2001:db8::1"]]}\n`, 9, 'cpn.services[0].via["fc00::9"][1][0]', /SID inside router.sidBlocks/, /2001:db8::1/],
  ['a via that is keyed by no address', `${ROUTER}cpn:\n  services:\n    - id: default\n      via: {exit1: []}\n`, 9, 'cpn.services[0].via.exit1', /IPv6 address/, /exit1/],
  ['a service prefix over the locator', `${ROUTER}cpn:\n  servicePrefixes: ["fcbb:bb00:1:8000::/49"]\n`, 7, 'cpn.servicePrefixes[0]', /apart from the locator/, /overlaps fcbb:bb00:1::\/48/],
  ['a service prefix over the SID block', `${ROUTER}cpn:\n  servicePrefixes: ["fcbb:bb00:9::/48"]\n`, 7, 'cpn.servicePrefixes[0]', /SID blocks/, /overlaps fcbb:bb00::\/32/],
  ['a service prefix over the loopback', `${ROUTER}cpn:\n  servicePrefixes: ["fc00:0:1::/64"]\n`, 7, 'cpn.servicePrefixes[0]', /loopback/, /fc00:0:1::1/],
  ['a service prefix over an interface', `${ROUTER}interfaces: {eth0: {addresses: ["2001:db8:5e::1/64"]}}\ncpn:\n  servicePrefixes: ["2001:db8:5e::/48"]\n`, 8, 'cpn.servicePrefixes[0]', /addresses of eth0/, /2001:db8:5e::\/64/],
  ['service prefixes that overlap', `${ROUTER}cpn:\n  servicePrefixes: ["2001:db8:5e::/48", "2001:db8:5e:1::/64"]\n`, 7, 'cpn.servicePrefixes[1]', /other service prefixes/, /overlaps/],
  ['a next hop inside a service prefix', `${ROUTER}static:\n  - {prefix: 2001:db8:1::/48, via: 2001:db8:5e::9}\ncpn:\n  servicePrefixes: ["2001:db8:5e::/48"]\n`, 7, 'static[0].via', /next hop outside the service prefixes/, /inside 2001:db8:5e::\/48/],
  ['a static route inside a service prefix', `${ROUTER}static:\n  - {prefix: 2001:db8:5e:1::/64, via: 2001:db8::9}\ncpn:\n  servicePrefixes: ["2001:db8:5e::/48"]\n`, 7, 'static[0].prefix', /outside the service prefixes/, /inside/],
  ['a static route that leads nowhere', `${ROUTER}static:\n  - prefix: 2001:db8:5::/64\n`, 7, 'static[0]', /either next hops .* or unreachable/, /neither/],
  ['a link-local next hop without interface', `${ROUTER}static:\n  - {prefix: 2001:db8:5::/64, via: fe80::1}\n`, 7, 'static[0].via', /an interface beside a link-local/, /fe80::1/],
  ['a next hop of the other family', `${ROUTER}static:\n  - {prefix: 2001:db8:5::/64, via: 192.0.2.1}\n`, 7, 'static[0].via', /family/, /192\.0\.2\.1/],
  ['an announced network inside a service prefix', `${ROUTER}bgp: {as: 65000, networks: ["2001:db8:5e::/64"]}\ncpn:\n  servicePrefixes: ["2001:db8:5e::/48"]\n`, 6, 'bgp.networks[0]', /outside the service prefixes/, /inside/],
  ['the same neighbor twice', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - {address: fc00::2, as: 65000}\n    - {address: "fc00:0::2", as: 65000}\n`, 10, 'bgp.neighbors[1].address', /no other entry/, /a second fc00::2/],
  ['an IPv4 neighbor without a local address', `${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - {address: 192.0.2.2, as: 65000}\n`, 9, 'bgp.neighbors[0].localAddress', /family of 192\.0\.2\.2/, /fc00:0:1::1/],
  ['a service outside the service prefixes', `${ROUTER}cpn:\n  services:\n    - id: 2001:db8:5e::1\n`, 8, 'cpn.services[0].id', /inside cpn\.servicePrefixes/, /2001:db8:5e::1/],
  ['a transit SID outside the SID blocks', `${ROUTER}cpn:\n  services:\n    - id: default\n      via:\n        fc00::9: ["2001:db8::1"]\n`, 10, 'cpn.services[0].via["fc00::9"][0]', /inside router\.sidBlocks/, /2001:db8::1/],
];

/** An exit router with one instance; `fields` are further lines of the instance. */
const withInstance = (fields: string, role = 'node'): string => `${ROUTER}interfaces: {eth2: {role: ${role}}}
cpn:
  servicePrefixes: ["2001:db8:5e::/48"]
  instances:
    - id: 1
      node: {address: "2001:db8:b:1::2", interface: eth2}
${fields}`;

const BAD_INSTANCES: readonly Bad[] = [
  ['an IPv4 service at an IPv6 node', withInstance('      service: 192.0.2.1\n').replace('5e::/48"', '5e::/48", 192.0.2.0/24'), 11, 'cpn.instances[0].node.address', /an IPv4 address, because End\.DX4/, /2001:db8:b:1::2/],
  ['an IPv6 service at an IPv4 node', withInstance('      service: 2001:db8:5e::1\n').replace('"2001:db8:b:1::2"', '10.1.1.2'), 11, 'cpn.instances[0].node.address', /an IPv6 address, because End\.DX6/, /10\.1\.1\.2/],
  ['an instance whose service is in no service prefix', withInstance('      service: 2001:db8:6e::1\n'), 12, 'cpn.instances[0].service', /inside cpn\.servicePrefixes/, /2001:db8:6e::1/],
  ['a SID of another locator', withInstance('      service: 2001:db8:5e::1\n      sid: "fcbb:bb00:2:e001::"\n'), 13, 'cpn.instances[0].sid', /inside the own locator fcbb:bb00:1::\/48/, /fcbb:bb00:2:e001::/],
  ['the End SID as instance SID', withInstance('      service: 2001:db8:5e::1\n      sid: "fcbb:bb00:1:1::"\n'), 13, 'cpn.instances[0].sid', /other than the End and End\.X/, /fcbb:bb00:1:1::/],
  ['the locator as instance SID', withInstance('      service: 2001:db8:5e::1\n      sid: "fcbb:bb00:1::"\n'), 13, 'cpn.instances[0].sid', /function other than 0/, /fcbb:bb00:1::/],
  ['a locator without room for functions', withInstance('      service: 2001:db8:5e::1\n').replace('bb00:1::/48', 'bb00:1::/120'), 4, 'router.locator', /function of 12 bits/, /\/120/],
  ['a node behind a core interface', withInstance('      service: 2001:db8:5e::1\n', 'core'), 11, 'cpn.instances[0].node.interface', /role node/, /eth2 with role core/],
  ['the same instance twice', withInstance('      service: 2001:db8:5e::1\n    - {id: 1, service: "2001:db8:5e::1", sid: "fcbb:bb00:1:e009::", node: {address: "2001:db8:b:1::3", interface: eth2}}\n'), 13, 'cpn.instances[1].id', /no other entry/, /instance 1 of 2001:db8:5e::1/],
  ['the same SID twice', withInstance('      service: 2001:db8:5e::1\n    - {id: 2, service: "2001:db8:5e::1", sid: "fcbb:bb00:1:e001::", node: {address: "2001:db8:b:1::3", interface: eth2}}\n'), 13, 'cpn.instances[1].sid', /no other entry/, /SID fcbb:bb00:1:e001::/],
  ['a residual above the total', withInstance('      service: 2001:db8:5e::1\n      computing:\n        - {class: parallel, chip: gpu, total: 1e12, residual: 2e12}\n'), 14, 'cpn.instances[0].computing[0].residual', /at most the total/, /2000000000000/],
  ['operations that are no number', withInstance('      service: 2001:db8:5e::1\n      computing:\n        - {class: parallel, total: lots}\n'), 14, 'cpn.instances[0].computing[0].total', /1e12 or 8T/, /"lots"/],
  ['a class that does not exist', withInstance('      service: 2001:db8:5e::1\n      computing:\n        - {class: quantum, total: 1}\n'), 14, 'cpn.instances[0].computing[0].class', /one of logical, parallel, neural/, /"quantum"/],
  ['a tcp check without port', withInstance('      service: 2001:db8:5e::1\n      healthCheck: {kind: tcp}\n'), 13, 'cpn.instances[0].healthCheck.port', /a port/, /nothing/],
  ['a check of the service address itself', withInstance('      service: 2001:db8:5e::1\n      healthCheck: {kind: icmp, address: "2001:db8:5e::1"}\n'), 13, 'cpn.instances[0].healthCheck.address', /outside the service prefixes/, /inside/],
  ['an HTTP check without a port', withInstance('      service: 2001:db8:5e::1\n      healthCheck: {kind: http}\n'), 13, 'cpn.instances[0].healthCheck.port', /a port for an http check/, /nothing/],
  ['an HTTP path that is none', withInstance('      service: 2001:db8:5e::1\n      healthCheck: {kind: http, port: 80, path: "health check"}\n'), 13, 'cpn.instances[0].healthCheck.path', /begins with \//, /health check/],
  ['a reuse threshold above the suppress threshold', withInstance('      service: 2001:db8:5e::1\n      healthCheck: {kind: icmp, damping: {suppress: 700}}\n'), 13, 'cpn.instances[0].healthCheck.damping.reuse', /less than suppress \(700\)/, /750/],
  ['a p99 below the mean', withInstance('      service: 2001:db8:5e::1\n      serviceDelay: {mean: 5ms, p99: 4ms}\n'), 13, 'cpn.instances[0].serviceDelay.p99', /at least the mean/, /4000/],
];

describe('configuration', () => {
  it('loads the annotated example with every default filled in', () => {
    const result = loadConfig(EXAMPLE);
    if (!result.ok) assert.fail(formatConfigErrors(result.errors));
    const { config, warnings } = result;
    assert.deepEqual(warnings, []);
    assert.equal(config.router.name, 'exit1');
    assert.deepEqual(config.bgp?.neighbors[0]?.addPath, { receive: true, send: true });
    assert.equal(config.bgp.neighbors[0].localAddress, 'fc00:0:11::1');
    assert.equal(config.bgp.neighbors[0].holdTimeMs, 90_000);
    assert.deepEqual(config.static, [{ prefix: 'fc00:0:1::1/128', nextHops: [{ via: '2001:db8:0:1::1', interface: undefined, weight: 1 }], unreachable: false, distance: 1 }]);
    assert.equal(config.cpn.services[0]?.requirements.maxLatencyUs, 50_000);
    assert.deepEqual(config.cpn.services[0].requirements.computing, { class: 'parallel', minOps: 10n ** 12n });
    assert.deepEqual(config.cpn.services[0].via, { 'fc00:0:12::1': [{ segments: ['fcbb:bb00:2:1::'], back: ['fcbb:bb00:2:1::'] }] });
    assert.deepEqual(config.cpn.instances[0]?.computing, [{ class: 'parallel', chip: 'gpu', total: 10n ** 13n, residual: 8n * 10n ** 12n }]);
    assert.deepEqual(config.cpn.instances[0].serviceDelay, { meanUs: 5000, p99Us: 9000 });
    assert.equal(config.cpn.instances[0].healthCheck?.address, '2001:db8:b:1::2');
    assert.deepEqual(config.cpn.stamp, { enabled: true, port: 862, profile: 'default', intervalMs: 100, lost: 3, leastBoundMs: 50, holdDownMs: 1000, synchronised: false, links: { enabled: true, intervalMs: 1000 } });
    assert.equal(config.api.listen, 'unix:///run/cpn/cpnd.sock');
  });

  it('takes several ways to an exit, each with the way back that it states or its own in reverse', () => {
    const via = '{"fc00::9": [["fcbb:bb00:2::", "fcbb:bb00:3::"], {segments: ["fcbb:bb00:4::"], return: []}, []]}';
    const result = parseConfig(`${ROUTER}cpn:\n  services:\n    - id: default\n      via: ${via}\n`, 'f');
    if (!result.ok) assert.fail(formatConfigErrors(result.errors));
    assert.deepEqual(result.config.cpn.services[0]?.via, {
      'fc00::9': [
        { segments: ['fcbb:bb00:2::', 'fcbb:bb00:3::'], back: ['fcbb:bb00:3::', 'fcbb:bb00:2::'] },
        { segments: ['fcbb:bb00:4::'], back: [] },
        { segments: [], back: [] },
      ],
    });
  });

  it('the fast profile of STAMP probes more often, unless told otherwise', () => {
    const stamp = (text: string): [number, number, number] => {
      const result = parseConfig(`${ROUTER}cpn:\n  stamp: ${text}\n`, 'f');
      if (!result.ok) assert.fail(formatConfigErrors(result.errors));
      const { intervalMs, lost, leastBoundMs } = result.config.cpn.stamp;
      return [intervalMs, lost, leastBoundMs];
    };
    assert.deepEqual([stamp('{}'), stamp('{profile: fast}'), stamp('{profile: fast, interval: 30ms, lost: 2}')], [[100, 3, 50], [20, 4, 30], [30, 2, 30]]);
  });

  it('needs nothing but the router', () => {
    const config = load(ROUTER);
    assert.equal(config.bgp, undefined);
    assert.deepEqual(config.router.sidStructure, { block: 32, node: 16, function: 16, argument: 0 });
    assert.deepEqual(config.router.sidBlocks, ['fcbb:bb00::/32']);
    assert.equal(config.cpn.attributeType, 255);
    assert.equal(config.cpn.requirementOption, 0x1e);
    assert.equal(config.cpn.restartTimeMs, 60_000);
    assert.deepEqual(config.cpn.prediction, { model: 'learned', horizonMs: 1000 });
    assert.equal(config.dataplane.kind, 'kernel');
  });

  for (const [name, text, line, field, expected, found] of [...BAD, ...BAD_INSTANCES]) {
    it(`refuses ${name} and says where and why`, () => {
      const result = parseConfig(text, 'test.yaml');
      assert.ok(!result.ok, 'was accepted');
      const error = result.errors.find((candidate) => candidate.field === field);
      assert.ok(error, `no error for ${field}: ${formatConfigErrors(result.errors)}`);
      assert.equal(error.line, line, formatConfigErrors(result.errors));
      assert.match(error.expected, expected);
      assert.match(error.found, found);
      assert.match(formatConfigErrors([error]), /^test\.yaml:\d+:\d+: /);
    });
  }

  it('reports all faults at once, each at its place', () => {
    const result = parseConfig(`${ROUTER}log: {level: loud}\napi: {listen: tcp://0.0.0.0}\nstatic: [{prefix: x}]\n`);
    assert.ok(!result.ok);
    assert.deepEqual(result.errors.map(({ line, field }) => [line, field]).sort(), [[6, 'log.level'], [7, 'api.listen'], [8, 'static[0].prefix']].sort());
  });

  it('refuses a locator length that is not block + node', () => {
    const result = parseConfig(ROUTER.replace('  locator', '  sidStructure: {block: 32, node: 24, function: 16}\n  locator'));
    assert.ok(!result.ok);
    assert.deepEqual([result.errors[0]?.line, result.errors[0]?.field, result.errors[0]?.found], [4, 'router.sidStructure', '56']);
  });

  it('announcement control holds for all services, but where "default" or a service says otherwise', () => {
    const { announce } = load(`${ROUTER}cpn:
  servicePrefixes: [2001:db8:5e::/48]
  announce: {threshold: 0.2, rate: 100}
  services:
    - {id: default, announce: {minInterval: 2s}}
    - {id: 2001:db8:5e::1, announce: {threshold: 0, validity: 30s}}
`).cpn;
    const all = { threshold: 0.2, minIntervalMs: 2000, maxIntervalMs: 60_000, validityMs: 0 };
    assert.deepEqual(announce, { ...all, budget: { rate: 100, burst: 2000 }, services: { '2001:db8:5e::1': { ...all, threshold: 0, validityMs: 30_000 } } });
  });

  it('says that a file cannot be read', () => {
    const result = loadConfig('/nonexistent/cpnd.yaml');
    assert.ok(!result.ok);
    assert.match(formatConfigErrors(result.errors), /^\/nonexistent\/cpnd\.yaml:1:1: expected a readable file, found ENOENT/);
  });

  it('reads the human forms of numbers exactly', () => {
    const total = (text: string): bigint | undefined => load(withInstance(`      service: 2001:db8:5e::1\n      computing: [{class: neural, total: ${text}}]\n`)).cpn.instances[0]?.computing[0]?.total;
    assert.equal(total('18446744073709551615'), 18446744073709551615n);
    assert.equal(total('1e18'), 10n ** 18n);
    assert.equal(total('1.5e13'), 15n * 10n ** 12n);
    assert.equal(total('"3.09T"'), 3_090_000_000_000n);
    assert.equal(parseConfig(withInstance('      service: 2001:db8:5e::1\n      computing: [{class: neural, total: 18446744073709551616}]\n')).ok, false);
  });

  it('makes the SID of an instance from its id when none is given', () => {
    assert.equal(load(withInstance('      service: 2001:db8:5e::1\n')).cpn.instances[0]?.sid, 'fcbb:bb00:1:e001::');
  });

  it('takes the address on the shared link as local address towards a directly connected eBGP neighbor', () => {
    const config = load(`${ROUTER}interfaces: {eth1: {addresses: ["2001:db8:0:1::2/64"]}}\nbgp:\n  as: 65000\n  neighbors:\n    - {address: 2001:db8:0:1::1, as: 65001}\n    - {address: 2001:db8:0:9::1, as: 65001, ttl: 3}\n`);
    assert.deepEqual(config.bgp?.neighbors.map(({ localAddress, ttl, import: filter }) => [localAddress, ttl, filter]), [
      ['2001:db8:0:1::2', 1, 'none'],
      ['fc00:0:1::1', 3, 'none'],
    ]);
  });

  it('sends with hop limit 255 under GTSM, and takes what came over at most the given hops (RFC 5082 section 3)', () => {
    const neighbors = ['fc00::2, as: 65000', '2001:db8:0:1::1, as: 65001, gtsm: true', 'fc00::3, as: 65001, gtsm: {hops: 2}', 'fc00::4, as: 65001, gtsm: false, ttl: 4'];
    const lines = neighbors.map((fields) => `    - {address: ${fields}}\n`).join('');
    const config = load(`${ROUTER}interfaces: {eth1: {addresses: ["2001:db8:0:1::2/64"]}}\nbgp:\n  as: 65000\n  neighbors:\n${lines}`);
    assert.deepEqual(config.bgp?.neighbors.map(({ localAddress, ttl, minimumTtl }) => [localAddress, ttl, minimumTtl]), [
      ['fc00:0:1::1', 255, undefined],
      ['2001:db8:0:1::2', 255, 255],
      ['fc00:0:1::1', 255, 254],
      ['fc00:0:1::1', 4, undefined],
    ]);
  });

  it('warns about what is legal and probably not meant', () => {
    const result = parseConfig(`${ROUTER}bgp:\n  as: 65000\n  neighbors:\n    - {address: fc00::2, as: 65001, ttl: 2, cpn: true}\n`);
    assert.ok(result.ok);
    assert.deepEqual(result.warnings.map(({ field, line }) => [field, line]), [
      ['bgp.neighbors[0].cpn', 9],
      ['bgp.neighbors[0]', 9],
    ]);
  });

  it('can be exported as JSON Schema', () => {
    const schema = z.toJSONSchema(fileSchema, { io: 'input', unrepresentable: 'any' });
    assert.deepEqual(schema.required, ['router']);
  });

  it('never throws, whatever the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.json(), fc.string({ unit: fc.constantFrom('-', ' ', ':', '\n', '{', '}', '[', ']', '&a', '*a', '"', "'", 'a', '1', '|', '>', '?', '!', '#', '%') })), (text) => {
        const result = parseConfig(text);
        if (!result.ok) assert.ok(result.errors.length > 0 && result.errors.every(({ line, column }) => line >= 1 && column >= 1));
      }),
      { numRuns: 300 },
    );
  });

  it('never throws on the example with a line lost, doubled or cut', () => {
    const lines = exampleText.split('\n');
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.nat(lines.length - 1), fc.nat(40), fc.string({ maxLength: 8 }), (lost, moved, cut, noise) => {
        const changed = lines.filter((_, i) => i !== lost);
        changed.splice(moved, 0, lines[lost]!.slice(0, cut) + noise);
        const result = parseConfig(changed.join('\n'));
        if (!result.ok) for (const error of result.errors) assert.ok(error.line >= 1 && error.line <= changed.length + 1 && error.expected !== '');
      }),
      { numRuns: 300 },
    );
  });

  it('survives nesting deeper than the stack and aliases that expand without end', () => {
    assert.equal(parseConfig('['.repeat(100_000)).ok, false);
    const bomb = ['a0: &a0 [x, x, x, x, x, x, x, x, x]', ...Array.from({ length: 9 }, (_, i) => `a${i + 1}: &a${i + 1} [${Array(9).fill(`*a${i}`).join(', ')}]`)].join('\n');
    assert.equal(parseConfig(bomb).ok, false);
  });
});
