import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it, type TestContext } from 'node:test';
import { Client, credentials, type ChannelCredentials, Metadata, status, type ClientDuplexStream, type ServiceError } from '@grpc/grpc-js';
import { Tokens } from '../../../daemon/awareness/registration/credentials.js';
import type { NodeMessage, RouterMessage } from '../../../daemon/awareness/registration/types.js';
import { StateFile } from '../../../daemon/awareness/registration/state-file.js';
import { systemClock } from '../../../daemon/clock.js';
import { RegistrationServer } from '../../../daemon/northbound/registration.js';
import { registrationMethods } from '../../../proto/methods.js';
import { description, offer, OTHER, Scene, SERVICE, update } from '../awareness/registration/support.js';

const folder = mkdtempSync(join(tmpdir(), 'registration-'));
after(() => rmSync(folder, { recursive: true }));
const tls = (name: string): string => new URL(`../../../../containerlab/agent/tls/${name}`, import.meta.url).pathname;
let count = 0;

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '::1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

interface Served {
  readonly scene: Scene;
  readonly target: string;
}

async function serve(t: TestContext, options: { readonly tokens?: string; readonly tcp?: 'token' | 'certificate' } = {}): Promise<Served> {
  const scene = new Scene();
  const port = options.tcp === undefined ? 0 : await freePort();
  const target = port === 0 ? `unix://${join(folder, `${count++}.sock`)}` : `[::1]:${port}`;
  const server = await RegistrationServer.start({
    config: { listen: [target], tls: { certificate: tls('exit1.crt'), key: tls('exit1.key'), clientCa: options.tcp === 'certificate' ? tls('ca.crt') : undefined } },
    registry: scene.registry,
    tokens: () => Tokens.parse(options.tokens ?? '', 'tokens.yaml'),
    clock: systemClock,
    onFault: (error) => {
      throw error;
    },
  });
  t.after(() => server.close());
  return { scene, target };
}

/** One node's stream, as a test drives it. */
class Node {
  readonly answers: RouterMessage[] = [];
  readonly end: Promise<{ readonly code: status; readonly details: string }>;
  private readonly client: Client;
  readonly call: ClientDuplexStream<NodeMessage, RouterMessage>;
  private wake: () => void = () => undefined;

  constructor(t: TestContext, target: string, token?: string, channel: ChannelCredentials = credentials.createInsecure()) {
    const { path, requestSerialize, responseDeserialize } = registrationMethods.attach;
    this.client = new Client(target, channel, { 'grpc.ssl_target_name_override': 'exit1.cpn.test', 'grpc.default_authority': 'exit1.cpn.test', 'grpc.enable_http_proxy': 0 });
    const metadata = new Metadata();
    if (token !== undefined) metadata.set('authorization', `Bearer ${token}`);
    this.call = this.client.makeBidiStreamRequest(path, requestSerialize, responseDeserialize, metadata);
    this.call.on('data', (answer: RouterMessage) => {
      this.answers.push(answer);
      this.wake();
    });
    this.end = new Promise((resolve) => {
      this.call.on('error', ({ code, details }: ServiceError) => resolve({ code, details }));
      this.call.on('end', () => resolve({ code: status.OK, details: '' }));
    });
    t.after(() => this.client.close());
  }

  async answer(index: number): Promise<RouterMessage> {
    while (this.answers.length <= index) {
      const ended = await Promise.race([new Promise<undefined>((resolve) => (this.wake = () => resolve(undefined))), this.end]);
      if (ended) throw new Error(`${status[ended.code]}: ${ended.details}`);
    }
    return this.answers[index]!;
  }

  async refusal(): Promise<string> {
    const { code, details } = await this.end;
    return `${status[code]}: ${details}`;
  }
}

const secret = 'a secret that is long enough';
const tokens = `node1: "${secret}"\nnode2: "another secret of node2"\n`;

describe('registration over gRPC', () => {
  it('goes through the five steps on a unix socket for owner and group', async (t) => {
    const { scene, target } = await serve(t);
    assert.equal(statSync(target.slice('unix://'.length)).mode & 0o777, 0o660);
    const node = new Node(t, target);
    node.call.write({ register: description(scene.clock) });
    const { parameters } = await node.answer(0);
    assert.equal(parameters!.leaseMs, 10_000);
    assert.equal(parameters!.services[0]!.service, SERVICE);
    assert.equal(scene.node().authenticated, 'socket');
    node.call.write({ update: update(scene.clock, { memoryFree: 77n }) });
    while (scene.node().memoryFree !== 77n) await new Promise((resolve) => setImmediate(resolve));
    node.call.write({ logOut: { reason: 'done' } });
    assert.equal((await node.end).code, status.OK);
    assert.deepEqual(scene.announced, []);
  });

  it('leaves the lease running when a stream breaks', async (t) => {
    const { scene, target } = await serve(t);
    const node = new Node(t, target);
    node.call.write({ register: description(scene.clock) });
    await node.answer(0);
    node.call.cancel();
    while (scene.node().state !== 'lost') await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(scene.announced, [SERVICE]);
  });

  it('takes a token over TLS, and refuses wrong, missing and borrowed ones without repeating them', async (t) => {
    const { scene, target } = await serve(t, { tokens, tcp: 'token' });
    const channel = (): ChannelCredentials => credentials.createSsl(readFileSync(tls('ca.crt')));
    const good = new Node(t, target, secret, channel());
    good.call.write({ register: description(scene.clock) });
    await good.answer(0);
    assert.equal(scene.node().authenticated, 'token');
    for (const [token, expected] of [['a wrong secret, long enough', /the token is not that of the node/], [undefined, /a token is needed/], ['another secret of node2', /the token is not that of the node/]] as const) {
      const bad = new Node(t, target, token, channel());
      bad.call.write({ register: description(scene.clock) });
      assert.match(await bad.refusal(), new RegExp(`^UNAUTHENTICATED: ${expected.source}`));
    }
    assert.equal(scene.registry.counters.refusedNodes, 3n);
    assert.equal(scene.node().state, 'attached', 'the rightful node feels nothing of it');
    const told = JSON.stringify([scene.events.since(), scene.registry.list()], (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
    assert.doesNotMatch(told, /secret/);
  });

  it('takes the node from the certificate, and lets nobody in without one', async (t) => {
    const { scene, target } = await serve(t, { tcp: 'certificate' });
    const [ca, key, certificate] = ['ca.crt', 'node21.key', 'node21.crt'].map((name) => readFileSync(tls(name)));
    const node = new Node(t, target, undefined, credentials.createSsl(ca, key, certificate));
    node.call.write({ register: description(scene.clock) });
    assert.match(await node.refusal(), /^PERMISSION_DENIED: the credentials are those of node21, not of node1/);
    const stranger = new Node(t, target, undefined, credentials.createSsl(ca));
    stranger.call.write({ register: description(scene.clock) });
    assert.match(await stranger.refusal(), /^UNAVAILABLE/);
    assert.deepEqual(scene.registry.list(), []);
  });

  it('refuses what is no registration, and goes on with the others', async (t) => {
    const { scene, target } = await serve(t);
    const good = new Node(t, target);
    good.call.write({ register: description(scene.clock) });
    await good.answer(0);
    const early = new Node(t, target);
    early.call.write({ update: update(scene.clock) });
    assert.match(await early.refusal(), /^INVALID_ARGUMENT: expected a registration first/);
    const garbage = new Client(target, credentials.createInsecure());
    t.after(() => garbage.close());
    const raw = garbage.makeBidiStreamRequest(registrationMethods.attach.path, (bytes: Buffer) => bytes, (bytes) => bytes);
    const ended = new Promise<ServiceError>((resolve) => raw.on('error', resolve));
    raw.write(Buffer.from('ffffffffffff', 'hex'));
    assert.notEqual((await ended).code, status.OK);
    good.call.write({ update: update(scene.clock, { memoryFree: 5n }) });
    while (scene.node().memoryFree !== 5n) await new Promise((resolve) => setImmediate(resolve));
  });

  it('ends the stream of a node that sends 10,000 updates at once, while another is served', async (t) => {
    const { scene, target } = await serve(t);
    const flood = new Node(t, target);
    flood.call.write({ register: description(scene.clock) });
    await flood.answer(0);
    const calm = new Node(t, target);
    calm.call.write({ register: description(scene.clock, { node: 'node2', services: [offer({ service: OTHER, address: '2001:db8:b:2::2' })] }) });
    await calm.answer(0);
    for (let i = 0; i < 10_000; i++) flood.call.write({ update: update(scene.clock) });
    calm.call.write({ update: update(scene.clock, { memoryFree: 9n }) });
    assert.match(await flood.refusal(), /^RESOURCE_EXHAUSTED/);
    while (scene.node('node2').memoryFree !== 9n) await new Promise((resolve) => setImmediate(resolve));
    assert.equal(scene.node().state, 'lost');
    assert.deepEqual(scene.announced, [SERVICE, OTHER]);
  });
});

describe('the file of registrations', () => {
  const faults: string[] = [];
  const file = (path: string): StateFile => new StateFile(path, systemClock, (text) => faults.push(text));

  it('brings back what was written, with every type', () => {
    const scene = new Scene();
    scene.attach({ location: { latitude: 52.5, longitude: -13.25 }, storage: [{ name: '/', ability: 'file', quality: 'ssd', total: 1n << 50n, residual: 3n, readRate: 0n, writeRate: 0n }], algorithms: [7] });
    const path = join(folder, 'deep', 'state.json');
    file(path).flush(scene.registry.snapshot());
    assert.deepEqual(file(path).read(), scene.registry.snapshot());
    assert.equal(statSync(path).mode & 0o777, 0o640);
    assert.deepEqual(new Scene({}, file(path).read()).announced, [SERVICE]);
  });

  it('is put aside when it makes no sense, and the router starts without it', () => {
    for (const text of ['', '{', '{"version":1,"nodes":[{}]}', '{"version":2,"nodes":[]}', 'null', '{"version":1,"nodes":[{"description":{"node":5},"services":"x"}]}']) {
      const path = join(folder, 'bad.json');
      writeFileSync(path, text);
      assert.deepEqual(file(path).read(), [], text);
      assert.equal(readFileSync(`${path}.unreadable`, 'utf8'), text);
    }
    assert.deepEqual(file(join(folder, 'none.json')).read(), []);
    assert.equal(faults.length, 6);
  });
});

it('the certificates of the scenario are good for years', () => {
  execFileSync('openssl', ['verify', '-CAfile', tls('ca.crt'), tls('exit1.crt'), tls('node21.crt')]);
});
