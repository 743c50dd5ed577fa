import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { tcpTransport } from '../../../daemon/bgp/tcp-transport.js';
import type { Cancellable, Stream } from '../../../daemon/bgp/transport.js';

const port = 20_179;

/** Listens on loopback for one connection; the test ends with `close`. */
function listen(): { accepted: Promise<Stream>; listener: Cancellable; failed: Promise<string> } {
  let onFailed: (error: string) => void;
  const failed = new Promise<string>((resolve) => (onFailed = resolve));
  let listener: Cancellable | undefined;
  const accepted = new Promise<Stream>((resolve) => (listener = tcpTransport.listen({ address: '::1', port }, resolve, (error) => onFailed(error))));
  return { accepted, listener: listener!, failed };
}

const connect = (): Promise<Stream> =>
  new Promise((resolve, reject) => tcpTransport.connect({ local: '::1', remote: { address: '::1', port }, ttl: 255, timeoutMs: 2000 }, resolve, (error) => reject(new Error(error))));

/** Collects what a stream brings. */
function collect(stream: Stream): { octets: number; closed: Promise<string | undefined>; drained: Promise<void> } {
  const state = { octets: 0 } as { octets: number; closed: Promise<string | undefined>; drained: Promise<void> };
  state.drained = new Promise((drained) => {
    state.closed = new Promise((closed) => stream.attach({ received: (bytes) => (state.octets += bytes.length), drained, closed }));
  });
  return state;
}

describe('TCP', () => {
  test('carries octets both ways and tells both ends their addresses', async () => {
    const { accepted, listener } = listen();
    const client = await connect();
    const server = await accepted;
    assert.equal(server.remote.address, '::1');
    assert.equal(server.remote.port, client.local.port);
    assert.equal(client.remote.port, port);
    const atServer = collect(server);
    const atClient = collect(client);
    client.write(new Uint8Array(1000));
    server.write(new Uint8Array(2000));
    // What is queued before `close` still arrives.
    client.close();
    assert.equal(await atServer.closed, undefined);
    assert.equal(atServer.octets, 1000);
    assert.equal(atClient.octets, 0);
    listener.cancel();
  });

  test('keeps what a paused reader has not taken, and says when it has drained', async () => {
    const { accepted, listener } = listen();
    const client = await connect();
    const server = await accepted;
    const atServer = collect(server);
    const atClient = collect(client);
    server.pause();
    const total = 16 << 20;
    for (let sent = 0; sent < total; sent += 1 << 20) client.write(new Uint8Array(1 << 20));
    assert.ok(client.buffered > 1 << 20, `${client.buffered} octets buffered`);
    server.resume();
    await atClient.drained;
    assert.equal(client.buffered, 0);
    client.close();
    await atServer.closed;
    assert.equal(atServer.octets, total);
    listener.cancel();
  });

  test('says why a connection does not come about', async () => {
    await assert.rejects(connect(), /ECONNREFUSED/);
  });

  test('says that an address is in use already', async () => {
    const first = listen();
    const client = await connect();
    const second = listen();
    assert.match(await second.failed, /EADDRINUSE/);
    client.close();
    (await first.accepted).close();
    first.listener.cancel();
    second.listener.cancel();
  });

  test('forgets an attempt that is cancelled', async () => {
    const { listener } = listen();
    let called = false;
    const note = (): void => void (called = true);
    tcpTransport.connect({ local: '::1', remote: { address: '::1', port }, ttl: 255, timeoutMs: 2000 }, note, note).cancel();
    const client = await connect();
    assert.equal(called, false);
    client.close();
    listener.cancel();
  });
});
