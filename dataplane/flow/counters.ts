/** Names of the counters: those of the BPF program, in the order of `enum counter` of dataplane/bpf/cpn.bpf.c, and those of the daemon. */

/** COUNTER_PINNED of the C file is 'pinned' here, and so on. */
export const BPF_COUNTERS = [
  'pinned',
  'promoted',
  'punted',
  'limited_interface',
  'limited_source',
  'edge_sid',
  'edge_source',
  'fragment_unknown',
  'icmp_error_unknown',
  'malformed',
  'hop_limit',
  'too_big',
  'encap_failed',
  'no_policy',
  'rewritten',
  'rewrite_failed',
] as const;

/** What the punt path counts. */
export interface PuntCounters {
  /** Packets read from the TUN that are for a service. */
  received: number;
  /** Packets sent encapsulated, whether first of their flow or not. */
  sent: number;
  /** Of those: packets to an aggregate SID, sent on to the SID of an instance. */
  rewritten: number;
  /** Flow entries written. */
  pinnedFlows: number;
  /** Flow entries the kernel did not take. */
  pinFailed: number;
  /** Dropped: the kernel refused the encapsulated packet. */
  sendFailed: number;
  /** Dropped: header chain cut short or too long, or an IPv4 header that is wrong. */
  malformed: number;
  /** Dropped: later fragment whose first one is unknown. */
  fragmentUnknown: number;
  /** Dropped: ICMP error about a flow that is not pinned. */
  icmpErrorUnknown: number;
  /** Dropped: no such service. */
  noService: number;
  /** Dropped: no usable exit, or a policy without segments. */
  noCandidate: number;
  /** Dropped: does not fit the path once encapsulated; Packet Too Big answered (IPv4: Fragmentation Needed, with DF). */
  tooBig: number;
  /** Ignored: not for a service (the kernel's own MLD, RS on the TUN). */
  foreign: number;
  /** ICMP errors sent, and those held back by the rate limit (RFC 4443 section 2.4 (f), RFC 1812 section 4.3.2.8). */
  errorsSent: number;
  errorsLimited: number;
}

export const newPuntCounters = (): PuntCounters => ({
  received: 0,
  sent: 0,
  rewritten: 0,
  pinnedFlows: 0,
  pinFailed: 0,
  sendFailed: 0,
  malformed: 0,
  fragmentUnknown: 0,
  icmpErrorUnknown: 0,
  noService: 0,
  noCandidate: 0,
  tooBig: 0,
  foreign: 0,
  errorsSent: 0,
  errorsLimited: 0,
});
