/** A prefix of a VPN (RFC 4364 section 4.1, RFC 4659 section 2): route distinguisher and IP prefix, with the label field of its NLRI. */
import type { Prefix } from '../../../dataplane/packet/ip.js';
import { formatRouteDistinguisher } from './route-distinguisher.js';

/** Label Implicit NULL, bottom of stack: what stands in the label field when no bits of a SID do (RFC 9252 section 4). */
export const IMPLICIT_NULL_LABEL = 0x000031;

export class VpnPrefix {
  #text: string | undefined;

  constructor(
    /** The eight octets as one number. */
    readonly rd: bigint,
    readonly prefix: Prefix,
    /** The 24-bit label field: label (20 bits), traffic class, bottom of stack. No part of the key. */
    readonly label: number,
  ) {}

  toString(): string {
    return (this.#text ??= `${formatRouteDistinguisher(this.rd)} ${this.prefix.toString()}`);
  }
}
