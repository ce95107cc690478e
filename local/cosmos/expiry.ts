import type { Item } from "./item.ts";

/** Items by the second in which they expire, so that nothing has to scan for them. */
export class Expiry {
  readonly #bySecond = new Map<number, Set<Item>>();
  readonly #placed = new Map<Item, number>();
  #checkedUntil: number;

  constructor(second: number) {
    this.#checkedUntil = second - 1;
  }

  add(item: Item): void {
    if (item.expiresAt === 0) return;
    // One that was due before the last check (read back from disk, say) comes with the next.
    const second = Math.max(item.expiresAt, this.#checkedUntil + 1);
    const items = this.#bySecond.get(second);
    if (items) items.add(item);
    else this.#bySecond.set(second, new Set([item]));
    this.#placed.set(item, second);
  }

  remove(item: Item): void {
    const second = this.#placed.get(item);
    if (second === undefined) return;
    this.#placed.delete(item);
    this.#bySecond.get(second)?.delete(item);
  }

  /** The items that are due and were not given before. */
  due(second: number): Item[] {
    if (second <= this.#checkedUntil) return [];
    const waited = second - this.#checkedUntil;
    const seconds =
      waited > this.#bySecond.size
        ? [...this.#bySecond.keys()].filter((key) => key <= second)
        : Array.from({ length: waited }, (_, i) => this.#checkedUntil + 1 + i);
    this.#checkedUntil = second;
    const items = seconds.flatMap((key) => [...(this.#bySecond.get(key) ?? [])]);
    for (const key of seconds) this.#bySecond.delete(key);
    return items;
  }
}
