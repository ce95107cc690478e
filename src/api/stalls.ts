/**
 * How long this process's main thread computes without looking at anything else: for that long, every stream and
 * request waits. Measured in the thread's own CPU time, so that a busy machine does not show as a stall.
 */

/** Milliseconds. */
const TICK = 5;

/** Of this thread; of the whole process before Node 23.9. Microseconds. */
const cpuUsage = process.threadCpuUsage ?? process.cpuUsage;

export class Stalls {
  #before = used();
  #longest = 0;

  constructor() {
    setInterval(() => this.#look(), TICK).unref();
  }

  /** The longest since the last call, in milliseconds. */
  take(): number {
    this.#look();
    const longest = this.#longest;
    this.#longest = 0;
    return longest;
  }

  #look(): void {
    const now = used();
    this.#longest = Math.max(this.#longest, now - this.#before);
    this.#before = now;
  }
}

function used(): number {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}
