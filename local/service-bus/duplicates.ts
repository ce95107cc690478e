/** The message ids of the last while, for duplicate detection. */
export class DuplicateHistory {
  /** Until when each id is remembered, roughly the oldest first. */
  readonly seen = new Map<string, number>();
  readonly #window: number;

  /** `window` in milliseconds. */
  constructor(window: number) {
    this.#window = window;
  }

  has(messageId: string, now: number): boolean {
    for (const [id, until] of this.seen) {
      if (until > now) break;
      this.seen.delete(id);
    }
    return (this.seen.get(messageId) ?? 0) > now;
  }

  /** Returns until when the id is remembered. */
  add(messageId: string, now: number): number {
    const until = now + this.#window;
    this.seen.delete(messageId); // so that it moves to the end
    this.seen.set(messageId, until);
    return until;
  }
}
