/**
 * Random numbers from a seed, for faults that must be repeatable: the same seed gives the same sequence. The generator
 * is Mulberry32, which is small and good enough for choosing; nothing secret may come from it.
 */

/** A function whose calls return numbers from 0 to just below 1. Of the seed, 32 bits are used. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
