/** Reads TCP streams out of pcap and pcapng files, as far as captures of BGP need it: Ethernet, Linux cooked and raw IP; no IP fragments. */
import { readFileSync } from 'node:fs';
import { formatIp } from '../../../../../dataplane/packet/ip.js';

interface Frame {
  readonly linkType: number;
  readonly octets: Uint8Array;
}

/** One direction of a TCP connection: payload in the order of capture, without what was sent twice. */
export interface TcpStream {
  readonly source: string;
  readonly destination: string;
  readonly chunks: readonly Uint8Array[];
}

const LINK_ETHERNET = 1;
const LINK_RAW = 101;
const LINK_LINUX_COOKED = 113;
const LINK_NULL = 0;

function pcapFrames(file: Buffer): Frame[] {
  const little = file.readUInt32LE(0) === 0xa1b2c3d4 || file.readUInt32LE(0) === 0xa1b23c4d;
  const u32 = (at: number): number => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const frames: Frame[] = [];
  const linkType = u32(20);
  for (let at = 24; at + 16 <= file.length; ) {
    const length = u32(at + 8);
    frames.push({ linkType, octets: file.subarray(at + 16, at + 16 + length) });
    at += 16 + length;
  }
  return frames;
}

function pcapngFrames(file: Buffer): Frame[] {
  const little = file.readUInt32LE(8) === 0x1a2b3c4d;
  const u32 = (at: number): number => (little ? file.readUInt32LE(at) : file.readUInt32BE(at));
  const u16 = (at: number): number => (little ? file.readUInt16LE(at) : file.readUInt16BE(at));
  const linkTypes: number[] = [];
  const frames: Frame[] = [];
  for (let at = 0; at + 12 <= file.length; at += u32(at + 4)) {
    const type = u32(at);
    if (type === 1) linkTypes.push(u16(at + 8));
    else if (type === 6) frames.push({ linkType: linkTypes[u32(at + 8)]!, octets: file.subarray(at + 28, at + 28 + u32(at + 20)) });
  }
  return frames;
}

/** The IP packet in a frame; undefined for other protocols. */
function ipPacket({ linkType, octets }: Frame): Uint8Array | undefined {
  switch (linkType) {
    case LINK_ETHERNET: {
      let at = 12;
      let type = (octets[at]! << 8) | octets[at + 1]!;
      if (type === 0x8100) {
        at += 4;
        type = (octets[at]! << 8) | octets[at + 1]!;
      }
      return type === 0x0800 || type === 0x86dd ? octets.subarray(at + 2) : undefined;
    }
    case LINK_LINUX_COOKED:
      return octets.subarray(16);
    case LINK_NULL:
      return octets.subarray(4);
    case LINK_RAW:
      return octets;
    default:
      throw new Error(`link type ${linkType} is not read here`);
  }
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
  const file = readFileSync(path);
  const frames = file.readUInt32BE(0) === 0x0a0d0d0a ? pcapngFrames(file) : pcapFrames(file);
  const streams = new Map<string, { source: string; destination: string; chunks: Uint8Array[] }>();
  const seen = new Set<string>();
  for (const frame of frames) {
    const packet = ipPacket(frame);
    const segment = packet && tcpSegment(packet);
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
