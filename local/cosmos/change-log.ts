import type { Item } from "./item.ts";

/**
 * Every version written, oldest first; versions that are no longer current are dropped once they outnumber the rest.
 */
export class ChangeLog {
  #versions: Item[] = [];
  #outdated = 0;

  add(item: Item): void {
    this.#versions.push(item);
  }

  /** A version stopped being current. */
  ended(): void {
    this.#outdated++;
  }

  trim(isCurrent: (item: Item) => boolean): void {
    if (this.#outdated < 1000 || this.#outdated < this.#versions.length * 0.75) return;
    this.#versions = this.#versions.filter(isCurrent);
    this.#outdated = 0;
  }

  /** The versions after this number, oldest first. */
  *after(lsn: number): Generator<Item> {
    let low = 0;
    let high = this.#versions.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#versions[middle]?.lsn ?? 0) <= lsn) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < this.#versions.length; i++) {
      const item = this.#versions[i];
      if (item) yield item;
    }
  }
}
