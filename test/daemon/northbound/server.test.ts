import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Client, credentials, status, type ServiceError } from '@grpc/grpc-js';
import protobuf from 'protobufjs';
import { NorthboundServer, socketPath } from '../../../daemon/northbound/server.js';
import { toStatus } from '../../../daemon/northbound/transport.js';
import { FacadeError } from '../../../daemon/northbound/facade.js';
import { bfdMethods, bgpMethods, bgpPolicyMethods, computingMethods, modelMethods, networkMethods, nodeMethods, ospfMethods, registrationMethods, routerMethods, telemetryMethods, watchMethods, type Method } from '../../../proto/methods.js';
import { FakeFacade } from './fake-facade.js';

const folder = mkdtempSync(join(tmpdir(), 'northbound-'));
after(() => rmSync(folder, { recursive: true }));

const call = <Q extends object, A extends object>(path: string, method: Method<Q, A>, request: Q): Promise<A> =>
  new Promise((resolve, reject) => {
    const client = new Client(`unix://${path}`, credentials.createInsecure());
    client.makeUnaryRequest(method.path, method.requestSerialize, method.responseDeserialize, request, (error: ServiceError | null, answer) => {
      client.close();
      if (error) reject(error);
      else resolve(answer!);
    });
  });

describe('the API server', () => {
  it('listens on a socket for owner and group, and removes it when it ends', async () => {
    const path = join(folder, 'deep', 'mode.sock');
    const server = await NorthboundServer.start(new FakeFacade(), { listen: `unix://${path}` });
    assert.equal(statSync(path).mode & 0o777, 0o660);
    assert.equal((await call(path, routerMethods.getStatus, {})).name, 'entry');
    server.close();
    while (existsSync(path)) await new Promise((resolve) => setImmediate(resolve));
  });

  it('does not take a socket away on which somebody answers', async () => {
    const path = join(folder, 'taken.sock');
    const first = await NorthboundServer.start(new FakeFacade(), { listen: `unix://${path}` });
    await assert.rejects(NorthboundServer.start(new FakeFacade(), { listen: `unix://${path}` }), /another process answers/);
    assert.equal((await call(path, routerMethods.getStatus, {})).name, 'entry');
    first.close();
  });

  it('replaces a socket that a killed daemon left', async () => {
    const path = join(folder, 'stale.sock');
    const child = spawn(process.execPath, ['-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('ready'))`]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    child.kill('SIGKILL');
    await new Promise((resolve) => child.once('close', resolve));
    assert.ok(existsSync(path));
    const server = await NorthboundServer.start(new FakeFacade(), { listen: `unix://${path}` });
    assert.equal((await call(path, routerMethods.getStatus, {})).name, 'entry');
    server.close();
  });

  it('refuses to remove a file that is no socket, and targets that are no unix socket', async () => {
    const path = join(folder, 'file');
    writeFileSync(path, 'precious');
    await assert.rejects(NorthboundServer.start(new FakeFacade(), { listen: `unix://${path}` }), /is not a socket/);
    assert.equal(readFileSync(path, 'utf8'), 'precious');
    await assert.rejects(NorthboundServer.start(new FakeFacade(), { listen: '0.0.0.0:50051' }), /not unix/);
    assert.deepEqual(['unix:///run/x', 'unix:/run/x', 'unix://run/x', 'tcp://x'].map(socketPath), ['/run/x', '/run/x', undefined, undefined]);
  });

  it('tells the client what a request lacks, and the log what the daemon did wrong', async () => {
    const path = join(folder, 'errors.sock');
    const faults: [string, unknown][] = [];
    const server = await NorthboundServer.start(new FakeFacade(), { listen: `unix://${path}`, onFault: (method, error) => faults.push([method, error]) });
    const failure = async (promise: Promise<unknown>): Promise<[number, string]> => {
      const error = await promise.then(
        () => undefined,
        (reason: unknown) => reason as ServiceError,
      );
      assert.ok(error, 'answered');
      return [error.code, error.details];
    };
    assert.deepEqual(await failure(call(path, bgpMethods.listNeighbors, { address: 'x' })), [status.INVALID_ARGUMENT, 'neighbor: "x" is not an IP address']);
    assert.deepEqual(await failure(call(path, bgpMethods.listNeighbors, { address: '::9' })), [status.NOT_FOUND, 'no neighbor ::9']);
    assert.deepEqual(await failure(call(path, computingMethods.drain, { instance: { service: undefined, id: 0 }, draining: true, graceMs: 0 })), [status.INVALID_ARGUMENT, 'instance: an instance id from 1 to 4294967295 is needed']);
    assert.equal(faults.length, 0);
    const update = { instance: { service: undefined, id: 77 }, computing: [], load: undefined, serviceDelay: undefined, health: undefined };
    assert.deepEqual(await failure(call(path, computingMethods.updateInstance, update)), [status.INTERNAL, 'internal error: a bug']);
    assert.deepEqual(faults.map(([method]) => method), ['/cpn.v1.ComputingService/UpdateInstance']);
    const busy = { ...update, load: { utilisation: 10_001, queueLength: undefined, activeFlows: undefined } };
    assert.deepEqual((await failure(call(path, computingMethods.updateInstance, busy)))[0], status.INVALID_ARGUMENT);
    const none = { maxLatencyUs: undefined, computing: undefined, stickiness: undefined, storage: undefined, network: undefined, algorithm: undefined, objective: undefined };
    const explain = (requirements: object): Promise<unknown> =>
      call(path, computingMethods.explain, { service: '2001:db8::1', from: undefined, requirements: { ...none, ...requirements }, workload: undefined, dataSize: undefined });
    await explain({});
    for (const wrong of [{ computing: { class: 'quantum', minOps: 1n } }, { stickiness: { mode: 'glue', seconds: 1 } }, { storage: { ability: 'tape', minOctets: 1n } }, { algorithm: 65_536 }, { objective: { latency: 256, energy: 0, utilisation: 0, price: 0 } }]) {
      assert.equal((await failure(explain(wrong)))[0], status.INVALID_ARGUMENT, JSON.stringify(Object.keys(wrong)));
    }
    server.close();
  });

  it('maps every refusal to a status of its own', () => {
    const codes = (['notFound', 'invalid', 'notConfigured', 'unavailable'] as const).map((code) => toStatus(new FacadeError(code, 'x')).code);
    assert.deepEqual(codes, [status.NOT_FOUND, status.INVALID_ARGUMENT, status.FAILED_PRECONDITION, status.UNAVAILABLE]);
  });
});

describe('the method table', () => {
  it('has every method of the .proto files, with its streaming and its types', () => {
    const proto = fileURLToPath(new URL('../../../../proto/', import.meta.url));
    const root = new protobuf.Root();
    root.resolvePath = (_origin, target) => join(proto, target.replace(/^.*proto\/(?=cpn)/, ''));
    root.loadSync(readdirSync(join(proto, 'cpn/v1')).map((file) => `cpn/v1/${file}`));
    const defined = new Map<string, boolean>();
    for (const service of (root.lookup('cpn.v1') as protobuf.Namespace).nestedArray) {
      if (!(service instanceof protobuf.Service)) continue;
      for (const method of service.methodsArray) defined.set(`/cpn.v1.${service.name}/${method.name}`, method.responseStream === true);
    }
    const table = [routerMethods, bgpMethods, bgpPolicyMethods, computingMethods, modelMethods, networkMethods, watchMethods, registrationMethods, nodeMethods, telemetryMethods, ospfMethods, bfdMethods].flatMap((methods) => Object.values(methods) as { path: string; responseStream: boolean }[]);
    assert.deepEqual(new Map(table.map((method) => [method.path, method.responseStream])), defined);
    assert.ok(defined.size > 34);
  });
});
