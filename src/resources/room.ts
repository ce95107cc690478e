/**
 * How much all work of one kind in this process may hold at the same moment. What finds no room waits until others have
 * ended, in the order of asking: many runs with large images or files must not take the memory of all other work.
 */
export class Room {
  readonly #waiting: { size: number; admit(): void }[] = [];
  #free: number;

  /** `size`: in any unit; at least what one may ask for. */
  constructor(size: number) {
    this.#free = size;
  }

  /**
   * Resolves once there is room; call what it resolves with when that is free again. Rejects with the signal's
   * reason.
   */
  async take(size: number, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#waiting.length > 0 || size > this.#free) await this.#turn(size, signal);
    else this.#free -= size;
    let isHeld = true;
    return () => {
      if (isHeld) this.#give(size);
      isHeld = false;
    };
  }

  #turn(size: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting = {
        size,
        admit: () => {
          signal.removeEventListener("abort", leave);
          resolve();
        },
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(signal.reason);
        // Others may have waited behind one that was too large.
        this.#give(0);
      };
      signal.addEventListener("abort", leave, { once: true });
      this.#waiting.push(waiting);
    });
  }

  #give(size: number): void {
    this.#free += size;
    for (let next = this.#waiting[0]; next !== undefined && next.size <= this.#free; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#free -= next.size;
      next.admit();
    }
  }
}
