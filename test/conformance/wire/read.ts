/** Reading what a speaker sends, as far as the cases look at it. A message that makes no sense is a finding, so faults are values. */
import { formatIp } from '../../../dataplane/packet/ip.js';
import { type Bytes, MessageType } from './build.js';

export interface Message {
  readonly type: number;
  readonly bytes: Bytes;
  /** Behind the header. */
  readonly body: Bytes;
}

const uint16 = (bytes: Bytes, offset: number): number => (bytes[offset]! << 8) | bytes[offset + 1]!;
const uint32 = (bytes: Bytes, offset: number): number => uint16(bytes, offset) * 65536 + uint16(bytes, offset + 2);

/** Takes whole messages off the front of `bytes`; a length below 19 ends the stream, as nothing after it can be found. */
export function takeMessages(bytes: Bytes): { readonly messages: readonly Message[]; readonly rest: Bytes } {
  const messages: Message[] = [];
  let offset = 0;
  while (bytes.length - offset >= 19) {
    const length = uint16(bytes, offset + 16);
    if (length < 19 || offset + length > bytes.length) break;
    const whole = bytes.slice(offset, offset + length);
    messages.push({ type: whole[18]!, bytes: whole, body: whole.subarray(19) });
    offset += length;
  }
  return { messages, rest: bytes.slice(offset) };
}

export interface ReceivedOpen {
  readonly version: number;
  readonly as: number;
  readonly holdTime: number;
  readonly identifier: string;
  readonly capabilities: readonly { readonly code: number; readonly value: Bytes }[];
  /** What does not add up. */
  readonly fault: string | undefined;
}

export function readOpen(body: Bytes): ReceivedOpen {
  if (body.length < 10) return { version: 0, as: 0, holdTime: 0, identifier: '', capabilities: [], fault: `body of ${body.length} octets` };
  const fixed = { version: body[0]!, as: uint16(body, 1), holdTime: uint16(body, 3), identifier: formatIp(body.slice(5, 9)) };
  // RFC 9072 section 2: type 255 in place of the first parameter tells that lengths have two octets.
  const long = body[9] !== 0 && body[10] === 255;
  const length = long ? uint16(body, 11) : body[9]!;
  const start = long ? 13 : 10;
  const capabilities: { code: number; value: Bytes }[] = [];
  const broken = (fault: string): ReceivedOpen => ({ ...fixed, capabilities, fault });
  if (start + length !== body.length) return broken('the length of the optional parameters does not fit the message');
  for (let offset = start; offset < body.length; ) {
    const head = long ? 3 : 2;
    const size = long ? uint16(body, offset + 1) : body[offset + 1]!;
    const end = offset + head + size;
    if (!(end <= body.length)) return broken('an optional parameter exceeds the message');
    if (body[offset] === 2) {
      for (let at = offset + head; at < end; ) {
        const next = at + 2 + body[at + 1]!;
        if (!(next <= end)) return broken('a capability exceeds its parameter');
        capabilities.push({ code: body[at]!, value: body.slice(at + 2, next) });
        at = next;
      }
    }
    offset = end;
  }
  return { ...fixed, capabilities, fault: undefined };
}

export interface ReceivedAttribute {
  readonly flags: number;
  readonly value: Bytes;
}

export interface ReceivedNlri {
  /** "AFI/SAFI". */
  readonly family: string;
  /** Text of the prefix; for other SAFIs than unicast the octets in hexadecimal. */
  readonly prefix: string;
  readonly pathId: number | undefined;
}

export interface ReceivedUpdate {
  readonly announced: readonly ReceivedNlri[];
  readonly withdrawn: readonly ReceivedNlri[];
  readonly attributes: ReadonlyMap<number, ReceivedAttribute>;
  /** Types in the order of the message. */
  readonly order: readonly number[];
  readonly mpNextHop: Bytes | undefined;
  readonly mpReserved: number | undefined;
  /** "AFI/SAFI" of an End-of-RIB marker (RFC 4724 section 2). */
  readonly endOfRib: string | undefined;
  readonly fault: string | undefined;
}

function readNlri(bytes: Bytes, afi: number, safi: number, addPath: ReadonlySet<string>): ReceivedNlri[] | undefined {
  const family = `${afi}/${safi}`;
  const list: ReceivedNlri[] = [];
  const width = afi === 1 ? 4 : 16;
  for (let offset = 0; offset < bytes.length; ) {
    const withId = addPath.has(family);
    const pathId = withId ? uint32(bytes, offset) : undefined;
    if (withId) offset += 4;
    const bits = bytes[offset]!;
    const end = offset + 1 + Math.ceil(bits / 8);
    if (!(end <= bytes.length) || (safi === 1 && bits > width * 8)) return undefined;
    const octets = bytes.subarray(offset + 1, end);
    const padded = new Uint8Array(width);
    if (safi === 1) padded.set(octets);
    list.push({ family, prefix: safi === 1 ? `${formatIp(padded)}/${bits}` : Buffer.from(octets).toString('hex'), pathId });
    offset = end;
  }
  return list;
}

const broken = (fault: string): ReceivedUpdate => ({ announced: [], withdrawn: [], attributes: new Map(), order: [], mpNextHop: undefined, mpReserved: undefined, endOfRib: undefined, fault });

/** `addPath` holds the families ("AFI/SAFI") that arrive with path identifiers. */
export function readUpdate(body: Bytes, addPath: ReadonlySet<string>): ReceivedUpdate {
  if (body.length < 4) return broken('shorter than its two length fields');
  const withdrawnEnd = 2 + uint16(body, 0);
  const attributesEnd = withdrawnEnd + 2 + uint16(body, withdrawnEnd);
  if (!(attributesEnd <= body.length)) return broken('lengths exceed the message');
  const withdrawn = readNlri(body.slice(2, withdrawnEnd), 1, 1, addPath);
  const announced = readNlri(body.slice(attributesEnd), 1, 1, addPath);
  if (!withdrawn || !announced) return broken('IPv4 NLRI that cannot be read');
  const attributes = new Map<number, ReceivedAttribute>();
  const order: number[] = [];
  for (let offset = withdrawnEnd + 2; offset < attributesEnd; ) {
    const flags = body[offset]!;
    const long = (flags & 0x10) !== 0;
    const start = offset + (long ? 4 : 3);
    const end = start + (long ? uint16(body, offset + 2) : body[offset + 2]!);
    if (!(end <= attributesEnd)) return broken('an attribute exceeds the list');
    const type = body[offset + 1]!;
    if (attributes.has(type)) return broken(`attribute ${type} twice`);
    attributes.set(type, { flags, value: body.slice(start, end) });
    order.push(type);
    offset = end;
  }
  const reach = attributes.get(14)?.value;
  const unreach = attributes.get(15)?.value;
  let mpNextHop: Bytes | undefined;
  let mpReserved: number | undefined;
  if (reach) {
    const end = 4 + reach[3]!;
    mpNextHop = reach.slice(4, end);
    mpReserved = reach[end];
    const list = readNlri(reach.slice(end + 1), uint16(reach, 0), reach[2]!, addPath);
    if (mpReserved === undefined || !list) return broken('MP_REACH_NLRI that cannot be read');
    announced.push(...list);
  }
  if (unreach) {
    const list = readNlri(unreach.slice(3), uint16(unreach, 0), unreach[2]!, addPath);
    if (!list) return broken('MP_UNREACH_NLRI that cannot be read');
    withdrawn.push(...list);
  }
  let endOfRib: string | undefined;
  if (body.length === 4) endOfRib = '1/1';
  else if (unreach?.length === 3 && order.length === 1) endOfRib = `${uint16(unreach, 0)}/${unreach[2]!}`;
  return { announced, withdrawn, attributes, order, mpNextHop, mpReserved, endOfRib, fault: undefined };
}

const NAMES = new Map<number, string>(Object.entries(MessageType).map(([name, type]) => [type, name]));

/** For a report: the kind of a message and its octets. */
export function describe({ type, bytes, body }: Message): string {
  const hex = Buffer.from(bytes).toString('hex');
  const short = hex.length > 160 ? `${hex.slice(0, 160)}...` : hex;
  if (type === MessageType.notification) return `NOTIFICATION ${body[0] ?? '?'}/${body[1] ?? '?'} data ${Buffer.from(body.subarray(2)).toString('hex') || 'empty'} [${short}]`;
  return `${(NAMES.get(type) ?? `type ${type}`).toUpperCase()} [${short}]`;
}
