/** What the sources of the agent measure, and how their answers become one. Pure. */
import type { Chip, NodeInterface, StorageVolume } from '../awareness/registration/types.js';

/** Chips with what may be used of them and what is free now, as shares of the whole, 0..1. */
export interface ChipUse extends Chip {
  /** Below 1 where a control group limits what may be used. */
  readonly usable: number;
  readonly free: number;
}

/** What is said of one service; absent: not known. */
export interface ServiceSample {
  readonly utilisation?: number; // 0..1
  readonly queueLength?: number;
  readonly activeFlows?: number;
  readonly meanUs?: number;
  readonly p99Us?: number;
  readonly serviceRate?: number; // requests per second
}

/** Capacity of a class and chip that a source states itself, operations per second. */
export interface StatedComputing {
  readonly total?: number;
  readonly residual?: number;
}

export interface Sample {
  /** By kind and model. */
  readonly chips: ReadonlyMap<string, ChipUse>;
  /** By "class chip": overrides what follows from the chips. */
  readonly computing: ReadonlyMap<string, StatedComputing>;
  readonly memory: { readonly total?: number; readonly free?: number }; // octets
  readonly storage: ReadonlyMap<string, StorageVolume>;
  readonly interfaces: ReadonlyMap<string, NodeInterface>;
  /** Busy share of all chips of a kind, 0..1: overrides what the chips say. */
  readonly utilisation: ReadonlyMap<string, number>;
  readonly services: ReadonlyMap<string, ServiceSample>;
}

export const EMPTY_SAMPLE: Sample = { chips: new Map(), computing: new Map(), memory: {}, storage: new Map(), interfaces: new Map(), utilisation: new Map(), services: new Map() };

/** One place that measurements come from. */
export interface Source {
  readonly name: string;
  /** Rejects with the reason when nothing can be said now. */
  read(): Promise<Partial<Sample>>;
  /** Calls `listener` when there is something new to read before the next interval. */
  onChange?(listener: () => void): void;
  stop?(): void;
}

const union = <V>(a: ReadonlyMap<string, V>, b: ReadonlyMap<string, V> | undefined): ReadonlyMap<string, V> => (b ? new Map([...a, ...b]) : a);

function unionOf<V extends object>(a: ReadonlyMap<string, V>, b: ReadonlyMap<string, V> | undefined): ReadonlyMap<string, V> {
  if (!b) return a;
  const merged = new Map(a);
  for (const [key, value] of b) merged.set(key, { ...merged.get(key), ...value });
  return merged;
}

/** Later samples win over earlier ones, value by value. */
export function combine(samples: readonly Partial<Sample>[]): Sample {
  return samples.reduce<Sample>(
    (all, sample) => ({
      chips: union(all.chips, sample.chips),
      computing: unionOf(all.computing, sample.computing),
      memory: { ...all.memory, ...sample.memory },
      storage: unionOf(all.storage, sample.storage),
      interfaces: unionOf(all.interfaces, sample.interfaces),
      utilisation: union(all.utilisation, sample.utilisation),
      services: unionOf(all.services, sample.services),
    }),
    EMPTY_SAMPLE,
  );
}
