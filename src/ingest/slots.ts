/**
 * How many files one process reads at the same moment. Reading takes processor time and memory, and the queue gives a
 * process many wake-ups at once: some of them wait here for a moment, so that a slot is not idle, and the others are
 * put off. A tenant with many files does not keep the others from theirs: a slot goes to the tenant that has the
 * fewest.
 */
const MOST_WAITING = 8;

/** Milliseconds. */
const PATIENCE = 2_000;

interface Waiting {
  tenant: string;
  answer(hasSlot: boolean): void;
}

export class Slots {
  #free: number;
  readonly #held = new Map<string, number>();
  readonly #waiting: Waiting[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Whether there is a slot now or soon. A caller that got one gives it back. */
  async take(tenant: string): Promise<boolean> {
    if (this.#free > 0) {
      this.#free -= 1;
      this.#count(tenant, 1);
      return true;
    }
    if (this.#waiting.length >= MOST_WAITING && !this.#makesRoomFor(tenant)) return false;
    return new Promise((resolve) => {
      const waiting: Waiting = {
        tenant,
        answer: (hasSlot) => {
          clearTimeout(timer);
          this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
          resolve(hasSlot);
        },
      };
      const timer = setTimeout(() => waiting.answer(false), PATIENCE);
      this.#waiting.push(waiting);
    });
  }

  give(tenant: string): void {
    this.#count(tenant, -1);
    const [next] = this.#waiting.toSorted((a, b) => this.#heldBy(a.tenant) - this.#heldBy(b.tenant));
    if (next === undefined) {
      this.#free += 1;
      return;
    }
    this.#count(next.tenant, 1);
    next.answer(true);
  }

  /** Whether a tenant waits that has fewer slots than this one: then it should go on later. */
  isWantedFrom(tenant: string): boolean {
    return this.#waiting.some((each) => this.#heldBy(each.tenant) < this.#heldBy(tenant));
  }

  /** Sends the newest away of the tenant that has and wants the most, if that is more than this one will. */
  #makesRoomFor(tenant: string): boolean {
    const wants = (name: string) => this.#heldBy(name) + this.#waiting.filter((each) => each.tenant === name).length;
    const [greediest] = this.#waiting.toReversed().toSorted((a, b) => wants(b.tenant) - wants(a.tenant));
    if (greediest === undefined || wants(greediest.tenant) <= wants(tenant) + 1) return false;
    greediest.answer(false);
    return true;
  }

  #heldBy(tenant: string): number {
    return this.#held.get(tenant) ?? 0;
  }

  #count(tenant: string, more: number): void {
    const held = this.#heldBy(tenant) + more;
    if (held === 0) this.#held.delete(tenant);
    else this.#held.set(tenant, held);
  }
}
