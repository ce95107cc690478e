/** Reads what a run's stream or log says, in one go or in pieces. */
import { setTimeout as sleep } from "node:timers/promises";
import { inject } from "vitest";
import type { Tenant } from "../harness.ts";

export interface ServerEvent {
  event: string;
  data: unknown;
  /** only the events of logs are numbered */
  id: number | undefined;
}

/** A stream that says nothing new for so long hangs. Milliseconds. */
const PATIENCE = 60_000;

/** From one look to the next at a log that has nothing new, because the run waits for outputs. Milliseconds. */
const PAUSE = 200;

/** More events than a log has: its connection does not break. */
export const WHOLE = 1_000_000;

/** A request for a stream; the answer may be an error. */
export function ask(tenant: Tenant, method: string, path: string, body: unknown, signal: AbortSignal) {
  return tenant.fetch(`${inject("stack").origin}/v1${path}`, {
    method,
    signal,
    headers: { authorization: `Bearer ${tenant.key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** Collects events in the background. */
export class RunReader {
  readonly events: ServerEvent[] = [];
  /** resolves when the stream is at its end, or was left; never rejects */
  readonly done: Promise<void>;
  /** Whether it was read to its end. */
  isComplete = false;
  error: unknown;
  readonly #stop: AbortController;

  // biome-ignore lint/style/useConsistentMemberAccessibility: a constructor has no #private form.
  private constructor(stop: AbortController, read: (reader: RunReader) => Promise<void>) {
    this.#stop = stop;
    this.done = read(this).catch((error: unknown) => {
      if (!stop.signal.aborted) this.error = error;
    });
  }

  leave(): void {
    this.#stop.abort();
  }

  /** Reads an open stream, but not more than `limit` events. */
  static of(response: Response, stop: AbortController, limit: number | null): RunReader {
    return new RunReader(stop, async (reader) => {
      const complete = await collect(response, reader.events, limit);
      if (complete) reader.isComplete = true;
      else stop.abort();
    });
  }

  /**
   * Follows a log to the end of the run though the connection breaks after every `size` events. Each time it goes on
   * after the last event that it has, by turns in either of the two ways to say so.
   */
  static followLog(tenant: Tenant, path: string, size: number): RunReader {
    const stop = new AbortController();
    return new RunReader(stop, async (reader) => {
      let newest = Date.now();
      for (let round = 0; !stop.signal.aborted; round++) {
        const known = reader.events.length;
        const complete = await readLogPiece(tenant, path, reader.events, size, round % 2 === 0, stop.signal);
        expectOnwards(reader.events, known);
        const last = reader.events.at(-1)?.event ?? "";
        if (complete && END_OF_RUN.test(last)) {
          reader.isComplete = true;
          return;
        }
        if (reader.events.length > known) newest = Date.now();
        else if (Date.now() - newest > PATIENCE) throw new Error(`the log ends with ${last}, and the run does not`);
        else await sleep(PAUSE);
      }
    });
  }
}

/** All events of a run that ends by itself, read over connections that break after every `size` of them. */
export async function wholeLog(tenant: Tenant, path: string, size = WHOLE): Promise<ServerEvent[]> {
  const reader = RunReader.followLog(tenant, path, size);
  await reader.done;
  if (reader.error !== undefined) throw reader.error;
  return reader.events;
}

/**
 * At once: a log that says its last event again and again would be followed for ever. The events of a message that was
 * deleted may be missing.
 */
function expectOnwards(events: ServerEvent[], from: number): void {
  for (const [index, { id }] of events.entries()) {
    const before = events[index - 1]?.id ?? -1;
    if (index >= from && (id === undefined || id <= before)) {
      throw new Error(`after event ${before} of a log comes event ${id}`);
    }
  }
}

export const END_OF_RUN = /^thread\.run\.(completed|incomplete|failed|cancelled|expired)$/;

/** One connection; answers with whether it was read to its end. */
async function readLogPiece(
  tenant: Tenant,
  path: string,
  events: ServerEvent[],
  size: number,
  inQuery: boolean,
  signal: AbortSignal,
): Promise<boolean> {
  const after = events.at(-1)?.id;
  const connection = new AbortController();
  const url = `${inject("stack").origin}/v1${path}${inQuery && after !== undefined ? `?after=${after}` : ""}`;
  const headers: Record<string, string> = { authorization: `Bearer ${tenant.key}` };
  if (!inQuery && after !== undefined) headers["last-event-id"] = String(after);
  const response = await tenant.fetch(url, { headers, signal: AbortSignal.any([signal, connection.signal]) });
  if (response.status !== 200) throw new Error(`GET ${path} answers ${response.status} ${await response.text()}`);
  const complete = await collect(response, events, size);
  if (!complete) connection.abort();
  return complete;
}

/** Adds a stream's events to `events`; false if it was left after `limit` of them. */
async function collect(response: Response, events: ServerEvent[], limit: number | null): Promise<boolean> {
  let count = 0;
  for await (const event of serverEvents(response)) {
    if (event.event === "done") {
      if (event.data !== "[DONE]") throw new Error(`the last event says ${JSON.stringify(event.data)}`);
      return true;
    }
    events.push(event);
    count += 1;
    if (count === limit) return false;
  }
  throw new Error("the stream ended without its last event");
}

async function* serverEvents(response: Response): AsyncGenerator<ServerEvent> {
  if (response.body === null) throw new Error("the stream has no body");
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const piece = await inTime(reader.read());
      if (piece.done) break;
      const frames = (rest + piece.value).split("\n\n");
      rest = frames.pop() ?? "";
      for (const frame of frames) {
        const event = parseFrame(frame);
        if (event !== undefined) yield event;
      }
    }
    if (rest !== "") throw new Error(`the stream ends within ${JSON.stringify(rest)}`);
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

/** `id`, `event` and `data`, each on one line and in this order; undefined for a comment. */
function parseFrame(frame: string): ServerEvent | undefined {
  if (/^(:[^\n]*)$/.test(frame)) return undefined;
  const match = /^(?:id: (\d+)\n)?event: ([\w.]+)\ndata: ([^\n]*)$/.exec(frame);
  if (match === null) throw new Error(`not an event: ${JSON.stringify(frame)}`);
  const [, id, event = "", data = ""] = match;
  return { event, data: event === "done" ? data : JSON.parse(data), id: id === undefined ? undefined : Number(id) };
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the stream said nothing for ${PATIENCE / 1000} s`)), PATIENCE);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
