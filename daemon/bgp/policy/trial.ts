/** What a policy would do to a route that an operator describes in text. */
import { canonicalIp, Prefix } from '../../../dataplane/packet/ip.js';
import { formatAsPath } from '../attributes.js';
import type { NextHopResolver } from '../best-path.js';
import { AsSegmentType, EMPTY_ATTRIBUTES, OriginCode, type AsPathSegment, type PathAttributes } from '../wire/types.js';
import type { PolicyBook } from './book.js';
import { formatCommunity, formatExtendedCommunity, formatLargeCommunity, parseCommunity, parseExtendedCommunity, parseLargeCommunity } from './communities.js';

export interface TrialRequest {
  readonly name: string;
  readonly prefix: string;
  readonly nextHop: string;
  readonly asPath: string;
  readonly communities: readonly string[];
  readonly extendedCommunities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly med: number | undefined;
  readonly localPref: number | undefined;
  readonly origin: string;
  readonly source: string;
  readonly peer: string;
}

export interface TrialResult extends Pick<TrialRequest, 'asPath' | 'communities' | 'extendedCommunities' | 'largeCommunities' | 'med' | 'localPref' | 'origin'> {
  readonly accepted: boolean;
  readonly by: string;
  readonly steps: readonly { readonly rule: number; readonly name: string; readonly matched: boolean; readonly unmet: string | undefined; readonly action: string }[];
  readonly nextHop: string | undefined;
}

/** A text that is not what it should be; the message is for the operator. */
export class TrialFault extends Error {}

function expect<T>(value: T | undefined, what: string, text: string): T {
  if (value === undefined) throw new TrialFault(`${JSON.stringify(text)} is not ${what}`);
  return value;
}

/** `65001 65002 {65003,65004}`; undefined for other text. */
export function parseAsPath(text: string): AsPathSegment[] | undefined {
  const segments: AsPathSegment[] = [];
  for (const token of text.trim().split(/\s+/).filter(Boolean)) {
    const set = /^\{(\d+(?:,\d+)*)\}$/.exec(token);
    const as = (set ? set[1]!.split(',') : [token]).map((number) => (/^\d{1,10}$/.test(number) ? Number(number) : 0));
    if (as.some((number) => number < 1 || number > 0xffffffff)) return undefined;
    const last = segments.at(-1);
    if (set) segments.push({ type: AsSegmentType.set, as });
    else if (last?.type === AsSegmentType.sequence) segments[segments.length - 1] = { type: AsSegmentType.sequence, as: [...last.as, ...as] };
    else segments.push({ type: AsSegmentType.sequence, as });
  }
  return segments;
}

const originNames = ['igp', 'egp', 'incomplete'] as const;
const isOrigin = (text: string): text is (typeof originNames)[number] => (originNames as readonly string[]).includes(text);
const isSource = (text: string): text is 'local' | 'ibgp' | 'ebgp' => ['local', 'ibgp', 'ebgp'].includes(text);

function attributesOf(request: TrialRequest): PathAttributes {
  return {
    ...EMPTY_ATTRIBUTES,
    origin: OriginCode[expect(isOrigin(request.origin) ? request.origin : undefined, 'an origin (igp, egp, incomplete)', request.origin)],
    asPath: expect(parseAsPath(request.asPath), 'an AS path such as "65001 65002 {65003,65004}"', request.asPath),
    med: request.med,
    localPref: request.localPref,
    communities: request.communities.map((text) => expect(parseCommunity(text), 'a community such as 65000:100', text)),
    extendedCommunities: request.extendedCommunities.map((text) => expect(parseExtendedCommunity(text), 'an extended community such as rt:65000:100', text)),
    largeCommunities: request.largeCommunities.map((text) => expect(parseLargeCommunity(text), 'a large community such as 65000:1:2', text)),
  };
}

/** Runs a route through a policy without counting. Undefined when there is no such policy; throws TrialFault for text that cannot be read. */
export function tryPolicy(book: PolicyBook, request: TrialRequest, local: { readonly as: number; readonly isService: (prefix: Prefix) => boolean; readonly resolve: NextHopResolver }): TrialResult | undefined {
  if (!book.views(request.name)) return undefined;
  const prefix = expect(Prefix.parse(request.prefix), 'a prefix', request.prefix);
  const nextHop = request.nextHop === '' ? '::' : expect(canonicalIp(request.nextHop), 'an address', request.nextHop);
  const kind = expect(isSource(request.source) ? request.source : undefined, 'a source (local, ibgp, ebgp)', request.source);
  const address = request.peer === '' ? '' : expect(canonicalIp(request.peer), 'an address', request.peer);
  const route = { prefix, nextHop, source: { address, kind }, isService: local.isService(prefix), nextHopCost: () => local.resolve(nextHop)?.cost };
  const verdict = book.chain([request.name], local.as).trace(route, attributesOf(request));
  const { attributes, accepted, by, steps } = verdict;
  return {
    accepted,
    by,
    steps: steps.map(({ rule, name, matched, unmet, action }) => ({ rule, name, matched, unmet, action })),
    asPath: formatAsPath(attributes.asPath),
    communities: attributes.communities.map(formatCommunity),
    extendedCommunities: attributes.extendedCommunities.map(formatExtendedCommunity),
    largeCommunities: attributes.largeCommunities.map(formatLargeCommunity),
    med: attributes.med,
    localPref: attributes.localPref,
    origin: originNames[attributes.origin],
    nextHop: verdict.nextHop,
  };
}
