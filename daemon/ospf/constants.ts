/** Architectural constants of RFC 2328 appendix B, and the limits of this implementation. */

export const LS_REFRESH_TIME = 1800; // s
export const MIN_LS_INTERVAL_MS = 5000;
export const MIN_LS_ARRIVAL_MS = 1000;
/** Every LSA's checksum is verified when its age is a multiple of this. */
export const CHECK_AGE = 300; // s
/** An LSA refreshes up to this much early, so that those of one start spread. */
export const REFRESH_JITTER = 180; // s

export const IPV6_HEADER = 40;
/** Octets of an LSA that this router makes, header included, so that it fits a packet on every link. */
export const LSA_SIZE = 1300;

/** A delayed acknowledgment leaves after this (RFC 2328 section 13.5: less than any RxmtInterval). */
export const ACK_DELAY_MS = 500;
/** Update packets that one interface sends in a row, and the pause until it goes on: sockets' buffers are not endless. */
export const BURST_PACKETS = 32;
export const BURST_PAUSE_MS = 5;
/** LSAs asked for in one Link State Request: what the neighbour answers at once has to fit our socket's buffer. */
export const REQUESTS_A_PACKET = 64;

export const MAX_INTERFACES = 1024;
export const MAX_NEIGHBORS = 256; // of an interface
/** LSAs that a neighbour may have described and not sent yet. */
export const MAX_REQUESTS = 200_000;
/** LSAs that one turn of the event loop ages, or tells listeners of. */
export const SLICE = 500;

/** How long an overloaded router stays without adjacencies; doubles each time it is overloaded again, up to the maximum. */
export const OVERLOAD_COOL_OFF_MS = 60_000;
export const OVERLOAD_MAXIMUM_COOL_OFF_MS = 1_800_000;
