/** HTTP and gRPC checks against real servers on the loopback interface. */
import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { Server as GrpcServer, ServerCredentials, status, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import fc from 'fast-check';
import type { Probe } from '../../../daemon/awareness/health/check.js';
import { decodeHealthResponse, encodeHealthRequest, grpcProbe } from '../../../daemon/awareness/health/grpc.js';
import { httpProbe } from '../../../daemon/awareness/health/http.js';

interface HealthRequest {
  readonly service: string;
}

const once = (probe: Probe): Promise<string | undefined> => new Promise((resolve) => probe(resolve));

const closedPort = async (): Promise<number> => {
  const server = createTcpServer();
  await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
};

describe('HTTP checks', () => {
  let server: Server;
  let port: number;
  let answer: RequestListener;
  const seen: { path: string | undefined; host: string | undefined }[] = [];
  before(async () => {
    server = createServer((request, response) => {
      seen.push({ path: request.url, host: request.headers.host });
      answer(request, response);
    });
    await new Promise<void>((resolve) => server.listen(0, '::1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  after(() => server.close());

  const check = (http: Partial<Parameters<typeof httpProbe>[0]['http']> = {}): Promise<string | undefined> =>
    once(httpProbe({ address: '::1', port, http: { path: '/', host: undefined, status: [], body: undefined, ...http } }));
  const says =
    (code: number, body = ''): RequestListener =>
    (_request, response) =>
      void response.writeHead(code).end(body);

  it('200 to 299 are good, the rest is not', async () => {
    for (const [code, failure] of [[200, undefined], [204, undefined], [301, 'HTTP status 301'], [404, 'HTTP status 404'], [503, 'HTTP status 503']] as const) {
      answer = says(code);
      assert.equal(await check(), failure);
    }
  });

  it('the statuses that are named are good, and no others', async () => {
    answer = says(301);
    assert.equal(await check({ status: [301, 404] }), undefined);
    answer = says(200);
    assert.equal(await check({ status: [301, 404] }), 'HTTP status 200');
  });

  it('asks for the path and the host that are named', async () => {
    answer = says(200);
    await check();
    await check({ path: '/health?full=1', host: 'model.example' });
    assert.deepEqual(seen.slice(-2), [{ path: '/', host: `[::1]:${port}` }, { path: '/health?full=1', host: 'model.example' }]);
  });

  it('looks for a text in the body, over the borders of its parts', async () => {
    answer = (_request, response) => {
      response.writeHead(200).write('model rea');
      setImmediate(() => response.end('dy'));
    };
    assert.equal(await check({ body: 'ready' }), undefined);
    assert.equal(await check({ body: 'absent' }), 'the body does not hold "absent"');
  });

  it('reads 64 KiB of a body that does not end, and no more', { timeout: 10_000 }, async () => {
    answer = (_request, response) => {
      const part = 'x'.repeat(10_000);
      const more = (): void => {
        if (!response.destroyed) response.write(part, () => setImmediate(more));
      };
      response.writeHead(200);
      more();
    };
    assert.equal(await check({ body: 'y' }), 'the body does not hold "y"');
  });

  it('a server that hangs up, and one that is not there, are failures', async () => {
    answer = (request) => void request.socket.destroy();
    assert.match((await check()) ?? '', /hang up|reset/);
    const probe = httpProbe({ address: '::1', port: await closedPort(), http: { path: '/', host: undefined, status: [], body: undefined } });
    assert.equal(await once(probe), 'connection refused');
  });

  it('says nothing after it was given up', async () => {
    let asked: (() => void) | undefined;
    const request = new Promise<void>((resolve) => (asked = resolve));
    answer = () => asked?.();
    const said: unknown[] = [];
    const attempt = httpProbe({ address: '::1', port, http: { path: '/', host: undefined, status: [], body: undefined } })((failure) => said.push(failure));
    await request;
    attempt.cancel();
    await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(said, []);
  });
});

describe('gRPC checks', () => {
  let server: GrpcServer;
  let port: number;
  /** Status by service; what is not there is NOT_FOUND. */
  const statuses = new Map<string, number>([['', 1], ['busy', 2]]);
  before(async () => {
    server = new GrpcServer();
    const definition = {
      check: {
        path: '/grpc.health.v1.Health/Check',
        requestStream: false,
        responseStream: false,
        requestSerialize: ({ service }: HealthRequest) => encodeHealthRequest(service),
        requestDeserialize: (bytes: Buffer): HealthRequest => ({ service: bytes.subarray(2).toString() }),
        responseSerialize: (code: number) => Buffer.from([8, code]),
        responseDeserialize: (bytes: Buffer) => bytes[1]!,
      },
    };
    server.addService(definition, {
      check: (call: ServerUnaryCall<HealthRequest, number>, callback: sendUnaryData<number>) => {
        const found = statuses.get(call.request.service);
        if (found === undefined) callback({ code: status.NOT_FOUND, details: 'unknown service' });
        else callback(null, found);
      },
    });
    port = await new Promise<number>((resolve, reject) => server.bindAsync('[::1]:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))));
  });
  after(() => server.forceShutdown());

  it('SERVING is good; what the server says otherwise is the reason', async () => {
    assert.equal(await once(grpcProbe('::1', port, '')), undefined);
    assert.equal(await once(grpcProbe('::1', port, 'busy')), 'the server says NOT_SERVING');
    assert.equal(await once(grpcProbe('::1', port, 'absent')), 'the server does not know the service "absent"');
    statuses.set('busy', 1);
    assert.equal(await once(grpcProbe('::1', port, 'busy')), undefined);
  });

  it('a server without the health service says so, and one that is not there is a failure', async () => {
    const bare = new GrpcServer();
    const other = await new Promise<number>((resolve, reject) => bare.bindAsync('[::1]:0', ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))));
    assert.equal(await once(grpcProbe('::1', other, '')), 'the server has no health service (grpc.health.v1)');
    bare.forceShutdown();
    assert.match((await once(grpcProbe('::1', await closedPort(), ''))) ?? '', /ECONNREFUSED/);
  });

  it('the request is field 1, a string; the response field 1, an enumeration, with fields of later versions skipped', () => {
    assert.equal(encodeHealthRequest('ab').toString('hex'), '0a026162');
    assert.equal(decodeHealthResponse(Buffer.from('0801', 'hex')), 1);
    assert.equal(decodeHealthResponse(Buffer.from('1a03616263' + '0802', 'hex')), 2);
    assert.equal(decodeHealthResponse(new Uint8Array(0)), 0, 'a default value is not sent');
  });

  it('a response that is cut short or made up is no exception', () => {
    const whole = Buffer.from('1a03616263' + '0802', 'hex');
    for (let length = 0; length < whole.length; length++) assert.notEqual(decodeHealthResponse(whole.subarray(0, length)), 2);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void decodeHealthResponse(bytes)));
  });
});
