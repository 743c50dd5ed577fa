import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { encodeExtendedRouterBody } from '../../../../daemon/ospf/wire/lsa/extended-router.js';
import { encodeIntraAreaTeBody } from '../../../../daemon/ospf/wire/lsa/intra-area-te.js';
import { encodeRouterInformationBody } from '../../../../daemon/ospf/wire/lsa/router-information.js';
import { encodeSrv6LocatorBody } from '../../../../daemon/ospf/wire/lsa/srv6-locator.js';
import { buildLsa } from '../../../../daemon/ospf/wire/lsa.js';
import { type ExtendedRouterLsa, INITIAL_SEQUENCE, type IntraAreaTeLsa, type LsaBody, LsType, type RouterInformationLsa, type Srv6LocatorLsa, type TeLink } from '../../../../daemon/ospf/wire/types.js';
import { Reader } from '../../../../dataplane/packet/cursor.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { hex, vectorPath } from '../../../vectors/load.js';
import { ipPackets } from '../../../vectors/pcap.js';
import { TE_LINK } from './support/extensions.js';

const decode = (type: number, octets: Uint8Array): LsaBody => buildLsa({ age: 0, type, id: 0, router: 1, sequence: INITIAL_SEQUENCE }, octets).body;
const read = (type: number, text: string): LsaBody => decode(type, hex(text));

/** The Link TLVs in an IPv4 packet with an OSPFv2 update (RFC 2328 section A.3.5, RFC 3630 section 2.2). */
function teLinks(octets: Uint8Array): TeLink[] {
  const reader = new Reader(octets, (octets[0]! & 0xf) * 4, (octets[2]! << 8) | octets[3]!);
  reader.skip(1);
  if (octets[9] !== 89 || reader.u8() !== 4) return [];
  reader.skip(22);
  const links: TeLink[] = [];
  for (let count = reader.u32(); count > 0; count--) {
    const lsa = reader.octets((octets[reader.offset + 18]! << 8) | octets[reader.offset + 19]!);
    // Opaque LSA of area scope, of opaque type 1.
    if (lsa[3] !== 10 || lsa[4] !== 1) continue;
    const body = decode(LsType.intraAreaTe, lsa.subarray(20));
    assert.ok(body.kind === 'intraAreaTe', inspect(body));
    if (body.link) links.push(body.link);
  }
  return links;
}

const STRUCTURE = { block: 32, node: 16, function: 16, argument: 0 };
const SID = 'fcbb bb00 0001 e001 0000 0000 0000 0000';

describe('Intra-Area-TE-LSA (RFC 5329, RFC 7471), every octet by the RFC', () => {
  const BODY: IntraAreaTeLsa = { kind: 'intraAreaTe', routerAddress: undefined, link: TE_LINK };
  const OCTETS = hex(`
    0002 0090                                # Link TLV, 144 octets
    0001 0001 01 000000                      # Link Type: point-to-point, padding
    0005 0004 0000000a                       # TE Metric 10
    0006 0004 4cee6b28                       # Maximum Bandwidth 125,000,000 octets/s
    0007 0004 4c6e6b28                       # Maximum Reservable Bandwidth 62,500,000
    0012 0008 00000005 0a000002              # Neighbor ID: interface 5 of 10.0.0.2
    001b 0004 00 0003e8                      # Unidirectional Link Delay 1000 us
    001c 0008 80 000384 00 0007d0            # Min/Max Delay, A: 900 to 2000 us
    001d 0004 00 000014                      # Delay Variation 20 us
    001e 0004 80 0028b1                      # Link Loss, A: 10,417 x 0.000003 %
    001f 0004 4cbebc20                       # Residual Bandwidth 100,000,000
    0020 0004 4c989680                       # Available Bandwidth 80,000,000
    0021 0004 4b989680                       # Utilized Bandwidth 20,000,000
    0013 0010 2001 0db8 0001 0000 0000 0000 0000 0001  # Local Interface IPv6 Address
    0014 0010 2001 0db8 0001 0000 0000 0000 0000 0002  # Remote Interface IPv6 Address`);

  it('is written and read so', () => {
    assert.deepEqual(encodeIntraAreaTeBody(BODY), OCTETS);
    assert.deepEqual(decode(LsType.intraAreaTe, OCTETS), BODY);
  });

  it('has the Router IPv6 Address TLV in an LSA of its own', () => {
    const body: IntraAreaTeLsa = { kind: 'intraAreaTe', routerAddress: '2001:db8::1', link: undefined };
    const octets = hex('0003 0010 2001 0db8 0000 0000 0000 0000 0000 0001');
    assert.deepEqual(encodeIntraAreaTeBody(body), octets);
    assert.deepEqual(decode(LsType.intraAreaTe, octets), body);
  });

  it('reads the Link TLVs that FRR makes, of OSPFv2, as tshark does', () => {
    const links = ipPackets(vectorPath('ospf', 'te-ospfv2.pcap')).flatMap((octets) => teLinks(octets));
    assert.ok(links.length > 0);
    const measures = {
      teMetric: 33,
      // What FRR 8.4 makes of the 10 Gbit/s of a veth, in 32 bits; the loss it was configured with it sends as 0.
      maximumBandwidth: 176_258_176,
      maximumReservable: 62_500_000,
      delay: { us: 1000, anomalous: false },
      delayRange: { minimumUs: 900, maximumUs: 2000, anomalous: false },
      delayVariationUs: 20,
      loss: { value: 0, anomalous: false },
      residualBandwidth: 100_000_000,
      availableBandwidth: 80_000_000,
      utilizedBandwidth: 20_000_000,
    };
    for (const link of links) assert.deepEqual(link, { linkType: 1, neighbor: undefined, ...measures, local: [], remote: [] });
  });

  it('passes over unknown TLVs and sub-TLVs, takes the first of two, and uses no bandwidth that is no number', () => {
    const body = read(LsType.intraAreaTe, '0063 0001 ff000000 0002 0030 0009 0004 00000001 0001 0001 02000000 001b 0004 00000001 001b 0004 00000002 001f 0004 7fc00000 0020 0004 bf800000');
    assert.ok(body.kind === 'intraAreaTe');
    assert.deepEqual([body.link?.linkType, body.link?.delay, body.link?.residualBandwidth, body.link?.availableBandwidth], [2, { us: 1, anomalous: false }, undefined, undefined]);
  });

  it('is malformed where lengths are wrong or the link type is missing or unknown', () => {
    for (const text of ['0002 0008 001b 0004 00000001', '0002 0008 0001 0001 03000000', '0002 0010 0001 0001 01000000 001b 0003 00000000', '0002 0008 0001 0002 01000000', '0002 0009 0001 0001 01000000', '0002']) {
      assert.equal(read(LsType.intraAreaTe, text).kind, 'malformed', text);
    }
  });
});

describe('Router Information LSA (RFC 7770, RFC 9513), every octet by the RFC', () => {
  const BODY: RouterInformationLsa = { kind: 'routerInformation', informational: 0x60000000, srv6: { flags: 0x4000 }, algorithms: [0, 128], msd: [[41, 10], [45, 8], [44, 9]] };
  const OCTETS = hex(`
    0001 0004 60000000                       # Informational Capabilities: graceful restart helper, stub router
    0008 0002 00 80 0000                     # SR-Algorithm: 0 and 128, padding
    000c 0006 29 0a 2d 08 2c 09 0000         # Node MSD: Maximum Segments Left 10, End D 8, H.Encaps 9, padding
    0014 0004 4000 0000                      # SRv6 Capabilities: O-flag, reserved`);

  it('is written and read so', () => {
    assert.deepEqual(encodeRouterInformationBody(BODY), OCTETS);
    assert.deepEqual(decode(LsType.routerInformation, OCTETS), BODY);
  });

  it('passes over unknown TLVs and takes the first of two', () => {
    const body = read(LsType.routerInformation, '0014 0008 0000 0000 00630000 0014 0004 4000 0000 0008 0001 00000000 0008 0001 80000000 0007 0003 63707500');
    assert.deepEqual(body, { kind: 'routerInformation', informational: undefined, srv6: { flags: 0 }, algorithms: [0], msd: [] });
  });
});

describe('E-Router-LSA (RFC 8362, RFC 9513 section 9), every octet by the RFC', () => {
  const link = { metric: 10, interfaceId: 5, neighborInterfaceId: 6, neighborRouterId: 0x0a000002 } as const;
  const endX = { behaviour: 5, algorithm: 0, weight: 0, sid: 'fcbb:bb00:1:e001::' } as const;
  const BODY: ExtendedRouterLsa = {
    kind: 'extendedRouter',
    flags: { nt: false, v: false, e: true, b: false },
    options: 0x13,
    links: [
      { type: 1, ...link, endX: [{ ...endX, flags: 0x20, neighborRouterId: undefined, structure: STRUCTURE }] },
      { type: 2, ...link, endX: [{ ...endX, flags: 0, neighborRouterId: 0x0a000003, structure: undefined }] },
    ],
  };
  const OCTETS = hex(`
    02 000013                                # E; R, E, V6
    0001 0034                                # Router-Link TLV, 52 octets
      01 00 000a 00000005 00000006 0a000002  # point-to-point, metric 10, interface 5, neighbor's 6 of 10.0.0.2
      001f 0020                              # SRv6 End.X SID, 32 octets
        0005 20 00 00 00 0000                # End.X, P, reserved, algorithm 0, weight 0, reserved
        ${SID}
        001e 0004 20 10 10 00                # SID Structure of Extended LSAs: 32, 16, 16, 0
    0001 0030                                # Router-Link TLV, 48 octets
      02 00 000a 00000005 00000006 0a000002  # transit network
      0020 001c                              # SRv6 LAN End.X SID, 28 octets
        0005 00 00 00 00 0000 0a000003       # as above, neighbor 10.0.0.3
        ${SID}`);

  it('is written and read so', () => {
    assert.deepEqual(encodeExtendedRouterBody(BODY), OCTETS);
    assert.deepEqual(decode(LsType.extendedRouter, OCTETS), BODY);
  });

  it('is read without SIDs whose structure is impossible or there twice, and keeps the link', () => {
    const router = '01 00 000a 00000005 00000006 0a000002';
    const sids = [
      `001f 0020 0005 00 00 00 00 0000 ${SID} 001e 0004 40 20 20 01`,
      `001f 0028 0005 00 00 00 00 0000 ${SID} 001e 0004 20 10 10 00 001e 0004 20 10 10 00`,
      `001f 0020 0005 00 00 00 00 0000 ${SID} 001e 0003 20 10 10 00`,
      `001f 0017 0005 00 00 00 00 0000 ${SID}`,
      `001f 0020 0005 00 00 00 00 0000 ${SID} 001e 0004 40 20 10 10`,
    ];
    const value = hex(router + sids.join(' '));
    const body = decode(LsType.extendedRouter, Uint8Array.of(...hex('00 000013 0001'), value.length >> 8, value.length & 0xff, ...value));
    assert.ok(body.kind === 'extendedRouter');
    const last = { ...endX, flags: 0, neighborRouterId: undefined, structure: { block: 64, node: 32, function: 16, argument: 16 } };
    assert.deepEqual(body.links, [{ type: 1, ...link, endX: [last] }]);
  });
});

describe('SRv6 Locator LSA (RFC 9513 sections 7 and 8), every octet by the RFC', () => {
  const BODY: Srv6LocatorLsa = {
    kind: 'srv6Locator',
    locators: [
      {
        routeType: 1,
        algorithm: 0,
        prefixOptions: 0x20,
        metric: 1,
        prefix: Prefix.from('fcbb:bb00:1::/48'),
        endSids: [{ flags: 0, behaviour: 1, sid: 'fcbb:bb00:1::', structure: STRUCTURE }],
      },
    ],
  };
  const LOCATOR = `01 00 30 20 00000001 fcbb bb00 0001 0000   # intra-area, algorithm 0, 48 bits, N, metric 1, the locator in two words
`;
  const OCTETS = hex(`
    0001 0030                                # SRv6 Locator TLV, 48 octets
      ${LOCATOR}
      0001 001c                              # SRv6 End SID sub-TLV, 28 octets
        00 00 0001                           # flags, reserved, End
        fcbb bb00 0001 0000 0000 0000 0000 0000
        000a 0004 20 10 10 00                # SID Structure of this LSA: 32, 16, 16, 0`);

  it('is written and read so', () => {
    assert.deepEqual(encodeSrv6LocatorBody(BODY), OCTETS);
    assert.deepEqual(decode(LsType.srv6Locator, OCTETS), BODY);
  });

  it('is read without locators of unknown route type or impossible length, and without End SIDs that are impossible', () => {
    const bad = ['00 00 30 20 00000001 fcbb bb00 0001 0000', '07 00 30 20 00000001 fcbb bb00 0001 0000', '01 00 00 20 00000001 fcbb bb00 0001 0000', '01 00 81 20 00000001 fcbb bb00 0001 0000'];
    const endSid = `0001 001c 00 00 0001 ${SID} 000a 0004 80 01 00 00`;
    const body = read(LsType.srv6Locator, `${bad.map((value) => `0001 0010 ${value}`).join('\n')} 0002 0000 0001 0030 ${LOCATOR} ${endSid}`);
    assert.deepEqual(body, { kind: 'srv6Locator', locators: [{ ...BODY.locators[0], endSids: [] }] });
  });
});
