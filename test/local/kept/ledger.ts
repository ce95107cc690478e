/**
 * What clients know of a store: of each item the value that was acknowledged last and, if the answer to a later write
 * was lost, the value that it may have instead. `undefined` is an item that is not there.
 */
export class Ledger<Value> {
  readonly #known = new Map<string, Value | undefined>();
  readonly #perhaps = new Map<string, Value | undefined>();
  acknowledged = 0;
  refused = 0;

  known(id: string): Value | undefined {
    return this.#known.get(id);
  }

  /** How many items are there, as far as is known. */
  get count(): number {
    return [...this.#known.values()].filter((value) => value !== undefined).length;
  }

  /** Whether an earlier write of this item is in doubt: then its value is not known until it is read. */
  isInDoubt(id: string): boolean {
    return this.#perhaps.has(id);
  }

  /** Before a write is sent. */
  begin(id: string, value: Value | undefined): void {
    this.#perhaps.set(id, value);
  }

  acknowledge(id: string): void {
    this.acknowledged++;
    this.#known.set(id, this.#perhaps.get(id));
    this.#perhaps.delete(id);
  }

  refuse(id: string): void {
    this.refused++;
    this.#perhaps.delete(id);
  }

  /** Compares with what was read; what was in doubt is known afterwards. Gives a line for each item that is wrong. */
  compare(found: ReadonlyMap<string, Value>): string[] {
    const wrong: string[] = [];
    for (const id of new Set([...this.#known.keys(), ...this.#perhaps.keys(), ...found.keys()])) {
      const value = found.get(id);
      const isKnown = same(value, this.#known.get(id));
      const isPossible = this.#perhaps.has(id) && same(value, this.#perhaps.get(id));
      if (!isKnown && !isPossible) wrong.push(`${id} is ${show(value)} and should be ${show(this.#known.get(id))}`);
      if (value === undefined) this.#known.delete(id);
      else this.#known.set(id, value);
    }
    this.#perhaps.clear();
    return wrong;
  }
}

const same = (a: unknown, b: unknown) => show(a) === show(b);
const show = (value: unknown) => (value === undefined ? "absent" : JSON.stringify(value));
