/** Framing of netlink messages and the kernel's answers (linux/netlink.h): pure, nothing throws. */
import { Attributes, readI32, readU16, readU32, type Decoded } from './attributes.js';
import { NLMSGERR_ATTR_MSG, NLMSGERR_ATTR_OFFS, NLMSG_ERROR, NLMSG_HEADER, NLM_F_ACK_TLVS, NLM_F_CAPPED } from './constants.js';

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** Port of the socket that caused it; 0: the kernel itself. */
  readonly port: number;
  /** A view into the datagram. */
  readonly payload: Uint8Array;
}

/** Cuts a datagram into its messages. Whole messages before a malformed one are still returned. */
export function splitMessages(datagram: Uint8Array): { readonly messages: NetlinkMessage[]; readonly fault?: string } {
  const messages: NetlinkMessage[] = [];
  let at = 0;
  while (at < datagram.length) {
    const left = datagram.length - at;
    if (left < NLMSG_HEADER) return { messages, fault: `${left} octets left where a message header has ${NLMSG_HEADER}` };
    const length = readU32(datagram, at);
    if (length < NLMSG_HEADER || length > left) return { messages, fault: `a message says it has ${length} octets where ${left} are left` };
    messages.push({
      type: readU16(datagram, at + 4),
      flags: readU16(datagram, at + 6),
      sequence: readU32(datagram, at + 8),
      port: readU32(datagram, at + 12),
      payload: datagram.subarray(at + NLMSG_HEADER, at + length),
    });
    at += (length + 3) & ~3;
  }
  return { messages };
}

export interface Answer {
  /** Positive errno; 0 is an acknowledgement. */
  readonly errno: number;
  /** The kernel's extended-ack text (an error, or a warning beside an acknowledgement). */
  readonly text?: string;
  /** Where in the request the offending attribute begins, from the request's header. */
  readonly offset?: number;
}

/** Decodes the payload of NLMSG_ERROR (also the acknowledgement) and of NLMSG_DONE, which ends a dump with a status of its own. */
export function decodeAnswer(message: NetlinkMessage): Decoded<Answer> {
  const { payload, flags, type } = message;
  // A dump's end may come without a status in old kernels.
  if (payload.length < 4) return type === NLMSG_ERROR ? { fault: 'an error message without a code' } : { value: { errno: 0 } };
  const errno = 0 - readI32(payload, 0);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { value: { errno } };
  let at = 4;
  if (type === NLMSG_ERROR) {
    if (payload.length < 4 + NLMSG_HEADER) return { fault: 'an error message without the header it answers' };
    // The request's payload follows its header unless the kernel left it out (NETLINK_CAP_ACK).
    at += (flags & NLM_F_CAPPED) === 0 ? (readU32(payload, 4) + 3) & ~3 : NLMSG_HEADER;
    if (at > payload.length || at < 4) return { fault: 'an error message shorter than the request it repeats' };
  }
  const attributes = new Attributes(payload, at);
  const text = attributes.text(NLMSGERR_ATTR_MSG);
  const offset = attributes.u32(NLMSGERR_ATTR_OFFS);
  if (!attributes.ok) return { fault: 'malformed extended acknowledgement' };
  return { value: { errno, ...(text !== undefined && { text }), ...(offset !== undefined && { offset }) } };
}
