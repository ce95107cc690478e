/** A client that follows a run's events to the end, each time through another instance if its stream breaks off. */
import { setTimeout as sleep } from "node:timers/promises";
import { EventSourceParserStream } from "eventsource-parser/stream";
import type OpenAI from "openai";
import type { Run } from "openai/resources/beta/threads/runs/runs";

export interface Heard {
  id: number;
  event: string;
  data: string;
}

export interface Follower {
  heard: Heard[];
  /** resolves when it has heard the run's end; rejects if events come twice or in the wrong order */
  done: Promise<void>;
}

const LAST = /^thread\.run\.(completed|incomplete|failed|cancelled|expired)$/;

export function follow(client: OpenAI, run: Run): Follower {
  const heard: Heard[] = [];
  const done = followInto(client, run, heard);
  // Looked at when the fleet has been rolled.
  done.catch(() => undefined);
  return { heard, done };
}

async function followInto(client: OpenAI, run: Run, heard: Heard[]): Promise<void> {
  while (!LAST.test(heard.at(-1)?.event ?? "")) {
    const last = heard.at(-1)?.id ?? -1;
    try {
      for await (const event of events(client, run, last)) {
        const before = heard.at(-1)?.id ?? -1;
        if (event.id <= before) throw new RangeError(`run ${run.id}: event ${event.id} came after ${before}`);
        heard.push(event);
      }
    } catch (error) {
      if (error instanceof RangeError) throw error;
    }
    await sleep(50);
  }
}

/** All events of the run after this one that the log has; ends where the run ends or waits for tool outputs. */
export async function* events(client: OpenAI, run: Run, after: number): AsyncGenerator<Heard> {
  const path = `/threads/${run.thread_id}/runs/${run.id}/stream`;
  const response = await client.get(path, { headers: { "last-event-id": String(after) } }).asResponse();
  if (response.body === null) throw new Error("the stream has no body");
  const frames = response.body.pipeThrough(new TextDecoderStream()).pipeThrough(new EventSourceParserStream());
  // Only what the log has is numbered: not the stream's own end, nor an error on the way.
  for await (const { id, event = "", data } of frames) if (id !== undefined) yield { id: Number(id), event, data };
}
