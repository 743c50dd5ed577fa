/** An ICMPv6 echo (RFC 4443 section 4) or ICMP echo (RFC 792): the node is there. */
import { randomInt } from 'node:crypto';
import { native } from '../../../dataplane/native/index.js';
import { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import { socketAddress } from '../../../dataplane/packet/socket-address.js';
import { failureText } from './failure.js';
import type { Probe } from './check.js';

const SOCK_RAW = 3;
const READABLE = 1;

/** What differs between the families. */
interface Family {
  readonly domain: number;
  readonly protocol: number;
  readonly request: number;
  readonly reply: number;
  /** Socket option that lets only echo replies through. */
  readonly filter: { readonly level: number; readonly option: number; readonly value: (reply: number) => Uint8Array };
  /** The kernel fills in the checksum (RFC 3542 section 3.1). */
  readonly checksum: boolean;
  /** The IP header stands before what is received. */
  readonly headerIncluded: boolean;
}

const ICMPV6: Family = {
  domain: 10,
  protocol: 58,
  request: 128,
  reply: 129,
  // struct icmp6_filter: a set bit blocks its type (RFC 3542 section 3.2).
  filter: { level: 58, option: 1, value: (reply) => blockAllBut(reply, 32) },
  checksum: true,
  headerIncluded: false,
};
const ICMP: Family = {
  domain: 2,
  protocol: 1,
  request: 8,
  reply: 0,
  // struct icmp_filter of raw(7), SOL_RAW: likewise, for types up to 31.
  filter: { level: 255, option: 1, value: (reply) => blockAllBut(reply, 4) },
  checksum: false,
  headerIncluded: true,
};

function blockAllBut(type: number, octets: number): Uint8Array {
  const filter = new Uint8Array(octets).fill(0xff);
  new DataView(filter.buffer).setUint32((type >> 5) * 4, ~(1 << (type & 31)) >>> 0, true);
  return filter;
}

export interface Echo {
  readonly identifier: number;
  readonly sequence: number;
}

const familyOf = (address: string): Family => (address.includes(':') ? ICMPV6 : ICMP);

export function encodeEchoRequest(echo: Echo, version: 4 | 6 = 6): Uint8Array {
  const family = version === 6 ? ICMPV6 : ICMP;
  const packet = new Writer(16).u8(family.request).u8(0).u16(0).u16(echo.identifier).u16(echo.sequence).zeros(8).finish();
  if (!family.checksum) new DataView(packet.buffer, packet.byteOffset).setUint16(2, internetChecksum(packet));
  return packet;
}

/** RFC 1071, of an even number of octets. */
function internetChecksum(octets: Uint8Array): number {
  const reader = new Reader(octets);
  let sum = 0;
  while (reader.remaining >= 2) sum += reader.u16();
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}

/** The echo of a reply, as a raw socket hands it over; undefined when the packet is something else. */
export function decodeEchoReply(bytes: Uint8Array, version: 4 | 6 = 6): Echo | undefined {
  const family = version === 6 ? ICMPV6 : ICMP;
  const reader = new Reader(bytes);
  if (family.headerIncluded) reader.skip(((bytes[0] ?? 0) & 0x0f) * 4);
  const type = reader.u8();
  const code = reader.u8();
  reader.skip(2);
  const echo = { identifier: reader.u16(), sequence: reader.u16() };
  return reader.ok && type === family.reply && code === 0 ? echo : undefined;
}

/** Needs CAP_NET_RAW. */
export function icmpProbe(address: string): Probe {
  let sequence = 0;
  const family = familyOf(address);
  const version = family === ICMPV6 ? 6 : 4;
  return (done) => {
    sequence = (sequence + 1) & 0xffff;
    const echo: Echo = { identifier: randomInt(0x1_0000), sequence };
    const arena = new Uint8Array(2048);
    const lengths = new Int32Array(1);
    let fd = -1;
    let poll: { close(): void } | undefined;
    const close = (): void => {
      poll?.close();
      poll = undefined;
      if (fd >= 0) native.close(fd);
      fd = -1;
    };
    const end = (failure: string | undefined): void => {
      close();
      done(failure);
    };
    const read = (): void => {
      try {
        while (fd >= 0 && native.recvBatch(fd, arena, lengths, null, null, null) > 0) {
          const reply = decodeEchoReply(arena.subarray(0, Math.min(lengths[0]!, arena.length)), version);
          if (reply?.identifier === echo.identifier && reply.sequence === echo.sequence) end(undefined);
        }
      } catch (error) {
        end(failureText(error));
      }
    };
    try {
      fd = native.socket(family.domain, SOCK_RAW, family.protocol);
      native.setsockopt(fd, family.filter.level, family.filter.option, family.filter.value(family.reply));
      // Connected: packets of other senders do not come, errors of the path do.
      native.connect(fd, socketAddress(address, 0));
      poll = native.poll(fd, READABLE, read);
      native.sendmsg(fd, encodeEchoRequest(echo, version), null, null);
    } catch (error) {
      end(failureText(error));
    }
    return { cancel: close };
  };
}
