/**
 * The BGP speaker of this checkout and nothing else of the daemon. Ends on SIGTERM, and says then how long its event loop was held up at worst.
 *
 *     node bgp-speaker-process.js '{"address":"2001:db8:f::1","as":65000,"identifier":"10.255.0.1","neighbors":[...],"holdTimeMs":90000}'
 */
import { BgpSpeaker } from '../../daemon/bgp/speaker.js';
import { systemClock } from '../../daemon/clock.js';
import type { BgpNeighborConfig } from '../../daemon/config/types.js';

export interface SpeakerSettings {
  readonly address: string;
  readonly as: number;
  readonly identifier: string;
  readonly neighbors: readonly { readonly address: string; readonly as: number }[];
  readonly holdTimeMs: number;
  /** Looks every millisecond how long the event loop was held up, which costs CPU. */
  readonly watchesStalls: boolean;
}

const { address, as, identifier, neighbors, holdTimeMs, watchesStalls } = JSON.parse(process.argv[2] ?? '') as SpeakerSettings;

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

/** What elapsed and what this process computed until now, ms. */
function clocks(): { readonly wall: number; readonly cpu: number } {
  const { user, system } = process.cpuUsage();
  return { wall: performance.now(), cpu: (user + system) / 1000 };
}

// Of a delay only what this process computed in it counts: what others take of the machine is not ours.
let maxMs = 0;
let last = clocks();
const look = (): void => {
  const now = clocks();
  maxMs = Math.max(maxMs, Math.min(now.wall - last.wall, now.cpu - last.cpu) - 1);
  last = now;
};
const timer = watchesStalls ? setInterval(look, 1) : undefined;
process.on('SIGTERM', () => {
  clearInterval(timer);
  const answer = watchesStalls ? `${JSON.stringify({ maxMs })}\n` : '';
  process.stdout.write(answer, () => process.exit(0));
});
