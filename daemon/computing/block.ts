/**
 * The CPN block codec (proto/WIRE.md section 1): one encoding of a service's instances for BGP and OSPFv3.
 *
 * `decodeCpnBlock` never throws. `encodeCpnBlock` throws RangeError for values that no block may carry and for blocks past
 * CPN_MAX_SENT octets: the caller sizes with `cpnBlockSize` and aggregates first.
 */
import { Reader, Writer } from '../../dataplane/packet/cursor.js';
import { Prefix } from '../../dataplane/packet/ip.js';
import { type Field, ipv6, struct, u32, u64 } from './field.js';
import { type InstanceDraft, SUB_TLV_BY_TYPE, SUB_TLVS } from './sub-tlv.js';
import { tlvSize, type TlvFault, walkTlvs, writeTlv } from './tlv.js';
import type { CpnBlock, Instance, Origin } from './types.js';

/** Octets of magic and version. */
const HEADER_LENGTH = 4;
const MAGIC = [0x43, 0x50, 0x4e] as const; // "CPN"
const VERSION = 1;

const TlvType = { service: 1, origin: 2, instance: 3 } as const;
const SERVICE_LENGTH = 20;
const INSTANCE_HEADER_LENGTH = 8;
const InstanceFlag = { aggregate: 0x80, draining: 0x40 } as const;

/** A block that is sent has at most this many octets from the magic on; a receiver accepts more. */
export const CPN_MAX_SENT = 3_500;

/** Something a receiver ignored, and why. */
export interface CpnEvent {
  readonly offset: number; // octets from the magic
  readonly instance: number | undefined; // instanceId where known
  readonly reason: string;
}

export type CpnDecoded =
  /** Too short, or unknown magic or version: somebody else's, passed on. */
  | { readonly kind: 'foreign' }
  | { readonly kind: 'framingFault'; readonly reason: string; readonly offset: number }
  /** `events` tell dropped Origins, Services and Instances, and what makes no candidate (no Origin, no SID). */
  | { readonly kind: 'block'; readonly block: CpnBlock; readonly events: readonly CpnEvent[] };

const originField: Field<Origin> = struct<Origin>({ exit: ipv6, sequence: u64, originatedAt: u64, validity: u32 });

function emptyInstance(id: number, flags: number): InstanceDraft {
  return {
    id,
    aggregate: (flags & InstanceFlag.aggregate) !== 0,
    draining: (flags & InstanceFlag.draining) !== 0,
    sid: undefined,
    computing: [],
    load: undefined,
    serviceDelay: undefined,
    storage: [],
    interface: undefined,
    location: undefined,
    energy: undefined,
    price: undefined,
    algorithms: [],
    cats: [],
    grade: undefined,
    address: undefined,
  };
}

class BlockDecoder {
  service: Prefix | undefined;
  origin: Origin | undefined;
  readonly instances = new Map<number, Instance>();
  readonly events: CpnEvent[] = [];

  constructor(private readonly bytes: Uint8Array) {}

  private event(offset: number, instance: number | undefined, reason: string): void {
    this.events.push({ offset, instance, reason });
  }

  visit(type: number, start: number, end: number): TlvFault | undefined {
    if (type === TlvType.instance) return this.readInstance(start, end);
    if (type === TlvType.origin) this.readOrigin(start, end);
    else if (type === TlvType.service) this.readService(start, end);
    return undefined;
  }

  private readService(start: number, end: number): void {
    const length = this.bytes[start];
    if (end - start !== SERVICE_LENGTH) this.event(start, undefined, `Service: length ${end - start}, not ${SERVICE_LENGTH}`);
    else if (length! > 128) this.event(start, undefined, `Service: prefix length ${length!}`);
    else this.service ??= Prefix.of(this.bytes.subarray(start + 4, end), length!);
  }

  private readOrigin(start: number, end: number): void {
    // One of a wrong length counts as absent, which decodeCpnBlock reports once.
    if (end - start === originField.length) this.origin ??= originField.read(new Reader(this.bytes, start, end));
  }

  private readInstance(start: number, end: number): TlvFault | undefined {
    if (end - start < INSTANCE_HEADER_LENGTH) {
      this.event(start, undefined, `Instance: length ${end - start}, at least ${INSTANCE_HEADER_LENGTH} needed`);
      return undefined;
    }
    const reader = new Reader(this.bytes, start, end);
    const id = reader.u32();
    const draft = emptyInstance(id, reader.u8());
    const problems: string[] = [];
    const fault = walkTlvs(this.bytes, start + INSTANCE_HEADER_LENGTH, end, (type, from, to) => {
      const subTlv = SUB_TLV_BY_TYPE.get(type);
      const problem = subTlv?.decode(this.bytes, from, to, draft);
      if (problem !== undefined) problems.push(`${subTlv!.name}: ${problem}`);
      return undefined;
    });
    if (fault) return fault;
    if (problems.length > 0) this.event(start, id, `Instance dropped: ${problems.join('; ')}`);
    else if (this.instances.has(id)) this.event(start, id, 'Instance ignored: an earlier one has the same ID');
    else {
      this.instances.set(id, draft);
      if (draft.sid === undefined) this.event(start, id, 'Instance without an SRv6 SID: no candidate');
    }
    return undefined;
  }
}

/** Whether the octets begin with the magic and version of a block that this codec reads. */
export function isCpnBlock(bytes: Uint8Array): boolean {
  return bytes.length >= HEADER_LENGTH && bytes[0] === MAGIC[0] && bytes[1] === MAGIC[1] && bytes[2] === MAGIC[2] && bytes[3] === VERSION;
}

/** Reads one CPN block that fills `bytes`. */
export function decodeCpnBlock(bytes: Uint8Array): CpnDecoded {
  if (!isCpnBlock(bytes)) return { kind: 'foreign' };
  const decoder = new BlockDecoder(bytes);
  const fault = walkTlvs(bytes, HEADER_LENGTH, bytes.length, (type, start, end) => decoder.visit(type, start, end));
  if (fault) return { kind: 'framingFault', ...fault };
  const { service, origin, events } = decoder;
  if (!origin) events.push({ offset: 0, instance: undefined, reason: 'no usable Origin: no candidates' });
  return { kind: 'block', block: { service, origin, instances: [...decoder.instances.values()] }, events };
}

/** Octets of one Instance TLV in a block. */
export function cpnInstanceSize(instance: Instance): number {
  return tlvSize(INSTANCE_HEADER_LENGTH + SUB_TLVS.reduce((sum, subTlv) => sum + subTlv.size(instance), 0));
}

/** Octets of the encoded block, from the magic on; also for blocks too long to send. */
export function cpnBlockSize(block: CpnBlock): number {
  return (
    HEADER_LENGTH +
    (block.service ? tlvSize(SERVICE_LENGTH) : 0) +
    (block.origin ? tlvSize(originField.length) : 0) +
    block.instances.reduce((sum, instance) => sum + cpnInstanceSize(instance), 0)
  );
}

function writeInstance(writer: Writer, instance: Instance): void {
  const problem = u32.problem(instance.id);
  if (problem !== undefined) throw new RangeError(`instance ID: ${problem}`);
  const flags = (instance.aggregate ? InstanceFlag.aggregate : 0) | (instance.draining ? InstanceFlag.draining : 0);
  writeTlv(writer, TlvType.instance, (inner) => {
    inner.u32(instance.id).u8(flags).zeros(3);
    for (const subTlv of SUB_TLVS) subTlv.encode(inner, instance);
  });
}

/** Encodes a block. Throws RangeError when a value is impossible or the block exceeds CPN_MAX_SENT octets. */
export function encodeCpnBlock(block: CpnBlock): Uint8Array {
  const size = cpnBlockSize(block);
  if (size > CPN_MAX_SENT) throw new RangeError(`a CPN block of ${size} octets exceeds ${CPN_MAX_SENT}`);
  const writer = new Writer(size);
  for (const octet of MAGIC) writer.u8(octet);
  writer.u8(VERSION);
  const { service, origin } = block;
  if (service) {
    if (service.family !== 6) throw new RangeError(`Service: ${service.toString()} is not an IPv6 prefix`);
    writeTlv(writer, TlvType.service, (inner) => inner.u8(service.length).zeros(3).octets(service.bytes));
  }
  if (origin) {
    const problem = originField.problem(origin);
    if (problem !== undefined) throw new RangeError(`Origin: ${problem}`);
    writeTlv(writer, TlvType.origin, (inner) => originField.write(inner, origin));
  }
  for (const instance of block.instances) writeInstance(writer, instance);
  return writer.finish();
}
