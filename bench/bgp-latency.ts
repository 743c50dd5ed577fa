/**
 * How long the event loop is held up while a speaker takes a table over TCP on loopback and passes it on: what a first packet would wait.
 * Prints one JSON object. Run: node dist/bench/bgp-latency.js [ROUTES]
 */
import { type ChildProcess, fork } from 'node:child_process';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { BgpSpeaker } from '../daemon/bgp/speaker.js';
import { systemClock } from '../daemon/clock.js';
import { neighbor } from '../test/daemon/bgp/network.js';

const port = 20_180;
const addresses = { sender: '127.0.0.11', middle: '127.0.0.12', taker: '127.0.0.13' };

function speaker(name: keyof typeof addresses, as: number, peers: readonly [keyof typeof addresses, number][]): BgpSpeaker {
  const address = addresses[name];
  const neighbors = peers.map(([peer, peerAs]) => neighbor(addresses[peer], address, peerAs, { port, connectRetryMs: 500 }));
  return new BgpSpeaker({
    config: { as, listen: { addresses: [address], port }, networks: [], neighbors },
    router: { id: address, loopback: `2001:db8::${address.split('.')[3]!}` },
    servicePrefixes: [],
    clock: systemClock,
    resolveNextHop: () => ({ cost: 1 }),
  });
}

function child(role: 'sender' | 'taker', routes: number): void {
  const own = role === 'sender' ? speaker('sender', 65001, [['middle', 65002]]) : speaker('taker', 65003, [['middle', 65002]]);
  if (role === 'sender') {
    // Each route has attributes of its own, so that each needs an UPDATE.
    own.announceBatch(Array.from({ length: routes }, (_, i) => ({ prefix: `2001:db8:${(i >> 8).toString(16)}:${(i & 255).toString(16)}::/64`, med: i })));
  }
  // The sender comes up when told to.
  process.on('message', () => own.start());
  process.on('disconnect', () => process.exit(0));
}

async function main(routes: number): Promise<void> {
  const script = fileURLToPath(import.meta.url);
  const children: ChildProcess[] = (['taker', 'sender'] as const).map((role) => fork(script, [role, String(routes)]));
  const middle = speaker('middle', 65002, [['sender', 65001], ['taker', 65003]]);
  middle.start();
  children[0]!.send('start');
  const count = (index: number, what: 'accepted' | 'sent'): number => middle.summary().neighbors[index]!.prefixes[what];
  const until = async (condition: () => boolean): Promise<void> => {
    while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
  };
  await until(() => middle.summary().neighbors[1]!.state === 'Established');
  const histogram = monitorEventLoopDelay({ resolution: 1 });
  const idle = monitorEventLoopDelay({ resolution: 1 });
  idle.enable();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  idle.disable();
  children[1]!.send('start');
  await until(() => count(0, 'accepted') > 0);
  const start = performance.now();
  histogram.enable();
  await until(() => count(0, 'accepted') === routes && count(1, 'sent') === routes);
  histogram.disable();
  const ms = performance.now() - start;
  const milliseconds = (nanoseconds: number): number => Math.round(nanoseconds / 1e4) / 100;
  console.log(
    JSON.stringify({
      routes,
      ms: Math.round(ms),
      routesPerSecond: Math.round((routes / ms) * 1000),
      loopDelayMs: { median: milliseconds(histogram.percentile(50)), p99: milliseconds(histogram.percentile(99)), maximum: milliseconds(histogram.max) },
      idleLoopDelayMs: { median: milliseconds(idle.percentile(50)), p99: milliseconds(idle.percentile(99)), maximum: milliseconds(idle.max) },
    }),
  );
  for (const process of children) process.disconnect();
  middle.stop();
}

const [, , role, routes] = process.argv;
if (role === 'sender' || role === 'taker') child(role, Number(routes));
else await main(Number(role ?? 100_000));
