/** TCP streams in captures. */
import { formatIp } from '../../../../../dataplane/packet/ip.js';
import { ipPackets } from '../../../../vectors/pcap.js';

/** One direction of a TCP connection: payload in the order of capture, without what was sent twice. */
export interface TcpStream {
  readonly source: string;
  readonly destination: string;
  readonly chunks: readonly Uint8Array[];
}

interface Segment {
  readonly source: string;
  readonly destination: string;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

function tcpSegment(packet: Uint8Array): Segment | undefined {
  const version = packet[0]! >> 4;
  const headerLength = version === 4 ? (packet[0]! & 0xf) * 4 : 40;
  if (packet[version === 4 ? 9 : 6] !== 6) return undefined;
  const total = version === 4 ? (packet[2]! << 8) | packet[3]! : 40 + ((packet[4]! << 8) | packet[5]!);
  const source = version === 4 ? formatIp(packet, 12, 4) : formatIp(packet, 8, 16);
  const destination = version === 4 ? formatIp(packet, 16, 4) : formatIp(packet, 24, 16);
  const tcp = packet.subarray(headerLength, total);
  const view = new DataView(tcp.buffer, tcp.byteOffset, tcp.length);
  return {
    source: `${source} ${view.getUint16(0)}`,
    destination: `${destination} ${view.getUint16(2)}`,
    sequence: view.getUint32(4),
    payload: tcp.subarray((tcp[12]! >> 4) * 4),
  };
}

/** All TCP streams with payload in a capture, in order of their first payload. Segments sent twice are left out. */
export function tcpStreams(path: string): TcpStream[] {
  const streams = new Map<string, { source: string; destination: string; chunks: Uint8Array[] }>();
  const seen = new Set<string>();
  for (const packet of ipPackets(path)) {
    const segment = tcpSegment(packet);
    if (!segment || segment.payload.length === 0) continue;
    const key = `${segment.source} ${segment.destination}`;
    const identity = `${key} ${segment.sequence} ${Buffer.from(segment.payload).toString('base64')}`;
    if (seen.has(identity)) continue;
    seen.add(identity);
    const stream = streams.get(key) ?? { source: segment.source.split(' ')[0]!, destination: segment.destination.split(' ')[0]!, chunks: [] };
    streams.set(key, stream);
    stream.chunks.push(segment.payload);
  }
  return [...streams.values()];
}
