/**
 * How ICMPv4 errors leave. Not through the TUN as those of IPv6 do: a packet with one of our own IPv4 addresses as source that comes in by an interface is a
 * martian to Linux. A raw socket also has the kernel choose the source by the way out (RFC 1812 section 4.3.2.4).
 */
import { native } from '../native/index.js';
import { systemCallError } from '../netlink/error.js';
import { IPV4_DESTINATION } from '../packet/ipv4.js';

const AF_INET = 2;
const SOCK_RAW = 3;
/** Whole packets are sent and nothing is received (raw(7)). */
const IPPROTO_RAW = 255;
const SOCKADDR_IN_LENGTH = 16;
const SOCKADDR_IN_ADDRESS = 4;

/** Needs CAP_NET_RAW. Throws NativeError. */
export const openIcmpv4Socket = (): number => native.socket(AF_INET, SOCK_RAW, IPPROTO_RAW);

/** Sends a whole IPv4 packet; false when the kernel refuses it (no route, no room). */
export function sendIcmpv4(fd: number, packet: Uint8Array): boolean {
  const name = new Uint8Array(SOCKADDR_IN_LENGTH);
  new DataView(name.buffer).setUint16(0, AF_INET, true);
  name.set(packet.subarray(IPV4_DESTINATION, IPV4_DESTINATION + 4), SOCKADDR_IN_ADDRESS);
  try {
    return native.sendmsg(fd, packet, name, null) === packet.length;
  } catch (error) {
    systemCallError(error);
    return false;
  }
}
