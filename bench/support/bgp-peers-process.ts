/**
 * The neighbours of the daemon that bgp-scale measures, in a process of their own: the first one sends a table, the others count what they are told.
 *
 *     node bgp-peers-process.js '{"peers":[{"address":"2001:db8:f::10","as":65001,...}],"routes":100000}'
 *
 * Answers `{"op":"open"}` when all sessions are established, `{"op":"feed"}` when every other peer has been told all routes.
 */
import { createInterface } from 'node:readline';
import { RawPeer, type RawPeerSettings } from './bgp-raw-peer.js';
import { makeTable } from './bgp-table.js';

export interface PeersSettings {
  readonly peers: readonly RawPeerSettings[];
  readonly routes: number;
}

export interface Fed {
  /** From the first octet to the socket until its buffer had all of them, ms. */
  readonly writtenMs: number;
  /** From then first octet until the last of the receivers had all prefixes, ms. */
  readonly doneMs: number;
  readonly octets: number;
  readonly messages: number;
  /** UPDATEs that each receiver got, on average. */
  readonly updates: number;
  /** CPU time of this process meanwhile, ms. */
  readonly cpuMs: number;
}

const settings = JSON.parse(process.argv[2] ?? '') as PeersSettings;
const peers = settings.peers.map((peer) => new RawPeer(peer));
const [feeder, ...receivers] = peers as [RawPeer, ...RawPeer[]];
const { as, address } = settings.peers[0]!;
const table = makeTable(settings.routes, as, { address, linkLocal: undefined });

async function feed(): Promise<Fed> {
  const cpu = process.cpuUsage();
  const start = performance.now();
  let writtenMs = 0;
  await Promise.all([feeder.write(table.octets).then(() => (writtenMs = performance.now() - start)), ...receivers.map((receiver) => receiver.has(table.routes))]);
  const last = Math.max(start + writtenMs, ...receivers.map(({ lastNewAt }) => lastNewAt));
  const { user, system } = process.cpuUsage(cpu);
  const updates = receivers.reduce((sum, receiver) => sum + receiver.updates, 0) / Math.max(1, receivers.length);
  return { writtenMs, doneMs: last - start, octets: table.octets.length, messages: table.messages, updates, cpuMs: (user + system) / 1000 };
}

process.stdout.write('{}\n');
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const { op } = JSON.parse(line) as { op: 'open' | 'feed' };
    const answer = op === 'open' ? Promise.all(peers.map((peer) => peer.open())).then(() => ({})) : feed();
    void answer.then((result) => process.stdout.write(`${JSON.stringify(result)}\n`));
  })
  .on('close', () => process.exit(0));
