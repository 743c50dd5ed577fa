/**
 * How fast the OSPFv3 codec reads and writes, in one process and without sockets. Prints mitata's table, then one JSON object a line with
 * packets and LSAs per second. Run: node dist/bench/ospf-codec.js
 */
import { bench, do_not_optimize, run } from 'mitata';
import type { CpnBlock, Instance } from '../daemon/computing/types.js';
import { authenticate, type AuthenticationKey, verifyTrailer } from '../daemon/ospf/wire/authentication.js';
import { encodeCpnBody } from '../daemon/ospf/wire/lsa/cpn.js';
import { encodeRouterBody } from '../daemon/ospf/wire/lsa/router.js';
import { lsaChecksum } from '../daemon/ospf/wire/lsa-checksum.js';
import { buildLsa } from '../daemon/ospf/wire/lsa.js';
import { decodePacket, encodePacket } from '../daemon/ospf/wire/packet.js';
import { INITIAL_SEQUENCE, type LinkStateUpdatePacket, type Lsa, LsType, type OspfPacket } from '../daemon/ospf/wire/types.js';
import { parseIp, Prefix } from '../dataplane/packet/ip.js';

const addresses = { source: parseIp('fe80::1')!, destination: parseIp('ff02::5')! };
const header = { routerId: 0x0a000001, areaId: 0, instanceId: 0 } as const;

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
  service: Prefix.from('2001:db8:cafe::1/128'),
  origin: { exit: '2001:db8::1', sequence: 1_700_000_000_000n, originatedAt: 1_700_000_000_000n, validity: 0 },
  instances: [instance, { ...instance, id: 2 }, { ...instance, id: 3 }],
};

const routerBody = {
  flags: { nt: false, v: false, e: false, b: false },
  options: 0x13,
  links: Array.from({ length: 4 }, (_, i) => ({ type: 1 as const, metric: 10, interfaceId: i, neighborInterfaceId: i, neighborRouterId: i })),
};
const fields = (type: number, id: number) => ({ age: 1, type, id, router: 0x0a000001, sequence: INITIAL_SEQUENCE });
const routerLsa = (id: number): Lsa => buildLsa(fields(LsType.router, id), encodeRouterBody(routerBody));
const cpnLsa = (id: number): Lsa => buildLsa(fields(LsType.cpn, id), encodeCpnBody(block));
const update = (lsas: readonly Lsa[]): LinkStateUpdatePacket => ({ kind: 'linkStateUpdate', ...header, lsas, faults: [] });

const routers = update(Array.from({ length: 15 }, (_, i) => routerLsa(i)));
const services = update(Array.from({ length: 3 }, (_, i) => cpnLsa(i)));
const routerOctets = encodePacket(routers, addresses);
const serviceOctets = encodePacket(services, addresses);
const hello: OspfPacket = { kind: 'hello', ...header, interfaceId: 1, priority: 1, options: 0x413, helloInterval: 10, deadInterval: 40, designated: 1, backup: 2, neighbors: [1, 2, 3] };
const helloOctets = encodePacket(hello, addresses);
const key: AuthenticationKey = { keyId: 1, algorithm: 'hmac-sha-256', key: 'secret' };
const authenticated = authenticate(helloOctets, addresses.source, key, 1n);
const large = services.lsas[0]!.raw;

/** Reads an update and, unless it brings what the database has already, the bodies of its LSAs. */
function read(octets: Uint8Array, bodies: boolean): number {
  const result = decodePacket(octets, addresses);
  if (!result.ok || result.packet.kind !== 'linkStateUpdate') throw new Error('the update was not read');
  let known = 0;
  if (bodies) for (const { body } of result.packet.lsas) known += body.kind === 'unknown' ? 0 : 1;
  return known;
}

interface Case {
  readonly name: string;
  readonly lsas: number;
  readonly work: () => unknown;
}

const cases: Case[] = [
  { name: `decode LSU of ${routerOctets.length} octets, 15 Router-LSAs of 4 links`, lsas: 15, work: () => read(routerOctets, true) },
  { name: 'the same, bodies not looked at', lsas: 15, work: () => read(routerOctets, false) },
  { name: `decode LSU of ${serviceOctets.length} octets, 3 CPN LSAs of 3 instances`, lsas: 3, work: () => read(serviceOctets, true) },
  { name: 'the same, blocks not looked at', lsas: 3, work: () => read(serviceOctets, false) },
  { name: 'encode LSU, 15 Router-LSAs', lsas: 15, work: () => encodePacket(routers, addresses) },
  { name: 'encode LSU, 3 CPN LSAs', lsas: 3, work: () => encodePacket(services, addresses) },
  { name: 'originate a Router-LSA of 4 links', lsas: 1, work: () => routerLsa(1) },
  { name: 'originate a CPN LSA of 3 instances', lsas: 1, work: () => cpnLsa(1) },
  { name: `LS checksum of ${large.length} octets`, lsas: 1, work: () => lsaChecksum(large) },
  { name: 'decode Hello of 3 neighbors', lsas: 0, work: () => decodePacket(helloOctets, addresses) },
  { name: 'verify its trailer, HMAC-SHA-256', lsas: 0, work: () => verifyTrailer(authenticated, addresses.source, [key]) },
];

for (const { name, work } of cases) bench(name, () => do_not_optimize(work()));
const { benchmarks } = await run({ colors: false });
for (const { alias, runs } of benchmarks) {
  const measured = cases.find(({ name }) => name === alias);
  const stats = runs[0]?.stats;
  if (!measured || !stats) throw new Error(`${alias} was not measured`);
  const perSecond = 1e9 / stats.avg;
  console.log(JSON.stringify({ name: alias, perSecond: Math.round(perSecond), lsasPerSecond: Math.round(measured.lsas * perSecond) }));
}
