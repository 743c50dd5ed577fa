/** What operators and nodes are told about nodes: events, the same kind about a node not too often. */
import type { Clock } from '../../clock.js';
import type { EventLog, Severity } from '../../events.js';
import type { NodeRecord } from './node.js';

/** The same notice about a node is given once in this time. */
export const NOTICE_MS = 10_000;
/** Refusals of nodes that nobody knows are told once in this time: anybody can cause them. */
const REFUSAL_MS = 1000;

export class NodeNotices {
  private refusalNoticedAt = -Infinity;

  constructor(
    private readonly clock: Clock,
    private readonly events: EventLog,
  ) {}

  /** Emits an event about a node; false when the same kind was told within `everyMs`. */
  notice(record: NodeRecord, type: string, severity: Severity, text: string, everyMs: number): boolean {
    const now = this.clock.now();
    if (everyMs > 0 && now - (record.noticed.get(type) ?? -Infinity) < everyMs) return false;
    record.noticed.set(type, now);
    this.events.emit('awareness', type, severity, `node ${record.id}: ${text}`, { node: record.id });
    return true;
  }

  /** Claims that were cut down; the node hears of it. */
  limited(record: NodeRecord, reasons: readonly string[]): void {
    for (const reason of reasons) {
      record.counters.limited++;
      if (this.notice(record, 'node.limited', 'warning', reason, NOTICE_MS)) record.channel?.send({ limited: { reason } });
    }
  }

  /** A node that was not let in. */
  refused(node: string, reason: string): void {
    const now = this.clock.now();
    if (now - this.refusalNoticedAt < REFUSAL_MS) return;
    this.refusalNoticedAt = now;
    this.events.emit('awareness', 'node.refused', 'warning', `node ${node.replace(/[^\w.-]/g, '?').slice(0, 63)} is refused: ${reason}`, {});
  }
}
