import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { diffConfig } from '../../../daemon/config/diff.js';
import { formatConfigErrors } from '../../../daemon/config/errors.js';
import { parseConfig } from '../../../daemon/config/load.js';
import type { Config } from '../../../daemon/config/types.js';

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

function refused(text: string, line: number, field: string, expected: RegExp): void {
  const result = parseConfig(text);
  assert.ok(!result.ok, 'refused');
  const [error] = result.errors;
  assert.equal(error?.field, field);
  assert.equal(error.line, line);
  assert.match(error.expected, expected);
}

describe('OSPFv3 in the configuration', () => {
  it('an interface has the defaults of RFC 2328 appendix C', () => {
    const { ospf } = load(`${ROUTER}ospf: {interfaces: {eth1: {}}}\n`);
    assert.equal(ospf?.routerId, '10.0.0.1');
    assert.equal(ospf.area, '0.0.0.0');
    const [eth1] = ospf.interfaces;
    assert.deepEqual([eth1?.helloIntervalMs, eth1?.deadIntervalMs, eth1?.retransmitIntervalMs, eth1?.transmitDelay, eth1?.priority, eth1?.cost], [10_000, 40_000, 5000, 1, 1, 10]);
    assert.equal(eth1?.network, 'broadcast');
    assert.deepEqual(ospf.spf, { initialDelayMs: 50, shortDelayMs: 200, longDelayMs: 5000, timeToLearnMs: 500, holdDownMs: 10_000 });
  });

  it('the cost follows the bandwidth of the interface', () => {
    const { ospf } = load(`${ROUTER}interfaces: {eth1: {bandwidth: 1gbit}}\nospf: {interfaces: {eth1: {}}}\n`);
    assert.equal(ospf?.interfaces[0]?.cost, 100);
  });

  it('a dead interval follows the hello interval, redistribution has metrics', () => {
    const { ospf } = load(`${ROUTER}ospf: {area: 0.0.0.7, interfaces: {eth1: {hello: 1s, bfd: true}}, redistribute: {bgp: {prefixes: ["2001:db8::/32"]}}}\n`);
    assert.equal(ospf?.interfaces[0]?.deadIntervalMs, 4000);
    assert.equal(ospf.interfaces[0].bfd, 'default');
    assert.deepEqual(ospf.redistribute, [{ source: 'bgp', metric: 20, type: 2, tag: undefined, prefixes: ['2001:db8::/32'] }]);
  });

  it('a second area is refused with what to do instead', () => {
    refused(`${ROUTER}ospf:\n  interfaces:\n    eth1: {}\n    eth2: {area: 0.0.0.1}\n`, 9, 'ospf.interfaces.eth2.area', /no area border router/);
  });

  it('no interfaces, dead not after hello, twice the same key, packets to clients: each is refused where it stands', () => {
    refused(`${ROUTER}ospf: {}\n`, 6, 'ospf.interfaces', /at least one interface/);
    const many = Array.from({ length: 1025 }, (_, index) => `v${index}: {}`).join(', ');
    refused(`${ROUTER}ospf:\n  interfaces: {${many}}\n`, 7, 'ospf.interfaces', /at most 1024 interfaces/);
    refused(`${ROUTER}ospf:\n  interfaces:\n    eth1: {hello: 5s, dead: 5s}\n`, 8, 'ospf.interfaces.eth1.dead', /longer than hello \(5s\)/);
    refused(`${ROUTER}ospf:\n  interfaces:\n    eth1: {hello: 1500ms}\n`, 8, 'ospf.interfaces.eth1.hello', /whole seconds/);
    refused(
      `${ROUTER}ospf:\n  interfaces:\n    eth1:\n      authentication:\n        - {keyId: 1, password: a}\n        - {keyId: 1, password: b}\n`,
      11,
      'ospf.interfaces.eth1.authentication[1].keyId',
      /no other key/,
    );
    refused(`${ROUTER}interfaces: {eth3: {role: client}}\nospf:\n  interfaces:\n    eth3: {}\n`, 9, 'ospf.interfaces.eth3.passive', /role client/);
  });

  it('a validity that an LSA cannot renew in time is refused, where there are CPN LSAs', () => {
    const ospf = 'ospf: {interfaces: {eth1: {}}}\n';
    refused(`${ROUTER}${ospf}cpn:\n  announce: {validity: 14s}\n`, 8, 'cpn.announce.validity', /at least 15s/);
    refused(`${ROUTER}${ospf}hierarchy:\n  inward: {validity: 3s}\n`, 8, 'hierarchy.inward.validity', /at least 15s/);
    refused(`${ROUTER}${ospf}cpn:\n  servicePrefixes: ["2001:db8:5e::/48"]\n  services:\n    - {id: "2001:db8:5e::1", announce: {validity: 6s}}\n`, 10, 'cpn.services[0].announce.validity', /at least 15s/);
    load(`${ROUTER}${ospf}cpn: {announce: {validity: 15s}}\n`);
    load(`${ROUTER}ospf: {computing: false, interfaces: {eth1: {}}}\ncpn: {announce: {validity: 3s}}\n`);
    load(`${ROUTER}cpn: {announce: {validity: 3s}}\n`);
  });

  it('a changed cost is taken over at once, another area needs a restart, keys stay hidden', () => {
    const before = load(`${ROUTER}ospf: {interfaces: {eth1: {cost: 5, authentication: [{keyId: 1, password: sesame}]}}}\n`);
    const cost = diffConfig(before, load(`${ROUTER}ospf: {interfaces: {eth1: {cost: 6, authentication: [{keyId: 1, password: sesame}]}}}\n`));
    assert.deepEqual(
      cost.map(({ field, effect }) => [field, effect]),
      [['ospf.interfaces.eth1.cost', 'now']],
    );
    const key = diffConfig(before, load(`${ROUTER}ospf: {interfaces: {eth1: {cost: 5, authentication: [{keyId: 1, password: mustard}]}}}\n`));
    assert.equal(key.length, 1);
    assert.doesNotMatch(JSON.stringify(key), /sesame|mustard/);
    const area = diffConfig(before, load(`${ROUTER}ospf: {area: 0.0.0.1, interfaces: {eth1: {cost: 5, authentication: [{keyId: 1, password: sesame}]}}}\n`));
    assert.deepEqual(area[0]?.effect, 'restart');
    const computing = diffConfig(before, load(`${ROUTER}ospf: {computing: false, interfaces: {eth1: {cost: 5, authentication: [{keyId: 1, password: sesame}]}}}\n`));
    assert.deepEqual(computing.map(({ field, effect }) => [field, effect]), [['ospf.computing', 'restart']]);
  });
});
