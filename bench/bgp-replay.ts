/**
 * Replays what route collectors recorded (MRT, RFC 6396, BGP4MP messages) into sessions of one speaker, a session for each recorded neighbour, in one process
 * without sockets: how fast it is taken, what was faulty in it, and whether a session ended over it. Without files: a made-up full table.
 *
 *     node dist/bench/bgp-replay.js [FILE.gz...]        or their names in CPN_MRT, with colons between them
 */
import { basename } from 'node:path';
import { decodeMessage } from '../daemon/bgp/wire/decode.js';
import { encodeKeepalive, encodeOpen } from '../daemon/bgp/wire/encode.js';
import { MessageFramer } from '../daemon/bgp/wire/framer.js';
import { type Capability, type DecodeContext, HEADER_LENGTH, IPV4_UNICAST, IPV6_UNICAST, MessageType } from '../daemon/bgp/wire/types.js';
import { MemoryNetwork } from '../daemon/bgp/memory-transport.js';
import { BgpSpeaker } from '../daemon/bgp/speaker.js';
import type { Stream } from '../daemon/bgp/transport.js';
import { ManualClock } from '../daemon/clock.js';
import { neighbor } from '../test/daemon/bgp/network.js';
import { mrtMessages } from '../test/daemon/bgp/wire/support/mrt.js';
import { makeTable } from './support/bgp-table.js';
import { printJson, printTable, round } from './support/report.js';

const LOCAL = '2001:db8:ffff::1';
const LOCAL_AS = 64_999;
const MADE_UP_ROUTES = 200_000;
/** UPDATEs given to a session before the speaker's clock moves. */
const TURN = 64;

interface Recorded {
  readonly address: string;
  readonly as: number;
  readonly fourOctetAs: boolean;
  readonly updates: Uint8Array[];
}

/** The UPDATEs of a file by the neighbour that sent them. */
function recordedIn(path: string): Recorded[] {
  const sessions = new Map<string, Recorded>();
  for (const { peer, peerAs, fourOctetAs, octets } of mrtMessages(path)) {
    if (octets[HEADER_LENGTH - 1] !== MessageType.update) continue;
    const key = `${peer} ${peerAs}`;
    let session = sessions.get(key);
    if (!session) sessions.set(key, (session = { address: peer, as: peerAs, fourOctetAs, updates: [] }));
    session.updates.push(octets);
  }
  return [...sessions.values()];
}

function madeUp(): Recorded[] {
  const table = makeTable(MADE_UP_ROUTES, 65_001, { address: '2001:db8::10', linkLocal: undefined });
  return [{ address: '2001:db8::10', as: 65_001, fourOctetAs: true, updates: [...new MessageFramer().push(table.octets).messages] }];
}

/** A speaker all of whose recorded neighbours are up. */
function establish(sessions: readonly Recorded[]): { speaker: BgpSpeaker; clock: ManualClock; streams: Stream[] } {
  const clock = new ManualClock();
  const links = new MemoryNetwork(clock, 1);
  const speaker = new BgpSpeaker({
    config: { as: LOCAL_AS, listen: { addresses: [LOCAL], port: 179 }, networks: [], neighbors: sessions.map(({ address, as }) => neighbor(address, LOCAL, as, { passive: true, holdTimeMs: 0 })) },
    router: { id: '10.255.0.1', loopback: LOCAL },
    // One of IPv4, so that both families are spoken.
    servicePrefixes: ['203.0.113.0/24'],
    clock,
    transport: links,
    resolveNextHop: () => ({ cost: 1 }),
  });
  speaker.start();
  const streams: Stream[] = [];
  sessions.forEach(({ address, as, fourOctetAs }, index) => {
    const accepted = (stream: Stream): void => {
      stream.attach({ received: () => undefined, drained: () => undefined, closed: () => undefined });
      const capabilities: Capability[] = [IPV4_UNICAST, IPV6_UNICAST].map((family) => ({ kind: 'multiprotocol', family }));
      if (fourOctetAs) capabilities.push({ kind: 'fourOctetAs', as });
      stream.write(encodeOpen({ as, holdTime: 0, identifier: `10.${(index >> 16) & 255}.${(index >> 8) & 255}.${(index & 255) + 1}`, capabilities }));
      stream.write(encodeKeepalive());
      streams[index] = stream;
    };
    links.connect({ local: address, remote: { address: LOCAL, port: 179 }, ttl: 255, minimumTtl: undefined, password: undefined, timeoutMs: 1000 }, accepted, (error) => {
      throw new Error(error);
    });
  });
  clock.advance(200);
  return { speaker, clock, streams };
}

function decodeRate(sessions: readonly Recorded[]): number {
  const start = performance.now();
  let count = 0;
  for (const { updates, fourOctetAs } of sessions) {
    const context: DecodeContext = { fourOctetAs, addPath: () => false, extendedMessage: true, ibgp: false, cpnAttributeType: 255 };
    for (const octets of updates) decodeMessage(octets, context);
    count += updates.length;
  }
  return (count / (performance.now() - start)) * 1000;
}

interface Result {
  readonly name: string;
  readonly sessions: number;
  readonly messages: number;
  /** Sessions that were up before and are not any more. */
  readonly ended: readonly string[];
  readonly treatAsWithdraw: number;
  readonly attributeDiscard: number;
  readonly routes: number;
  readonly decodedPerSecond: number;
  readonly takenPerSecond: number;
}

function replay(name: string, sessions: readonly Recorded[]): Result {
  const { speaker, clock, streams } = establish(sessions);
  const up = new Set(speaker.neighbors().filter(({ state }) => state === 'Established').map(({ address }) => address));
  if (up.size !== sessions.length) throw new Error(`${up.size} of ${sessions.length} sessions came up`);
  const start = performance.now();
  const longest = Math.max(...sessions.map(({ updates }) => updates.length));
  for (let from = 0; from < longest; from += TURN) {
    sessions.forEach(({ updates }, index) => {
      const turn = updates.slice(from, from + TURN);
      if (turn.length > 0) streams[index]!.write(Buffer.concat(turn));
    });
    clock.advance(20);
  }
  clock.advance(1000);
  const ms = performance.now() - start;
  const views = speaker.neighbors();
  const messages = sessions.reduce((sum, { updates }) => sum + updates.length, 0);
  const heard = views.reduce((sum, view) => sum + view.messages.received.update, 0);
  const ended = views.filter(({ address, state }) => up.has(address) && state !== 'Established').map(({ address, lastError }) => `${address}: ${lastError?.text ?? 'no reason'}`);
  if (ended.length === 0 && heard !== messages) throw new Error(`${heard} of ${messages} UPDATEs were read`);
  const sum = (what: 'treatAsWithdraw' | 'attributeDiscard'): number => views.reduce((total, { updateErrors }) => total + updateErrors[what], 0);
  return {
    name,
    sessions: sessions.length,
    messages,
    ended,
    treatAsWithdraw: sum('treatAsWithdraw'),
    attributeDiscard: sum('attributeDiscard'),
    routes: views.reduce((total, { prefixes }) => total + prefixes.received, 0),
    decodedPerSecond: round(decodeRate(sessions)),
    takenPerSecond: round((messages / ms) * 1000),
  };
}

const files = process.argv.length > 2 ? process.argv.slice(2) : (process.env.CPN_MRT ?? '').split(':').filter((name) => name !== '');
const inputs: [string, Recorded[]][] = files.length > 0 ? files.map((file) => [basename(file), recordedIn(file)]) : [['made-up table', madeUp()]];
const results = inputs.map(([name, sessions]) => replay(name, sessions));
printTable(
  ['input', 'sessions', 'UPDATEs', 'sessions ended', 'treat-as-withdraw', 'attribute discard', 'routes at the end', 'decoded a second', 'taken a second'],
  results.map((result) => [result.name, result.sessions, result.messages, result.ended.length, result.treatAsWithdraw, result.attributeDiscard, result.routes, result.decodedPerSecond, result.takenPerSecond]),
);
for (const { name, ended } of results) for (const line of ended) console.log(`${name}: ${line}`);
printJson('bgp-replay', { results });
if (results.some(({ ended }) => ended.length > 0)) process.exitCode = 1;
