/** Random numbers from a seed, so that a model fitted twice from the same runs is the same model (xorshift32; Marsaglia, Xorshift RNGs, 2003). */

/** A source of numbers from 0 up to, but not, 1. */
export function seededRandom(seed: number): () => number {
  // Zero is the one state that xorshift never leaves.
  let state = (seed ^ 0x9e37_79b9) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 0x1_0000_0000;
  };
}

/** The numbers 0 to `count` - 1 in a random order. */
export function shuffled(count: number, random: () => number): number[] {
  const order = Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    [order[i], order[other]] = [order[other]!, order[i]!];
  }
  return order;
}
