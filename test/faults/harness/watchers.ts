/** Clients that follow the events of runs, over connections that break: all that they hear must stand in the log. */
import { setTimeout as sleep } from "node:timers/promises";
import { EventSourceParserStream } from "eventsource-parser/stream";
import OpenAI from "openai";
import type { Run } from "openai/resources/beta/threads/runs/runs";
import { isTransient } from "./clients.ts";
import { isLast, type Memory } from "./memory.ts";

/** After so long a watcher breaks its connection off, if no fault has. Milliseconds. */
const CONNECTION = 3_000;
const PAUSE = 200;

interface Heard {
  id: number;
  event: string;
  data: string;
}

export class Watchers {
  /** what went wrong while they watched */
  readonly problems: string[] = [];
  readonly #client: OpenAI;
  readonly #memory: Memory;
  readonly #stop = new AbortController();
  readonly #underWay: Promise<void>[] = [];
  readonly #heard = new Map<string, Heard[]>();

  constructor(client: OpenAI, memory: Memory) {
    this.#client = client;
    this.#memory = memory;
  }

  /** Follows the run to its end, or until all watchers are stopped. */
  watch(run: Run): void {
    const heard: Heard[] = [];
    this.#heard.set(run.id, heard);
    this.#underWay.push(
      this.#follow(run, heard).catch((error: unknown) => {
        if (error instanceof OpenAI.NotFoundError && this.#memory.deletedThreads.has(run.thread_id)) return;
        this.problems.push(`${run.id} cannot be watched: ${error}`);
      }),
    );
  }

  /** Resolves when no watcher is left. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#underWay);
  }

  /** What was heard of a run that has ended, and is not in its log. */
  async complaints({ id, thread_id: threadId }: Run): Promise<string[]> {
    const heard = this.#heard.get(id);
    if (heard === undefined) return [];
    const log: Heard[] = [];
    for await (const event of this.#events(threadId, id, -1, new AbortController().signal)) log.push(event);
    const logged = new Map(log.map((event) => [event.id, event]));
    const wrong = heard.find((event) => {
      const same = JSON.stringify(event) === JSON.stringify(logged.get(event.id));
      return !same && !this.#isOfDeletedMessage(event, logged.get(event.id));
    });
    if (wrong === undefined) return [];
    const instead = logged.get(wrong.id)?.event ?? "none";
    return [`${id} was heard to tell ${wrong.event} as event ${wrong.id}, and its log has ${instead}`];
  }

  /** A run that ended with its first write tells nothing any more of a message that was deleted. */
  #isOfDeletedMessage({ data }: Heard, logged: Heard | undefined): boolean {
    const { id } = JSON.parse(data) as { id?: string };
    return logged === undefined && id !== undefined && this.#memory.deletedMessages.has(id);
  }

  async #follow({ id, thread_id: threadId }: Run, heard: Heard[]): Promise<void> {
    while (!this.#stop.signal.aborted && !isLast(heard.at(-1)?.event ?? "")) {
      const signal = AbortSignal.any([this.#stop.signal, AbortSignal.timeout(CONNECTION)]);
      try {
        for await (const event of this.#events(threadId, id, heard.at(-1)?.id ?? -1, signal)) {
          const expected = (heard.at(-1)?.id ?? -1) + 1;
          const mayBeMissing = this.#memory.deletedMessages.size > 0;
          if (event.id < expected || (event.id > expected && !mayBeMissing)) {
            throw new RangeError(`event ${event.id} came as number ${expected}`);
          }
          heard.push(event);
        }
      } catch (error) {
        if (error instanceof RangeError || !isTransient(error)) throw error;
      }
      await sleep(PAUSE);
    }
  }

  async *#events(threadId: string, runId: string, after: number, signal: AbortSignal): AsyncGenerator<Heard> {
    const headers = { "last-event-id": String(after) };
    const path = `/threads/${threadId}/runs/${runId}/stream`;
    const response = await this.#client.get(path, { headers, signal }).asResponse();
    if (response.body === null) throw new Error("the stream has no body");
    const frames = response.body
      .pipeThrough(new TextDecoderStream())
      .pipeThrough(new EventSourceParserStream(), { signal });
    // Only what the log has is numbered: not the stream's own end, nor an error on the way.
    for await (const { id, event = "", data } of frames) if (id !== undefined) yield { id: Number(id), event, data };
  }
}
