/** Policy routing rules (RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE; linux/fib_rules.h). */
import { Prefix, type Family } from '../packet/ip.js';
import { Attributes, readU32, type Decoded } from './attributes.js';
import {
  AF_INET,
  AF_INET6,
  FIB_RULE_INVERT,
  FRA_DST,
  FRA_FWMARK,
  FRA_FWMASK,
  FRA_IIFNAME,
  FRA_OIFNAME,
  FRA_PRIORITY,
  FRA_PROTOCOL,
  FRA_SRC,
  FRA_SUPPRESS_PREFIXLEN,
  FRA_TABLE,
  FR_ACT_TO_TBL,
  RT_TABLE_UNSPEC,
} from './constants.js';
import { addressFamily } from './route.js';
import type { MessageWriter } from './writer.js';

export interface RuleMessage {
  readonly family: Family;
  /** Smaller goes first. */
  readonly priority?: number;
  readonly source?: Prefix;
  readonly destination?: Prefix;
  readonly inputInterface?: string;
  readonly outputInterface?: string;
  readonly mark?: number;
  readonly markMask?: number;
  /** FR_ACT_*: look up in `table`, unless it says otherwise. */
  readonly action: number;
  readonly table: number;
  /** Who installed it (RTPROT_*). */
  readonly protocol?: number;
  /** Matches what the selectors do not match. */
  readonly invert: boolean;
  /** Routes of this length or shorter do not count. */
  readonly suppressPrefixLength?: number;
}

/** Writes the payload that adds or deletes a rule. */
export function encodeRule(writer: MessageWriter, rule: RuleMessage): void {
  writer.u8(addressFamily(rule.family)).u8(rule.destination?.length ?? 0).u8(rule.source?.length ?? 0).u8(0);
  writer.u8(rule.table > 255 ? RT_TABLE_UNSPEC : rule.table).u8(0).u8(0).u8(rule.action).u32(rule.invert ? FIB_RULE_INVERT : 0);
  if (rule.source) writer.attribute(FRA_SRC, rule.source.bytes);
  if (rule.destination) writer.attribute(FRA_DST, rule.destination.bytes);
  if (rule.mark !== undefined) writer.attributeU32(FRA_FWMARK, rule.mark);
  if (rule.markMask !== undefined) writer.attributeU32(FRA_FWMASK, rule.markMask);
  if (rule.inputInterface !== undefined) writer.attributeText(FRA_IIFNAME, rule.inputInterface);
  if (rule.outputInterface !== undefined) writer.attributeText(FRA_OIFNAME, rule.outputInterface);
  if (rule.table > 255) writer.attributeU32(FRA_TABLE, rule.table);
  if (rule.priority !== undefined) writer.attributeU32(FRA_PRIORITY, rule.priority);
  if (rule.protocol !== undefined) writer.attributeU8(FRA_PROTOCOL, rule.protocol);
  if (rule.suppressPrefixLength !== undefined) writer.attributeU32(FRA_SUPPRESS_PREFIXLEN, rule.suppressPrefixLength);
}

export function encodeRuleDump(writer: MessageWriter, family: Family): void {
  writer.u8(addressFamily(family)).zeros(11);
}

/** A rule that sends everything it selects to a table. */
export function tableRule(fields: Pick<RuleMessage, 'family' | 'table'> & Partial<RuleMessage>): RuleMessage {
  return { action: FR_ACT_TO_TBL, invert: false, ...fields };
}

export function decodeRule(payload: Uint8Array): Decoded<RuleMessage> {
  if (payload.length < 12) return { fault: 'a rule message shorter than its header' };
  if (payload[0] !== AF_INET && payload[0] !== AF_INET6) return { fault: `a rule of address family ${payload[0]!}` };
  const family = payload[0] === AF_INET ? 4 : 6;
  const octets = family === 4 ? 4 : 16;
  const attributes = new Attributes(payload, 12);
  const selector = (type: number, length: number): Prefix | undefined => {
    const address = attributes.octets(type);
    if (address && (address.length !== octets || length > octets * 8)) attributes.ok = false;
    return address && attributes.ok ? Prefix.of(address, length) : undefined;
  };
  const destination = selector(FRA_DST, payload[1]!);
  const source = selector(FRA_SRC, payload[2]!);
  const priority = attributes.u32(FRA_PRIORITY);
  const inputInterface = attributes.text(FRA_IIFNAME);
  const outputInterface = attributes.text(FRA_OIFNAME);
  const mark = attributes.u32(FRA_FWMARK);
  const markMask = attributes.u32(FRA_FWMASK);
  const protocol = attributes.u8(FRA_PROTOCOL);
  const suppressed = attributes.u32(FRA_SUPPRESS_PREFIXLEN);
  const table = attributes.u32(FRA_TABLE) ?? payload[4]!;
  if (!attributes.ok) return { fault: 'malformed rule attributes' };
  return {
    value: {
      family,
      action: payload[7]!,
      table,
      invert: (readU32(payload, 8) & FIB_RULE_INVERT) !== 0,
      ...(priority !== undefined && { priority }),
      ...(source && { source }),
      ...(destination && { destination }),
      ...(inputInterface !== undefined && { inputInterface }),
      ...(outputInterface !== undefined && { outputInterface }),
      ...(mark !== undefined && { mark }),
      ...(markMask !== undefined && { markMask }),
      ...(protocol !== undefined && { protocol }),
      // All ones: nothing is suppressed.
      ...(suppressed !== undefined && suppressed !== 0xffffffff && { suppressPrefixLength: suppressed }),
    },
  };
}
