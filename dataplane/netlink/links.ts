/** Interfaces and their addresses: what the kernel has, kept current by notifications, and the addresses that are ours. */
import type { Clock, Timer } from '../../daemon/clock.js';
import type { LinkState } from '../dataplane.js';
import { parseIp, formatIp } from '../packet/ip.js';
import { decodeAddress, encodeAddress, encodeAddressDump, type AddressMessage } from './address.js';
import type { NetlinkClient } from './client.js';
import {
  AF_UNSPEC,
  IFA_F_DADFAILED,
  IFA_F_NODAD,
  IFA_F_TENTATIVE,
  IFF_LOOPBACK,
  IFF_RUNNING,
  IFF_UP,
  NLM_F_CREATE,
  NLM_F_EXCL,
  RTM_DELADDR,
  RTM_DELLINK,
  RTM_GETADDR,
  RTM_GETLINK,
  RTM_NEWADDR,
  RTM_NEWLINK,
  RTNLGRP_IPV4_IFADDR,
  RTNLGRP_IPV6_IFADDR,
  RTNLGRP_LINK,
} from './constants.js';
import { NetlinkError } from './error.js';
import { ROUTE_PROTOCOL, type RouteInterface } from './kernel-route.js';
import { decodeLink, encodeLinkChange, encodeLinkRequest, type LinkChange, type LinkMessage } from './link.js';
import type { NetlinkMessage } from './message.js';
import { NetlinkMonitor } from './monitor.js';
import type { NetlinkTransport } from './socket.js';

export const LINK_GROUPS = [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR];

/** Pause before a declared address that vanished is added again. */
const ADDRESS_REPAIR_MS = 1000;
const READ_ATTEMPTS = 5;
const EEXIST = 17;
const ENODEV = 19;
const EADDRNOTAVAIL = 99;

export interface Link extends LinkState, RouteInterface {
  /** Driver, such as veth or tun. */
  readonly kind?: string;
  /** Index of the bridge, bond or VRF it belongs to. */
  readonly master?: number;
  readonly hardwareAddress: Uint8Array;
  /** How often it was seen to go down: tells of a flap that was over before anybody looked. */
  readonly downs: number;
  /** The same of its carrier. */
  readonly losses: number;
}

/** Key of an address on an interface: "address/length", canonical. */
const addressText = (message: AddressMessage): string => `${message.address}/${message.prefixLength}`;

function parseInterfaceAddress(text: string): Pick<AddressMessage, 'family' | 'address' | 'prefixLength'> {
  const [address = '', length] = text.split('/');
  const octets = parseIp(address);
  const bits = octets ? octets.length * 8 : 0;
  const prefixLength = length === undefined ? bits : Number(length);
  if (!octets || !Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > bits) throw new TypeError(`not an interface address: ${text}`);
  return { family: octets.length === 4 ? 4 : 6, address: formatIp(octets), prefixLength };
}

export class LinkMonitor {
  private readonly messages = new Map<number, LinkMessage>();
  private readonly addresses = new Map<number, Map<string, AddressMessage>>();
  private readonly downs = new Map<number, number>();
  private readonly losses = new Map<number, number>();
  private names = new Map<string, Link>();
  private readonly listeners = new Set<(links: readonly Link[]) => void>();
  /** Addresses declared by interface name. */
  private readonly declared = new Map<string, readonly string[]>();
  /** Added by this process: on kernels that do not store an address's protocol, all that tells ours from others'. */
  private readonly added = new Set<string>();
  private readonly monitor: NetlinkMonitor;
  private notifications = 0;
  private announcing = false;
  private started = false;
  private repair: Timer | undefined;

  /** `transport` must be subscribed to LINK_GROUPS. */
  constructor(
    private readonly client: NetlinkClient,
    transport: NetlinkTransport,
    private readonly clock: Clock,
  ) {
    this.monitor = new NetlinkMonitor(transport, {
      message: (message) => this.onMessage(message),
      overrun: () => void this.read().catch(() => this.clock.setTimeout(() => void this.read().catch(() => undefined), ADDRESS_REPAIR_MS)),
    });
  }

  /** Reads what there is. Rejects with NetlinkError. */
  async start(): Promise<void> {
    await this.read();
    this.started = true;
  }

  private async read(): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      const before = this.notifications;
      const [links, addresses] = await this.dump();
      // A notification read meanwhile may be newer than what it would be overwritten with.
      if (this.notifications !== before && attempt < READ_ATTEMPTS) continue;
      this.messages.clear();
      this.addresses.clear();
      for (const link of links) this.messages.set(link.index, link);
      for (const address of addresses) this.setAddress(address);
      this.update();
      return;
    }
  }

  private async dump(): Promise<[LinkMessage[], AddressMessage[]]> {
    const links = await this.client.dump({ type: RTM_GETLINK, encode: encodeLinkRequest, describe: () => 'dump of links' }, (message) => decodeLink(message.payload));
    const addresses = await this.client.dump({ type: RTM_GETADDR, encode: encodeAddressDump, describe: () => 'dump of addresses' }, (message) =>
      decodeAddress(message.payload),
    );
    return [links, addresses];
  }

  private setAddress(message: AddressMessage): void {
    const known = this.addresses.get(message.interfaceIndex) ?? new Map<string, AddressMessage>();
    this.addresses.set(message.interfaceIndex, known.set(addressText(message), message));
  }

  private onMessage(message: NetlinkMessage): void {
    this.notifications++;
    if (message.type === RTM_NEWLINK || message.type === RTM_DELLINK) {
      const { value } = decodeLink(message.payload);
      // A bridge tells of its ports with messages of its own family: a port that left it is not gone.
      if (value?.family !== AF_UNSPEC) return;
      if (message.type === RTM_NEWLINK) {
        const before = this.messages.get(value.index);
        const lost = (flag: number): boolean => before !== undefined && (before.flags & flag) !== 0 && (value.flags & flag) === 0;
        if (lost(IFF_UP)) this.downs.set(value.index, (this.downs.get(value.index) ?? 0) + 1);
        if (lost(IFF_RUNNING)) this.losses.set(value.index, (this.losses.get(value.index) ?? 0) + 1);
        this.messages.set(value.index, value);
      } else {
        this.messages.delete(value.index);
        this.addresses.delete(value.index);
      }
    } else if (message.type === RTM_NEWADDR || message.type === RTM_DELADDR) {
      const { value } = decodeAddress(message.payload);
      if (!value) return;
      if (message.type === RTM_NEWADDR) this.setAddress(value);
      else this.addresses.get(value.interfaceIndex)?.delete(addressText(value));
    } else return;
    this.update();
  }

  /** Rebuilds the view once for all messages read together, and tells the listeners. */
  private update(): void {
    if (this.announcing) return;
    this.announcing = true;
    queueMicrotask(() => {
      this.announcing = false;
      this.build();
      this.scheduleRepair();
      const links = this.links();
      for (const listener of this.listeners) listener(links);
    });
  }

  private build(): void {
    this.names = new Map();
    for (const { index, name, flags, mtu, hardwareAddress, kind, master } of this.messages.values()) {
      const addresses: string[] = [];
      for (const [text, address] of this.addresses.get(index) ?? []) {
        // Not usable before duplicate address detection has passed (RFC 4862 section 5.4).
        if ((address.flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED)) === 0) addresses.push(text);
      }
      const enabled = (flags & IFF_UP) !== 0;
      const up = enabled && (flags & IFF_RUNNING) !== 0;
      const loopback = (flags & IFF_LOOPBACK) !== 0;
      const downs = this.downs.get(index) ?? 0;
      const losses = this.losses.get(index) ?? 0;
      this.names.set(name, { name, index, up, enabled, loopback, downs, losses, mtu, addresses, hardwareAddress, ...(kind !== undefined && { kind }), ...(master !== undefined && { master }) });
    }
  }

  /** All interfaces, by index. */
  links(): readonly Link[] {
    return [...this.names.values()].sort((a, b) => a.index - b.index);
  }

  find(name: string): Link | undefined {
    return this.names.get(name);
  }

  nameOf(index: number): string | undefined {
    return this.messages.get(index)?.name;
  }

  /** Calls `listener` after every change; returns what ends that. */
  onChange(listener: (links: readonly Link[]) => void): () => void {
    this.listeners.add(listener);
    return () => void this.listeners.delete(listener);
  }

  /** Changes an interface: up or down, MTU, generation of link-local addresses. Rejects with NetlinkError. */
  async change(name: string, change: Omit<LinkChange, 'index'>): Promise<void> {
    const link = this.required(name);
    await this.client.request({
      type: RTM_NEWLINK,
      encode: (writer) => encodeLinkChange(writer, { ...change, index: link.index }),
      describe: () => `change of interface ${name}`,
    });
  }

  private required(name: string): Link {
    const link = this.names.get(name);
    if (!link) throw new NetlinkError(ENODEV, `interface ${name}`, { errno: ENODEV, text: 'no such interface' });
    return link;
  }

  /**
   * Declares all addresses ("address/length", or an address alone) that an interface has from us: missing ones are added without
   * duplicate address detection, earlier ones of ours that are no longer declared go. Others' addresses stay. A declared
   * address that vanishes (the kernel drops IPv6 addresses when an interface goes down) is added again; those of an interface that is
   * not there yet wait for it. Rejects with NetlinkError.
   */
  async setAddresses(name: string, addresses: readonly string[]): Promise<void> {
    const wanted = addresses.map(parseInterfaceAddress);
    const texts = wanted.map((address) => `${address.address}/${address.prefixLength}`);
    this.declared.set(name, texts);
    const index = this.names.get(name)?.index;
    if (index === undefined) return;
    for (const [text, message] of [...(this.addresses.get(index) ?? [])]) {
      if (!texts.includes(text) && this.isOurs(message)) await this.deleteAddress(message);
    }
    for (const address of wanted) await this.addAddress(name, index, address);
  }

  private isOurs(message: AddressMessage): boolean {
    return message.protocol === ROUTE_PROTOCOL || this.added.has(`${message.interfaceIndex} ${addressText(message)}`);
  }

  private async addAddress(name: string, index: number, address: Pick<AddressMessage, 'family' | 'address' | 'prefixLength'>): Promise<void> {
    const text = `${address.address}/${address.prefixLength}`;
    if (this.addresses.get(index)?.has(text)) return;
    const message: AddressMessage = {
      ...address,
      interfaceIndex: index,
      scope: 0,
      flags: address.family === 6 ? IFA_F_NODAD : 0,
      protocol: ROUTE_PROTOCOL,
    };
    try {
      await this.client.request({
        type: RTM_NEWADDR,
        flags: NLM_F_CREATE | NLM_F_EXCL,
        encode: (writer) => encodeAddress(writer, message),
        describe: () => `address ${text} on ${name}`,
      });
      this.added.add(`${index} ${text}`);
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.errno !== EEXIST) throw error;
    }
  }

  private async deleteAddress(message: AddressMessage): Promise<void> {
    this.added.delete(`${message.interfaceIndex} ${addressText(message)}`);
    try {
      await this.client.request({
        type: RTM_DELADDR,
        encode: (writer) => encodeAddress(writer, { ...message, flags: 0 }),
        describe: () => `removal of address ${addressText(message)} from ${this.nameOf(message.interfaceIndex) ?? message.interfaceIndex}`,
      });
    } catch (error) {
      if (!(error instanceof NetlinkError) || error.errno !== EADDRNOTAVAIL) throw error;
    }
  }

  /** Takes all addresses away that are ours, also those of an earlier run where the kernel stores who added them. */
  async removeAddresses(): Promise<void> {
    this.declared.clear();
    for (const addresses of [...this.addresses.values()]) {
      for (const message of [...addresses.values()]) if (this.isOurs(message)) await this.deleteAddress(message);
    }
  }

  private scheduleRepair(): void {
    if (this.repair || !this.started) return;
    const missing = [...this.declared].some(([name, texts]) => {
      const link = this.names.get(name);
      return link?.enabled === true && texts.some((text) => !this.addresses.get(link.index)?.has(text));
    });
    if (!missing) return;
    this.repair = this.clock.setTimeout(() => {
      this.repair = undefined;
      void this.repairAddresses();
    }, ADDRESS_REPAIR_MS);
  }

  private async repairAddresses(): Promise<void> {
    for (const [name, texts] of this.declared) {
      const link = this.names.get(name);
      if (!link?.enabled) continue;
      try {
        for (const text of texts) await this.addAddress(name, link.index, parseInterfaceAddress(text));
      } catch {
        this.scheduleRepair();
      }
    }
  }

  /** Stops watching; addresses stay. */
  close(): void {
    this.repair?.cancel();
    this.declared.clear();
    this.listeners.clear();
    this.monitor.close();
  }
}
