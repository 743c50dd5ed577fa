/** The BFD part of the effective configuration. */
import { BUILT_IN_PROFILES } from '../bfd/profiles.js';
import type { BfdConfig, BfdProfile } from '../bfd/types.js';
import type { AuthenticationType } from '../bfd/wire/packet.js';
import type { FileConfig } from './schema.js';

type FileProfile = FileConfig['bfd']['profiles'][string];

const TYPES: Readonly<Record<NonNullable<FileProfile['authentication']>['type'], AuthenticationType>> = {
  simple: 'simple',
  md5: 'md5',
  'meticulous-md5': 'meticulousMd5',
  sha1: 'sha1',
  'meticulous-sha1': 'meticulousSha1',
};

/** What a profile leaves out it has from the one of its name that is always there, else from `default`. */
function resolveProfile(name: string, { interval, multiplier, passive, authentication }: FileProfile): BfdProfile {
  const base = name === 'fast' ? BUILT_IN_PROFILES.fast : BUILT_IN_PROFILES.default;
  return {
    name,
    intervalMs: interval ?? base.intervalMs,
    multiplier: multiplier ?? base.multiplier,
    passive,
    authentication: authentication && { type: TYPES[authentication.type], keyId: authentication.keyId, password: authentication.password },
  };
}

export function resolveBfd({ profiles, maxSessions }: FileConfig['bfd']): BfdConfig {
  const own = Object.entries(profiles).map(([name, profile]) => [name, resolveProfile(name, profile)] as const);
  return { profiles: { ...BUILT_IN_PROFILES, ...Object.fromEntries(own) }, maxSessions };
}

/** The profile that the key `bfd` of an interface or a neighbor names; undefined: no BFD. */
export const bfdProfileName = (key: boolean | string | undefined): string | undefined => (key === true ? 'default' : key === false ? undefined : key);
