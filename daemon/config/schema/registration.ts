/** Registration of computing nodes: where they reach the router, who they are, and what they may claim. */
import { canonicalIp } from '../../../dataplane/packet/ip.js';
import { duration, integer, interfaceName, list, mapping, name, operations, prefix, servicePrefix, text } from './common.js';
import { healthCheck } from './health.js';
import { z } from 'zod';

/** `[address]:port` in canonical spelling. */
function socketAddress(value: string): string | undefined {
  const match = /^(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})$/.exec(value);
  const address = match ? canonicalIp((match[1] ?? match[2])!) : undefined;
  const port = Number(match?.[3]);
  if (!match || address === undefined || port < 1 || port > 65_535) return undefined;
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

const listen = text('unix:///absolute/path or [address]:port', (value) => (/^unix:\/\/\/[^\0]{1,100}$/.test(value) ? value : socketAddress(value)));
const file = text('an absolute path', (value) => (/^\/[^\0]{1,4000}$/.test(value) ? value : undefined));
const share = 'a number from 0 to 1';

/** A data sheet counts every unit busy in every cycle: what a benchmark gets is half of it or a third. */
const factor = z.number({ error: '0 (no limit) or a factor from 1 to 1000' }).refine((value) => value === 0 || (value >= 1 && value <= 1000), { error: '0 (no limit) or a factor from 1 to 1000' });

const node = mapping({
  id: name,
  services: list(servicePrefix, 'service prefixes').min(1, { error: 'at least one service prefix' }),
  addresses: list(prefix, 'prefixes').default([]),
  interface: interfaceName.optional(),
  maxServices: integer(1, 256, 'a number of services').default(16),
  limits: mapping({ logical: operations.optional(), parallel: operations.optional(), neural: operations.optional(), measuredFactor: factor.default(4) }).prefault({}),
});

/** What is checked follows from the service: its TCP port, else an ICMPv6 echo. */
const timing = healthCheck.omit({ kind: true, address: true, port: true, path: true, host: true, status: true, body: true, service: true });

export const registration = mapping({
  listen: list(listen, 'listen addresses').min(1, { error: 'at least one listen address' }),
  tls: mapping({ certificate: file, key: file, clientCa: file.optional() }).optional(),
  tokens: file.optional(),
  stateFile: file.default('/var/lib/cpn/registration.json'),
  lease: duration(200, 3_600_000, '200ms to 1h').default(10_000),
  updateInterval: duration(100, 600_000, '100ms to 10m').default(1000),
  threshold: z.number({ error: share }).min(0, { error: share }).max(1, { error: share }).default(0.02),
  restartWait: duration(0, 600_000, 'up to 10m').default(30_000),
  activationTimeout: duration(100, 3_600_000, '100ms to 1h').default(30_000),
  idleTime: duration(0, 3_600_000, 'up to 1h').default(10_000),
  maxNodes: integer(1, 100_000, 'a number of nodes').default(4096),
  updatesPerSecond: integer(1, 10_000, 'updates per second').default(20),
  healthCheck: timing.optional(),
  nodes: list(node, 'nodes').min(1, { error: 'at least one node, or one with id default' }),
});
