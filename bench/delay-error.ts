/**
 * How true the link awareness is: delay, delay variation, jitter and loss as STAMP measures them against what is set on the link.
 * `node dist/bench/delay-error.js [--json]`, as root.
 *
 * The link is the lab's delay line in user space, which releases frames later than it is told: some 10 us on a machine that is not busy
 * (bench/delay-line.ts), which is in the errors here. Without delay there is no line: that row shows what measuring itself adds. Jitter is
 * uniform on both sides of the delay: between two probes it is 2/3 of that on average, and 95 of 100 probes take 1.9 times that longer at most
 * than the fastest that may be.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { StampService } from '../daemon/awareness/stamp/service.js';
import { native } from '../dataplane/native/index.js';
import { Lab } from '../lab/index.js';
import { printJson, printTable, quantiles, round } from './support/report.js';

const DELAYS_MS = [0, 1, 5, 20, 100];
const JITTERS_MS = [1, 2, 4];
const LOSSES_PERCENT = [1, 5, 20];
const JITTER_DELAY_MS = 10;
const INTERVAL_MS = 10;
const SETTLE_MS = 1500;
const SAMPLES = 200;
const SAMPLE_MS = 15;
const LOSS_MS = 20_000;
const A = 'fd00::1';
const B = 'fd00::2';
const SHAPED = 'a:eth1';

const topology = `
name: cpn-bench-delay-error-${process.pid}
topology:
  defaults: {kind: linux}
  nodes:
    a: {exec: [ip -6 address add ${A}/64 dev eth1 nodad]}
    b: {exec: [ip -6 address add ${B}/64 dev eth1 nodad]}
  links:
    - endpoints: ["a:eth1", "b:eth1"]
`;

function stamp(lab: Lab, node: string, address: string): StampService {
  const options = { address, port: 862, intervalMs: INTERVAL_MS, lost: 100, allowed: ['fd00::/64'], synchronised: true };
  const listener = { onAlive: () => undefined, onMeasured: () => undefined, onError: (error: unknown) => process.stderr.write(`${String(error)}\n`) };
  return native.inNetworkNamespace(`/proc/${lab.node(node).init.pid}/ns/net`, () => new StampService(options, listener));
}

/** Values of the sender at `a`, read again and again once it has settled, us. */
async function sample<T>(read: () => T | undefined): Promise<T[]> {
  const values: T[] = [];
  await pause(SETTLE_MS);
  for (let i = 0; i < SAMPLES; i++) {
    await pause(SAMPLE_MS);
    const value = read();
    if (value !== undefined) values.push(value);
  }
  return values;
}

const folder = mkdtempSync(join(tmpdir(), 'delay-error-'));
const file = join(folder, 'line.clab.yml');
writeFileSync(file, topology);
const lab = await Lab.up(file);
try {
  const reflector = stamp(lab, 'b', B);
  /** A sender that has seen nothing yet, for as long as `measure` runs. */
  const measuring = async <T>(measure: (sender: StampService) => Promise<T>): Promise<T> => {
    const sender = stamp(lab, 'a', A);
    sender.setTargets([{ exit: B, transit: [], back: [] }]);
    try {
      return await measure(sender);
    } finally {
      sender.close();
    }
  };

  const delays = [];
  for (const delayMs of DELAYS_MS) {
    await lab.setDelay(SHAPED, delayMs);
    const [oneWay, roundTrip] = await measuring(async (sender) => {
      const values = await sample(() => ({ oneWay: sender.detail(B)?.forwardUs, roundTrip: sender.state(B)?.statistics.rttUs }));
      const errors = (pick: (value: (typeof values)[number]) => number | undefined): number[] => values.flatMap((value) => (pick(value) === undefined ? [] : [pick(value)! - delayMs * 1000]));
      return [quantiles(errors((value) => value.oneWay)), quantiles(errors((value) => value.roundTrip))] as const;
    });
    delays.push({ delayMs, oneWayErrorUs: round(oneWay.median), oneWayP99Us: round(oneWay.p99), roundTripErrorUs: round(roundTrip.median), roundTripP99Us: round(roundTrip.p99) });
  }

  const jitters = [];
  for (const jitterMs of JITTERS_MS) {
    await lab.setDelay(SHAPED, JITTER_DELAY_MS, jitterMs);
    const values = await measuring((sender) => sample(() => ({ variation: sender.detail(B)?.variationUs, jitter: sender.state(B)?.statistics.jitterUs })));
    const median = (pick: (value: (typeof values)[number]) => number | undefined): number => round(quantiles(values.flatMap((value) => pick(value) ?? [])).median);
    jitters.push({ jitterMs, variationUs: median(({ variation }) => variation), variationExpectedUs: 1900 * jitterMs, jitterUs: median(({ jitter }) => jitter), jitterExpectedUs: round((2000 * jitterMs) / 3) });
  }
  await lab.setDelay(SHAPED, 0);

  const losses = [];
  for (const percent of LOSSES_PERCENT) {
    await lab.setLoss(SHAPED, percent);
    const { sent, lost } = await measuring(async (sender) => {
      await pause(LOSS_MS);
      return sender.state(B)!.statistics;
    });
    // Two standard deviations of a binomial share.
    const chance = 2 * Math.sqrt(((percent / 100) * (1 - percent / 100)) / sent) * 100;
    losses.push({ lossPercent: percent, measuredPercent: round((lost / sent) * 100, 2), probes: sent, byChancePercent: round(chance, 2) });
  }
  reflector.close();

  if (!process.argv.includes('--json')) {
    console.log('error of the measured delay against the one that is set, us (median and p99 of the smoothed value)');
    printTable(['delay ms', 'one way', 'p99', 'round trip', 'p99'], delays.map((row) => [row.delayMs, row.oneWayErrorUs, row.oneWayP99Us, row.roundTripErrorUs, row.roundTripP99Us]));
    console.log(`\ndelay variation (p95 - least) and jitter (RFC 3550) around ${JITTER_DELAY_MS} ms, us`);
    printTable(['set +- ms', 'variation', 'expected', 'jitter', 'expected'], jitters.map((row) => [row.jitterMs, row.variationUs, row.variationExpectedUs, row.jitterUs, row.jitterExpectedUs]));
    console.log('\nloss, percent');
    printTable(['set', 'measured', 'probes', '+- by chance'], losses.map((row) => [row.lossPercent, row.measuredPercent, row.probes, row.byChancePercent]));
  }
  printJson('delay-error', { delays, jitters, losses });
} finally {
  await lab.down();
  rmSync(folder, { recursive: true });
}
