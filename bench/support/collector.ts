/**
 * Counts what arrives at a computing node: UDP packets of one client /64, and which flows of a sender (test/lab/flow-sender.ts) they belong to. A
 * process in the node; takes the packets in without an answer.
 *
 *     node collector.js '{"interface":"eth1","service":"2001:db8:5e::1","source":"2001:db8:c:1::2","flows":100000}'
 *
 * Reads lines of JSON `{"op":"reset"}` and `{"op":"report"}`, answers a Report.
 */
import { createInterface } from 'node:readline';
import { native } from '../../dataplane/native/index.js';
import { parseIp } from '../../dataplane/packet/ip.js';
import { IPV6_NEXT_HEADER, IPV6_SOURCE, PROTOCOL_UDP } from '../../dataplane/packet/ipv6.js';

const AF_PACKET = 17;
const AF_INET6 = 10;
const SOCK_RAW = 3;
const SOCK_DGRAM = 2;
const ETH_P_IPV6 = 0x86dd;
const SOL_SOCKET = 1;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const ETHERNET_HEADER = 14;
const STRIDE = 128;
const BATCH = 512;
/** Ports of a sender: flow = (destination port - 9000) * 60,000 + source port - 1024. */
const FIRST_DESTINATION_PORT = 9000;
const FLOWS_PER_PORT = 60_000;
const FIRST_SOURCE_PORT = 1024;

export interface CollectorSettings {
  readonly interface: string;
  readonly service: string;
  readonly source: string;
  readonly flows: number;
}

export interface Report {
  readonly packets: number;
  /** Flows with a packet or more. */
  readonly flows: number;
  /** Packets beyond the first of their flow. */
  readonly repeated: number;
  /** Packets that this process was too slow for: what it says is too low by them. */
  readonly missed: number;
}

const settings = JSON.parse(process.argv[2] ?? '') as CollectorSettings;
const source = parseIp(settings.source)!.subarray(0, 8);
const seen = new Uint8Array(settings.flows);
let packets = 0;
let flows = 0;

function openPacketSocket(): number {
  const fd = native.socket(AF_PACKET, SOCK_RAW, 0);
  native.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, 128 << 20);
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, ETH_P_IPV6);
  view.setInt32(4, native.ifNameToIndex(settings.interface), true);
  native.bind(fd, address);
  return fd;
}

/** Sockets on the ports that nobody reads: a full socket drops without an ICMPv6 error. */
function openSinks(): void {
  const last = FIRST_DESTINATION_PORT + Math.floor((settings.flows - 1) / FLOWS_PER_PORT);
  for (let port = FIRST_DESTINATION_PORT; port <= last; port++) {
    const fd = native.socket(AF_INET6, SOCK_DGRAM, 0);
    native.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, 1);
    const address = new Uint8Array(28);
    const view = new DataView(address.buffer);
    view.setUint16(0, AF_INET6, true);
    view.setUint16(2, port);
    address.set(parseIp(settings.service)!, 8);
    native.bind(fd, address);
  }
}

const fd = openPacketSocket();
openSinks();
const arena = new Uint8Array(STRIDE * BATCH);
const lengths = new Int32Array(BATCH);

function count(at: number, length: number): void {
  const ip = at + ETHERNET_HEADER;
  if (length < ETHERNET_HEADER + 48 || arena[ip + IPV6_NEXT_HEADER] !== PROTOCOL_UDP) return;
  for (let i = 0; i < source.length; i++) if (arena[ip + IPV6_SOURCE + i] !== source[i]) return;
  const sourcePort = (arena[ip + 40]! << 8) | arena[ip + 41]!;
  const destinationPort = (arena[ip + 42]! << 8) | arena[ip + 43]!;
  const flow = (destinationPort - FIRST_DESTINATION_PORT) * FLOWS_PER_PORT + sourcePort - FIRST_SOURCE_PORT;
  if (flow < 0 || flow >= seen.length) return;
  packets++;
  if (seen[flow] === 0) {
    seen[flow] = 1;
    flows++;
  }
}

function drain(): void {
  for (;;) {
    const received = native.readBatch(fd, arena, lengths);
    for (let i = 0; i < received; i++) count(i * STRIDE, lengths[i]!);
    if (received < BATCH) return;
  }
}

/** Reading the statistics clears them. */
const missed = (): number => new DataView(native.getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, 8).buffer).getUint32(4, true);

native.poll(fd, 1, drain);
process.stdout.write('{}\n');
createInterface({ input: process.stdin })
  .on('line', (line) => {
    drain();
    const report: Report = { packets, flows, repeated: packets - flows, missed: missed() };
    if ((JSON.parse(line) as { op: string }).op === 'reset') {
      seen.fill(0);
      packets = 0;
      flows = 0;
    }
    process.stdout.write(`${JSON.stringify(report)}\n`);
  })
  .on('close', () => process.exit(0));
