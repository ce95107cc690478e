/** How the local servers read a text: what an English full-text index of Cosmos DB does, about. */
import { stemmer } from "stemmer";

/** English words that tell nothing of what a text is about. */
const STOP_WORDS: ReadonlySet<string> = new Set(
  (
    "a about after all also am an and any are as at be because been before being but by can could did do does doing down " +
    "during each few for from further had has have having he her here hers him his how i if in into is it its just me more " +
    "most my no nor not now of off on once only or other our out over own same she should so some such than that the their " +
    "them then there these they this those through to too under until up very was we were what when where which while who " +
    "whom why will with would you your"
  ).split(" "),
);

const WORD = /[\p{L}\p{N}]+/gu;

/** Porter's algorithm takes time, and texts repeat their words. */
const stems = new Map<string, string>();
const MAX_STEMS = 100_000;

/** What is longer is no word, and the algorithm takes the square of its length. */
const LONGEST_WORD = 64;

function stemOf(word: string): string {
  if (word.length > LONGEST_WORD) return word;
  let stem = stems.get(word);
  if (stem === undefined) {
    stem = stemmer(word);
    if (stems.size >= MAX_STEMS) stems.clear();
    stems.set(word, stem);
  }
  return stem;
}

/** The stems of a text's words, in their order: lower case, split at all that is no letter or digit, no stop words. */
export function wordsOf(text: string): string[] {
  const words: string[] = [];
  for (const word of text.toLowerCase().match(WORD) ?? []) if (!STOP_WORDS.has(word)) words.push(stemOf(word));
  return words;
}
