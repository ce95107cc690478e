/** How long searches take in a store of many chunks, by made up texts whose words are as common and as rare as in a language. */
import type { SearchedStore } from "./local.ts";
import { median } from "./measures.ts";

const VOCABULARY = 20_000;
const WORDS_PER_CHUNK = 100;
const WORDS_PER_QUERY = 6;

/** Searches before those that are measured, and these. */
const WARM_UP = 20;
const SEARCHES = 30;

/** Medians of searches in so many chunks, in milliseconds. */
export interface SearchTime {
  elapsed: number;
  /** of app and store together: says more where other programs are busy */
  cpu: number;
}

export async function searchTime(store: SearchedStore, chunks: number): Promise<SearchTime> {
  const random = randomFrom(chunks);
  await store.add(madeUp(chunks, random));
  const times: SearchTime[] = [];
  for (let search = 0; search < WARM_UP + SEARCHES; search += 1) {
    const query = wordsFrom(WORDS_PER_QUERY, random);
    const start = performance.now();
    const before = process.cpuUsage();
    await store.search(query, 20, {});
    const { user, system } = process.cpuUsage(before);
    if (search >= WARM_UP) times.push({ elapsed: performance.now() - start, cpu: (user + system) / 1000 });
  }
  return { elapsed: median(times.map(({ elapsed }) => elapsed)), cpu: median(times.map(({ cpu }) => cpu)) };
}

function* madeUp(chunks: number, random: () => number): Generator<[id: string, text: string]> {
  for (let chunk = 0; chunk < chunks; chunk += 1) yield [String(chunk), wordsFrom(WORDS_PER_CHUNK, random)];
}

const wordsFrom = (count: number, random: () => number) =>
  Array.from({ length: count }, () => wordFrom(random)).join(" ");

/** By Zipf's law the second word is half as common as the first, the third a third, and so on. */
const wordFrom = (random: () => number) => `w${Math.floor(VOCABULARY ** random()).toString(36)}q`;

/** The same numbers each time, from 0 to 1 (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
