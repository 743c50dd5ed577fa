import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { bmpInitiation, bmpPeerDown, bmpPeerUp, bmpRouteMirroring, bmpRouteMonitoring, bmpStatisticsReport, bmpTermination, BmpType, splitBmp, TerminationReason, type BmpPeer } from '../../../../daemon/bgp/telemetry/bmp.js';
import { encodeNotification, encodeOpen } from '../../../../daemon/bgp/wire/encode.js';
import { packAnnouncements } from '../../../../daemon/bgp/wire/pack.js';
import { EMPTY_ATTRIBUTES, IPV6_UNICAST } from '../../../../daemon/bgp/wire/types.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';

const AT = 1_700_000_000_250;
const peer: BmpPeer = { address: '2001:db8::2', as: 4_200_000_001, identifier: '10.0.0.2', twoOctetAs: false };
const self: BmpPeer = { ...peer, address: '', as: 65000, identifier: '10.0.0.1' };
const open = encodeOpen({ as: 65000, holdTime: 90, identifier: '10.0.0.1', capabilities: [{ kind: 'multiprotocol', family: IPV6_UNICAST }] });
const notification = encodeNotification({ code: 6, subcode: 2, data: new Uint8Array(0) });
const update = packAnnouncements(
  { family: IPV6_UNICAST, nextHop: { address: '2001:db8::2', linkLocal: undefined }, nlri: [{ prefix: Prefix.from('2001:db8:1::/48'), pathId: 0 }] },
  { ...EMPTY_ATTRIBUTES, asPath: [{ type: 2, as: [4_200_000_001] }] },
  { fourOctetAs: true, addPath: () => false, extendedMessage: false, ibgp: false, cpnAttributeType: 255 },
)![0]!;
const up = { localAddress: '2001:db8::1', localPort: 179, remotePort: 40_000, sentOpen: open, receivedOpen: open };

const isThere = spawnSync('tshark', ['-v']).error === undefined && spawnSync('text2pcap', ['-v']).error === undefined;

describe('BMP messages, read by tshark', { skip: isThere ? false : 'tshark is not installed' }, () => {
  let folder = '';
  before(() => (folder = mkdtempSync(join(tmpdir(), 'bmp-'))));
  after(() => rmSync(folder, { recursive: true }));
  /** Values of fields that tshark found in one message. */
  const fields = (message: Uint8Array, ...names: string[]): string[] => {
    const hex = [...message].map((octet) => octet.toString(16).padStart(2, '0'));
    writeFileSync(join(folder, 'hex'), `0000 ${hex.join(' ')}\n`);
    execFileSync('text2pcap', ['-q', '-6', '2001:db8::1,2001:db8::9', '-T', '40001,11019', join(folder, 'hex'), join(folder, 'pcap')], { stdio: 'ignore' });
    const out = execFileSync('tshark', ['-r', join(folder, 'pcap'), '-d', 'tcp.port==11019,bmp', '-T', 'fields', '-E', 'separator=|', ...['_ws.malformed', ...names].flatMap((name) => ['-e', name])], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    const [malformed, ...values] = out.trimEnd().split('|');
    assert.equal(malformed, '', 'tshark finds it malformed');
    return values;
  };

  it('Initiation and Termination', () => {
    assert.deepEqual(fields(bmpInitiation('r1', 'cpnd'), 'bmp.version', 'bmp.type', 'bmp.init.info'), ['3', '4', 'cpnd,r1']);
    assert.deepEqual(fields(bmpTermination(TerminationReason.administrativelyClosed), 'bmp.type', 'bmp.term.type'), ['5', '1']);
  });

  it('Peer Up with both OPENs', () => {
    assert.deepEqual(fields(bmpPeerUp(AT, peer, 'adjRibInPre', up), 'bmp.type', 'bmp.peer.ipv6.addr', 'bmp.peer.asn', 'bmp.peer.id', 'bmp.peer.up.ipv6.addr', 'bmp.peer.up.port.local', 'bmp.peer.up.port.remote', 'bgp.open.identifier'), [
      '3',
      '2001:db8::2',
      '4200000001',
      '10.0.0.2',
      '2001:db8::1',
      '179',
      '40000',
      '10.0.0.1,10.0.0.1',
    ]);
  });

  it('Peer Down with the NOTIFICATION, the event, or neither', () => {
    assert.deepEqual(fields(bmpPeerDown(AT, peer, 'adjRibInPre', { kind: 'localNotification', message: notification }), 'bmp.peer.down.reason', 'bgp.notify.minor_error_cease'), ['1', '2']);
    assert.deepEqual(fields(bmpPeerDown(AT, peer, 'adjRibInPre', { kind: 'localEvent', fsmEvent: 24 }), 'bmp.peer.down.reason', 'bmp.length'), ['2', '51']);
    assert.deepEqual(fields(bmpPeerDown(AT, peer, 'adjRibInPre', { kind: 'remoteNotification', message: notification }), 'bmp.peer.down.reason'), ['3']);
    assert.deepEqual(fields(bmpPeerDown(AT, peer, 'adjRibInPre', { kind: 'remoteClosed' }), 'bmp.peer.down.reason'), ['4']);
  });

  it('Route Monitoring of each table, with its flags', () => {
    const flags = (table: Parameters<typeof bmpRouteMonitoring>[2], of = peer): string[] => fields(bmpRouteMonitoring(AT, of, table, update), 'bmp.peer.type', 'bmp.peer.flags', 'bgp.mp_reach_nlri_ipv6_prefix').slice(0, 2);
    assert.deepEqual(flags('adjRibInPre'), ['0', '0x80']);
    assert.deepEqual(flags('adjRibInPost'), ['0', '0xc0']);
    assert.deepEqual(flags('adjRibOutPost'), ['0', '0xd0']);
    assert.deepEqual(flags('locRib', self)[0], '3');
    assert.deepEqual(flags('adjRibInPre', { ...peer, address: '192.0.2.2', twoOctetAs: true }), ['0', '0x20']);
  });

  it('statistics as counters of 32 and levels of 64 bits', () => {
    assert.deepEqual(fields(bmpStatisticsReport(AT, peer, 'adjRibInPre', { rejectedByPolicy: 3, adjRibIn: 5_000_000_000 }), 'bmp.stats.count', 'bmp.stats.type', 'bmp.stats.data.prefix_rej', 'bmp.stats.data.routes_adj_rib_in'), ['2', '0,7', '3', '5000000000']);
  });
});

describe('a BMP stream', () => {
  const messages = [bmpInitiation('r1', 'cpnd'), bmpPeerUp(AT, peer, 'adjRibInPre', up), bmpRouteMirroring(AT, peer, update), bmpTermination(0)];
  const stream = Buffer.concat(messages);

  it('is cut into its messages, wherever it ends', () => {
    const ends = messages.reduce<number[]>((sum, message) => [...sum, (sum.at(-1) ?? 0) + message.length], []);
    for (let length = 0; length <= stream.length; length++) {
      const { messages: whole, rest } = splitBmp(stream.subarray(0, length))!;
      const expected = ends.filter((end) => end <= length);
      assert.equal(whole.length, expected.length);
      assert.equal(rest, expected.at(-1) ?? 0);
    }
    assert.deepEqual(splitBmp(stream)!.messages.map(({ type }) => type), [BmpType.initiation, BmpType.peerUp, BmpType.routeMirroring, BmpType.termination]);
  });

  it('of another version or an impossible length is refused, and no octets make it throw', () => {
    assert.equal(splitBmp(Uint8Array.of(2, 0, 0, 0, 6, 4)), undefined);
    assert.equal(splitBmp(Uint8Array.of(3, 0, 0, 0, 5, 4)), undefined);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (octets) => void splitBmp(octets)));
  });
});
