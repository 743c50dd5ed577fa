/**
 * Layouts of map keys and values, as the structs of dataplane/bpf/cpn.bpf.c have them. Native byte order, except where the C file says
 * __be. The daemon runs on little-endian machines only (x86-64, arm64).
 */
import { FLOW_KEY_LENGTH } from '../packet/flow-key.js';

/** Grows with every change of a pinned layout or of its meaning: pins of other versions are not touched and not used. */
export const LAYOUT_VERSION = 2;

// struct flow
export const FLOW_VALUE_LENGTH = 40;
export const FLOW_POLICY = 0;
export const FLOW_LABEL = 4;
export const FLOW_PACKETS = 8;
export const FLOW_BYTES = 16;
export const FLOW_CREATED_NS = 24;
export const FLOW_LAST_SEEN_NS = 32;

// struct fragment_key: source, destination, identification (IPv4: protocol and identification), space, zero 3; the value is a flow key.
export const FRAGMENT_KEY_LENGTH = 40;
export const FRAGMENT_IDENTIFICATION = 32;
/** With its highest bit the identification is the flow label of the outer header, at a border. Written by the program alone. */
export const FRAGMENT_SPACE = 36;
export const FRAGMENT_VALUE_LENGTH = FLOW_KEY_LENGTH;

// struct prefix_key: length 32, address (IPv4: mapped).
export const PREFIX_KEY_LENGTH = 20;
export const DESTINATION_SERVICE = 1;
export const DESTINATION_SID = 2;
export const DESTINATION_SERVICE_IPV4 = 3;
/** Of an aggregate SID, with the number of its space added. */
export const DESTINATION_AGGREGATE = 16;

// enum interface_role
export const ROLE_CORE = 0;
export const ROLE_CLIENT = 1;
export const ROLE_NODE = 2;

// struct slot
export const SLOT_OUTER_MAX = 96;
export const SLOT_LENGTH = 0;
export const SLOT_MTU = 4;
export const SLOT_OUTER = 8;
export const SLOT_VALUE_LENGTH = SLOT_OUTER + SLOT_OUTER_MAX;

// struct block_owner
export const OWNER_VALUE_LENGTH = 128;
export const OWNER_INSTANCE = 0;
export const OWNER_SPACE = 4;
export const OWNER_SERVICE = 8;
export const OWNER_SERVICE_LENGTH = 56;
export const OWNER_EXIT = 64;
export const OWNER_EXIT_LENGTH = 64;

// struct limits
export const LIMITS_VALUE_LENGTH = 40;
export const LIMITS_TUN = 32;
