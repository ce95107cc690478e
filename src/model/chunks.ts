/**
 * The pieces of a streamed answer. The SDK makes the call and knows its errors; its own reader is four generators deep
 * and costs more CPU time than all else of a call, so the stream is read here.
 */
import { createParser, type EventSourceMessage } from "eventsource-parser";
import { APIError } from "openai";
import type { ChatCompletionChunk } from "openai/resources/chat/completions";

/** After `[DONE]` nothing but the end should come. Milliseconds. */
const LONGEST_END = 2_000;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/**
 * The chunks up to `[DONE]`. Throws the SDK's APIError where the stream tells of an error, SyntaxError for what is no
 * JSON, and whatever the connection threw when it broke. A caller that stops before the end closes the connection.
 */
export async function* readChunks(response: Response): AsyncGenerator<ChatCompletionChunk> {
  const reader: Reader | undefined = response.body?.getReader();
  if (reader === undefined) throw new Error("the model's answer has no body");
  let events: EventSourceMessage[] = [];
  const parser = createParser({ onEvent: (event) => events.push(event) });
  const decoder = new TextDecoder();
  let complete = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      // The last event counts even if the connection ends without the empty line behind it.
      parser.feed(done ? `${decoder.decode()}\n\n` : decoder.decode(value, { stream: true }));
      for (const { event, data } of events) {
        if (data === "[DONE]") {
          complete = true;
          return;
        }
        const chunk = JSON.parse(data);
        const error = chunk?.error || (event === "error" && chunk);
        if (error) throw new APIError(undefined, error, undefined, response.headers);
        yield chunk;
      }
      if (done) return;
      events = [];
    }
  } finally {
    void (complete ? readToTheEnd(reader) : reader.cancel().catch(() => undefined));
  }
}

/**
 * Reads what follows `[DONE]`, so that the connection can be used again: most servers end a stream a moment later, and
 * an answer that is not read to its end costs the next call a new connection (TCP and TLS) before its first token. Runs
 * in the background: the caller does not wait for it.
 */
async function readToTheEnd(reader: Reader): Promise<void> {
  const timer = setTimeout(() => void reader.cancel().catch(() => undefined), LONGEST_END);
  try {
    while (!(await reader.read()).done);
  } catch {
    // The connection is gone: nothing is left to use again.
  } finally {
    clearTimeout(timer);
  }
}
