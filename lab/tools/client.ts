/**
 * Traffic to a service: N flows of TCP or UDP requests, each flow a source port. Prints one JSON report when all requests are answered or given
 * up, or when interrupted. With --rate it sends at a constant rate over all flows in turn, which measures gaps.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { addressArgument, ArgumentError, numberArgument, runTool } from './arguments.js';
import { openTcp, openUdp, type Flow } from './flows.js';
import { defaultOptionType, requestHeader, type SocketRequest } from './option.js';
import { Ledger } from './report.js';

const usage =
  'client --to ADDRESS --port PORT [--protocol udp|tcp] [--flows N] [--source-port FIRST] [--from ADDRESS] [--requests N] [--interval-ms MS] ' +
  '[--rate PER_SECOND --duration-s S] [--size OCTETS] [--timeout-ms MS] [--requirements JSON | --option-hex HEX] [--option-type N] [--option-always]';

/** Number of flows opened at a time, so that a burst of connections does not measure the listen queue. */
const openingAtOnce = 64;

interface Plan {
  readonly protocol: 'tcp' | 'udp';
  readonly flows: number;
  readonly size: number;
  readonly timeoutMs: number;
  readonly everyPacket: boolean;
  readonly request: SocketRequest;
}

/** Resolves when the run should end early. */
const interrupted = new Promise<void>((resolve) => {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
});
let stop = false;
void interrupted.then(() => (stop = true));

class Run {
  readonly ledger = new Ledger();
  readonly errors = new Map<number, string>();
  private readonly flows: (Flow | undefined)[] = [];

  constructor(private readonly plan: Plan) {}

  private async open(index: number): Promise<void> {
    const { request, protocol, everyPacket, timeoutMs } = this.plan;
    const own = { ...request, sourcePort: request.sourcePort === 0 ? 0 : request.sourcePort + index };
    const onAnswer = (sequence: number, node: string): void => this.ledger.answer(sequence, node, performance.now());
    try {
      this.flows[index] = protocol === 'tcp' ? await openTcp(own, everyPacket, timeoutMs, onAnswer) : await openUdp(own, everyPacket, onAnswer);
    } catch (error) {
      this.errors.set(index, error instanceof Error ? error.message : String(error));
    }
  }

  async openAll(): Promise<void> {
    for (let first = 0; first < this.plan.flows; first += openingAtOnce) {
      await Promise.all(Array.from({ length: Math.min(openingAtOnce, this.plan.flows - first) }, (_, i) => this.open(first + i)));
    }
  }

  send(index: number): void {
    this.flows[index]?.send(this.ledger.send(index, performance.now()), this.plan.size);
  }

  /** Each flow sends `requests` times, an interval apart. */
  async rounds(requests: number, intervalMs: number): Promise<void> {
    for (let round = 0; round < requests && !stop; round++) {
      if (round > 0) await Promise.race([sleep(intervalMs), interrupted]);
      for (let i = 0; i < this.plan.flows; i++) this.send(i);
    }
  }

  /** Requests at a constant rate, flow after flow. What a late timer missed is made up at once, so that the rate holds. */
  async constantRate(perSecond: number, durationS: number): Promise<void> {
    const total = Math.round(perSecond * durationS);
    const start = performance.now();
    for (let sent = 0; sent < total && !stop; ) {
      const due = Math.min(total, Math.floor(((performance.now() - start) * perSecond) / 1000) + 1);
      for (; sent < due; sent++) this.send(sent % this.plan.flows);
      await sleep(1);
    }
  }

  /** Waits until everything is answered or the time allowed is over. */
  async drain(): Promise<void> {
    const deadline = performance.now() + this.plan.timeoutMs;
    while (this.ledger.answered < this.ledger.sent && performance.now() < deadline) await sleep(1);
  }

  close(): number[] {
    const ports = Array.from({ length: this.plan.flows }, (_, i) => this.flows[i]?.sourcePort ?? 0);
    for (const flow of this.flows) flow?.close();
    return ports;
  }
}

await runTool(usage, async () => {
  const text = { type: 'string' } as const;
  const { values } = parseArgs({
    options: {
      to: text, port: text, protocol: text, flows: text, 'source-port': text, from: text, requests: text, 'interval-ms': text, rate: text, 'duration-s': text,
      size: text, 'timeout-ms': text, requirements: text, 'option-hex': text, 'option-type': text, 'option-always': { type: 'boolean' },
    },
  });
  const protocol = values.protocol ?? 'udp';
  if (protocol !== 'udp' && protocol !== 'tcp') throw new ArgumentError(`--protocol: expected udp or tcp, found "${protocol}"`);
  const to = addressArgument('to', values.to);
  const options = requestHeader(values.requirements, values['option-hex'], numberArgument('option-type', values['option-type'], defaultOptionType, 0, 255));
  if (options && !to.includes(':')) throw new ArgumentError('--requirements: only IPv6 has destination options');
  const run = new Run({
    protocol,
    flows: numberArgument('flows', values.flows, 1, 1, 60_000),
    size: numberArgument('size', values.size, 32, 16, 60_000),
    timeoutMs: numberArgument('timeout-ms', values['timeout-ms'], 2000, 1),
    everyPacket: values['option-always'] === true,
    request: {
      to,
      port: numberArgument('port', values.port, 8080, 1, 65535),
      from: values.from === undefined ? '' : addressArgument('from', values.from),
      sourcePort: numberArgument('source-port', values['source-port'], 0, 0, 65535),
      options,
    },
  });
  await run.openAll();
  if (values.rate === undefined) {
    await run.rounds(numberArgument('requests', values.requests, 1, 1), numberArgument('interval-ms', values['interval-ms'], 0));
  } else {
    await run.constantRate(numberArgument('rate', values.rate, 0, 1, 1_000_000), numberArgument('duration-s', values['duration-s'], 10, 0.001));
  }
  await run.drain();
  const report = run.ledger.report(run.close(), run.errors);
  process.stdout.write(`${JSON.stringify(report)}\n`);
  return report.answered > 0 ? 0 : 1;
});
