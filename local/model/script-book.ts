import type { Script, Turn } from "./turn.ts";

/** A request as the server received it, for a test to look at. */
export interface RecordedRequest {
  /** ISO 8601 */
  time: string;
  path: string;
  body: unknown;
  /** The client went away before the answer was complete. */
  aborted?: boolean;
}

export interface ModelReport {
  requests: RecordedRequest[];
  /** Scripted turns that no request has taken yet. */
  remaining: number;
}

/** The newest requests that are kept for each model, at least; benchmarks send very many and never ask for them. */
const KEPT_REQUESTS = 500;

class ModelEntry {
  requests: RecordedRequest[] = [];
  turns: Turn[] = [];
  next = 0;
  repeat = false;
}

/** The scripts and the recorded requests of each model name: tests in parallel use names of their own. */
export class ScriptBook {
  readonly #entries = new Map<string, ModelEntry>();

  /** Replaces the model's script; what was recorded stays. */
  put(model: string, script: Script): void {
    const entry = this.#entryOf(model);
    entry.turns = script.turns;
    entry.repeat = script.repeat;
    entry.next = 0;
  }

  /** Takes the model's next turn; undefined means the default behaviour. */
  take(model: string): Turn | undefined {
    const entry = this.#entries.get(model);
    if (!entry) return undefined;
    if (entry.repeat && entry.next === entry.turns.length) entry.next = 0;
    const turn = entry.turns[entry.next];
    if (turn) entry.next += 1;
    return turn;
  }

  record(model: string, request: RecordedRequest): void {
    const { requests } = this.#entryOf(model);
    requests.push(request);
    if (requests.length > KEPT_REQUESTS * 2) requests.splice(0, requests.length - KEPT_REQUESTS);
  }

  report(model: string): ModelReport {
    const entry = this.#entries.get(model);
    if (!entry) return { requests: [], remaining: 0 };
    return { requests: entry.requests, remaining: entry.turns.length - entry.next };
  }

  forget(model: string): void {
    this.#entries.delete(model);
  }

  models(): string[] {
    return [...this.#entries.keys()];
  }

  #entryOf(model: string): ModelEntry {
    let entry = this.#entries.get(model);
    if (!entry) {
      entry = new ModelEntry();
      this.#entries.set(model, entry);
    }
    return entry;
  }
}
