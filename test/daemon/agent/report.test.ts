import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAgentConfig, type AgentConfig } from '../../../daemon/agent/config.js';
import { parseField, sampleOf } from '../../../daemon/agent/fields.js';
import { describe as describeNode, nodeState, told, updateOf } from '../../../daemon/agent/report.js';
import { combine, type ChipUse } from '../../../daemon/agent/sample.js';

const SERVICE = '2001:db8:5e::1';
const text = `
node: {id: node1}
router: {target: "unix:///run/cpn/registration.sock"}
services:
  - {service: "${SERVICE}", address: "2001:db8:b:1::2", serviceRate: 10}
`;

function config(more = ''): AgentConfig {
  const result = parseAgentConfig(text + more);
  assert.ok(result.ok);
  return result.config;
}

const cpu: ChipUse = { kind: 'cpu', model: 'EPYC', count: 1, cores: 8, clockHz: 3e9, operationsPerCycle: { parallel: 32 }, usable: 0.5, free: 0.125 };
const running = new Map([[SERVICE, { state: 'active' as const, reason: '' }]]);
const values = (entries: Record<string, number>) => sampleOf(Object.entries(entries).map(([name, value]) => [parseField(name)!, value] as const), []);

describe('what the node tells', () => {
  it('is what may be used, and what of that is free now', () => {
    const { computing } = nodeState(config(), combine([{ chips: new Map([['cpu', cpu]]) }]), running);
    assert.deepEqual(computing, [
      { class: 'logical', chip: 'cpu', total: 48_000_000_000n, residual: 12_000_000_000n },
      { class: 'parallel', chip: 'cpu', total: 384_000_000_000n, residual: 96_000_000_000n },
    ]);
  });

  it('takes utilisation, capacities and service figures from later sources in place of earlier ones', () => {
    const sample = combine([{ chips: new Map([['cpu', cpu]]) }, values({ 'cpu.utilisation': 0.25, 'computing.neural.npu.total': 1e12, 'computing.neural.npu.residual': 4e11, [`service.${SERVICE}.queueLength`]: 7, [`service.${SERVICE}.p99Us`]: 900 })]);
    const state = nodeState(config('capacity: {"parallel cpu": 1T}\n'), sample, running);
    assert.deepEqual(state.computing.find((entry) => entry.class === 'parallel'), { class: 'parallel', chip: 'cpu', total: 1_000_000_000_000n, residual: 750_000_000_000n });
    assert.deepEqual(state.computing.find((entry) => entry.class === 'neural'), { class: 'neural', chip: 'npu', total: 1_000_000_000_000n, residual: 400_000_000_000n });
    assert.deepEqual(state.services.get(SERVICE)!.load, { utilisation: 6000, queueLength: 7, activeFlows: 0 });
    assert.equal(describeNode(config(), state, 5).services[0]!.serviceDelay!.p99Us, 900);
  });

  it('is told again only beyond the threshold, against what was told and not what was last', () => {
    const at = (busy: number) => nodeState(config(), combine([{ chips: new Map([['cpu', { ...cpu, usable: 1, free: 1 - busy }]]) }]), running);
    let known = at(0.1);
    assert.equal(updateOf(known, at(0.105), 0.02, 1), undefined);
    let told_ = 0;
    for (let busy = 0.1; busy < 0.5; busy += 0.005) {
      const update = updateOf(known, at(busy), 0.02, 1);
      if (!update) continue;
      known = told(known, update, at(busy));
      told_++;
    }
    assert.ok(told_ >= 15 && told_ <= 20, `a slow drift is told in steps of the threshold: ${told_}`);
  });

  it('leaves numbers out that are none, and says which', () => {
    const faults: string[] = [];
    const sample = sampleOf([[parseField('memory.free')!, NaN], [parseField('memory.total')!, -5], [parseField('cpu.utilisation')!, 3]], faults);
    assert.deepEqual(sample.memory, {});
    assert.equal(sample.utilisation!.get('cpu'), 1);
    assert.equal(faults.length, 2);
  });
});

describe('the configuration of the agent', () => {
  const errors = (more: string, base = text): string => {
    const result = parseAgentConfig(base + more, 'agent.yaml');
    assert.ok(!result.ok);
    return result.errors.map(({ line, field, expected, found }) => `${line} ${field}: ${expected}, ${found}`).join('\n');
  };

  it('names line, field and what was expected', () => {
    assert.match(errors('sources: {linux: {interface: [eth0]}}\n'), /6 sources\.linux\.interface: a known field; did you mean interfaces\?/);
    assert.match(errors('sources: {prometheus: [{url: "http://[::1]:9090", queries: {"cpu.usage": "x"}}]}\n'), /queries/);
    assert.match(errors('', text.replace('unix:///run/cpn/registration.sock', '[::1]:7443')), /3 router\.tls: ca, since the router is reached by TCP/);
    assert.match(errors(`  - {service: "${SERVICE}", address: "2001:db8:b:1::3"}\n`), /services\[1\]\.service: a service that no other entry has/);
    assert.match(errors(`  - {service: "2001:db8:5e::2", address: "2001:db8:b:1::2", mode: on-demand}\n`), /services\[1\]\.mode: a way to run it/);
    assert.match(errors(`  - {service: "2001:db8:5e::2", address: "2001:db8:5e::2"}\n`), /an address of the node itself/);
  });

  it('has fields by name, and none for other words', () => {
    assert.deepEqual(parseField('service.2001:DB8::1.queueLength'), { kind: 'service', of: '2001:db8::1', value: 'queueLength' });
    assert.deepEqual(parseField('service.192.0.2.1.meanUs'), { kind: 'service', of: '192.0.2.1', value: 'meanUs' });
    for (const name of ['', 'memory', 'memory.x.free', 'cpu.free', 'computing.parallel.total', 'service.x.queueLength', 'constructor.total', '__proto__.total']) assert.equal(parseField(name), undefined, name);
  });
});
