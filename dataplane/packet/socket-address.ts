/** Socket addresses as the kernel has them. */
import { parseIp } from './ip.js';

const AF_INET = 2;
const AF_INET6 = 10;
/** sizeof(struct sockaddr_in), sizeof(struct sockaddr_in6) */
const SOCKADDR_IN = 16;
export const SOCKADDR_IN6 = 28;

/** struct sockaddr_in or sockaddr_in6; `scope`: interface index of a link-local address. Throws TypeError for text that is no address. */
export function socketAddress(address: string, port: number, scope = 0): Uint8Array {
  const bytes = parseIp(address);
  if (!bytes) throw new TypeError(`not an IP address: ${address}`);
  const isV6 = bytes.length === 16;
  const name = new Uint8Array(isV6 ? SOCKADDR_IN6 : SOCKADDR_IN);
  const view = new DataView(name.buffer);
  view.setUint16(0, isV6 ? AF_INET6 : AF_INET, true);
  view.setUint16(2, port);
  name.set(bytes, isV6 ? 8 : 4);
  if (isV6) view.setUint32(24, scope, true);
  return name;
}
