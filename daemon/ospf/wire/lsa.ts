/** LSAs: reading one out of its octets, and making one that this router originates. */
import { Reader, Writer } from '../../../dataplane/packet/cursor.js';
import type { BodyDecoder } from './lsa/body.js';
import { decodeCpnBody } from './lsa/cpn.js';
import { decodeExtendedRouterBody } from './lsa/extended-router.js';
import { decodeAsExternalBody, decodeNssaBody } from './lsa/external.js';
import { decodeGraceBody } from './lsa/grace.js';
import { decodeInterAreaPrefixBody } from './lsa/inter-area-prefix.js';
import { decodeInterAreaRouterBody } from './lsa/inter-area-router.js';
import { decodeIntraAreaPrefixBody } from './lsa/intra-area-prefix.js';
import { decodeIntraAreaTeBody } from './lsa/intra-area-te.js';
import { decodeLinkBody } from './lsa/link.js';
import { decodeNetworkBody } from './lsa/network.js';
import { decodeRouterBody } from './lsa/router.js';
import { decodeRouterInformationBody } from './lsa/router-information.js';
import { decodeSrv6LocatorBody } from './lsa/srv6-locator.js';
import { isLsaChecksumRight, lsaChecksum } from './lsa-checksum.js';
import { readLsaHeader, writeLsaHeader } from './lsa-header.js';
import { LsType, type Lsa, type LsaBody, type LsaDecoded, type LsaFault, type LsaHeader, LSA_HEADER_LENGTH } from './types.js';

/** Where checksum and length stand in a header. */
const CHECKSUM_AT = 16;

const DECODERS: ReadonlyMap<number, BodyDecoder> = new Map<number, BodyDecoder>([
  [LsType.router, decodeRouterBody],
  [LsType.network, decodeNetworkBody],
  [LsType.interAreaPrefix, decodeInterAreaPrefixBody],
  [LsType.interAreaRouter, decodeInterAreaRouterBody],
  [LsType.asExternal, decodeAsExternalBody],
  [LsType.nssa, decodeNssaBody],
  [LsType.link, decodeLinkBody],
  [LsType.intraAreaPrefix, decodeIntraAreaPrefixBody],
  [LsType.intraAreaTe, decodeIntraAreaTeBody],
  [LsType.grace, decodeGraceBody],
  [LsType.routerInformation, decodeRouterInformationBody],
  [LsType.extendedRouter, decodeExtendedRouterBody],
  [LsType.srv6Locator, decodeSrv6LocatorBody],
]);

function decodeBody(raw: Uint8Array, decoder: BodyDecoder | undefined): LsaBody {
  if (!decoder) return { kind: 'unknown' };
  const body = decoder(new Reader(raw, LSA_HEADER_LENGTH));
  return typeof body === 'string' ? { kind: 'malformed', reason: body } : body;
}

/** Reads its body when it is first asked for: most LSAs that are received are copies of what the database has. */
class LsaValue implements Lsa {
  #body: LsaBody | undefined;
  readonly #cpnLsType: number;

  constructor(
    readonly header: LsaHeader,
    readonly raw: Uint8Array,
    cpnLsType: number,
  ) {
    this.#cpnLsType = cpnLsType;
  }

  get body(): LsaBody {
    const { type } = this.header;
    return (this.#body ??= decodeBody(this.raw, type === this.#cpnLsType ? decodeCpnBody : DECODERS.get(type)));
  }
}

/** An LSA as another one at another age. */
class AgedLsa implements Lsa {
  readonly header: LsaHeader;
  readonly raw: Uint8Array;
  readonly #source: Lsa;

  constructor(source: Lsa, age: number) {
    this.header = { ...source.header, age };
    this.raw = source.raw;
    this.#source = source;
  }

  get body(): LsaBody {
    return this.#source.body;
  }
}

const fault = (header: LsaHeader | undefined, reason: string): { readonly ok: false; readonly fault: LsaFault } => ({ ok: false, fault: { header, reason } });

/**
 * Reads the LSA that fills `bytes`, which are copied. A wrong length or checksum is a fault; a body that makes no sense is not, since such an
 * LSA is kept and flooded as any other. Never throws.
 *
 * @param cpnLsType LS type of computing LSAs, where another than the default is configured
 */
export function decodeLsa(bytes: Uint8Array, cpnLsType: number = LsType.cpn): LsaDecoded {
  const reader = new Reader(bytes);
  const header = readLsaHeader(reader);
  if (!reader.ok) return fault(undefined, `${bytes.length} octets where the header of an LSA needs ${LSA_HEADER_LENGTH}`);
  if (header.length !== bytes.length) return fault(header, `an LSA of length ${header.length} in ${bytes.length} octets`);
  if (!isLsaChecksumRight(bytes)) return fault(header, `LS checksum 0x${header.checksum.toString(16)} is wrong`);
  const raw = new Uint8Array(bytes.length);
  raw.set(bytes);
  return { ok: true, lsa: new LsaValue(header, raw, cpnLsType) };
}

/**
 * Makes an LSA from what its header says and the octets of its body, as the `encode...Body` functions give them: length and checksum are
 * set. Throws RangeError past 65535 octets.
 */
export function buildLsa(fields: Pick<LsaHeader, 'age' | 'type' | 'id' | 'router' | 'sequence'>, body: Uint8Array, cpnLsType: number = LsType.cpn): Lsa {
  const length = LSA_HEADER_LENGTH + body.length;
  if (length > 0xffff) throw new RangeError(`an LSA of ${length} octets`);
  const writer = new Writer(length);
  writeLsaHeader(writer, { ...fields, checksum: 0, length });
  const raw = writer.octets(body).finish();
  const checksum = lsaChecksum(raw);
  raw[CHECKSUM_AT] = checksum >> 8;
  raw[CHECKSUM_AT + 1] = checksum & 0xff;
  const { age, type, id, router, sequence } = fields;
  return new LsaValue({ age, type, id, router, sequence, checksum, length }, raw, cpnLsType);
}

/** The same LSA at another age. */
export const withAge = (lsa: Lsa, age: number): Lsa => new AgedLsa(lsa, age);
