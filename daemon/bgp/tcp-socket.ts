/** TCP sockets of the kernel with the options that node:net does not offer: hop limits, GTSM and MD5 signatures. */
import type { Native } from '../../dataplane/native/index.js';
import { formatIp } from '../../dataplane/packet/ip.js';
import { socketAddress } from '../../dataplane/packet/socket-address.js';
import type { Endpoint, NeighborRules, PacketRules } from './transport.js';

/** The system calls needed; a test puts a kernel with other abilities in their place. */
export type Kernel = Pick<Native, 'socket' | 'bind' | 'connect' | 'listen' | 'accept' | 'setsockopt' | 'getsockopt' | 'poll' | 'close'>;

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const IPPROTO_IP = 0;
const IP_TTL = 2;
const IP_MINTTL = 21;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;
const IPV6_V6ONLY = 26;
const IPV6_MINHOPCOUNT = 73;
const IPPROTO_TCP = 6;
const TCP_MD5SIG = 14;

/** sizeof(struct sockaddr_storage) */
const STORAGE = 128;
/** TCP_MD5SIG_MAXKEYLEN */
const MAX_PASSWORD = 80;

export const ipVersion = (address: string): 4 | 6 => (address.includes(':') ? 6 : 4);

/** The inverse, without a zone. */
export function endpointOf(name: Uint8Array): Endpoint {
  const view = new DataView(name.buffer, name.byteOffset, name.byteLength);
  const bytes = view.getUint16(0, true) === AF_INET6 ? name.subarray(8, 24) : name.subarray(4, 8);
  return { address: formatIp(bytes), port: view.getUint16(2) };
}

/** struct tcp_md5sig (linux/tcp.h): address, flags, prefix length, key length, interface, key. Without a password it deletes the key. */
export function md5Signature(address: string, password: string | undefined): Uint8Array {
  const signature = new Uint8Array(STORAGE + 8 + MAX_PASSWORD);
  const key = Buffer.from(password ?? '', 'latin1');
  signature.set(socketAddress(address, 0));
  new DataView(signature.buffer).setUint16(STORAGE + 2, key.length, true);
  signature.set(key, STORAGE + 8);
  return signature;
}

/** A TCP socket bound to `local`; port 0 is any. Throws NativeError. */
export function boundSocket(kernel: Kernel, local: Endpoint, prepare: (fd: number) => void): number {
  const family = ipVersion(local.address);
  const fd = kernel.socket(family === 6 ? AF_INET6 : AF_INET, SOCK_STREAM, 0);
  try {
    // Connections of an earlier run in TIME_WAIT do not keep the port from a new listener.
    kernel.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (family === 6) kernel.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    prepare(fd);
    kernel.bind(fd, socketAddress(local.address, local.port));
    return fd;
  } catch (error) {
    kernel.close(fd);
    throw error;
  }
}

/** Hop limit of what is sent, and the lowest one of what is taken. Throws NativeError. */
export function setHopLimits(kernel: Kernel, fd: number, family: 4 | 6, { ttl, minimumTtl = 0 }: Pick<PacketRules, 'ttl' | 'minimumTtl'>): void {
  if (family === 6) {
    kernel.setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
    kernel.setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, minimumTtl);
  } else {
    kernel.setsockopt(fd, IPPROTO_IP, IP_TTL, ttl);
    kernel.setsockopt(fd, IPPROTO_IP, IP_MINTTL, minimumTtl);
  }
}

/** Sets or, without a password, deletes the key for one neighbour. Throws an Error that says what it means for the neighbour. */
export function setPassword(kernel: Kernel, fd: number, address: string, password: string | undefined): void {
  try {
    kernel.setsockopt(fd, IPPROTO_TCP, TCP_MD5SIG, md5Signature(address, password));
  } catch (error) {
    const { code, message } = error as Error & { readonly code?: string };
    if (password === undefined && code === 'ENOENT') return;
    if (code === 'ENOPROTOOPT') throw new Error('a password is configured, but this kernel has no TCP MD5 signatures (CONFIG_TCP_MD5SIG)', { cause: error });
    // The keys of all neighbours share the socket's option memory.
    const hint = code === 'ENOMEM' ? '; net.core.optmem_max bounds the number of neighbors with a password' : '';
    throw new Error(`the TCP MD5 password cannot be set: ${message}${hint}`, { cause: error });
  }
}

/**
 * Hop limits of a listener, which answers SYNs for all its neighbours: far enough for the farthest, and closed to whatever all of them
 * would drop. What is accepted gets the values of its own neighbour.
 */
export function setListenerHopLimits(kernel: Kernel, fd: number, family: 4 | 6, neighbors: readonly NeighborRules[]): void {
  const ttl = Math.max(1, ...neighbors.map((neighbor) => neighbor.ttl));
  const minimumTtl = neighbors.length === 0 ? undefined : Math.min(...neighbors.map((neighbor) => neighbor.minimumTtl ?? 0));
  setHopLimits(kernel, fd, family, { ttl, minimumTtl });
}

/** Positive errno that a connection attempt left behind; 0 for none. */
export function pendingError(kernel: Kernel, fd: number): number {
  const value = kernel.getsockopt(fd, SOL_SOCKET, SO_ERROR, 4);
  return new DataView(value.buffer, value.byteOffset).getInt32(0, true);
}
