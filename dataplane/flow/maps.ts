/** The seam between the flow table and BPF maps: the kernel's here, memory in tests. */
import { native } from '../native/index.js';

export const BPF_ANY = 0;
export const BPF_NOEXIST = 1;
export const BPF_EXIST = 2;

export interface BpfMap {
  readonly maxEntries: number;
  /** False where `flags` (BPF_NOEXIST, BPF_EXIST) forbids it. */
  update(key: Uint8Array, value: Uint8Array, flags?: number): boolean;
  /** Writes `count` entries that stand on end in the arrays; returns how many were written. */
  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): number;
  /** Copies the value; false when the key is absent. */
  lookup(key: Uint8Array, value: Uint8Array): boolean;
  delete(key: Uint8Array): boolean;
  /** Returns how many were there. */
  deleteBatch(keys: Uint8Array, count: number): number;
  /** Reads up to `count` entries from where `cursor` stands (`first`: from the start); `done` at the end of the map. */
  lookupBatch(cursor: Uint8Array, first: boolean, keys: Uint8Array, values: Uint8Array, count: number): { readonly count: number; readonly done: boolean };
}

/** Names are those of the C file in camel case. */
export interface BpfMaps {
  readonly interfaces: BpfMap;
  readonly destinations: BpfMap;
  readonly domainSources: BpfMap;
  readonly flows: BpfMap;
  readonly newFlows: BpfMap;
  readonly fragments: BpfMap;
  readonly policies: BpfMap;
  readonly slots: BpfMap;
  readonly owners: BpfMap;
  readonly puntLimits: BpfMap;
  readonly stats: BpfMap;
}

/** A map of the kernel by its descriptor. */
export class KernelMap implements BpfMap {
  readonly maxEntries: number;

  constructor(private readonly fd: number) {
    this.maxEntries = native.bpfMapInfo(fd).maxEntries;
  }

  update(key: Uint8Array, value: Uint8Array, flags = BPF_ANY): boolean {
    return native.bpfMapUpdate(this.fd, key, value, flags);
  }

  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): number {
    return native.bpfMapUpdateBatch(this.fd, keys, values, count, BPF_ANY);
  }

  lookup(key: Uint8Array, value: Uint8Array): boolean {
    return native.bpfMapLookup(this.fd, key, value);
  }

  delete(key: Uint8Array): boolean {
    return native.bpfMapDelete(this.fd, key);
  }

  deleteBatch(keys: Uint8Array, count: number): number {
    return native.bpfMapDeleteBatch(this.fd, keys, count);
  }

  lookupBatch(cursor: Uint8Array, first: boolean, keys: Uint8Array, values: Uint8Array, count: number): { count: number; done: boolean } {
    return native.bpfMapLookupBatch(this.fd, cursor, first, keys, values, count);
  }
}
