// Timer triggers. One run at a time, and what fell due during a run is skipped, as in Azure.

import { describeError } from "./log.ts";
import type { Listener, RegisteredFunction, TypedData } from "./protocol.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";
import { resolveSettings } from "./settings.ts";
import type { Worker } from "./worker.ts";

/** setTimeout's limit: a longer wait is cut into pieces. */
const longestWaitMs = 2 ** 31 - 1;

/** A run that starts later than this after its time is past due: the process was suspended or blocked. */
const pastDueMs = 1000;

/** Starts the timer of a function. Throws on a bad schedule. */
export function startTimer(worker: Worker, fn: RegisteredFunction): Listener {
  const { schedule, runOnStartup } = fn.trigger;
  if (typeof schedule !== "string") throw new Error(`Function "${fn.name}": its timer trigger has no schedule.`);
  const timer = new Timer(worker, fn, parseSchedule(resolveSettings(schedule)));
  if (runOnStartup === true) timer.runNow();
  else timer.wait();
  return timer;
}

class Timer implements Listener {
  readonly #worker: Worker;
  readonly #fn: RegisteredFunction;
  readonly #schedule: Schedule;
  #last = new Date(0);
  #waiting: NodeJS.Timeout | undefined;
  #run: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(worker: Worker, fn: RegisteredFunction, schedule: Schedule) {
    this.#worker = worker;
    this.#fn = fn;
    this.#schedule = schedule;
  }

  runNow(): void {
    this.#run = this.#fire(new Date());
  }

  wait(): void {
    if (this.#stopped) return;
    this.#waitUntil(this.#schedule(new Date()));
  }

  stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#waiting);
    return this.#run;
  }

  #waitUntil(due: Date): void {
    const wait = Math.max(0, due.getTime() - Date.now());
    this.#waiting = setTimeout(
      () => {
        if (wait > longestWaitMs) this.#waitUntil(due);
        else this.#run = this.#fire(due);
      },
      Math.min(wait, longestWaitMs),
    );
  }

  async #fire(due: Date): Promise<void> {
    const outcome = await this.#worker.invoke(this.#fn, {
      inputData: [{ name: this.#fn.trigger.name, data: this.#timerInfo(due) }],
      triggerMetadata: {},
    });
    if (outcome.error !== undefined) {
      this.#worker.writeLog("error", this.#fn.name, `failed: ${describeError(outcome.error)}`);
    }
    this.#last = due;
    this.wait();
  }

  #timerInfo(due: Date): TypedData {
    const now = new Date();
    const last = this.#last.toISOString();
    return {
      json: JSON.stringify({
        Schedule: { AdjustForDST: true },
        ScheduleStatus: { Last: last, Next: this.#schedule(now).toISOString(), LastUpdated: last },
        IsPastDue: now.getTime() - due.getTime() > pastDueMs,
      }),
    };
  }
}
