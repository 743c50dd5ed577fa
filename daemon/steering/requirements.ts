/** Effective requirements of a flow: what its first packet states, and the service's configured defaults for the rest. */
import type { RequirementDefaults } from '../config/types.js';
import type { ComputingClass } from '../computing/types.js';
import { NO_REQUIREMENTS, type Requirements } from './requirement-option.js';

const CLASS_CODES: Readonly<Record<'logical' | 'parallel' | 'neural', ComputingClass>> = { logical: 1, parallel: 2, neural: 3 };
const ABILITY_CODES = { block: 1, file: 2, object: 3 } as const;
const MODE_CODES = { none: 0, flow: 1, client: 2 } as const;

export function requirementsOfDefaults(defaults: RequirementDefaults): Requirements {
  const { computing, stickiness, storage } = defaults;
  return {
    ...NO_REQUIREMENTS,
    latencyUs: defaults.maxLatencyUs,
    computing: computing && { class: CLASS_CODES[computing.class], minResidual: computing.minOps },
    stickiness: stickiness && { mode: MODE_CODES[stickiness.mode], seconds: stickiness.seconds },
    storage: storage && { ability: ABILITY_CODES[storage.ability], octets: storage.minOctets },
    network: defaults.network,
    algorithm: defaults.algorithm,
    objective: defaults.objective,
  };
}

/** Each requirement the packet states replaces the default; the others stay. */
export function mergeRequirements(stated: Requirements, defaults: Requirements): Requirements {
  const merged: Record<string, unknown> = { ...defaults, splittable: stated.splittable };
  for (const [name, value] of Object.entries(stated)) if (value !== undefined) merged[name] = value;
  return merged as unknown as Requirements;
}

const CLASS_NAMES: Readonly<Record<number, string>> = { 1: 'logical', 2: 'parallel', 3: 'neural' };
const MODE_NAMES: Readonly<Record<number, string>> = { 0: 'none', 1: 'flow', 2: 'client' };
const ABILITY_NAMES: Readonly<Record<number, string>> = { 1: 'block', 2: 'file', 3: 'object' };

/** One line a requirement. */
export function describeRequirements(requirements: Requirements): { readonly name: keyof Requirements; readonly text: string }[] {
  const lines: { name: keyof Requirements; text: string }[] = [];
  const add = <K extends keyof Requirements>(name: K, text: (value: NonNullable<Requirements[K]>) => string): void => {
    const value = requirements[name];
    if (value !== undefined) lines.push({ name, text: text(value) });
  };
  add('latencyUs', (value) => `round trip with processing at most ${value} us`);
  add('computing', (value) => `${CLASS_NAMES[value.class] ?? value.class} computing, residual at least ${value.minResidual} operations/s`);
  add('workload', (value) => `workload ${value} operations`);
  add('dataSize', (value) => `data size ${value} octets`);
  add('stickiness', (value) => `stickiness ${MODE_NAMES[value.mode] ?? value.mode}${value.mode === 2 ? ` for ${value.seconds} s` : ''}`);
  add('storage', (value) => `${ABILITY_NAMES[value.ability] ?? value.ability} storage, at least ${value.octets} octets free`);
  add('network', (value) => `network: bandwidth at least ${value.minBandwidth} bit/s, delay variation at most ${value.maxPdvUs} us, loss at most ${value.maxLossPpm} ppm`);
  add('algorithm', (value) => `algorithm ${value}`);
  add('application', (value) => `application ${value}`);
  add('objective', (value) => `objective weights latency ${value.latency}, energy ${value.energy}, utilisation ${value.utilisation}, price ${value.price}`);
  add('dataType', (value) => `data type ${value}`);
  add('security', (value) => `security level ${value}`);
  if (requirements.splittable) lines.push({ name: 'splittable', text: 'the task may be split' });
  return lines;
}
