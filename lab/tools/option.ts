/** Sockets whose first packets carry the requirement option (proto/WIRE.md section 4); needs CAP_NET_RAW. */
import { encodeRequirementOption, NO_REQUIREMENTS, type Requirements } from '../../daemon/steering/requirement-option.js';
import { native } from '../../dataplane/native/index.js';
import { parseIp } from '../../dataplane/packet/ip.js';
import { ArgumentError } from './arguments.js';

const AF_INET = 2;
const AF_INET6 = 10;
const IPPROTO_IPV6 = 41;
const IPV6_DSTOPTS = 59;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;

/** The IANA-experimental option type of the wire format's default. */
export const defaultOptionType = 0x1e;

/** Requirements as JSON gives them: 64-bit numbers may be numbers or strings, what is missing is not asked for. */
export function parseRequirements(text: string): Requirements {
  let value: unknown;
  try {
    value = JSON.parse(text, (key, item: unknown) => (['minResidual', 'workload', 'dataSize', 'octets', 'minBandwidth'].includes(key) && typeof item !== 'object' ? BigInt(item as string) : item));
  } catch (error) {
    throw new ArgumentError(`--requirements: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== 'object' || value === null) throw new ArgumentError('--requirements: expected a JSON object such as {"latencyUs": 20000}');
  const unknown = Object.keys(value).filter((key) => !(key in NO_REQUIREMENTS));
  if (unknown.length > 0) throw new ArgumentError(`--requirements: unknown ${unknown.join(', ')}; expected ${Object.keys(NO_REQUIREMENTS).join(', ')}`);
  return { ...NO_REQUIREMENTS, ...value };
}

/** A Destination Options header with one option, padded to a multiple of 8 octets (RFC 8200 sections 4.2 and 4.6). */
export function destinationOptions(type: number, data: Uint8Array): Uint8Array {
  const used = 2 + 2 + data.length;
  const header = new Uint8Array(Math.ceil(used / 8) * 8);
  header[1] = header.length / 8 - 1;
  header[2] = type;
  header[3] = data.length;
  header.set(data, 4);
  const padding = header.length - used;
  // Pad1 is the zero octet the array holds already; more is one PadN.
  if (padding > 1) {
    header[used] = 1;
    header[used + 1] = padding - 2;
  }
  return header;
}

/** The header for a request, from JSON requirements or from option data in hexadecimal. */
export function requestHeader(json: string | undefined, hex: string | undefined, type: number): Uint8Array | undefined {
  if (hex !== undefined) {
    if (!/^(?:[0-9a-f]{2})*$/i.test(hex)) throw new ArgumentError(`--option-hex: expected pairs of hexadecimal digits, found "${hex}"`);
    return destinationOptions(type, Buffer.from(hex, 'hex'));
  }
  return json === undefined ? undefined : destinationOptions(type, encodeRequirementOption(parseRequirements(json)));
}

/** struct sockaddr_in or sockaddr_in6. */
export function socketAddress(address: string, port: number): Uint8Array {
  const bytes = parseIp(address)!;
  const raw = new Uint8Array(bytes.length === 4 ? 16 : 28);
  const view = new DataView(raw.buffer);
  view.setUint16(0, bytes.length === 4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  raw.set(bytes, bytes.length === 4 ? 4 : 8);
  return raw;
}

export interface SocketRequest {
  readonly to: string;
  readonly port: number;
  /** Own address; unspecified where empty. */
  readonly from: string;
  /** 0 lets the kernel choose. */
  readonly sourcePort: number;
  /** Destination Options header of its packets until `clearOptions`. */
  readonly options: Uint8Array | undefined;
}

/** A bound, unconnected socket as a descriptor. */
export function openSocket(kind: 'tcp' | 'udp', request: SocketRequest): number {
  const six = request.to.includes(':');
  const fd = native.socket(six ? AF_INET6 : AF_INET, kind === 'tcp' ? SOCK_STREAM : SOCK_DGRAM, 0);
  try {
    if (kind === 'tcp') native.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (request.options) native.setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, request.options);
    native.bind(fd, socketAddress(request.from === '' ? (six ? '::' : '0.0.0.0') : request.from, request.sourcePort));
  } catch (error) {
    native.close(fd);
    throw error;
  }
  return fd;
}

/** Later packets carry no option. */
export function clearOptions(fd: number): void {
  native.setsockopt(fd, IPPROTO_IPV6, IPV6_DSTOPTS, new Uint8Array(0));
}
