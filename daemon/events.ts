/** The event log of the router: a bounded ring that the logs, `cpnctl monitor` and tests read. */
import type { Clock } from './clock.js';

export type Severity = 'debug' | 'info' | 'warning' | 'error';

export type EventTopic = 'bgp' | 'bfd' | 'ospf' | 'rib' | 'flows' | 'awareness' | 'dataplane' | 'config';

export type EventField = string | number | bigint | boolean;

export interface RouterEvent {
  /** Grows by one an event, from 1: a gap tells a reader that it missed some. */
  readonly number: number;
  readonly unixMs: number;
  readonly topic: EventTopic;
  /** Stable name for programs: `bgp.established`, `stamp.exit-lost`. */
  readonly type: string;
  readonly severity: Severity;
  /** One line for people. */
  readonly text: string;
  readonly fields: Readonly<Record<string, EventField>>;
}

export type EventListener = (event: RouterEvent) => void;

export class EventLog {
  private readonly ring: RouterEvent[] = [];
  private readonly listeners = new Set<EventListener>();
  private count = 0;

  /** Keeps the last `capacity` events. */
  constructor(
    private readonly clock: Clock,
    private readonly capacity = 1024,
  ) {}

  emit(topic: EventTopic, type: string, severity: Severity, text: string, fields: Readonly<Record<string, EventField>> = {}): void {
    const event: RouterEvent = { number: ++this.count, unixMs: this.clock.unixMs(), topic, type, severity, text, fields };
    this.ring[(event.number - 1) % this.capacity] = event;
    for (const listener of [...this.listeners]) listener(event);
  }

  /** Kept events after number `after`, oldest first. */
  since(after = 0): RouterEvent[] {
    const first = Math.max(after + 1, this.count - this.capacity + 1);
    const events: RouterEvent[] = [];
    for (let number = Math.max(1, first); number <= this.count; number++) events.push(this.ring[(number - 1) % this.capacity]!);
    return events;
  }

  /** Calls `listener` for each event from now on; returns the way to stop. A listener must not throw. */
  subscribe(listener: EventListener): () => void {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  }
}
