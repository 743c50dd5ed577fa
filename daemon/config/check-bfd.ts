/** BFD in a file: profiles that are named must exist, and passwords fit their type. */
import { BUILT_IN_PROFILES } from '../bfd/profiles.js';
import type { Finding } from './check.js';
import type { ConfigPath } from './errors.js';
import { nearest } from './nearest.js';
import type { FileConfig } from './schema.js';

type BfdKey = boolean | string | { readonly profile: string } | undefined;

/** Longest password of a simple password and of an MD5 digest, octets (RFC 5880 sections 4.2 and 4.3). */
const SHORT_PASSWORD = 16;

export function checkBfd(file: FileConfig): Finding[] {
  const names = [...new Set([...Object.keys(BUILT_IN_PROFILES), ...Object.keys(file.bfd.profiles)])];
  const findings: Finding[] = [];
  for (const [name, { authentication }] of Object.entries(file.bfd.profiles)) {
    if (!authentication || authentication.type.endsWith('sha1') || authentication.password.length <= SHORT_PASSWORD) continue;
    findings.push({ path: ['bfd', 'profiles', name, 'authentication', 'password'], expected: `at most ${SHORT_PASSWORD} characters with ${authentication.type}`, found: `${authentication.password.length} characters` });
  }
  for (const [path, key] of bfdKeys(file)) {
    const name = typeof key === 'object' ? key.profile : typeof key === 'string' ? key : undefined;
    if (name === undefined || names.includes(name)) continue;
    const guess = nearest(name, names);
    const hint = guess === undefined ? `there are ${names.slice(0, 10).join(', ')}` : `did you mean ${guess}?`;
    findings.push({ path: typeof key === 'object' ? [...path, 'profile'] : path, expected: `the name of a profile of bfd.profiles (${hint})`, found: name });
  }
  return findings;
}

/** Every key `bfd` of neighbors and interfaces in a file. */
function* bfdKeys({ bgp, ospf }: FileConfig): Generator<readonly [ConfigPath, BfdKey]> {
  for (const [name, group] of Object.entries(bgp?.groups ?? {})) yield [['bgp', 'groups', name, 'bfd'], group.bfd];
  for (const [index, neighbor] of (bgp?.neighbors ?? []).entries()) yield [['bgp', 'neighbors', index, 'bfd'], neighbor.bfd];
  for (const [name, { bfd }] of Object.entries(ospf?.interfaces ?? {})) yield [['ospf', 'interfaces', name, 'bfd'], bfd];
}
