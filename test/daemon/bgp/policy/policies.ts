/** Policies as an operator writes them, for tests. */
import assert from 'node:assert/strict';
import { formatConfigErrors } from '../../../../daemon/config/errors.js';
import { parseConfig } from '../../../../daemon/config/load.js';
import type { BgpConfig } from '../../../../daemon/config/types.js';

/** The `bgp` section of a whole file; `text` is indented by two. */
export function bgpSection(text: string): BgpConfig {
  const result = parseConfig(`router: {id: 10.0.0.1, loopback: "fc00:0:1::1", locator: "fcbb:bb00:1::/48", domainSources: ["fc00::/16"]}\nbgp:\n  as: 65000\n${text}`);
  if (!result.ok) assert.fail(formatConfigErrors(result.errors));
  assert.ok(result.config.bgp);
  return result.config.bgp;
}

/** Only what policies and lists say. */
export function policiesOf(text: string): Pick<BgpConfig, 'prefixLists' | 'asPathLists' | 'policies'> {
  const { prefixLists, asPathLists, policies } = bgpSection(text);
  return { prefixLists: prefixLists ?? {}, asPathLists: asPathLists ?? {}, policies: policies ?? {} };
}
