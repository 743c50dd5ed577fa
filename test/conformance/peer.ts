/** One connection to the target: sends octets, keeps every message that comes, and the routes they leave behind. */
import type { Socket } from 'node:net';
import { type Bytes, Capability, capabilityParameter, join, keepalive, MessageType, notification, open, toHex } from './wire/build.js';
import { describe, type Message, readOpen, type ReceivedAttribute, type ReceivedOpen, readUpdate, takeMessages } from './wire/read.js';

export interface Route {
  readonly prefix: string;
  readonly family: string;
  readonly pathId: number | undefined;
  readonly attributes: ReadonlyMap<number, ReceivedAttribute>;
  readonly order: readonly number[];
  readonly mpNextHop: Bytes | undefined;
  readonly mpReserved: number | undefined;
}

/** What this end says in its OPEN. */
export interface Identity {
  readonly as: number;
  readonly identifier: string;
  readonly holdTime: number;
  /** Each with code and length, all in one optional parameter. */
  readonly capabilities: readonly Bytes[];
}

export interface Arrival extends Message {
  readonly at: number;
}

const bitOf = (value: Bytes | undefined, family: string): number => {
  for (let offset = 0; value && offset + 4 <= value.length; offset += 4) {
    if (`${(value[offset]! << 8) | value[offset + 1]!}/${value[offset + 2]!}` === family) return value[offset + 3]!;
  }
  return 0;
};

const valueOf = (capabilities: readonly Bytes[], code: number): Bytes | undefined => capabilities.find((entry) => entry[0] === code)?.subarray(2);

export class Peer {
  readonly received: Arrival[] = [];
  readonly endsOfRib: string[] = [];
  /** `performance.now()` when the connection ended. */
  closedAt: number | undefined;
  /** UPDATEs that could not be read: a finding wherever it turns up. */
  fault: string | undefined;
  /** No KEEPALIVEs are sent of our own accord. */
  silent = false;
  private readonly routes = new Map<string, Route>();
  private readonly watchers = new Set<() => void>();
  private readonly addPath = new Set<string>();
  private pending: Bytes = new Uint8Array(0);
  private beat: NodeJS.Timeout | undefined;
  private openSeen: ReceivedOpen | undefined;

  constructor(
    private readonly socket: Socket,
    readonly local: string,
    readonly identity: Identity,
  ) {
    socket.on('data', (bytes) => this.take(new Uint8Array(bytes)));
    // The end of the stream counts; a reset comes as an error and then as the end.
    socket.on('error', () => undefined);
    socket.on('end', () => this.ended());
    socket.on('close', () => this.ended());
  }

  get open(): ReceivedOpen | undefined {
    return this.openSeen;
  }

  get isClosed(): boolean {
    return this.closedAt !== undefined;
  }

  /** AS numbers in AS_PATH and AGGREGATOR have so many octets in what this end sends (RFC 6793 section 4). */
  get asSize(): 2 | 4 {
    return this.offered(65) !== undefined && valueOf(this.identity.capabilities, 65) !== undefined ? 4 : 2;
  }

  /** The value of a capability in the target's OPEN. */
  offered(code: number): Bytes | undefined {
    return this.openSeen?.capabilities.find((entry) => entry.code === code)?.value;
  }

  /** Whether the target offered a family (RFC 4760 section 8). */
  offersFamily(family: string): boolean {
    const [afi, safi] = family.split('/').map(Number) as [number, number];
    return this.openSeen?.capabilities.some(({ code, value }) => code === 1 && value.length === 4 && ((value[0]! << 8) | value[1]!) === afi && value[3] === safi) ?? false;
  }

  /** The Send/Receive field that the target offered for a family (RFC 7911 section 4). */
  offeredAddPath(family: string): number {
    return bitOf(this.offered(69), family);
  }

  send(...messages: Bytes[]): void {
    if (!this.isClosed && this.socket.writable) this.socket.write(join(...messages));
  }

  sendOpen(overrides: Partial<Parameters<typeof open>[0]> = {}): void {
    const { as, holdTime, identifier, capabilities } = this.identity;
    this.send(open({ as: Math.min(as, 0xffff) === as ? as : 23456, holdTime, identifier, parameters: capabilities.length === 0 ? new Uint8Array(0) : capabilityParameter(...capabilities), ...overrides }));
  }

  /** KEEPALIVEs at a third of our hold time, from now on. */
  keepAlive(): void {
    this.send(keepalive());
    if (this.identity.holdTime === 0) return;
    this.beat = setInterval(() => {
      if (!this.silent) this.send(keepalive());
    }, (this.identity.holdTime * 1000) / 3);
  }

  /** Waits until `check` gives something; it is asked again after everything that comes. Undefined when the time is over. */
  until<T>(check: () => T | undefined | false, timeoutMs: number): Promise<T | undefined> {
    return new Promise((resolve) => {
      const finish = (value: T | undefined): void => {
        clearTimeout(timer);
        this.watchers.delete(look);
        resolve(value);
      };
      const look = (): void => {
        const value = check();
        if (value !== undefined && value !== false) finish(value);
      };
      const timer = setTimeout(() => finish(undefined), timeoutMs);
      this.watchers.add(look);
      look();
    });
  }

  /** The first message of a type, from the given position of `received` on. */
  message(type: number, timeoutMs: number, from = 0): Promise<Arrival | undefined> {
    return this.until(() => this.received.slice(from).find((message) => message.type === type), timeoutMs);
  }

  get notification(): { readonly code: number; readonly subcode: number; readonly data: Bytes; readonly text: string } | undefined {
    const found = this.received.find(({ type }) => type === MessageType.notification);
    return found && { code: found.body[0] ?? 0, subcode: found.body[1] ?? 0, data: found.body.slice(2), text: describe(found) };
  }

  /** The route of a prefix as the last UPDATE left it; with ADD-PATH any of its paths. */
  route(prefix: string): Route | undefined {
    return this.paths(prefix)[0];
  }

  /** All routes of a prefix: more than one with ADD-PATH only. */
  paths(prefix: string): Route[] {
    return [...this.routes.values()].filter((route) => route.prefix === prefix);
  }

  allRoutes(): Route[] {
    return [...this.routes.values()];
  }

  /** The octets of the last messages, for a report. */
  lastSeen(count = 2): string {
    const last = this.received.filter(({ type }) => type !== MessageType.keepalive).slice(-count).map(describe);
    return last.length === 0 ? 'nothing received' : last.join('; ');
  }

  /** Ends the session in the orderly way. */
  close(): void {
    if (!this.isClosed) this.send(notification(6, 2));
    this.drop();
  }

  /** Ends the connection without a word. */
  drop(): void {
    clearInterval(this.beat);
    this.socket.end();
    setTimeout(() => this.socket.destroy(), 200).unref();
  }

  private ended(): void {
    this.closedAt ??= performance.now();
    clearInterval(this.beat);
    this.wake();
  }

  private wake(): void {
    for (const look of [...this.watchers]) look();
  }

  private take(bytes: Bytes): void {
    const { messages, rest } = takeMessages(join(this.pending, bytes));
    this.pending = rest;
    const at = performance.now();
    for (const message of messages) {
      this.received.push({ ...message, at });
      if (message.type === MessageType.open) this.takeOpen(message.body);
      else if (message.type === MessageType.update) this.takeUpdate(message);
    }
    this.wake();
  }

  private takeOpen(body: Bytes): void {
    this.openSeen = readOpen(body);
    const mine = valueOf(this.identity.capabilities, 69);
    for (const family of ['1/1', '2/1', '2/128']) if ((this.offeredAddPath(family) & 2) !== 0 && (bitOf(mine, family) & 1) !== 0) this.addPath.add(family);
  }

  private takeUpdate(message: Message): void {
    const update = readUpdate(message.body, this.addPath);
    if (update.fault !== undefined) {
      this.fault ??= `${update.fault}: ${toHex(message.bytes)}`;
      return;
    }
    if (update.endOfRib !== undefined) this.endsOfRib.push(update.endOfRib);
    const key = ({ family, prefix, pathId }: { family: string; prefix: string; pathId: number | undefined }): string => `${family} ${prefix} ${pathId ?? ''}`;
    for (const gone of update.withdrawn) this.routes.delete(key(gone));
    const { attributes, order, mpNextHop, mpReserved } = update;
    for (const { family, prefix, pathId } of update.announced) this.routes.set(key({ family, prefix, pathId }), { family, prefix, pathId, attributes, order, mpNextHop, mpReserved });
  }
}

/** What a case says of itself unless it has a reason not to. */
export const usualCapabilities = (as: number): Bytes[] => [Capability.multiprotocol(1, 1), Capability.multiprotocol(2, 1), Capability.routeRefresh(), Capability.fourOctetAs(as)];
