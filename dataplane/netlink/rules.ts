/** Policy routing rules in the kernel. */
import type { Family } from '../packet/ip.js';
import type { NetlinkClient } from './client.js';
import { NLM_F_CREATE, NLM_F_EXCL, RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE } from './constants.js';
import { decodeRule, encodeRule, encodeRuleDump, type RuleMessage } from './rule.js';

const describe = (rule: RuleMessage): string => `IPv${rule.family} rule ${rule.priority ?? ''} to table ${rule.table}`;

/** Adds a rule; rejects with NetlinkError, EEXIST where the same one is there. */
export function addRule(client: NetlinkClient, rule: RuleMessage): Promise<void> {
  return client.request({ type: RTM_NEWRULE, flags: NLM_F_CREATE | NLM_F_EXCL, encode: (writer) => encodeRule(writer, rule), describe: () => describe(rule) });
}

/** Deletes the first rule with these fields; rejects with NetlinkError, ENOENT where there is none. */
export function deleteRule(client: NetlinkClient, rule: RuleMessage): Promise<void> {
  return client.request({ type: RTM_DELRULE, encode: (writer) => encodeRule(writer, rule), describe: () => `removal of ${describe(rule)}` });
}

/** All rules of a family. Rejects with NetlinkError. */
export function dumpRules(client: NetlinkClient, family: Family): Promise<RuleMessage[]> {
  return client.dump({ type: RTM_GETRULE, encode: (writer) => encodeRuleDump(writer, family), describe: () => `dump of IPv${family} rules` }, (message) =>
    decodeRule(message.payload),
  );
}
