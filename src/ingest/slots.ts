/**
 * How many files one process reads at the same moment. Reading takes processor time and memory, and the queue gives a
 * process many wake-ups at once: some of them wait here for a moment, so that a slot is not idle, and the others are
 * put off.
 */
const MOST_WAITING = 8;

/** Milliseconds. */
const PATIENCE = 2_000;

export class Slots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Whether there is a slot now or soon. A caller that got one gives it back. */
  async take(): Promise<boolean> {
    if (this.#free > 0) {
      this.#free -= 1;
      return true;
    }
    if (this.#waiting.length >= MOST_WAITING) return false;
    return new Promise((resolve) => {
      const got = () => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        this.#waiting.splice(this.#waiting.indexOf(got), 1);
        resolve(false);
      }, PATIENCE);
      this.#waiting.push(got);
    });
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
