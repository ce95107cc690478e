import type { SortField } from "./indexing.ts";
import type { Item } from "./item.ts";
import { compare, type Value, valueAt } from "./sql/values.ts";

/** A place in an index: the sort values of an item, and its sequence number to break ties. */
export interface Position {
  values: Value[];
  sequence: number;
}

/**
 * Items in the order of some paths, kept up to date on every write. A sparse one holds only the items that have all of
 * the paths. Inserting moves the tail of a plain array, which stays cheap far beyond the size of a partition.
 */
export class SortedIndex {
  readonly fields: readonly SortField[];
  readonly sparse: boolean;
  #items: Item[];

  constructor(fields: readonly SortField[], sparse: boolean, items: Iterable<Item>) {
    this.fields = fields;
    this.sparse = sparse;
    this.#items = [...items].filter((item) => this.#holds(item)).sort((a, b) => this.#compareItems(a, b));
  }

  get size(): number {
    return this.#items.length;
  }

  add(item: Item): void {
    if (!this.#holds(item)) return;
    const last = this.#items.at(-1);
    if (!last || this.#compareItems(last, item) < 0) this.#items.push(item);
    else this.#items.splice(this.#find(item), 0, item);
  }

  remove(item: Item): void {
    if (!this.#holds(item)) return;
    const at = this.#find(item);
    if (this.#items[at] === item) this.#items.splice(at, 1);
  }

  at(index: number): Item | undefined {
    return this.#items[index];
  }

  /** The first index whose item is not before; `isBefore` must be true for a prefix of the order only. */
  seek(isBefore: (item: Item) => boolean): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const item = this.#items[middle];
      if (item && isBefore(item)) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  positionOf(item: Item): Position {
    return { values: this.fields.map(({ path }) => valueAt(item.body, path)), sequence: item.sequence };
  }

  /** The order of an item against a place in the index. */
  comparePosition(item: Item, position: Position): number {
    for (const [i, { path, descending }] of this.fields.entries()) {
      const difference = compare(valueAt(item.body, path), position.values[i]);
      if (difference !== 0) return descending ? -difference : difference;
    }
    return item.sequence - position.sequence;
  }

  #holds(item: Item): boolean {
    return !this.sparse || this.fields.every(({ path }) => valueAt(item.body, path) !== undefined);
  }

  #find(item: Item): number {
    return this.seek((other) => this.#compareItems(other, item) < 0);
  }

  #compareItems(a: Item, b: Item): number {
    for (const { path, descending } of this.fields) {
      const difference = compare(valueAt(a.body, path), valueAt(b.body, path));
      if (difference !== 0) return descending ? -difference : difference;
    }
    return a.sequence - b.sequence;
  }
}

/**
 * The indexes of a partition or a container: built at first use, and the least recently used dropped beyond a limit.
 */
export class SortedIndexes {
  readonly #indexes = new Map<string, SortedIndex>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(fields: readonly SortField[], sparse: boolean, items: () => Iterable<Item>): SortedIndex {
    const name = JSON.stringify([fields, sparse]);
    const index = this.#indexes.get(name) ?? new SortedIndex(fields, sparse, items());
    this.#indexes.delete(name);
    this.#indexes.set(name, index);
    if (this.#indexes.size > this.#limit) {
      const [oldest] = this.#indexes.keys();
      if (oldest !== undefined) this.#indexes.delete(oldest);
    }
    return index;
  }

  add(item: Item): void {
    for (const index of this.#indexes.values()) index.add(item);
  }

  remove(item: Item): void {
    for (const index of this.#indexes.values()) index.remove(item);
  }
}
