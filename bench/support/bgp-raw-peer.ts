/**
 * The other end of a BGP session as a bench needs it: it opens the session, writes prepared octets as fast as the socket takes them, and counts the
 * distinct prefixes (of support/bgp-table.ts) that it is told. It knows nothing else of BGP, so that it costs little beside the daemon that is measured.
 */
import { connect, type Socket } from 'node:net';
import { encodeKeepalive, encodeOpen } from '../../daemon/bgp/wire/encode.js';
import { MessageFramer } from '../../daemon/bgp/wire/framer.js';
import { HEADER_LENGTH, IPV6_UNICAST, MessageType } from '../../daemon/bgp/wire/types.js';

export interface RawPeerSettings {
  readonly address: string;
  readonly as: number;
  readonly identifier: string;
  readonly daemon: string;
  /** s; a KEEPALIVE leaves each third of it. */
  readonly holdTime: number;
}

const MP_REACH = 14;
const EXTENDED_LENGTH = 0x10;
const RETRY_MS = 100;
const CHUNK = 1 << 16;

export class RawPeer {
  /** Distinct prefixes announced to this peer. */
  prefixes = 0;
  updates = 0;
  /** performance.now() of the last new prefix. */
  lastNewAt = 0;
  private readonly seen = new Uint8Array(1 << 21);
  private socket: Socket | undefined;
  private isUp = false;
  private timer: NodeJS.Timeout | undefined;
  private whenUp: (() => void) | undefined;
  private awaited: { readonly prefixes: number; readonly resolve: () => void } | undefined;

  constructor(private readonly settings: RawPeerSettings) {}

  /** Tries until the session is established. */
  async open(): Promise<void> {
    return new Promise((resolve) => {
      this.whenUp = resolve;
      this.attempt();
    });
  }

  private attempt(): void {
    const { address, daemon, as, holdTime, identifier } = this.settings;
    const socket = connect({ host: daemon, port: 179, localAddress: address, noDelay: true });
    const framer = new MessageFramer();
    socket.on('connect', () => {
      this.socket = socket;
      socket.write(encodeOpen({ as, holdTime, identifier, capabilities: [{ kind: 'multiprotocol', family: IPV6_UNICAST }, { kind: 'fourOctetAs', as }] }));
    });
    socket.on('data', (chunk) => {
      const { messages, fault } = framer.push(chunk);
      for (const message of messages) this.take(message);
      if (fault) throw new Error(`${address}: ${fault.reason}`);
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (this.isUp) throw new Error(`${address}: the session has ended`);
      setTimeout(() => this.attempt(), RETRY_MS);
    });
  }

  private take(message: Uint8Array): void {
    switch (message[HEADER_LENGTH - 1]) {
      case MessageType.open:
        this.socket!.write(encodeKeepalive());
        return;
      case MessageType.keepalive:
        if (this.isUp) return;
        this.isUp = true;
        if (this.settings.holdTime > 0) this.timer = setInterval(() => this.socket!.write(encodeKeepalive()), this.settings.holdTime * 333);
        this.whenUp?.();
        return;
      case MessageType.notification:
        throw new Error(`${this.settings.address}: NOTIFICATION ${message[HEADER_LENGTH]}/${message[HEADER_LENGTH + 1]}`);
      case MessageType.update:
        this.updates++;
        this.count(message);
        return;
      default:
    }
  }

  /** Notes the prefixes of MP_REACH_NLRI. */
  private count(message: Uint8Array): void {
    const withdrawn = (message[HEADER_LENGTH]! << 8) | message[HEADER_LENGTH + 1]!;
    let at = HEADER_LENGTH + 4 + withdrawn;
    while (at < message.length) {
      const extended = (message[at]! & EXTENDED_LENGTH) !== 0;
      const length = extended ? (message[at + 2]! << 8) | message[at + 3]! : message[at + 2]!;
      const value = at + (extended ? 4 : 3);
      if (message[at + 1] === MP_REACH) this.note(message, value + 5 + message[value + 3]!, value + length);
      at = value + length;
    }
    if (this.awaited && this.prefixes >= this.awaited.prefixes) {
      const { resolve } = this.awaited;
      this.awaited = undefined;
      resolve();
    }
  }

  private note(message: Uint8Array, from: number, end: number): void {
    let fresh = 0;
    for (let at = from; at < end; ) {
      const number = (message[at + 2]! << 16) | (message[at + 3]! << 8) | message[at + 4]!;
      const bit = 1 << (number & 7);
      if ((this.seen[number >> 3]! & bit) === 0) {
        this.seen[number >> 3]! |= bit;
        fresh++;
      }
      at += 1 + ((message[at]! + 7) >> 3);
    }
    if (fresh > 0) this.lastNewAt = performance.now();
    this.prefixes += fresh;
  }

  /** Resolves when this many prefixes have been announced. */
  async has(prefixes: number): Promise<void> {
    if (this.prefixes >= prefixes) return;
    await new Promise<void>((resolve) => (this.awaited = { prefixes, resolve }));
  }

  /** Writes octets; resolves when the socket has taken all of them. */
  async write(octets: Uint8Array): Promise<void> {
    for (let at = 0; at < octets.length; at += CHUNK) {
      if (!this.socket!.write(octets.subarray(at, at + CHUNK))) await new Promise((resolve) => this.socket!.once('drain', resolve));
    }
  }

  close(): void {
    clearInterval(this.timer);
    this.isUp = false;
    this.socket?.removeAllListeners('close');
    this.socket?.destroy();
  }
}
