/** A kernel in memory behind the transport of the netlink client: links, next hop objects, and routes by prefix, table and metric. */
import {
  NLMSG_DONE,
  NLMSG_ERROR,
  NLM_F_DUMP,
  NLM_F_EXCL,
  NLM_F_MULTI,
  NLM_F_REPLACE,
  RTM_DELNEXTHOP,
  RTM_DELROUTE,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_GETNEXTHOP,
  RTM_GETROUTE,
  RTM_NEWLINK,
  RTM_NEWNEXTHOP,
  RTM_NEWROUTE,
} from '../../../dataplane/netlink/constants.js';
import { keyOfMessage, keyText } from '../../../dataplane/netlink/kernel-route.js';
import { splitMessages, type NetlinkMessage } from '../../../dataplane/netlink/message.js';
import { decodeNextHop, encodeNextHop, encodeNextHopId, type NextHopMessage } from '../../../dataplane/netlink/nexthop.js';
import { decodeRoute, encodeRoute, type RouteMessage } from '../../../dataplane/netlink/route.js';
import type { NetlinkTransport } from '../../../dataplane/netlink/socket.js';
import { MessageWriter } from '../../../dataplane/netlink/writer.js';

const ENOENT = 2;
const EEXIST = 17;
const ESRCH = 3;
const EINVAL = 22;
const EOPNOTSUPP = 95;
const ENETDOWN = 100;
const CLIENT_PORT = 4711;

/** One end of a socket: what the kernel queued for it. */
export class FakeTransport implements NetlinkTransport {
  readonly port = CLIENT_PORT;
  readonly sent: Uint8Array[] = [];
  full = false;
  closed = false;
  private readonly queue: (Uint8Array | Error)[] = [];
  private listener: () => void = () => undefined;
  private signalled = false;

  constructor(private readonly answer: (message: NetlinkMessage) => readonly Uint8Array[] = () => []) {}

  send(messages: Uint8Array): boolean {
    if (this.full) return false;
    this.sent.push(messages.slice());
    for (const message of splitMessages(messages.slice()).messages) this.queue.push(...this.answer(message));
    return true;
  }

  receive(visit: (datagram: Uint8Array) => void, limit: number): boolean {
    for (let i = 0; i < limit; i++) {
      const next = this.queue.shift();
      if (next === undefined) return false;
      if (next instanceof Error) throw next;
      visit(next);
    }
    return true;
  }

  onReady(listener: () => void): void {
    this.listener = listener;
  }

  /** Queues something to be read and wakes the reader. */
  push(...datagrams: (Uint8Array | Error)[]): void {
    this.queue.push(...datagrams);
    if (this.signalled) return;
    this.signalled = true;
    setImmediate(() => {
      this.signalled = false;
      if (!this.closed) this.listener();
    });
  }

  close(): void {
    this.closed = true;
  }
}

/** What recvmmsg throws when the kernel had to drop messages. */
export const overrun = (): Error => Object.assign(new Error('recvmmsg: ENOBUFS: No buffer space available'), { errno: 105, code: 'ENOBUFS', syscall: 'recvmmsg' });

export function datagram(type: number, flags: number, sequence: number, port: number, encode: (writer: MessageWriter) => void): Uint8Array {
  const writer = new MessageWriter();
  writer.begin(type, flags, sequence);
  encode(writer);
  writer.end();
  const octets = writer.written().slice();
  new DataView(octets.buffer).setUint32(12, port, new Uint8Array(Uint16Array.of(1).buffer)[0] === 1);
  return octets;
}

/** An acknowledgement, or a refusal with an errno. */
export const answer = (sequence: number, errno: number): Uint8Array => datagram(NLMSG_ERROR, 0x100, sequence, CLIENT_PORT, (writer) => writer.u32(-errno >>> 0).zeros(16));
export const endOfDump = (sequence: number, flags = 0): Uint8Array => datagram(NLMSG_DONE, NLM_F_MULTI | flags, sequence, CLIENT_PORT, (writer) => writer.u32(0));

export class FakeKernel {
  readonly requests: FakeTransport = new FakeTransport((message) => this.handle(message));
  readonly routeEvents = new FakeTransport();
  readonly linkEvents = new FakeTransport();
  readonly routes = new Map<string, RouteMessage>();
  /** Writes of routes so far. */
  writes = 0;
  /** Called after each change of routes that was asked for. */
  onWrite: () => void = () => undefined;
  /** Errnos that the next writes are refused with. */
  readonly refusals: number[] = [];
  readonly nextHops = new Map<number, NextHopMessage>();
  /** False: a kernel before 5.3. */
  hasNextHops = true;
  /** Writes of next hop objects so far. */
  nextHopWrites = 0;
  private readonly links = new Map<number, { readonly name: string; up: boolean; carrier: boolean }>();

  addLink(index: number, name: string): void {
    this.links.set(index, { name, up: true, carrier: true });
  }

  /** Takes an interface up or down; its routes go without a word, as those of IPv4 do. */
  setLink(index: number, up: boolean): void {
    this.links.get(index)!.up = up;
    if (!up) for (const [key, route] of this.routes) if (route.nextHops.every((hop) => hop.interfaceIndex === index)) this.routes.delete(key);
    this.linkEvents.push(this.link(index, 0, 0));
  }

  /** A link loses or gets its carrier: objects over it are deleted without a word, their routes with one. */
  setCarrier(index: number, carrier: boolean): void {
    this.links.get(index)!.carrier = carrier;
    if (!carrier) for (const hop of [...this.nextHops.values()]) if (hop.interfaceIndex === index) this.dropNextHop(hop.id);
    this.linkEvents.push(this.link(index, 0, 0));
  }

  /** Somebody else deletes an object, notified as such. */
  deleteNextHop(id: number): void {
    this.dropNextHop(id);
    this.routeEvents.push(datagram(RTM_DELNEXTHOP, 0, 0, 99, (writer) => encodeNextHopId(writer, id)));
  }

  private dropNextHop(id: number): void {
    this.nextHops.delete(id);
    for (const [key, route] of [...this.routes]) if (route.nextHopId === id) this.deleteRoute(key);
    for (const hop of [...this.nextHops.values()]) {
      if (!hop.group?.some((member) => member.id === id)) continue;
      const group = hop.group.filter((member) => member.id !== id);
      if (group.length === 0) this.dropNextHop(hop.id);
      else this.nextHops.set(hop.id, { ...hop, group });
    }
  }

  /** Where the kernel would send packets to a prefix: the next hops of its best route, each as gateway and interface index, with its segments. */
  forwards(prefix: string): string[] {
    const routes = [...this.routes.values()].filter(({ destination }) => destination.toString() === prefix).sort((a, b) => a.metric! - b.metric!);
    const hops = (id: number): NextHopMessage[] => this.nextHops.get(id)?.group?.flatMap((member) => hops(member.id)) ?? [this.nextHops.get(id)!];
    const best = routes[0];
    const chosen = best?.nextHopId === undefined ? (best?.nextHops ?? []) : hops(best.nextHopId);
    return chosen.map(({ gateway, interfaceIndex, encapsulation }) => `${gateway ?? ''}%${interfaceIndex ?? ''}${encapsulation?.kind === 'seg6' ? ` by ${encapsulation.segments.join(',')}` : ''}`).sort();
  }

  /** Somebody else's doing, notified as such. */
  deleteRoute(key: string): void {
    const route = this.routes.get(key)!;
    this.routes.delete(key);
    this.routeEvents.push(datagram(RTM_DELROUTE, 0, 0, 99, (writer) => encodeRoute(writer, route)));
  }

  putRoute(route: RouteMessage): void {
    this.routes.set(keyText(keyOfMessage(route)), route);
    this.routeEvents.push(datagram(RTM_NEWROUTE, 0, 0, 99, (writer) => encodeRoute(writer, route)));
  }

  private link(index: number, flags: number, sequence: number): Uint8Array {
    const { name, up, carrier } = this.links.get(index)!;
    return datagram(RTM_NEWLINK, flags, sequence, CLIENT_PORT, (writer) =>
      writer.u8(0).u8(0).u16(1).u32(index).u32(up ? (carrier ? 0x41 : 0x1) : 0).u32(0).attributeText(3, name).attributeU32(4, 1500),
    );
  }

  private handle({ type, flags, sequence, payload }: NetlinkMessage): Uint8Array[] {
    if (type === RTM_GETLINK) return [...[...this.links.keys()].map((index) => this.link(index, NLM_F_MULTI, sequence)), endOfDump(sequence)];
    if (type === RTM_GETADDR) return [endOfDump(sequence)];
    if (type === RTM_GETNEXTHOP || type === RTM_NEWNEXTHOP || type === RTM_DELNEXTHOP) return this.handleNextHop(type, flags, sequence, payload);
    const asked = decodeRoute(payload).value!;
    const key = keyText(keyOfMessage(asked));
    if (type === RTM_GETROUTE && (flags & NLM_F_DUMP) === NLM_F_DUMP) {
      const matching = [...this.routes.values()].filter(
        ({ destination, protocol, table }) => destination.family === asked.destination.family && (asked.protocol || protocol) === protocol && (asked.table || table) === table,
      );
      return [...matching.map((route) => datagram(RTM_NEWROUTE, NLM_F_MULTI, sequence, CLIENT_PORT, (writer) => encodeRoute(writer, route))), endOfDump(sequence)];
    }
    if (type === RTM_NEWROUTE) {
      this.writes++;
      const refusal = this.refusals.shift();
      if (refusal !== undefined) return [answer(sequence, refusal)];
      if (asked.nextHopId !== undefined && !this.nextHops.has(asked.nextHopId)) return [answer(sequence, EINVAL)];
      if ((flags & NLM_F_EXCL) !== 0 && this.routes.has(key)) return [answer(sequence, EEXIST)];
      this.routes.set(key, asked);
      this.onWrite();
      return [answer(sequence, 0)];
    }
    if (type === RTM_DELROUTE) {
      if (this.routes.get(key)?.protocol !== asked.protocol) return [answer(sequence, ESRCH)];
      this.routes.delete(key);
      this.onWrite();
      return [answer(sequence, 0)];
    }
    return [answer(sequence, ENOENT)];
  }

  private handleNextHop(type: number, flags: number, sequence: number, payload: Uint8Array): Uint8Array[] {
    if (!this.hasNextHops) return [answer(sequence, EOPNOTSUPP)];
    if (type === RTM_GETNEXTHOP) return [...[...this.nextHops.values()].map((hop) => datagram(RTM_NEWNEXTHOP, NLM_F_MULTI, sequence, CLIENT_PORT, (writer) => encodeNextHop(writer, hop))), endOfDump(sequence)];
    const asked = decodeNextHop(payload).value!;
    const known = this.nextHops.get(asked.id);
    if (type === RTM_DELNEXTHOP) {
      if (!known) return [answer(sequence, ENOENT)];
      this.dropNextHop(asked.id);
      return [answer(sequence, 0)];
    }
    this.nextHopWrites++;
    if (known && (flags & NLM_F_EXCL) !== 0) return [answer(sequence, EEXIST)];
    if (known && ((flags & NLM_F_REPLACE) === 0 || (known.group === undefined) !== (asked.group === undefined))) return [answer(sequence, EINVAL)];
    if (asked.group?.some(({ id }) => !this.nextHops.has(id))) return [answer(sequence, EINVAL)];
    const link = asked.interfaceIndex === undefined ? undefined : this.links.get(asked.interfaceIndex);
    if (link && !(link.up && link.carrier)) return [answer(sequence, ENETDOWN)];
    this.nextHops.set(asked.id, asked);
    return [answer(sequence, 0)];
  }
}
