import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { TopologyError } from '../../lab/topology/document.js';
import { parseTopology, readTopology } from '../../lab/topology/read.js';
import type { Topology } from '../../lab/topology/topology.js';

const folder = mkdtempSync(join(tmpdir(), 'cpn-topology-'));
const file = join(folder, 'test.clab.yml');
before(() => {
  writeFileSync(join(folder, 'r1.conf'), '');
  writeFileSync(join(folder, 'values.env'), '# comment\nexport A="from file"\nB=2\n');
});
after(() => rmSync(folder, { recursive: true }));

const parse = (text: string, environment: Record<string, string> = {}): Topology => parseTopology(text, file, { environment });

describe('a topology file', () => {
  test('merges defaults, kind, group and node, the more specific winning and lists adding up', () => {
    const topology = parse(`
name: merge
topology:
  defaults: {kind: linux, image: "base:1", env: {A: default, B: default}, exec: [one]}
  kinds: {linux: {image: "kind:1", sysctls: {net.ipv6.conf.all.forwarding: 1}, exec: [two]}}
  groups: {edge: {env: {B: group}, binds: ["r1.conf:/etc/x"], exec: [three]}}
  nodes:
    r1: {group: edge, image: "own:1", env: {C: 3}, exec: [four], binds: ["r1.conf:/etc/x:ro"]}
    r2:
`);
    const r1 = topology.nodes.get('r1')!;
    assert.equal(r1.image, 'own:1');
    assert.deepEqual(r1.env, { A: 'default', B: 'group', C: '3' });
    assert.deepEqual(r1.exec, ['one', 'two', 'three', 'four']);
    assert.deepEqual(r1.sysctls, { 'net.ipv6.conf.all.forwarding': '1' });
    assert.deepEqual(r1.binds, [{ source: join(folder, 'r1.conf'), target: '/etc/x', readOnly: true }]);
    assert.equal(topology.nodes.get('r2')!.image, 'kind:1');
    assert.deepEqual(topology.nodes.get('r2')!.env, { A: 'default', B: 'default' });
  });

  test('takes brief and extended links, addresses, MAC addresses and the default MTU of containerlab', () => {
    const { links } = parse(`
name: links
topology:
  defaults: {kind: linux}
  nodes: {a: , b: }
  links:
    - endpoints: ["a:eth1", "b:eth1"]
      ipv6: ["fd00::1/64", "fd00::2/64"]
    - type: veth
      mtu: 1500
      endpoints:
        - {node: a, interface: eth2, mac: "02-00-00-00-00-0A", ipv4: 10.0.0.1/30}
        - {node: b, interface: eth2}
`);
    assert.deepEqual(links.map((link) => link.mtu), [9500, 1500]);
    assert.deepEqual(links[0]!.endpoints.map((e) => e.addresses), [['fd00::1/64'], ['fd00::2/64']]);
    assert.equal(links[1]!.endpoints[0].mac, '02:00:00:00:00:0a');
    assert.deepEqual(links[1]!.endpoints[0].addresses, ['10.0.0.1/30']);
    assert.match(links[0]!.endpoints[0].mac, /^aa:c1:ab(:[0-9a-f]{2}){3}$/);
    assert.notEqual(links[0]!.endpoints[0].mac, links[0]!.endpoints[1].mac);
  });

  test('reads impairments from labels and from vars', () => {
    const { links } = parse(`
name: impaired
topology:
  defaults: {kind: linux}
  nodes: {a: , b: }
  links:
    - endpoints: ["a:eth1", "b:eth1"]
      labels: {cpn-delay: 20ms, cpn-loss: 0.5%, note: anything}
    - endpoints: ["a:eth2", "b:eth2"]
      vars: {cpn-rate: 100mbit, cpn-jitter: 500us}
`);
    assert.deepEqual(links[0]!.impairment, { delayMs: 20, jitterMs: 0, lossPercent: 0.5, rateBps: 0 });
    assert.deepEqual(links[1]!.impairment, { delayMs: 0, jitterMs: 0.5, lossPercent: 0, rateBps: 1e8 });
  });

  test('fills in magic variables, the environment and env-files', () => {
    const topology = parse(
      `
name: \${LAB:-fallback}
topology:
  defaults: {kind: linux, env-files: [values.env], exec: ["echo __clabNodeName__ __clabLabName__ \${UNSET} \${SET}"]}
  nodes: {r1: {env: {B: 3}}}
`,
      { SET: 'yes' },
    );
    assert.equal(topology.name, 'fallback');
    assert.deepEqual(topology.nodes.get('r1')!.exec, ['echo r1 clab-fallback ${UNSET} yes']);
    assert.deepEqual(topology.nodes.get('r1')!.env, { A: 'from file', B: '3' });
  });

  test('warns of what containerlab knows and namespaces have no use for, with its line', () => {
    const { warnings } = parse(`
name: warned
mgmt: {network: foo}
topology:
  nodes:
    r1:
      kind: linux
      image-pull-policy: never
      ports: ["80:80"]
`);
    assert.deepEqual(warnings, [`${file}:3: mgmt has no effect on namespaces`, `${file}:9: topology.nodes.r1.ports has no effect on namespaces`]);
  });
});

/** Each faulty text, with the line and the field its one problem must name and a part of what it must say. */
const faults: readonly (readonly [title: string, text: string, line: number, field: string, says: RegExp])[] = [
  ['an unknown field of a node', 'name: x\ntopology:\n  nodes:\n    r1:\n      kind: linux\n      imagee: foo', 6, 'topology.nodes.r1.imagee', /unknown field; expected one of kind, image/],
  ['an unknown field of the file', 'name: x\nnodes: {}\ntopology:\n  nodes: {r1: {kind: linux}}', 2, 'nodes', /unknown field; expected one of name, topology/],
  ['an unknown field of a link', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - endpoints: ["a:e", "b:e"]\n      delay: 20ms', 6, 'topology.links[0].delay', /unknown field; expected one of type, endpoints/],
  ['an unknown field of an endpoint', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - type: veth\n      endpoints:\n        - {node: a, interface: e}\n        - {node: b, iface: e, interface: f}', 8, 'topology.links[0].endpoints[1].iface', /unknown field/],
  ['a missing name', 'topology:\n  nodes: {r1: {kind: linux}}', 1, 'name', /expected string/],
  ['a name that is no file name', 'name: ../x\ntopology:\n  nodes: {r1: {kind: linux}}', 1, 'name', /expected letters, digits/],
  ['a list of nodes', 'name: x\ntopology:\n  nodes: [r1]', 3, 'topology.nodes', /expected record/],
  ['a kind that needs containers', 'name: x\ntopology:\n  nodes:\n    r1:\n      kind: nokia_srlinux', 5, 'topology.nodes.r1.kind', /"nokia_srlinux" cannot run on namespaces; expected linux or bridge/],
  ['no kind at all', 'name: x\ntopology:\n  nodes:\n    r1:\n      image: foo', 4, 'topology.nodes.r1', /no kind; expected kind: linux/],
  ['a node that is a text', 'name: x\ntopology:\n  nodes:\n    r1: linux', 4, 'topology.nodes.r1', /expected object/],
  ['exec that is no list', 'name: x\ntopology:\n  nodes:\n    r1:\n      kind: linux\n      exec: ls', 6, 'topology.nodes.r1.exec', /expected array/],
  ['an exec line with an open quote', 'name: x\ntopology:\n  nodes:\n    r1:\n      kind: linux\n      exec:\n        - ls\n        - echo "x', 8, 'topology.nodes.r1.exec[1]', /a quote is not closed/],
  ['a bind without a target', 'name: x\ntopology:\n  nodes:\n    r1:\n      kind: linux\n      binds: [r1.conf]', 6, 'topology.nodes.r1.binds[0]', /expected "source:\/absolute\/target\[:ro\]"/],
  ['a bind of a missing file', 'name: x\ntopology:\n  nodes:\n    r1:\n      kind: linux\n      binds: ["missing:/etc/x"]', 6, 'topology.nodes.r1.binds[0]', /missing does not exist/],
  ['an unknown group', 'name: x\ntopology:\n  groups: {edge: {}}\n  nodes:\n    r1:\n      kind: linux\n      group: egde', 7, 'topology.nodes.r1.group', /unknown group "egde"; expected one of edge/],
  ['a link to an unknown node', 'name: x\ntopology:\n  nodes: {a: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1", "b:eth1"]', 5, 'topology.links[0].endpoints[1]', /unknown node "b"/],
  ['a link to the host', 'name: x\ntopology:\n  nodes: {a: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1", "host:eth1"]', 5, 'topology.links[0].endpoints[1]', /"host" have no meaning on namespaces/],
  ['a link with one endpoint', 'name: x\ntopology:\n  nodes: {a: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1"]', 5, 'topology.links[0].endpoints', /expected exactly two endpoints/],
  ['an endpoint without interface', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1", "b"]', 5, 'topology.links[0].endpoints[1]', /expected "node:interface"/],
  ['an interface name that is too long', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1", "b:ethernet123456789"]', 5, 'topology.links[0].endpoints[1]', /expected 1 to 15 characters/],
  ['an interface used twice', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1", "b:eth1"]\n    - endpoints: ["a:eth1", "b:eth2"]', 6, 'topology.links[1].endpoints[0]', /a:eth1 is used by another link/],
  ['a link type for container hosts', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - type: vxlan\n      endpoints: ["a:eth1", "b:eth1"]', 5, 'topology.links[0].type', /expected veth or no type/],
  ['a delay without unit', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1", "b:eth1"]\n      labels: {cpn-delay: 20}', 6, 'topology.links[0].labels.cpn-delay', /expected a delay .* such as 20ms.*found "20"/],
  ['a loss above 100%', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1", "b:eth1"]\n      labels: {cpn-loss: 101%}', 6, 'topology.links[0].labels.cpn-loss', /expected a share from 0% to 100%/],
  ['an unknown impairment', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1", "b:eth1"]\n      vars:\n        cpn-latency: 20ms', 7, 'topology.links[0].vars.cpn-latency', /unknown impairment; expected one of cpn-delay/],
  ['an address without prefix length', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1", "b:eth1"]\n      ipv6: ["fd00::1", "fd00::2/64"]', 5, 'topology.links[0].endpoints[0]', /expected an address with prefix length/],
  ['an impossible MTU', 'name: x\ntopology:\n  nodes: {a: {kind: linux}, b: {kind: linux}}\n  links:\n    - endpoints: ["a:eth1", "b:eth1"]\n      mtu: 20', 6, 'topology.links[0].mtu', />=68/],
  ['YAML that is none', 'name: x\ntopology:\n  nodes: {a: {kind: linux}', 3, '', /flow (map|collection)|expected/i],
  ['a key given twice', 'name: x\nname: y\ntopology:\n  nodes: {r1: {kind: linux}}', 2, '', /unique/],
];

describe('a faulty topology file is refused with file, line, field and what was expected:', () => {
  for (const [title, text, line, field, says] of faults) {
    test(title, () => {
      assert.throws(
        () => parse(text),
        (error) => {
          assert.ok(error instanceof TopologyError);
          assert.equal(error.problems.length, 1, error.message);
          const [problem] = error.problems;
          assert.deepEqual({ line: problem!.line, field: problem!.field }, { line, field }, error.message);
          assert.match(problem!.message, says);
          assert.ok(error.message.startsWith(`${file}:${line}: `));
          return true;
        },
      );
    });
  }

  test('several faults at once are all named', () => {
    assert.throws(
      () => parse('name: x\ntopology:\n  nodes:\n    a: {kind: foo}\n    b: {kind: linux, what: 1}\n  links:\n    - endpoints: ["a:e", "c:e"]'),
      (error) => error instanceof TopologyError && error.problems.map((p) => p.line).join() === '5,4,7',
    );
  });

  test('a file that is not there', () => {
    assert.throws(() => readTopology(join(folder, 'none.clab.yml')), /none\.clab\.yml:1: cannot be read: ENOENT/);
  });

  test('a file of anything is read or refused, nothing else', () => {
    const word = fc.constantFrom('name', 'topology', 'nodes', 'links', 'kind', 'linux', 'endpoints', 'a:eth1', 'binds', 'x', '{', '}', '[', ']', ':', '- ', '\n', '\n  ', '\n    ', '&a', '*a', '"', '<<', '20ms');
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        try {
          parse(words.join(''));
        } catch (error) {
          assert.ok(error instanceof TopologyError, String(error));
        }
      }),
      { numRuns: 300 },
    );
  });
});
