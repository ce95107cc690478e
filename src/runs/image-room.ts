/**
 * How much the images of all model calls of one process may take at the same moment. A call that finds no room waits
 * until others have ended, in the order in which the calls came: many runs with large images must not take the memory
 * of all other work.
 */
export class ImageRoom {
  readonly #waiting: { size: number; admit(): void }[] = [];
  #free: number;

  /** `size`: in characters of base64, at least what one call may have. */
  constructor(size: number) {
    this.#free = size;
  }

  /**
   * Resolves once there is room; call what it resolves with when the model call has ended. Rejects with the signal's
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
