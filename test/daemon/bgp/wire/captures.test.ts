import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { inspect } from 'node:util';
import { decodeMessage } from '../../../../daemon/bgp/wire/decode.js';
import { familyOf, ipPrefixOf, ipVersionOf } from '../../../../daemon/bgp/wire/families.js';
import { describeNotification } from '../../../../daemon/bgp/wire/notification.js';
import { type Announcement, type Capability, type DecodeContext, MessageType, type Message, type Nlri, type UpdateMessage } from '../../../../daemon/bgp/wire/types.js';
import { readHex, SHARED_DATA, vectorNames, vectorPath } from '../../../vectors/load.js';
import { PLAIN, type Recorded, recordedMessages } from './support/session.js';

const CAPABILITY_CODES: Readonly<Record<Exclude<Capability['kind'], 'unknown'>, number>> = {
  multiprotocol: 1,
  routeRefresh: 2,
  extendedNextHop: 5,
  extendedMessage: 6,
  role: 9,
  gracefulRestart: 64,
  fourOctetAs: 65,
  addPath: 69,
  enhancedRouteRefresh: 70,
};

/** Columns whose order inside a message is the wire's, which the decoder does not keep between sections. */
const UNORDERED = /nlri|prefix/;

type Columns = Map<string, string[]>;

/** tshark's reading of all packets from one address. */
function tsharkColumns(name: string, source: string): Columns {
  const [head, ...lines] = readFileSync(vectorPath('bgp', `${name}.tshark.tsv`), 'utf8').trimEnd().split('\n');
  const columns: Columns = new Map();
  const names = head!.split('\t');
  for (const line of lines) {
    const values = line.split('\t');
    if (values[0] !== source && values[1] !== source) continue;
    names.forEach((column, i) => {
      const list = columns.get(column) ?? [];
      columns.set(column, list);
      if (values[i]) list.push(...values[i].split(','));
    });
  }
  return columns;
}

const isMp = ({ family, nextHop }: Announcement): boolean => family.afi !== 1 || nextHop.address.includes(':');

/** Our reading of a message in tshark's columns. Withdrawals of IPv4 are in MP_UNREACH_NLRI exactly when announcements are in MP_REACH_NLRI. */
function ourColumns({ octets, context, result }: Recorded, add: (column: string, ...values: (string | number)[]) => void, mpIpv4: boolean): void {
  assert.ok(result.ok, inspect(result));
  const message: Message = result.message;
  add('bgp.type', MessageType[message.type]);
  add('bgp.length', octets.length);
  if (message.type === 'open') {
    add('bgp.open.myas', message.myAutonomousSystem);
    add('bgp.open.holdtime', message.holdTime);
    add('bgp.open.identifier', message.identifier);
    for (const capability of message.capabilities) {
      add('bgp.cap.type', capability.kind === 'unknown' ? capability.code : CAPABILITY_CODES[capability.kind]);
      if (capability.kind === 'fourOctetAs') add('bgp.cap.4as', capability.as);
    }
  } else if (message.type === 'notification') {
    add('bgp.notify.major_error', message.code);
    add('bgp.notify.minor_error_cease', message.subcode);
    if (message.shutdownCommunication !== undefined) add('bgp.notify.communication', message.shutdownCommunication);
  } else if (message.type === 'routeRefresh') {
    add('bgp.route_refresh.subtype', message.subtype);
  } else if (message.type === 'update') {
    updateColumns(message, add, mpIpv4, context.addPath.bind(context));
  }
}

function updateColumns(
  message: UpdateMessage,
  add: (column: string, ...values: (string | number)[]) => void,
  mpIpv4: boolean,
  addPath: (afi: number, safi: number) => boolean,
): void {
  assert.equal(message.disposition, 'accept', inspect(message.faults));
  const nlri = (column: string, list: readonly Nlri[]): void => {
    for (const { prefix: destination, pathId } of list) {
      const prefix = ipPrefixOf(destination);
      add(column, prefix.address);
      add('bgp.prefix_length', prefix.length);
      if (addPath(prefix.family === 4 ? 1 : 2, 1)) add('bgp.nlri_path_id', pathId);
    }
  };
  nlri('bgp.mp_unreach_nlri_ipv6_prefix', message.withdrawn.filter(({ prefix }) => ipPrefixOf(prefix).family === 6));
  nlri(mpIpv4 ? 'bgp.mp_unreach_nlri_ipv4_prefix' : 'bgp.withdrawn_prefix', message.withdrawn.filter(({ prefix }) => ipPrefixOf(prefix).family === 4));
  for (const announcement of message.announced) {
    const { nextHop, family } = announcement;
    add(isMp(announcement) ? 'bgp.update.path_attribute.mp_reach_nlri.next_hop.ipv6' : 'bgp.update.path_attribute.next_hop', nextHop.address);
    nlri(isMp(announcement) ? `bgp.mp_reach_nlri_ipv${ipVersionOf(familyOf(family)!)}_prefix` : 'bgp.nlri_prefix', announcement.nlri);
  }
  const attributes = message.attributes;
  if (!attributes) return;
  const path = (name: string): string => `bgp.update.path_attribute.${name}`;
  add(path('origin'), attributes.origin);
  for (const segment of attributes.asPath) {
    add(path('as_path_segment.type'), segment.type);
    add(path('as_path_segment.as4'), ...segment.as);
  }
  if (attributes.med !== undefined) add(path('multi_exit_disc'), attributes.med);
  if (attributes.localPref !== undefined) add(path('local_pref'), attributes.localPref);
  if (attributes.aggregator) {
    add(path('aggregator_as'), attributes.aggregator.as);
    add(path('aggregator_origin'), attributes.aggregator.address);
  }
  // tshark shows well-known communities by name, in another column.
  for (const community of attributes.communities.filter((value) => value < 0xffff0000)) {
    add(path('community_as'), community >>> 16);
    add(path('community_value'), community & 0xffff);
  }
  for (const { global, local1, local2 } of attributes.largeCommunities) {
    add('bgp.large_communities.ga', global);
    add('bgp.large_communities.ldp1', local1);
    add('bgp.large_communities.ldp2', local2);
  }
  if (attributes.originatorId !== undefined) add(path('originator_id'), attributes.originatorId);
  add('bgp.path_attribute.cluster_id', ...attributes.clusterList);
}

/** Not compared: flags and types of attributes (the decoder yields values), and what tshark repeats for AS4_PATH. */
const NOT_COMPARED = ['ip.src', 'ipv6.src', 'bgp.update.path_attribute.flags', 'bgp.update.path_attribute.type_code'];

/** tshark 4.0 shows no IPv4 prefix of MP NLRI with path identifiers, only its length. */
const NOT_SHOWN_WITH_ADD_PATH = ['bgp.mp_reach_nlri_ipv4_prefix', 'bgp.mp_unreach_nlri_ipv4_prefix'];

describe('Captures of live exchanges between other implementations', () => {
  for (const name of vectorNames('bgp', '.pcap').filter((item) => item !== 'as2')) {
    it(`${name}: every message reads as tshark reads it`, () => {
      const messages = recordedMessages(vectorPath('bgp', `${name}.pcap`));
      const sources = new Set(messages.map(({ source }) => source));
      assert.equal(sources.size, 2);
      for (const source of sources) {
        const ours: Columns = new Map();
        const add = (column: string, ...values: (string | number)[]): void => {
          ours.set(column, [...(ours.get(column) ?? []), ...values.map(String)]);
        };
        const own = messages.filter((message) => message.source === source);
        for (const message of own) ourColumns(message, add, name === 'frr-bird');
        const hidden = own.some(({ context }) => context.addPath(1, 1)) ? NOT_SHOWN_WITH_ADD_PATH : [];
        for (const [column, expected] of tsharkColumns(name, source)) {
          if (NOT_COMPARED.includes(column) || hidden.includes(column)) continue;
          const actual = ours.get(column) ?? [];
          if (UNORDERED.test(column)) assert.deepEqual([...actual].sort(), [...expected].sort(), `${column} from ${source}`);
          else assert.deepEqual(actual, expected, `${column} from ${source}`);
        }
      }
    });
  }

  it('no recorded message makes the decoder throw when it is cut at any length, its header made to fit', () => {
    for (const name of vectorNames('bgp', '.pcap')) {
      for (const { octets, context } of recordedMessages(vectorPath('bgp', `${name}.pcap`))) {
        const whole = decodeMessage(octets, context);
        assert.ok(whole.ok);
        for (let length = 19; length < octets.length; length++) {
          const cut = new Uint8Array(octets.subarray(0, length));
          cut[16] = length >> 8;
          cut[17] = length & 0xff;
          const result = decodeMessage(cut, context);
          if (result.ok) assert.equal(result.message.type, whole.message.type);
        }
      }
    }
  });

  it('as2: AS4_PATH restores the path that AS_TRANS hides', () => {
    const paths = recordedMessages(vectorPath('bgp', 'as2.pcap')).flatMap(({ source, result }) =>
      source === '10.0.1.1' && result.ok && result.message.type === 'update' && result.message.attributes
        ? [`${result.message.announced[0]!.nlri[0]!.prefix.toString()} ${result.message.attributes.asPath.flatMap(({ as }) => as).join(' ')}`]
        : [],
    );
    assert.deepEqual(paths, ['198.51.0.0/16 65001', '198.51.100.0/24 65001 65009 4200000009 4200000010', '203.0.113.0/24 65001', '192.0.2.128/25 65001 65002']);
  });

  it('cpn-frr-bird: a CPN attribute comes through a stock reflector unchanged but for Partial', () => {
    const routes = recordedMessages(vectorPath('bgp', 'cpn-frr-bird.pcap')).flatMap(({ result }) =>
      result.ok && result.message.type === 'update' && result.message.attributes ? [result.message] : [],
    );
    const attributes = new Map(routes.map(({ announced, attributes: values }) => [`${ipPrefixOf(announced[0]!.nlri[0]!.prefix).address} ${announced[0]!.nextHop.address}`, values!]));
    const full = attributes.get('2001:db8:cafe::1 2001:db8:1::1')?.cpn;
    assert.deepEqual(full?.value, readHex('cpn', 'full'));
    assert.equal(full.flags, 0xe0);
    assert.deepEqual(full.events, []);
    assert.equal(full.block.instances.length, 2);
    assert.deepEqual(attributes.get('2001:db8:cafe::1 2001:db8:1::11')?.cpn?.value, readHex('cpn', 'minimal'));
    const foreign = attributes.get('2001:db8:cafe::2 2001:db8:1::1');
    assert.equal(foreign?.cpn, undefined);
    assert.deepEqual(foreign?.unknown, [
      { flags: 0xe0, type: 200, value: Uint8Array.of(1, 2, 3, 4, 5) },
      { flags: 0xe0, type: 255, value: Uint8Array.of(0x43, 0x50, 0x4e, 2) },
    ]);
  });

  it('frr-bird: tells each End-of-RIB, and the words of the shutdown', () => {
    const messages = recordedMessages(vectorPath('bgp', 'frr-bird.pcap')).flatMap(({ result }) => (result.ok ? [result.message] : []));
    const ends = messages.flatMap((message) => (message.type === 'update' && message.endOfRib ? [message.endOfRib.afi] : []));
    assert.deepEqual(ends.sort(), [1, 1, 2, 2]);
    const last = messages.find((message) => message.type === 'notification');
    assert.equal(last && describeNotification(last), 'Cease: Administrative Shutdown ("moving to another rack")');
  });
});

describe('Captures collected by others', { skip: existsSync(SHARED_DATA) ? false : `no data in ${SHARED_DATA}` }, () => {
  const folder = join(SHARED_DATA, 'pcap');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.startsWith('bgp-')) : [];
  for (const name of names) {
    it(`${name}: no message ends a session that need not end`, () => {
      const fallback: DecodeContext = { ...PLAIN, addPath: () => name === 'bgp-addpath.pcap' };
      const faults = recordedMessages(join(folder, name), fallback).flatMap(({ result }) => (result.ok ? [] : [result.fault.section]));
      // That one message was made up and has MP_REACH_NLRI twice.
      assert.deepEqual(faults, name === 'bgp-addpath.pcap' ? ['RFC 7606 section 3 (g)'] : []);
    });
  }

  it('reads RFC 9072 extended optional parameters, a Hard Reset and a shutdown communication with data after it', () => {
    const first = (name: string, type: string): Message | undefined =>
      recordedMessages(join(folder, name)).flatMap(({ result }) => (result.ok && result.message.type === type ? [result.message] : []))[0];
    const open = first('bgp-extended-optional-parameters-length.pcapng', 'open');
    assert.equal(open?.type === 'open' ? open.as : undefined, 174);
    const hard = first('bgp-cease-hard-reset.pcap', 'notification');
    assert.equal(hard?.type === 'notification' ? describeNotification(hard) : '', 'Cease: Hard Reset (Cease: Peer De-configured)');
    const words = first('bgp-shutdown-msg-variations.pcap', 'notification');
    assert.equal(words?.type === 'notification' ? words.shutdownCommunication : '', '0123456789');
  });
});
