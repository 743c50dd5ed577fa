/** Runs as they travel, flat, and as the models take them. */
import type { LabelledRun } from '../../computing/model/history.js';

/** Fits the message TaskRun of the API. */
export interface FlatRun {
  readonly service: string;
  readonly instance: string;
  readonly atMs: number;
  readonly workload: number;
  readonly dataSize: number;
  readonly latencyUs: number;
  readonly capacity: number;
  readonly computingUsed: number;
  readonly storage: number;
  readonly storageUsed: number;
  readonly ioRate: number;
}

export function labelledRun({ service, instance, atMs, workload, dataSize, latencyUs, ...state }: FlatRun): LabelledRun {
  const { capacity, computingUsed, storage, storageUsed, ioRate } = state;
  return { service, instance, atMs, workload, dataSize, latencyUs, state: { capacity, computingUsed, storage, storageUsed, ioRate } };
}

export function flatRun({ service, instance, atMs, workload, dataSize, latencyUs, state }: LabelledRun): FlatRun {
  return { service, instance, atMs, workload, dataSize, latencyUs, ...state };
}
