import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { DEFERRED, NO_CANDIDATE, NO_SERVICE, type FlowKey, type ScannedFlow } from '../../../dataplane/dataplane.js';
import { FLOW_VALUE_LENGTH, FRAGMENT_KEY_LENGTH, FRAGMENT_VALUE_LENGTH, SLOT_VALUE_LENGTH } from '../../../dataplane/flow/layout.js';
import { PolicyTable } from '../../../dataplane/flow/policies.js';
import { PuntPath, type PacketDevice } from '../../../dataplane/flow/punt.js';
import { scanFlows } from '../../../dataplane/flow/scanner.js';
import { buildOuterHeader, finishOuterHeader } from '../../../dataplane/packet/encapsulation.js';
import { flowHash, flowLabelOf } from '../../../dataplane/packet/flow-hash.js';
import { decodeFlowKey, encodeFlowKey, flowKeyText } from '../../../dataplane/packet/flow-key.js';
import { Prefix, parseIp } from '../../../dataplane/packet/ip.js';
import { hex, vectors } from '../packet/vectors.js';
import { MemoryMap } from './memory-map.js';

const SID = 'fc00:bb:2:1::';
const AGGREGATE = 'fc00:bb:1:3::';
const OVERHEAD = 64;
const vector = (name: string): Uint8Array => hex(vectors.classified.find((candidate) => candidate.name === name)!.hex);
const keyOf = (name: string): FlowKey => vectors.classified.find((candidate) => candidate.name === name)!.key!;

/** Hands out what a test queued, keeps what is written. */
class FakeDevice implements PacketDevice {
  queue: Uint8Array[] = [];
  written: Uint8Array[] = [];
  refuse = false;
  onWrite: () => void = () => undefined;

  readBatch(arena: Uint8Array, lengths: Int32Array): number {
    const stride = Math.floor(arena.length / lengths.length);
    const batch = this.queue.splice(0, lengths.length);
    batch.forEach((packet, i) => {
      arena.set(packet.subarray(0, stride), i * stride);
      lengths[i] = Math.min(packet.length, stride);
    });
    return batch.length;
  }

  writeBatch(arena: Uint8Array, offsets: Int32Array, lengths: Int32Array, count: number, errors: Int32Array): number {
    this.onWrite();
    if (this.refuse) {
      errors[0]! += count;
      return 0;
    }
    for (let i = 0; i < count; i++) this.written.push(arena.slice(offsets[i], offsets[i]! + lengths[i]!));
    return count;
  }
}

describe('the punt path', () => {
  let device: FakeDevice;
  let flows: MemoryMap;
  let newFlows: MemoryMap;
  let fragments: MemoryMap;
  let punt: PuntPath;
  let policies: PolicyTable;
  let nowNs: bigint;
  let errors: Uint8Array[];

  beforeEach(() => {
    device = new FakeDevice();
    errors = [];
    flows = new MemoryMap('flows', 40, FLOW_VALUE_LENGTH, 1000);
    newFlows = new MemoryMap('newFlows', 40, FLOW_VALUE_LENGTH, 1000);
    fragments = new MemoryMap('fragments', FRAGMENT_KEY_LENGTH, FRAGMENT_VALUE_LENGTH, 1000);
    nowNs = 1_000_000_000_000n;
    policies = new PolicyTable({
      policies: new MemoryMap('policies', 4, 4, 64, true),
      slots: new MemoryMap('slots', 4, SLOT_VALUE_LENGTH, 8, true),
      source: parseIp(vectors.router)!,
      reduced: false,
      now: () => 0,
      onInnerMtu: () => undefined,
    });
    policies.set([{ policy: 16, segments: [SID], mtu: 1500 }, { policy: 17, segments: [], mtu: 1500 }]);
    punt = new PuntPath(
      { device, flows, newFlows, fragments, policies, sendIcmpv4: (packet) => errors.push(packet) > 0, nowNs: () => nowNs },
      { routerAddress: parseIp(vectors.router)!, servicePrefixes: [Prefix.from('fd5e::/64'), Prefix.from('198.51.100.0/24')], requirementOption: 0x1e, aggregateSids: [] },
      1500,
    );
    punt.onPunt(() => 16);
  });

  type Entry = Omit<ScannedFlow, 'key'>;
  const entries = (): Map<string, Entry> => {
    const found = new Map<string, Entry>();
    for (const batch of scanFlows(flows, newFlows)) for (const { key, ...rest } of batch) found.set(flowKeyText(key), rest);
    return found;
  };
  const entry = (key: FlowKey): Entry | undefined => entries().get(flowKeyText(encodeFlowKey(key)));
  const run = (...packets: Uint8Array[]): Uint8Array[] => {
    device.queue = packets;
    device.written = [];
    punt.run(100);
    return device.written;
  };

  it('sends what it steered although the kernel takes no entries just now', () => {
    const write = newFlows.updateBatch.bind(newFlows);
    newFlows.updateBatch = () => {
      throw Object.assign(new Error('bpf: ENOMEM'), { errno: 12, code: 'ENOMEM', syscall: 'bpf' });
    };
    device.queue = [vector('UDP')];
    punt.run(4);
    assert.equal(device.written.length, 1);
    assert.deepEqual([punt.counters.pinnedFlows, punt.counters.pinFailed], [0, 1]);
    newFlows.updateBatch = write;
    device.queue = [vector('UDP')];
    punt.run(4);
    assert.deepEqual([device.written.length, punt.counters.pinnedFlows], [2, 1]);
  });

  it('sends a packet behind an outer header, and touches nothing in it', () => {
    const packet = vector('UDP');
    const [sent] = run(packet);
    assert.deepEqual(sent!.subarray(OVERHEAD), packet);
    assert.equal(Buffer.from(sent!.subarray(24, 40)).toString('hex'), Buffer.from(parseIp(SID)!).toString('hex'));
    const label = ((sent![1]! & 0xf) << 16) | (sent![2]! << 8) | sent![3]!;
    assert.equal(label, flowLabelOf(flowHash(encodeFlowKey(keyOf('UDP')))));
    assert.equal(((sent![0]! & 0xf) << 4) | (sent![1]! >> 4), 0xb8);
  });

  it('sends an IPv4 packet behind an outer header that says so, and touches nothing in it', () => {
    const packet = vector('IPv4 UDP');
    const [sent] = run(packet);
    assert.deepEqual(sent!.subarray(OVERHEAD), packet);
    // Next header of the IPv6 header: routing; of the SRH: IPv4.
    assert.deepEqual([sent![6], sent![40]], [43, 4]);
    assert.equal(((sent![0]! & 0xf) << 4) | (sent![1]! >> 4), 0xb8);
    assert.equal(((sent![1]! & 0xf) << 16) | (sent![2]! << 8) | sent![3]!, flowLabelOf(flowHash(encodeFlowKey(keyOf('IPv4 UDP')))));
    // The slot is one for both versions.
    assert.equal(run(vector('UDP'))[0]![40], 41);
    assert.equal(entry(keyOf('IPv4 UDP'))!.packets, 1n);
  });

  it('holds what is deferred until the window ends, and lets other packets pass meanwhile', () => {
    let decided = 0;
    punt.onPunt(({ key, held }) => (key[0] !== 0 && held !== true ? DEFERRED : 16), { windowMs: () => 3, decide: () => (decided += 1) });
    assert.equal(punt.windowMs, undefined);
    assert.deepEqual(run(vector('UDP'), vector('IPv4 UDP'), vector('UDP')).map((packet) => packet.subarray(OVERHEAD)), [vector('IPv4 UDP')]);
    assert.deepEqual([punt.windowMs, decided, punt.counters.received], [3, 0, 3]);
    device.written = [];
    punt.release();
    assert.deepEqual(device.written.map((packet) => packet.subarray(OVERHEAD)), [vector('UDP'), vector('UDP')]);
    assert.deepEqual([punt.windowMs, decided, punt.counters.received], [undefined, 1, 3]);
    assert.equal(entry(keyOf('UDP'))!.packets, 2n);
    device.written = [];
    punt.release();
    assert.deepEqual([device.written.length, decided], [0, 1]);
    assert.equal(run(vector('IPv4 UDP')).length, 1);
  });

  it('ends the window when a batch of packets is held', () => {
    let decided = 0;
    punt.onPunt(({ held }) => (held === true ? 16 : DEFERRED), { windowMs: () => 3, decide: () => (decided += 1) });
    assert.equal(run(...new Array<Uint8Array>(200).fill(vector('UDP'))).length, 0);
    const sent = run(...new Array<Uint8Array>(300).fill(vector('UDP')));
    assert.deepEqual([sent.length, decided, punt.windowMs], [456, 1, 3]);
    assert.ok(sent.every((packet) => Buffer.compare(packet.subarray(OVERHEAD), vector('UDP')) === 0));
    device.written = [];
    punt.release();
    assert.deepEqual([device.written.length, decided], [44, 2]);
  });

  it('drops a packet that is deferred again', () => {
    punt.onPunt(() => DEFERRED, { windowMs: () => 3, decide: () => undefined });
    run(vector('UDP'));
    punt.release();
    assert.deepEqual([punt.windowMs, punt.counters.noCandidate, punt.counters.sent], [undefined, 1, 0]);
  });

  it('tells an IPv4 client by ICMPv4 that there is no exit, and leaves source and header checksum to the kernel', () => {
    for (const [answer, code] of [[NO_SERVICE, 0], [NO_CANDIDATE, 1]] as const) {
      punt.onPunt(() => answer);
      assert.equal(run(vector('IPv4 UDP')).length, 0);
      const error = errors.pop()!;
      assert.deepEqual([error[9], error[20], error[21]], [1, 3, code]);
      assert.deepEqual([error.subarray(12, 16), error.subarray(16, 20)], [Uint8Array.of(0, 0, 0, 0), vector('IPv4 UDP').subarray(12, 16)]);
    }
    assert.equal(punt.counters.errorsSent, 2);
  });

  it('answers an IPv4 packet that no longer fits by Fragmentation Needed where DF is set, and not otherwise', () => {
    const packet = (length: number, flags: number): Uint8Array => {
      const bytes = new Uint8Array(length);
      bytes.set(vector('IPv4 UDP'));
      new DataView(bytes.buffer).setUint16(2, length);
      bytes[6] = flags;
      return bytes;
    };
    assert.equal(run(packet(1500 - OVERHEAD, 0x40))[0]!.length, 1500);
    assert.equal(run(packet(1500 - OVERHEAD + 1, 0x40), packet(1500 - OVERHEAD + 1, 0)).length, 0);
    assert.equal(errors.length, 1);
    assert.deepEqual([errors[0]![20], errors[0]![21], new DataView(errors[0]!.buffer).getUint16(26)], [3, 4, 1500 - OVERHEAD]);
    assert.equal(punt.counters.tooBig, 2);
  });

  it('sends later fragments of IPv4 after their first one', () => {
    assert.equal(run(vector('IPv4 later fragment')).length, 0);
    assert.equal(run(vector('IPv4 first fragment'), vector('IPv4 later fragment')).length, 2);
    assert.equal(entry(keyOf('IPv4 first fragment'))!.packets, 2n);
  });

  it('writes the flow entry before the packet leaves', () => {
    let present = 0;
    device.onWrite = () => (present = newFlows.size);
    run(vector('UDP'));
    assert.equal(present, 1);
    assert.deepEqual(entry(keyOf('UDP')), { policy: 16, packets: 1n, bytes: BigInt(vector('UDP').length), createdNs: nowNs, lastSeenNs: nowNs });
  });

  it('asks the steering with the key and the requirement of the packet', () => {
    const asked: [string, FlowKey, string | undefined][] = [];
    punt.onPunt(({ arena, offset, length, key, requirement }) => {
      const packet = Buffer.from(arena.subarray(offset, offset + length)).toString('hex');
      asked.push([packet, decodeFlowKey(key), requirement && Buffer.from(requirement).toString('hex')]);
      return 16;
    });
    const known = vectors.classified.filter(({ kind }) => kind === 'flow');
    run(...known.map((candidate) => hex(candidate.hex)));
    assert.deepEqual(asked, known.map((candidate) => [candidate.hex, candidate.key, candidate.requirement]));
    assert.equal(device.written.length, known.length);
  });

  it('counts the packets of a flow into one entry, within a batch and after it', () => {
    const packet = vector('TCP SYN');
    const octets = BigInt(packet.length);
    run(packet, vector('UDP'), packet);
    assert.equal(entry(keyOf('TCP SYN'))!.packets, 2n);
    nowNs += 5n;
    assert.equal(run(packet).length, 1);
    assert.deepEqual(entry(keyOf('TCP SYN')), { policy: 16, packets: 3n, bytes: 3n * octets, createdNs: nowNs - 5n, lastSeenNs: nowNs });
    assert.equal(newFlows.size, 2);
    assert.equal(punt.counters.pinnedFlows, 2);
  });

  it('adds late first packets to a flow that the kernel has promoted', () => {
    const packet = vector('UDP');
    run(packet);
    const key = encodeFlowKey(keyOf('UDP'));
    const value = new Uint8Array(FLOW_VALUE_LENGTH);
    newFlows.lookup(key, value);
    new DataView(value.buffer).setBigUint64(8, 10n, true);
    flows.update(key, value);
    newFlows.delete(key);
    run(packet);
    run(packet, packet);
    assert.equal(entries().size, 1);
    assert.equal(entry(keyOf('UDP'))!.packets, 13n);
  });

  it('answers Destination Unreachable where the steering has no exit, and pins nothing', () => {
    for (const [answer, code] of [[NO_SERVICE, 0], [NO_CANDIDATE, 3], [17, 3], [63, 3]] as const) {
      punt.onPunt(() => answer);
      const [error] = run(vector('UDP'));
      assert.deepEqual([error![6], error![40], error![41]], [58, 1, code]);
      assert.deepEqual(error!.subarray(24, 40), vector('UDP').subarray(8, 24));
    }
    assert.equal(newFlows.size, 0);
    assert.deepEqual([punt.counters.noService, punt.counters.noCandidate], [1, 3]);
  });

  it('sends at most a burst of errors at once, and goes on later', () => {
    punt.onPunt(() => NO_SERVICE);
    const many = Array.from({ length: 300 }, () => vector('UDP'));
    assert.equal(run(...many).length, 100);
    assert.equal(punt.counters.errorsLimited, 200);
    nowNs += 10_000_000n;
    assert.equal(run(...many).length, 10);
  });

  it('answers Packet Too Big where the packet no longer fits, to the octet', () => {
    const packet = (length: number): Uint8Array => {
      const bytes = new Uint8Array(length);
      bytes.set(vector('UDP'));
      bytes[4] = (length - 40) >> 8;
      bytes[5] = (length - 40) & 0xff;
      return bytes;
    };
    assert.equal(run(packet(1500 - OVERHEAD))[0]!.length, 1500);
    const [error] = run(packet(1500 - OVERHEAD + 1));
    assert.deepEqual([error![40], new DataView(error!.buffer).getUint32(44)], [2, 1500 - OVERHEAD]);
    assert.equal(punt.counters.tooBig, 1);
  });

  it('sends later fragments after their first one, and drops those of an unknown packet', () => {
    assert.equal(run(vector('later fragment')).length, 0);
    assert.equal(punt.counters.fragmentUnknown, 1);
    assert.equal(run(vector('first fragment'), vector('later fragment')).length, 2);
    assert.equal(entry(keyOf('first fragment'))!.packets, 2n);
    assert.equal(entries().size, 1);
  });

  it('drops what it must not answer: malformed packets, errors about unknown flows, packets for no service', () => {
    const mld = vector('UDP');
    mld.set(parseIp('ff02::16')!, 24);
    const elsewhere = vector('UDP');
    elsewhere.set(parseIp('2001:db8::1')!, 24);
    const written = run(vector('nine extension headers'), vector('Packet Too Big about an answer'), mld, elsewhere, new Uint8Array(10), new Uint8Array(0));
    assert.equal(written.length, 0);
    assert.deepEqual([punt.counters.malformed, punt.counters.icmpErrorUnknown, punt.counters.foreign], [1, 1, 4]);
  });

  it('counts packets that the kernel refuses', () => {
    device.refuse = true;
    run(vector('UDP'), vector('TCP SYN'));
    assert.deepEqual([punt.counters.sent, punt.counters.sendFailed], [0, 2]);
  });

  it('takes longer packets once the MTU has grown', () => {
    policies.set([{ policy: 16, segments: [SID], mtu: 9100 }]);
    const packet = new Uint8Array(9000);
    packet.set(vector('UDP'));
    new DataView(packet.buffer).setUint16(4, 9000 - 40);
    assert.equal(run(packet).length, 0);
    punt.setMtu(9036);
    const [sent] = run(packet);
    assert.deepEqual(sent!.subarray(OVERHEAD), packet);
  });

  describe('of a border, for packets to its aggregate SID', () => {
    const HOP_LIMIT = 7;
    const INNER = 'fc00:bb:9:e001::';
    /** As an entry sends it: its segment list ends with the aggregate SID. */
    const encapsulated = (packet: Uint8Array, transit: readonly string[] = [], reduced = false, hopLimit = 61): Uint8Array => {
      const outer = buildOuterHeader(parseIp('fc00:bb:2::1')!, [...transit, AGGREGATE].map((sid) => parseIp(sid)!), reduced);
      // It has come to its last segment.
      outer.set(parseIp(AGGREGATE)!, 24);
      if (outer.length > 40) outer[43] = 0;
      outer[HOP_LIMIT] = hopLimit;
      const whole = new Uint8Array(outer.length + packet.length);
      whole.set(outer);
      whole.set(packet, outer.length);
      finishOuterHeader(whole, 0, outer.length, packet.length, 5);
      return whole;
    };
    const rewritten = (packet: Uint8Array): Uint8Array => {
      const expected = packet.slice();
      expected.set(parseIp(INNER)!, 24);
      if (expected[6] === 43) expected.set(parseIp(INNER)!, 48);
      return expected;
    };
    const inSpace = (key: FlowKey, space: number): Uint8Array => {
      const bytes = encodeFlowKey(key);
      bytes[37] = space;
      return bytes;
    };

    beforeEach(() => {
      punt.configure({ routerAddress: parseIp(vectors.router)!, servicePrefixes: [Prefix.from('fd5e::/64'), Prefix.from('198.51.100.0/24')], requirementOption: 0x1e, aggregateSids: [{ sid: parseIp(AGGREGATE)!, space: 1 }] });
      policies.set([{ policy: 32, segments: [INNER], mtu: 65535 }]);
      punt.onPunt(({ key }) => (key[37] === 1 ? 32 : 16));
    });

    it('replaces the outer destination and Segment List [0] and nothing else, with an SRH or without, IPv6 or IPv4 inside', () => {
      const variants = ['UDP', 'IPv4 UDP'].flatMap((name) => [[], ['fc00:bb:7::']].flatMap((transit) => [false, true].map((reduced) => encapsulated(vector(name), transit, reduced))));
      for (const packet of variants) assert.deepEqual(run(packet), [rewritten(packet)]);
      assert.equal(punt.counters.rewritten, variants.length);
    });

    it('pins the flow inside in a space of its own: the same 5-tuple as entry is another flow', () => {
      run(vector('UDP'), encapsulated(vector('UDP')), encapsulated(vector('UDP')));
      assert.deepEqual([entry(keyOf('UDP'))!.policy, entry(keyOf('UDP'))!.packets], [16, 1n]);
      const border = entries().get(flowKeyText(inSpace(keyOf('UDP'), 1)))!;
      assert.deepEqual([border.policy, border.packets, border.bytes], [32, 2n, 2n * BigInt(vector('UDP').length)]);
    });

    it('asks the steering with the packet inside and its requirement', () => {
      const asked: [string, FlowKey, string | undefined][] = [];
      punt.onPunt(({ arena, offset, length, key, requirement }) => {
        asked.push([Buffer.from(arena.subarray(offset, offset + length)).toString('hex'), decodeFlowKey(key), requirement && Buffer.from(requirement).toString('hex')]);
        return 32;
      });
      const known = vectors.classified.filter(({ kind }) => kind === 'flow');
      run(...known.map((candidate) => encapsulated(hex(candidate.hex))));
      assert.deepEqual(asked, known.map((candidate) => [candidate.hex, candidate.key, candidate.requirement]));
    });

    it('sends later fragments after their first one, which another space does not know', () => {
      run(encapsulated(vector('first fragment')));
      assert.equal(run(vector('later fragment')).length, 0);
      assert.equal(run(encapsulated(vector('later fragment'))).length, 1);
      assert.equal(entries().get(flowKeyText(inSpace(keyOf('first fragment'), 1)))!.packets, 2n);
    });

    it('tells the source inside that there is no instance', () => {
      punt.onPunt(() => NO_CANDIDATE);
      const [error] = run(encapsulated(vector('UDP')));
      assert.deepEqual([error![6], error![40], error![41]], [58, 1, 3]);
      assert.deepEqual(error!.subarray(24, 40), vector('UDP').subarray(8, 24));
      assert.deepEqual(error!.subarray(48), vector('UDP'));
      run(encapsulated(vector('IPv4 UDP')));
      assert.deepEqual(errors.pop()!.subarray(16, 20), vector('IPv4 UDP').subarray(12, 16));
      assert.equal(newFlows.size, 0);
    });

    it('takes packets past the MTU of the TUN, and leaves it to the kernel to say what is too big', () => {
      const packet = new Uint8Array(9100);
      packet.set(vector('UDP'));
      new DataView(packet.buffer).setUint16(4, 9100 - 40);
      const whole = encapsulated(packet);
      assert.deepEqual(run(whole), [rewritten(whole)]);
    });

    it('drops what has segments left, another next header or no room for what is inside', () => {
      const left = encapsulated(vector('UDP'), ['fc00:bb:7::']);
      left[43] = 1;
      const other = encapsulated(vector('UDP'), [], true);
      other[6] = 17;
      const cut = encapsulated(vector('UDP')).subarray(0, 90);
      assert.equal(run(left, other, cut).length, 0);
      assert.equal(punt.counters.malformed, 3);
    });

    it('never throws on any octets', () => {
      fc.assert(
        fc.property(fc.array(fc.tuple(fc.uint8Array({ maxLength: 120 }), fc.constantFrom(4, 41, 43, 59)), { maxLength: 10 }), (tails) => {
          run(
            ...tails.map(([tail, next]) => {
              const packet = Uint8Array.from([...encapsulated(new Uint8Array(0), [], true), ...tail]);
              packet[6] = next;
              new DataView(packet.buffer).setUint16(4, tail.length);
              return packet;
            }),
          );
        }),
        { numRuns: 300 },
      );
    });
  });

  it('keeps neighbours in a batch apart, whatever their lengths', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 48, max: 1436 }), { minLength: 1, maxLength: 600 }), (lengths) => {
        const packets = lengths.map((length, i) => {
          const packet = new Uint8Array(length).fill(i & 255);
          packet.set(vector('UDP').subarray(0, 40));
          const view = new DataView(packet.buffer);
          view.setUint16(4, length - 40);
          view.setUint32(40, i);
          return packet;
        });
        const sent = run(...packets);
        assert.equal(sent.length, packets.length);
        sent.forEach((packet, i) => assert.ok(Buffer.from(packet.subarray(OVERHEAD)).equals(packets[i]!)));
      }),
      { numRuns: 20 },
    );
  });

  it('never throws on any octets', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 120 }), { maxLength: 10 }), (tails) => {
        run(...['UDP', 'IPv4 UDP'].flatMap((name) => tails.map((tail) => Uint8Array.from([...vector(name).subarray(0, name === 'UDP' ? 40 : 20), ...tail]))), ...tails);
      }),
      { numRuns: 300 },
    );
  });
});
