/**
 * Longest-prefix-match table: a path-compressed binary trie (Patricia) with its nodes in typed arrays. A lookup touches one node a
 * branching bit and allocates nothing. IPv4 and IPv6 have a root each.
 */
import { Prefix } from '../../dataplane/packet/ip.js';

const NONE = -1;
const INITIAL_NODES = 64;

export class PrefixTrie<V> {
  /** Two children a node: bit 0, bit 1. */
  private children = new Int32Array(2 * INITIAL_NODES);
  private lengths = new Uint8Array(INITIAL_NODES);
  /** Four words a node, network order; IPv4 uses the first. */
  private words = new Uint32Array(4 * INITIAL_NODES);
  private readonly values: (V | undefined)[] = [];
  private readonly prefixes: (Prefix | undefined)[] = [];
  private readonly free: number[] = [];
  private used = 0;
  private count = 0;
  private readonly roots = { 4: NONE, 6: NONE };
  /** The key being looked up. */
  private readonly key = new Uint32Array(4);

  /** Number of prefixes. */
  get size(): number {
    return this.count;
  }

  set(prefix: Prefix, value: V): void {
    this.load(prefix.bytes);
    const { length } = prefix;
    let parent = NONE;
    let side = 0;
    let node = this.roots[prefix.family];
    while (node !== NONE) {
      const common = this.common(node, length);
      if (common < this.lengths[node]!) {
        this.split(prefix, value, parent, side, node, common);
        return;
      }
      if (common === length) {
        if (this.values[node] === undefined) this.count++;
        this.values[node] = value;
        this.prefixes[node] = prefix;
        return;
      }
      parent = node;
      side = this.keyBit(common);
      node = this.children[2 * node + side]!;
    }
    this.attach(prefix, parent, side, this.create(prefix, value));
  }

  get(prefix: Prefix): V | undefined {
    this.load(prefix.bytes);
    let node = this.roots[prefix.family];
    while (node !== NONE) {
      const length = this.lengths[node]!;
      if (length > prefix.length || this.common(node, length) < length) return undefined;
      if (length === prefix.length) return this.values[node];
      node = this.children[2 * node + this.keyBit(length)]!;
    }
    return undefined;
  }

  delete(prefix: Prefix): boolean {
    this.load(prefix.bytes);
    let grandparent = NONE;
    let parent = NONE;
    let node = this.roots[prefix.family];
    while (node !== NONE) {
      const length = this.lengths[node]!;
      if (length > prefix.length || this.common(node, length) < length) return false;
      if (length === prefix.length) break;
      grandparent = parent;
      parent = node;
      node = this.children[2 * node + this.keyBit(length)]!;
    }
    if (node === NONE || this.values[node] === undefined) return false;
    this.values[node] = undefined;
    this.count--;
    this.splice(prefix, node, parent);
    if (parent !== NONE && this.values[parent] === undefined) this.splice(prefix, parent, grandparent);
    return true;
  }

  /** Value of the longest prefix that contains an address of 4 or 16 octets. */
  lookup(address: Uint8Array): V | undefined {
    this.load(address);
    const bits = address.length * 8;
    let best: V | undefined;
    let node = this.roots[address.length === 4 ? 4 : 6];
    while (node !== NONE) {
      const length = this.lengths[node]!;
      if (this.common(node, length) < length) break;
      best = this.values[node] ?? best;
      if (length === bits) break;
      node = this.children[2 * node + this.keyBit(length)]!;
    }
    return best;
  }

  /** Values of all prefixes that contain an address, the longest first. */
  matches(address: Uint8Array): V[] {
    this.load(address);
    const found: V[] = [];
    let node = this.roots[address.length === 4 ? 4 : 6];
    while (node !== NONE) {
      const length = this.lengths[node]!;
      if (this.common(node, length) < length) break;
      const value = this.values[node];
      if (value !== undefined) found.push(value);
      if (length === address.length * 8) break;
      node = this.children[2 * node + this.keyBit(length)]!;
    }
    return found.reverse();
  }

  /** All prefixes with their values: IPv4 first, then in address order, a shorter prefix before those inside it. */
  *entries(): Generator<[Prefix, V]> {
    for (const family of [4, 6] as const) {
      const stack = [this.roots[family]];
      while (stack.length > 0) {
        const node = stack.pop()!;
        if (node === NONE) continue;
        const value = this.values[node];
        if (value !== undefined) yield [this.prefixes[node]!, value];
        stack.push(this.children[2 * node + 1]!, this.children[2 * node]!);
      }
    }
  }

  private load(bytes: Uint8Array): void {
    for (let word = 0, i = 0; i < bytes.length; word++, i += 4) {
      this.key[word] = (bytes[i]! << 24) | (bytes[i + 1]! << 16) | (bytes[i + 2]! << 8) | bytes[i + 3]!;
    }
  }

  private keyBit(position: number): number {
    return (this.key[position >> 5]! >>> (31 - (position & 31))) & 1;
  }

  /** How many leading bits key and node share, at most the node's length and `limit`. */
  private common(node: number, limit: number): number {
    const end = Math.min(limit, this.lengths[node]!);
    for (let word = 0; word * 32 < end; word++) {
      const difference = (this.key[word]! ^ this.words[4 * node + word]!) >>> 0;
      if (difference !== 0) return Math.min(end, word * 32 + Math.clz32(difference));
    }
    return end;
  }

  private split(prefix: Prefix, value: V, parent: number, side: number, node: number, common: number): void {
    const inner = this.create(prefix, common === prefix.length ? value : undefined, common);
    const nodeSide = (this.words[4 * node + (common >> 5)]! >>> (31 - (common & 31))) & 1;
    this.children[2 * inner + nodeSide] = node;
    if (common < prefix.length) {
      const leaf = this.create(prefix, value);
      this.children[2 * inner + 1 - nodeSide] = leaf;
    }
    this.attach(prefix, parent, side, inner);
  }

  private attach(prefix: Prefix, parent: number, side: number, node: number): void {
    if (parent === NONE) this.roots[prefix.family] = node;
    else this.children[2 * parent + side] = node;
  }

  private create(prefix: Prefix, value: V | undefined, length = prefix.length): number {
    const node = this.free.pop() ?? this.used++;
    if (node >= this.lengths.length) this.grow();
    this.children[2 * node] = NONE;
    this.children[2 * node + 1] = NONE;
    this.lengths[node] = length;
    for (let word = 0; word < 4; word++) {
      const rest = length - 32 * word;
      this.words[4 * node + word] = rest >= 32 ? this.key[word]! : rest <= 0 ? 0 : (this.key[word]! & (0xffffffff << (32 - rest))) >>> 0;
    }
    this.values[node] = value;
    this.prefixes[node] = value === undefined ? undefined : prefix;
    if (value !== undefined) this.count++;
    return node;
  }

  /** Takes a node without a value and with fewer than two children out of the tree. */
  private splice(prefix: Prefix, node: number, parent: number): void {
    const left = this.children[2 * node]!;
    const right = this.children[2 * node + 1]!;
    this.prefixes[node] = undefined;
    if (left !== NONE && right !== NONE) return;
    const side = parent !== NONE && this.children[2 * parent + 1] === node ? 1 : 0;
    this.attach(prefix, parent, side, left !== NONE ? left : right);
    this.free.push(node);
  }

  private grow(): void {
    const nodes = this.lengths.length * 2;
    const children = new Int32Array(2 * nodes);
    children.set(this.children);
    this.children = children;
    const lengths = new Uint8Array(nodes);
    lengths.set(this.lengths);
    this.lengths = lengths;
    const words = new Uint32Array(4 * nodes);
    words.set(this.words);
    this.words = words;
  }
}
