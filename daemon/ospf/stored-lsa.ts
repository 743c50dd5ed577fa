/** One instance of an LSA in the link-state database. */
import type { Ageing } from './age-wheel.js';
import { LS_REFRESH_TIME } from './constants.js';
import { type FloodingScope, type Lsa, type LsaBody, type LsaHeader, type LsaKey, LSA_HEADER_LENGTH, MAX_AGE } from './wire/types.js';

export type StoredScope = Exclude<FloodingScope, 'reserved'>;

/** What names an LSA within its scope; of link scope, the interface is named beside it. */
export const lsaKey = ({ type, id, router }: LsaKey): string => `${type} ${id} ${router}`;

export class StoredLsa implements Lsa, Ageing {
  dueAt: number | undefined;
  /** Retransmission lists that hold it. */
  retransmissions = 0;
  /** When it was last sent to somebody who had sent an older one, ms (RFC 2328 section 13, step 8). */
  sentBackAt = -Infinity;
  /** Own: age at which it is originated again, s. */
  refreshAge = LS_REFRESH_TIME;
  /** Its age is MaxAge: it takes no part in routing, and goes once everybody has it (RFC 2328 section 14). */
  isMaxAge: boolean;
  private readonly installedAt: number;
  private readonly installedAge: number;

  constructor(
    private readonly lsa: Lsa,
    readonly scope: StoredScope,
    /** Link scope: the name of the interface. */
    readonly link: string | undefined,
    readonly self: boolean,
    now: number,
    /** Received by flooding, so that MinLSArrival holds for the next instance. */
    readonly flooded: boolean,
  ) {
    this.installedAt = now;
    this.installedAge = lsa.header.age;
    this.isMaxAge = lsa.header.age >= MAX_AGE;
  }

  /** Its age is that of the moment it was installed; `headerAt` has the age of another moment. */
  get header(): LsaHeader {
    return this.lsa.header;
  }

  get raw(): Uint8Array {
    return this.lsa.raw;
  }

  get body(): LsaBody {
    return this.lsa.body;
  }

  get receivedAt(): number {
    return this.installedAt;
  }

  ageAt(now: number): number {
    return this.isMaxAge ? MAX_AGE : Math.min(MAX_AGE, this.installedAge + Math.floor((now - this.installedAt) / 1000));
  }

  headerAt(now: number): LsaHeader {
    return { ...this.header, age: this.ageAt(now) };
  }

  /** Sets the age to MaxAge, whether it got there or is made to (premature aging, section 14.1). */
  expire(): void {
    this.isMaxAge = true;
  }

  /** The same contents (RFC 2328 section 13.2): age, sequence number and checksum do not count. */
  hasBodyOf(other: StoredLsa): boolean {
    return this.raw.length === other.raw.length && Buffer.compare(this.raw.subarray(LSA_HEADER_LENGTH), other.raw.subarray(LSA_HEADER_LENGTH)) === 0;
  }
}
