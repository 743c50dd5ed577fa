// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
/*
 * Classifier at tc ingress of every interface of a router (entry and border of proto/WIRE.md section 5).
 *
 *   packet -> edge filter -> in a service prefix? -> flow key -> flow -> policy -> slot -> outer IPv6 header + SRH -> stack routes it
 *                        |                            \-> no flow: token buckets -> stack, whose route leads to the punt TUN
 *                        \-> to an aggregate SID? -> flow key of the packet inside -> flow -> policy -> slot -> its SID becomes the outer
 *                                                     |  destination and Segment List [0] -> stack routes it
 *                                                     \-> no flow: token buckets -> punt TUN
 *
 * Everything that changes is one write of the daemon: flow -> policy id -> slot number -> immutable slot. A packet that cannot be
 * encapsulated here (hop limit used up, too big, encapsulated already) is handed to the stack unchanged: the route of the service
 * prefix leads to the TUN, so that the kernel answers Time Exceeded or Packet Too Big itself, or the daemon sends the packet.
 *
 * IPv4 addresses stand in all maps as IPv4-mapped IPv6 addresses (RFC 4291 section 2.5.5.2): flows of both versions share maps, policies and
 * slots. An IPv6 packet with such addresses cannot be taken for an IPv4 one, because the classes of their destinations differ.
 *
 * Needs Linux 5.11. Layouts shared with TypeScript: dataplane/flow/layout.ts; counters: dataplane/flow/counters.ts.
 */
#include <asm/errno.h>
#include <stddef.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/in.h>
#include <linux/in6.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* Raising it needs steps added in write_outer() and a new layout version in layout.ts. */
#define MAX_SEGMENTS 3
#define OUTER_MAX (40 + 8 + 16 * MAX_SEGMENTS)
/* A longer chain is malformed for us; the same bound as in dataplane/packet/extension-headers.ts. */
#define MAX_EXTENSION_HEADERS 8

enum destination_class {
  DESTINATION_SERVICE = 1,
  DESTINATION_SID = 2,
  DESTINATION_SERVICE_IPV4 = 3,
  /* Aggregate SIDs of this router; what is above this number is the space of their flows. */
  DESTINATION_AGGREGATE = 16,
};
#define MAX_SPACE 2
enum interface_role { ROLE_CORE = 0, ROLE_CLIENT = 1, ROLE_NODE = 2 };

/* Index into `stats`. Mirrored by name and order in dataplane/flow/counters.ts. */
enum counter {
  COUNTER_PINNED,             /* encapsulated here */
  COUNTER_PROMOTED,           /* second packet of a new flow: moved to `flows` */
  COUNTER_PUNTED,             /* no flow: handed to the daemon */
  COUNTER_LIMITED_INTERFACE,  /* no flow, dropped: bucket of the interface empty */
  COUNTER_LIMITED_SOURCE,     /* no flow, dropped: bucket of the source (IPv6 /64, IPv4 /32) empty */
  COUNTER_EDGE_SID,           /* dropped: into a SID block from a client or node interface */
  COUNTER_EDGE_SOURCE,        /* dropped: into a SID block from a source outside the domain */
  COUNTER_FRAGMENT_UNKNOWN,   /* dropped: later fragment whose first one was not seen */
  COUNTER_ICMP_ERROR_UNKNOWN, /* dropped: ICMP error about a flow that is not pinned */
  COUNTER_MALFORMED,          /* dropped: header chain cut short or too long, IPv4 header wrong */
  COUNTER_HOP_LIMIT,          /* handed to the stack, which answers Time Exceeded */
  COUNTER_TOO_BIG,            /* handed to the stack, which answers Packet Too Big, or fragments IPv4 without DF */
  COUNTER_ENCAP_FAILED,       /* handed to the daemon: the kernel could not make room */
  COUNTER_NO_POLICY,          /* the flow's policy has no slot: unpinned and handed to the daemon */
  COUNTER_REWRITTEN,          /* to an aggregate SID, sent on to the SID of an instance here */
  COUNTER_REWRITE_FAILED,     /* dropped: to an aggregate SID, and the kernel could not make it writable */
  COUNTER_MAX
};

struct flow_key {
  struct in6_addr source;
  struct in6_addr destination;
  __be16 source_port;
  __be16 destination_port;
  __u8 protocol;
  __u8 space; /* 0: pinned here as entry; else as border, by the aggregate SID that its packets come to */
  __u8 zero[2];
};

struct flow {
  __u32 policy;
  __be32 label; /* outer flow label, low 20 bits */
  __u64 packets;
  __u64 bytes; /* of the inner packet, from its IP header on */
  __u64 created_ns;
  __u64 last_seen_ns;
};

struct fragment_key {
  struct in6_addr source;
  struct in6_addr destination;
  __be32 identification; /* IPv4: the protocol above the 16 bits of its own (RFC 791 section 3.2: both tell datagrams apart) */
  __u8 space;            /* as in struct flow_key */
  __u8 zero[3];
};

struct prefix_key {
  __u32 length;
  struct in6_addr address;
};

struct slot {
  __u32 length; /* octets of `outer` in use: the overhead */
  __u32 mtu;    /* path MTU of the outer packet */
  /* Outer IPv6 header and SRH; traffic class, flow label and payload length zero. 8-aligned for the copy. */
  __u64 outer[OUTER_MAX / 8];
};

/* Token buckets as a virtual schedule (GCRA): a packet costs an interval, and a bucket may run `burst` ahead of the clock. 0: no limit. */
struct limits {
  __u64 interface_interval_ns;
  __u64 interface_burst_ns;
  __u64 source_interval_ns;
  __u64 source_burst_ns;
  __u32 tun; /* interface index of the punt TUN */
  __u32 zero;
};

/*
 * Configuration is not pinned: a restarted daemon fills maps of its own before it puts its program in the place of the running one.
 * Flows, policies and slots are pinned, and live on.
 */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32);
  __type(value, __u32);
} interfaces SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 4096);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct prefix_key);
  __type(value, __u32);
} destinations SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 4096);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct prefix_key);
  __type(value, __u32);
} domain_sources SEC(".maps");

/* Flows that sent a second packet. A flood of single packets cannot push them out. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 131072);
  __type(key, struct flow_key);
  __type(value, struct flow);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} flows SEC(".maps");

/* Flows whose first packet the daemon has sent. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 65536);
  __type(key, struct flow_key);
  __type(value, struct flow);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} new_flows SEC(".maps");

/* First fragments: which flow the later ones, without ports, belong to. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, struct fragment_key);
  __type(value, struct flow_key);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} fragments SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1048576);
  __type(key, __u32);
  __type(value, __u32);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} policies SEC(".maps");

/* Slot 0 stays empty: it means "no policy". */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 65536);
  __type(key, __u32);
  __type(value, struct slot);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} slots SEC(".maps");

/* Written and read by the daemon alone: what a block of policy ids stands for, so that a restarted daemon can adopt it. */
struct block_owner {
  __u32 instance;
  __u32 space; /* of the flows on it, as in struct flow_key */
  char service[56];
  char exit[64];
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u32);
  __type(value, struct block_owner);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} owners SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct limits);
} punt_limits SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32);
  __type(value, __u64);
} interface_buckets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 65536);
  __type(key, __u64);
  __type(value, __u64);
} source_buckets SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, COUNTER_MAX);
  __type(key, __u32);
  __type(value, __u64);
  __uint(pinning, LIBBPF_PIN_BY_NAME);
} stats SEC(".maps");

static __always_inline void count(__u32 counter)
{
  __u64 *value = bpf_map_lookup_elem(&stats, &counter);
  if (value)
    *value += 1;
}

static __always_inline int drop(__u32 counter)
{
  count(counter);
  return TC_ACT_SHOT;
}

/* Where the headers of the network layer end (IPv6: RFC 8200 section 4). */
struct chain {
  __u32 offset;   /* of the upper-layer header, from the start of the packet data */
  __u8 protocol;  /* upper-layer protocol */
  __u8 fragment;  /* 1: first fragment of several, 2: later fragment (offset and protocol mean nothing) */
  __be32 identification; /* as in struct fragment_key */
};

#define FRAGMENT_FIRST 1
#define FRAGMENT_LATER 2

static __always_inline int walk(struct __sk_buff *skb, __u32 offset, __u8 next, struct chain *chain)
{
  chain->fragment = 0;
#pragma unroll
  for (int i = 0; i <= MAX_EXTENSION_HEADERS; i++) {
    __u8 head[8];
    switch (next) {
    case IPPROTO_HOPOPTS:
    case IPPROTO_ROUTING:
    case IPPROTO_DSTOPTS:
      if (bpf_skb_load_bytes(skb, offset, head, 2) < 0)
        return -1;
      offset += (head[1] + 1) * 8;
      break;
    case IPPROTO_AH: /* RFC 4302 section 2.2: length in 4-octet units, minus 2 */
      if (bpf_skb_load_bytes(skb, offset, head, 2) < 0)
        return -1;
      offset += (head[1] + 2) * 4;
      break;
    case IPPROTO_FRAGMENT:
      if (bpf_skb_load_bytes(skb, offset, head, 8) < 0)
        return -1;
      __builtin_memcpy(&chain->identification, head + 4, 4);
      if (head[2] | (head[3] & 0xf8)) {
        chain->fragment = FRAGMENT_LATER;
        return 0;
      }
      /* No more fragments at offset 0: an atomic fragment (RFC 6946), a whole packet. */
      if (head[3] & 1)
        chain->fragment = FRAGMENT_FIRST;
      offset += 8;
      break;
    default:
      chain->protocol = next;
      chain->offset = offset;
      return 0;
    }
    next = head[0];
  }
  return -1;
}

static __always_inline int same_address(const struct in6_addr *a, const struct in6_addr *b)
{
  return a->s6_addr32[0] == b->s6_addr32[0] && a->s6_addr32[1] == b->s6_addr32[1] && a->s6_addr32[2] == b->s6_addr32[2] &&
         a->s6_addr32[3] == b->s6_addr32[3];
}

static __always_inline int has_ports(__u8 protocol)
{
  return protocol == IPPROTO_TCP || protocol == IPPROTO_UDP || protocol == IPPROTO_SCTP || protocol == IPPROTO_DCCP ||
         protocol == IPPROTO_UDPLITE;
}

#define ICMPV6_ECHO_REQUEST 128
#define ICMPV6_ECHO_REPLY 129
#define ICMP_ECHO_REPLY 0
#define ICMP_ECHO_REQUEST 8

static __always_inline int is_echo(__u8 type, const int version)
{
  return version == 4 ? type == ICMP_ECHO_REQUEST || type == ICMP_ECHO_REPLY : type == ICMPV6_ECHO_REQUEST || type == ICMPV6_ECHO_REPLY;
}

static __always_inline int is_icmp_error(__u8 type, const int version)
{
  if (version == 6)
    return type < 128;
  /* RFC 1122 section 3.2.2: Destination Unreachable, Source Quench, Redirect, Time Exceeded, Parameter Problem. */
  return type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
}

/* Fills protocol and ports of the key. 0, -1 (cut short), or 1 for an ICMP error whose flow still has to be read. */
static __always_inline int read_ports(struct __sk_buff *skb, const struct chain *chain, struct flow_key *key, const int version)
{
  key->protocol = chain->protocol;
  if (has_ports(chain->protocol))
    return bpf_skb_load_bytes(skb, chain->offset, &key->source_port, 4) < 0 ? -1 : 0;
  if (chain->protocol != (version == 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6))
    return 0;
  struct {
    __u8 type;
    __u8 code;
    __be16 checksum;
    __be16 identifier;
    __be16 sequence;
  } icmp;
  if (bpf_skb_load_bytes(skb, chain->offset, &icmp, 8) < 0)
    return -1;
  if (is_icmp_error(icmp.type, version))
    return 1;
  if (is_echo(icmp.type, version))
    key->source_port = key->destination_port = icmp.identifier;
  return 0;
}

/*
 * An ICMPv6 error about an answer of the service follows the flow of the client (RFC 7690): the embedded 5-tuple, reversed.
 * -1 when the embedded packet does not show one.
 */
static __noinline int read_embedded(struct __sk_buff *skb, __u32 offset, struct flow_key *key)
{
  struct ipv6hdr embedded;
  if (!key || bpf_skb_load_bytes(skb, offset, &embedded, sizeof(embedded)) < 0 || embedded.version != 6)
    return -1;
  struct chain chain = {};
  struct flow_key answer = {};
  if (walk(skb, offset + sizeof(embedded), embedded.nexthdr, &chain) < 0 || chain.fragment == FRAGMENT_LATER ||
      read_ports(skb, &chain, &answer, 6) != 0)
    return -1;
  __builtin_memcpy(&key->source, &embedded.daddr, 16);
  __builtin_memcpy(&key->destination, &embedded.saddr, 16);
  key->source_port = answer.destination_port;
  key->destination_port = answer.source_port;
  key->protocol = answer.protocol;
  return 0;
}

static __always_inline void map_address(struct in6_addr *mapped, __be32 address)
{
  mapped->s6_addr32[0] = 0;
  mapped->s6_addr32[1] = 0;
  mapped->s6_addr32[2] = bpf_htonl(0xffff);
  mapped->s6_addr32[3] = address;
}

#define IPV4_OFFSET 0x1fff
#define IPV4_MORE_FRAGMENTS 0x2000
#define IPV4_DONT_FRAGMENT 0x4000

/* The same for ICMPv4, whose errors quote at least the header and 8 octets (RFC 792). */
static __noinline int read_embedded_ipv4(struct __sk_buff *skb, __u32 offset, struct flow_key *key)
{
  struct iphdr embedded;
  if (!key || bpf_skb_load_bytes(skb, offset, &embedded, sizeof(embedded)) < 0 || embedded.version != 4 || embedded.ihl < 5 ||
      (embedded.frag_off & bpf_htons(IPV4_OFFSET)))
    return -1;
  struct chain chain = { .offset = offset + embedded.ihl * 4, .protocol = embedded.protocol };
  struct flow_key answer = {};
  if (read_ports(skb, &chain, &answer, 4) != 0)
    return -1;
  map_address(&key->source, embedded.daddr);
  map_address(&key->destination, embedded.saddr);
  key->source_port = answer.destination_port;
  key->destination_port = answer.source_port;
  key->protocol = answer.protocol;
  return 0;
}

/* One virtual schedule. Two CPUs may lose a packet's cost to each other; a limiter can bear that. */
static __always_inline int conforms(void *map, const void *bucket, __u64 interval, __u64 burst, __u64 now)
{
  if (interval == 0)
    return 1;
  __u64 *schedule = bpf_map_lookup_elem(map, bucket);
  __u64 next = schedule && *schedule > now ? *schedule : now;
  if (next - now > burst)
    return 0;
  next += interval;
  if (schedule)
    *schedule = next;
  else
    bpf_map_update_elem(map, bucket, &next, BPF_ANY);
  return 1;
}

/* A packet without flow: to the daemon, unless its source or interface sends too many of them. */
static __noinline int punt(struct __sk_buff *skb, struct flow_key *key)
{
  __u32 zero = 0, ifindex = skb->ifindex;
  struct limits *limits = bpf_map_lookup_elem(&punt_limits, &zero);
  if (!limits || !key)
    return TC_ACT_SHOT;
  __u64 now = bpf_ktime_get_ns();
  __u64 source;
  __builtin_memcpy(&source, &key->source, 8);
  /* A mapped address: what follows its zeros names the /32. */
  if (source == 0)
    __builtin_memcpy(&source, &key->source.s6_addr32[2], 8);
  /* The source first, so that one that floods does not use up its interface. */
  if (!conforms(&source_buckets, &source, limits->source_interval_ns, limits->source_burst_ns, now))
    return drop(COUNTER_LIMITED_SOURCE);
  if (!conforms(&interface_buckets, &ifindex, limits->interface_interval_ns, limits->interface_burst_ns, now))
    return drop(COUNTER_LIMITED_INTERFACE);
  count(COUNTER_PUNTED);
  return TC_ACT_OK;
}

/* Octets of one packet on the wire once a GSO packet is cut: skb->len says nothing about that. */
static __always_inline __u32 wire_length(struct __sk_buff *skb, __u32 total, __u32 transport, __u32 network, __u8 protocol)
{
  __u32 gso = skb->gso_size;
  if (gso == 0)
    return total;
  __u32 header = 8;
  if (protocol == IPPROTO_TCP) {
    __u8 data_offset;
    if (bpf_skb_load_bytes(skb, transport + 12, &data_offset, 1) < 0)
      return total;
    header = (data_offset >> 4) * 4;
  }
  return transport - network + header + gso;
}

/* Copies the outer header of a slot to `outer` in steps of the possible lengths: 40 (reduced, one segment), 64, 80, 96. */
static __always_inline int write_outer(__u64 *outer, void *end, const struct slot *slot)
{
  if ((void *)(outer + 5) > end)
    return -1;
#pragma unroll
  for (int i = 1; i < 5; i++)
    outer[i] = slot->outer[i];
  if (slot->length <= 40)
    return 0;
  if ((void *)(outer + 8) > end)
    return -1;
#pragma unroll
  for (int i = 5; i < 8; i++)
    outer[i] = slot->outer[i];
  if (slot->length <= 64)
    return 0;
  if ((void *)(outer + 10) > end)
    return -1;
  outer[8] = slot->outer[8];
  outer[9] = slot->outer[9];
  if (slot->length <= 80)
    return 0;
  if ((void *)(outer + 12) > end)
    return -1;
  outer[10] = slot->outer[10];
  outer[11] = slot->outer[11];
  return 0;
}

/* A packet to a service, whichever its version. */
struct packet {
  struct flow_key key;
  struct chain chain;
  __be32 first_word; /* version 6 and traffic class for the outer header; the rest does not matter */
  __u32 total;       /* octets from the IP header on */
  __u8 hop_limit;
  __u8 about_answer;   /* an ICMP error */
  __u8 states_no_size; /* a GSO packet past 64 KiB (BIG TCP) */
  __u8 may_fragment;   /* IPv4 without DF */
  __be32 label;        /* at a border: flow label of the outer header; 0 elsewhere */
};

/* In the space of a fragment key: the identification is the flow label of the outer header. */
#define BY_LABEL 0x80

static __always_inline void remember_fragment(const struct packet *packet)
{
  struct fragment_key id = { .identification = packet->chain.identification, .space = packet->key.space };
  __builtin_memcpy(&id, &packet->key, 32);
  bpf_map_update_elem(&fragments, &id, &packet->key, BPF_ANY);
  if (packet->label == 0)
    return;
  id.identification = packet->label;
  id.space |= BY_LABEL;
  bpf_map_update_elem(&fragments, &id, &packet->key, BPF_ANY);
}

/*
 * The flow of a later fragment: that of its first one. An entry sends IPv4 fragments that have to be cut once more by its daemon, so that those behind may overtake them:
 * at a border the flow that other fragments with the same label belonged to is as good.
 */
static __always_inline int find_fragment(struct packet *packet)
{
  struct fragment_key id = { .identification = packet->chain.identification, .space = packet->key.space };
  __builtin_memcpy(&id, &packet->key, 32);
  struct flow_key *first = bpf_map_lookup_elem(&fragments, &id);
  if (!first && packet->label != 0) {
    id.identification = packet->label;
    id.space |= BY_LABEL;
    first = bpf_map_lookup_elem(&fragments, &id);
  }
  if (!first)
    return -1;
  packet->key = *first;
  return 0;
}

static __always_inline int miss(struct __sk_buff *skb, struct packet *packet)
{
  if (packet->about_answer)
    return drop(COUNTER_ICMP_ERROR_UNKNOWN);
  int verdict = punt(skb, &packet->key);
  if (verdict == TC_ACT_OK && packet->chain.fragment == FRAGMENT_FIRST)
    remember_fragment(packet);
  return verdict;
}

/* A pinned flow: one of `flow` and `fresh` is there. */
struct pinned {
  struct flow *flow;
  struct flow *fresh;
  __u32 policy;
  __be32 label;
};

/* Finds flow and slot; a flow whose policy has none is unpinned. NULL: a miss. */
static __always_inline struct slot *find_slot(const struct flow_key *key, struct pinned *pinned)
{
  pinned->fresh = NULL;
  pinned->flow = bpf_map_lookup_elem(&flows, key);
  if (pinned->flow) {
    pinned->policy = pinned->flow->policy;
    pinned->label = pinned->flow->label;
  } else {
    pinned->fresh = bpf_map_lookup_elem(&new_flows, key);
    if (!pinned->fresh)
      return NULL;
    pinned->policy = pinned->fresh->policy;
    pinned->label = pinned->fresh->label;
  }
  __u32 *number = bpf_map_lookup_elem(&policies, &pinned->policy);
  __u32 slot_number = number ? *number : 0;
  struct slot *slot = slot_number ? bpf_map_lookup_elem(&slots, &slot_number) : NULL;
  if (slot)
    return slot;
  bpf_map_delete_elem(&flows, key);
  bpf_map_delete_elem(&new_flows, key);
  count(COUNTER_NO_POLICY);
  return NULL;
}

/* Counts a packet into its flow; the second packet of a flow moves it to `flows`. */
static __always_inline void count_packet(const struct flow_key *key, const struct pinned *pinned, __u32 octets)
{
  __u64 now = bpf_ktime_get_coarse_ns();
  struct flow *flow = pinned->flow, *fresh = pinned->fresh;
  if (flow) {
    __sync_fetch_and_add(&flow->packets, 1);
    __sync_fetch_and_add(&flow->bytes, octets);
    flow->last_seen_ns = now;
  } else if (fresh) {
    /* An entry of an LRU map may be handed to another flow at any time: what decides was read when it was found. */
    struct flow promoted = {
      .policy = pinned->policy,
      .label = pinned->label,
      .packets = fresh->packets + 1,
      .bytes = fresh->bytes + octets,
      .created_ns = fresh->created_ns,
      .last_seen_ns = now,
    };
    /* Another CPU may have promoted it in between: then its entry stands, one packet short. */
    int error = bpf_map_update_elem(&flows, key, &promoted, BPF_NOEXIST);
    if (error == 0 || error == -EEXIST)
      bpf_map_delete_elem(&new_flows, key);
    count(COUNTER_PROMOTED);
  }
}

/* Finds the flow, encapsulates, counts. */
static __always_inline int forward(struct __sk_buff *skb, const __u32 network, struct packet *packet, const int version)
{
  struct pinned pinned;
  struct slot *slot = find_slot(&packet->key, &pinned);
  if (!slot)
    return miss(skb, packet);
  if (packet->chain.fragment == FRAGMENT_FIRST)
    remember_fragment(packet);
  if (packet->hop_limit <= 1) {
    count(COUNTER_HOP_LIMIT);
    return TC_ACT_OK;
  }
  __u32 total = packet->total;
  __u32 overhead = slot->length;
  __u32 payload = total + overhead - 40;
  if (wire_length(skb, total, packet->chain.offset, network, packet->chain.protocol) + overhead > slot->mtu) {
    count(COUNTER_TOO_BIG);
    /* Its fragments come to the daemon, and so are counted as what the daemon gets. */
    return version == 4 && packet->may_fragment ? punt(skb, &packet->key) : TC_ACT_OK;
  }
  /*
   * A GSO packet near 64 KiB would wrap the payload length, and a larger one states none (BIG TCP): the stack cuts it on its way to the
   * daemon.
   */
  if (payload > 0xffff || packet->states_no_size ||
      bpf_skb_adjust_room(skb, overhead, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 | BPF_F_ADJ_ROOM_FIXED_GSO) < 0) {
    count(COUNTER_ENCAP_FAILED);
    return punt(skb, &packet->key);
  }

  void *data = (void *)(long)skb->data;
  void *end = (void *)(long)skb->data_end;
  __u64 *outer = data + network;
  if ((void *)(outer + 1) > end || write_outer(outer, end, slot) < 0)
    return drop(COUNTER_ENCAP_FAILED);
  /* Version and traffic class of the inner packet, the flow's label, the new payload length; next header and hop limit as built. */
  __u32 *words = (__u32 *)outer;
  words[0] = (packet->first_word & bpf_htonl(0xfff00000)) | pinned.label;
  words[1] = bpf_htons(payload) | (((__u32 *)slot->outer)[1] & bpf_htonl(0x0000ffff));
  /* RFC 2473 section 3.1: the inner packet is forwarded into the tunnel, and pays one hop for it. */
  if (overhead > OUTER_MAX)
    return drop(COUNTER_ENCAP_FAILED);
  __u8 *decapsulated = data + network + overhead;
  if ((void *)(decapsulated + 12) > end)
    return drop(COUNTER_ENCAP_FAILED);
  if (version == 4) {
    decapsulated[8] = packet->hop_limit - 1;
    /* RFC 1624, as ip_decrease_ttl() of the kernel does it for the packets that pass the daemon. */
    __u16 *checksum = (__u16 *)(decapsulated + 10);
    __u32 sum = (__u32)*checksum + bpf_htons(0x0100);
    *checksum = sum + (sum >= 0xffff);
    /* Slots are built for IPv6 inside. The field stands in the SRH where there is one. */
    __u8 *next_header = (__u8 *)outer + (overhead <= 40 ? 6 : 40);
    if ((void *)(next_header + 1) > end)
      return drop(COUNTER_ENCAP_FAILED);
    *next_header = IPPROTO_IPIP;
    /* skb->protocol is IPv6 now; what reads the frame behind us is to see the same. */
    if (network == ETH_HLEN)
      *(__be16 *)(data + ETH_HLEN - 2) = bpf_htons(ETH_P_IPV6);
  } else {
    decapsulated[7] = packet->hop_limit - 1;
  }

  count_packet(&packet->key, &pinned, total);
  count(COUNTER_PINNED);
  return TC_ACT_OK;
}

#define CLASSIFIED (-2)

/* Completes the key of an IPv6 packet whose next header stands at `offset` and whose addresses are in the key. CLASSIFIED, or a verdict. */
static __always_inline int classify(struct __sk_buff *skb, __u32 offset, __u8 next, struct packet *packet, const struct in6_addr *destination)
{
  if (walk(skb, offset, next, &packet->chain) < 0)
    return drop(COUNTER_MALFORMED);
  if (packet->chain.fragment == FRAGMENT_LATER)
    return find_fragment(packet) < 0 ? drop(COUNTER_FRAGMENT_UNKNOWN) : CLASSIFIED;
  int ports = read_ports(skb, &packet->chain, &packet->key, 6);
  if (ports < 0)
    return drop(COUNTER_MALFORMED);
  if (ports > 0) {
    /* Its flow must be one of this destination: an error cannot be used to reach another service. */
    if (read_embedded(skb, packet->chain.offset + 8, &packet->key) < 0 || !same_address(&packet->key.destination, destination))
      return drop(COUNTER_ICMP_ERROR_UNKNOWN);
    packet->about_answer = 1;
  }
  return CLASSIFIED;
}

/* The same for an IPv4 packet; chain and addresses are there already. */
static __always_inline int classify_ipv4(struct __sk_buff *skb, __be16 fragment, struct packet *packet, const struct in6_addr *destination)
{
  if (fragment & bpf_htons(IPV4_OFFSET)) {
    packet->chain.fragment = FRAGMENT_LATER;
    return find_fragment(packet) < 0 ? drop(COUNTER_FRAGMENT_UNKNOWN) : CLASSIFIED;
  }
  if (fragment & bpf_htons(IPV4_MORE_FRAGMENTS))
    packet->chain.fragment = FRAGMENT_FIRST;
  int ports = read_ports(skb, &packet->chain, &packet->key, 4);
  if (ports < 0)
    return drop(COUNTER_MALFORMED);
  if (ports > 0) {
    if (read_embedded_ipv4(skb, packet->chain.offset + 8, &packet->key) < 0 || !same_address(&packet->key.destination, destination))
      return drop(COUNTER_ICMP_ERROR_UNKNOWN);
    packet->about_answer = 1;
  }
  return CLASSIFIED;
}

#define SRH_TYPE 4
#define OUTER_DESTINATION 24
/* Segment List [0] in an SRH. */
#define SRH_LAST_SEGMENT 8

/*
 * A packet to an aggregate SID of this router (the space tells which one): the flow inside leads to the SID of one instance, which becomes the
 * outer destination and Segment List [0]. The outer destination is in no checksum of the packet inside; the stack takes one off the outer hop limit, and
 * answers Packet Too Big. What has no flow goes straight to the TUN: its MTU, which is that for packets to be encapsulated, does not count here.
 */
static __noinline int border(struct __sk_buff *skb, const __u32 network, __u32 space)
{
  __be32 outer[2];
  __u32 offset = network + 40, last_segment = 0;
  if (bpf_skb_load_bytes(skb, network, outer, 8) < 0)
    return drop(COUNTER_MALFORMED);
  __u8 next = ((__u8 *)outer)[6];
  if (next == IPPROTO_ROUTING) {
    __u8 srh[8];
    if (bpf_skb_load_bytes(skb, offset, srh, 8) < 0 || srh[2] != SRH_TYPE || srh[3] != 0 || srh[4] * 2 + 2 > srh[1])
      return drop(COUNTER_MALFORMED);
    last_segment = offset + SRH_LAST_SEGMENT;
    offset += (srh[1] + 1) * 8;
    next = srh[0];
  }
  struct packet packet = {};
  packet.key.space = space;
  packet.label = outer[0] & bpf_htonl(0xfffff);
  struct in6_addr destination;
  int verdict;
  if (next == IPPROTO_IPV6) {
    __u8 head[8];
    if (bpf_skb_load_bytes(skb, offset, head, 8) < 0 || head[0] >> 4 != 6 || bpf_skb_load_bytes(skb, offset + 8, &packet.key, 32) < 0)
      return drop(COUNTER_MALFORMED);
    destination = packet.key.destination;
    verdict = classify(skb, offset + 40, head[6], &packet, &destination);
  } else if (next == IPPROTO_IPIP) {
    struct iphdr inner;
    if (bpf_skb_load_bytes(skb, offset, &inner, sizeof(inner)) < 0 || inner.version != 4 || inner.ihl < 5)
      return drop(COUNTER_MALFORMED);
    packet.chain.offset = offset + inner.ihl * 4;
    packet.chain.protocol = inner.protocol;
    packet.chain.identification = bpf_htonl((__u32)inner.protocol << 16 | bpf_ntohs(inner.id));
    map_address(&packet.key.source, inner.saddr);
    map_address(&packet.key.destination, inner.daddr);
    destination = packet.key.destination;
    verdict = classify_ipv4(skb, inner.frag_off, &packet, &destination);
  } else {
    return drop(COUNTER_MALFORMED);
  }
  if (verdict != CLASSIFIED)
    return verdict;

  struct pinned pinned;
  struct slot *slot = find_slot(&packet.key, &pinned);
  if (!slot) {
    verdict = miss(skb, &packet);
    __u32 zero = 0;
    struct limits *limits = bpf_map_lookup_elem(&punt_limits, &zero);
    return verdict == TC_ACT_OK && limits ? bpf_redirect(limits->tun, 0) : verdict;
  }
  if (packet.chain.fragment == FRAGMENT_FIRST)
    remember_fragment(&packet);
  const void *sid = (const __u8 *)slot->outer + OUTER_DESTINATION;
  if (bpf_skb_store_bytes(skb, network + OUTER_DESTINATION, sid, 16, BPF_F_RECOMPUTE_CSUM) < 0 ||
      (last_segment && bpf_skb_store_bytes(skb, last_segment, sid, 16, BPF_F_RECOMPUTE_CSUM) < 0))
    return drop(COUNTER_REWRITE_FAILED);
  count_packet(&packet.key, &pinned, skb->len - offset);
  count(COUNTER_REWRITTEN);
  return TC_ACT_OK;
}

static __always_inline int ingress_ipv6(struct __sk_buff *skb, const __u32 network)
{
  void *data = (void *)(long)skb->data;
  void *end = (void *)(long)skb->data_end;
  if (data + network + 40 > end) {
    if (bpf_skb_pull_data(skb, network + 40) < 0)
      return TC_ACT_UNSPEC;
    data = (void *)(long)skb->data;
    end = (void *)(long)skb->data_end;
    if (data + network + 40 > end)
      return TC_ACT_UNSPEC;
  }
  struct ipv6hdr *inner = data + network;

  struct prefix_key prefix = { .length = 128 };
  __builtin_memcpy(&prefix.address, &inner->daddr, 16);
  __u32 *class = bpf_map_lookup_elem(&destinations, &prefix);
  if (!class)
    return TC_ACT_UNSPEC;
  if (*class != DESTINATION_SERVICE) {
    __u32 space = *class - DESTINATION_AGGREGATE;
    if (*class != DESTINATION_SID && space > MAX_SPACE)
      return TC_ACT_UNSPEC;
    __u32 ifindex = skb->ifindex;
    __u32 *role = bpf_map_lookup_elem(&interfaces, &ifindex);
    if (role && *role != ROLE_CORE)
      return drop(COUNTER_EDGE_SID);
    __builtin_memcpy(&prefix.address, &inner->saddr, 16);
    if (!bpf_map_lookup_elem(&domain_sources, &prefix))
      return drop(COUNTER_EDGE_SOURCE);
    return space > MAX_SPACE ? TC_ACT_UNSPEC : border(skb, network, space);
  }

  struct packet packet = {
    .chain = { .offset = network + 40, .protocol = inner->nexthdr },
    .first_word = *(__u32 *)inner,
    .total = bpf_ntohs(inner->payload_len) + 40,
    .hop_limit = inner->hop_limit,
  };
  packet.states_no_size = packet.total == 40 && skb->gso_size != 0;
  __builtin_memcpy(&packet.key, &inner->saddr, 32);
  if ((packet.chain.protocol == IPPROTO_UDP || packet.chain.protocol == IPPROTO_TCP) && data + network + 44 <= end) {
    packet.key.protocol = packet.chain.protocol;
    __builtin_memcpy(&packet.key.source_port, data + network + 40, 4);
  } else {
    int verdict = classify(skb, network + 40, inner->nexthdr, &packet, &prefix.address);
    if (verdict != CLASSIFIED)
      return verdict;
  }
  return forward(skb, network, &packet, 6);
}

/* Whether the one's complement sum of a header without options is right (RFC 1812 section 5.2.2). */
static __always_inline int checksum_holds(const struct iphdr *header)
{
  const __u32 *words = (const __u32 *)header;
  __u64 sum = (__u64)words[0] + words[1] + words[2] + words[3] + words[4];
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

static __noinline int ingress_ipv4(struct __sk_buff *skb, const __u32 network)
{
  void *data = (void *)(long)skb->data;
  void *end = (void *)(long)skb->data_end;
  if (data + network + 20 > end) {
    if (bpf_skb_pull_data(skb, network + 20) < 0)
      return TC_ACT_UNSPEC;
    data = (void *)(long)skb->data;
    end = (void *)(long)skb->data_end;
    if (data + network + 20 > end)
      return TC_ACT_UNSPEC;
  }
  struct iphdr *inner = data + network;

  struct prefix_key prefix = { .length = 128 };
  map_address(&prefix.address, inner->daddr);
  __u32 *class = bpf_map_lookup_elem(&destinations, &prefix);
  if (!class || *class != DESTINATION_SERVICE_IPV4)
    return TC_ACT_UNSPEC;

  struct packet packet = {
    .chain = {
      .offset = network + 20,
      .protocol = inner->protocol,
      .identification = bpf_htonl((__u32)inner->protocol << 16 | bpf_ntohs(inner->id)),
    },
    .first_word = bpf_htonl(0x60000000 | (__u32)inner->tos << 20),
    .total = bpf_ntohs(inner->tot_len),
    .hop_limit = inner->ttl,
    .may_fragment = !(inner->frag_off & bpf_htons(IPV4_DONT_FRAGMENT)),
  };
  packet.states_no_size = packet.total == 0 && skb->gso_size != 0;
  map_address(&packet.key.source, inner->saddr);
  packet.key.destination = prefix.address;
  /* Options are for the stack to process (RFC 1812 section 5.3.13), which then hands the packet to the daemon. */
  if (inner->version == 4 && inner->ihl > 5)
    return punt(skb, &packet.key);
  if (inner->version != 4 || inner->ihl < 5 || (packet.total < 20 && !packet.states_no_size) || !checksum_holds(inner))
    return drop(COUNTER_MALFORMED);
  int verdict = classify_ipv4(skb, inner->frag_off, &packet, &prefix.address);
  if (verdict != CLASSIFIED)
    return verdict;
  return forward(skb, network, &packet, 4);
}

static __always_inline int ingress(struct __sk_buff *skb, const __u32 network)
{
  /* A tagged packet comes again on its VLAN interface; one for somebody else's MAC address is not ours to route. */
  if (skb->vlan_present || skb->pkt_type != PACKET_HOST)
    return TC_ACT_UNSPEC;
  if (skb->protocol == bpf_htons(ETH_P_IPV6))
    return ingress_ipv6(skb, network);
  return skb->protocol == bpf_htons(ETH_P_IP) ? ingress_ipv4(skb, network) : TC_ACT_UNSPEC;
}

SEC("tc")
int cpn_ethernet(struct __sk_buff *skb)
{
  return ingress(skb, ETH_HLEN);
}

/* For interfaces whose packets start with the IP header. */
SEC("tc")
int cpn_raw(struct __sk_buff *skb)
{
  return ingress(skb, 0);
}
