/** An ICMPv6 echo (RFC 4443 section 4): the node is there. */
import { randomInt } from 'node:crypto';
import { native } from '../../../dataplane/native/index.js';
import { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import { socketAddress } from '../stamp/socket.js';
import type { Probe } from './check.js';

const AF_INET6 = 10;
const SOCK_RAW = 3;
const IPPROTO_ICMPV6 = 58;
const ICMP6_FILTER = 1;
const ECHO_REQUEST = 128;
const ECHO_REPLY = 129;
const READABLE = 1;

export interface Echo {
  readonly identifier: number;
  readonly sequence: number;
}

/** The kernel fills in the checksum of ICMPv6 on raw sockets (RFC 3542 section 3.1). */
export function encodeEchoRequest(echo: Echo): Uint8Array {
  return new Writer(16).u8(ECHO_REQUEST).u8(0).u16(0).u16(echo.identifier).u16(echo.sequence).zeros(8).finish();
}

/** The echo of a reply; undefined when the packet is something else. */
export function decodeEchoReply(bytes: Uint8Array): Echo | undefined {
  const reader = new Reader(bytes);
  const type = reader.u8();
  const code = reader.u8();
  reader.skip(2);
  const echo = { identifier: reader.u16(), sequence: reader.u16() };
  return reader.ok && type === ECHO_REPLY && code === 0 ? echo : undefined;
}

/** struct icmp6_filter: a set bit blocks its type (RFC 3542 section 3.2). */
function onlyEchoReplies(): Uint8Array {
  const filter = new Uint8Array(32).fill(0xff);
  new DataView(filter.buffer).setUint32((ECHO_REPLY >> 5) * 4, ~(1 << (ECHO_REPLY & 31)) >>> 0, true);
  return filter;
}

/** Needs CAP_NET_RAW. */
export function icmpProbe(address: string): Probe {
  let sequence = 0;
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
          const reply = decodeEchoReply(arena.subarray(0, Math.min(lengths[0]!, arena.length)));
          if (reply?.identifier === echo.identifier && reply.sequence === echo.sequence) end(undefined);
        }
      } catch (error) {
        end(message(error));
      }
    };
    try {
      fd = native.socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6);
      native.setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, onlyEchoReplies());
      // Connected: packets of other senders do not come, errors of the path do.
      native.connect(fd, socketAddress(address, 0));
      poll = native.poll(fd, READABLE, read);
      native.sendmsg(fd, encodeEchoRequest(echo), null, null);
    } catch (error) {
      end(message(error));
    }
    return { cancel: close };
  };
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));
