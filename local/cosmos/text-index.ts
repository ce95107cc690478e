/** A full-text index of one path of a container: which item has which word how often. */
import { wordsOf } from "../text/words.ts";
import { unsupported } from "./errors.ts";
import type { Item } from "./item.ts";
import type { FullText, TextStatistics } from "./sql/row.ts";
import { type JsonObject, type Path, valueAt } from "./sql/values.ts";

/** Okapi BM25, with the constants that are usual. */
const SATURATION = 1.2;
const LENGTH_WEIGHT = 0.75;

/** Where a word is: slots of items, in the order in which these came, and how often. */
interface Posting {
  slots: number[];
  counts: number[];
}

const NOWHERE: Posting = { slots: [], counts: [] };

/** Slots of items that are gone are kept until there are so many, and more of them than of others. */
const MOST_GONE = 1_000;

export class TextIndex implements FullText {
  readonly #path: Path;
  #items: (Item | undefined)[] = [];
  /** words of each item; undefined for one without a text */
  #lengths: (number | undefined)[] = [];
  #slots = new WeakMap<JsonObject, number>();
  #postings = new Map<string, Posting>();
  #gone = 0;
  #words = 0;

  constructor(path: Path, items: Iterable<Item>) {
    this.#path = path;
    for (const item of items) this.add(item);
  }

  add(item: Item): void {
    const slot = this.#items.push(item) - 1;
    this.#slots.set(item.body, slot);
    const text = valueAt(item.body, this.#path);
    const words = typeof text === "string" ? wordsOf(text) : [];
    this.#lengths[slot] = typeof text === "string" ? words.length : undefined;
    this.#words += words.length;
    const counts = new Map<string, number>();
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    for (const [word, count] of counts) {
      const posting = this.#postings.get(word) ?? { slots: [], counts: [] };
      posting.slots.push(slot);
      posting.counts.push(count);
      this.#postings.set(word, posting);
    }
  }

  remove(item: Item): void {
    const slot = this.#slots.get(item.body);
    if (slot === undefined) return;
    this.#items[slot] = undefined;
    this.#words -= this.#lengths[slot] ?? 0;
    this.#gone += 1;
    if (this.#gone > MOST_GONE && this.#gone > this.#items.length / 2) this.#rebuild();
  }

  /** What a physical partition tells of the terms, or all of them together if none is chosen. */
  statistics(terms: string[], isChosen?: (item: Item) => boolean): TextStatistics {
    const counts = (slot: number) => {
      const item = this.#items[slot];
      return item !== undefined && (isChosen === undefined || isChosen(item));
    };
    const isEverySlot = isChosen === undefined && this.#gone === 0;
    const hits = terms.map((term) => {
      const { slots } = this.#posting(term) ?? NOWHERE;
      return isEverySlot ? slots.length : slots.filter(counts).length;
    });
    if (isChosen === undefined) return { documents: this.#items.length - this.#gone, words: this.#words, hits };
    let [documents, words] = [0, 0];
    for (const [slot, length] of this.#lengths.entries()) {
      if (!counts(slot)) continue;
      documents += 1;
      words += length ?? 0;
    }
    return { documents, words, hits };
  }

  scores(terms: string[], { documents, words, hits }: TextStatistics): (body: JsonObject) => number | undefined {
    const scores = new Float64Array(this.#items.length);
    const average = words / Math.max(documents, 1) || 1;
    for (const [index, term] of terms.entries()) {
      const found = hits[index] ?? 0;
      const rarity = Math.log(1 + (documents - found + 0.5) / (found + 0.5));
      const { slots, counts } = this.#posting(term) ?? NOWHERE;
      for (let at = 0; at < slots.length; at += 1) {
        const slot = slots[at] ?? 0;
        const count = counts[at] ?? 0;
        const length = 1 - LENGTH_WEIGHT + (LENGTH_WEIGHT * (this.#lengths[slot] ?? 0)) / average;
        scores[slot] = (scores[slot] ?? 0) + (rarity * count * (SATURATION + 1)) / (count + SATURATION * length);
      }
    }
    return (body) => {
      const slot = this.#slots.get(body);
      return slot === undefined || this.#lengths[slot] === undefined ? undefined : scores[slot];
    };
  }

  #posting(term: string): Posting | undefined {
    const [word, ...more] = wordsOf(term);
    if (more.length > 0) throw unsupported(`FullTextScore of a phrase ('${term}'): give its words one by one`);
    return word === undefined ? undefined : this.#postings.get(word);
  }

  #rebuild(): void {
    const items = this.#items;
    this.#items = [];
    this.#lengths = [];
    this.#slots = new WeakMap();
    this.#postings = new Map();
    this.#gone = 0;
    this.#words = 0;
    for (const item of items) if (item !== undefined) this.add(item);
  }
}
