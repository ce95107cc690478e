/**
 * Connections to the model are used again. The SDK stops reading a stream at `[DONE]`, mostly just before its end; then
 * Node closes the connection, and the next call waits for a new one (TCP and TLS) before its first token. So what is left
 * of a stream is read here.
 */

/** After `[DONE]` nothing but the end should come. Milliseconds. */
const LONGEST_END = 2_000;

/** `fetch`, whose event streams are read to their end after whoever reads them has stopped. */
export async function fetchWhole(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const response = await fetch(input, init);
  const { body } = response;
  if (body !== null && response.headers.get("content-type")?.startsWith("text/event-stream")) {
    Object.defineProperty(response, "body", { value: readToItsEnd(body) });
  }
  return response;
}

function readToItsEnd(body: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  return {
    [Symbol.asyncIterator]() {
      const reader = body.getReader();
      return {
        async next() {
          const { done, value } = await reader.read();
          return done ? { done, value: undefined } : { done, value };
        },
        async return() {
          void finish(reader);
          return { done: true, value: undefined };
        },
      };
    },
  };
}

/** Nobody waits for this. A request that was aborted fails its next read, and is over. */
async function finish(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<void> {
  const timer = setTimeout(() => void reader.cancel().catch(() => undefined), LONGEST_END);
  try {
    while (!(await reader.read()).done);
  } catch {
    // The connection is gone: nothing is left to use again.
  } finally {
    clearTimeout(timer);
  }
}
