import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { md5Signature, type Kernel } from '../../../daemon/bgp/tcp-socket.js';
import { TcpTransport, tcpTransport } from '../../../daemon/bgp/tcp-transport.js';
import type { ConnectOptions, Listener, NeighborRules, Stream } from '../../../daemon/bgp/transport.js';
import { BgpSpeaker } from '../../../daemon/bgp/speaker.js';
import { systemClock } from '../../../daemon/clock.js';
import { native } from '../../../dataplane/native/index.js';
import { neighbor } from './network.js';

const port = 20_179;
const loopback = '::1';

const rules = (address = loopback, more: Partial<NeighborRules> = {}): NeighborRules => ({ address, ttl: 255, minimumTtl: undefined, password: undefined, ...more });

interface Listening {
  readonly listener: Listener;
  readonly failed: Promise<string>;
  /** Addresses and reasons. */
  readonly refusals: string[];
  readonly streams: Stream[];
  /** The next connection that is accepted. */
  readonly next: () => Promise<Stream>;
}

function listen(neighbors: readonly NeighborRules[] = [rules()], address = loopback, transport = tcpTransport): Listening {
  const streams: Stream[] = [];
  const refusals: string[] = [];
  const unseen: Stream[] = [];
  const waiting: ((stream: Stream) => void)[] = [];
  let onFailed: (error: string) => void;
  const failed = new Promise<string>((resolve) => (onFailed = resolve));
  const accepted = (stream: Stream): void => {
    streams.push(stream);
    const take = waiting.shift();
    if (take) take(stream);
    else unseen.push(stream);
  };
  const handlers = { accepted, refused: (peer: string, reason: string) => void refusals.push(`${peer}: ${reason}`), failed: (error: string) => onFailed(error) };
  const listener = transport.listen({ address, port }, handlers, neighbors);
  return { listener, failed, refusals, streams, next: () => new Promise((resolve) => (unseen.length > 0 ? resolve(unseen.shift()!) : waiting.push(resolve))) };
}

const connect = (more: Partial<ConnectOptions> = {}, transport = tcpTransport): Promise<Stream> =>
  new Promise((resolve, reject) => {
    const options = { ...rules(), local: loopback, remote: { address: loopback, port }, timeoutMs: 2000, ...more };
    transport.connect(options, resolve, (error) => reject(new Error(error)));
  });

/** Collects what a stream brings. */
function collect(stream: Stream): { octets: number; closed: Promise<string | undefined>; drained: Promise<void> } {
  const state = { octets: 0 } as { octets: number; closed: Promise<string | undefined>; drained: Promise<void> };
  state.drained = new Promise((drained) => {
    state.closed = new Promise((closed) => stream.attach({ received: (bytes) => (state.octets += bytes.length), drained, closed }));
  });
  return state;
}

/** The kernel, with note taken of the descriptors it gives out. */
function observed(): { readonly transport: TcpTransport; readonly made: number[]; readonly accepted: number[] } {
  const made: number[] = [];
  const accepted: number[] = [];
  const kernel: Kernel = {
    ...native,
    socket: (...of) => {
      const fd = native.socket(...of);
      made.push(fd);
      return fd;
    },
    accept: (fd) => {
      const connection = native.accept(fd);
      if (connection) accepted.push(connection.fd);
      return connection;
    },
  };
  return { transport: new TcpTransport(kernel), made, accepted };
}

const option = (fd: number, level: number, name: number): number => new DataView(native.getsockopt(fd, level, name, 4).buffer).getInt32(0, true);
const hopLimits = { ipv6: (fd: number): number[] => [option(fd, 41, 16), option(fd, 41, 73)], ipv4: (fd: number): number[] => [option(fd, 0, 2), option(fd, 0, 21)] };

const messageOf = (error: unknown): string => (error as Error).message;

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

describe('TCP', () => {
  test('carries octets both ways and tells both ends their addresses', async () => {
    const { listener, next } = listen();
    const client = await connect();
    const server = await next();
    assert.equal(server.remote.address, '::1');
    assert.equal(server.remote.port, client.local.port);
    assert.deepEqual(server.local, { address: '::1', port });
    assert.deepEqual([client.remote.port, client.local.address], [port, '::1']);
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
    const { listener, next } = listen();
    const client = await connect();
    const server = await next();
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
    await assert.rejects(connect({ local: '2001:db8::1' }), /bind: EADDRNOTAVAIL/);
  });

  test('says that an address is in use already', async () => {
    const first = listen();
    const client = await connect();
    const second = listen();
    assert.match(await second.failed, /EADDRINUSE/);
    client.close();
    (await first.next()).close();
    first.listener.cancel();
    second.listener.cancel();
  });

  test('forgets an attempt that is cancelled, and leaves no descriptor of it or of one that fails', async () => {
    const before = openDescriptors();
    const { listener, next } = listen();
    let called = false;
    const note = (): void => void (called = true);
    tcpTransport.connect({ ...rules(), local: loopback, remote: { address: loopback, port }, timeoutMs: 2000 }, note, note).cancel();
    const client = await connect();
    assert.equal(called, false);
    // The first one, whose connection was there before it was cancelled, comes first.
    const [cancelled, server] = [collect(await next()), collect(await next())];
    listener.cancel();
    await cancelled.closed;
    client.close();
    await server.closed;
    await assert.rejects(connect(), /ECONNREFUSED/);
    while (openDescriptors() > before) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  test('listens again at once where connections have just ended', async () => {
    const first = listen();
    const client = await connect();
    const atClient = collect(client);
    (await first.next()).close();
    await atClient.closed;
    first.listener.cancel();
    const second = listen();
    (await connect()).close();
    (await second.next()).close();
    second.listener.cancel();
  });
});

describe('Hop limits', () => {
  test('are those of the neighbour on what connects and on what is accepted, over IPv6 and IPv4', async () => {
    for (const [kind, ours, others] of [['ipv6', '::1', '2001:db8::9'], ['ipv4', '127.0.0.1', '192.0.2.9']] as const) {
      const { transport, made, accepted } = observed();
      const { listener, next } = listen([rules(ours, { ttl: 7 }), rules(others, { ttl: 40, minimumTtl: 250 })], ours, transport);
      // A SYN of either neighbour must be answered so that it arrives, and taken.
      assert.deepEqual(hopLimits[kind](made[0]!), [40, 0]);
      const client = await connect({ local: ours, remote: { address: ours, port }, ttl: 3, minimumTtl: 5 }, transport);
      const server = await next();
      assert.deepEqual(hopLimits[kind](made[1]!), [3, 5]);
      assert.deepEqual(hopLimits[kind](accepted[0]!), [7, 0]);
      listener.setNeighbors([rules(ours, { ttl: 255, minimumTtl: 254 }), rules(others, { ttl: 255, minimumTtl: 250 })]);
      assert.deepEqual(hopLimits[kind](made[0]!), [255, 250]);
      client.close();
      await collect(server).closed;
      const again = await connect({ local: ours, remote: { address: ours, port } }, transport);
      const accepting = await next();
      assert.deepEqual(hopLimits[kind](accepted[1]!), [255, 254]);
      again.close();
      await collect(accepting).closed;
      listener.cancel();
    }
  });

  test('below what GTSM asks for keep a connection from coming about', async () => {
    const { listener, streams, next } = listen([rules(loopback, { minimumTtl: 255 })]);
    await assert.rejects(connect({ ttl: 254, timeoutMs: 300 }), /^Error: connection timed out$/);
    assert.equal(streams.length, 0);
    (await connect({ ttl: 255, minimumTtl: 255 })).close();
    (await next()).close();
    listener.cancel();
  });
});

describe('TCP MD5', () => {
  test('lays struct tcp_md5sig out as the kernel does', () => {
    const signature = Buffer.from(md5Signature('2001:db8::1', 'secret'));
    assert.equal(signature.length, 216);
    // sockaddr_in6: family, port, flow label, address; padding to 128 octets; flags, prefix length, key length, interface; key.
    const expected = `0a00 0000 00000000 20010db8000000000000000000000001 ${'00'.repeat(104)} 00 00 0600 00000000 ${Buffer.from('secret').toString('hex')} ${'00'.repeat(74)}`;
    assert.equal(signature.toString('hex'), expected.replaceAll(' ', ''));
  });

  test('connects with the same password, over IPv6 and IPv4', async () => {
    for (const address of ['::1', '127.0.0.1']) {
      const { listener, next } = listen([rules(address, { password: 'sesame' })], address);
      const client = await connect({ local: address, remote: { address, port }, password: 'sesame' });
      const atServer = collect(await next());
      client.write(new Uint8Array(100_000));
      client.close();
      assert.equal(await atServer.closed, undefined);
      assert.equal(atServer.octets, 100_000);
      listener.cancel();
    }
  });

  test('lets nothing through with another password, or with one on one side only', async () => {
    const guarded = listen([rules(loopback, { password: 'sesame' })]);
    await assert.rejects(connect({ password: 'simsim', timeoutMs: 300 }), /connection timed out, as it does when the passwords differ/);
    await assert.rejects(connect({ timeoutMs: 300 }), /connection timed out/);
    assert.equal(guarded.streams.length, 0);
    guarded.listener.cancel();
    const open = listen();
    await assert.rejects(connect({ password: 'sesame', timeoutMs: 300 }), /connection timed out/);
    open.listener.cancel();
  });

  test('takes a changed password for connections to come, and leaves those that are there', async () => {
    const { listener, next, streams } = listen([rules(loopback, { password: 'first' })]);
    const early = await connect({ password: 'first' });
    const atServer = collect(await next());
    listener.setNeighbors([rules(loopback, { password: 'second' })]);
    await assert.rejects(connect({ password: 'first', timeoutMs: 300 }), /timed out/);
    const late = await connect({ password: 'second' });
    const lateAtServer = collect(await next());
    listener.setNeighbors([rules()]);
    const plain = await connect();
    const plainAtServer = collect(await next());
    assert.equal(streams.length, 3);
    early.write(new Uint8Array(10));
    for (const stream of [early, late, plain]) stream.close();
    for (const end of [atServer, lateAtServer, plainAtServer]) assert.equal(await end.closed, undefined);
    assert.equal(atServer.octets, 10);
    listener.setNeighbors([]);
    listener.cancel();
  });

  test('closes a connection that waited to be accepted while a password was set, and keeps one of another neighbour', async () => {
    const { listener, streams, next } = listen([rules('127.0.0.1'), rules('127.0.0.2')], '127.0.0.1');
    const remote = { address: '127.0.0.1', port };
    const clients = [connect({ local: '127.0.0.1', remote }), connect({ local: '127.0.0.2', remote })];
    // The handshakes over loopback are complete by now; the event loop has not turned yet.
    listener.setNeighbors([rules('127.0.0.1', { password: 'sesame' }), rules('127.0.0.2')]);
    const ends = (await Promise.all(clients)).map((client) => ({ client, state: collect(client) }));
    await ends[0]!.state.closed;
    const kept = await next();
    assert.equal(kept.remote.address, '127.0.0.2');
    assert.equal(streams.length, 1);
    kept.close();
    await ends[1]!.state.closed;
    listener.cancel();
  });
});

describe('A kernel without descriptors', () => {
  test('ends listening with the reason, also while a password is changed', async () => {
    const full = (): never => {
      throw Object.assign(new Error('accept: EMFILE: Too many open files'), { code: 'EMFILE', errno: 24, syscall: 'accept' });
    };
    const transport = new TcpTransport({ ...native, accept: full });
    const first = listen([rules()], loopback, transport);
    // Its connection may be reset before it has seen that it is there.
    const client = connect().then((stream) => collect(stream).closed, messageOf);
    assert.match(await first.failed, /EMFILE/);
    await client;
    await assert.rejects(connect(), /ECONNREFUSED/);
    const second = listen([rules()], loopback, transport);
    second.listener.setNeighbors([rules(loopback, { password: 'sesame' })]);
    assert.match(await second.failed, /EMFILE/);
    await assert.rejects(connect(), /ECONNREFUSED/);
    second.listener.cancel();
  });
});

describe('A kernel without TCP MD5', () => {
  const kernel: Kernel = {
    ...native,
    setsockopt: (fd, level, name, value) => {
      if (level === 6 && name === 14) throw Object.assign(new Error('setsockopt: ENOPROTOOPT: Protocol not available'), { code: 'ENOPROTOOPT', errno: 92, syscall: 'setsockopt' });
      native.setsockopt(fd, level, name, value);
    },
  };
  const transport = new TcpTransport(kernel);

  test('connects to and accepts no neighbour with a password, says why, and serves the others', async () => {
    const before = openDescriptors();
    await assert.rejects(connect({ password: 'sesame' }, transport), /a password is configured, but this kernel has no TCP MD5 signatures/);
    const { listener, refusals, streams, next } = listen([rules('127.0.0.1', { password: 'sesame' }), rules('127.0.0.2')], '127.0.0.1', transport);
    const remote = { address: '127.0.0.1', port };
    const refused = collect(await connect({ local: '127.0.0.1', remote }));
    await refused.closed;
    assert.equal(refusals.length, 2, 'once when the password is set, once when the neighbour connects');
    for (const refusal of refusals) assert.match(refusal, /^127\.0\.0\.1: a password is configured, but this kernel has no TCP MD5/);
    const served = await connect({ local: '127.0.0.2', remote });
    assert.equal((await next()).remote.address, '127.0.0.2');
    assert.equal(streams.length, 1);
    served.close();
    streams[0]!.close();
    listener.cancel();
    while (openDescriptors() > before) await new Promise((resolve) => setTimeout(resolve, 10));
  });

  test('keeps a passive neighbour down with that reason, without the password in any event or view', async () => {
    const config = neighbor('127.0.0.2', '127.0.0.1', 65001, { passive: true, password: 'sesame' });
    const speaker = new BgpSpeaker({
      config: { as: 65000, listen: { addresses: ['127.0.0.1'], port }, networks: [], neighbors: [config] },
      router: { id: '10.0.0.1', loopback: '2001:db8::1' },
      servicePrefixes: [],
      clock: systemClock,
      transport,
      resolveNextHop: () => ({ cost: 0 }),
    });
    const told: string[] = [];
    const reason = new Promise<string>((resolve) =>
      speaker.onEvent((event) => {
        told.push(JSON.stringify(event));
        if (event.kind === 'error') resolve(`${event.peer}: ${event.text}`);
      }),
    );
    speaker.start();
    assert.match(await reason, /^127\.0\.0\.2: a password is configured, but this kernel has no TCP MD5/);
    const [view] = speaker.neighbors();
    assert.notEqual(view?.state, 'Established');
    assert.match(view?.lastError?.text ?? '', /no TCP MD5 signatures/);
    assert.doesNotMatch(JSON.stringify([told, view, speaker.summary()]), /sesame/);
    speaker.stop();
  });
});
