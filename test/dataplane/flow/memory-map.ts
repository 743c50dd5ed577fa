/** A BPF map in memory, with the behaviour that the flow table relies on. */
import { BPF_ANY, BPF_EXIST, BPF_NOEXIST, type BpfMap } from '../../../dataplane/flow/maps.js';

export class MemoryMap implements BpfMap {
  private readonly entries = new Map<string, { key: Uint8Array; value: Uint8Array }>();
  /** Writes in the order they were made: for a batch the keys it held. */
  readonly log: string[] = [];

  constructor(
    readonly name: string,
    private readonly keySize: number,
    private readonly valueSize: number,
    readonly maxEntries: number,
    /** Arrays have all their entries from the start. */
    isArray = false,
    private readonly trace: (what: string) => void = () => undefined,
  ) {
    if (!isArray) return;
    for (let i = 0; i < maxEntries; i++) this.put(new Uint8Array(Uint32Array.of(i).buffer), new Uint8Array(valueSize));
  }

  private text(key: Uint8Array): string {
    return Buffer.from(key.buffer, key.byteOffset, this.keySize).toString('latin1');
  }

  private put(key: Uint8Array, value: Uint8Array): void {
    this.entries.set(this.text(key), { key: key.slice(0, this.keySize), value: value.slice(0, this.valueSize) });
  }

  get size(): number {
    return this.entries.size;
  }

  update(key: Uint8Array, value: Uint8Array, flags = BPF_ANY): boolean {
    const present = this.entries.has(this.text(key));
    if ((flags === BPF_NOEXIST && present) || (flags === BPF_EXIST && !present)) return false;
    this.put(key, value);
    this.trace(this.name);
    return true;
  }

  updateBatch(keys: Uint8Array, values: Uint8Array, count: number): number {
    for (let i = 0; i < count; i++) {
      this.put(keys.subarray(i * this.keySize, (i + 1) * this.keySize), values.subarray(i * this.valueSize, (i + 1) * this.valueSize));
    }
    this.trace(this.name);
    return count;
  }

  lookup(key: Uint8Array, value: Uint8Array): boolean {
    const found = this.entries.get(this.text(key));
    if (found) value.set(found.value);
    return found !== undefined;
  }

  delete(key: Uint8Array): boolean {
    return this.entries.delete(this.text(key));
  }

  deleteBatch(keys: Uint8Array, count: number): number {
    let deleted = 0;
    for (let i = 0; i < count; i++) if (this.delete(keys.subarray(i * this.keySize, (i + 1) * this.keySize))) deleted++;
    return deleted;
  }

  lookupBatch(cursor: Uint8Array, first: boolean, keys: Uint8Array, values: Uint8Array, count: number): { count: number; done: boolean } {
    const position = new DataView(cursor.buffer, cursor.byteOffset);
    const start = first ? 0 : position.getUint32(0, true);
    const entries = [...this.entries.values()].slice(start, start + count);
    entries.forEach(({ key, value }, i) => {
      keys.set(key, i * this.keySize);
      values.set(value, i * this.valueSize);
    });
    position.setUint32(0, start + entries.length, true);
    return { count: entries.length, done: start + entries.length >= this.entries.size };
  }
}
