/**
 * How many messages a receiver may still be sent, so that the host holds no more than its settings say, those from
 * earlier receivers included. The SDK asks for a number of messages when a subscription begins, and for one more for
 * each callback that returns. So a callback returns when any message is done, not just its own.
 */
export class Credit {
  readonly #limit: number;
  /** Of the present subscription: its callbacks that have not returned. */
  readonly #returns: (() => void)[] = [];
  #held = 0;
  /** Messages that are done while no callback was there to return: the next one returns at once. */
  #owed = 0;
  #resume: () => void = () => {};

  /** `limit`: how many messages the host may hold. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Ends what the present subscription may ask for. */
  end(): void {
    for (const giveBack of this.#returns.splice(0)) giveBack();
  }

  /** Resolves, as soon as the host may hold another message, with how many a new subscription may ask for. */
  async begin(): Promise<number> {
    while (this.#held >= this.#limit) await this.#given();
    this.#owed = 0;
    return this.#limit - this.#held;
  }

  /** Notes a message; resolves when its callback should return. `isPresent`: it comes from the present subscription. */
  take(isPresent: boolean): Promise<void> {
    this.#held++;
    if (!isPresent) return Promise.resolve();
    if (this.#owed === 0) return new Promise((resolve) => this.#returns.push(resolve));
    this.#owed--;
    return Promise.resolve();
  }

  /** Notes that the host is done with a message. */
  give(): void {
    this.#held--;
    const giveBack = this.#returns.shift();
    if (giveBack) giveBack();
    else this.#owed++;
    this.#resume();
  }

  #given(): Promise<void> {
    return new Promise((resolve) => {
      this.#resume = resolve;
    });
  }
}
