/** Writing the messages that are not UPDATEs; those are in pack.ts, the OPEN in open.ts. */
import { finishMessage, maximumLength, startMessage } from './header.js';
import { type AfiSafi, MessageType, type Notification } from './types.js';

export { encodeOpen } from './open.js';

export function encodeKeepalive(): Uint8Array {
  return finishMessage(startMessage(MessageType.keepalive, 19));
}

/** Data past the longest message that the peer takes is cut: it is for humans (RFC 4271 section 4.5). */
export function encodeNotification({ code, subcode, data }: Notification, extendedMessage = false): Uint8Array {
  const room = maximumLength(MessageType.notification, extendedMessage) - 21;
  return finishMessage(startMessage(MessageType.notification, 21 + data.length).u8(code).u8(subcode).octets(data.subarray(0, room)));
}

/** RFC 2918, with the subtypes of RFC 7313 where enhanced route refresh was negotiated. */
export function encodeRouteRefresh(family: AfiSafi, subtype = 0): Uint8Array {
  return finishMessage(startMessage(MessageType.routeRefresh, 23).u16(family.afi).u8(subtype).u8(family.safi));
}
