/** Notifications of the kernel: what changed, by multicast group. */
import { systemCallError } from './error.js';
import { splitMessages, type NetlinkMessage } from './message.js';
import type { NetlinkTransport } from './socket.js';

/** Datagrams read in one turn of the event loop. */
const TURN = 512;

export interface MonitorHandlers {
  /** Called for each message; valid during the call. */
  readonly message: (message: NetlinkMessage) => void;
  /** The kernel dropped notifications (ENOBUFS): whatever is known must be read again. */
  readonly overrun: () => void;
}

/** Reads a socket that is subscribed to groups. Closing the monitor closes the socket. */
export class NetlinkMonitor {
  constructor(
    private readonly transport: NetlinkTransport,
    private readonly handlers: MonitorHandlers,
  ) {
    transport.onReady(() => this.read());
  }

  private read(): void {
    try {
      this.transport.receive((datagram) => splitMessages(datagram).messages.forEach(this.handlers.message), TURN);
    } catch (error) {
      systemCallError(error);
      this.handlers.overrun();
    }
  }

  close(): void {
    this.transport.close();
  }
}
