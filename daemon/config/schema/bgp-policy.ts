/** BGP policies: named prefix lists, AS-path lists and policies, whose rules are tried in order. */
import { z } from 'zod';
import { extendedCommunityPattern, communityPattern, largeCommunityPattern, parseCommunity, parseExtendedCommunity, parseLargeCommunity } from '../../bgp/policy/communities.js';
import { compilePattern } from '../../bgp/policy/pattern.js';
import { parsePrefixRange, prefixRange, type PrefixRange } from '../../bgp/policy/prefix-list.js';
import { parsePrefix } from '../scalars.js';
import { byKey, CLASSES, flag, integer, ip, line, list, mapping, name, oneOf, prefix, text, U32 } from './common.js';

/** 23456 is AS_TRANS (RFC 6793 section 9), 65535 and 2^32-1 are reserved (RFC 7300), 0 is refused (RFC 7607). */
export const asNumber = z
  .int({ error: 'an AS number from 1 to 4294967294, not 23456 or 65535' })
  .refine((value) => value >= 1 && value < 0xffffffff && value !== 23456 && value !== 65535, {
    error: 'an AS number from 1 to 4294967294, not 23456 or 65535',
  })
  .meta({ description: 'AS number' });

/** One or several of a kind. */
const some = <T extends z.ZodType>(item: T, what: string) =>
  z.union([z.array(item).min(1), item.transform((value) => [value])], { error: what }).meta({ description: what });

const rangeForm = 'a prefix without host bits, such as 2001:db8::/32, with "ge N" and "le N" behind it (N from the prefix length to 32 or 128) and "deny" in front as needed';
const prefixEntry = text(rangeForm, (value): PrefixRange | undefined => {
  const parsed = parsePrefixRange(value);
  const canonical = parsed && parsePrefix(parsed.prefix);
  return parsed && canonical !== undefined ? prefixRange(canonical, parsed.ge, parsed.le, parsed.permit) : undefined;
});

const asPathPattern = z
  .string({ error: 'a regular expression over the AS path' })
  .superRefine((value, context) => {
    const compiled = compilePattern(value);
    if (typeof compiled !== 'function') context.addIssue({ code: 'custom', message: `a regular expression over the AS path such as "^65001_" (${compiled.fault})` });
  })
  .meta({ description: 'a regular expression over the AS path; _ is a delimiter' });

const checked = (expected: string, parse: (value: string) => unknown) => text(expected, (value) => (parse(value) === undefined ? undefined : value));

const community = checked('a community such as 65000:100 or no-export', parseCommunity);
const extendedCommunity = checked('an extended community such as rt:65000:100, soo:10.0.0.1:5 or ext:0x0002fde800000064', parseExtendedCommunity);
const largeCommunity = checked('a large community such as 65000:1:2', parseLargeCommunity);
const communityMatch = checked('a community such as 65000:100, 65000:*, no-export or /^65000:1..$/', communityPattern);
const extendedCommunityMatch = checked('an extended community such as rt:65000:100, rt:65000:* or /^rt:/', extendedCommunityPattern);
const largeCommunityMatch = checked('a large community such as 65000:1:2, 65000:*:* or /^65000:/', largeCommunityPattern);

const range = (what: string) =>
  z
    .union(
      [
        integer(0, U32, what).transform((value) => ({ min: value, max: value })),
        mapping({ min: integer(0, U32, what).default(0), max: integer(0, U32, what).default(U32) }).refine(({ min, max }) => min <= max, { error: 'min not above max' }),
      ],
      { error: `${what} from 0 to 4294967295, or {min: N, max: N}` },
    )
    .meta({ description: `${what}, or {min, max}` });

const conditions = {
  family: oneOf('ipv4', 'ipv6').optional(),
  prefix: some(prefixEntry, rangeForm).optional(),
  prefixList: some(name, 'names of prefix lists').optional(),
  nextHop: some(prefix, 'prefixes without host bits').optional(),
  peer: some(ip, 'addresses of neighbors').optional(),
  source: some(oneOf('local', 'ibgp', 'ebgp'), 'local, ibgp, ebgp or several of them').optional(),
  community: some(communityMatch, 'communities such as 65000:100, 65000:*, no-export or /^65000:1..$/').optional(),
  extendedCommunity: some(extendedCommunityMatch, 'extended communities such as rt:65000:100, rt:65000:* or /^rt:/').optional(),
  largeCommunity: some(largeCommunityMatch, 'large communities such as 65000:1:2, 65000:*:* or /^65000:/').optional(),
  asPath: z.union([asPathPattern.transform((value) => [value]), z.array(asPathPattern).min(1)]).optional(),
  asPathList: some(name, 'names of AS-path lists').optional(),
  originAs: some(asNumber, 'AS numbers').optional(),
  passesAs: some(asNumber, 'AS numbers').optional(),
  neighborAs: some(asNumber, 'AS numbers').optional(),
  asPathLength: range('a number of ASes').optional(),
  med: range('a metric').optional(),
  localPreference: range('a preference').optional(),
  origin: some(oneOf('igp', 'egp', 'incomplete'), 'igp, egp, incomplete or several of them').optional(),
  service: flag.optional(),
  cpn: mapping({
    present: flag.default(true),
    service: some(prefix, 'prefixes without host bits').optional(),
    exit: some(prefix, 'prefixes without host bits').optional(),
    class: some(CLASSES, 'logical, parallel, neural or several of them').optional(),
  }).optional(),
};

/** A number that is set, or one that is added (a negative one taken off). */
const change = (what: string) =>
  z.union([integer(0, U32, what), mapping({ add: integer(-U32, U32, what) })], { error: `${what} from 0 to 4294967295, or {add: N}` }).meta({ description: `${what}, or {add: N}` });

const listChange = <T extends z.ZodType, P extends z.ZodType>(value: T, pattern: P, what: string) =>
  mapping({ add: some(value, what).optional(), remove: some(pattern, what).optional(), replace: list(value, what).optional() });

const settings = mapping({
  localPreference: change('a preference').optional(),
  med: z.union([change('a metric'), z.enum(['igp', 'none'])], { error: 'a metric from 0 to 4294967295, {add: N}, igp or none' }).optional(),
  origin: oneOf('igp', 'egp', 'incomplete').optional(),
  community: listChange(community, communityMatch, 'communities').optional(),
  extendedCommunity: listChange(extendedCommunity, extendedCommunityMatch, 'extended communities').optional(),
  largeCommunity: listChange(largeCommunity, largeCommunityMatch, 'large communities').optional(),
  prepend: mapping({ as: asNumber.optional(), count: integer(1, 64, 'how often').default(1) }).optional(),
  nextHop: z.union([z.enum(['self', 'unchanged']), ip], { error: 'self, unchanged or an IP address' }).optional(),
});

const rule = mapping({
  name: line.optional(),
  match: mapping({ ...conditions, not: mapping(conditions).optional() }).default({}),
  set: settings.default({}),
  action: oneOf('accept', 'reject', 'continue').default('accept'),
});

const policy = mapping({
  description: line.default(''),
  rules: list(rule, 'rules').default([]),
  default: oneOf('accept', 'reject', 'continue').default('reject'),
});

export const prefixLists = byKey(name, list(prefixEntry, 'prefixes with ge and le'), 'prefix lists by name').default({});
export const asPathLists = byKey(name, list(asPathPattern, 'regular expressions over the AS path'), 'AS-path lists by name').default({});
export const policies = byKey(name, policy, 'policies by name').default({});

export type PolicyConfig = z.output<typeof policy>;
export type PolicyRule = z.output<typeof rule>;
export type PolicyMatch = PolicyRule['match'];
export type PolicyConditions = NonNullable<PolicyMatch['not']>;
export type PolicySettings = PolicyRule['set'];
