/** Reading one message, as cut by the framer. */
import { Reader } from '../../../dataplane/packet/cursor.js';
import { readHeader } from './header.js';
import { ErrorCode, HeaderSubcode, notification, sessionFault, shutdownCommunication } from './notification.js';
import { copyOf } from './octets.js';
import { decodeOpen } from './open.js';
import {
  type DecodeContext,
  type DecodeResult,
  HEADER_LENGTH,
  type Message,
  MessageType,
  type NotificationMessage,
  type RouteRefreshMessage,
  RouteRefreshSubtype,
  type SessionFault,
} from './types.js';
import { decodeUpdate } from './update.js';

const ROUTE_REFRESH_LENGTH = HEADER_LENGTH + 4;

function decodeNotification(body: Reader): NotificationMessage {
  const message = { code: body.u8(), subcode: body.u8(), data: copyOf(body.rest()) };
  return { type: 'notification', ...message, shutdownCommunication: shutdownCommunication(message) };
}

function decodeRouteRefresh(bytes: Uint8Array, body: Reader): RouteRefreshMessage | SessionFault {
  const afi = body.u16();
  const subtype = body.u8();
  const safi = body.u8();
  // RFC 7313 section 5. A plain request may be longer where outbound route filters are spoken (RFC 5291), which are ignored here.
  if (bytes.length !== ROUTE_REFRESH_LENGTH && (subtype === RouteRefreshSubtype.begin || subtype === RouteRefreshSubtype.end)) {
    const answer = notification(ErrorCode.routeRefresh, 1, copyOf(bytes));
    return sessionFault('RFC 7313 section 5', `ROUTE-REFRESH of ${bytes.length} octets`, answer);
  }
  return { type: 'routeRefresh', family: { afi, safi }, subtype };
}

function decodeBody(bytes: Uint8Array, context: DecodeContext): Message | SessionFault {
  const body = new Reader(bytes, HEADER_LENGTH);
  switch (bytes[HEADER_LENGTH - 1]) {
    case MessageType.open:
      return decodeOpen(body);
    case MessageType.update:
      return decodeUpdate(body, context);
    case MessageType.notification:
      return decodeNotification(body);
    case MessageType.routeRefresh:
      return decodeRouteRefresh(bytes, body);
    default:
      return { type: 'keepalive' };
  }
}

/** Reads one whole message, header included. Never throws; a result that is not ok ends the session with its NOTIFICATION. */
export function decodeMessage(bytes: Uint8Array, context: DecodeContext): DecodeResult {
  const badLength = (): SessionFault =>
    sessionFault('RFC 4271 section 6.1', `${bytes.length} octets are not one message`, notification(ErrorCode.messageHeader, HeaderSubcode.badMessageLength));
  if (bytes.length < HEADER_LENGTH) return { ok: false, fault: badLength() };
  const header = readHeader(bytes, 0, context.extendedMessage);
  if (typeof header !== 'number') return { ok: false, fault: header };
  if (header !== bytes.length) return { ok: false, fault: badLength() };
  const message = decodeBody(bytes, context);
  return 'type' in message ? { ok: true, message } : { ok: false, fault: message };
}
