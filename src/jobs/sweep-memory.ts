/**
 * What a sweep leaves for the next one in this process. It matters where more runs are overdue than one sweep takes, as
 * they are while a tenant floods the app: most of them have a wake-up that waits in a queue, and another one would only
 * wait behind it. A process that starts remembers nothing, which costs no more than wake-ups that are not needed.
 */
/** What is overdue: its id and due time (milliseconds since 1970) tell it from all else. */
interface Overdue {
  id: string;
  due: number;
}

/**
 * While a sweep cannot take all that is overdue: how long a run is left alone after Service Bus has taken its wake-up.
 * Its due time is the proof that no worker has looked at it since. Milliseconds.
 */
const PATIENCE = 300_000;

export class SweepMemory {
  /** When each run was woken, by the run and its due time; in milliseconds, the longest ago first. */
  readonly #woken = new Map<string, number>();
  #from = 0;
  #isBehind = false;

  /** The due time at which the next sweep begins, in milliseconds: so each overdue run is looked at in its turn. */
  get from(): number {
    return this.#from;
  }

  /** Notes what a sweep has found. Returns the runs that need a wake-up. */
  found<Item extends Overdue>(overdue: Item[], limit: number, now: number): Item[] {
    const last = overdue.length < limit ? undefined : overdue.at(-1)?.due;
    this.#isBehind = last !== undefined || this.#from > 0;
    // More runs than `limit` may have the same due time: then the others wait for the next round.
    this.#from = last === undefined ? 0 : Math.max(last, this.#from + 1);
    for (const [key, at] of this.#woken) {
      if (now - at < PATIENCE) break;
      this.#woken.delete(key);
    }
    return this.#isBehind ? overdue.filter((run) => !this.#woken.has(keyOf(run))) : overdue;
  }

  /** Notes runs whose wake-ups Service Bus has taken. */
  woke(runs: Overdue[], now: number): void {
    for (const run of runs) {
      this.#woken.delete(keyOf(run));
      this.#woken.set(keyOf(run), now);
    }
  }
}

const keyOf = ({ id, due }: Overdue) => `${id}/${due}`;
