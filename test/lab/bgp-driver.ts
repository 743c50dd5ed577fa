/**
 * A BGP speaker as a process of its own, for tests in network namespaces: one JSON command a line on stdin, one JSON answer a line on
 * stdout. Started with its SpeakerOptions as JSON in argv.
 */
import { createInterface } from 'node:readline';
import { BgpSpeaker, type SpeakerOptions } from '../../daemon/bgp/speaker.js';
import type { BgpEvent } from '../../daemon/bgp/environment.js';
import type { LocalRoute } from '../../daemon/bgp/local-routes.js';
import { systemClock } from '../../daemon/clock.js';
import type { BgpConfig } from '../../daemon/config/types.js';

export type DriverOptions = Pick<SpeakerOptions, 'config' | 'router' | 'servicePrefixes'>;

export type DriverCommand =
  | { readonly do: 'announce'; readonly routes: readonly LocalRoute[] }
  | { readonly do: 'withdraw'; readonly prefixes: readonly string[] }
  | { readonly do: 'reconfigure'; readonly config: BgpConfig }
  | { readonly do: 'clear'; readonly address: string; readonly soft: boolean }
  | { readonly do: 'stop'; readonly graceful: boolean }
  | { readonly do: 'neighbors' | 'show' };

/** 64-bit numbers travel as `{"bigint": "123"}`. */
export const toJson = (value: unknown): string => JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? { bigint: item.toString() } : item));

export const fromJson = (text: string): unknown =>
  JSON.parse(text, (_key, item: unknown) => {
    if (item !== null && typeof item === 'object' && 'bigint' in item && typeof item.bigint === 'string') return BigInt(item.bigint);
    return item;
  });

function main(options: DriverOptions): void {
  const speaker = new BgpSpeaker({ ...options, clock: systemClock, resolveNextHop: () => ({ cost: 0 }) });
  const events: BgpEvent[] = [];
  const service = new Map<string, unknown>();
  speaker.onEvent((event) => events.push(event));
  speaker.onServiceRoutes((changes) => {
    for (const { prefix, peer, pathId, path } of changes) {
      const key = `${prefix.toString()} ${peer} ${pathId}`;
      if (path) service.set(key, { exit: path.block?.origin?.exit, stale: path.stale, raw: path.raw && Buffer.from(path.raw).toString('hex') });
      else service.delete(key);
    }
  });
  speaker.start();
  const run = (command: DriverCommand): unknown => {
    switch (command.do) {
      case 'announce':
        speaker.announceBatch(command.routes);
        return true;
      case 'withdraw':
        for (const prefix of command.prefixes) speaker.withdraw(prefix);
        return true;
      case 'reconfigure':
        speaker.reconfigure(command.config);
        return true;
      case 'clear':
        return speaker.clearNeighbor(command.address, command.soft);
      case 'stop':
        speaker.stop({ graceful: command.graceful });
        return true;
      case 'neighbors':
        return speaker.neighbors();
      case 'show':
        return { neighbors: speaker.neighbors(), routes: speaker.routes(), events, service: Object.fromEntries(service) };
    }
  };
  createInterface({ input: process.stdin })
    .on('line', (line) => process.stdout.write(`${toJson(run(fromJson(line) as DriverCommand))}\n`))
    .on('close', () => process.exit(0));
}

const [, script, argument] = process.argv;
if (script?.endsWith('bgp-driver.js') && argument !== undefined) main(fromJson(argument) as DriverOptions);
