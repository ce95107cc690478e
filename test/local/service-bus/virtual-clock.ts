import type { Clock, Deadline } from "../../../local/service-bus/clock.ts";

/** Time that passes only when a test says so. */
export class VirtualClock implements Clock {
  #time = Date.UTC(2026, 0, 1);
  #deadlines: Deadline[] = [];

  now(): number {
    return this.#time;
  }

  at(at: number, run: () => void): Deadline {
    const deadline: Deadline = { at, run };
    this.#deadlines.push(deadline);
    return deadline;
  }

  cancel(deadline: Deadline | undefined): void {
    this.#deadlines = this.#deadlines.filter((entry) => entry !== deadline);
  }

  /** Lets milliseconds pass; everything that falls due runs at its own time, in order. */
  advance(milliseconds: number): void {
    const end = this.#time + milliseconds;
    for (let next = this.#nextUntil(end); next; next = this.#nextUntil(end)) {
      this.cancel(next);
      this.#time = Math.max(this.#time, next.at);
      next.run?.();
    }
    this.#time = end;
  }

  #nextUntil(end: number): Deadline | undefined {
    return this.#deadlines.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
  }
}
