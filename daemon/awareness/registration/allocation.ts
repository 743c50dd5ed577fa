/**
 * Instance numbers and SIDs of registered services. Both follow from one function code of the SID, which is derived from node and service, so that
 * a router that lost its state gives the same ones again in all but rare collisions. Pure.
 */
import { createHash } from 'node:crypto';
import { Prefix } from '../../../dataplane/packet/ip.js';
import type { RouterConfig } from '../../config/types.js';
import { makeSid } from '../../sids.js';

export interface Allocation {
  readonly instance: number;
  readonly sid: string;
}

/** The eighth of the function space below the one of configured instances (daemon/config/resolve.ts). */
const EIGHTH = 6;

export class Allocator {
  /** Function code -> owner. */
  private readonly owners = new Map<number, string>();
  private readonly codes = new Map<string, number>();
  private readonly first: number;
  private readonly count: number;
  private readonly locator: Prefix;

  constructor(
    private readonly router: Pick<RouterConfig, 'locator' | 'sidStructure'>,
    /** Whether the configuration has given this instance number of the service, or this SID, to somebody. */
    private readonly taken: (service: string, allocation: Allocation) => boolean,
  ) {
    this.count = 2 ** (router.sidStructure.function - 3);
    this.first = EIGHTH * this.count;
    this.locator = Prefix.from(router.locator);
  }

  private allocation(code: number): Allocation {
    return { instance: code, sid: makeSid(this.locator, this.router.sidStructure.function, code) };
  }

  /** The allocation of a node's service: the one it has, or a new one. Undefined when all are given out. */
  allocate(node: string, service: string): Allocation | undefined {
    const owner = `${node} ${service}`;
    const known = this.codes.get(owner);
    if (known !== undefined) {
      const allocation = this.allocation(known);
      if (!this.taken(service, allocation)) return allocation;
      this.release(node, service);
    }
    if (this.owners.size >= this.count) return undefined;
    const start = createHash('sha256').update(owner).digest().readUInt32BE(0) % this.count;
    for (let step = 0; step < this.count; step++) {
      const code = this.first + ((start + step) % this.count);
      if (this.owners.has(code)) continue;
      const allocation = this.allocation(code);
      if (this.taken(service, allocation)) continue;
      this.claim(owner, code);
      return allocation;
    }
    return undefined;
  }

  /** Takes up an allocation of an earlier run; false when it does not fit any more. */
  restore(node: string, service: string, { instance, sid }: Allocation): boolean {
    const allocation = instance >= this.first && instance < this.first + this.count ? this.allocation(instance) : undefined;
    if (allocation?.sid !== sid || this.owners.has(instance) || this.taken(service, allocation)) return false;
    this.claim(`${node} ${service}`, instance);
    return true;
  }

  release(node: string, service: string): void {
    const owner = `${node} ${service}`;
    const code = this.codes.get(owner);
    if (code === undefined) return;
    this.codes.delete(owner);
    this.owners.delete(code);
  }

  private claim(owner: string, code: number): void {
    this.owners.set(code, owner);
    this.codes.set(owner, code);
  }
}
