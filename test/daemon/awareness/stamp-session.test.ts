import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeSender, encodeReflector, type ErrorEstimate, type SenderPacket } from '../../../daemon/awareness/stamp/packet.js';
import { ERROR_ESTIMATE, errorEstimate } from '../../../daemon/awareness/stamp/reflector.js';
import { StampSession, type Outage, type SessionOptions } from '../../../daemon/awareness/stamp/session.js';
import { ntpFromUnixNs } from '../../../daemon/awareness/stamp/timestamp.js';
import { parseIp } from '../../../dataplane/packet/ip.js';
import { ManualClock } from '../../../daemon/clock.js';

/** A session over a path whose delay, residence time and loss the test sets. */
class Path {
  readonly clock = new ManualClock();
  readonly alive: { at: number; alive: boolean }[] = [];
  readonly sent: { at: number; packet: SenderPacket }[] = [];
  rttMs = 20;
  residenceMs = 0;
  lose = false;
  /** Replies that wait in the socket although the process does not read it. */
  stalled: (() => void)[] | undefined;
  session: StampSession;

  readonly outages: Outage[] = [];
  /** How much later than our own stamp the kernel says it sent a probe, ms; undefined: it says nothing. */
  transmitLagMs: number | undefined;
  /** By how much the reflector's clock is ahead, ns: only the difference of its two stamps may count. */
  aheadNs = 3_600_000_000_000n;
  reflector: ErrorEstimate = ERROR_ESTIMATE;

  constructor(random = 0, options: Partial<SessionOptions> = {}) {
    this.session = new StampSession(
      { intervalMs: 100, lost: 3, sessionId: 7, ...options },
      {
        send: (bytes, onTransmitted) => {
          if (this.transmitLagMs !== undefined) onTransmitted(BigInt(this.clock.unixMs() + this.transmitLagMs) * 1_000_000n);
          const packet = decodeSender(bytes);
          assert.ok(!('fault' in packet));
          this.sent.push({ at: this.clock.now(), packet });
          if (!this.lose) this.clock.setTimeout(() => this.arrive(packet), this.rttMs + this.residenceMs);
          return true;
        },
        drain: () => this.stalled?.splice(0).forEach((deliver) => deliver()),
        unixNs: () => BigInt(this.clock.unixMs()) * 1_000_000n,
        random: () => random,
        onAlive: (alive, outage) => {
          this.alive.push({ at: this.clock.now(), alive });
          this.outages.push(outage);
        },
        onMeasured: () => undefined,
      },
      this.clock,
    );
    this.session.start();
  }

  reply(packet: SenderPacket, changes: Partial<{ sessionId: number; senderSequence: number; senderTimestamp: bigint; residenceMs: number }> = {}): Uint8Array {
    const leaving = BigInt(this.clock.unixMs()) * 1_000_000n;
    return encodeReflector({
      sequence: packet.sequence,
      timestamp: ntpFromUnixNs(leaving + this.aheadNs),
      receiveTimestamp: ntpFromUnixNs(leaving + this.aheadNs - BigInt(Math.round((changes.residenceMs ?? this.residenceMs) * 1e6))),
      errorEstimate: this.reflector,
      sessionId: changes.sessionId ?? packet.sessionId,
      senderSequence: changes.senderSequence ?? packet.sequence,
      senderTimestamp: changes.senderTimestamp ?? packet.timestamp,
      senderErrorEstimate: packet.errorEstimate,
      senderTtl: 64,
    });
  }

  private arrive(packet: SenderPacket): void {
    const receivedAt = this.clock.now();
    const receivedNs = BigInt(this.clock.unixMs()) * 1_000_000n;
    const deliver = (): void => void this.session.onPacket(this.reply(packet), receivedAt, receivedNs);
    if (this.stalled) this.stalled.push(deliver);
    else deliver();
  }
}

describe('a STAMP session', () => {
  let path: Path;
  beforeEach(() => {
    path = new Path();
  });

  it('probes every interval, from a random point of the first one', () => {
    const shifted = new Path(0.37);
    shifted.clock.advance(1000);
    assert.deepEqual(shifted.sent.map(({ at }) => at), Array.from({ length: 10 }, (_, i) => 37 + i * 100));
    assert.deepEqual(shifted.sent.map(({ packet }) => packet.sequence), Array.from({ length: 10 }, (_, i) => i));
  });

  it('measures the round trip without the time in the reflector', () => {
    path.residenceMs = 5;
    path.clock.advance(2000);
    const { rttUs, minimumUs, meanUs, jitterUs, lossPpm, sent, received, lost } = path.session.statistics;
    assert.deepEqual([Math.round(rttUs!), Math.round(minimumUs!), Math.round(meanUs!), Math.round(jitterUs)], [20_000, 20_000, 20_000, 0]);
    assert.deepEqual([lossPpm, lost], [0, 0]);
    assert.ok(received >= sent - 1 && received >= 19);
  });

  it('counts from the moment the kernel sent a probe, where it says so', () => {
    path.transmitLagMs = 4;
    path.clock.advance(3000);
    assert.equal(Math.round(path.session.statistics.rttUs!), 16_000);
  });

  it('a clock that was set between the kernel\'s two stamps does not count', () => {
    path.transmitLagMs = -3_600_000;
    path.clock.advance(3000);
    assert.equal(Math.round(path.session.statistics.rttUs!), 20_000);
  });

  it('knows one-way delays where both clocks are synchronised, and only there', () => {
    for (const [own, other] of [[true, true], [true, false], [false, true]] as const) {
      const each = new Path(0, { synchronised: own });
      each.aheadNs = 0n;
      each.reflector = errorEstimate(other);
      each.residenceMs = 5;
      each.clock.advance(3000);
      const { forwardUs, backwardUs } = each.session.detail;
      // The path of this test takes all its time on the way there.
      if (own && other) assert.deepEqual([Math.round(forwardUs!), Math.round(backwardUs!)], [20_000, 0]);
      else assert.deepEqual([forwardUs, backwardUs], [undefined, undefined]);
    }
  });

  it('states the delay variation: what 95 of 100 replies took longer than the fastest at most', () => {
    assert.equal(path.session.detail.variationUs, undefined);
    for (let i = 0; i < 100; i++) {
      path.rttMs = i % 10 === 0 ? 50 : 20 + (i % 10);
      path.clock.advance(100);
    }
    assert.ok(Math.abs(path.session.detail.variationUs! - 29_000) <= 1000 || Math.abs(path.session.detail.variationUs! - 30_000) <= 1000, `${path.session.detail.variationUs}`);
  });

  it('a way is told lost with the first and the last missing probe, and since when', () => {
    path.clock.advance(550);
    path.lose = true;
    path.clock.advance(1000);
    assert.deepEqual(path.outages, [{ first: 6, last: 8, sinceUnixMs: 1_700_000_000_600, elapsedMs: 350 }]);
  });

  it('a shorter interval and margin tell it within 200 ms', () => {
    const fast = new Path(0, { intervalMs: 20, lost: 4, leastBoundMs: 30 });
    fast.clock.advance(1005);
    fast.lose = true;
    fast.clock.advance(1000);
    assert.equal(fast.alive.length, 1);
    assert.ok(fast.alive[0]!.at - 1005 <= 200, `${fast.alive[0]!.at - 1005} ms`);
  });

  it('a way that is back must answer for the hold-down time before it is used again', () => {
    const held = new Path(0, { holdMs: 1000 });
    held.clock.advance(550);
    held.lose = true;
    held.clock.advance(1000);
    held.lose = false;
    const back = held.clock.now();
    held.clock.advance(900);
    held.lose = true; // once more: the time begins anew
    held.clock.advance(300);
    held.lose = false;
    held.clock.advance(3000);
    assert.deepEqual(held.alive.map(({ alive }) => alive), [false, true]);
    assert.ok(held.alive[1]!.at >= back + 2000, `${held.alive[1]!.at - back} ms`);
  });

  it('asks for the way back that it was given, and knows whether it was followed', () => {
    const asking = new Path(0, { returnPath: [parseIp('fcbb:bb00:21:1::')!] });
    assert.equal(asking.session.detail.returnPathFollowed, undefined);
    asking.clock.advance(300);
    assert.equal(asking.session.detail.returnPathFollowed, false, 'this reflector sends no TLVs back');
  });

  it('does not take out a residence time that cannot be', () => {
    path.clock.advance(0);
    const [probe] = path.sent;
    path.clock.advance(10);
    path.session.onPacket(path.reply(probe!.packet, { residenceMs: 500 }), path.clock.now());
    assert.equal(Math.round(path.session.statistics.rttUs!), 10_000);
  });

  it('follows a path that gets slower by an eighth a probe, and its jitter by a sixteenth of the difference', () => {
    path.clock.advance(950);
    path.rttMs = 36;
    path.clock.advance(100);
    assert.equal(Math.round(path.session.statistics.rttUs!), 22_000);
    assert.equal(Math.round(path.session.statistics.jitterUs), 1000);
    path.clock.advance(5000);
    assert.ok(path.session.statistics.rttUs! > 35_900);
    assert.equal(Math.round(path.session.statistics.minimumUs!), 20_000);
  });

  it('three lost replies exclude the exit by the timers alone, about 100 ms apart', () => {
    path.clock.advance(1050);
    path.lose = true;
    path.clock.advance(3000);
    // The first lost probe left at 1100, the third at 1300; each is missed 100 ms and a bound of 50 ms later.
    assert.deepEqual(path.alive, [{ at: 1450, alive: false }]);
    assert.equal(path.session.alive, false);
  });

  it('two lost replies do not', () => {
    path.clock.advance(1050);
    path.lose = true;
    path.clock.advance(200);
    path.lose = false;
    path.clock.advance(3000);
    assert.deepEqual(path.alive, []);
    assert.equal(path.session.statistics.lost, 2);
  });

  it('the exit is back after as many good replies, and the old round trips are forgotten', () => {
    path.clock.advance(1050);
    path.lose = true;
    path.clock.advance(1000);
    path.lose = false;
    path.rttMs = 80;
    path.clock.advance(1000);
    // Probes of 2100, 2200 and 2300 are answered 80 ms later.
    assert.deepEqual(path.alive, [{ at: 1450, alive: false }, { at: 2380, alive: true }]);
    assert.equal(Math.round(path.session.statistics.rttUs!), 80_000);
    assert.equal(Math.round(path.session.statistics.minimumUs!), 80_000);
  });

  it('an exit that never answered is excluded too', () => {
    path.lose = true;
    path.clock.advance(2000);
    // Before a round trip is known the bound is 200 ms: the probe of 200 is missed at 500.
    assert.deepEqual(path.alive, [{ at: 500, alive: false }]);
    assert.equal(path.session.statistics.rttUs, undefined);
    assert.equal(path.session.statistics.lossPpm, 1_000_000);
  });

  it('replies that were held up together count as one, with the round trip of the last', () => {
    path.lose = true;
    path.clock.advance(1950);
    path.lose = false;
    // The way was blocked for two seconds and then let everything through at once.
    for (const { packet } of path.sent) path.session.onPacket(path.reply(packet), path.clock.now());
    assert.equal(path.session.alive, true);
    assert.equal(Math.round(path.session.statistics.rttUs!), 50_000, 'the probe of 1900');
    path.clock.advance(500);
    assert.equal(Math.round(path.session.statistics.rttUs!), 20_000);
    assert.ok(path.session.statistics.jitterUs < 3000);
  });

  it('replies slower than an interval are no loss once the round trip is known', () => {
    path.rttMs = 250;
    path.clock.advance(5000);
    assert.deepEqual(path.alive, []);
    assert.equal(path.session.statistics.lost, 0);
  });

  it('a path that jumps from 20 to 400 ms is slower, not gone: late replies take the loss back', () => {
    path.clock.advance(1050);
    path.rttMs = 400;
    path.clock.advance(5000);
    assert.equal(path.session.alive, true);
    const { lost, late } = path.session.statistics;
    assert.ok(late > 0);
    assert.equal(lost, 0);
  });

  it('replies that wait in the socket while the process was busy are not lost', () => {
    path.clock.advance(1050);
    path.stalled = [];
    path.clock.advance(2000);
    assert.deepEqual(path.alive, []);
    assert.equal(path.session.statistics.lost, 0);
    assert.equal(Math.round(path.session.statistics.rttUs!), 20_000);
  });

  it('takes only replies that repeat sequence number, timestamp and session of a probe under way', () => {
    path.lose = true;
    path.clock.advance(50);
    const probe = path.sent[0]!.packet;
    const now = path.clock.now();
    assert.equal(path.session.onPacket(path.reply(probe, { senderSequence: 99 }), now), 'unexpected');
    assert.equal(path.session.onPacket(path.reply(probe, { senderTimestamp: probe.timestamp + 1n }), now), 'unexpected');
    assert.equal(path.session.onPacket(path.reply(probe, { sessionId: 8 }), now), 'unexpected');
    assert.equal(path.session.onPacket(path.reply(probe).subarray(0, 43), now), 'malformed');
    assert.equal(path.session.statistics.received, 0);
    assert.equal(path.session.onPacket(path.reply(probe, { sessionId: 0 }), now), 'measured');
    assert.equal(path.session.onPacket(path.reply(probe, { sessionId: 0 }), now), 'unexpected', 'a second copy');
    assert.equal(path.session.statistics.received, 1);
  });

  it('keeps no state of probes that nobody answers', () => {
    path.lose = true;
    path.clock.advance(60_000);
    assert.ok(path.session.underWay < 40);
    assert.equal(path.session.statistics.lossPpm, 1_000_000);
  });

  it('stop ends probes and timers', () => {
    path.clock.advance(500);
    path.session.stop();
    const sent = path.sent.length;
    path.lose = true;
    path.clock.advance(5000);
    assert.equal(path.sent.length, sent);
    assert.deepEqual(path.alive, []);
  });

  it('stands any packet', () => {
    path.clock.advance(100);
    fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => assert.notEqual(path.session.onPacket(bytes, path.clock.now()), 'measured')));
  });
});
