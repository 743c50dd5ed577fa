/** What OSPFv3 needs of a network, so that routers also run in memory. Sockets are in raw-transport.ts. */

export const ALL_SPF_ROUTERS = 'ff02::5';
export const ALL_D_ROUTERS = 'ff02::6';

export interface TransportInterface {
  readonly name: string;
  readonly index: number;
  /** Source of everything sent, canonical text. */
  readonly linkLocal: string;
}

export interface TransportHandlers {
  /** An OSPF packet from the header on, without the IPv6 header; `bytes` is valid only during the call. */
  received(bytes: Uint8Array, source: string, destination: string): void;
  /** Something could not be sent or received; the port goes on. */
  failed(reason: string): void;
}

/** OSPF on one interface, a member of AllSPFRouters. */
export interface TransportPort {
  /** `destination`: AllSPFRouters, AllDRouters or a link-local address. Checksum and Authentication Trailer are in it already. */
  send(bytes: Uint8Array, destination: string): void;
  /** Joins or leaves AllDRouters: the DR and its backup are members (RFC 5340 section 4.2.1). */
  setDesignated(member: boolean): void;
  close(): void;
}

export interface OspfTransport {
  /** Throws Error when the interface takes no OSPF. */
  open(link: TransportInterface, handlers: TransportHandlers): TransportPort;
}
