/** Messages of a peer by type and direction, over all its connections. */
import type { Message } from './wire/types.js';

export type MessageCounts = Record<Message['type'], number>;

const zero = (): MessageCounts => ({ open: 0, update: 0, notification: 0, keepalive: 0, routeRefresh: 0 });

export class Counters {
  readonly received = zero();
  readonly sent = zero();
  octetsReceived = 0;
  octetsSent = 0;
  /** UPDATE messages with a fault that did not end the session, by what was done (RFC 7606). */
  treatAsWithdraw = 0;
  attributeDiscard = 0;
}
