/**
 * The runs that this process drives. When it is told to stop, it releases them: the worker that gets a run's wake-up
 * goes on at once, instead of waiting for the end of the lease.
 */
export class Drives {
  readonly #underWay = new Map<AbortController, Promise<unknown>>();
  #stopped = false;

  /** This process takes no more runs. */
  get stopped(): boolean {
    return this.#stopped;
  }

  get count(): number {
    return this.#underWay.size;
  }

  /** Does what moves a run; `stop` is aborted with `STOPPING` when the process is told to stop. */
  async run<T>(work: (stop: AbortController) => Promise<T>): Promise<T> {
    const stop = new AbortController();
    if (this.#stopped) stop.abort(STOPPING);
    const done = work(stop);
    this.#underWay.set(stop, done);
    try {
      return await done;
    } finally {
      this.#underWay.delete(stop);
    }
  }

  /** Resolves when every run has ended, paused or been released. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const stop of this.#underWay.keys()) stop.abort(STOPPING);
    await Promise.allSettled(this.#underWay.values());
  }
}

/** Why a drive is stopped that did nothing wrong. */
export const STOPPING = { kind: "stopping" } as const;
