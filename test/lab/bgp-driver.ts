/**
 * A BGP speaker as a process of its own, for tests in network namespaces: one JSON command a line on stdin, one JSON answer a line on
 * stdout. Started with its SpeakerOptions as JSON in argv.
 */
import { createInterface } from 'node:readline';
import { BfdProcess } from '../../daemon/bfd/process.js';
import type { BfdConfig } from '../../daemon/bfd/types.js';
import { BgpSpeaker, type SpeakerOptions } from '../../daemon/bgp/speaker.js';
import type { BgpEvent } from '../../daemon/bgp/environment.js';
import type { LocalRoute } from '../../daemon/bgp/local-routes.js';
import { systemClock } from '../../daemon/clock.js';
import { ComputingExchange } from '../../daemon/computing-exchange.js';
import type { BgpConfig, Config } from '../../daemon/config/types.js';
import { silentLogger } from '../../daemon/log.js';
import type { Advertisement } from '../../daemon/rib/candidate.js';
import { ComputingRib } from '../../daemon/rib/computing-rib.js';

export type DriverOptions = Pick<SpeakerOptions, 'config' | 'router' | 'servicePrefixes'> & { /** With it, BFD watches neighbors. */ readonly bfdConfig?: BfdConfig };

export type DriverCommand =
  | { readonly do: 'announce'; readonly routes: readonly LocalRoute[] }
  | { readonly do: 'exchange'; readonly config: Pick<Config, 'bgp' | 'router'>; readonly advertisements: readonly Advertisement[] }
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
  const bfd = options.bfdConfig && new BfdProcess({ clock: systemClock, config: options.bfdConfig, report: () => undefined });
  const speaker = new BgpSpeaker({ ...options, bfd, clock: systemClock, resolveNextHop: () => ({ cost: 0 }) });
  const events: BgpEvent[] = [];
  const service = new Map<string, unknown>();
  speaker.onEvent((event) => events.push(event));
  speaker.onServiceRoutes((changes) => {
    for (const { prefix, rd, peer, pathId, path } of changes) {
      const key = `${rd === undefined ? '' : `${rd} `}${prefix.toString()} ${peer} ${pathId}`;
      if (path) service.set(key, { exit: path.block?.origin?.exit, stale: path.stale, raw: path.raw && Buffer.from(path.raw).toString('hex') });
      else service.delete(key);
    }
  });
  const sids = new Map<string, string | undefined>();
  speaker.onUnicastRoutes((changes) => {
    for (const { prefix, vpn, best } of changes) {
      const key = `${vpn ? 'vpn ' : ''}${prefix.toString()}`;
      if (best) sids.set(key, best.sid);
      else sids.delete(key);
    }
  });
  const computingRib = new ComputingRib({ clock: systemClock, log: silentLogger, ownExit: options.router.loopback });
  const exchange = new ComputingExchange(computingRib, speaker, () => true);
  speaker.start();
  const run = (command: DriverCommand): unknown => {
    switch (command.do) {
      case 'announce':
        speaker.announceBatch(command.routes);
        return true;
      case 'exchange':
        exchange.configure(command.config);
        exchange.ownInstancesChanged(command.advertisements);
        exchange.announceServices(command.advertisements);
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
        return { neighbors: speaker.neighbors(), routes: speaker.routes(), events, service: Object.fromEntries(service), sids: Object.fromEntries(sids) };
    }
  };
  createInterface({ input: process.stdin })
    .on('line', (line) => process.stdout.write(`${toJson(run(fromJson(line) as DriverCommand))}\n`))
    .on('close', () => process.exit(0));
}

const [, script, argument] = process.argv;
if (script?.endsWith('bgp-driver.js') && argument !== undefined) main(fromJson(argument) as DriverOptions);
