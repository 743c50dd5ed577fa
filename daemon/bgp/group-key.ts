/** Which peers may share an update group: those for which everything that decides what they are told, and how it is written, is equal. */
import { Prefix } from '../../dataplane/packet/ip.js';
import type { Negotiated } from './open.js';
import type { PeerPolicy } from './policy.js';

/** What concerns only the routes that come from a peer. */
const IMPORT_ONLY = new Set(['address', 'import', 'cpnAccept', 'allowAsIn']);

const numbers = new WeakMap<object, number>();
let nextNumber = 1;

/** Values of plain data by what they say, all others by identity. */
function textOf(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `${typeof value} ${String(value)}`;
  if (Array.isArray(value)) return `[${value.map((item: unknown) => textOf(item)).join(',')}]`;
  if (value instanceof Prefix) return value.toString();
  let number = numbers.get(value);
  if (number === undefined) numbers.set(value, (number = nextNumber++));
  return `#${number}`;
}

/** Equal for peers that are told the same in the same octets. */
export function groupKey(policy: PeerPolicy, negotiated: Negotiated, localAddress: string): string {
  const rules = Object.entries(policy).flatMap(([name, value]) => (IMPORT_ONLY.has(name) ? [] : [`${name}=${textOf(value)}`]));
  const { families, addPathSend, extendedNextHop, fourOctetAs, extendedMessage } = negotiated;
  return [...rules, [...families].sort().join(','), [...addPathSend].sort().join(','), [...extendedNextHop].sort().join(','), fourOctetAs, extendedMessage, localAddress].join(';');
}
