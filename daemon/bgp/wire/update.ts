/** Reading an UPDATE (RFC 4271 section 4.3) with the outcome of every fault as RFC 7606 has it. */
import { Reader } from '../../../dataplane/packet/cursor.js';
import type { AttributeDecoder, AttributeProblem } from './attributes/attribute.js';
import { OPTIONAL_TRANSITIVE, withdraw } from './attributes/attribute.js';
import { decodeCpn } from './attributes/cpn.js';
import type { AttributeDraft } from './attributes/draft.js';
import { attributeDecoder } from './attributes/index.js';
import { mergeAs4Path } from './attributes/segments.js';
import { decodeUnknown } from './attributes/unknown.js';
import { readNlri } from './nlri.js';
import { ErrorCode, notification, sessionFault, UpdateSubcode } from './notification.js';
import { copyOf } from './octets.js';
import {
  AFI_IPV4,
  type AfiSafi,
  type Announcement,
  AS_TRANS,
  AttributeFlag,
  AttributeType,
  type DecodeContext,
  type Fault,
  IPV4_UNICAST,
  type Nlri,
  type PathAttributes,
  SAFI_UNICAST,
  type SessionFault,
  type UpdateMessage,
} from './types.js';

const NO_NLRI: readonly Nlri[] = [];
const NO_ATTRIBUTES = { communities: [], extendedCommunities: [], largeCommunities: [], clusterList: [], asPath: [] } as const;

/** A fault, with the subcode that a NOTIFICATION about it would have. */
interface Found {
  readonly problem: AttributeProblem;
  readonly type: number | undefined;
  readonly raw: Uint8Array | undefined;
}

const malformedList = (reason: string): SessionFault =>
  sessionFault('RFC 4271 section 6.3', reason, notification(ErrorCode.update, UpdateSubcode.malformedAttributeList));

/** Codes whose NOTIFICATION carries no attribute (RFC 4271 section 6.3). */
const WITHOUT_DATA: ReadonlySet<number> = new Set<number>([UpdateSubcode.malformedAttributeList, UpdateSubcode.malformedAsPath]);

function toSessionFault({ problem, type, raw }: Found, section = problem.section): SessionFault {
  const data = raw === undefined || WITHOUT_DATA.has(problem.subcode) ? undefined : raw;
  return sessionFault(section, problem.reason, notification(ErrorCode.update, problem.subcode, data), type, raw);
}

/** Reads the path attributes of one UPDATE, noting what is wrong with each. */
class AttributeListDecoder {
  readonly draft: AttributeDraft = { partial: [], unknown: [] };
  readonly found: Found[] = [];
  readonly seen = new Set<number>();

  constructor(
    private readonly list: Reader,
    private readonly context: DecodeContext,
  ) {}

  note(problem: AttributeProblem, type: number | undefined, raw: Uint8Array | undefined): void {
    this.found.push({ problem, type, raw: raw && copyOf(raw) });
  }

  run(): void {
    const { list } = this;
    while (list.remaining > 0) {
      const start = list.offset;
      const flags = list.u8();
      const type = list.u8();
      const value = list.slice((flags & AttributeFlag.extendedLength) !== 0 ? list.u16() : list.u8());
      if (!value.ok) {
        const problem = withdraw('RFC 7606 section 4', 'the length of the last attribute does not fit the attribute list', UpdateSubcode.malformedAttributeList);
        this.note(problem, undefined, list.bytes.subarray(start, list.end));
        return;
      }
      const raw = list.bytes.subarray(start, value.end);
      if (this.seen.has(type)) this.repeated(type, raw);
      else {
        this.seen.add(type);
        const problem = this.read(flags, type, value);
        if (problem) this.note(problem, type, raw);
      }
    }
  }

  private repeated(type: number, raw: Uint8Array): void {
    const multiprotocol = type === AttributeType.mpReach || type === AttributeType.mpUnreach;
    this.note(
      {
        disposition: multiprotocol ? 'sessionReset' : 'attributeDiscard',
        section: 'RFC 7606 section 3 (g)',
        reason: `attribute ${type} appears more than once`,
        subcode: UpdateSubcode.malformedAttributeList,
      },
      type,
      raw,
    );
  }

  private read(flags: number, type: number, value: Reader): AttributeProblem | undefined {
    if (type === this.context.cpnAttributeType) return decodeCpn(flags, type, value.rest(), this.draft);
    const decoder = attributeDecoder(type);
    if (!decoder) return decodeUnknown(flags, type, value.rest(), this.draft);
    if (decoder.internalOnly && !this.context.ibgp) {
      return {
        disposition: 'attributeDiscard',
        section: 'RFC 7606 section 7',
        reason: `${decoder.name} from an external peer`,
        subcode: UpdateSubcode.optionalAttributeError,
      };
    }
    return this.readKnown(decoder, flags, value);
  }

  private readKnown(decoder: AttributeDecoder, flags: number, value: Reader): AttributeProblem | undefined {
    if ((flags & OPTIONAL_TRANSITIVE) !== decoder.flags) {
      const conflict: AttributeProblem = {
        disposition: decoder.onFlagsConflict ?? 'treatAsWithdraw',
        section: 'RFC 7606 section 3 (c)',
        reason: `${decoder.name} with flags 0x${flags.toString(16)}`,
        subcode: UpdateSubcode.attributeFlagsError,
      };
      // Withdrawing needs the prefixes, so these two are read all the same.
      const multiprotocol = decoder.type === AttributeType.mpReach || decoder.type === AttributeType.mpUnreach;
      const inner = multiprotocol ? decoder.decode(value, this.draft, this.context) : undefined;
      return inner?.disposition === 'sessionReset' ? inner : conflict;
    }
    const problem = decoder.decode(value, this.draft, this.context);
    if (!problem && decoder.flags === OPTIONAL_TRANSITIVE && (flags & AttributeFlag.partial) !== 0) this.draft.partial.push(decoder.type);
    return problem;
  }

  /** Mandatory attributes that an announcement lacks (RFC 7606 section 3 (d)); malformed ones have been noted already. */
  requireMandatory(withNextHop: boolean): void {
    const mandatory: [number, string][] = [
      [AttributeType.origin, 'ORIGIN'],
      [AttributeType.asPath, 'AS_PATH'],
    ];
    if (withNextHop) mandatory.push([AttributeType.nextHop, 'NEXT_HOP']);
    for (const [type, name] of mandatory) {
      if (!this.seen.has(type)) {
        this.note(withdraw('RFC 7606 section 3 (d)', `${name} is missing`, UpdateSubcode.missingWellKnownAttribute), type, Uint8Array.of(type));
      }
    }
  }
}

/** The attributes of a route, once ORIGIN is known to be there; AS4_PATH and AS4_AGGREGATOR merged (RFC 6793 section 4.2.3). */
function attributesOf(draft: AttributeDraft): PathAttributes {
  const { as4Path, as4Aggregator } = draft;
  let asPath = draft.asPath ?? NO_ATTRIBUTES.asPath;
  let aggregator = draft.aggregator;
  // An AGGREGATOR other than AS_TRANS beside AS4_AGGREGATOR tells that a 2-octet speaker aggregated later: both AS4 attributes are stale.
  if (!aggregator || !as4Aggregator || aggregator.as === AS_TRANS) {
    if (aggregator && as4Aggregator) aggregator = as4Aggregator;
    if (as4Path) asPath = mergeAs4Path(asPath, as4Path);
  }
  return {
    origin: draft.origin!,
    asPath,
    med: draft.med,
    localPref: draft.localPref,
    atomicAggregate: draft.atomicAggregate ?? false,
    aggregator,
    communities: draft.communities ?? NO_ATTRIBUTES.communities,
    extendedCommunities: draft.extendedCommunities ?? NO_ATTRIBUTES.extendedCommunities,
    largeCommunities: draft.largeCommunities ?? NO_ATTRIBUTES.largeCommunities,
    onlyToCustomer: draft.onlyToCustomer,
    originatorId: draft.originatorId,
    clusterList: draft.clusterList ?? NO_ATTRIBUTES.clusterList,
    prefixSid: draft.prefixSid,
    cpn: draft.cpn,
    partial: draft.partial,
    unknown: draft.unknown.sort((a, b) => a.type - b.type),
  };
}

/** RFC 4724 section 2: an UPDATE with no prefixes that has no attributes, or an empty MP_UNREACH_NLRI alone. */
function endOfRib(draft: AttributeDraft, seen: ReadonlySet<number>): AfiSafi | undefined {
  if (seen.size === 0) return IPV4_UNICAST;
  return seen.size === 1 && draft.mpUnreach?.empty === true ? draft.mpUnreach.family : undefined;
}

/** Reads the body of an UPDATE. */
export function decodeUpdate(body: Reader, context: DecodeContext): UpdateMessage | SessionFault {
  const addPath = context.addPath(AFI_IPV4, SAFI_UNICAST);
  const withdrawnField = body.slice(body.u16());
  const attributeList = body.slice(body.u16());
  if (!body.ok) return malformedList('the lengths of withdrawn routes and path attributes exceed the message');

  const networkFault = (field: string): SessionFault =>
    sessionFault('RFC 7606 section 5.3', `incorrect ${field}`, notification(ErrorCode.update, UpdateSubcode.invalidNetworkField));
  const withdrawn = withdrawnField.remaining === 0 ? NO_NLRI : readNlri(withdrawnField, 'ipv4-unicast', addPath);
  if (!withdrawn) return networkFault('withdrawn routes');
  const nlri = body.remaining === 0 ? NO_NLRI : readNlri(body, 'ipv4-unicast', addPath);
  if (!nlri) return networkFault('network layer reachability information');

  const attributes = new AttributeListDecoder(attributeList, context);
  attributes.run();
  const { draft, found, seen } = attributes;
  const mpNlri = draft.mpReach?.nlri ?? NO_NLRI;
  if (nlri.length > 0 || mpNlri.length > 0) attributes.requireMandatory(nlri.length > 0);

  const reset = found.find(({ problem }) => problem.disposition === 'sessionReset');
  if (reset) return toSessionFault(reset);
  // RFC 7606 section 5.2: an attribute list without reachable prefixes was perhaps not parsed right, so there is nothing that could be
  // withdrawn with confidence. A fault in a CPN attribute never ends a session (proto/WIRE.md section 2).
  const serious = found.find(({ problem, type }) => problem.disposition === 'treatAsWithdraw' && type !== context.cpnAttributeType);
  const onlyUnreach = seen.size === 1 && seen.has(AttributeType.mpUnreach) && serious?.type !== undefined;
  if (serious && nlri.length === 0 && !draft.mpReach && !onlyUnreach) return toSessionFault(serious, 'RFC 7606 section 5.2');

  const faults = found.map(
    ({ problem: { disposition, section, reason }, type, raw }): Fault => ({ section, attribute: type, disposition, reason, notification: undefined, raw }),
  );
  const gone = draft.mpUnreach ? [...withdrawn, ...draft.mpUnreach.nlri] : withdrawn;
  if (faults.some(({ disposition }) => disposition === 'treatAsWithdraw')) {
    const all = [...gone, ...nlri, ...mpNlri];
    return { type: 'update', withdrawn: all, announced: [], attributes: undefined, endOfRib: undefined, disposition: 'treatAsWithdraw', faults };
  }
  const announced: Announcement[] = [];
  if (nlri.length > 0) announced.push({ family: IPV4_UNICAST, nextHop: { address: draft.nextHop!, linkLocal: undefined }, nlri });
  if (mpNlri.length > 0) announced.push({ family: draft.mpReach!.family, nextHop: draft.mpReach!.nextHop!, nlri: mpNlri });
  return {
    type: 'update',
    withdrawn: gone,
    announced,
    attributes: announced.length > 0 ? attributesOf(draft) : undefined,
    endOfRib: gone.length + announced.length + faults.length === 0 ? endOfRib(draft, seen) : undefined,
    disposition: faults.length > 0 ? 'attributeDiscard' : 'accept',
    faults,
  };
}
