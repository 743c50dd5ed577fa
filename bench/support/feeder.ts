/**
 * Stands for the exits of a large domain at the other end of real BGP sessions: a speaker and a STAMP reflector an exit, each announcing instances of many
 * services with SIDs of their own. A process in a node that owns the loopbacks of the exits.
 *
 *     node feeder.js '{"entry":"fc00:0:1::1","exits":[{"address":"fc00:0:11::1","identifier":"10.0.0.11","locator":"fcbb:bb00:11"}],"services":10000,...}'
 *
 * Answers each line of JSON `{"op":"connect"}`, `{"op":"update","services":N}` (announces the first N anew), `{"op":"withdraw","exit":I}`,
 * `{"op":"announce","exit":I}` with `{"unixMs":T}`, when that was begun; prints nothing else.
 */
import { createInterface } from 'node:readline';
import { StampService } from '../../daemon/awareness/stamp/service.js';
import { BgpSpeaker } from '../../daemon/bgp/speaker.js';
import type { LocalRoute } from '../../daemon/bgp/local-routes.js';
import { systemClock } from '../../daemon/clock.js';
import type { Instance } from '../../daemon/computing/types.js';
import type { BgpNeighborConfig } from '../../daemon/config/types.js';

export interface FeederSettings {
  readonly entry: string;
  /** `locator`: the first 48 bits of its SIDs, as text. */
  readonly exits: readonly { readonly address: string; readonly identifier: string; readonly locator: string }[];
  readonly services: number;
  /** First 112 bits of the service addresses, as text. */
  readonly serviceBase: string;
  readonly servicePrefix: string;
  readonly domainSources: readonly string[];
}

const settings = JSON.parse(process.argv[2] ?? '') as FeederSettings;
let sequence = BigInt(Date.now());

function instance(locator: string, service: number, utilisation: number): Instance {
  return {
    id: service + 1,
    aggregate: false,
    draining: false,
    sid: {
      sid: `${locator}:e000:${(service + 1).toString(16)}::`,
      behaviour: 0x10,
      structure: { block: 32, node: 16, function: 32, argument: 0 },
    },
    computing: [{ class: 2, chip: 2, total: 10n ** 13n, residual: 8n * 10n ** 12n }],
    load: { utilisation, queueLength: 1, activeFlows: 3 },
    serviceDelay: { meanUs: 50_000, p99Us: 90_000, serviceRate: 200 },
    storage: [],
    interface: undefined,
    location: undefined,
    energy: undefined,
    price: undefined,
    algorithms: [],
    cats: [],
    grade: undefined,
    address: undefined,
  };
}

const prefixOf = (service: number): string => `${settings.serviceBase}${(service + 1).toString(16)}/128`;

function routes(exit: number, count: number, utilisation: number): LocalRoute[] {
  const { address, locator } = settings.exits[exit]!;
  sequence++;
  return Array.from({ length: count }, (_, service) => ({
    prefix: prefixOf(service),
    cpn: {
      service: undefined,
      origin: { exit: address, sequence, originatedAt: BigInt(Date.now()), validity: 0 },
      instances: [instance(locator, service, utilisation)],
    },
  }));
}

function neighbor(localAddress: string): BgpNeighborConfig {
  return {
    address: settings.entry,
    port: 179,
    as: 65000,
    localAddress,
    description: '',
    passive: false,
    holdTimeMs: 90_000,
    connectRetryMs: 1000,
    ttl: 255,
    minimumTtl: undefined,
    password: undefined,
    cpn: true,
    cpnAccept: [],
    addPath: { receive: true, send: true },
    nextHopSelf: false,
    import: 'any',
    export: 'any',
  };
}

const speakers = settings.exits.map(({ address, identifier }, exit) => {
  const speaker = new BgpSpeaker({
    config: { as: 65000, listen: { addresses: [address], port: 179 }, networks: [], neighbors: [neighbor(address)] },
    router: { id: identifier, loopback: address },
    servicePrefixes: [settings.servicePrefix],
    clock: systemClock,
    resolveNextHop: () => ({ cost: 1 }),
  });
  speaker.announceBatch(routes(exit, settings.services, 2000));
  return speaker;
});
const silent = { onAlive: () => undefined, onMeasured: () => undefined, onError: (error: unknown) => process.stderr.write(`${String(error)}\n`) };
for (const { address } of settings.exits) new StampService({ address, port: 862, intervalMs: 100, lost: 3, allowed: settings.domainSources }, silent);

interface Command {
  readonly op: 'connect' | 'update' | 'withdraw' | 'announce';
  readonly services?: number;
  readonly exit?: number;
}

function run({ op, services = settings.services, exit = 0 }: Command): void {
  const speaker = speakers[exit]!;
  switch (op) {
    case 'connect':
      for (const each of speakers) each.start();
      return;
    case 'update':
      speakers.forEach((each, i) => each.announceBatch(routes(i, services, 2000 + Number(sequence % 1000n))));
      return;
    case 'withdraw':
      for (let service = 0; service < services; service++) speaker.withdraw(prefixOf(service));
      return;
    case 'announce':
      speaker.announceBatch(routes(exit, services, 2000));
  }
}

process.stdout.write('{}\n');
createInterface({ input: process.stdin })
  .on('line', (line) => {
    const unixMs = Date.now();
    run(JSON.parse(line) as Command);
    process.stdout.write(`${JSON.stringify({ unixMs })}\n`);
  })
  .on('close', () => process.exit(0));
