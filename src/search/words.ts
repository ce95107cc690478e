/** Words of queries and of passages. Cosmos DB reads texts by itself: this is for comparing what it found. */
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

/** Of a script that writes no spaces between words. */
const UNSPACED = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}]/u;

/** Full-text search takes a term for each word, and each costs. */
const MOST_KEY_WORDS = 8;

/** Of a query; a longer one is looked through up to here, in characters. */
const LONGEST_QUERY = 10_000;

/** Of a word that can be an index's. */
const LONGEST_WORD = 64;

/** Texts repeat their words, and the algorithm takes longer than looking them up. */
const stems = new Map<string, string>();
const MOST_STEMS = 20_000;

function stemOf(word: string): string {
  const known = stems.get(word);
  if (known !== undefined) return known;
  // What a file has of that length is no word, and the algorithm takes the square of its length.
  if (word.length > LONGEST_WORD) return word;
  const stem = stemmer(word);
  if (stems.size >= MOST_STEMS) stems.clear();
  stems.set(word, stem);
  return stem;
}

function plainWords(text: string): string[] {
  const words = text.toLowerCase().match(WORD) ?? [];
  return words.filter((word) => !STOP_WORDS.has(word));
}

/** The stems of a text's words, in their order; pairs of characters where words are not told apart by spaces. */
export function stemsOf(text: string): string[] {
  return plainWords(text).flatMap((word) => (UNSPACED.test(word) ? pairsOf(word) : stemOf(word)));
}

function pairsOf(word: string): string[] {
  const characters = Array.from(word);
  if (characters.length < 2) return characters;
  return characters.slice(1).map((character, index) => `${characters[index]}${character}`);
}

/** Up to eight words of a query that tell most of it: long words are rare ones. */
export function keyWords(query: string): string[] {
  const byStem = new Map<string, string>();
  for (const word of plainWords(query.slice(0, LONGEST_QUERY))) {
    const stem = stemOf(word);
    if (!byStem.has(stem) && word.length <= LONGEST_WORD) byStem.set(stem, word);
  }
  return [...byStem.values()].sort((a, b) => b.length - a.length).slice(0, MOST_KEY_WORDS);
}
