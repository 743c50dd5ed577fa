/** Packets and LSA bodies for property tests: every value that can stand on the wire. */
import fc from 'fast-check';
import type {
  EndSid,
  EndXSid,
  ExtendedRouterLsa,
  ExternalLsa,
  GraceLsa,
  InterAreaPrefixLsa,
  InterAreaRouterLsa,
  IntraAreaPrefixLsa,
  IntraAreaTeLsa,
  LinkLsa,
  LsaHeader,
  LsaPrefix,
  NetworkLsa,
  OspfPacket,
  PacketHeader,
  RouterInformationLsa,
  RouterLink,
  RouterLsa,
  SidStructure,
  Srv6Locator,
  Srv6LocatorLsa,
  TeLink,
} from '../../../../../daemon/ospf/wire/types.js';
import { formatIp, Prefix } from '../../../../../dataplane/packet/ip.js';

/** Plain objects, as decoders make them, so that deepEqual compares prototypes too. */
const record = <T>(model: { [K in keyof T]: fc.Arbitrary<T[K]> }): fc.Arbitrary<T> => fc.record(model, { noNullPrototype: true });
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined });
const bits = (count: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** count - 1 });
const flag = fc.boolean();
export const address = fc.uint8Array({ minLength: 16, maxLength: 16 });
const ipv6 = address.map((octets) => formatIp(octets));
const prefixOf = (least: number): fc.Arbitrary<Prefix> => fc.tuple(address, fc.integer({ min: least, max: 128 })).map(([octets, length]) => Prefix.of(octets, length));
const prefix = prefixOf(0);
const prefixes = (metric: fc.Arbitrary<number>): fc.Arbitrary<LsaPrefix[]> => fc.array(record<LsaPrefix>({ prefix, options: bits(8), metric }), { maxLength: 6 });

const flags = record<RouterLsa['flags']>({ nt: flag, v: flag, e: flag, b: flag });
const routerLink = {
  type: fc.constantFrom(1, 2, 4),
  metric: bits(16),
  interfaceId: bits(32),
  neighborInterfaceId: bits(32),
  neighborRouterId: bits(32),
} as const;

const structure: fc.Arbitrary<SidStructure> = fc
  .tuple(fc.nat(64), fc.nat(32), fc.nat(16), fc.nat(16))
  .map(([block, node, fun, argument]) => ({ block, node, function: fun, argument }));

const endX = record<EndXSid>({
  behaviour: bits(16),
  flags: bits(8),
  algorithm: bits(8),
  weight: bits(8),
  neighborRouterId: optional(bits(32)),
  sid: ipv6,
  structure: optional(structure),
});
const endSid = record<EndSid>({ flags: bits(8), behaviour: bits(16), sid: ipv6, structure: optional(structure) });
const bandwidth = fc.float({ min: 0, noNaN: true, noDefaultInfinity: true }).map(Math.abs);

const teLink = record<TeLink>({
  linkType: fc.constantFrom(1, 2),
  neighbor: optional(record({ interfaceId: bits(32), routerId: bits(32) })),
  local: fc.array(ipv6, { maxLength: 3 }),
  remote: fc.array(ipv6, { maxLength: 3 }),
  teMetric: optional(bits(32)),
  maximumBandwidth: optional(bandwidth),
  maximumReservable: optional(bandwidth),
  delay: optional(record({ us: bits(24), anomalous: flag })),
  delayRange: optional(record({ minimumUs: bits(24), maximumUs: bits(24), anomalous: flag })),
  delayVariationUs: optional(bits(24)),
  loss: optional(record({ value: bits(24), anomalous: flag })),
  residualBandwidth: optional(bandwidth),
  availableBandwidth: optional(bandwidth),
  utilizedBandwidth: optional(bandwidth),
});

const external = (kind: ExternalLsa['kind']): fc.Arbitrary<ExternalLsa> =>
  record<ExternalLsa>({
    kind: fc.constant(kind),
    prefix,
    options: bits(8),
    metric: bits(24),
    type2: flag,
    forwarding: optional(ipv6),
    tag: optional(bits(32)),
    referenced: optional(record({ type: fc.integer({ min: 1, max: 0xffff }), id: bits(32) })),
  });

export const bodies = {
  router: record<RouterLsa>({ kind: fc.constant('router'), flags, options: bits(24), links: fc.array(record<RouterLink>(routerLink), { maxLength: 6 }) }),
  network: record<NetworkLsa>({ kind: fc.constant('network'), options: bits(24), routers: fc.array(bits(32), { maxLength: 6 }) }),
  interAreaPrefix: record<InterAreaPrefixLsa>({ kind: fc.constant('interAreaPrefix'), prefix, options: bits(8), metric: bits(24) }),
  interAreaRouter: record<InterAreaRouterLsa>({ kind: fc.constant('interAreaRouter'), options: bits(24), metric: bits(24), destination: bits(32) }),
  asExternal: external('asExternal'),
  nssa: external('nssa'),
  link: record<LinkLsa>({ kind: fc.constant('link'), priority: bits(8), options: bits(24), linkLocal: ipv6, prefixes: prefixes(fc.constant(0)) }),
  intraAreaPrefix: record<IntraAreaPrefixLsa>({
    kind: fc.constant('intraAreaPrefix'),
    referenced: record({ type: bits(16), id: bits(32), router: bits(32) }),
    prefixes: prefixes(bits(16)),
  }),
  intraAreaTe: record<IntraAreaTeLsa>({ kind: fc.constant('intraAreaTe'), routerAddress: optional(ipv6), link: optional(teLink) }),
  grace: record<GraceLsa>({ kind: fc.constant('grace'), periodSeconds: bits(32), reason: bits(8) }),
  routerInformation: record<RouterInformationLsa>({
    kind: fc.constant('routerInformation'),
    informational: optional(bits(32)),
    srv6: optional(record({ flags: bits(16) })),
    algorithms: fc.array(bits(8), { maxLength: 5 }),
    msd: fc.array(fc.tuple(bits(8), bits(8)), { maxLength: 5 }),
  }),
  extendedRouter: record<ExtendedRouterLsa>({
    kind: fc.constant('extendedRouter'),
    flags,
    options: bits(24),
    links: fc.array(record({ ...routerLink, endX: fc.array(endX, { maxLength: 3 }) }), { maxLength: 3 }),
  }),
  srv6Locator: record<Srv6LocatorLsa>({
    kind: fc.constant('srv6Locator'),
    locators: fc.array(
      record<Srv6Locator>({
        routeType: fc.integer({ min: 1, max: 6 }),
        algorithm: bits(8),
        prefixOptions: bits(8),
        metric: bits(32),
        prefix: prefixOf(1),
        endSids: fc.array(endSid, { maxLength: 3 }),
      }),
      { maxLength: 3 },
    ),
  }),
} as const;

const headerFields = {
  age: fc.nat(3600),
  type: bits(16),
  id: bits(32),
  router: bits(32),
  sequence: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
} as const;
export const lsaFields = record<Pick<LsaHeader, keyof typeof headerFields>>(headerFields);
const lsaHeader = record<LsaHeader>({ ...headerFields, checksum: bits(16), length: bits(16) });

const header = { routerId: bits(32), areaId: bits(32), instanceId: bits(8) } as const;
export const packetHeader = record<PacketHeader>(header);
const headers = fc.array(lsaHeader, { maxLength: 6 });

/** All kinds but updates, which hold LSAs rather than values. */
export const packet: fc.Arbitrary<OspfPacket> = fc.oneof<fc.Arbitrary<OspfPacket>[]>(
  record({
    kind: fc.constant('hello'),
    ...header,
    interfaceId: bits(32),
    priority: bits(8),
    options: bits(24),
    helloInterval: bits(16),
    deadInterval: bits(16),
    designated: bits(32),
    backup: bits(32),
    neighbors: fc.array(bits(32), { maxLength: 6 }),
  }),
  record({ kind: fc.constant('databaseDescription'), ...header, options: bits(24), mtu: bits(16), initial: flag, more: flag, master: flag, sequence: bits(32), headers }),
  record({ kind: fc.constant('linkStateRequest'), ...header, requests: fc.array(record({ type: bits(16), id: bits(32), router: bits(32) }), { maxLength: 6 }) }),
  record({ kind: fc.constant('linkStateAcknowledgment'), ...header, headers }),
);
