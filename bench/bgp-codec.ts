/**
 * How fast the BGP codec reads and writes, in one process and without sockets. Prints mitata's table, then one JSON object a line with
 * messages and prefixes per second. Run: node dist/bench/bgp-codec.js
 */
import { bench, do_not_optimize, run } from 'mitata';
import { cpnAttributeOf } from '../daemon/bgp/wire/attributes/cpn.js';
import { decodeMessage } from '../daemon/bgp/wire/decode.js';
import { MessageFramer } from '../daemon/bgp/wire/framer.js';
import { packAnnouncements, packWithdrawals } from '../daemon/bgp/wire/pack.js';
import { type DecodeContext, EMPTY_ATTRIBUTES, type EncodeContext, IPV6_UNICAST, type Nlri, type PathAttributes } from '../daemon/bgp/wire/types.js';
import { decodeCpnBlock, encodeCpnBlock } from '../daemon/computing/block.js';
import type { CpnBlock, Instance } from '../daemon/computing/types.js';
import { Prefix } from '../dataplane/packet/ip.js';

const context: DecodeContext & EncodeContext = { fourOctetAs: true, addPath: () => true, extendedMessage: false, ibgp: true, cpnAttributeType: 255 };
const nextHop = { address: '2001:db8::1', linkLocal: undefined };

const instance: Instance = {
  id: 1,
  aggregate: false,
  draining: false,
  sid: { sid: 'fcbb:bb00:1:d6::', behaviour: 0x10, structure: { block: 32, node: 16, function: 16, argument: 0 } },
  computing: [{ class: 2, chip: 2, total: 3_090_000_000_000n, residual: 1_000_000_000_000n }],
  load: { utilisation: 5000, queueLength: 3, activeFlows: 100 },
  serviceDelay: { meanUs: 1500, p99Us: 9000, serviceRate: 600 },
  storage: [],
  interface: undefined,
  location: undefined,
  energy: undefined,
  price: undefined,
  algorithms: [],
  cats: [],
  grade: 3,
  address: '2001:db8:0:6::80',
};
const block: CpnBlock = {
  service: undefined,
  origin: { exit: '2001:db8::1', sequence: 1_700_000_000_000n, originatedAt: 1_700_000_000_000n, validity: 0 },
  instances: [instance, { ...instance, id: 2 }, { ...instance, id: 3 }],
};
const blockOctets = encodeCpnBlock(block);

const plain: PathAttributes = { ...EMPTY_ATTRIBUTES, asPath: [{ type: 2, as: [65001, 4_200_000_001, 65003, 65004] }], med: 1, localPref: 100, communities: [1, 2, 3, 4] };
const computing: PathAttributes = { ...plain, cpn: cpnAttributeOf(block) };

const routes = (count: number): Nlri[] => Array.from({ length: count }, (_, i) => ({ prefix: Prefix.from(`2001:db8:${(i >> 8).toString(16)}:${(i & 0xff).toString(16)}::/64`), pathId: 1 }));
const pack = (count: number, attributes: PathAttributes): Uint8Array[] => packAnnouncements({ family: IPV6_UNICAST, nextHop, nlri: routes(count) }, attributes, context)!;

interface Case {
  readonly name: string;
  readonly messages: number;
  readonly prefixes: number;
  readonly work: () => unknown;
}

const four = pack(4, plain)[0]!;
const full = pack(250, plain)[0]!;
const service = pack(1, computing)[0]!;
const thousand = routes(1000);
const stream = new Uint8Array(Buffer.concat(Array.from({ length: 200 }, () => four)));

const cases: Case[] = [
  { name: 'decode UPDATE, 4 prefixes', messages: 1, prefixes: 4, work: () => decodeMessage(four, context) },
  { name: 'decode UPDATE, 250 prefixes', messages: 1, prefixes: 250, work: () => decodeMessage(full, context) },
  { name: 'decode UPDATE, CPN block of 3 instances', messages: 1, prefixes: 1, work: () => decodeMessage(service, context) },
  { name: 'frame 200 UPDATEs', messages: 200, prefixes: 800, work: () => new MessageFramer().push(stream) },
  { name: 'pack 1000 prefixes', messages: 4, prefixes: 1000, work: () => packAnnouncements({ family: IPV6_UNICAST, nextHop, nlri: thousand }, plain, context) },
  { name: 'pack one service with its block', messages: 1, prefixes: 1, work: () => packAnnouncements({ family: IPV6_UNICAST, nextHop, nlri: thousand.slice(0, 1) }, computing, context) },
  { name: 'withdraw 1000 prefixes', messages: 4, prefixes: 1000, work: () => packWithdrawals(IPV6_UNICAST, thousand, context) },
  { name: 'decode CPN block of 3 instances', messages: 1, prefixes: 0, work: () => decodeCpnBlock(blockOctets) },
  { name: 'encode CPN block of 3 instances', messages: 1, prefixes: 0, work: () => encodeCpnBlock(block) },
];

for (const { name, work } of cases) bench(name, () => do_not_optimize(work()));
const { benchmarks } = await run({ colors: false });
for (const { alias, runs } of benchmarks) {
  const measured = cases.find(({ name }) => name === alias);
  const stats = runs[0]?.stats;
  if (!measured || !stats) throw new Error(`${alias} was not measured`);
  const perSecond = 1e9 / stats.avg;
  console.log(JSON.stringify({ name: alias, messagesPerSecond: Math.round(measured.messages * perSecond), prefixesPerSecond: Math.round(measured.prefixes * perSecond) }));
}
