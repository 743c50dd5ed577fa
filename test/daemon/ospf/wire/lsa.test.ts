import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { encodeCpnBlock } from '../../../../daemon/computing/block.js';
import { encodeCpnBody } from '../../../../daemon/ospf/wire/lsa/cpn.js';
import { encodeExtendedRouterBody } from '../../../../daemon/ospf/wire/lsa/extended-router.js';
import { encodeExternalBody } from '../../../../daemon/ospf/wire/lsa/external.js';
import { encodeGraceBody } from '../../../../daemon/ospf/wire/lsa/grace.js';
import { encodeInterAreaPrefixBody } from '../../../../daemon/ospf/wire/lsa/inter-area-prefix.js';
import { encodeInterAreaRouterBody } from '../../../../daemon/ospf/wire/lsa/inter-area-router.js';
import { encodeIntraAreaPrefixBody } from '../../../../daemon/ospf/wire/lsa/intra-area-prefix.js';
import { encodeIntraAreaTeBody } from '../../../../daemon/ospf/wire/lsa/intra-area-te.js';
import { encodeLinkBody } from '../../../../daemon/ospf/wire/lsa/link.js';
import { encodeNetworkBody } from '../../../../daemon/ospf/wire/lsa/network.js';
import { encodeRouterInformationBody } from '../../../../daemon/ospf/wire/lsa/router-information.js';
import { encodeRouterBody } from '../../../../daemon/ospf/wire/lsa/router.js';
import { encodeSrv6LocatorBody } from '../../../../daemon/ospf/wire/lsa/srv6-locator.js';
import { isLsaChecksumRight, lsaChecksum } from '../../../../daemon/ospf/wire/lsa-checksum.js';
import { compareLsaInstances, floodingScope } from '../../../../daemon/ospf/wire/lsa-header.js';
import { buildLsa, decodeLsa, withAge } from '../../../../daemon/ospf/wire/lsa.js';
import { INITIAL_SEQUENCE, type Lsa, type LsaBody, type LsaHeader, LsType, MAX_AGE, MAX_SEQUENCE } from '../../../../daemon/ospf/wire/types.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';
import { block } from '../../computing/arbitraries.js';
import { hex } from '../../../vectors/load.js';
import { bodies, lsaFields } from './support/arbitraries.js';

const ENCODERS = {
  router: encodeRouterBody,
  network: encodeNetworkBody,
  interAreaPrefix: encodeInterAreaPrefixBody,
  interAreaRouter: encodeInterAreaRouterBody,
  asExternal: encodeExternalBody,
  nssa: encodeExternalBody,
  link: encodeLinkBody,
  intraAreaPrefix: encodeIntraAreaPrefixBody,
  intraAreaTe: encodeIntraAreaTeBody,
  grace: encodeGraceBody,
  routerInformation: encodeRouterInformationBody,
  extendedRouter: encodeExtendedRouterBody,
  srv6Locator: encodeSrv6LocatorBody,
} as const;
const kinds = Object.keys(ENCODERS) as (keyof typeof ENCODERS)[];
const encode = (kind: keyof typeof ENCODERS, body: unknown): Uint8Array => (ENCODERS[kind] as (value: unknown) => Uint8Array)(body);

const FIELDS = { age: 1, id: 0, router: 0x0a000001, sequence: INITIAL_SEQUENCE } as const;
const build = (type: number, body: Uint8Array): Lsa => buildLsa({ ...FIELDS, type }, body);

function read(octets: Uint8Array): Lsa {
  const result = decodeLsa(octets);
  assert.ok(result.ok, inspect(result));
  return result.lsa;
}

/** The body of an LSA of a type whose octets are written in hexadecimal. */
const bodyOf = (type: number, text: string): LsaBody => read(build(type, hex(text)).raw).body;

/** A property of LSAs of all kinds. */
const anyLsa: fc.Arbitrary<Lsa> = fc
  .tuple(lsaFields, fc.oneof(...kinds.map((kind) => (bodies[kind] as fc.Arbitrary<LsaBody>).map((body) => [kind, body] as const))))
  .map(([fields, [kind, body]]) => buildLsa({ ...fields, type: LsType[kind] }, encode(kind, body)));

describe('LSAs', () => {
  for (const kind of kinds) {
    it(`${kind}: what is encoded is decoded`, () => {
      fc.assert(
        fc.property(lsaFields, bodies[kind] as fc.Arbitrary<LsaBody>, (fields, body) => {
          const lsa = buildLsa({ ...fields, type: LsType[kind] }, encode(kind, body));
          assert.deepEqual(lsa.body, body);
          const again = read(lsa.raw);
          assert.deepEqual(again.header, lsa.header);
          assert.deepEqual(again.body, body);
          assert.equal(lsa.header.length, lsa.raw.length);
        }),
      );
    });

    it(`${kind}: a body cut at any octet is told from a whole one, and nothing is thrown`, () => {
      fc.assert(
        fc.property(bodies[kind] as fc.Arbitrary<LsaBody>, (body) => {
          const whole = encode(kind, body);
          for (let length = 0; length < whole.length; length++) {
            const cut = build(LsType[kind], whole.subarray(0, length)).body;
            if (cut.kind !== 'malformed') assert.notDeepEqual(cut, body);
          }
        }),
        { numRuns: 40 },
      );
    });
  }

  it('cpn: the body is one CPN block, of another LS type too', () => {
    fc.assert(
      fc.property(block, (value) => {
        const body = encodeCpnBody(value);
        assert.deepEqual(body, encodeCpnBlock(value));
        const cpn = build(LsType.cpn, body).body;
        assert.deepEqual(cpn.kind === 'cpn' && cpn.block.kind === 'block' && cpn.block.block, value);
        const moved = decodeLsa(buildLsa({ ...FIELDS, type: 0xbff1 }, body).raw, 0xbff1);
        assert.ok(moved.ok && moved.lsa.body.kind === 'cpn');
        assert.equal(build(0xbff1, body).body.kind, 'unknown');
      }),
      { numRuns: 40 },
    );
  });

  it('octets changed at random never make the decoder throw', () => {
    fc.assert(
      fc.property(anyLsa, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 8 }), (lsa, changes) => {
        const octets = lsa.raw.slice();
        for (const [at, octet] of changes) octets[at % octets.length] = octet;
        const checksum = lsaChecksum(octets);
        octets[16] = checksum >> 8;
        octets[17] = checksum & 0xff;
        const result = decodeLsa(octets);
        assert.equal(result.ok, ((octets[18]! << 8) | octets[19]!) === octets.length);
        if (result.ok) assert.ok(result.lsa.body.kind);
      }),
      { numRuns: 2000 },
    );
  });

  it('an LSA is as long as its header says, and its checksum is right, or it is a fault', () => {
    const { raw } = build(LsType.network, hex('00 000013 0a000001 0a000002'));
    for (let length = 0; length < raw.length; length++) assert.equal(decodeLsa(raw.subarray(0, length)).ok, false);
    assert.equal(decodeLsa(Uint8Array.of(...raw, 0)).ok, false);
    for (let bit = 16; bit < raw.length * 8; bit++) {
      const octets = raw.slice();
      octets[bit >> 3]! ^= 0x80 >> (bit & 7);
      assert.equal(decodeLsa(octets).ok, false, `bit ${bit}`);
    }
    const zero = raw.slice();
    zero.fill(0, 16, 18);
    assert.equal(decodeLsa(zero).ok, false);
    assert.match(inspect(decodeLsa(zero)), /checksum 0x0 is wrong/);
  });

  it('keeps what it decoded apart from the memory it was received in', () => {
    const received = Buffer.from(build(LsType.network, hex('00 000013 0a000001')).raw);
    const lsa = read(received);
    received.fill(0xff);
    assert.deepEqual(lsa.body, { kind: 'network', options: 0x13, routers: [0x0a000001] });
  });

  it('changes its age without its checksum, and reads an age past MaxAge or with DoNotAge as what it stands for', () => {
    const lsa = build(LsType.network, hex('00 000013 0a000001'));
    const old = withAge(lsa, 1000);
    assert.deepEqual(old.header, { ...lsa.header, age: 1000 });
    assert.deepEqual(old.body, lsa.body);
    for (const [octets, age] of [['0e10', MAX_AGE], ['0e11', MAX_AGE], ['7fff', MAX_AGE], ['8005', 5]] as const) {
      const aged = lsa.raw.slice();
      aged.set(hex(octets));
      assert.equal(read(aged).header.age, age);
    }
  });

  it('thousands of TLVs take time that grows with their number alone', () => {
    const time = (count: number): number => {
      const raw = buildLsa({ ...FIELDS, type: LsType.srv6Locator }, hex('0001 000c 01 00 20 00 00000001 fcbb0000'.repeat(count))).raw;
      const start = process.hrtime.bigint();
      for (let i = 0; i < 20; i++) assert.equal(read(raw).body.kind, 'srv6Locator');
      return Number(process.hrtime.bigint() - start);
    };
    time(400);
    assert.ok(time(4000) < 60 * time(400));
  });
});

describe('The LS checksum', () => {
  it('of an LSA of all lengths is right, and wrong when two octets differ', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 20, maxLength: 6000 }), (octets) => {
        const checksum = lsaChecksum(octets);
        octets[16] = checksum >> 8;
        octets[17] = checksum & 0xff;
        assert.ok(isLsaChecksumRight(octets));
        octets[octets.length - 1] = (octets[octets.length - 1]! + 1) & 0xff;
        // 0 and 255 are one in arithmetic modulo 255.
        assert.equal(isLsaChecksumRight(octets), octets[octets.length - 1] === 0);
      }),
    );
  });

  it('is that of the straightforward sum', () => {
    const octets = Uint8Array.from({ length: 65_535 }, (_, i) => (i * 7919) & 0xff);
    const checksum = lsaChecksum(octets);
    octets[16] = checksum >> 8;
    octets[17] = checksum & 0xff;
    let c0 = 0;
    let c1 = 0;
    for (const octet of octets.subarray(2)) {
      c0 = (c0 + octet) % 255;
      c1 = (c1 + c0) % 255;
    }
    assert.deepEqual([c0, c1], [0, 0]);
  });
});

describe('Of two instances of an LSA', () => {
  const header = (fields: Partial<LsaHeader>): LsaHeader => ({ age: 100, type: 0x2001, id: 0, router: 1, sequence: 5, checksum: 7, length: 24, ...fields });
  const newer = (a: Partial<LsaHeader>, b: Partial<LsaHeader>): void => {
    assert.ok(compareLsaInstances(header(a), header(b)) > 0);
    assert.ok(compareLsaInstances(header(b), header(a)) < 0);
  };

  it('the newer has the greater signed sequence number, then the greater checksum', () => {
    newer({ sequence: 6, checksum: 1 }, { sequence: 5, age: MAX_AGE });
    newer({ sequence: MAX_SEQUENCE }, { sequence: INITIAL_SEQUENCE });
    newer({ sequence: INITIAL_SEQUENCE + 1 }, { sequence: INITIAL_SEQUENCE });
    newer({ checksum: 0xffff }, { checksum: 1, age: MAX_AGE });
  });

  it('at a tie the newer is at MaxAge, or younger by more than 15 minutes', () => {
    newer({ age: MAX_AGE }, { age: 0 });
    newer({ age: 0 }, { age: 901 });
    assert.equal(compareLsaInstances(header({ age: 0 }), header({ age: 900 })), 0);
    assert.equal(compareLsaInstances(header({ age: MAX_AGE }), header({ age: MAX_AGE })), 0);
  });
});

describe('Flooding scope', () => {
  it('is that of the S bits, and the link alone for unknown types without U bit', () => {
    const scopes = Object.fromEntries(Object.entries(LsType).map(([name, type]) => [name, floodingScope(type)]));
    const { link, grace, asExternal, ...area } = scopes;
    assert.deepEqual([link, grace, asExternal], ['link', 'link', 'as']);
    assert.deepEqual(new Set(Object.values(area)), new Set(['area']));
    assert.deepEqual([0x2006, 0x4017, 0xa0ff, 0xc017, 0x8017, 0x6001, 0xe001].map((type) => floodingScope(type)), ['link', 'link', 'area', 'as', 'link', 'reserved', 'reserved']);
    assert.deepEqual([floodingScope(0x3ff0), floodingScope(0x3ff0, 0x3ff0)], ['link', 'area']);
  });
});

describe('LSA bodies written by hand', () => {
  it('Router-LSA: links of types that are not defined are passed over', () => {
    const body = bodyOf(
      LsType.router,
      `03 000013                                     # flags E and B, options R, E, V6
       01 00 000a 00000005 00000006 0a000002         # point-to-point, metric 10, interface 5, neighbor's 6, neighbor 10.0.0.2
       03 00 000a 00000005 00000006 0a000002         # reserved
       02 00 0001 00000007 00000008 0a000003         # transit network, metric 1`,
    );
    assert.deepEqual(body, {
      kind: 'router',
      flags: { nt: false, v: false, e: true, b: true },
      options: 0x13,
      links: [
        { type: 1, metric: 10, interfaceId: 5, neighborInterfaceId: 6, neighborRouterId: 0x0a000002 },
        { type: 2, metric: 1, interfaceId: 7, neighborInterfaceId: 8, neighborRouterId: 0x0a000003 },
      ],
    });
    assert.equal(bodyOf(LsType.router, '03 000013 01').kind, 'malformed');
  });

  it('prefixes take whole words, bits behind their length do not count, and none is longer than 128 bits', () => {
    const body = bodyOf(LsType.interAreaPrefix, '00 00000a 21 00 0000 20010db8 ffffffff');
    assert.deepEqual(body, { kind: 'interAreaPrefix', prefix: Prefix.from('2001:db8:8000::/33'), options: 0, metric: 10 });
    assert.deepEqual(bodyOf(LsType.interAreaPrefix, '00 00000a 00 00 0000'), { kind: 'interAreaPrefix', prefix: Prefix.from('::/0'), options: 0, metric: 10 });
    assert.equal(bodyOf(LsType.interAreaPrefix, `00 00000a 81 00 0000 ${'00'.repeat(20)}`).kind, 'malformed');
    assert.equal(bodyOf(LsType.interAreaPrefix, '00 00000a 20 00 0000 20010db8 00').kind, 'malformed');
    assert.equal(bodyOf(LsType.intraAreaPrefix, '0002 2001 00000000 00000000 00 00 0000').kind, 'malformed');
    assert.equal(bodyOf(LsType.link, `01 000013 ${'00'.repeat(16)} ffffffff 00 00 0000`).kind, 'malformed');
  });

  it('AS-External-LSA: forwarding address, tag and referenced LSA stand in this order', () => {
    const body = bodyOf(
      LsType.asExternal,
      `07 000014                            # E, F, T; metric 20
       40 10 2001                           # 64 bits, DN, referenced type Router-LSA
       20010db8 00010002                    # 2001:db8:1:2::/64
       20010db8 00000000 00000000 00000001  # forwarding address
       00000063                             # tag 99
       0000002a                             # referenced Link State ID 42`,
    );
    const expected = { prefix: Prefix.from('2001:db8:1:2::/64'), options: 0x10, metric: 20, type2: true, forwarding: '2001:db8::1', tag: 99, referenced: { type: 0x2001, id: 42 } };
    assert.deepEqual(body, { kind: 'asExternal', ...expected });
  });

  it('Grace-LSA: both TLVs must be there, others may', () => {
    const period = '0001 0004 00000078';
    const reason = '0002 0001 01 000000';
    assert.deepEqual(bodyOf(LsType.grace, `${period} ${reason}`), { kind: 'grace', periodSeconds: 120, reason: 1 });
    assert.deepEqual(bodyOf(LsType.grace, `0063 0000 ${reason} ${period}`), { kind: 'grace', periodSeconds: 120, reason: 1 });
    for (const text of ['', period, reason, `${period} 0002 0002 0100 0000`]) assert.equal(bodyOf(LsType.grace, text).kind, 'malformed');
    assert.deepEqual(encodeGraceBody({ periodSeconds: 120, reason: 1 }), hex(`${period} ${reason}`));
  });
});
