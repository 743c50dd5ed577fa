/** Link TLV of an Intra-Area-TE-LSA: sub-TLVs of RFC 3630 section 2.5, RFC 5329 section 4 and RFC 7471 section 4. Of a repeated one the first counts. */
import { Reader, type Writer } from '../../../../dataplane/packet/cursor.js';
import { type Field, limited, mapped, struct, u32 } from '../../../computing/field.js';
import { walkTlvs, writeTlv } from '../../../computing/tlv.js';
import { readAddress, writeAddress } from '../prefix.js';
import type { TeLink } from '../types.js';

const LINK_TYPE = 1;
const LOCAL_ADDRESS = 19;
const REMOTE_ADDRESS = 20;

/** What has a value of fixed length. */
type Measure = Exclude<keyof TeLink, 'linkType' | 'local' | 'remote'>;

interface SubTlv<T> {
  readonly type: number;
  readonly field: Field<T>;
}

const scratch = new DataView(new ArrayBuffer(4));

/** IEEE 754 single precision, octets per second. */
const bandwidth: Field<number> = limited(
  mapped(
    u32,
    (bits) => {
      scratch.setUint32(0, bits);
      return scratch.getFloat32(0);
    },
    (value) => {
      scratch.setFloat32(0, value);
      return scratch.getUint32(0);
    },
  ),
  (value) => (value >= 0 && value < Infinity ? undefined : `a bandwidth of ${value}`),
);

/** 24 bits after 8 reserved ones. */
const low24: Field<number> = mapped(u32, (word) => word & 0xffffff, (value) => value);

/** 24 bits after the A bit, which says that they exceed a configured bound, and 7 reserved ones. */
const anomalous24: Field<{ readonly value: number; readonly anomalous: boolean }> = mapped(
  u32,
  (word) => ({ value: word & 0xffffff, anomalous: word >>> 31 === 1 }),
  ({ value, anomalous }) => value + (anomalous ? 0x80000000 : 0),
);

const delay: Field<NonNullable<TeLink['delay']>> = mapped(
  anomalous24,
  ({ value, anomalous }) => ({ us: value, anomalous }),
  ({ us, anomalous }) => ({ value: us, anomalous }),
);

const delayRange: Field<NonNullable<TeLink['delayRange']>> = mapped(
  struct<{ minimum: { value: number; anomalous: boolean }; maximumUs: number }>({ minimum: anomalous24, maximumUs: low24 }),
  ({ minimum, maximumUs }) => ({ minimumUs: minimum.value, maximumUs, anomalous: minimum.anomalous }),
  ({ minimumUs, maximumUs, anomalous }) => ({ minimum: { value: minimumUs, anomalous }, maximumUs }),
);

/** In the order in which they are written. */
const SUB_TLVS: { readonly [K in Measure]: SubTlv<NonNullable<TeLink[K]>> } = {
  teMetric: { type: 5, field: u32 },
  maximumBandwidth: { type: 6, field: bandwidth },
  maximumReservable: { type: 7, field: bandwidth },
  neighbor: { type: 18, field: struct({ interfaceId: u32, routerId: u32 }) },
  delay: { type: 27, field: delay },
  delayRange: { type: 28, field: delayRange },
  delayVariationUs: { type: 29, field: low24 },
  loss: { type: 30, field: anomalous24 },
  residualBandwidth: { type: 31, field: bandwidth },
  availableBandwidth: { type: 32, field: bandwidth },
  utilizedBandwidth: { type: 33, field: bandwidth },
};
const ENTRIES = Object.entries(SUB_TLVS) as [Measure, SubTlv<unknown>][];
const BY_TYPE: ReadonlyMap<number, readonly [Measure, SubTlv<unknown>]> = new Map(ENTRIES.map((entry) => [entry[1].type, entry]));
const NONE = Object.fromEntries(ENTRIES.map(([name]) => [name, undefined])) as Record<Measure, undefined>;

class LinkDecoder {
  private linkType: number | undefined;
  private readonly measures: Record<Measure, unknown> = { ...NONE };
  private local: readonly string[] | undefined;
  private remote: readonly string[] | undefined;

  /** Takes a sub-TLV; false when its length is impossible. */
  take(type: number, reader: Reader): boolean {
    const length = reader.remaining;
    if (type === LINK_TYPE) {
      this.linkType ??= reader.u8();
      return length === 1;
    }
    if (type === LOCAL_ADDRESS || type === REMOTE_ADDRESS) {
      if (length % 16 !== 0) return false;
      const addresses: string[] = [];
      while (reader.remaining > 0) addresses.push(readAddress(reader));
      if (type === LOCAL_ADDRESS) this.local ??= addresses;
      else this.remote ??= addresses;
      return true;
    }
    const known = BY_TYPE.get(type);
    if (!known) return true;
    const [name, { field }] = known;
    if (length !== field.length) return false;
    const value = field.read(reader);
    if (field.impossible?.(value) === undefined) this.measures[name] ??= value;
    return true;
  }

  finish(): TeLink | string {
    const { linkType } = this;
    if (linkType !== 1 && linkType !== 2) return linkType === undefined ? 'no link type' : `link type ${linkType}`;
    return { linkType, ...(this.measures as Pick<TeLink, Measure>), local: this.local ?? [], remote: this.remote ?? [] };
  }
}

/** Reads the value of a Link TLV, or says why it makes no sense. Bandwidths that are no finite positive numbers count as absent. */
export function readTeLink({ bytes, offset, end }: Reader): TeLink | string {
  const decoder = new LinkDecoder();
  const fault = walkTlvs(bytes, offset, end, (type, start, to) =>
    decoder.take(type, new Reader(bytes, start, to)) ? undefined : { reason: `sub-TLV ${type} of length ${to - start}`, offset: start },
  );
  return fault ? fault.reason : decoder.finish();
}

/** Writes the value of a Link TLV. Throws RangeError for addresses that are no IPv6 addresses. */
export function writeTeLink(writer: Writer, link: TeLink): void {
  writeTlv(writer, LINK_TYPE, (value) => value.u8(link.linkType));
  for (const [name, { type, field }] of ENTRIES) {
    const value = link[name];
    if (value !== undefined) writeTlv(writer, type, (inner) => field.write(inner, value));
  }
  writeAddresses(writer, LOCAL_ADDRESS, link.local);
  writeAddresses(writer, REMOTE_ADDRESS, link.remote);
}

function writeAddresses(writer: Writer, type: number, addresses: readonly string[]): void {
  if (addresses.length === 0) return;
  writeTlv(writer, type, (inner) => {
    for (const address of addresses) writeAddress(inner, address);
  });
}
