import type { Script, Turn } from "./turn.ts";

/** A request as the server received it, for a test to look at. */
export interface RecordedRequest {
  /** ISO 8601 */
  time: string;
  path: string;
  body: unknown;
  /** The client went away before the answer was complete. */
  aborted?: boolean;
  /** What `OpenAI-Project` says: tests give each instance of an app a project of its own. */
  project?: string;
  /** What the script made of it other than an answer. */
  told?: "error" | "cut" | "hang";
  /** When its answer, or its connection, ended: ISO 8601. */
  closed?: string;
}

/** A request without its body, for those who count. */
export interface ModelCall extends Omit<RecordedRequest, "body"> {
  model: string;
  /** Outputs of functions among its messages. */
  toolMessages: number;
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

  /**
   * Takes the model's next turn; undefined means the default behaviour. `steady#1` follows the script of `steady`
   * unless it has one of its own, and its requests are recorded on their own.
   */
  take(model: string): Turn | undefined {
    const own = this.#entries.get(model);
    const entry = own?.turns.length ? own : this.#entries.get(model.slice(0, model.indexOf("#")));
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

  /** All recorded requests of all models. */
  calls(): ModelCall[] {
    return [...this.#entries].flatMap(([model, { requests }]) =>
      requests.map(({ body, ...call }) => ({ ...call, model, toolMessages: toolMessagesOf(body) })),
    );
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

function toolMessagesOf(body: unknown): number {
  const messages: unknown = typeof body === "object" && body !== null && Reflect.get(body, "messages");
  if (!Array.isArray(messages)) return 0;
  return messages.filter((message: { role?: unknown } | null) => message?.role === "tool").length;
}
