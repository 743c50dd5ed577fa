/** What the VPN families of a configuration must hold together. */
import { isVpn } from '../bgp/wire/families.js';
import { Prefix } from '../../dataplane/packet/ip.js';
import type { Finding } from './check.js';
import type { ConfigPath } from './errors.js';
import type { Config } from './types.js';

export interface VpnFindings {
  readonly errors: readonly Finding[];
  readonly warnings: readonly { readonly path: ConfigPath; readonly text: string }[];
}

export function checkVpn({ bgp, cpn, router }: Config): VpnFindings {
  const errors: Finding[] = [];
  const warnings: { path: ConfigPath; text: string }[] = [];
  if (!bgp) return { errors, warnings };
  const reserved = [...cpn.servicePrefixes.map((text) => ({ text, what: 'the service prefixes' })), { text: router.locator, what: 'the locator' }, { text: `${router.loopback}/128`, what: 'the loopback' }];
  bgp.vpn?.networks.forEach((network, index) => {
    // Packets to a SID or a service ID must never be encapsulated towards the SID that leads there.
    const met = reserved.find(({ text }) => Prefix.from(text).overlaps(Prefix.from(network)));
    if (met) errors.push({ path: ['bgp', 'vpn', 'networks', index], expected: `a prefix apart from ${met.what}`, found: `${network}, which overlaps ${met.text}` });
  });
  bgp.neighbors.forEach(({ families = [], srv6 }, index) => {
    const path = ['bgp', 'neighbors', index, 'families'];
    families.forEach((family, position) => {
      if (families.indexOf(family) !== position) errors.push({ path: [...path, position], expected: 'a family that the list has not yet', found: `a second ${family}` });
    });
    if (families.some(isVpn) && !bgp.vpn) warnings.push({ path, text: 'without bgp.vpn nothing is announced in VPN families, and nothing imported' });
    if (srv6 === true && families.length > 0 && !families.includes('ipv6-unicast')) warnings.push({ path: ['bgp', 'neighbors', index, 'srv6'], text: 'has no effect without the family ipv6-unicast' });
  });
  if (bgp.vpn && !bgp.neighbors.some(({ families = [] }) => families.some(isVpn))) warnings.push({ path: ['bgp', 'vpn'], text: 'has no effect: no neighbor has a VPN family' });
  return { errors, warnings };
}
