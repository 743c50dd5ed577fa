/**
 * Sends UDP packets of many flows from a packet socket as fast as one CPU takes them, or at a rate. Its own process, in the client's namespace:
 *
 *     node flow-sender.js '{"interface":"c0","gateway":"02:...","flows":10000,...}'
 *
 * Reads lines of JSON `{"count":N,"first":F,"rate":R}` (packets to send, first flow, packets a second or 0), answers `{"sent":N,"ms":T}`.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { native } from '../../dataplane/native/index.js';
import { upperLayerChecksum } from '../../dataplane/packet/checksum.js';
import { finishOuterHeader } from '../../dataplane/packet/encapsulation.js';
import { parseIp } from '../../dataplane/packet/ip.js';
import { IPV6_DESTINATION, IPV6_SOURCE, PROTOCOL_UDP, writeIpv6Header } from '../../dataplane/packet/ipv6.js';

const AF_PACKET = 17;
const SOCK_RAW = 3;
const ETH_P_IPV6 = 0x86dd;
const ETHERNET_HEADER = 14;
const BATCH = 128;

export interface SenderSettings {
  readonly interface: string;
  /** MAC address of the next hop. */
  readonly gateway: string;
  readonly source: string;
  readonly destination: string;
  readonly flows: number;
  /** Every flow comes from a /64 of its own, none of them the client's. */
  readonly spoofed: boolean;
  /** Every flow goes to a /64 of its own, counted up from the destination's. */
  readonly spread?: boolean;
  /** Octets of the IPv6 packet. */
  readonly octets: number;
  /** Header that it is encapsulated in, in hex; none by default. */
  readonly outer?: string;
}

export interface SendRequest {
  readonly count: number;
  /** Flow of the first packet; the others follow in turn, and after `span` flows from the first again. */
  readonly first: number;
  readonly span: number;
  /** Packets a second; 0: as fast as it goes. */
  readonly rate: number;
}

const mac = (text: string): Uint8Array => Uint8Array.from(text.split(':'), (part) => Number.parseInt(part, 16));

function buildFrames(settings: SenderSettings): Uint8Array {
  const outer = Buffer.from(settings.outer ?? '', 'hex');
  const length = ETHERNET_HEADER + outer.length + settings.octets;
  const frames = new Uint8Array(settings.flows * length);
  const source = parseIp(settings.source)!;
  const destination = parseIp(settings.destination)!;
  const own = mac(readFileSync(`/sys/class/net/${settings.interface}/address`, 'utf8').trim());
  const gateway = mac(settings.gateway);
  for (let flow = 0; flow < settings.flows; flow++) {
    const at = flow * length;
    frames.set(gateway, at);
    frames.set(own, at + 6);
    frames[at + 12] = ETH_P_IPV6 >> 8;
    frames[at + 13] = ETH_P_IPV6 & 0xff;
    const ip = at + ETHERNET_HEADER + outer.length;
    const payloadLength = settings.octets - 40;
    writeIpv6Header(frames, ip, { trafficClass: 0, flowLabel: 0, payloadLength, nextHeader: PROTOCOL_UDP, hopLimit: 64, source, destination });
    const udp = ip + 40;
    const view = new DataView(frames.buffer);
    if (settings.spoofed) view.setUint32(ip + IPV6_SOURCE + 4, flow + 1);
    if (settings.spread) view.setUint32(ip + IPV6_DESTINATION + 4, view.getUint32(ip + IPV6_DESTINATION + 4) + flow);
    view.setUint16(udp, 1024 + (flow % 60_000));
    view.setUint16(udp + 2, 9000 + Math.floor(flow / 60_000));
    view.setUint16(udp + 4, payloadLength);
    view.setUint16(udp + 6, upperLayerChecksum(frames, ip + IPV6_SOURCE, udp, payloadLength, PROTOCOL_UDP));
    if (outer.length === 0) continue;
    frames.set(outer, at + ETHERNET_HEADER);
    finishOuterHeader(frames, at + ETHERNET_HEADER, outer.length, settings.octets, (flow & 0xfffff) || 1);
  }
  return frames;
}

function openSocket(interfaceName: string): number {
  const fd = native.socket(AF_PACKET, SOCK_RAW, 0);
  // struct sockaddr_ll: protocol 0, so that nothing is received.
  const address = new Uint8Array(20);
  const view = new DataView(address.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setInt32(4, native.ifNameToIndex(interfaceName), true);
  native.bind(fd, address);
  return fd;
}

const settings = JSON.parse(process.argv[2] ?? '') as SenderSettings;
const frames = buildFrames(settings);
const frameLength = frames.length / settings.flows;
const fd = openSocket(settings.interface);
const offsets = new Int32Array(BATCH);
const lengths = new Int32Array(BATCH).fill(frameLength);

function send(request: SendRequest): { sent: number; ms: number } {
  const start = process.hrtime.bigint();
  const elapsedMs = (): number => Number(process.hrtime.bigint() - start) / 1e6;
  let sent = 0;
  let flow = 0;
  while (sent < request.count) {
    if (request.rate > 0) {
      const due = Math.floor((elapsedMs() * request.rate) / 1000);
      if (due <= sent) continue;
    }
    const batch = Math.min(request.rate > 0 ? 16 : BATCH, request.count - sent);
    for (let i = 0; i < batch; i++) {
      offsets[i] = (request.first + flow) * frameLength;
      if (++flow === request.span) flow = 0;
    }
    let taken = 0;
    while (taken < batch) {
      const count = native.sendBatch(fd, frames, taken === 0 ? offsets : offsets.subarray(taken), lengths, batch - taken);
      taken += Math.max(count, 0);
    }
    sent += batch;
  }
  return { sent, ms: elapsedMs() };
}

process.stdout.write('{}\n');
createInterface({ input: process.stdin }).on('line', (line) => {
  process.stdout.write(`${JSON.stringify(send(JSON.parse(line) as SendRequest))}\n`);
});
