/** Counters of interfaces (RTM_GETSTATS, linux/if_link.h): 64 bits wide, of all interfaces in one dump. */
import { Attributes, readU32, type Decoded } from './attributes.js';
import { AF_UNSPEC } from './constants.js';
import { LITTLE, type MessageWriter } from './writer.js';

export const RTM_NEWSTATS = 92;
export const RTM_GETSTATS = 94;
const IFLA_STATS_LINK_64 = 1;
const HEADER = 12;
/** rx_packets to tx_dropped of struct rtnl_link_stats64; what comes after is of no use here. */
const COUNTERS = 8 * 8;

export interface StatisticsMessage {
  readonly index: number;
  readonly receivedPackets: bigint;
  readonly sentPackets: bigint;
  readonly receivedOctets: bigint;
  readonly sentOctets: bigint;
  readonly receiveErrors: bigint;
  readonly sendErrors: bigint;
  readonly receiveDropped: bigint;
  readonly sendDropped: bigint;
}

/** Writes the payload of a dump: struct if_stats_msg that asks for IFLA_STATS_LINK_64. */
export function encodeStatisticsRequest(writer: MessageWriter): void {
  writer.u8(AF_UNSPEC).u8(0).u16(0).u32(0).u32(1 << (IFLA_STATS_LINK_64 - 1));
}

export function decodeStatistics(payload: Uint8Array): Decoded<StatisticsMessage> {
  if (payload.length < HEADER) return { fault: 'a statistics message shorter than its header' };
  const attributes = new Attributes(payload, HEADER);
  const counters = attributes.octets(IFLA_STATS_LINK_64);
  if (!attributes.ok || counters === undefined || counters.length < COUNTERS) return { fault: 'a statistics message without 64-bit counters' };
  const view = new DataView(counters.buffer, counters.byteOffset, counters.length);
  const at = (index: number): bigint => view.getBigUint64(index * 8, LITTLE);
  return {
    value: {
      index: readU32(payload, 4),
      receivedPackets: at(0),
      sentPackets: at(1),
      receivedOctets: at(2),
      sentOctets: at(3),
      receiveErrors: at(4),
      sendErrors: at(5),
      receiveDropped: at(6),
      sendDropped: at(7),
    },
  };
}
