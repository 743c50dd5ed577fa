/**
 * The BGP speaker of this checkout and nothing else of the daemon. Ends on SIGTERM, and says then how long its event loop was held up at worst.
 *
 *     node bgp-speaker-process.js '{"address":"2001:db8:f::1","as":65000,"identifier":"10.255.0.1","neighbors":[...],"holdTimeMs":90000}'
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { BgpSpeaker } from '../../daemon/bgp/speaker.js';
import { systemClock } from '../../daemon/clock.js';
import type { BgpNeighborConfig } from '../../daemon/config/types.js';

export interface SpeakerSettings {
  readonly address: string;
  readonly as: number;
  readonly identifier: string;
  readonly neighbors: readonly { readonly address: string; readonly as: number }[];
  readonly holdTimeMs: number;
}

const { address, as, identifier, neighbors, holdTimeMs } = JSON.parse(process.argv[2] ?? '') as SpeakerSettings;

const configOf = (neighbor: SpeakerSettings['neighbors'][number]): BgpNeighborConfig => ({
  ...neighbor,
  port: 179,
  localAddress: address,
  description: '',
  passive: true,
  holdTimeMs,
  connectRetryMs: 5000,
  ttl: 64,
  minimumTtl: undefined,
  password: undefined,
  cpn: false,
  cpnAccept: [],
  addPath: { receive: false, send: false },
  nextHopSelf: false,
  import: 'any',
  export: 'any',
});

const speaker = new BgpSpeaker({
  config: { as, listen: { addresses: [address], port: 179 }, networks: [], neighbors: neighbors.map(configOf) },
  router: { id: identifier, loopback: address },
  servicePrefixes: [],
  clock: systemClock,
  resolveNextHop: () => ({ cost: 1 }),
});
speaker.start();

const delay = monitorEventLoopDelay({ resolution: 1 });
delay.enable();
process.on('SIGTERM', () => {
  delay.disable();
  process.stdout.write(`${JSON.stringify({ p99Ms: delay.percentile(99) / 1e6, maxMs: delay.max / 1e6 })}\n`, () => process.exit(0));
});
