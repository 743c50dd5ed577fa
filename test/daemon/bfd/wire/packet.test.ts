import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { encodeAuthenticated, isAuthentic, isFresh, type AuthenticationKey } from '../../../../daemon/bfd/wire/authentication.js';
import { AUTHENTICATION_TYPES, decodeControl, encodeControl, STATES, type AuthenticationSection, type ControlFault, type ControlPacket } from '../../../../daemon/bfd/wire/packet.js';

const u32 = fc.nat({ max: 0xffff_ffff });
const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const octet = fc.nat({ max: 255 });

const section: fc.Arbitrary<AuthenticationSection> = fc.oneof(
  fc.record({ type: fc.constant('simple' as const), keyId: octet, password: fc.uint8Array({ minLength: 1, maxLength: 16 }) }),
  fc.record({ type: fc.constantFrom('md5' as const, 'meticulousMd5' as const), keyId: octet, sequence: u32, digest: octets(16) }),
  fc.record({ type: fc.constantFrom('sha1' as const, 'meticulousSha1' as const), keyId: octet, sequence: u32, digest: octets(20) }),
  fc.record({ type: fc.constant('unknown' as const), code: fc.constantFrom(0, 6, 255), data: fc.uint8Array({ maxLength: 40 }) }),
);

const packet: fc.Arbitrary<ControlPacket> = fc
  .record({
    diagnostic: fc.nat({ max: 31 }),
    state: fc.constantFrom(...STATES),
    poll: fc.boolean(),
    final: fc.boolean(),
    controlPlaneIndependent: fc.boolean(),
    demand: fc.boolean(),
    detectMultiplier: fc.integer({ min: 1, max: 255 }),
    myDiscriminator: fc.integer({ min: 1, max: 0xffff_ffff }),
    yourDiscriminator: u32,
    desiredMinTxUs: u32,
    requiredMinRxUs: u32,
    requiredMinEchoRxUs: u32,
    authentication: fc.option(section, { nil: undefined }),
  })
  .filter(({ state, yourDiscriminator }) => yourDiscriminator !== 0 || state === 'down' || state === 'adminDown');

const plain: ControlPacket = {
  diagnostic: 0,
  state: 'up',
  poll: false,
  final: false,
  controlPlaneIndependent: false,
  demand: false,
  detectMultiplier: 3,
  myDiscriminator: 1,
  yourDiscriminator: 2,
  desiredMinTxUs: 300_000,
  requiredMinRxUs: 300_000,
  requiredMinEchoRxUs: 0,
  authentication: undefined,
};

const fault = (bytes: Uint8Array): ControlFault | undefined => {
  const decoded = decodeControl(bytes);
  return decoded.ok ? undefined : decoded.fault;
};

const changed = (at: number, value: number, base = plain): Uint8Array => {
  const bytes = encodeControl(base);
  bytes[at] = value;
  return bytes;
};

describe('BFD Control packets', () => {
  it('are the same after encoding and decoding', () => {
    fc.assert(
      fc.property(packet, (original) => {
        const decoded = decodeControl(encodeControl(original));
        assert.ok(decoded.ok);
        assert.deepEqual(decoded.packet, { ...original, authentication: original.authentication && { ...original.authentication } });
      }),
    );
  });

  it('are refused at every truncation, and whatever follows them is left alone', () => {
    fc.assert(
      fc.property(packet, fc.uint8Array({ maxLength: 20 }), (original, rest) => {
        const bytes = encodeControl(original);
        for (let length = 0; length < bytes.length; length++) assert.match(String(fault(bytes.subarray(0, length))), /short|length/);
        const decoded = decodeControl(Buffer.concat([bytes, rest]));
        assert.ok(decoded.ok);
        assert.equal(decoded.octets.length, bytes.length);
      }),
    );
  });

  it('never throw, whatever comes in', () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void decodeControl(bytes)), { numRuns: 2000 });
    fc.assert(
      fc.property(packet, fc.nat({ max: 63 }), octet, (original, at, value) => {
        const bytes = encodeControl(original);
        bytes[at % bytes.length] = value;
        decodeControl(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  it('are discarded for each reason of RFC 5880 section 6.8.6, by its name', () => {
    assert.equal(fault(encodeControl(plain)), undefined);
    assert.equal(fault(changed(0, 2 << 5)), 'version');
    assert.equal(fault(changed(3, 23)), 'length');
    assert.equal(fault(changed(3, 25)), 'length', 'longer than the payload');
    assert.equal(fault(Buffer.concat([changed(1, 0xc4), new Uint8Array(2)])), 'length', 'A without room for a section');
    assert.equal(fault(changed(2, 0)), 'detect multiplier');
    assert.equal(fault(changed(1, 0xc1)), 'multipoint');
    assert.equal(fault(encodeControl({ ...plain, myDiscriminator: 0 })), 'my discriminator');
    for (const state of ['init', 'up'] as const) assert.equal(fault(encodeControl({ ...plain, state, yourDiscriminator: 0 })), 'your discriminator');
    for (const state of ['down', 'adminDown'] as const) assert.equal(fault(encodeControl({ ...plain, state, yourDiscriminator: 0 })), undefined);
  });

  it('are discarded with an authentication section of a wrong length', () => {
    const md5: AuthenticationSection = { type: 'md5', keyId: 1, sequence: 1, digest: new Uint8Array(16) };
    assert.equal(fault(encodeControl({ ...plain, authentication: { ...md5, digest: new Uint8Array(15) } })), 'authentication');
    assert.equal(fault(changed(25, 23, { ...plain, authentication: md5 })), 'authentication');
    assert.equal(fault(encodeControl({ ...plain, authentication: { type: 'simple', keyId: 1, password: new Uint8Array(17) } })), 'authentication');
    assert.equal(fault(encodeControl({ ...plain, authentication: { type: 'simple', keyId: 1, password: new Uint8Array(0) } })), 'authentication');
  });
});

describe('authentication of BFD Control packets', () => {
  const keys = fc.record({ type: fc.constantFrom(...AUTHENTICATION_TYPES), keyId: octet, password: fc.stringMatching(/^[ -~]{1,16}$/) });

  it('shows the key, and nothing else does', () => {
    fc.assert(
      fc.property(keys, fc.stringMatching(/^[ -~]{1,16}$/), u32, fc.nat({ max: 200 }), (key: AuthenticationKey, other, sequence, at) => {
        const bytes = encodeAuthenticated(plain, key, sequence);
        const decoded = decodeControl(bytes);
        assert.ok(decoded.ok && decoded.packet.authentication);
        const { authentication } = decoded.packet;
        assert.ok(isAuthentic(bytes, authentication, key));
        assert.ok(other === key.password || !isAuthentic(bytes, authentication, { ...key, password: other }));
        assert.ok(!isAuthentic(bytes, authentication, { ...key, keyId: key.keyId ^ 1 }));
        for (const type of AUTHENTICATION_TYPES) assert.equal(isAuthentic(bytes, authentication, { ...key, type }), type === key.type);
        if (key.type === 'simple') return;
        const forged = Uint8Array.from(bytes);
        forged[at % forged.length]! ^= 0x40;
        const read = decodeControl(forged);
        if (read.ok && read.packet.authentication) assert.ok(!isAuthentic(read.octets, read.packet.authentication, key));
      }),
    );
  });

  it('takes sequence numbers a little ahead, over the end of 32 bits too; the same again only where the type says so', () => {
    assert.deepEqual([9, 10, 11, 19, 20].map((sequence) => isFresh(sequence, 10, 'sha1', 3)), [false, true, true, true, false]);
    assert.deepEqual([9, 10, 11, 19, 20].map((sequence) => isFresh(sequence, 10, 'meticulousSha1', 3)), [false, false, true, true, false]);
    assert.ok(isFresh(1, 0xffff_fffe, 'meticulousMd5', 1));
  });
});

const VECTORS = 'test/vectors/bfd';

describe('BFD Control packets of others', () => {
  for (const name of readdirSync(VECTORS).filter((file) => file.endsWith('.tsv'))) {
    it(`read as tshark reads them: ${name}`, () => {
      const [, ...lines] = readFileSync(`${VECTORS}/${name}`, 'utf8').split('\n').filter((line) => line !== '');
      assert.ok(lines.length > 0);
      for (const line of lines) {
        const [payload, ...expected] = line.split('\t');
        const decoded = decodeControl(Buffer.from(payload!, 'hex'));
        assert.ok(decoded.ok, line);
        const { packet: read, octets: whole } = decoded;
        const { authentication } = read;
        const flags = [read.poll, read.final, read.controlPlaneIndependent, authentication !== undefined, read.demand].map(Number);
        const hex = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`;
        const secret = authentication?.type === 'simple' ? Buffer.from(authentication.password).toString('latin1') : '';
        const fields = [
          `0x${read.diagnostic.toString(16).padStart(2, '0')}`,
          `0x0${STATES.indexOf(read.state)}`,
          ...flags,
          read.detectMultiplier,
          hex(read.myDiscriminator),
          hex(read.yourDiscriminator),
          read.desiredMinTxUs,
          read.requiredMinRxUs,
          read.requiredMinEchoRxUs,
          authentication && authentication.type !== 'unknown' ? AUTHENTICATION_TYPES.indexOf(authentication.type) + 1 : '',
          secret,
        ].map(String);
        assert.deepEqual(fields, expected);
        assert.deepEqual(Buffer.from(encodeControl(read)), Buffer.from(whole), 'the same octets when it is encoded again');
        if (!name.startsWith('bird-') || !authentication || authentication.type === 'unknown') continue;
        const key = { type: authentication.type, keyId: 7, password: 'secret' };
        assert.ok(isAuthentic(whole, authentication, key), 'the digest that BIRD made');
        const sequence = authentication.type === 'simple' ? 0 : authentication.sequence;
        assert.deepEqual(Buffer.from(encodeAuthenticated(read, key, sequence)), Buffer.from(whole), 'our digest is the same');
      }
    });
  }

  it('read in tshark as we mean them', { skip: spawnSync('tshark', ['-v']).status !== 0 }, () => {
    const bytes = encodeAuthenticated({ ...plain, poll: true, state: 'init', diagnostic: 1, controlPlaneIndependent: true }, { type: 'meticulousSha1', keyId: 9, password: 'secret' }, 77);
    // A pcap file of one raw IPv4 packet.
    const udp = Buffer.concat([Buffer.from([0xc0, 0x01, 0x0e, 0xc8, 0, 8 + bytes.length, 0, 0]), bytes]);
    const ip = Buffer.from([0x45, 0, 0, 20 + udp.length, 0, 0, 0, 0, 255, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    const head = Buffer.alloc(40);
    [0xa1b2c3d4, 0x00040002, 0, 0, 65535, 101, 0, 0, ip.length + udp.length, ip.length + udp.length].forEach((word, i) => head.writeUInt32LE(word, i * 4));
    const fields = ['bfd.sta', 'bfd.diag', 'bfd.flags.p', 'bfd.flags.c', 'bfd.auth.type', 'bfd.auth.key', 'bfd.auth.seq_num'].flatMap((field) => ['-e', field]);
    const folder = mkdtempSync(join(tmpdir(), 'bfd-'));
    writeFileSync(join(folder, 'one.pcap'), Buffer.concat([head, ip, udp]));
    const shown = spawnSync('tshark', ['-r', join(folder, 'one.pcap'), '-T', 'fields', ...fields], { encoding: 'utf8' });
    rmSync(folder, { recursive: true });
    assert.equal(shown.stdout.trim(), ['0x02', '0x01', '1', '1', '5', '9', '0x0000004d'].join('\t'), shown.stderr);
  });
});
