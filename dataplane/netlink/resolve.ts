/** Resolves neighbours: the link-layer address of an on-link address, by the kernel's own neighbour discovery or ARP. */
import type { Clock, Timer } from '../../daemon/clock.js';
import { canonicalIp } from '../packet/ip.js';
import type { NetlinkClient } from './client.js';
import {
  NLM_F_CREATE,
  NLM_F_REPLACE,
  NTF_USE,
  NUD_DELAY,
  NUD_FAILED,
  NUD_NOARP,
  NUD_PERMANENT,
  NUD_PROBE,
  NUD_REACHABLE,
  NUD_STALE,
  RTM_DELNEIGH,
  RTM_GETNEIGH,
  RTM_NEWNEIGH,
  RTNLGRP_NEIGH,
} from './constants.js';
import { NetlinkMonitor } from './monitor.js';
import { decodeNeighbour, encodeNeighbour, encodeNeighbourDump, type NeighbourMessage } from './neighbour.js';
import type { NetlinkTransport } from './socket.js';
import type { Family } from '../packet/ip.js';

export const NEIGHBOUR_GROUPS = [RTNLGRP_NEIGH];

/** States in which the link-layer address may be used. */
const USABLE = NUD_PERMANENT | NUD_NOARP | NUD_REACHABLE | NUD_STALE | NUD_DELAY | NUD_PROBE;

interface Waiter {
  readonly resolve: (hardwareAddress: Uint8Array | undefined) => void;
  readonly timer: Timer;
}

export class NeighbourResolver {
  private readonly monitor: NetlinkMonitor;
  private readonly waiters = new Map<string, Waiter[]>();

  /** `transport` must be subscribed to NEIGHBOUR_GROUPS. */
  constructor(
    private readonly client: NetlinkClient,
    transport: NetlinkTransport,
    private readonly clock: Clock,
  ) {
    // An overrun costs a waiter its notification: it then ends by its timeout, and the next call asks again.
    this.monitor = new NetlinkMonitor(transport, {
      message: (message) => {
        if (message.type !== RTM_NEWNEIGH) return;
        const { value } = decodeNeighbour(message.payload);
        if (value) this.onNeighbour(value);
      },
      overrun: () => undefined,
    });
  }

  /** All entries of a family. Rejects with NetlinkError. */
  neighbours(family: Family): Promise<NeighbourMessage[]> {
    return this.client.dump(
      { type: RTM_GETNEIGH, encode: (writer) => encodeNeighbourDump(writer, family), describe: () => `dump of IPv${family} neighbours` },
      (message) => decodeNeighbour(message.payload),
    );
  }

  /** Resolves to the link-layer address, or undefined when nobody answers within `timeoutMs`. For IPv6 the interface needs a link-local address. Rejects with NetlinkError. */
  async resolve(interfaceIndex: number, address: string, timeoutMs = 3000): Promise<Uint8Array | undefined> {
    const canonical = canonicalIp(address);
    if (canonical === undefined) throw new TypeError(`not an IP address: ${address}`);
    const family = canonical.includes(':') ? 6 : 4;
    const known = (await this.neighbours(family)).find((entry) => entry.interfaceIndex === interfaceIndex && entry.address === canonical);
    if (known?.hardwareAddress && (known.state & USABLE) !== 0) return known.hardwareAddress;
    const answer = new Promise<Uint8Array | undefined>((resolve) => {
      const key = `${interfaceIndex} ${canonical}`;
      const timer = this.clock.setTimeout(() => this.finish(key, undefined), timeoutMs);
      this.waiters.set(key, [...(this.waiters.get(key) ?? []), { resolve, timer }]);
    });
    // NTF_USE starts the kernel's own resolution, as a packet to the address would.
    await this.client.request({
      type: RTM_NEWNEIGH,
      flags: NLM_F_CREATE | NLM_F_REPLACE,
      encode: (writer) => encodeNeighbour(writer, { family, interfaceIndex, address: canonical, state: 0, flags: NTF_USE }),
      describe: () => `resolution of neighbour ${canonical}`,
    });
    return answer;
  }

  /** Adds or replaces a permanent entry. Rejects with NetlinkError. */
  async set(interfaceIndex: number, address: string, hardwareAddress: Uint8Array): Promise<void> {
    await this.client.request({
      type: RTM_NEWNEIGH,
      flags: NLM_F_CREATE | NLM_F_REPLACE,
      encode: (writer) =>
        encodeNeighbour(writer, { family: address.includes(':') ? 6 : 4, interfaceIndex, address, state: NUD_PERMANENT, flags: 0, hardwareAddress }),
      describe: () => `neighbour ${address}`,
    });
  }

  /** Deletes an entry. Rejects with NetlinkError. */
  async delete(interfaceIndex: number, address: string): Promise<void> {
    await this.client.request({
      type: RTM_DELNEIGH,
      encode: (writer) => encodeNeighbour(writer, { family: address.includes(':') ? 6 : 4, interfaceIndex, address, state: 0, flags: 0 }),
      describe: () => `removal of neighbour ${address}`,
    });
  }

  private onNeighbour({ interfaceIndex, address, state, hardwareAddress }: NeighbourMessage): void {
    const key = `${interfaceIndex} ${address}`;
    if ((state & NUD_FAILED) !== 0) this.finish(key, undefined);
    else if ((state & USABLE) !== 0 && hardwareAddress) this.finish(key, hardwareAddress);
  }

  private finish(key: string, hardwareAddress: Uint8Array | undefined): void {
    const waiters = this.waiters.get(key) ?? [];
    this.waiters.delete(key);
    for (const { resolve, timer } of waiters) {
      timer.cancel();
      resolve(hardwareAddress);
    }
  }

  close(): void {
    for (const key of [...this.waiters.keys()]) this.finish(key, undefined);
    this.monitor.close();
  }
}
