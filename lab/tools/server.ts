/**
 * A computing node's service: answers each line over TCP and each datagram over UDP with the line or datagram's first word and the node's name,
 * and prints what happened as JSON lines. A line `{"serviceTimeMs": N}` on its standard input changes the emulated load while it runs.
 */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { createServer, isIPv6, type Socket } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { addressArgument, ArgumentError, numberArgument, runTool } from './arguments.js';
import { ServiceQueue } from './service-queue.js';

const usage = 'server --address ADDRESS... --port PORT [--name NAME] [--own] [--service-time-ms MS] [--log requests|flows|none]';

type LogLevel = 'requests' | 'flows' | 'none';

interface Settings {
  readonly addresses: readonly string[];
  readonly port: number;
  readonly name: string;
  readonly log: LogLevel;
}

function print(entry: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ time: Date.now(), ...entry })}\n`);
}

/** The word that ties an answer to its request. */
function tag(request: string): string {
  return /^\S*/.exec(request)![0];
}

function serveTcp(settings: Settings, address: string, queue: ServiceQueue): Promise<void> {
  const connected = (socket: Socket): void => {
    const flow = { protocol: 'tcp', source: socket.remoteAddress, sourcePort: socket.remotePort };
    if (settings.log !== 'none') print({ event: 'connection', ...flow });
    socket.setNoDelay(true);
    socket.on('error', (error) => {
      if (settings.log !== 'none') print({ event: 'reset', ...flow, error: error.message });
    });
    createInterface({ input: socket }).on('line', (line) => {
      queue.accept((spentMs) => {
        if (socket.writable) socket.write(`${tag(line)} ${settings.name}\n`);
        if (settings.log === 'requests') print({ event: 'request', ...flow, octets: line.length + 1, queued: queue.length, spentMs });
      });
    });
  };
  return new Promise((resolve, reject) => {
    createServer(connected).once('error', reject).listen({ host: address, port: settings.port, backlog: 4096 }, resolve);
  });
}

function serveUdp(settings: Settings, address: string, queue: ServiceQueue): Promise<void> {
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', recvBufferSize: 4 << 20, sendBufferSize: 4 << 20 });
  const seen = new Set<string>();
  socket.on('message', (message, sender) => {
    const flow = { protocol: 'udp', source: sender.address, sourcePort: sender.port };
    if (settings.log === 'flows') {
      const key = `${sender.address} ${sender.port}`;
      if (!seen.has(key)) print({ event: 'flow', ...flow });
      seen.add(key);
    }
    queue.accept((spentMs) => {
      socket.send(`${tag(message.toString('latin1'))} ${settings.name}\n`, sender.port, sender.address);
      if (settings.log === 'requests') print({ event: 'request', ...flow, octets: message.length, queued: queue.length, spentMs });
    });
  });
  return new Promise((resolve, reject) => {
    socket.once('error', reject).bind(settings.port, address, () => {
      socket.on('error', (error) => print({ event: 'error', protocol: 'udp', error: error.message }));
      resolve();
    });
  });
}

/**
 * An unspecified address stands for every address the node has now. A socket bound to it would answer a datagram from whichever address the
 * route prefers, not from the service ID that was asked.
 */
function expand(address: string): string[] {
  if (address !== '::' && address !== '0.0.0.0') return [address];
  const family = address === '::' ? 'IPv6' : 'IPv4';
  return Object.values(networkInterfaces()).flatMap((addresses) => (addresses ?? []).filter((a) => a.family === family && !a.address.startsWith('fe80:')).map((a) => a.address));
}

/** Puts the address on the loopback interface, where a service ID lives on a computing node. */
function own(address: string): void {
  const family = isIPv6(address) ? '-6' : '-4';
  execFileSync('ip', [family, 'address', 'replace', `${address}/${isIPv6(address) ? 128 : 32}`, 'dev', 'lo', ...(isIPv6(address) ? ['nodad'] : [])]);
}

await runTool(usage, async () => {
  const { values } = parseArgs({
    options: {
      address: { type: 'string', multiple: true },
      port: { type: 'string' },
      name: { type: 'string' },
      own: { type: 'boolean' },
      'service-time-ms': { type: 'string' },
      log: { type: 'string' },
    },
  });
  const log = values.log ?? 'requests';
  if (log !== 'requests' && log !== 'flows' && log !== 'none') throw new ArgumentError(`--log: expected requests, flows or none, found "${log}"`);
  if (values.address === undefined) throw new ArgumentError('--address: expected at least one');
  const settings: Settings = {
    addresses: values.address.flatMap((text) => expand(addressArgument('address', text))),
    port: numberArgument('port', values.port, 8080, 1, 65535),
    name: values.name ?? hostname(),
    log,
  };
  const queue = new ServiceQueue(
    numberArgument('service-time-ms', values['service-time-ms'], 0),
    () => performance.now(),
    (milliseconds, action) => setTimeout(action, milliseconds),
  );
  for (const address of settings.addresses) {
    if (values.own === true) own(address);
    await serveTcp(settings, address, queue);
    await serveUdp(settings, address, queue);
  }
  createInterface({ input: process.stdin }).on('line', (line) => {
    const serviceTimeMs = /^\{"serviceTimeMs":\s*(\d+(?:\.\d+)?)\}$/.exec(line)?.[1];
    if (serviceTimeMs === undefined) {
      print({ event: 'error', error: `expected {"serviceTimeMs": N}, found ${line}` });
      return;
    }
    queue.serviceTimeMs = Number(serviceTimeMs);
    print({ event: 'load', serviceTimeMs: queue.serviceTimeMs });
  });
  print({ event: 'listening', addresses: settings.addresses, port: settings.port, name: settings.name });
  return 0;
});
