/**
 * Numbers with an administrator in front: route distinguishers (RFC 4364 section 4.2) and route targets (RFC 4360 section 4). Both are a
 * type and six octets, `AS:number` or `address:number`. Text is canonical: `65000:7` has a 2-octet AS number, `192.0.2.1:7` an address,
 * `4200000000:7` a 4-octet AS number; a 4-octet AS number that would fit two octets is written with its type, `2:65000:7`. Other types
 * are 16 hexadecimal digits behind `0x`.
 */
import { formatIp, parseIp } from '../../../dataplane/packet/ip.js';

const TWO_OCTET_AS = 0;
const IPV4_ADDRESS = 1;
const FOUR_OCTET_AS = 2;

/** High octet 0x00 to 0x02 (two-octet AS, IPv4, four-octet AS: transitive), low octet 0x02: RFC 4360 section 4, RFC 5668. */
const ROUTE_TARGET_SUBTYPE = 0x02;

const whole = (text: string | undefined, below: number): number | undefined => {
  const value = text !== undefined && /^\d{1,10}$/.test(text) ? Number(text) : NaN;
  return value < below ? value : undefined;
};

/** Type and six octets; undefined for other text. */
function parseAdministered(text: string): { readonly type: number; readonly value: bigint } | undefined {
  const parts = text.split(':');
  const explicit = parts.length === 3 ? whole(parts.shift(), 3) : undefined;
  const [administrator, assigned] = parts;
  if (parts.length !== 2 || (explicit === undefined && text.split(':').length === 3)) return undefined;
  const address = administrator!.includes('.') ? parseIp(administrator!) : undefined;
  const as = whole(administrator, 2 ** 32);
  if (address?.length !== 4 && as === undefined) return undefined;
  const type = explicit ?? (address ? IPV4_ADDRESS : as! < 2 ** 16 ? TWO_OCTET_AS : FOUR_OCTET_AS);
  if ((type === IPV4_ADDRESS) !== (address !== undefined) || (type === TWO_OCTET_AS && as! >= 2 ** 16)) return undefined;
  const bits = type === TWO_OCTET_AS ? 32 : 16;
  const number = whole(assigned, 2 ** bits);
  if (number === undefined) return undefined;
  const left = address ? BigInt(new DataView(address.buffer).getUint32(0)) : BigInt(as!);
  return { type, value: (left << BigInt(bits)) | BigInt(number) };
}

function formatAdministered(type: number, value: bigint): string | undefined {
  if (type > FOUR_OCTET_AS) return undefined;
  const bits = type === TWO_OCTET_AS ? 32n : 16n;
  const left = Number(value >> bits);
  const number = value & ((1n << bits) - 1n);
  if (type === IPV4_ADDRESS) return `${formatIp(Uint8Array.of(left >>> 24, left >>> 16, left >>> 8, left))}:${number}`;
  return `${type === FOUR_OCTET_AS && left < 2 ** 16 ? '2:' : ''}${left}:${number}`;
}

/** The octets of a route distinguisher as one 64-bit number; undefined for text that is none. */
export function parseRouteDistinguisher(text: string): bigint | undefined {
  if (/^0x[\da-f]{16}$/i.test(text)) return BigInt(text);
  const parsed = parseAdministered(text);
  return parsed && ((BigInt(parsed.type) << 48n) | parsed.value);
}

export function formatRouteDistinguisher(octets: bigint): string {
  return formatAdministered(Number(octets >> 48n), octets & 0xffff_ffff_ffffn) ?? `0x${octets.toString(16).padStart(16, '0')}`;
}

/** A route target as the extended community it is; undefined for text that is none. */
export function parseRouteTarget(text: string): bigint | undefined {
  const parsed = parseAdministered(text);
  return parsed && ((BigInt(parsed.type) << 56n) | (BigInt(ROUTE_TARGET_SUBTYPE) << 48n) | parsed.value);
}

/** The text of a route target; undefined for an extended community that is another one. */
export function formatRouteTarget(community: bigint): string | undefined {
  if (Number((community >> 48n) & 0xffn) !== ROUTE_TARGET_SUBTYPE) return undefined;
  return formatAdministered(Number(community >> 56n), community & 0xffff_ffff_ffffn);
}
