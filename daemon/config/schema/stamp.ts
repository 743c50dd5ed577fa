/** Measuring of ways and links (RFC 8762), and how soon an exit that is silent counts as gone. */
import { duration, flag, integer, mapping, oneOf, port } from './common.js';

export const stamp = mapping({
  enabled: flag.default(true),
  port: port.default(862),
  profile: oneOf('default', 'fast').default('default'),
  interval: duration(10, 60_000, '10ms to 1m').optional(),
  lost: integer(1, 1000).optional(),
  holdDown: duration(0, 600_000, 'up to 10m').default(1000),
  synchronised: flag.default(false),
  links: mapping({ enabled: flag.default(true), interval: duration(10, 60_000, '10ms to 1m').default(1000) }).prefault({}),
});
