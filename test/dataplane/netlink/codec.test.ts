/** The rtnetlink codec against octets recorded from iproute2 and the kernel. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeAddress, encodeAddress, encodeAddressDump } from '../../../dataplane/netlink/address.js';
import type { Decoded } from '../../../dataplane/netlink/attributes.js';
import type { Encapsulation } from '../../../dataplane/netlink/encapsulation.js';
import { ADDRESS_GENERATION, decodeLink, encodeLinkChange, encodeLinkRequest } from '../../../dataplane/netlink/link.js';
import { decodeAnswer, splitMessages, type NetlinkMessage } from '../../../dataplane/netlink/message.js';
import { decodeNeighbour, encodeNeighbour } from '../../../dataplane/netlink/neighbour.js';
import { decodeNextHop, encodeNextHop, encodeNextHopId, type NextHopMessage } from '../../../dataplane/netlink/nexthop.js';
import { decodeRoute, encodeRoute, encodeRouteDump, unicastRoute, type RouteMessage, type RouteNextHop } from '../../../dataplane/netlink/route.js';
import { decodeRule, encodeRule, tableRule } from '../../../dataplane/netlink/rule.js';
import { MessageWriter } from '../../../dataplane/netlink/writer.js';
import { Prefix } from '../../../dataplane/packet/ip.js';
import { accepted, refused, table, tables, vector } from './vectors.js';

const GATEWAY = '2001:db8:1::2';
const hop = (fields: Partial<RouteNextHop> = {}): RouteNextHop => ({ interfaceIndex: 2, weight: 1, flags: 0, ...fields });
const route = (prefix: string, fields: Partial<RouteMessage> = {}): RouteMessage =>
  unicastRoute({ destination: Prefix.from(prefix), table: 254, protocol: 210, nextHops: [hop()], ...fields });
const seg6 = (mode: 'encap' | 'encap.red' | 'inline', ...segments: string[]): Encapsulation => ({ kind: 'seg6', mode, segments });
const sid = (prefix: string, action: number, fields: object = {}): RouteMessage =>
  route(prefix, { metric: 1024, nextHops: [hop({ encapsulation: { kind: 'seg6local', action, ...fields } })] });

const ROUTES: Readonly<Record<string, RouteMessage>> = {
  'IPv6 route over a gateway with metric, table, protocol and MTU': route('2001:db8:100::/48', { metric: 77, table: 1000, mtu: 1400, nextHops: [hop({ gateway: GATEWAY })] }),
  'IPv6 route replaced': route('2001:db8:100::/48', { metric: 77, nextHops: [hop({ gateway: GATEWAY })] }),
  'IPv6 multipath route': route('2001:db8:101::/48', { metric: 1024, nextHops: [hop({ gateway: GATEWAY }), hop({ gateway: '2001:db8:1::3', weight: 3 })] }),
  'IPv6 unreachable route': route('2001:db8:102::/48', { metric: 1024, type: 7, nextHops: [] }),
  'IPv6 blackhole route': route('2001:db8:103::/48', { metric: 1024, type: 6, nextHops: [] }),
  'seg6 encap': route('2001:db8:110::/48', { metric: 1024, nextHops: [hop({ encapsulation: seg6('encap', 'fc00:2::1', 'fc00:3::1') })] }),
  'seg6 encap.red': route('2001:db8:111::/48', { metric: 1024, nextHops: [hop({ encapsulation: seg6('encap.red', 'fc00:2::1', 'fc00:3::1', 'fc00:4::1') })] }),
  'seg6 inline': route('2001:db8:112::/48', { metric: 1024, nextHops: [hop({ encapsulation: seg6('inline', 'fc00:2::1') })] }),
  'seg6 multipath': route('2001:db8:113::/48', {
    metric: 1024,
    nextHops: [hop({ gateway: GATEWAY, encapsulation: seg6('encap', 'fc00:2::1') }), hop({ gateway: '2001:db8:1::3', encapsulation: seg6('encap', 'fc00:2::1') })],
  }),
  'seg6local End': sid('fc00:1::1/128', 1),
  'seg6local End.X': sid('fc00:1::2/128', 2, { nextHop6: GATEWAY }),
  'seg6local End.DX6': sid('fc00:1::3/128', 5, { nextHop6: GATEWAY }),
  'seg6local End.DX4': sid('fc00:1::4/128', 6, { nextHop4: '192.0.2.2' }),
  'seg6local End.DT6': sid('fc00:1::5/128', 7, { table: 254 }),
  'seg6local End with counters': sid('fc00:1::6/128', 1, { counters: { packets: 0n, bytes: 0n, errors: 0n } }),
  'IPv4 route over an IPv6 gateway': route('198.51.102.0/24', { metric: 1024, nextHops: [hop({ gateway: GATEWAY })] }),
  'IPv4 route to a node as its own gateway': route('192.0.2.2/32', { metric: 1023, flags: 4, nextHops: [hop({ gateway: '192.0.2.2', flags: 4 })] }),
  'route to a next hop object': route('2001:db8:120::/48', { metric: 1024, nextHopId: 1668284416, nextHops: [] }),
  'IPv4 multipath route': route('198.51.101.0/24', { metric: 100, nextHops: [hop({ gateway: '192.0.2.2' }), hop({ gateway: '192.0.2.3', weight: 256 })] }),
};

function encoded(encode: (writer: MessageWriter) => void): string {
  const writer = new MessageWriter(32);
  writer.begin(1, 2, 3);
  encode(writer);
  writer.end();
  return Buffer.from(writer.written().subarray(16)).toString('hex');
}
const payloadOf = (name: string): Uint8Array => splitMessages(vector(name).request).messages[0]!.payload;
const hex = (name: string): string => Buffer.from(payloadOf(name)).toString('hex');

for (const [name, message] of Object.entries(ROUTES)) {
  test(`${name}: encoded as iproute2 does, and decoded back`, () => {
    // iproute2 leaves what happens to lie there in the padding behind RTA_ENCAP_TYPE.
    assert.equal(encoded((writer) => encodeRoute(writer, message)), hex(name).replace(/060015000700..../, '0600150007000000'));
    assert.deepEqual(decodeRoute(payloadOf(name)), { value: message });
  });
}

const OBJECT = 1668284416;
const object = (fields: Partial<NextHopMessage>): NextHopMessage => ({ id: OBJECT, family: 6, protocol: 210, flags: 0, interfaceIndex: 2, ...fields });
const OBJECTS: Readonly<Record<string, NextHopMessage>> = {
  'next hop object': object({ gateway: 'fe80::2' }),
  'next hop object with segments': object({ id: OBJECT + 1, gateway: 'fe80::3', encapsulation: seg6('encap', 'fc00:2::1', 'fc00:3::1') }),
  'next hop object of IPv4 without a gateway': object({ id: OBJECT + 2, family: 4 }),
  'next hop object of IPv4 on link': object({ id: OBJECT + 3, family: 4, gateway: '192.0.2.2', flags: 4 }),
  'next hop object replaced': object({ gateway: 'fe80::3', encapsulation: seg6('encap', 'fc00:2::1') }),
  'group of next hop objects': { id: OBJECT + 4, family: undefined, protocol: 210, flags: 0, group: [{ id: OBJECT, weight: 3 }, { id: OBJECT + 1, weight: 1 }] },
};

/** iproute2 orders the attributes of a next hop otherwise, which says nothing. */
function sortedAttributes(payload: Uint8Array): string[] {
  const found: string[] = [];
  for (let at = 8; at < payload.length; ) {
    const length = payload[at]! | (payload[at + 1]! << 8);
    found.push(Buffer.from(payload.subarray(at, at + length)).toString('hex'));
    at += (length + 3) & ~3;
  }
  return found.sort();
}

for (const [name, message] of Object.entries(OBJECTS)) {
  test(`${name}: encoded with the attributes iproute2 gives it, and decoded back`, () => {
    const own = Uint8Array.from(Buffer.from(encoded((writer) => encodeNextHop(writer, message)), 'hex'));
    assert.deepEqual(own.subarray(0, 8), Uint8Array.from(payloadOf(name).subarray(0, 8)));
    assert.deepEqual(sortedAttributes(own), sortedAttributes(payloadOf(name)));
    assert.deepEqual(decodeNextHop(payloadOf(name)), { value: message });
    assert.deepEqual(decodeNextHop(own), { value: message });
  });
}

test('a next hop object is deleted by its id', () => {
  assert.equal(encoded((writer) => encodeNextHopId(writer, OBJECT)), hex('next hop object deleted'));
});

test("the kernel's dump of next hop objects decodes to what iproute2 shows of it", () => {
  const decoded = values('next hop objects', decodeNextHop).map(({ id, gateway, group, encapsulation }) => ({
    id,
    gateway,
    group: group?.map((member) => `${member.id} ${member.weight}`),
    segments: encapsulation?.kind === 'seg6' ? encapsulation.segments : undefined,
  }));
  const expected = table('next hop objects').json.map((shown) => ({
    id: shown['id'],
    gateway: shown['gateway'],
    group: (shown['group'] as { id: number; weight?: number }[] | undefined)?.map((member) => `${member.id} ${member.weight ?? 1}`),
    segments: shown['segs'],
  }));
  assert.deepEqual(decoded, expected);
  assert.equal(decoded.length, 5);
});

test('a default route and an IPv4 route decode, though iproute2 orders their attributes otherwise', () => {
  const byDefault = route('::/0', { nextHops: [hop({ gateway: GATEWAY })] });
  assert.deepEqual(decodeRoute(payloadOf('IPv6 default route')), { value: byDefault });
  // iproute2 writes an all-zero RTA_DST of 20 octets, which says nothing.
  assert.equal(encoded((writer) => encodeRoute(writer, byDefault)).length, hex('IPv6 default route').length - 40);
  assert.deepEqual(decodeRoute(payloadOf('IPv4 route')), {
    value: route('198.51.100.0/24', { metric: 100, mtu: 1400, nextHops: [hop({ gateway: '192.0.2.2' })] }),
  });
});

test('rules are encoded as iproute2 does, and decoded back', () => {
  const rules = {
    'rule by source': tableRule({ family: 6, table: 100, priority: 1000, source: Prefix.from('2001:db8:9::/48') }),
    'rule by mark and interface': tableRule({ family: 6, table: 1000, priority: 1001, mark: 0x10, markMask: 0xff, inputInterface: 'v0', protocol: 210 }),
  };
  for (const [name, rule] of Object.entries(rules)) {
    assert.equal(encoded((writer) => encodeRule(writer, rule)), hex(name), name);
    assert.deepEqual(decodeRule(payloadOf(name)), { value: rule }, name);
  }
  const all = tableRule({ family: 4, table: 7, invert: true, suppressPrefixLength: 0, destination: Prefix.from('192.0.2.0/24'), outputInterface: 'v1' });
  assert.deepEqual(decodeRule(Uint8Array.from(Buffer.from(encoded((writer) => encodeRule(writer, all)), 'hex'))), { value: all });
});

test('changes of links, addresses and neighbours are encoded as iproute2 does', () => {
  assert.equal(encoded((writer) => encodeLinkChange(writer, { index: 3, up: true })), hex('link up'));
  assert.equal(encoded((writer) => encodeLinkChange(writer, { index: 3, mtu: 9000 })), hex('link MTU'));
  assert.equal(encoded((writer) => encodeLinkChange(writer, { index: 3, addressGeneration: ADDRESS_GENERATION.none })), hex('link without generated addresses'));
  const loopback = { family: 6, interfaceIndex: 1, address: '2001:db8:ffff::1', prefixLength: 128, scope: 0, flags: 2 } as const;
  assert.equal(encoded((writer) => encodeAddress(writer, loopback)), hex('address with nodad'));
  assert.deepEqual(decodeAddress(payloadOf('address with nodad')), { value: loopback });
  assert.equal(encoded((writer) => encodeAddress(writer, { family: 4, interfaceIndex: 1, address: '192.0.2.9', prefixLength: 32, scope: 0, flags: 0 })), hex('IPv4 address'));
  const neighbour = { family: 6, interfaceIndex: 2, address: GATEWAY, state: 0x80, flags: 0, hardwareAddress: Uint8Array.of(2, 0, 0, 0, 0, 0x99) } as const;
  // Without the padding that ends our message.
  assert.equal(encoded((writer) => encodeNeighbour(writer, neighbour)).slice(0, hex('neighbour').length), hex('neighbour'));
  assert.deepEqual(decodeNeighbour(payloadOf('neighbour')), { value: neighbour });
});

/** All messages of a recorded dump but its end. */
const messagesOf = (name: string): NetlinkMessage[] =>
  table(name).replies.flatMap((datagram) => {
    const { messages, fault } = splitMessages(datagram);
    assert.equal(fault, undefined);
    return messages.filter(({ type }) => type !== 3);
  });

function values<T>(name: string, decode: (payload: Uint8Array) => Decoded<T>): T[] {
  return messagesOf(name).map(({ payload }) => {
    const decoded = decode(payload);
    assert.equal(decoded.fault, undefined);
    return decoded.value;
  });
}

test("the kernel's dump of routes decodes to what iproute2 shows of it", () => {
  const devices = ['', 'lo', 'v0', 'v1'];
  const names: Readonly<Record<number, string>> = { 254: 'main', 255: 'local' };
  const text = (value: unknown): string => (typeof value === 'string' || typeof value === 'number' ? String(value) : '');
  for (const [name, any] of [['IPv6 routes', '::/0'], ['IPv4 routes', '0.0.0.0/0']] as const) {
    const decoded = values(name, decodeRoute).map((message) => ({
      dst: message.destination.toString() === any ? 'default' : message.destination.toString().replace(/\/(128|32)$/, ''),
      table: names[message.table] ?? String(message.table),
      metric: message.metric ?? 0,
      mtu: message.mtu ?? 0,
      hops: message.nextHops.map((next) => `${next.gateway ?? ''} ${devices[next.interfaceIndex ?? 0]!} ${next.weight} ${next.encapsulation?.kind ?? ''}`).sort(),
    }));
    const expected = table(name).json.map((shown) => {
      const hops = (shown['nexthops'] as Record<string, unknown>[] | undefined) ?? ('dev' in shown || 'gateway' in shown ? [{ ...shown, weight: 1 }] : []);
      return {
        dst: text(shown['dst']),
        table: text(shown['table']) || 'main',
        metric: (shown['metric'] as number | undefined) ?? 0,
        mtu: (shown['metrics'] as { mtu?: number }[] | undefined)?.[0]?.mtu ?? 0,
        hops: hops.map((next: Record<string, unknown>) => `${text(next['gateway'] ?? (next['via'] as { host: string } | undefined)?.host)} ${text(next['dev'])} ${text(next['weight'])} ${text(next['encap'])}`).sort(),
      };
    });
    assert.deepEqual(decoded, expected);
    assert.ok(decoded.length >= 9);
  }
  const byPrefix = new Map(values('IPv6 routes', decodeRoute).map((message) => [message.destination.toString(), message]));
  const encapsulationOf = (prefix: string): Encapsulation | undefined => byPrefix.get(prefix)?.nextHops[0]?.encapsulation;
  assert.deepEqual(encapsulationOf('2001:db8:110::/48'), seg6('encap', 'fc00:2::1', 'fc00:3::1'));
  assert.deepEqual(encapsulationOf('2001:db8:111::/48'), seg6('encap.red', 'fc00:2::1', 'fc00:3::1', 'fc00:4::1'));
  assert.deepEqual(encapsulationOf('2001:db8:112::/48'), seg6('inline', 'fc00:2::1'));
  assert.deepEqual(encapsulationOf('fc00:1::4/128'), { kind: 'seg6local', action: 6, nextHop4: '192.0.2.2' });
  assert.deepEqual(encapsulationOf('fc00:1::5/128'), { kind: 'seg6local', action: 7, table: 254 });
  assert.deepEqual(encapsulationOf('fc00:1::6/128'), { kind: 'seg6local', action: 1, counters: { packets: 0n, bytes: 0n, errors: 0n } });
});

test("the kernel's dumps of links, addresses, rules and neighbours decode to what iproute2 shows of them", () => {
  assert.deepEqual(
    values('links', decodeLink).map(({ index, name, mtu, hardwareAddress, kind }) => [index, name, mtu, Buffer.from(hardwareAddress).toString('hex'), kind]),
    table('links').json.map((link) => [
      link['ifindex'],
      link['ifname'],
      link['mtu'],
      (link['address'] as string).replaceAll(':', ''),
      (link['linkinfo'] as { info_kind?: string } | undefined)?.info_kind,
    ]),
  );
  const shown = table('addresses').json.flatMap((link) =>
    ((link['addr_info'] ?? []) as { local: string; prefixlen: number }[]).map(({ local, prefixlen }) => `${link['ifindex'] as number} ${local}/${prefixlen}`),
  );
  assert.deepEqual(values('addresses', decodeAddress).map(({ interfaceIndex, address, prefixLength }) => `${interfaceIndex} ${address}/${prefixLength}`).sort(), shown.sort());
  assert.deepEqual(
    values('rules', decodeRule).map(({ priority = 0, source, mark, inputInterface }) => [priority, source?.address ?? 'all', mark, inputInterface]),
    table('rules').json.map((rule) => [rule['priority'], rule['src'], rule['fwmark'] === undefined ? undefined : Number(rule['fwmark']), rule['iif']]),
  );
  assert.deepEqual(values('neighbours', decodeNeighbour).map(({ address }) => address).sort(), table('neighbours').json.map((entry) => entry['dst'] as string).sort());
});

test('lookups are answered with the way and with the entry that matches', () => {
  const answer = (name: string): RouteMessage => decodeRoute(splitMessages(vector(name).reply).messages[0]!.payload).value!;
  assert.deepEqual([answer('lookup').destination.toString(), answer('lookup').nextHops[0]?.interfaceIndex], ['2001:db8:1::77/128', 2]);
  assert.equal(answer('lookup of the matching entry').destination.toString(), '2001:db8:1::/64');
});

test("acknowledgements and refusals decode, the latter with the kernel's text", () => {
  for (const { name, reply, request } of accepted) {
    const [message] = splitMessages(reply).messages;
    if (message!.type === 2) assert.deepEqual(decodeAnswer(message!), { value: { errno: 0 } }, name);
    assert.equal(message!.sequence, splitMessages(request).messages[0]!.sequence);
  }
  const answers = refused.map(({ name, reply, stderr }) => ({ name, stderr, answer: decodeAnswer(splitMessages(reply).messages[0]!).value! }));
  for (const { stderr, answer, name } of answers) if (stderr.startsWith('Error: ')) assert.equal(`Error: ${answer.text!.replace(/\.$/, '')}.`, stderr, name);
  assert.deepEqual(answers.map(({ answer }) => answer.errno), [113, 22, 22]);
  assert.equal(answers.filter(({ answer }) => answer.text !== undefined).length, 2);
});

test('an answer is understood with and without the request it repeats', () => {
  const text = Buffer.from('why not\0');
  const capped = new MessageWriter();
  capped.begin(2, 0x300, 9).u32(-22 >>> 0).u32(200).zeros(12).attribute(1, text).attributeU32(2, 36).end();
  assert.deepEqual(decodeAnswer(splitMessages(capped.written()).messages[0]!), { value: { errno: 22, text: 'why not', offset: 36 } });
  const done = new MessageWriter();
  done.begin(3, 0x202, 9).u32(-2 >>> 0).attribute(1, text).end();
  assert.deepEqual(decodeAnswer(splitMessages(done.written()).messages[0]!), { value: { errno: 2, text: 'why not' } });
});

test('requests for dumps carry the filter', () => {
  assert.equal(encoded((writer) => encodeRouteDump(writer, { family: 6, protocol: 210, table: 254 })), '0a000000fed2000000000000');
  assert.equal(encoded((writer) => encodeRouteDump(writer, { family: 4, table: 1000 })), '02000000000000000000000008000f00e8030000');
  assert.equal(encoded(encodeAddressDump), '0000000000000000');
  assert.equal(encoded((writer) => encodeLinkRequest(writer)), `${'00'.repeat(16)}08001d0008000000`);
});

const DECODERS = [decodeRoute, decodeNextHop, decodeRule, decodeLink, decodeAddress, decodeNeighbour] as const;
/** Every payload of the recordings. */
const samples = [...accepted.flatMap(({ request, reply }) => [request, reply]), ...tables.flatMap(({ replies }) => replies)].flatMap((datagram) => splitMessages(datagram).messages);

test('a payload cut at any length decodes or is a fault, and never throws', () => {
  for (const { payload, type } of samples) {
    for (let length = 0; length <= payload.length; length++) {
      const cut = payload.subarray(0, length);
      for (const decode of DECODERS) {
        const { value, fault } = decode(cut);
        assert.ok((value === undefined) !== (fault === undefined));
      }
      for (const flags of [0x300, 0x200]) decodeAnswer({ type: type === 3 ? 3 : 2, flags, sequence: 0, port: 0, payload: cut });
    }
  }
  // Cut inside the last attribute, a route is a fault, not a shorter route.
  for (const name of ['seg6 encap', 'seg6 multipath', 'seg6local End.X']) {
    const payload = payloadOf(name);
    for (const lost of [1, 2, 3]) assert.notEqual(decodeRoute(payload.subarray(0, payload.length - lost)).fault, undefined);
  }
});

test('a datagram cut at any length gives the whole messages before the cut, and a fault where one is cut', () => {
  for (const { replies } of tables) {
    for (const datagram of replies) {
      const whole = splitMessages(datagram).messages;
      const ends = whole.map(({ payload }) => payload.byteOffset - datagram.byteOffset + payload.length);
      for (let length = 0; length < datagram.length; length++) {
        const { messages, fault } = splitMessages(datagram.subarray(0, length));
        const count = ends.filter((end) => end <= length).length;
        assert.equal(messages.length, count);
        assert.equal(fault === undefined, length <= (((ends[count - 1] ?? 0) + 3) & ~3));
      }
    }
  }
});

test('arbitrary octets and damaged messages never make a decoder throw', () => {
  const decodeAll = (octets: Uint8Array): void => {
    for (const decode of DECODERS) decode(octets);
    for (const { payload } of splitMessages(octets).messages) for (const decode of DECODERS) decode(payload);
    for (const type of [2, 3]) for (const flags of [0, 0x200, 0x300]) decodeAnswer({ type, flags, sequence: 0, port: 0, payload: octets });
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 256 }), decodeAll), { numRuns: 2000 });
  const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  fc.assert(
    fc.property(fc.nat(samples.length - 1), damage, (index, changes) => {
      const payload = samples[index]!.payload.slice();
      for (const [at, value] of changes) if (payload.length > 0) payload[at % payload.length] = value;
      decodeAll(payload);
    }),
    { numRuns: 5000 },
  );
});

test('any route comes back from its own encoding', () => {
  const plain = { noNullPrototype: true };
  const ipv6 = fc.uint8Array({ minLength: 16, maxLength: 16 });
  const address = ipv6.map((octets) => Prefix.of(octets, 128).address);
  const encapsulation: fc.Arbitrary<Encapsulation> = fc.oneof(
    fc.record({ kind: fc.constant('seg6' as const), mode: fc.constantFrom('encap' as const, 'inline' as const, 'encap.red' as const), segments: fc.array(address, { minLength: 1, maxLength: 10 }) }, plain),
    fc.record({ kind: fc.constant('seg6local' as const), action: fc.nat(16), nextHop6: address, table: fc.nat(), outputInterface: fc.nat(1000) }, plain),
  );
  const nextHop = fc.record({ interfaceIndex: fc.integer({ min: 1, max: 1 << 30 }), weight: fc.integer({ min: 1, max: 256 }), flags: fc.constant(0), gateway: address, encapsulation }, plain);
  fc.assert(
    fc.property(ipv6, fc.nat(128), fc.integer({ min: 1, max: 0xffffffff }), fc.nat(0xffffffff), fc.array(nextHop, { minLength: 2, maxLength: 5 }), (octets, length, number, metric, nextHops) => {
      const message = unicastRoute({ destination: Prefix.of(octets, length), table: number, metric, protocol: 210, nextHops });
      const decoded = decodeRoute(Uint8Array.from(Buffer.from(encoded((writer) => encodeRoute(writer, message)), 'hex')));
      assert.equal(decoded.value?.destination.toString(), message.destination.toString());
      assert.deepEqual({ ...decoded.value, destination: undefined }, { ...message, destination: undefined });
    }),
    { numRuns: 500 },
  );
});
