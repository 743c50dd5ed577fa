/** Advertisements for tests: an instance with a SID behind an exit, and what a test wants different. */
import type { Instance } from '../../../daemon/computing/types.js';
import type { Advertisement } from '../../../daemon/rib/candidate.js';

export const SERVICE = '2001:db8:5e::1';

export const exitOf = (number: number): string => `fc00:0:${number.toString(16)}::1`;
export const sidOf = (exit: number, id: number): string => `fcbb:bb00:${exit.toString(16)}:e${id.toString(16).padStart(3, '0')}::`;

/** An instance behind exit `exit` with a mean service delay of 5 ms and 200 requests per second, unloaded. */
export function makeInstance(exit: number, id: number, changes: Partial<Instance> = {}): Instance {
  return {
    id,
    aggregate: false,
    draining: false,
    sid: { sid: sidOf(exit, id), behaviour: 0x10, structure: { block: 32, node: 16, function: 16, argument: 0 } },
    computing: [{ class: 2, chip: 2, total: 10n ** 13n, residual: 8n * 10n ** 12n }],
    load: { utilisation: 0, queueLength: 0, activeFlows: 0 },
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
    ...changes,
  };
}

/** What exit `exit` announces with sequence `sequence`, as heard from a reflector. */
export function makeAdvertisement(exit: number, sequence: number, changes: Partial<Advertisement> = {}): Advertisement {
  return {
    service: SERVICE,
    exit: exitOf(exit),
    source: 'bgp',
    peer: 'fc00:0:100::1',
    pathId: exit,
    sequence: BigInt(sequence),
    originatedAt: 1_700_000_000_000n,
    validityMs: 0,
    instances: [makeInstance(exit, 1)],
    stale: false,
    ...changes,
  };
}
