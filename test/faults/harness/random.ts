/** Seeded choices: the same seed makes the same choices, though processes and sockets do not repeat their timing. */
import { randomNumbers } from "../../../local/random.ts";

export class Random {
  /** From 0 to just below 1. */
  readonly next: () => number;

  constructor(seed: number) {
    this.next = randomNumbers(seed);
  }

  chance(share: number): boolean {
    return this.next() < share;
  }

  /** A number from `low` to just below `high`. */
  between(low: number, high: number): number {
    return low + this.next() * (high - low);
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[Math.floor(this.next() * items.length)] ?? items[0];
  }

  /** One of the names, each as likely as its weight among all. */
  weighted<Name extends string>(weights: Record<Name, number>): Name {
    const entries = Object.entries(weights) as [Name, number][];
    const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
    let rest = this.next() * total;
    for (const [name, weight] of entries) {
      rest -= weight;
      if (rest < 0) return name;
    }
    throw new Error("nothing to choose from");
  }

  /** A generator of its own for a client that acts at its own pace, so that its choices do not depend on other clients'. */
  fork(): Random {
    return new Random(Math.floor(this.next() * 2 ** 32));
  }
}
