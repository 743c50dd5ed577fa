import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { decodeControl, encodeControl, type ControlPacket } from '../../../daemon/bfd/wire/packet.js';
import { BfdNetwork, configOf, Host, profile } from './support.js';

const packetsOf = (host: Host, since = 0): (ControlPacket & { readonly at: number })[] =>
  host.transport.sent
    .filter(({ at }) => at >= since)
    .map(({ at, data }) => {
      const decoded = decodeControl(data);
      assert.ok(decoded.ok);
      return { ...decoded.packet, at };
    });

describe('two BFD services', () => {
  it('bring a session up in some seconds and tell their clients', () => {
    const { a, b } = BfdNetwork.pair();
    assert.deepEqual([a.session.state, b.session.state], ['up', 'up']);
    assert.deepEqual([a.told, b.told], [['up'], ['up']]);
    assert.equal(a.session.remoteDiscriminator, b.session.discriminator);
    assert.equal(a.session.local, a.address);
  });

  it('send not faster than once a second before they are up (RFC 5880 section 6.8.3)', () => {
    const net = new BfdNetwork();
    const a = net.host();
    a.watch('fe80::99', { profile: 'fast' });
    net.clock.advance(60_000);
    const times = packetsOf(a).map(({ at }) => at);
    assert.ok(times.length >= 60 && times.length <= 81, `${times.length} packets in a minute`);
    for (const [i, at] of times.slice(1).entries()) assert.ok(at - times[i]! >= 750 && at - times[i]! <= 1000, String(at - times[i]!));
    assert.ok(packetsOf(a).every(({ desiredMinTxUs, requiredMinRxUs, state }) => desiredMinTxUs === 1_000_000 && requiredMinRxUs === 50_000 && state === 'down'));
  });

  it('negotiate the slower of what one sends and the other takes, and jitter by 75 to 100 % (section 6.8.7)', () => {
    const { net, a, b } = BfdNetwork.pair({}, [configOf({ default: profile({ intervalMs: 100 }) }), configOf({ default: profile({ intervalMs: 400, multiplier: 5 }) })]);
    assert.deepEqual([a.session.transmitIntervalMs, b.session.transmitIntervalMs], [400, 400]);
    assert.deepEqual([a.session.detectionTimeMs, b.session.detectionTimeMs], [2000, 1200]);
    const start = net.clock.now();
    net.clock.advance(100_000);
    const times = packetsOf(a, start).map(({ at }) => at);
    const gaps = times.slice(1).map((at, i) => at - times[i]!);
    assert.ok(gaps.every((gap) => gap >= 300 && gap <= 400));
    const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
    assert.ok(mean > 340 && mean < 360, `${mean}`);
  });

  it('keep 10 % of the interval in reserve with a multiplier of 1', () => {
    const single = configOf({ default: profile({ multiplier: 1 }) });
    const { net, a } = BfdNetwork.pair({}, [single, single]);
    const start = net.clock.now();
    net.clock.advance(30_000);
    const times = packetsOf(a, start).map(({ at }) => at);
    assert.ok(times.slice(1).every((at, i) => at - times[i]! >= 225 && at - times[i]! <= 270));
    assert.equal(a.session.flaps, 0);
  });

  it('go down one Detection Time after the last packet, with the diagnostics of both sides', () => {
    const { net, a, b } = BfdNetwork.pair();
    const last = Math.max(...packetsOf(a).map(({ at }) => at)) + 1;
    net.links.cut(a.address, b.address);
    net.clock.advance(3000);
    const down = b.verdicts.at(-1)!;
    assert.deepEqual([down.verdict, down.at - last], ['down', 900]);
    assert.equal(down.change.diagnostic, 1);
    // One way still works: the peer that hears has the session in Init, not Up.
    assert.deepEqual([a.session.state, a.session.diagnostic], ['init', 'Neighbor Signaled Session Down']);
    assert.deepEqual([b.session.state, b.session.diagnostic, b.session.remoteDiscriminator], ['down', 'Control Detection Time Expired', 0]);
    net.links.mend();
    net.clock.advance(6000);
    assert.deepEqual([a.told, b.told], [['up', 'down', 'up'], ['up', 'down', 'up']]);
    assert.deepEqual([a.session.flaps, b.session.flaps], [1, 1]);
    assert.deepEqual(b.session.history.map(({ state }) => state), ['init', 'up', 'down', 'up']);
  });

  it('take no silence of their own process for the peer\'s', () => {
    const { net, a, b } = BfdNetwork.pair({ profile: 'fast' });
    b.transport.busy = true;
    net.clock.advance(149);
    b.transport.busy = false;
    net.clock.advance(1000);
    // Packets that nobody has read when the Detection Time ends are read then.
    b.transport.busy = true;
    net.clock.advance(10_000);
    assert.equal(b.session.state, 'up');
    net.links.cut(a.address, b.address);
    net.clock.advance(2 * 150 + 1);
    assert.equal(b.session.state, 'down');
  });

  it('change timers by a Poll Sequence, old values counting until it ends (section 6.8.3)', () => {
    const { net, a, b } = BfdNetwork.pair();
    const start = net.clock.now();
    const slower = configOf({ default: profile({ intervalMs: 1000 }) });
    a.service.configure(slower);
    assert.equal(a.session.transmitIntervalMs, 300, 'slower only when the peer knows');
    net.clock.advance(5000);
    const polls = packetsOf(a, start).filter(({ poll }) => poll);
    const finals = packetsOf(b, start).filter(({ final }) => final);
    assert.ok(polls.length >= 1 && finals.length === polls.length);
    assert.ok([...packetsOf(a), ...packetsOf(b)].every(({ poll, final }) => !(poll && final)));
    assert.ok(polls.every(({ desiredMinTxUs, requiredMinRxUs }) => desiredMinTxUs === 1_000_000 && requiredMinRxUs === 1_000_000));
    assert.deepEqual([a.session.transmitIntervalMs, b.session.transmitIntervalMs, b.session.detectionTimeMs], [1000, 1000, 3000]);
    a.service.configure(configOf({ default: profile({ intervalMs: 50 }) }));
    assert.equal(a.session.detectionTimeMs, 3000, 'a faster detection only when the peer knows');
    net.clock.advance(3000);
    assert.deepEqual([a.session.transmitIntervalMs, a.session.detectionTimeMs, b.session.transmitIntervalMs], [300, 900, 300]);
    assert.deepEqual([a.told, b.told], [['up'], ['up']]);
  });

  it('start another Poll Sequence for what changes during one', () => {
    const { net, a, b } = BfdNetwork.pair();
    for (const intervalMs of [500, 700, 900]) a.service.configure(configOf({ default: profile({ intervalMs }) }));
    net.clock.advance(10_000);
    assert.deepEqual([a.session.transmitIntervalMs, b.session.remoteMinTxMs, a.session.state], [900, 900, 'up']);
    assert.ok(!packetsOf(a).at(-1)!.poll);
    // The answer to the first Poll says nothing of what changed after it was sent.
    a.service.configure(configOf({ default: profile({ intervalMs: 2000 }) }));
    const polled = (): boolean => packetsOf(a).at(-1)!.poll;
    while (!polled()) net.clock.advance(1);
    a.service.configure(configOf({ default: profile({ intervalMs: 4000 }) }));
    const before = packetsOf(b).length;
    while (!packetsOf(b).slice(before).some(({ final }) => final)) net.clock.advance(1);
    net.clock.advance(2);
    assert.equal(a.session.transmitIntervalMs, 900);
    net.clock.advance(20_000);
    assert.equal(a.session.transmitIntervalMs, 4000);
  });

  it('say that they are switched off, which is no fault of the path', () => {
    const net = new BfdNetwork();
    const [a, b] = [net.host(), net.host()];
    const handle = a.watch(b);
    b.watch(a);
    net.clock.advance(6000);
    handle.unregister();
    net.clock.advance(100);
    assert.deepEqual(b.told, ['up', 'adminDown']);
    assert.deepEqual([b.session.state, b.session.remoteState, b.session.diagnostic], ['down', 'adminDown', 'Neighbor Signaled Session Down']);
    assert.equal(a.service.view().sessions.length, 0);
    net.clock.advance(20_000);
    assert.deepEqual(b.told, ['up', 'adminDown'], 'the silence afterwards is no fault either');
    const sent = a.transport.sent.length;
    net.clock.advance(20_000);
    assert.equal(a.transport.sent.length, sent, 'and it is silence');
    a.watch(b);
    net.clock.advance(6000);
    assert.deepEqual(b.told, ['up', 'adminDown', 'up']);
  });

  it('go on with a session whose client comes back while it says goodbye', () => {
    const net = new BfdNetwork();
    const [a, b] = [net.host(), net.host()];
    const handle = a.watch(b);
    b.watch(a);
    net.clock.advance(6000);
    const { discriminator } = a.session;
    handle.unregister();
    handle.unregister();
    net.clock.advance(1000);
    a.watch(b);
    net.clock.advance(10_000);
    assert.deepEqual([a.session.state, a.session.discriminator], ['up', discriminator]);
  });

  it('end with a last word to every peer', () => {
    const { net, a, b } = BfdNetwork.pair();
    a.service.close();
    net.clock.advance(5000);
    assert.deepEqual(b.told, ['up', 'adminDown']);
  });

  it('share one session among clients, with the fastest of their profiles', () => {
    const net = new BfdNetwork();
    const [a, b] = [net.host(), net.host()];
    a.watch(b, { client: 'bgp' });
    const ospf = a.watch(b, { client: 'ospf', interface: 'eth0', profile: 'fast' });
    b.watch(a, { profile: 'fast' });
    net.clock.advance(6000);
    assert.equal(a.service.view().sessions.length, 1);
    assert.deepEqual([a.session.clients, a.session.profile, a.session.transmitIntervalMs], [['bgp', 'ospf'], 'fast', 50]);
    assert.deepEqual(a.told, ['up', 'up']);
    a.watch(b, { client: 'late' });
    net.clock.advance(10);
    assert.deepEqual(a.told, ['up', 'up', 'up'], 'who comes later hears how things stand');
    ospf.unregister();
    net.clock.advance(1000);
    assert.deepEqual([a.session.profile, a.session.transmitIntervalMs, a.session.state], ['default', 300, 'up']);
  });

  it('have a source port each, from 49152 up, and take another one when it is somebody else\'s (RFC 5881 section 4)', () => {
    const net = new BfdNetwork();
    const a = net.host();
    a.transport.taken.add(49_153);
    a.watch('fe80::7');
    a.watch('fe80::8');
    assert.match(a.service.view().sessions[1]!.error!, /EADDRINUSE/);
    net.clock.advance(3000);
    assert.deepEqual(a.service.view().sessions.map(({ error }) => error), [undefined, undefined]);
    const ports = new Map(a.transport.sent.map(({ options }) => [options.peer, options.sourcePort]));
    assert.deepEqual([...ports], [['fe80::7', 49_152], ['fe80::8', 49_154]]);
  });

  it('keep sessions of one peer on two interfaces apart', () => {
    const net = new BfdNetwork();
    const a = net.host();
    a.watch('fe80::7', { interface: 'eth0' });
    a.watch('fe80::7', { interface: 'eth1' });
    assert.equal(a.service.view().sessions.length, 2);
  });

  it('make no more sessions than configured', () => {
    const net = new BfdNetwork();
    const a = net.host(configOf({}, 2));
    for (const peer of ['fe80::21', 'fe80::22', 'fe80::23']) a.watch(peer);
    assert.equal(a.service.view().sessions.length, 2);
    assert.match(a.events.at(-1)!.text, /bfd\.maxSessions/);
  });

  it('let a passive side wait for the other', () => {
    const passive = configOf({ default: profile({ passive: true }) });
    const { a, b } = BfdNetwork.pair({}, [passive, configOf()]);
    assert.deepEqual([a.session.state, b.session.state], ['up', 'up']);
    const alone = new BfdNetwork();
    const waiting = alone.host(passive);
    waiting.watch('fe80::9');
    alone.clock.advance(10_000);
    assert.equal(waiting.transport.sent.length, 0);
  });

  it('speak multihop between loopbacks on its own port only', () => {
    const { a, b } = BfdNetwork.pair({ multihop: true });
    assert.deepEqual([a.session.state, a.session.multihop, b.session.state], ['up', true, 'up']);
    const net = new BfdNetwork();
    const [c, d] = [net.host(), net.host()];
    c.watch(d, { multihop: true, localAddress: c.address });
    d.watch(c, { multihop: false });
    net.clock.advance(6000);
    assert.deepEqual([c.session.state, d.session.state], ['down', 'down']);
    assert.ok(d.service.view().discards['no session']! > 0);
  });

  for (const type of ['simple', 'md5', 'meticulousMd5', 'sha1', 'meticulousSha1'] as const) {
    it(`authenticate by ${type}, and refuse another key, no key and what was said before`, () => {
      const keyed = (password: string) => configOf({ default: profile({ authentication: { type, keyId: 7, password } }) });
      const { net, a, b } = BfdNetwork.pair({}, [keyed('secret'), keyed('secret')]);
      assert.deepEqual([a.session.state, b.session.state], ['up', 'up']);
      net.clock.advance(60_000);
      assert.deepEqual([a.session.flaps, a.session.counters.authenticationFailed], [0, 0]);
      for (const other of [keyed('Secret'), configOf()]) {
        const wrong = BfdNetwork.pair({}, [keyed('secret'), other]);
        assert.deepEqual([wrong.a.session.state, wrong.b.session.state], ['down', 'down']);
        assert.ok(wrong.a.session.counters.authenticationFailed > 0);
      }
      if (type === 'simple') return;
      const old = a.transport.sent[2]!.data;
      b.transport.receive({ data: old, source: a.address, destination: b.address, hopLimit: 255, multihop: false });
      assert.equal(b.session.counters.authenticationFailed, 1);
    });
  }
});

describe('a BFD session', () => {
  const inject = (host: Host, from: Pick<Host, 'address'>, changes: Partial<ControlPacket> = {}, hopLimit = 255, multihop = false): void => {
    const { discriminator, remoteDiscriminator } = host.session;
    const packet: ControlPacket = {
      diagnostic: 0,
      state: 'up',
      poll: false,
      final: false,
      controlPlaneIndependent: false,
      demand: false,
      detectMultiplier: 3,
      myDiscriminator: remoteDiscriminator,
      yourDiscriminator: discriminator,
      desiredMinTxUs: 300_000,
      requiredMinRxUs: 300_000,
      requiredMinEchoRxUs: 0,
      authentication: undefined,
      ...changes,
    };
    host.transport.receive({ data: encodeControl(packet), source: from.address, destination: host.address, hopLimit, multihop });
  };

  it('takes packets with hop limit 255 only (RFC 5881 section 5)', () => {
    const { a, b } = BfdNetwork.pair();
    inject(a, b, { state: 'down' }, 254);
    assert.deepEqual([a.session.state, a.session.counters.refused], ['up', 1]);
    inject(a, b, { state: 'down' });
    assert.equal(a.session.state, 'down');
  });

  it('discards a discriminator of no session, and takes one without discriminator from the peer alone', () => {
    const { a, b } = BfdNetwork.pair();
    inject(a, b, { state: 'down', yourDiscriminator: (a.session.discriminator + 1) >>> 0 });
    assert.deepEqual([a.session.state, a.service.view().discards['no session']], ['up', 1]);
    inject(a, b, { state: 'down' }, 255, true);
    assert.equal(a.session.state, 'up', 'nor from the other port');
    inject(a, { address: 'fe80::77' }, { state: 'down', yourDiscriminator: 0 });
    assert.equal(a.session.state, 'up');
    inject(a, b, { state: 'down', yourDiscriminator: 0 });
    assert.equal(a.session.state, 'down');
  });

  it('answers Poll at once with Final and nothing else changed', () => {
    const { net, a, b } = BfdNetwork.pair();
    const before = net.clock.now();
    inject(a, b, { poll: true });
    const answer = packetsOf(a, before).at(-1)!;
    assert.deepEqual([answer.final, answer.poll, answer.at], [true, false, before]);
  });

  it('is silent towards a peer in demand mode, but for the answer to Poll (section 6.8.7)', () => {
    const { net, a, b } = BfdNetwork.pair();
    net.links.cut(b.address, a.address);
    inject(a, b, { demand: true, desiredMinTxUs: 60_000_000 });
    const start = net.clock.now() + 1;
    net.clock.advance(30_000);
    assert.equal(packetsOf(a, start).length, 0);
    inject(a, b, { demand: true, poll: true, desiredMinTxUs: 60_000_000 });
    assert.deepEqual(packetsOf(a, start).map(({ final }) => final), [true]);
    inject(a, b, { demand: false, desiredMinTxUs: 60_000_000 });
    net.clock.advance(2000);
    assert.ok(packetsOf(a, start).length > 3);
  });

  it('sends nothing periodically to a peer that wants nothing (section 6.8.7)', () => {
    const { net, a, b } = BfdNetwork.pair();
    net.links.cut(b.address, a.address);
    inject(a, b, { requiredMinRxUs: 0, desiredMinTxUs: 60_000_000 });
    const start = net.clock.now() + 1;
    net.clock.advance(30_000);
    assert.equal(packetsOf(a, start).length, 0);
  });

  it('sends faster as soon as the peer takes more', () => {
    const { net, a, b } = BfdNetwork.pair({ profile: 'fast' });
    net.links.cut(b.address, a.address);
    inject(a, b, { requiredMinRxUs: 10_000_000, desiredMinTxUs: 60_000_000 });
    net.clock.advance(1000);
    const start = net.clock.now();
    inject(a, b, { requiredMinRxUs: 50_000, desiredMinTxUs: 60_000_000 });
    net.clock.advance(500);
    assert.ok(packetsOf(a, start).length >= 10);
  });

  it('refuses echo packets: Required Min Echo RX Interval is 0', () => {
    const { a } = BfdNetwork.pair();
    assert.ok(packetsOf(a).every(({ requiredMinEchoRxUs, demand, controlPlaneIndependent }) => requiredMinEchoRxUs === 0 && !demand && !controlPlaneIndependent));
  });

  it('passes on whether the peer outlives its control plane, also when it fell silent', () => {
    const { net, a, b } = BfdNetwork.pair();
    net.links.cut(b.address, a.address);
    inject(a, b, { controlPlaneIndependent: true });
    net.clock.advance(5000);
    assert.deepEqual(a.verdicts.at(-1), { verdict: 'down', change: { diagnostic: 1, at: a.verdicts.at(-1)!.change.at, controlPlaneIndependent: true }, at: a.verdicts.at(-1)!.at });
  });

  it('stays down for a peer that only says Down without knowing us for good', () => {
    const net = new BfdNetwork();
    const a = net.host();
    a.watch('fe80::50');
    net.clock.advance(10);
    inject(a, { address: 'fe80::50' }, { state: 'down', myDiscriminator: 5, yourDiscriminator: 0 });
    assert.equal(a.session.state, 'init');
    net.clock.advance(4000);
    assert.deepEqual([a.session.state, a.session.diagnostic, a.told], ['down', 'Control Detection Time Expired', []]);
  });
});
