/**
 * How true the lab's delay line is: one-way delay of real frames against the configured one, at 20,000 packets a second.
 * `node dist/bench/delay-line.js [--json] [--rate PACKETS_PER_SECOND] [--seconds S]`, as root.
 *
 * The sender stamps each datagram just before the system call, the receiver takes the kernel's time of arrival: the error contains
 * the sender's system call and the kernel's way to the receiving socket, which the line of delay 0 (no delay line) shows alone.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { native } from '../dataplane/native/index.js';
import { Lab, waitFor } from '../lab/index.js';
import { socketAddress } from '../lab/tools/option.js';
import { quantiles } from '../lab/tools/report.js';

const AF_INET6 = 10;
const SOCK_DGRAM = 2;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_TIMESTAMPNS = 35;
const port = 9000;
const datagramOctets = 64;

const topology = `
name: cpn-bench-delay-${process.pid}
topology:
  defaults: {kind: linux}
  nodes:
    sender:
      exec: [ip -6 address add fd00::1/64 dev eth1 nodad]
    receiver:
      exec: [ip -6 address add fd00::2/64 dev eth1 nodad]
  links:
    - endpoints: ["sender:eth1", "receiver:eth1"]
`;

interface Measurement {
  readonly delayMs: number;
  readonly packets: number;
  readonly lost: number;
  readonly medianErrorUs: number;
  readonly p99ErrorUs: number;
  readonly maxErrorUs: number;
  /** What the delay line itself says of its worst departure since the last change; null without a line. */
  readonly lineLatestUs: number | null;
}

/** Arrival of each datagram of a batch in ns since 1970: an SCM_TIMESTAMPNS message fills the control buffer alone. */
function arrivalNs(control: DataView, offset: number): bigint {
  return control.getBigInt64(offset + 16, true) * 1_000_000_000n + control.getBigInt64(offset + 24, true);
}

async function measure(sender: number, receiver: number, delayMs: number, rate: number, seconds: number): Promise<Omit<Measurement, 'lineLatestUs'>> {
  const total = Math.round(rate * seconds);
  const datagram = new Uint8Array(datagramOctets);
  const view = new DataView(datagram.buffer);
  const batch = 64;
  const stride = 128;
  const controlStride = 64;
  const arena = new Uint8Array(batch * stride);
  const arenaView = new DataView(arena.buffer);
  const control = new Uint8Array(batch * controlStride);
  const controlView = new DataView(control.buffer);
  const lengths = new Int32Array(batch);
  const controlLengths = new Int32Array(batch);
  const errorsUs: number[] = [];
  const receive = (): void => {
    for (;;) {
      const count = native.recvBatch(receiver, arena, lengths, null, control, controlLengths);
      for (let i = 0; i < count; i++) {
        const sent = arenaView.getBigInt64(i * stride, true);
        errorsUs.push(Number(arrivalNs(controlView, i * controlStride) - sent) / 1000 - delayMs * 1000);
      }
      if (count < batch) return;
    }
  };
  const start = native.monotonicNs();
  for (let sent = 0; sent < total; ) {
    const due = Math.min(total, Math.floor((Number(native.monotonicNs() - start) * rate) / 1e9));
    for (; sent < due; sent++) {
      view.setBigInt64(0, native.realtimeNs(), true);
      native.sendmsg(sender, datagram, null, null);
    }
    receive();
    // Other handles of the process live on as well.
    await new Promise(setImmediate);
  }
  await waitFor(() => {
    receive();
    return errorsUs.length === total;
  }, { timeoutMs: delayMs + 500, what: 'the last datagrams', intervalMs: 1 }).catch(() => undefined);
  const { median, p99, max } = quantiles(errorsUs)!;
  return { delayMs, packets: total, lost: total - errorsUs.length, medianErrorUs: Math.round(median), p99ErrorUs: Math.round(p99), maxErrorUs: Math.round(max) };
}

const { values } = parseArgs({ options: { json: { type: 'boolean' }, rate: { type: 'string', default: '20000' }, seconds: { type: 'string', default: '3' } } });
const folder = mkdtempSync(join(tmpdir(), 'cpn-bench-'));
const file = join(folder, 'delay.clab.yml');
writeFileSync(file, topology);
const lab = await Lab.up(file);
try {
  const sender = native.inNetworkNamespace(lab.node('sender').networkNamespace, () => native.socket(AF_INET6, SOCK_DGRAM, 0));
  const receiver = native.inNetworkNamespace(lab.node('receiver').networkNamespace, () => native.socket(AF_INET6, SOCK_DGRAM, 0));
  native.setsockopt(receiver, SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20);
  native.setsockopt(receiver, SOL_SOCKET, SO_TIMESTAMPNS, 1);
  native.bind(receiver, socketAddress('fd00::2', port));
  native.connect(sender, socketAddress('fd00::2', port));
  const results: Measurement[] = [];
  for (const delayMs of [0, 1, 5, 20, 100]) {
    await lab.setDelay('sender:eth1', delayMs);
    // Warm up: neighbour discovery and the just-in-time compiler.
    await measure(sender, receiver, delayMs, Number(values.rate), 0.3);
    const measured = await measure(sender, receiver, delayMs, Number(values.rate), Number(values.seconds));
    const latestNs = (await lab.links())[0]!.directions[0].delayLine?.latestNs;
    results.push({ ...measured, lineLatestUs: latestNs === undefined ? null : Math.round(latestNs / 1000) });
  }
  if (values.json === true) process.stdout.write(`${JSON.stringify({ packetsPerSecond: Number(values.rate), results })}\n`);
  else {
    process.stdout.write(`delay error at ${values.rate} packets/s (us)\n  delay ms   packets   lost   median      p99      max   line max\n`);
    for (const r of results) {
      const cells = [r.delayMs, r.packets, r.lost, r.medianErrorUs, r.p99ErrorUs, r.maxErrorUs, r.lineLatestUs ?? '-'];
      process.stdout.write(`${cells.map((cell, i) => String(cell).padStart([10, 10, 7, 9, 9, 9, 11][i]!)).join('')}\n`);
    }
  }
  native.close(sender);
  native.close(receiver);
} finally {
  await lab.down();
  rmSync(folder, { recursive: true });
}
