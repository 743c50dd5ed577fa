/** Traffic for the lab tests and benches of the dataplane: a sender process in the chain, and counting at the far end. */
import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { CLIENT, SERVICE, type FlowChain } from './flow-chain.js';
import type { SendRequest, SenderSettings } from './flow-sender.js';

/** A flow-sender in the client's namespace, on one CPU. */
export class Sender {
  private constructor(
    private readonly child: ChildProcess,
    private readonly answers: AsyncIterator<string>,
  ) {}

  static async start(chain: FlowChain, flows: number, { octets = 64, cpu = 1, spoofed = false, outer = '' } = {}): Promise<Sender> {
    const settings: SenderSettings = { interface: 'c0', gateway: chain.macOf('entry', 'e0'), source: CLIENT, destination: SERVICE, flows, spoofed, octets, outer };
    const program = fileURLToPath(new URL('./flow-sender.js', import.meta.url));
    const child = chain.spawn('client', ['taskset', '-c', String(cpu), process.execPath, program, JSON.stringify(settings)]);
    const sender = new Sender(child, createInterface({ input: child.stdout! })[Symbol.asyncIterator]());
    await sender.answers.next();
    return sender;
  }

  async send(request: SendRequest): Promise<{ sent: number; ms: number }> {
    this.child.stdin?.write(`${JSON.stringify(request)}\n`);
    const next = await this.answers.next();
    if (next.done === true) throw new Error('the sender ended');
    return JSON.parse(next.value) as { sent: number; ms: number };
  }

  stop(): void {
    this.child.stdin?.end();
  }
}

/** Packets an interface of a node has received since it was made. */
export function receivedPackets(chain: FlowChain, node: 'entry' | 'exit' | 'server', interfaceName: string): number {
  const text = chain.exec(node, 'ip', '-j', '-s', 'link', 'show', 'dev', interfaceName);
  return (JSON.parse(text) as { stats64: { rx: { packets: number } } }[])[0]!.stats64.rx.packets;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
