/** The message header (RFC 4271 section 4.1): marker, length, type. */
import { Writer } from '../../../dataplane/packet/cursor.js';
import { ErrorCode, HeaderSubcode, notification, sessionFault } from './notification.js';
import { copyOf } from './octets.js';
import { HEADER_LENGTH, MAX_EXTENDED_MESSAGE_LENGTH, MAX_MESSAGE_LENGTH, MessageType, type SessionFault } from './types.js';

/** Shortest length of each type, header included, by type code. */
const MINIMUM_LENGTH: readonly number[] = [0, 29, 23, 21, HEADER_LENGTH, 23];

/** OPEN and KEEPALIVE never exceed 4096 octets (RFC 8654 section 4). */
export function maximumLength(type: number, extendedMessage: boolean): number {
  return extendedMessage && type !== MessageType.open && type !== MessageType.keepalive ? MAX_EXTENDED_MESSAGE_LENGTH : MAX_MESSAGE_LENGTH;
}

/** Checks the header at `at`, which has its 19 octets there (RFC 4271 section 6.1). Returns the message's length or what is wrong. */
export function readHeader(bytes: Uint8Array, at: number, extendedMessage: boolean): number | SessionFault {
  for (let i = at; i < at + 16; i++) {
    if (bytes[i] !== 0xff) {
      return sessionFault('RFC 4271 section 6.1', 'the marker is not all ones', notification(ErrorCode.messageHeader, HeaderSubcode.connectionNotSynchronized));
    }
  }
  const length = (bytes[at + 16]! << 8) | bytes[at + 17]!;
  const type = bytes[at + 18]!;
  const badLength = (): SessionFault =>
    sessionFault(
      'RFC 4271 section 6.1',
      `length ${length} is impossible for message type ${type}`,
      notification(ErrorCode.messageHeader, HeaderSubcode.badMessageLength, copyOf(bytes, at + 16, at + 18)),
    );
  if (length < HEADER_LENGTH || length > maximumLength(type, extendedMessage)) return badLength();
  const minimum = MINIMUM_LENGTH[type];
  if (type === 0 || minimum === undefined) {
    return sessionFault(
      'RFC 4271 section 6.1',
      `message type ${type} is unknown`,
      notification(ErrorCode.messageHeader, HeaderSubcode.badMessageType, copyOf(bytes, at + 18, at + 19)),
    );
  }
  if (length < minimum || (type === MessageType.keepalive && length !== HEADER_LENGTH)) return badLength();
  return length;
}

const MARKER = new Uint8Array(16).fill(0xff);

/** Starts a message; `finishMessage` sets its length. */
export function startMessage(type: number, capacity: number): Writer {
  const writer = new Writer(capacity);
  appendHeader(writer, type);
  return writer;
}

/** Sets the length and returns the message's octets, which the caller owns. */
export function finishMessage(writer: Writer): Uint8Array {
  endMessage(writer, 0);
  return writer.finish();
}

/** Starts a message behind others; `endMessage` sets its length. */
export function appendHeader(writer: Writer, type: number): void {
  writer.octets(MARKER).u16(0).u8(type);
}

/** Sets the length of the message that starts at `start` and ends here. */
export function endMessage(writer: Writer, start: number): void {
  writer.setU16(start + MARKER.length, writer.length - start);
}
