/**
 * What a speaker does per second, in one process and without sockets: reading a table, passing it on, and 10,000 services of three exits
 * each behind a reflector with ADD-PATH. Prints one JSON object a line. Run: node --expose-gc dist/bench/bgp-speaker.js
 */
import { neighbor } from '../test/daemon/bgp/network.js';
import { encodeKeepalive, encodeOpen } from '../daemon/bgp/wire/encode.js';
import { packAnnouncements } from '../daemon/bgp/wire/pack.js';
import { cpnAttributeOf } from '../daemon/bgp/wire/attributes/cpn.js';
import { EMPTY_ATTRIBUTES, IPV6_UNICAST, NO_EXPORT, type Capability, type EncodeContext, type PathAttributes } from '../daemon/bgp/wire/types.js';
import { MemoryNetwork } from '../daemon/bgp/memory-transport.js';
import { BgpSpeaker } from '../daemon/bgp/speaker.js';
import type { Stream } from '../daemon/bgp/transport.js';
import { ManualClock } from '../daemon/clock.js';
import type { Instance } from '../daemon/computing/types.js';
import { Prefix } from '../dataplane/packet/ip.js';

const local = '2001:db8::1';

interface Bench {
  readonly speaker: BgpSpeaker;
  readonly clock: ManualClock;
  readonly streams: readonly Stream[];
  received(): number;
}

/** A speaker with external or internal peers that are already established and only count what they get. */
function setUp(as: readonly number[], addPath: boolean): Bench {
  const clock = new ManualClock();
  const links = new MemoryNetwork(clock, 1);
  const speaker = new BgpSpeaker({
    config: {
      as: 65000,
      listen: { addresses: [local], port: 179 },
      networks: [],
      neighbors: as.map((number, i) => neighbor(`2001:db8::1${i}`, local, number, { passive: true, cpn: true, addPath: { receive: addPath, send: addPath } })),
    },
    router: { id: '10.0.0.1', loopback: local },
    servicePrefixes: ['2001:db8:5e::/48'],
    clock,
    transport: links,
    random: () => 0.5,
    resolveNextHop: () => ({ cost: 1 }),
  });
  speaker.start();
  let octets = 0;
  const streams: Stream[] = [];
  as.forEach((number, i) => {
    links.connect({ local: `2001:db8::1${i}`, remote: { address: local, port: 179 }, ttl: 255, minimumTtl: undefined, password: undefined, timeoutMs: 1000 }, (stream) => {
      stream.attach({ received: (bytes) => (octets += bytes.length), drained: () => undefined, closed: () => undefined });
      const capabilities: Capability[] = [{ kind: 'multiprotocol', family: IPV6_UNICAST }, { kind: 'fourOctetAs', as: number }, { kind: 'extendedMessage' }];
      if (addPath) capabilities.push({ kind: 'addPath', families: [{ ...IPV6_UNICAST, receive: true, send: true }] });
      stream.write(encodeOpen({ as: number, holdTime: 0, identifier: `10.0.1.${i}`, capabilities }));
      stream.write(encodeKeepalive());
      streams.push(stream);
    }, (error) => {
      throw new Error(error);
    });
  });
  clock.advance(100);
  return { speaker, clock, streams, received: () => octets };
}

const context = (addPath: boolean, ibgp: boolean): EncodeContext => ({ fourOctetAs: true, addPath: () => addPath, extendedMessage: false, ibgp, cpnAttributeType: 255 });

function report(name: string, routes: number, run: () => void): void {
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  const start = performance.now();
  run();
  const ms = performance.now() - start;
  globalThis.gc?.();
  const octets = process.memoryUsage().heapUsed - before;
  console.log(JSON.stringify({ name, routes, ms: Math.round(ms), routesPerSecond: Math.round((routes / ms) * 1000), heapOctetsPerRoute: globalThis.gc ? Math.round(octets / routes) : null }));
}

function table(count: number, perUpdate: number): Uint8Array[] {
  const messages: Uint8Array[] = [];
  for (let i = 0; i < count; i += perUpdate) {
    const nlri = Array.from({ length: Math.min(perUpdate, count - i) }, (_, k) => ({ prefix: Prefix.from(`2001:db8:${((i + k) >> 8).toString(16)}:${((i + k) & 255).toString(16)}::/64`), pathId: 0 }));
    const attributes: PathAttributes = { ...EMPTY_ATTRIBUTES, asPath: [{ type: 2, as: [65001, i + 1] }] };
    messages.push(...packAnnouncements({ family: IPV6_UNICAST, nextHop: { address: '2001:db8::10', linkLocal: undefined }, nlri }, attributes, context(false, false))!);
  }
  return messages;
}

function send(bench: Bench, stream: number, messages: readonly Uint8Array[]): void {
  for (let i = 0; i < messages.length; i += 50) {
    bench.streams[stream]!.write(Buffer.concat(messages.slice(i, i + 50)));
  }
  bench.clock.advance(5000);
}

const routes = 100_000;
for (const perUpdate of [1, 200]) {
  const messages = table(routes, perUpdate);
  const alone = setUp([65001], false);
  report(`receive a table, ${perUpdate} routes an UPDATE`, routes, () => send(alone, 0, messages));
  const passing = setUp([65001, 65002], false);
  report(`receive a table, ${perUpdate} routes an UPDATE, and pass it on`, routes, () => send(passing, 0, messages));
}

const services = 10_000;
const instance = (exit: number): Instance => ({
  id: 1,
  aggregate: false,
  draining: false,
  sid: { sid: `fcbb:bb00:1${exit}:e001::`, behaviour: 0x10, structure: { block: 32, node: 16, function: 16, argument: 0 } },
  computing: [{ class: 2, chip: 2, total: 10n ** 13n, residual: 8n * 10n ** 12n }],
  load: { utilisation: 2000, queueLength: 1, activeFlows: 3 },
  serviceDelay: { meanUs: 5000, p99Us: 9000, serviceRate: 200 },
  storage: [],
  interface: undefined,
  location: undefined,
  energy: undefined,
  price: undefined,
  algorithms: [],
  cats: [],
  grade: undefined,
  address: undefined,
});
const serviceMessages: Uint8Array[] = [];
for (let i = 0; i < services; i++) {
  for (let exit = 1; exit <= 3; exit++) {
    const origin = { exit: `fc00:0:1${exit}::1`, sequence: BigInt(i), originatedAt: 1n, validity: 0 };
    const attributes: PathAttributes = {
      ...EMPTY_ATTRIBUTES,
      localPref: 100,
      communities: [NO_EXPORT],
      originatorId: `10.0.2.${exit}`,
      clusterList: ['10.0.0.255'],
      cpn: cpnAttributeOf({ service: undefined, origin, instances: [instance(exit)] }),
    };
    const nlri = [{ prefix: Prefix.from(`2001:db8:5e::${(i + 1).toString(16)}/128`), pathId: exit }];
    serviceMessages.push(...packAnnouncements({ family: IPV6_UNICAST, nextHop: { address: `fc00:0:1${exit}::1`, linkLocal: undefined }, nlri }, attributes, context(true, true))!);
  }
}
const entry = setUp([65000], true);
let seen = 0;
entry.speaker.onServiceRoutes((changes) => (seen += changes.length));
report('receive 10,000 services x 3 exits with their blocks', services * 3, () => send(entry, 0, serviceMessages));
if (seen !== services * 3) throw new Error(`${seen} service paths arrived`);

const exit = setUp([65000], true);
report('announce 10,000 services with their blocks', services, () => {
  exit.speaker.announceBatch(
    Array.from({ length: services }, (_, i) => ({
      prefix: `2001:db8:5e::${(i + 1).toString(16)}/128`,
      cpn: { service: undefined, origin: { exit: local, sequence: 1n, originatedAt: 1n, validity: 0 }, instances: [instance(1)] },
    })),
  );
  exit.clock.advance(5000);
});
