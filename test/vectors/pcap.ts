/** Reads IP packets out of pcap and pcapng files, as far as captures of routing protocols need it: Ethernet, Frame Relay with EtherTypes, Linux cooked and raw IP. */
import { readFileSync } from 'node:fs';

interface Frame {
  readonly linkType: number;
  readonly octets: Uint8Array;
}

const LINK_ETHERNET = 1;
const LINK_RAW = 101;
const LINK_FRAME_RELAY = 107;
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
    case LINK_FRAME_RELAY: {
      const type = (octets[2]! << 8) | octets[3]!;
      return type === 0x0800 || type === 0x86dd ? octets.subarray(4) : undefined;
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

/** All IP packets of a capture in its order, with what the link padded them with. */
export function ipPackets(path: string): Uint8Array[] {
  const file = readFileSync(path);
  const frames = file.readUInt32BE(0) === 0x0a0d0d0a ? pcapngFrames(file) : pcapFrames(file);
  return frames.flatMap((frame) => ipPacket(frame) ?? []);
}
