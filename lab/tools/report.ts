/** What a run of requests gave: who answered, how fast, and for how long nobody did. Pure. */

/** One request. Times are in ms on one steady clock. */
interface Sent {
  readonly flow: number;
  readonly at: number;
  answeredAt: number | undefined;
  node: string | undefined;
}

export interface Quantiles {
  readonly min: number;
  readonly median: number;
  readonly p99: number;
  readonly max: number;
}

export interface FlowReport {
  readonly sourcePort: number;
  readonly sent: number;
  readonly answered: number;
  /** Nodes that answered, in the order they first did after another. */
  readonly nodes: readonly string[];
  /** Round trip of the first answered request, us. */
  readonly firstRttUs: number | null;
  /** Longest time between two answers in a row, beyond the pace of the requests, ms. */
  readonly longestGapMs: number;
  readonly error: string | null;
}

export interface Report {
  readonly sent: number;
  readonly answered: number;
  readonly lost: number;
  readonly duplicates: number;
  /** Answers that came after the answer to a later request of the same flow. */
  readonly reordered: number;
  /** Answers by node. */
  readonly nodes: Readonly<Record<string, number>>;
  readonly rttUs: Quantiles | null;
  /** Flows that were answered by another node later than at first. */
  readonly moved: number;
  /** From the last answer of the old node to the first of the new one, over moved flows, ms. */
  readonly moveGapMs: Quantiles | null;
  readonly flows: readonly FlowReport[];
}

export function quantiles(values: readonly number[]): Quantiles | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
  return { min: sorted[0]!, median: at(0.5), p99: at(0.99), max: sorted.at(-1)! };
}

export class Ledger {
  private readonly requests: Sent[] = [];
  private readonly lastAnswered = new Map<number, number>();
  private duplicates = 0;
  private reordered = 0;
  answered = 0;

  /** Notes a request that is being sent and returns its number. */
  send(flow: number, at: number): number {
    return this.requests.push({ flow, at, answeredAt: undefined, node: undefined }) - 1;
  }

  answer(sequence: number, node: string, at: number): void {
    const request = this.requests[sequence];
    if (!request) return;
    if (request.answeredAt !== undefined) {
      this.duplicates++;
      return;
    }
    request.answeredAt = at;
    request.node = node;
    this.answered++;
    if ((this.lastAnswered.get(request.flow) ?? -1) > sequence) this.reordered++;
    else this.lastAnswered.set(request.flow, sequence);
  }

  get sent(): number {
    return this.requests.length;
  }

  /** @param ports source port of each flow, `errors` what kept a flow from being opened */
  report(ports: readonly number[], errors: ReadonlyMap<number, string>): Report {
    const byFlow: Sent[][] = ports.map(() => []);
    for (const request of this.requests) byFlow[request.flow]!.push(request);
    const nodes: Record<string, number> = {};
    const rtts: number[] = [];
    const moveGaps: number[] = [];
    const flows = byFlow.map((requests, flow): FlowReport => {
      const heard = requests.filter((r) => r.answeredAt !== undefined);
      const order: string[] = [];
      let longestGapMs = 0;
      for (const [i, request] of heard.entries()) {
        nodes[request.node!] = (nodes[request.node!] ?? 0) + 1;
        rtts.push((request.answeredAt! - request.at) * 1000);
        const before = heard[i - 1];
        if (before) longestGapMs = Math.max(longestGapMs, request.answeredAt! - before.answeredAt!);
        if (before && before.node !== request.node) moveGaps.push(request.answeredAt! - before.answeredAt!);
        if (order.at(-1) !== request.node) order.push(request.node!);
      }
      const first = heard[0];
      const pace = requests.length > 1 ? (requests.at(-1)!.at - requests[0]!.at) / (requests.length - 1) : 0;
      return {
        sourcePort: ports[flow]!,
        sent: requests.length,
        answered: heard.length,
        nodes: order,
        firstRttUs: first ? Math.round((first.answeredAt! - first.at) * 1000) : null,
        longestGapMs: Math.max(0, longestGapMs - pace),
        error: errors.get(flow) ?? null,
      };
    });
    return {
      sent: this.requests.length,
      answered: this.answered,
      lost: this.requests.length - this.answered,
      duplicates: this.duplicates,
      reordered: this.reordered,
      nodes,
      rttUs: quantiles(rtts.map(Math.round)),
      moved: flows.filter((f) => f.nodes.length > 1).length,
      moveGapMs: quantiles(moveGaps),
      flows,
    };
  }
}
