import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Agent } from '../../../daemon/agent/agent.js';
import { parseAgentConfig } from '../../../daemon/agent/config.js';
import type { ChipUse, Sample, Source } from '../../../daemon/agent/sample.js';
import type { StreamEnd } from '../../../daemon/agent/session.js';
import type { NodeMessage, NodeParameters, RouterMessage } from '../../../daemon/awareness/registration/types.js';
import { ManualClock } from '../../../daemon/clock.js';
import { createLogger } from '../../../daemon/log.js';

const SERVICE = '2001:db8:5e::1';
const parsed = parseAgentConfig(`
node: {id: node1}
router: {target: "unix:///run/cpn/registration.sock"}
services:
  - {service: "${SERVICE}", address: "2001:db8:b:1::2"}
`);
assert.ok(parsed.ok);
const { config } = parsed;

const parameters = (report: readonly string[] = ['computing', 'memory', 'storage', 'interfaces', 'load']): NodeParameters => ({
  router: 'exit1',
  resumed: false,
  leaseMs: 10_000,
  updateIntervalMs: 1000,
  threshold: 0.02,
  report,
  activationTimeoutMs: 5000,
  healthCheck: { intervalMs: 0, timeoutMs: 0, fall: 0, rise: 0 },
  services: [],
});

/** One stream of the agent to a router that answers every registration. */
interface Stream {
  readonly sent: NodeMessage[];
  readonly answer: (message: RouterMessage) => void;
  readonly end: (end: StreamEnd) => void;
  closed: boolean;
}

class FakeSource implements Source {
  readonly name = 'fake';
  sample: Partial<Sample> | undefined;

  constructor(sample: Partial<Sample>) {
    this.sample = sample;
  }

  read(): Promise<Partial<Sample>> {
    return this.sample ? Promise.resolve(this.sample) : Promise.reject(new Error('gone'));
  }
}

const cpu: ChipUse = { kind: 'cpu', model: 'EPYC', count: 1, cores: 8, clockHz: 3e9, usable: 1, free: 0.5 };
const gpu: ChipUse = { kind: 'gpu', model: 'Tesla T4', count: 1, cores: 2560, clockHz: 1.59e9, usable: 1, free: 1 };
const chips = (...list: ChipUse[]): Partial<Sample> => ({ chips: new Map(list.map((chip) => [`${chip.kind} ${chip.model}`, chip])) });

class Scene {
  readonly clock = new ManualClock();
  readonly streams: Stream[] = [];
  readonly agent: Agent;

  constructor(
    sources: readonly Source[],
    private readonly report?: readonly string[],
  ) {
    this.agent = new Agent(config, {
      clock: this.clock,
      log: createLogger('node1', 'fatal'),
      sources,
      dial: ({ message, ended }) => {
        const stream: Stream = { sent: [], answer: message, end: ended, closed: false };
        this.streams.push(stream);
        return {
          send: (said) => {
            stream.sent.push(said);
            if (said.register) message({ parameters: parameters(this.report) });
          },
          close: () => (stream.closed = true),
        };
      },
    });
  }

  /** Lets an interval pass, and what follows from it. */
  async pass(seconds = 1): Promise<void> {
    for (let second = 0; second < seconds; second++) {
      this.clock.advance(1000);
      for (let turn = 0; turn < 10; turn++) await Promise.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  get updates() {
    return this.streams.at(-1)!.sent.flatMap(({ update }) => (update ? [update] : []));
  }
}

describe('the agent', () => {
  it('registers anew when a chip comes that was not registered, on a stream that takes the place of the first', async () => {
    const source = new FakeSource(chips(cpu));
    const scene = new Scene([source]);
    await scene.agent.start();
    await scene.pass();
    source.sample = chips(cpu, gpu);
    await scene.pass(2);
    assert.equal(scene.streams.length, 2);
    assert.deepEqual(scene.streams[1]!.sent[0]!.register!.chips.map(({ kind }) => kind), ['cpu', 'gpu']);
    assert.equal(scene.streams[0]!.closed, true);
    assert.ok(scene.streams[0]!.sent.every(({ update }) => !update?.computing.some(({ chip }) => chip === 'gpu')), 'the router could not have believed it');
    // What the old stream says at its end changes nothing.
    scene.streams[0]!.end({ reason: 'another stream of this node took its place', refused: false });
    await scene.pass(3);
    assert.equal(scene.streams.length, 2);
    // The clock of a GPU changes all the time.
    source.sample = chips(cpu, { ...gpu, clockHz: 3e8 });
    await scene.pass(3);
    assert.equal(scene.streams.length, 2);
    await scene.agent.stop('');
  });

  it('tries again when the new registration fails, as after any other end', async () => {
    const source = new FakeSource(chips(cpu));
    const scene = new Scene([source]);
    await scene.agent.start();
    source.sample = chips(cpu, gpu);
    await scene.pass(2);
    scene.streams[1]!.end({ reason: 'broken', refused: false });
    await scene.pass(2);
    assert.equal(scene.streams.length, 3);
    await scene.agent.stop('');
  });

  it('forgets what a source said once it has failed for long, and says that nothing is left', async () => {
    const exporter = new FakeSource({ computing: new Map([['neural npu', { total: 1e12, residual: 5e11 }]]), services: new Map([[SERVICE, { utilisation: 0.9 }]]) });
    const scene = new Scene([new FakeSource({ ...chips(cpu), interfaces: new Map([['eth0', { name: 'eth0', capacity: 10n ** 9n, available: 10n ** 9n }]]) }), exporter]);
    await scene.agent.start();
    await scene.pass();
    exporter.sample = undefined;
    await scene.pass(5);
    assert.ok(scene.updates.every(({ computing }) => !computing.some(({ chip }) => chip === 'npu')), 'a short failure changes nothing');
    await scene.pass(8);
    const told = scene.updates.flatMap(({ computing }) => computing).filter(({ chip }) => chip === 'npu');
    assert.deepEqual(told, [{ class: 'neural', chip: 'npu', total: 0n, residual: 0n }]);
    // The load of the service is that of the node again.
    assert.equal(scene.updates.flatMap(({ services }) => services).at(-1)!.load!.utilisation, 5000);
    exporter.sample = { computing: new Map([['neural npu', { total: 1e12, residual: 5e11 }]]) };
    await scene.pass(2);
    assert.equal(scene.updates.flatMap(({ computing }) => computing).at(-1)!.total, 1_000_000_000_000n);
    await scene.agent.stop('');
  });

  it('tells what the router wants to hear and no more', async () => {
    const source = new FakeSource({ ...chips(cpu), memory: { total: 100, free: 50 } });
    const scene = new Scene([source], ['memory']);
    await scene.agent.start();
    await scene.pass();
    source.sample = { ...chips({ ...cpu, free: 0.1 }), memory: { total: 100, free: 10 } };
    await scene.pass();
    const changes = scene.updates.filter(({ memoryFree, computing, services }) => memoryFree !== undefined || computing.length > 0 || services.length > 0);
    assert.deepEqual(changes.map(({ memoryFree, computing, services }) => [memoryFree, computing.length, services.length]), [[10n, 0, 0]]);
    await scene.agent.stop('');
  });
});
