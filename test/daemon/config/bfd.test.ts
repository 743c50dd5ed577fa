import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { diffConfig } from '../../../daemon/config/diff.js';
import { parseConfig } from '../../../daemon/config/load.js';
import type { BgpNeighborConfig, Config } from '../../../daemon/config/types.js';

const example = readFileSync('daemon/config/example.yaml', 'utf8');

const base = `router: {id: 10.0.0.1, loopback: "fc00:0:1::1", locator: "fcbb:bb00:1::/48", domainSources: [fc00::/16]}
interfaces: {eth1: {addresses: ["2001:db8::1/64"]}}
`;

function load(text: string): Config {
  const result = parseConfig(base + text);
  assert.ok(result.ok, result.ok ? '' : JSON.stringify(result.errors));
  return result.config;
}

const faults = (text: string): string[] => {
  const result = parseConfig(base + text);
  assert.ok(!result.ok);
  return result.errors.map(({ line, field, expected, found }) => `${line} ${field}: ${expected}, ${found}`);
};

const neighbor = (options: string): BgpNeighborConfig => load(`bgp: {as: 65000, neighbors: [{address: "2001:db8::2", as: 65001, import: any, export: any, ${options}}]}`).bgp!.neighbors[0]!;

describe('BFD in the configuration', () => {
  it('has the profiles default and fast without a word', () => {
    const { profiles, maxSessions } = load('').bfd;
    assert.deepEqual(Object.values(profiles).map(({ name, intervalMs, multiplier }) => [name, intervalMs, multiplier]), [['default', 300, 3], ['fast', 50, 3]]);
    assert.equal(maxSessions, 512);
  });

  it('takes what a profile leaves out from the one of its name, else from default', () => {
    const { profiles } = load('bfd: {profiles: {fast: {multiplier: 5}, mine: {interval: 1s, passive: true, authentication: {password: secret}}}}').bfd;
    assert.deepEqual(profiles['fast'], { name: 'fast', intervalMs: 50, multiplier: 5, passive: false, authentication: undefined });
    assert.deepEqual(profiles['mine'], { name: 'mine', intervalMs: 1000, multiplier: 3, passive: true, authentication: { type: 'meticulousSha1', keyId: 1, password: 'secret' } });
  });

  it('is single hop towards a neighbor on a link of ours, else multihop, unless it says so', () => {
    assert.equal(neighbor('holdTime: 9s').bfd, undefined);
    assert.equal(neighbor('bfd: false').bfd, undefined);
    assert.deepEqual(neighbor('bfd: true').bfd, { profile: 'default', strict: false, multihop: false });
    assert.deepEqual(neighbor('bfd: fast, ttl: 3').bfd, { profile: 'fast', strict: false, multihop: true });
    assert.deepEqual(neighbor('bfd: {strict: true, multihop: true}').bfd, { profile: 'default', strict: true, multihop: true });
    const [far, near] = load('bgp: {as: 65000, groups: {all: {as: 65000, bfd: fast}}, neighbors: [{address: "fc00:0:9::1", group: all}, {address: "2001:db8::3", group: all, localAddress: "2001:db8::1"}]}').bgp!.neighbors;
    assert.deepEqual([far!.bfd?.multihop, near!.bfd?.multihop, near!.bfd?.profile], [true, false, 'fast']);
  });

  it('says where a profile is named that there is not, and what is wrong with a value', () => {
    assert.deepEqual(faults('bgp:\n  as: 65000\n  neighbors:\n    - {address: "2001:db8::2", as: 65000, bfd: fst}'), ['6 bgp.neighbors[0].bfd: the name of a profile of bfd.profiles (did you mean fast?), fst']);
    assert.match(faults('bgp: {as: 65000, groups: {g: {bfd: {profile: other}}}}')[0]!, /bgp\.groups\.g\.bfd\.profile: .*there are default, fast/);
    assert.match(faults('bfd: {profiles: {x: {interval: 1ms}}}')[0]!, /10ms to 1m/);
    assert.match(faults('bfd: {profiles: {x: {multiplier: 0}}}')[0]!, /from 1 to 255/);
    assert.match(faults('bfd: {profiles: {x: {authentication: {type: md5, password: "12345678901234567"}}}}')[0]!, /at most 16 characters with md5/);
    assert.match(faults('bgp: {as: 65000, groups: {g: {as: 65001, bfd: {strict: true}}}, dynamic: [{prefix: "2001:db8:1::/64", group: g}]}')[0]!, /without strict BFD/);
    assert.match(faults('ospf: {interfaces: {eth1: {bfd: fst}}}')[0]!, /ospf\.interfaces\.eth1\.bfd: .*did you mean fast/);
    load('bfd: {profiles: {x: {authentication: {type: sha1, password: "12345678901234567"}}}}');
  });

  it('is taken over at run time, and shows no password', () => {
    const from = parseConfig(example);
    const to = parseConfig(example.replace('interval: 100ms, authentication', 'interval: 200ms, authentication').replace('replace me too', 'opensesame').replace('bfd: {profile: fast, strict: true}', 'bfd: fast'));
    assert.ok(from.ok && to.ok);
    const changes = diffConfig(from.config, to.config);
    assert.deepEqual(changes.map(({ field, effect }) => [field, effect]), [
      ['bfd.profiles.keyed.intervalMs', 'now'],
      ['bfd.profiles.keyed.authentication.password', 'now'],
      ['bgp.neighbors["2001:db8:0:1::1"].bfd.strict', 'now'],
    ]);
    assert.doesNotMatch(JSON.stringify(changes), /replace me|opensesame/);
  });
});
