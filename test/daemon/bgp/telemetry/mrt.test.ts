import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { abbreviatedMpReach, Bgp4mpSubtype, mrtMessage, mrtPeerIndexTable, mrtRib, mrtRibGeneric, mrtStateChange, MrtType, readBgp4mpMessage, readMrt, type MrtSession } from '../../../../daemon/bgp/telemetry/mrt.js';
import { encodeAttributes, packAnnouncements } from '../../../../daemon/bgp/wire/pack.js';
import { EMPTY_ATTRIBUTES, IPV6_UNICAST, type EncodeContext, type PathAttributes } from '../../../../daemon/bgp/wire/types.js';
import { Prefix } from '../../../../dataplane/packet/ip.js';

const AT = 1_700_000_000_123;
const session: MrtSession = { peerAs: 4_200_000_001, localAs: 65000, peerAddress: '2001:db8::2', localAddress: '2001:db8::1' };
const attributes: PathAttributes = { ...EMPTY_ATTRIBUTES, asPath: [{ type: 2, as: [4_200_000_001, 65010] }], med: 7, communities: [(65000 << 16) | 80] };
const context = (fourOctetAs: boolean, addPath = false): EncodeContext => ({ fourOctetAs, addPath: () => addPath, extendedMessage: false, ibgp: false, cpnAttributeType: 255 });
const nextHop = { address: '2001:db8::2', linkLocal: undefined };
const update = (fourOctetAs: boolean, addPath = false): Uint8Array =>
  packAnnouncements({ family: IPV6_UNICAST, nextHop, nlri: [{ prefix: Prefix.from('2001:db8:1::/48'), pathId: addPath ? 9 : 0 }] }, attributes, context(fourOctetAs, addPath))![0]!;

const isThere = spawnSync('bgpdump', ['-h']).error === undefined;

describe('MRT records, read by bgpdump', { skip: isThere ? false : 'bgpdump is not installed' }, () => {
  let folder = '';
  before(() => (folder = mkdtempSync(join(tmpdir(), 'mrt-'))));
  after(() => rmSync(folder, { recursive: true }));
  /** Lines of `bgpdump -m`. */
  const dump = (...records: Uint8Array[]): string[] => {
    const file = join(folder, 'dump.mrt');
    writeFileSync(file, Buffer.concat(records));
    return execFileSync('bgpdump', ['-m', file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim().split('\n');
  };

  it('an UPDATE with 4-octet AS numbers', () => {
    assert.deepEqual(dump(mrtMessage(AT, session, update(true), { fourOctetAs: true, addPath: false })), [
      'BGP4MP_ET|1700000000.123000|A|2001:db8::2|4200000001|2001:db8:1::/48|4200000001 65010|IGP|2001:db8::2|0|7|65000:80|NAG||',
    ]);
  });

  it('an UPDATE of a session with 2-octet AS numbers', () => {
    const [line] = dump(mrtMessage(AT, { ...session, peerAs: 65002 }, update(false), { fourOctetAs: false, addPath: false }));
    assert.match(line!, /\|A\|2001:db8::2\|65002\|2001:db8:1::\/48\|4200000001 65010\|/);
  });

  it('an UPDATE with path identifiers', () => {
    const [line] = dump(mrtMessage(AT, session, update(true, true), { fourOctetAs: true, addPath: true }));
    assert.match(line!, /\|A\|2001:db8::2\|4200000001\|2001:db8:1::\/48(\|9)?\|4200000001 65010\|/);
  });

  it('a change of state', () => {
    assert.deepEqual(dump(mrtStateChange(AT, session, 'OpenConfirm', 'Established')), ['BGP4MP_ET|1700000000.123000|STATE|2001:db8::2|4200000001|5|6']);
  });

  it('a table of IPv6 and IPv4 prefixes with paths of several peers', () => {
    const peers = [
      { identifier: '10.0.0.2', address: '2001:db8::2', as: 4_200_000_001 },
      { identifier: '10.0.0.3', address: '192.0.2.3', as: 65003 },
    ];
    const six = (pathId: number): Uint8Array => Buffer.concat([encodeAttributes(pathId === 2 ? { ...attributes, med: 8 } : attributes, context(true)), abbreviatedMpReach(nextHop)]);
    const four = encodeAttributes(attributes, context(true), '192.0.2.3');
    const lines = dump(
      mrtPeerIndexTable(AT, '10.0.0.1', 'main', peers),
      mrtRib(AT, 0, Prefix.from('2001:db8:1::/48'), [{ peer: 0, originatedAt: 1_699_999_999, pathId: 0, attributes: six(0) }]),
      mrtRib(AT, 1, Prefix.from('198.51.100.0/24'), [{ peer: 1, originatedAt: 1_699_999_998, pathId: 0, attributes: four }]),
      mrtRib(AT, 2, Prefix.from('2001:db8:2::/48'), [1, 2].map((pathId) => ({ peer: 0, originatedAt: 1_699_999_997, pathId, attributes: six(pathId) }))),
    );
    assert.equal(lines.length, 4);
    assert.match(lines[0]!, /^TABLE_DUMP2\|\d+\|B\|2001:db8::2\|4200000001\|2001:db8:1::\/48\|4200000001 65010\|IGP\|2001:db8::2\|0\|7\|65000:80\|/);
    assert.match(lines[1]!, /\|B\|192\.0\.2\.3\|65003\|198\.51\.100\.0\/24\|4200000001 65010\|IGP\|192\.0\.2\.3\|/);
    assert.deepEqual(lines.slice(2).map((line) => /2001:db8:2::\/48.*\|0\|(\d)\|/.exec(line)?.[1]), ['7', '8']);
  });
});

describe('reading MRT', () => {
  it('gives back what was written, and what is left of a file that was cut', () => {
    const records = [mrtMessage(AT, session, update(true), { fourOctetAs: true, addPath: false }), mrtStateChange(AT, session, 'Idle', 'Connect')];
    const file = Buffer.concat(records);
    const [first, second] = [...readMrt(file)];
    assert.deepEqual({ ...first!, body: undefined }, { seconds: 1_700_000_000, microseconds: 123_000, type: MrtType.bgp4mpEt, subtype: Bgp4mpSubtype.messageAs4, body: undefined });
    const read = readBgp4mpMessage(first!)!;
    assert.deepEqual({ ...read, message: Buffer.from(read.message) }, { session, message: Buffer.from(update(true)), fourOctetAs: true, addPath: false });
    assert.equal(readBgp4mpMessage(second!), undefined);
    for (let length = 0; length < file.length; length++) {
      const reader = readMrt(file.subarray(0, length));
      let whole = 0;
      let step = reader.next();
      for (; step.done !== true; step = reader.next()) whole++;
      assert.equal(whole, length < records[0]!.length ? 0 : 1);
      assert.equal(step.value.rest, length - (whole === 0 ? 0 : records[0]!.length));
    }
  });

  it('a session of both address versions is written in the longer one', () => {
    const [record] = [...readMrt(mrtMessage(AT, { ...session, peerAddress: '192.0.2.1' }, update(true), { fourOctetAs: true, addPath: false }))];
    assert.equal(readBgp4mpMessage(record!)!.session.peerAddress, '::ffff:192.0.2.1');
  });

  it('a generic record holds family and NLRI', () => {
    const [record] = [...readMrt(mrtRibGeneric(AT, 3, { afi: 2, safi: 128 }, Uint8Array.of(88, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1), []))];
    assert.equal(Buffer.from(record!.body).toString('hex'), '00000003' + '000280' + '580000010000000000000001' + '0000');
  });

  it('never throws, whatever the octets', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
        for (const record of readMrt(octets)) readBgp4mpMessage(record);
      }),
    );
    const record = mrtMessage(AT, session, update(true), { fourOctetAs: true, addPath: false });
    for (let length = 0; length <= 60; length++) assert.doesNotThrow(() => readBgp4mpMessage({ seconds: 0, microseconds: 0, type: 17, subtype: 4, body: record.subarray(16, 16 + length) }));
  });
});
