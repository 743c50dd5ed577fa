/** BFD: profiles of timers and authentication, and the key `bfd` of whatever has neighbors. */
import { z } from 'zod';
import { byKey, duration, flag, integer, mapping, name, oneOf, text } from './common.js';

/** RFC 5880 sections 4.2 to 4.4: up to 16 octets, with SHA1 up to 20. */
const password = text('a password of 1 to 20 printable ASCII characters', (value) => (/^[ -~]{1,20}$/.test(value) ? value : undefined));

const authentication = mapping({
  type: oneOf('simple', 'md5', 'meticulous-md5', 'sha1', 'meticulous-sha1').default('meticulous-sha1'),
  keyId: integer(0, 255, 'a key number').default(1),
  password,
});

const profile = mapping({
  interval: duration(10, 60_000, '10ms to 1m').optional(),
  multiplier: integer(1, 255, 'a detection multiplier').optional(),
  passive: flag.default(false),
  authentication: authentication.optional(),
});

/** The section `bfd`. */
export const bfd = mapping({
  profiles: byKey(name, profile, 'profiles by name').default({}),
  maxSessions: integer(1, 4096, 'a number of sessions').default(512),
});

/** The key `bfd` of an interface or a neighbor: true takes the profile `default`, false none. */
export const bfdProfile = z.union([flag, name], { error: 'true, false or the name of a profile of bfd.profiles' });

/** The same for BGP, where a session may also wait for BFD, and the number of hops may be said. */
export const bgpBfd = z.union([flag, name, mapping({ profile: name.default('default'), strict: flag.default(false), multihop: flag.optional() })], {
  error: 'true, false, the name of a profile of bfd.profiles, or {profile, strict, multihop}',
});
