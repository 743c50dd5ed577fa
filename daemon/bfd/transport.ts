/** What BFD needs of the network: packets of two ports, with what the kernel knows of each. */

/** Two services on two ports: single hop (RFC 5881) and multihop (RFC 5883). */
export const SINGLE_HOP_PORT = 3784;
export const MULTIHOP_PORT = 4784;
/** RFC 5881 section 4: source ports, one a session. */
export const SOURCE_PORTS = { first: 49_152, last: 65_535 } as const;

export interface ArrivedPacket {
  /** Valid only during the call. */
  readonly data: Uint8Array;
  readonly source: string;
  readonly destination: string;
  readonly interface: string;
  /** Hop limit or TTL. */
  readonly hopLimit: number;
  readonly multihop: boolean;
}

export interface ChannelOptions {
  readonly peer: string;
  readonly interface: string | undefined;
  readonly localAddress: string | undefined;
  readonly multihop: boolean;
  readonly sourcePort: number;
}

/** The way to one peer. */
export interface Channel {
  /** Undefined when the packet is on its way, or why it is not. */
  send(data: Uint8Array): string | undefined;
  close(): void;
}

export interface TransportListener {
  received(packet: ArrivedPacket): void;
  /** A port cannot be listened on, for now; or a socket failed. */
  failed(reason: string): void;
}

export interface BfdTransport {
  /** Begins to hand over packets; safe to call again. */
  listen(listener: TransportListener): void;
  /** Throws when the way cannot be opened, for now. */
  open(options: ChannelOptions): Channel;
  /** Hands over whatever waits. */
  drain(): void;
  close(): void;
}
