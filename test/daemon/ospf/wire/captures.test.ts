import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { encodeExtendedRouterBody } from '../../../../daemon/ospf/wire/lsa/extended-router.js';
import { encodeExternalBody } from '../../../../daemon/ospf/wire/lsa/external.js';
import { encodeGraceBody } from '../../../../daemon/ospf/wire/lsa/grace.js';
import { encodeInterAreaPrefixBody } from '../../../../daemon/ospf/wire/lsa/inter-area-prefix.js';
import { encodeInterAreaRouterBody } from '../../../../daemon/ospf/wire/lsa/inter-area-router.js';
import { encodeIntraAreaPrefixBody } from '../../../../daemon/ospf/wire/lsa/intra-area-prefix.js';
import { encodeLinkBody } from '../../../../daemon/ospf/wire/lsa/link.js';
import { encodeNetworkBody } from '../../../../daemon/ospf/wire/lsa/network.js';
import { encodeRouterBody } from '../../../../daemon/ospf/wire/lsa/router.js';
import { buildLsa } from '../../../../daemon/ospf/wire/lsa.js';
import { decodePacket, encodePacket } from '../../../../daemon/ospf/wire/packet.js';
import { type ExternalLsa, type Lsa, type LsaBody, type OspfPacket, LSA_HEADER_LENGTH } from '../../../../daemon/ospf/wire/types.js';
import { formatIp } from '../../../../dataplane/packet/ip.js';
import { SHARED_DATA, vectorNames, vectorPath } from '../../../vectors/load.js';
import { type RecordedPacket, recordedPackets } from './support/recorded.js';

const TYPES: Readonly<Record<OspfPacket['kind'], number>> = { hello: 1, databaseDescription: 2, linkStateRequest: 3, linkStateUpdate: 4, linkStateAcknowledgment: 5 };

function decoded({ octets, source, destination }: RecordedPacket, authenticated: boolean): OspfPacket {
  const result = decodePacket(octets, { source, destination, authenticated });
  assert.ok(result.ok, inspect(result));
  return result.packet;
}

/** The octets of a packet without what trails it. */
const own = ({ octets }: RecordedPacket): Uint8Array => new Uint8Array(octets.subarray(0, (octets[2]! << 8) | octets[3]!));

function encodedBody(body: LsaBody): Uint8Array {
  switch (body.kind) {
    case 'router':
      return encodeRouterBody(body);
    case 'network':
      return encodeNetworkBody(body);
    case 'interAreaPrefix':
      return encodeInterAreaPrefixBody(body);
    case 'interAreaRouter':
      return encodeInterAreaRouterBody(body);
    case 'asExternal':
    case 'nssa':
      return encodeExternalBody(body);
    case 'link':
      return encodeLinkBody(body);
    case 'intraAreaPrefix':
      return encodeIntraAreaPrefixBody(body);
    case 'grace':
      return encodeGraceBody(body);
    case 'extendedRouter':
      return encodeExtendedRouterBody(body);
    default:
      return assert.fail(`no such LSA was recorded: ${inspect(body)}`);
  }
}

function assertSame(recorded: RecordedPacket, authenticated: boolean): OspfPacket {
  const packet = decoded(recorded, authenticated);
  const again = encodePacket(packet, recorded);
  if (authenticated) again.fill(0, 12, 14);
  assert.deepEqual(again, own(recorded), inspect(packet));
  if (packet.kind === 'linkStateUpdate') {
    assert.deepEqual(packet.faults, []);
    for (const { header, raw, body } of packet.lsas) {
      const rebuilt = buildLsa(header, encodedBody(body));
      assert.deepEqual(rebuilt.raw, raw, inspect({ header, body }));
      assert.deepEqual(rebuilt.header, header);
    }
  }
  return packet;
}

const dotted = (id: number): string => formatIp(Uint8Array.of(id >>> 24, (id >>> 16) & 0xff, (id >>> 8) & 0xff, id & 0xff));
const hexadecimal = (value: number, digits: number): string => `0x${value.toString(16).padStart(digits, '0')}`;

/** Our reading of a packet in tshark's columns. */
function columnsOf(recorded: RecordedPacket, packet: OspfPacket): Readonly<Record<string, string>> {
  const headers = packet.kind === 'linkStateUpdate' ? packet.lsas.map(({ header }) => header) : 'headers' in packet ? packet.headers : [];
  const keys = packet.kind === 'linkStateRequest' ? packet.requests : headers;
  const list = (values: readonly (string | number)[]): string => values.join(',');
  const columns: Record<string, string> = {
    'ipv6.src': formatIp(recorded.source),
    'ospf.msg': String(TYPES[packet.kind]),
    'ospf.packet_length': String(own(recorded).length),
    'ospf.srcrouter': dotted(packet.routerId),
    'ospf.area_id': dotted(packet.areaId),
    'ospf.instance_id': String(packet.instanceId),
    'ospf.v3.lsa': list(keys.map(({ type }) => hexadecimal(type, 4))),
    'ospf.link_state_id': list(keys.map(({ id }) => dotted(id))),
    'ospf.advrouter': list(keys.map(({ router }) => dotted(router))),
    'ospf.lsa.seqnum': list(headers.map(({ sequence }) => hexadecimal(sequence >>> 0, 8))),
    'ospf.lsa.chksum': list(headers.map(({ checksum }) => hexadecimal(checksum, 4))),
    'ospf.lsa.length': list(headers.map(({ length }) => length)),
  };
  if (packet.kind === 'hello') {
    columns['ospf.hello.hello_interval'] = String(packet.helloInterval);
    columns['ospf.hello.router_dead_interval'] = String(packet.deadInterval);
    columns['ospf.hello.active_neighbor'] = list(packet.neighbors.map(dotted));
  } else if (packet.kind === 'databaseDescription') {
    columns['ospf.db.interface_mtu'] = String(packet.mtu);
    columns['ospf.db.dd_sequence'] = String(packet.sequence);
  } else if (packet.kind === 'linkStateUpdate') {
    columns['ospf.ls.number_of_lsas'] = String(packet.lsas.length);
  }
  return columns;
}

describe('OSPFv3 exchanges of other implementations', () => {
  for (const name of vectorNames('ospf', '.tshark.tsv')) {
    it(`${name}: every packet and LSA is read as tshark reads it, and written again octet for octet`, () => {
      const [head, ...lines] = readFileSync(vectorPath('ospf', `${name}.tshark.tsv`), 'utf8').replace(/\n$/, '').split('\n');
      const recorded = recordedPackets(vectorPath('ospf', `${name}.pcap`));
      assert.equal(recorded.length, lines.length);
      recorded.forEach((item, i) => {
        const ours = columnsOf(item, assertSame(item, name.startsWith('trailer')));
        const values = lines[i]!.split('\t');
        head!.split('\t').forEach((column, at) => assert.equal(ours[column] ?? '', values[at], `packet ${i + 1}, ${column}`));
      });
    });
  }

  const lsasOf = (name: string): Lsa[] =>
    recordedPackets(vectorPath('ospf', `${name}.pcap`)).flatMap((recorded) => {
      const packet = decoded(recorded, false);
      return packet.kind === 'linkStateUpdate' ? packet.lsas : [];
    });

  it('all LSA types of RFC 5340 and a Grace-LSA are among them, externals with all that they can have', () => {
    const lsas = ['backbone', 'area', 'nssa', 'grace'].flatMap(lsasOf);
    const kinds = new Set(lsas.map(({ body }) => body.kind));
    assert.deepEqual([...kinds].sort(), ['asExternal', 'grace', 'interAreaPrefix', 'interAreaRouter', 'intraAreaPrefix', 'link', 'network', 'nssa', 'router']);
    const externals = new Map<string, ExternalLsa>(lsas.flatMap(({ body }) => (body.kind === 'asExternal' || body.kind === 'nssa' ? [[`${body.kind} ${body.prefix.toString()}`, body] as const] : [])));
    const seen = (key: string): unknown => {
      const { type2, metric, forwarding, tag } = externals.get(key) ?? assert.fail(`no ${key} in ${[...externals.keys()].join(', ')}`);
      return { type2, metric, forwarding, tag };
    };
    assert.deepEqual(seen('asExternal 2001:db8:b1::/48'), { type2: false, metric: 77, forwarding: undefined, tag: 4_000_000_001 });
    assert.deepEqual(seen('asExternal 2001:db8:8000::/33'), { type2: true, metric: 5, forwarding: undefined, tag: undefined });
    assert.equal((seen('asExternal 2001:db8:b3::1/128') as { forwarding: unknown }).forwarding, '2001:db8:1::77');
    assert.equal((seen('asExternal ::/0') as { type2: unknown }).type2, true);
    assert.equal((seen('nssa 2001:db8:d1::/48') as { tag: unknown }).tag, 5);
    assert.deepEqual(lsas.find(({ body }) => body.kind === 'grace')?.body, { kind: 'grace', periodSeconds: 90, reason: 1 });
  });

  it('a packet or an LSA cut at any octet is a fault, and nothing is thrown', () => {
    for (const recorded of ['backbone', 'grace'].flatMap((name) => recordedPackets(vectorPath('ospf', `${name}.pcap`)))) {
      const octets = own(recorded);
      for (let length = 0; length < octets.length; length++) assert.equal(decodePacket(octets.subarray(0, length), recorded).ok, false);
    }
    for (const { header, raw, body } of ['backbone', 'nssa', 'grace'].flatMap(lsasOf)) {
      for (let length = LSA_HEADER_LENGTH; length < raw.length; length++) assert.notDeepEqual(buildLsa(header, raw.subarray(LSA_HEADER_LENGTH, length)).body, body);
    }
  });
});

describe('OSPFv3 captures collected by others', { skip: existsSync(SHARED_DATA) ? false : `no data in ${SHARED_DATA}` }, () => {
  const folder = join(SHARED_DATA, 'pcap');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('OSPFv3_')) : [];
  for (const name of names) {
    it(`${name}: every packet and LSA is read, and written again octet for octet`, () => {
      const packets = recordedPackets(join(folder, name));
      assert.ok(packets.length > 20);
      for (const recorded of packets) assertSame(recorded, false);
    });
  }
});
