/**
 * Link State IDs for LSAs that are named by something else, such as a prefix. They come from a hash, so that a restarted router gives the same
 * ones and replaces its LSAs of before instead of flushing them.
 */
export class LinkStateIds {
  private readonly ids = new Map<string, number>();
  private readonly taken = new Set<number>();

  /** The ID of a name, the same until it is released. 0 is never one. */
  take(name: string): number {
    const known = this.ids.get(name);
    if (known !== undefined) return known;
    let id = hash(name);
    while (id === 0 || this.taken.has(id)) id = (id + 1) >>> 0;
    this.ids.set(name, id);
    this.taken.add(id);
    return id;
  }

  release(name: string): void {
    const id = this.ids.get(name);
    if (id === undefined) return;
    this.ids.delete(name);
    this.taken.delete(id);
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) value = Math.imul(value ^ text.charCodeAt(i), 0x01000193);
  return value >>> 0;
}
