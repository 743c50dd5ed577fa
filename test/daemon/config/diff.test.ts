import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { diffConfig } from '../../../daemon/config/diff.js';
import { parseConfig } from '../../../daemon/config/load.js';
import type { Config } from '../../../daemon/config/types.js';

const text = readFileSync('daemon/config/example.yaml', 'utf8');

function load(changed: string): Config {
  const result = parseConfig(changed);
  assert.ok(result.ok);
  return result.config;
}

const diff = (from: string, to: string) => {
  assert.ok(text.includes(from), from);
  return diffConfig(load(text), load(text.replace(from, to)));
};

describe('differences of configurations', () => {
  it('are none between a configuration and itself', () => assert.deepEqual(diffConfig(load(text), load(text)), []));

  it('are none when only spelling and order change', () => {
    assert.deepEqual(diff('{prefix: fc00:0:1::1/128, via: 2001:db8:0:1::1}', '{via: "2001:0db8::1:0:0:0:1", prefix: "fc00:0000:0001::1/128"}'), []);
  });

  it('name the field by the identity of its item and the part it touches', () => {
    assert.deepEqual(diff('serviceRate: 200', 'serviceRate: 300'), [
      { field: 'cpn.instances["2001:db8:5e::1 1"].serviceRate', before: '200', after: '300', part: 'instances', effect: 'now' },
    ]);
  });

  it('tell what needs a restart and what resets a session', () => {
    assert.deepEqual(diff('id: 10.0.0.11 ', 'id: 10.0.0.12 ').map(({ field, effect }) => [field, effect]), [
      ['router.id', 'restart'],
      ['bgp.vpn.rd', 'now'], ['ospf.routerId', 'restart'], // made from the identifier
    ]);
    assert.deepEqual(diff('cpn: true, addPath: both', 'cpn: true, addPath: receive').map(({ field, effect }) => [field, effect]), [
      ['bgp.neighbors["fc00:0:100::1"].addPath.send', 'session'],
    ]);
    assert.deepEqual(diff('cpn: true, addPath: both', 'cpn: true, description: reflector').map(({ field, effect }) => [field, effect]), [
      ['bgp.neighbors["fc00:0:100::1"].description', 'now'],
    ]);
  });

  it('show an added and a removed item as a whole', () => {
    const added = diff('static:\n', 'static:\n  - {prefix: 2001:db8:77::/48, unreachable: true}\n');
    assert.deepEqual(added.map(({ field, before, part }) => [field, before, part]), [['static["2001:db8:77::/48 distance 1"]', undefined, 'static']]);
    const removed = diffConfig(load(text.replace('static:\n', 'static:\n  - {prefix: 2001:db8:77::/48, unreachable: true}\n')), load(text));
    assert.deepEqual(removed.map(({ after }) => after), [undefined]);
  });

  it('show that a password changed, and never the password, alone or inside an added neighbor', () => {
    const changed = diff('password: "replace me"', 'password: opensesame');
    assert.deepEqual(changed, [
      { field: 'bgp.neighbors["2001:db8:0:1::1"].password', before: '"(hidden)"', after: '"(hidden)"', part: 'bgp', effect: 'session' },
    ]);
    const removed = diff(', password: "replace me"', '');
    assert.deepEqual(removed.map(({ before, after }) => [before, after]), [['"(hidden)"', undefined]]);
    const added = JSON.stringify(diffConfig(load(text.replace(/ {4}- \{address: 2001:db8:0:1::1.*\n/, '')), load(text)));
    assert.match(added, /2001:db8:0:1::1/);
    assert.match(added, /hidden/);
    assert.doesNotMatch(added, /replace me/);
  });

  it('end the session when its GTSM changes', () => {
    assert.deepEqual(diff('gtsm: true', 'gtsm: {hops: 2}, localAddress: 2001:db8:0:1::2').map(({ field, before, after, effect }) => [field, before, after, effect]), [
      ['bgp.neighbors["2001:db8:0:1::1"].minimumTtl', '255', '254', 'session'],
    ]);
  });

  it('print 64-bit quantities', () => {
    assert.equal(diff('total: 1e13', 'total: 2e13')[0]?.after, '[{"class":"parallel","chip":"gpu","total":"20000000000000","residual":"8000000000000"}]');
  });
});
