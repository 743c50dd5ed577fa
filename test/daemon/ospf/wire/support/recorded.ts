/** OSPFv3 packets in captures. */
import { decodeIpv6Header, IPV6_HEADER_LENGTH } from '../../../../../dataplane/packet/ipv6.js';
import { ipPackets } from '../../../../vectors/pcap.js';

export interface RecordedPacket {
  /** 16 octets each. */
  readonly source: Uint8Array;
  readonly destination: Uint8Array;
  /** All that the IPv6 header carries. */
  readonly octets: Uint8Array;
}

const PROTOCOL_OSPF = 89;

export function recordedPackets(path: string): RecordedPacket[] {
  return ipPackets(path).flatMap((packet) => {
    const header = decodeIpv6Header(packet);
    if (header?.nextHeader !== PROTOCOL_OSPF) return [];
    const { source, destination, payloadLength } = header;
    return [{ source, destination, octets: packet.subarray(IPV6_HEADER_LENGTH, IPV6_HEADER_LENGTH + payloadLength) }];
  });
}
