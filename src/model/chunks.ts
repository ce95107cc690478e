/**
 * The pieces of an answer as its server sends them. The SDK makes the call and knows its errors; its own reader is four
 * generators deep and costs more CPU time than all else of a call, so the stream is read here.
 */
import { contentTypeOf } from "./error-body.ts";
import { Chunks, type Form, formOf } from "./forms.ts";
import type { AnswerPiece } from "./pieces.ts";
import { NotAnAnswer } from "./types.ts";

/** After `[DONE]` nothing but the end should come. Milliseconds. */
const LONGEST_END = 2_000;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

/**
 * The pieces up to `[DONE]`. Throws the SDK's APIError where the answer tells of an error, NotAnAnswer for what is no
 * completion at all (a web page, say), an Error for what breaks off, and whatever the connection threw when it broke. A
 * caller that stops before the end closes the connection.
 */
export async function* readAnswer(response: Response): AsyncGenerator<AnswerPiece> {
  const reader: Reader | undefined = response.body?.getReader();
  if (reader === undefined) throw new NotAnAnswer(response.status, contentTypeOf(response.headers));
  const decoder = new TextDecoder();
  const chunks = new Chunks(response);
  let form: Form | undefined;
  let head = "";
  let broken: Error | undefined;
  try {
    for (;;) {
      const { done, value } = await reader.read().catch((error: Error) => {
        broken = error;
        return { done: true as const, value: undefined };
      });
      const text = done ? decoder.decode() : decoder.decode(value, { stream: true });
      if (form === undefined) {
        head += text;
        form = formOf(head, done, chunks);
        form?.feed(head);
      } else form.feed(text);
      if (done) form?.end();
      // What came before a failure is heard before it, also if both came together.
      yield* chunks.take();
      if (broken !== undefined) throw broken;
      if (chunks.failure !== undefined) throw chunks.failure;
      if (done || chunks.isComplete) return;
    }
  } finally {
    void (chunks.isComplete ? readToTheEnd(reader) : reader.cancel().catch(() => undefined));
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
