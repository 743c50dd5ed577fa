/** The OPEN message (RFC 4271 section 4.2) with extended optional parameters (RFC 9072) and four-octet AS numbers (RFC 6793). */
import { Reader } from '../../../dataplane/packet/cursor.js';
import { formatIp, parseIp } from '../../../dataplane/packet/ip.js';
import { decodeCapabilities, encodeCapability } from './capabilities.js';
import { finishMessage, startMessage } from './header.js';
import { ErrorCode, notification, OpenSubcode, sessionFault } from './notification.js';
import { AS_TRANS, type Capability, MAX_MESSAGE_LENGTH, MessageType, type OpenMessage, type SessionFault } from './types.js';

const VERSION = 4;
const PARAMETER_CAPABILITIES = 2;
/** Stands where the first parameter's type would, when lengths have two octets (RFC 9072 section 2). */
const PARAMETER_EXTENDED_LENGTH = 255;

function fault(section: string, subcode: number, reason: string, data?: Uint8Array): SessionFault {
  return sessionFault(section, reason, notification(ErrorCode.open, subcode, data));
}

function readParameters(reader: Reader): Capability[] | SessionFault {
  const malformed = (): SessionFault => fault('RFC 4271 section 6.2', OpenSubcode.unspecific, 'the lengths of the optional parameters do not add up');
  let length = reader.u8();
  // RFC 9072 section 2: the type octet decides; the length octet before it only has to be non-zero.
  const extended = length !== 0 && reader.bytes[reader.offset] === PARAMETER_EXTENDED_LENGTH && reader.remaining > 0;
  if (extended) {
    reader.skip(1);
    length = reader.u16();
  }
  if (!reader.ok || length !== reader.remaining) return malformed();
  const capabilities: Capability[] = [];
  while (reader.remaining > 0) {
    const type = reader.u8();
    const value = reader.slice(extended ? reader.u16() : reader.u8());
    if (!value.ok) return malformed();
    if (type !== PARAMETER_CAPABILITIES) {
      return fault('RFC 4271 section 6.2', OpenSubcode.unsupportedOptionalParameter, `optional parameter ${type} is not supported`);
    }
    const list = decodeCapabilities(value);
    if (!list) return malformed();
    capabilities.push(...list);
  }
  return capabilities;
}

/**
 * Reads the body of an OPEN and checks what does not depend on the configuration (RFC 4271 section 6.2). Whether the AS number is
 * the expected one is the state machine's matter.
 */
export function decodeOpen(reader: Reader): OpenMessage | SessionFault {
  const version = reader.u8();
  const myAutonomousSystem = reader.u16();
  const holdTime = reader.u16();
  const identifier = reader.octets(4);
  if (version !== VERSION) {
    return fault('RFC 4271 section 6.2', OpenSubcode.unsupportedVersionNumber, `version ${version}`, Uint8Array.of(0, VERSION));
  }
  const capabilities = readParameters(reader);
  if (!Array.isArray(capabilities)) return capabilities;
  const as = capabilities.find((capability) => capability.kind === 'fourOctetAs')?.as ?? myAutonomousSystem;
  if (myAutonomousSystem === 0 || as === 0) return fault('RFC 7607 section 2', OpenSubcode.badPeerAs, 'AS number 0');
  if (identifier.every((octet) => octet === 0)) return fault('RFC 6286 section 2.2', OpenSubcode.badBgpIdentifier, 'BGP identifier 0.0.0.0');
  if (holdTime === 1 || holdTime === 2) {
    return fault('RFC 4271 section 6.2', OpenSubcode.unacceptableHoldTime, `hold time ${holdTime} s`);
  }
  return { type: 'open', as, myAutonomousSystem, holdTime, identifier: formatIp(identifier), capabilities };
}

/**
 * Encodes an OPEN; a 4-octet AS number appears as AS_TRANS in the fixed field, and as a capability only where the caller lists it.
 * One optional parameter a capability; extended lengths only where they are needed, since few receivers know them. Throws
 * RangeError when it exceeds 4096 octets.
 */
export function encodeOpen(open: Pick<OpenMessage, 'as' | 'holdTime' | 'identifier' | 'capabilities'>): Uint8Array {
  const identifier = parseIp(open.identifier);
  if (identifier?.length !== 4) throw new RangeError(`BGP identifier ${open.identifier}`);
  const encoded = open.capabilities.map(encodeCapability);
  const short = encoded.reduce((sum, { length }) => sum + 2 + length, 0);
  const extended = short > 254 || encoded.some(({ length }) => length > 255);
  const writer = startMessage(MessageType.open, 64 + short)
    .u8(VERSION)
    .u16(open.as > 0xffff ? AS_TRANS : open.as)
    .u16(open.holdTime)
    .octets(identifier);
  if (extended) writer.u8(PARAMETER_EXTENDED_LENGTH).u8(PARAMETER_EXTENDED_LENGTH).u16(short + encoded.length);
  else writer.u8(short);
  for (const capability of encoded) {
    writer.u8(PARAMETER_CAPABILITIES);
    if (extended) writer.u16(capability.length);
    else writer.u8(capability.length);
    writer.octets(capability);
  }
  if (writer.length > MAX_MESSAGE_LENGTH) throw new RangeError(`an OPEN of ${writer.length} octets`);
  return finishMessage(writer);
}
