/** A made-up full table of IPv6 routes, as a neighbour with one sends it: UPDATE messages, the same ones for the same arguments. */
import { packAnnouncements } from '../../daemon/bgp/wire/pack.js';
import { EMPTY_ATTRIBUTES, type EncodeContext, IPV6_UNICAST, type NextHop, type Nlri, type PathAttributes } from '../../daemon/bgp/wire/types.js';
import { Prefix } from '../../dataplane/packet/ip.js';

const ENCODE: EncodeContext = { fourOctetAs: true, addPath: () => false, extendedMessage: false, ibgp: false, cpnAttributeType: 255 };
/** Prefix lengths in about the shares that the IPv6 table of the Internet has them; 32 and more, so that 24 bits number the prefixes. */
const LENGTHS = [48, 48, 48, 48, 48, 44, 44, 40, 40, 36, 32, 32, 32] as const;
const TRANSITS = [174, 1299, 2914, 3257, 3320, 3356, 5511, 6453, 6461, 6762, 6939, 7018] as const;

/** A small deterministic source of whole numbers below a bound. */
function numbers(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

/**
 * Which of the 2^24 prefixes `2a..` an index stands for: neighbouring indices lie far apart, as the prefixes of a real table that come together do.
 */
const numberOf = (index: number): number => (Math.imul(index, 0x9e3779b1) >>> 0) & 0xff_ffff;

function prefixOf(index: number, below: (bound: number) => number): Prefix {
  const number = numberOf(index);
  const bytes = new Uint8Array(16);
  bytes.set([0x2a, number >> 16, (number >> 8) & 0xff, number & 0xff, below(256), below(256)]);
  return Prefix.of(bytes, LENGTHS[below(LENGTHS.length)]!);
}

function attributesOf(as: number, below: (bound: number) => number): PathAttributes {
  const path = [as, TRANSITS[below(TRANSITS.length)]!];
  for (let more = 1 + below(4); more > 0; more--) path.push(below(3) === 0 ? 200_000 + below(70_000) : 1000 + below(60_000));
  const communities = Array.from({ length: below(3) === 0 ? 0 : below(9) }, () => ((1000 + below(60_000)) << 16 | below(5000)) >>> 0);
  return { ...EMPTY_ATTRIBUTES, asPath: [{ type: 2, as: path }], origin: below(20) === 0 ? 2 : 0, med: below(5) === 0 ? below(100) : undefined, communities };
}

export interface Table {
  readonly octets: Uint8Array;
  readonly messages: number;
  readonly routes: number;
}

/** `routes` (2^24 at most) of an external neighbour of this AS. About four and a half share attributes, and with them an UPDATE. */
export function makeTable(routes: number, as: number, nextHop: NextHop, seed = 1): Table {
  const below = numbers(seed);
  const parts: Uint8Array[] = [];
  for (let index = 0; index < routes; ) {
    const nlri: Nlri[] = [];
    do nlri.push({ prefix: prefixOf(index++, below), pathId: 0 });
    while (index < routes && below(9) > 1 && nlri.length < 100);
    parts.push(...packAnnouncements({ family: IPV6_UNICAST, nextHop, nlri }, attributesOf(as, below), ENCODE)!);
  }
  return { octets: Buffer.concat(parts), messages: parts.length, routes };
}
