/** How an instance is checked, and how soon a change of its health is believed. */
import { z } from 'zod';
import { duration, flag, integer, ip, list, mapping, oneOf, port, text } from './common.js';

const line = (what: string) => text(what, (value) => (/^[\x20-\x7e]{1,1000}$/.test(value) ? value : undefined));
const penalty = (what: string) => z.number({ error: what }).min(1, { error: what }).max(1_000_000, { error: what });

export const healthCheck = mapping({
  kind: oneOf('tcp', 'icmp', 'http', 'grpc'),
  address: ip.optional(),
  port: port.optional(),
  /** http: path with query, Host header, status codes that are good, text that the body holds. */
  path: text('a path that begins with /', (value) => (/^\/[\x21-\x7e]{0,1000}$/.test(value) ? value : undefined)).default('/'),
  host: line('a host name').optional(),
  status: list(integer(100, 599, 'an HTTP status'), 'HTTP status codes').default([]),
  body: text('a text of at most 1000 characters', (value) => (value.length >= 1 && value.length <= 1000 ? value : undefined)).optional(),
  /** grpc: name of the service that is asked for; the whole server without one. */
  service: line('the name of a gRPC service').default(''),
  interval: duration(10, 3_600_000, '10ms to 1h').default(1000),
  timeout: duration(10, 60_000, '10ms to 1m').default(1000),
  fall: integer(1, 100).default(3),
  rise: integer(1, 100).default(2),
  holdDown: duration(0, 3_600_000, 'up to 1h').default(0),
  damping: mapping({
    enabled: flag.default(true),
    halfLife: duration(1000, 3_600_000, '1s to 1h').default(60_000),
    suppress: penalty('a penalty from 1 to 1000000').default(3000),
    reuse: penalty('a penalty from 1 to 1000000').default(750),
    maxSuppress: duration(1000, 86_400_000, '1s to 24h').default(300_000),
  }).prefault({}),
});
