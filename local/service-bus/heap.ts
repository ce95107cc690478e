/** A binary heap: the smallest item by `less` comes out first. */
export class Heap<T> {
  #items: T[] = [];
  readonly #less: (a: T, b: T) => boolean;

  constructor(less: (a: T, b: T) => boolean) {
    this.#less = less;
  }

  get size(): number {
    return this.#items.length;
  }

  peek(): T | undefined {
    return this.#items[0];
  }

  push(item: T): void {
    let index = this.#items.length;
    this.#items.push(item);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = this.#items[parent];
      if (above === undefined || !this.#less(item, above)) break;
      this.#items[index] = above;
      index = parent;
    }
    this.#items[index] = item;
  }

  pop(): T | undefined {
    const top = this.#items[0];
    const last = this.#items.pop();
    if (last !== undefined && this.#items.length > 0) this.#sink(last, 0);
    return top;
  }

  /** Drops the items that fail the test. */
  keep(test: (item: T) => boolean): void {
    const kept = this.#items.filter(test);
    this.#items = [];
    for (const item of kept) this.push(item);
  }

  /** Puts an item at a place whose own item is gone, below all smaller ones. */
  #sink(item: T, start: number): void {
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      let below = this.#items[child];
      const right = this.#items[child + 1];
      if (below === undefined) break;
      if (right !== undefined && this.#less(right, below)) {
        child++;
        below = right;
      }
      if (!this.#less(below, item)) break;
      this.#items[index] = below;
      index = child;
    }
    this.#items[index] = item;
  }
}
