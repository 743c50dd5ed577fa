/**
 * Next hop objects of ours in the kernel: what routes with backups point to, so that one write switches all of them at once, whatever their number.
 *
 * Routes of the same next hops and backups share an object: a single next hop, which is replaced by its backup, or a group, which loses members. The kernel deletes
 * objects by itself, with their routes and without telling of the object, when their link loses its carrier: the backup route behind each then forwards.
 */
import type { Clock, Timer } from '../../daemon/clock.js';
import { Adjacencies, type ProtectedTarget } from '../adjacencies.js';
import type { NextHop } from '../dataplane.js';
import type { Family } from '../packet/ip.js';
import type { NetlinkClient, NetlinkRequest } from './client.js';
import { NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, RTM_DELNEXTHOP, RTM_GETNEXTHOP, RTM_NEWNEXTHOP, RTNH_F_ONLINK } from './constants.js';
import { NetlinkError } from './error.js';
import { ROUTE_PROTOCOL, encapsulationText } from './kernel-route.js';
import type { LinkMonitor } from './links.js';
import type { NetlinkMessage } from './message.js';
import { decodeNextHop, encodeNextHop, encodeNextHopDump, encodeNextHopId, type NextHopMessage } from './nexthop.js';

/** Identifiers of ours. Ids that the kernel or FRR's zebra allocate count up from 1. */
const FIRST_ID = 0x6370_0000;
const ID_COUNT = 0x1_0000;

/** How long an object that no route uses is kept: what replaces a route may want it again. */
const LINGER_MS = 1000;
const RETRY_MS = 100;
/** Notifications of routes come before those of the link that took them along. */
const SUSPICION_MS = 20;
const ENOENT = 2;
const EEXIST = 17;

export interface NextHopObject {
  readonly id: number;
}

/** A next hop, and the SIDs that packets are encapsulated towards before. */
interface Hop {
  readonly nextHop: NextHop;
  readonly segments: readonly string[];
}

/** The object is in the kernel; will be told of by `changed`; is gone together with all that it protects, while its backup is there; or why there is none. */
export type Readiness = 'ready' | 'pending' | 'parked' | { readonly reason: string };

interface Content<User> {
  /** The same for equal contents. */
  readonly text: string;
  readonly message: NextHopMessage;
  readonly interfaces: readonly string[];
  readonly members: readonly Node<User>[];
}

interface Node<User> extends NextHopObject {
  readonly key: string;
  readonly family: Family;
  /** What it switches between; a fixed hop otherwise. */
  readonly target: ProtectedTarget | undefined;
  readonly hop: Hop;
  /** Objects that a group may be made of, by key; undefined: no group. */
  readonly members: ReadonlyMap<string, Node<User>> | undefined;
  /** Groups that may have it as a member, routes that want it, and routes that the kernel has with it. */
  readonly groups: Set<Node<User>>;
  readonly users: Set<User>;
  readonly holders: Set<User>;
  /** What the kernel acknowledged; empty: not in the kernel; `?`: in doubt. */
  written: string;
  interfaces: readonly string[];
  inFlight: number;
}

export interface NextHopObjectsListener<User> {
  /** An object was made for these routes, or could not be. */
  made(users: Iterable<User>, error: NetlinkError | undefined): void;
  /** The kernel has an object no longer, nor the routes with it. */
  gone(users: Iterable<User>, holders: Iterable<User>): void;
  /** An object that was suspected to be gone is there: of its routes only those are missing that were told of. */
  intact(users: Iterable<User>): void;
  /** A request was answered. */
  answered(): void;
}

const IN_DOUBT = '?';

/** `User`: a route that points to an object. */
export class NextHopObjects<User> {
  /** False where the kernel has none, or nobody asked yet. */
  supported = false;
  /** Why not. */
  lack: string | undefined;
  private readonly nodes = new Map<string, Node<User>>();
  private readonly byId = new Map<number, Node<User>>();
  /** Of an earlier run, not claimed yet. */
  private readonly found = new Map<number, NextHopMessage>();
  private readonly taken = new Set<number>();
  private readonly unused = new Set<Node<User>>();
  private nextId = 0;
  private lingering: Timer | undefined;
  private retrying: Timer | undefined;
  private readonly suspects = new Set<Node<User>>();
  private closed = false;
  /** Requests under way. */
  busy = 0;

  constructor(
    private readonly client: NetlinkClient,
    private readonly links: LinkMonitor,
    private readonly adjacencies: Adjacencies,
    private readonly clock: Clock,
    private readonly listener: NextHopObjectsListener<User>,
  ) {}

  /** Finds out whether the kernel has next hop objects, and which of ours an earlier run left. Rejects when the socket fails. */
  async start(): Promise<void> {
    this.found.clear();
    try {
      for (const message of await this.dump()) {
        if (isOurs(message)) this.found.set(message.id, message);
        else this.taken.add(message.id);
      }
      this.supported = true;
    } catch (error) {
      if (!(error instanceof NetlinkError)) throw error;
      this.lack = error.message;
    }
  }

  private dump(): Promise<NextHopMessage[]> {
    return this.client.dump({ type: RTM_GETNEXTHOP, encode: encodeNextHopDump, describe: () => 'dump of next hop objects' }, (message) =>
      message.type === RTM_NEWNEXTHOP ? decodeNextHop(message.payload) : undefined,
    );
  }

  /** The object of routes of a family with these next hops and backups. `preferred`: the id such a route has already. Undefined: no identifier is left. */
  ofTarget(target: ProtectedTarget, family: Family, preferred?: number): NextHopObject | undefined {
    const key = `${family} ${JSON.stringify([target.nextHops, target.backups])}`;
    const known = this.nodes.get(key);
    if (known) return known;
    if (target.nextHops.length === 1) return this.make(key, family, { nextHop: target.nextHops[0]!, segments: [] }, target, undefined, preferred);
    const members = new Map<string, Node<User>>();
    for (const hop of [...target.nextHops.map((nextHop) => ({ nextHop, segments: [] })), ...target.backups]) {
      const member = this.ofHop(hop, family);
      if (!member) return undefined;
      members.set(hopKey(hop, family), member);
    }
    return this.make(key, family, { nextHop: target.nextHops[0]!, segments: [] }, target, members, preferred);
  }

  /** The object of one next hop. */
  ofHop({ nextHop, segments }: Hop, family: Family, preferred?: number): Node<User> | undefined {
    const hop = { nextHop: withoutWeight(nextHop), segments };
    const key = hopKey(hop, family);
    return this.nodes.get(key) ?? this.make(key, family, hop, undefined, undefined, preferred);
  }

  private make(key: string, family: Family, hop: Hop, target: ProtectedTarget | undefined, members: ReadonlyMap<string, Node<User>> | undefined, preferred?: number): Node<User> | undefined {
    const fields = { key, family, hop, target, members, groups: new Set<Node<User>>(), users: new Set<User>(), holders: new Set<User>(), written: '', interfaces: [], inFlight: 0 };
    const content = this.contentOf({ ...fields, id: 0 });
    const adopted = 'reason' in content ? undefined : this.adopt(content, preferred);
    const id = adopted ?? this.allocate();
    if (id === undefined) return undefined;
    const node: Node<User> = { ...fields, id };
    if (adopted !== undefined && !('reason' in content)) {
      node.written = content.text;
      node.interfaces = content.interfaces;
    }
    this.nodes.set(key, node);
    this.byId.set(id, node);
    for (const member of members?.values() ?? []) member.groups.add(node);
    return node;
  }

  /** The id of an object that an earlier run left with this content. */
  private adopt(content: Content<User>, preferred: number | undefined): number | undefined {
    const fits = (message: NextHopMessage | undefined): boolean => message !== undefined && messageText(message) === content.text;
    let id = preferred !== undefined && fits(this.found.get(preferred)) ? preferred : undefined;
    if (id === undefined) for (const [other, message] of this.found) if (id === undefined && fits(message)) id = other;
    if (id !== undefined) this.found.delete(id);
    return id;
  }

  private allocate(): number | undefined {
    for (let attempt = 0; attempt < ID_COUNT; attempt++) {
      const id = FIRST_ID + this.nextId;
      this.nextId = (this.nextId + 1) % ID_COUNT;
      if (!this.byId.has(id) && !this.found.has(id) && !this.taken.has(id)) return id;
    }
    return undefined;
  }

  /** What an object is to hold as things are, or why it can hold nothing. */
  private contentOf(node: Node<User>): Content<User> | { readonly reason: string } {
    const now = node.target && this.adjacencies.forwarding(node.target, this.isDown);
    if (node.members) {
      const hops = now?.backup ? [now.backup] : (now?.nextHops ?? []).map((nextHop) => ({ nextHop, segments: [] }));
      const reasons = hops.map((hop) => this.reasonAgainst(hop.nextHop));
      const reason = reasons.find((text) => text !== undefined);
      if (reason !== undefined) return { reason };
      const chosen = hops.map((hop) => ({ node: node.members!.get(hopKey(hop, node.family))!, weight: weightOf(hop.nextHop) })).sort((a, b) => a.node.id - b.node.id);
      const message: NextHopMessage = { id: node.id, family: undefined, protocol: ROUTE_PROTOCOL, flags: 0, group: chosen.map((member) => ({ id: member.node.id, weight: member.weight })) };
      return { text: messageText(message), message, interfaces: hops.map((hop) => hop.nextHop.interface), members: chosen.map((member) => member.node) };
    }
    const { nextHop, segments } = now?.backup ?? node.hop;
    const reason = this.reasonAgainst(nextHop);
    if (reason !== undefined) return { reason };
    const { gateway, interface: name, onLink } = nextHop;
    const message: NextHopMessage = {
      id: node.id,
      family: gateway === undefined ? node.family : gateway.includes(':') ? 6 : 4,
      protocol: ROUTE_PROTOCOL,
      flags: onLink === true ? RTNH_F_ONLINK : 0,
      interfaceIndex: this.links.find(name)!.index,
      ...(gateway !== undefined && { gateway }),
      ...(segments.length > 0 && { encapsulation: { kind: 'seg6', mode: 'encap', segments } as const }),
    };
    return { text: messageText(message), message, interfaces: [name], members: [] };
  }

  private reasonAgainst({ interface: name }: NextHop): string | undefined {
    const link = this.links.find(name);
    if (!link) return `no interface ${name}`;
    return link.up ? undefined : `interface ${name} is down`;
  }

  private readonly isDown = (name: string): boolean => this.links.find(name)?.up !== true;

  /** Whether the routes of an object take a backup as things are. */
  isOnBackup(object: NextHopObject): boolean {
    const { target } = nodeOf<User>(object);
    return target !== undefined && this.adjacencies.forwarding(target, this.isDown).backup !== undefined;
  }

  /**
   * Whether routes can be written with an object; begins to make it where that is possible. `parks`: while all next hops have failed, an object that the kernel
   * lost is not made again with the backup, because the backup route forwards.
   */
  readiness(object: NextHopObject, parks: boolean): Readiness {
    const node = nodeOf<User>(object);
    if (node.written !== '') {
      this.bring(node);
      return 'ready';
    }
    if (parks && this.isOnBackup(node)) return 'parked';
    const content = this.contentOf(node);
    if ('reason' in content) return content;
    if (node.inFlight === 0) this.write(node);
    return 'pending';
  }

  use(object: NextHopObject, user: User): void {
    nodeOf<User>(object).users.add(user);
  }

  release(object: NextHopObject, user: User): void {
    nodeOf<User>(object).users.delete(user);
    this.mayBeUnused(nodeOf(object));
  }

  /** A route in the kernel has it: it must not be deleted, that would take the route along. */
  hold(object: NextHopObject, holder: User): void {
    nodeOf<User>(object).holders.add(holder);
  }

  letGo(object: NextHopObject, holder: User): void {
    nodeOf<User>(object).holders.delete(holder);
    this.mayBeUnused(nodeOf(object));
  }

  /** Writes all objects in the kernel whose content is to be another now; `urgently`: before all else. Returns how many routes that switches. */
  refresh(urgently = false): number {
    let routes = 0;
    const urgent: { readonly request: NetlinkRequest; readonly done: (error?: NetlinkError) => void }[] = [];
    for (const node of this.nodes.values()) {
      if (node.written === '' || !this.differs(node)) continue;
      if (node.target) routes += node.users.size;
      if (urgently) urgent.push(this.writing(node));
      else this.bring(node);
    }
    if (urgent.length > 0) this.client.submitUrgently(urgent);
    return routes;
  }

  private differs(node: Node<User>): boolean {
    const content = this.contentOf(node);
    return !('reason' in content) && content.text !== node.written;
  }

  private bring(node: Node<User>): void {
    if (node.inFlight === 0 && this.differs(node)) this.write(node);
  }

  private write(node: Node<User>): void {
    // The members of a group first: the kernel works in the order it is asked.
    const content = this.contentOf(node);
    if (!('reason' in content)) for (const member of content.members) if (member.written === '' && member.inFlight === 0) this.write(member);
    // A backup must be there before it is wanted.
    for (const member of node.members?.values() ?? []) if (member.written === '' && member.inFlight === 0 && !this.isDown(member.hop.nextHop.interface)) this.write(member);
    const { request, done } = this.writing(node);
    this.client.submit(request, done);
  }

  /** What is sent is what is wanted when it is sent: an urgent write overtakes those that are queued. */
  private writing(node: Node<User>, flags = NLM_F_CREATE | NLM_F_REPLACE): { readonly request: NetlinkRequest; readonly done: (error?: NetlinkError) => void } {
    node.inFlight++;
    this.busy++;
    let sent: Content<User> | undefined;
    const request: NetlinkRequest = {
      type: RTM_NEWNEXTHOP,
      flags,
      encode: (writer) => {
        const content = this.contentOf(node);
        if ('reason' in content) throw new Error(content.reason);
        sent = content;
        encodeNextHop(writer, content.message);
      },
      describe: () => `next hop object ${node.id} (${node.key})`,
    };
    const done = (error?: NetlinkError): void => {
      node.inFlight--;
      this.busy--;
      const before = node.written;
      if (!error) {
        node.written = sent!.text;
        node.interfaces = sent!.interfaces;
        this.bring(node);
      }
      if (before === '') this.listener.made(node.users, error);
      else if (error) this.retryLater();
      this.listener.answered();
    };
    return { request, done };
  }

  private retryLater(): void {
    if (this.closed) return;
    this.retrying ??= this.clock.setTimeout(() => {
      this.retrying = undefined;
      this.refresh();
    }, RETRY_MS);
  }

  /** These interfaces lost their carrier, went down or are others by now: the kernel deleted what led over them. */
  lost(names: ReadonlySet<string>): void {
    const gone: Node<User>[] = [];
    for (const node of this.nodes.values()) {
      if (node.written === '' || !node.interfaces.some((name) => names.has(name))) continue;
      // A group with members elsewhere has lost the others only.
      if (node.members && node.interfaces.some((name) => !names.has(name))) node.written = IN_DOUBT;
      else gone.push(node);
    }
    this.isGone(gone);
  }

  /** A route with this object vanished, or cannot be written: perhaps the object is gone, which the kernel does not always tell. */
  suspect(object: NextHopObject): void {
    const node = nodeOf<User>(object);
    if (node.written === '' || this.closed) return;
    if (this.suspects.size === 0) {
      this.clock.setTimeout(() => {
        const suspects = [...this.suspects];
        this.suspects.clear();
        for (const suspected of suspects) if (suspected.written !== '' && !this.closed) this.verify(suspected);
      }, SUSPICION_MS);
    }
    this.suspects.add(node);
  }

  /** Makes the object where it is not there: the kernel's answer tells whether it was. */
  private verify(node: Node<User>): void {
    const { request, done } = this.writing(node, NLM_F_CREATE | NLM_F_EXCL);
    this.client.submit(request, (error) => {
      if (error?.errno === EEXIST) {
        node.inFlight--;
        this.busy--;
        this.listener.intact(node.users);
        this.listener.answered();
        return;
      }
      node.written = '';
      done(error);
      this.tellGone(node);
    });
  }

  /** A notification that was not caused by us. */
  onMessage({ type, payload }: NetlinkMessage): void {
    const { value } = decodeNextHop(payload);
    if (!value) return;
    const node = this.byId.get(value.id);
    if (!node) {
      this.found.delete(value.id);
      if (type === RTM_NEWNEXTHOP) this.taken.add(value.id);
      else this.taken.delete(value.id);
    } else if (type === RTM_DELNEXTHOP) this.isGone([node]);
    else if (node.written !== messageText(value)) {
      node.written = IN_DOUBT;
      this.bring(node);
    }
  }

  private isGone(nodes: readonly Node<User>[]): void {
    for (const node of nodes) node.written = '';
    for (const node of nodes) this.tellGone(node);
  }

  private tellGone(node: Node<User>): void {
    const holders = [...node.holders];
    node.holders.clear();
    this.listener.gone(node.users, holders);
  }

  /** Notifications were lost: looks what the kernel has. Rejects with NetlinkError. */
  async compare(): Promise<void> {
    if (!this.supported) return;
    const kernel = new Map((await this.dump()).map((message) => [message.id, messageText(message)]));
    const gone: Node<User>[] = [];
    for (const node of this.nodes.values()) {
      if (node.written === '' || node.inFlight > 0) continue;
      const text = kernel.get(node.id);
      if (text === undefined) gone.push(node);
      else if (text !== node.written) node.written = IN_DOUBT;
    }
    this.isGone(gone);
    this.refresh();
  }

  private mayBeUnused(node: Node<User>): void {
    if (this.closed || isUsed(node)) return;
    this.unused.add(node);
    this.lingering ??= this.clock.setTimeout(() => {
      this.lingering = undefined;
      this.deleteUnused();
    }, LINGER_MS);
  }

  private deleteUnused(): void {
    const nodes = [...this.unused].filter((node) => !isUsed(node));
    this.unused.clear();
    for (const node of nodes) {
      this.nodes.delete(node.key);
      for (const member of node.members?.values() ?? []) {
        member.groups.delete(node);
        this.mayBeUnused(member);
      }
      this.busy++;
      this.client.submit(deletion(node.id), (error) => {
        this.busy--;
        this.byId.delete(node.id);
        // What could not be deleted keeps its identifier.
        if (error && error.errno !== ENOENT) this.taken.add(node.id);
        this.listener.answered();
      });
    }
  }

  /** Deletes what an earlier run left and nobody claimed; routes with them are gone by now. */
  async sweep(): Promise<void> {
    const messages = [...this.found.values()];
    this.found.clear();
    await this.deleteAll(messages);
  }

  /** Deletes all objects of ours, and the routes that still have them. Rejects with NetlinkError. */
  async removeAll(): Promise<void> {
    for (const timer of [this.lingering, this.retrying]) timer?.cancel();
    this.lingering = this.retrying = undefined;
    this.nodes.clear();
    this.byId.clear();
    this.unused.clear();
    this.found.clear();
    if (this.supported) await this.deleteAll((await this.dump()).filter(isOurs));
  }

  private async deleteAll(messages: readonly NextHopMessage[]): Promise<void> {
    const groupsFirst = [...messages].sort((a, b) => Number(b.group !== undefined) - Number(a.group !== undefined));
    await Promise.all(
      groupsFirst.map((message) =>
        this.client.request(deletion(message.id)).catch((error: unknown) => {
          if ((error as NetlinkError).errno !== ENOENT) throw error;
        }),
      ),
    );
  }

  /** Objects stay in the kernel. */
  close(): void {
    this.closed = true;
    for (const timer of [this.lingering, this.retrying]) timer?.cancel();
  }
}

const nodeOf = <User>(object: NextHopObject): Node<User> => object as Node<User>;

const isUsed = <User>({ groups, users, holders }: Node<User>): boolean => groups.size > 0 || users.size > 0 || holders.size > 0;

const isOurs = ({ id, protocol }: NextHopMessage): boolean => protocol === ROUTE_PROTOCOL && id >= FIRST_ID && id < FIRST_ID + ID_COUNT;

const weightOf = ({ weight = 1 }: NextHop): number => Math.min(256, Math.max(1, Math.round(weight)));

/** A member's share stands in its group. */
const withoutWeight = ({ gateway, interface: name, onLink }: NextHop): NextHop => ({ interface: name, ...(gateway !== undefined && { gateway }), ...(onLink !== undefined && { onLink }) });

const hopKey = ({ nextHop, segments }: Hop, family: Family): string =>
  `${nextHop.gateway === undefined ? family : ''} ${nextHop.gateway ?? ''}%${nextHop.interface}${nextHop.onLink === true ? ' on link' : ''}${segments.length > 0 ? ` by ${segments.join(',')}` : ''}`;

/** Text that is the same for objects that forward alike. */
function messageText({ group, family, flags, interfaceIndex, gateway, encapsulation }: NextHopMessage): string {
  if (group) return [...group].sort((a, b) => a.id - b.id).map(({ id, weight }) => `${id}*${weight}`).join(' ');
  return `${family ?? ''} ${interfaceIndex ?? ''} ${gateway ?? ''} ${flags & RTNH_F_ONLINK} ${encapsulationText(encapsulation)}`;
}

function deletion(id: number): NetlinkRequest {
  return { type: RTM_DELNEXTHOP, encode: (writer) => encodeNextHopId(writer, id), describe: () => `removal of next hop object ${id}` };
}
