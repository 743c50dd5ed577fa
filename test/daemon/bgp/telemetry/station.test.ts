/** BMP and MRT over whole speakers: networks in memory, a station on loopback. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { BmpType, splitBmp } from '../../../../daemon/bgp/telemetry/bmp.js';
import { BmpSession, type BmpOptions } from '../../../../daemon/bgp/telemetry/bmp-session.js';
import { readBgp4mpMessage, readMrt } from '../../../../daemon/bgp/telemetry/mrt.js';
import { dumpTable } from '../../../../daemon/bgp/telemetry/mrt-table.js';
import { MrtUpdates, mrtFileName } from '../../../../daemon/bgp/telemetry/mrt-updates.js';
import { feedUpdates } from '../../../../daemon/bgp/telemetry/update-feed.js';
import type { BgpUpdateView } from '../../../../daemon/northbound/telemetry.js';
import { Network, type Node } from '../network.js';

const PEER_HEADER = 6;
const FLAGS = PEER_HEADER + 1;

async function until(what: string, met: () => boolean): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (!met()) {
    if (Date.now() > deadline) assert.fail(`not in time: ${what}`);
    await wait(5);
  }
}

/** A station that keeps what it gets. */
class Station {
  octets = Buffer.alloc(0);
  connections = 0;
  reading = true;
  private sockets: Socket[] = [];
  private readonly server: Server = createServer((socket) => {
    this.connections++;
    this.sockets.push(socket);
    this.octets = Buffer.alloc(0);
    if (!this.reading) socket.pause();
    socket.on('data', (data) => (this.octets = Buffer.concat([this.octets, data])));
    socket.on('error', () => undefined);
  });

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '::1', resolve));
    const address = this.server.address();
    return typeof address === 'object' && address ? address.port : assert.fail();
  }

  messages(): readonly { readonly type: number; readonly octets: Uint8Array }[] {
    return splitBmp(this.octets)!.messages;
  }

  /** Routes monitored: flags of the table, and the UPDATE as it is, hexadecimal. */
  routes(): string[] {
    return this.messages()
      .filter(({ type }) => type === BmpType.routeMonitoring)
      .map(({ octets }) => `${octets[PEER_HEADER]}/${octets[FLAGS]!.toString(16)} ${Buffer.from(octets.subarray(48)).toString('hex')}`);
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}

describe('telemetry of a speaker', () => {
  let network: Network;
  let a: Node;
  let b: Node;
  let station: Station;
  let port: number;
  let folder: string;
  let session: BmpSession | undefined;
  const reports: string[] = [];

  beforeEach(async () => {
    ({ network, a, b } = Network.pair({ as: 65001 }, { as: 65002 }, {}, { import: 'any' }));
    a.speaker.announceBatch([{ prefix: '2001:db8:1::/48' }, { prefix: '2001:db8:2::/48', med: 7 }]);
    network.settle();
    station = new Station();
    port = await station.listen();
    folder = mkdtempSync(join(tmpdir(), 'telemetry-'));
  });
  afterEach(() => {
    session?.stop();
    session = undefined;
    station.close();
    rmSync(folder, { recursive: true });
    reports.length = 0;
  });

  const start = (options: Partial<BmpOptions> = {}): BmpSession => {
    const defaults: BmpOptions = { address: '::1', port, tables: ['adjRibInPre'], mirrorFaulty: true, statisticsMs: 0, retryMs: 100, maxRetryMs: 1000, sysName: 'b', sysDescr: 'cpnd' };
    session = new BmpSession({ ...defaults, ...options }, b.speaker.telemetry, (_severity, text) => reports.push(text));
    session.start();
    return session;
  };
  const types = (): number[] => station.messages().map(({ type }) => type);

  it('a station hears who is up, the table with its end, and then every UPDATE as it came', async () => {
    start();
    await until('End-of-RIB', () => station.routes().some((route) => route.endsWith('00000006800f03000201')));
    assert.deepEqual(types().slice(0, 2), [BmpType.initiation, BmpType.peerUp]);
    const dumped = station.routes();
    assert.ok(dumped.some((route) => route.startsWith('0/80 ') && route.includes('20010db80001')) && dumped.some((route) => route.includes('20010db80002')));
    a.speaker.withdraw('2001:db8:1::/48');
    network.settle();
    await until('the withdrawal', () => station.routes().length > dumped.length);
    assert.match(station.routes().at(-1)!, /800f.*3020010db80001$/);
  });

  it('a station hears that a session ended, and why', async () => {
    start();
    await until('Peer Up', () => types().includes(BmpType.peerUp));
    a.speaker.clearNeighbor(b.address);
    network.settle(100);
    await until('Peer Down', () => types().includes(BmpType.peerDown));
    const down = station.messages().find(({ type }) => type === BmpType.peerDown)!.octets;
    assert.equal(down[48], 3, 'the peer sent a NOTIFICATION');
    assert.deepEqual([...down.subarray(48 + 1 + 19, 48 + 1 + 21)], [6, 9], 'Cease, Hard Reset (RFC 8538)');
  });

  it('the Loc-RIB and what the peer holds are tables of their own', async () => {
    b.speaker.announce({ prefix: '2001:db8:3::/48' });
    network.settle();
    start({ tables: ['locRib', 'adjRibOutPost', 'adjRibInPost'] });
    await until('the Loc-RIB', () => station.routes().filter((route) => route.startsWith('3/0 ') && /3020010db8000[123]/.test(route)).length >= 3);
    assert.ok(station.routes().some((route) => route.startsWith('0/d0 ') && route.includes('20010db80003')), 'Adj-RIB-Out');
    assert.ok(station.routes().some((route) => route.startsWith('0/c0 ') && route.includes('20010db80001')), 'Adj-RIB-In after the policy');
    const before = station.routes().length;
    a.speaker.announce({ prefix: '2001:db8:4::/48' });
    network.settle();
    await until('the change in both', () => station.routes().slice(before).filter((route) => route.includes('20010db80004')).length >= 2);
  });

  it('statistics are told, and a station that went away is connected again', async () => {
    start({ statisticsMs: 1000 });
    await until('the dump', () => types().includes(BmpType.routeMonitoring));
    network.settle(1000);
    await until('statistics', () => types().includes(BmpType.statisticsReport));
    station.close();
    await until('the loss', () => reports.some((text) => text.includes('disconnected')));
    const again = new Station();
    try {
      session!.stop();
      port = await again.listen();
      station = again;
      start();
      await until('the table again', () => types().includes(BmpType.routeMonitoring));
      assert.equal(again.connections, 1);
    } finally {
      again.close();
    }
  });

  it('a station that is not there is tried again and again', async () => {
    station.close();
    start();
    await until('a refusal', () => reports.length > 0);
    const first = reports.length;
    network.settle(200);
    await until('the next attempt', () => reports.length > first);
    assert.match(reports[0]!, /BMP station \[::1\]:\d+: .*ECONNREFUSED/);
  });

  it('updates are written to MRT files, complete under their own name only', async () => {
    const log = new MrtUpdates({ directory: join(folder, 'mrt'), rotateMs: 60_000, maxOctets: 1 << 20 }, network.clock, (text) => reports.push(text));
    const untap = b.speaker.telemetry.tap(log);
    const name = mrtFileName('updates', network.clock.unixMs());
    a.speaker.announce({ prefix: '2001:db8:5::/48' });
    a.speaker.withdraw('2001:db8:1::/48');
    network.settle();
    await until('the file', () => readdirSync(join(folder, 'mrt')).length === 1);
    assert.deepEqual(readdirSync(join(folder, 'mrt')), [`${name}.part`]);
    network.settle(60_000);
    await until('the rotation', () => readdirSync(join(folder, 'mrt')).includes(name));
    a.speaker.clearNeighbor(b.address);
    network.settle(3000);
    untap();
    await log.close();
    const records = readdirSync(join(folder, 'mrt')).sort().flatMap((file) => [...readMrt(readFileSync(join(folder, 'mrt', file)))]);
    const updates = records.flatMap((record) => readBgp4mpMessage(record) ?? []);
    assert.ok(updates.length >= 3, `${updates.length} updates`);
    assert.ok(updates.every(({ session: { peerAs, localAs, peerAddress } }) => peerAs === 65001 && localAs === 65002 && peerAddress === a.address));
    assert.ok(records.some(({ subtype }) => subtype === 5), 'changes of state too');
    assert.equal(log.counters.dropped, 0);
    assert.deepEqual(reports, []);
  });

  it('a directory that cannot be made costs records, which are counted, and nothing else', () => {
    const log = new MrtUpdates({ directory: '/proc/none/mrt', rotateMs: 60_000, maxOctets: 1 << 20 }, network.clock, (text) => reports.push(text));
    b.speaker.telemetry.tap(log);
    a.speaker.announce({ prefix: '2001:db8:5::/48' });
    network.settle();
    assert.ok(log.counters.dropped > 0 && reports[0]!.includes('/proc/none/mrt'));
    assert.ok(b.best('2001:db8:5::/48'));
  });

  it('the table is dumped with every path and its peer', async () => {
    b.speaker.announce({ prefix: '2001:db8:3::/48' });
    network.settle();
    const path = join(folder, 'rib.mrt');
    assert.deepEqual({ ...(await dumpTable(b.speaker.telemetry, path)), octets: 0 }, { prefixes: 3, paths: 3, octets: 0 });
    const records = [...readMrt(readFileSync(path))];
    assert.deepEqual(records.map(({ type, subtype }) => [type, subtype]), [[13, 1], [13, 4], [13, 4], [13, 4]]);
    assert.equal(new DataView(records[0]!.body.buffer, records[0]!.body.byteOffset).getUint16(4 + 2 + 4), 2, 'this router and one neighbour');
    await assert.rejects(dumpTable(b.speaker.telemetry, '/proc/none'), /ENOENT|EACCES|ENOTDIR|EPERM/);
    assert.deepEqual(readdirSync(folder), ['rib.mrt']);
  });

  it('routes of UPDATEs are told one by one, as far as the filter lets them through', () => {
    const seen: BgpUpdateView[] = [];
    const stop = feedUpdates(b.speaker.telemetry, { neighbor: a.address, prefix: '2001:db8:4::/46' }, (update) => seen.push(update));
    a.speaker.announceBatch([{ prefix: '2001:db8:5::/48', med: 9 }, { prefix: '2001:db8:9::/48' }]);
    a.speaker.withdraw('2001:db8:1::/48');
    network.settle();
    a.speaker.withdraw('2001:db8:5::/48');
    network.settle();
    stop();
    a.speaker.announce({ prefix: '2001:db8:6::/48' });
    network.settle();
    assert.deepEqual(
      seen.map(({ direction, kind, family, prefix, asPath, med, nextHop }) => [direction, kind, family, prefix, asPath, med, nextHop]),
      [
        ['received', 'announce', 'ipv6-unicast', '2001:db8:5::/48', '65001', 9, a.address],
        ['received', 'withdraw', 'ipv6-unicast', '2001:db8:5::/48', undefined, undefined, undefined],
      ],
    );
  });
});
