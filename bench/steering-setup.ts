/** What the benches of the daemon's core share: a computing RIB and a steering over a flow table that only counts. */
import { systemClock } from '../daemon/clock.js';
import type { Instance } from '../daemon/computing/types.js';
import { silentLogger } from '../daemon/log.js';
import type { Advertisement, PathState } from '../daemon/rib/candidate.js';
import { ComputingRib } from '../daemon/rib/computing-rib.js';
import { Steering } from '../daemon/steering/steering.js';
import type { FlowTable, PolicyWrite } from '../dataplane/dataplane.js';
import { formatIp } from '../dataplane/packet/ip.js';

/** Takes policies and keeps none: what is measured is the daemon. */
export class CountingFlowTable implements FlowTable {
  writes = 0;
  calls = 0;

  setPolicies(writes: readonly PolicyWrite[]): void {
    this.writes += writes.length;
    this.calls++;
  }

  onPunt(): void {
    return;
  }
  onExpired(): void {
    return;
  }
  onPathMtu(): void {
    return;
  }
  setBlockOwner(): void {
    return;
  }
  deleteFlows(): void {
    return;
  }
  onPass(): void {
    return;
  }
  scanFlows(): [] {
    return [];
  }
  adoptedBlocks(): [] {
    return [];
  }
  policyStatus(): undefined {
    return undefined;
  }
  counters(): Record<string, bigint> {
    return {};
  }
}

export interface Core {
  readonly rib: ComputingRib;
  readonly steering: Steering;
  readonly flows: CountingFlowTable;
  /** Exits that do not answer. */
  readonly dead: Set<string>;
}

export function createCore(maxFlows: number): Core {
  const flows = new CountingFlowTable();
  const dead = new Set<string>();
  const rib = new ComputingRib({ clock: systemClock, log: silentLogger, ownExit: 'fc00:0:1::1' });
  const path: PathState = { rttUs: 10_000, jitterUs: 100, lossPpm: 0, alive: true, cost: 10, mtu: 1500, resolved: true };
  const steering = new Steering({
    clock: systemClock,
    log: silentLogger,
    rib,
    flows,
    config: { services: [], flowIdleMs: 300_000, maxFlows, restartTimeMs: 60_000, prediction: { model: 'learned', horizonMs: 1000 } },
    pathState: (exit) => (dead.has(exit) ? { ...path, alive: false } : path),
    seed: 1,
  });
  rib.onChange((services) => steering.onRibChange(services));
  steering.start();
  return { rib, steering, flows, dead };
}

export function closeCore({ rib, steering }: Core): void {
  steering.stop();
  rib.close();
}

/** Text of an address made of a head and a number in its last 32 bits: as a decoder makes it, a string of its own each time. */
function address(head: readonly number[], number: number): string {
  const bytes = new Uint8Array(16);
  bytes.set(head);
  new DataView(bytes.buffer).setUint32(12, number);
  return formatIp(bytes);
}

export const exitAddress = (exit: number): string => address([0xfc, 0, 0, 0, 0, exit], 1);
export const serviceAddress = (service: number): string => address([0x20, 0x01, 0x0d, 0xb8, 0, 0x5e], service);

/** What exit `exit` announces of service `service`, as decoded from one UPDATE. */
export function advertisement(service: number, exit: number, sequence: bigint): Advertisement {
  const instance: Instance = {
    id: service + 1,
    aggregate: false,
    draining: false,
    sid: { sid: address([0xfc, 0xbb, 0xbb, 0, 0, exit, 0xe0 + (service >> 16)], service), behaviour: 0x10, structure: { block: 32, node: 16, function: 16, argument: 0 } },
    computing: [{ class: 2, chip: 2, total: 10n ** 13n, residual: 8n * 10n ** 12n }],
    load: { utilisation: 1000, queueLength: 0, activeFlows: 0 },
    serviceDelay: { meanUs: 5000, p99Us: 9000, serviceRate: 200 },
    storage: [],
    interface: undefined,
    location: undefined,
    energy: undefined,
    price: undefined,
    algorithms: [],
    cats: [],
    grade: 2,
    address: undefined,
  };
  return {
    service: serviceAddress(service),
    exit: exitAddress(exit),
    source: 'bgp',
    peer: 'fc00:0:100::1',
    pathId: exit,
    sequence,
    originatedAt: 1_700_000_000_000n,
    validityMs: 0,
    instances: [instance],
    stale: false,
  };
}
