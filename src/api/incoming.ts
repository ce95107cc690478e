/**
 * A request body that is read as it arrives. What a refused request still sends is read only up to a bound: a client
 * that is still writing when its connection closes may never read the answer, and an attacker must not make the app
 * read gigabytes.
 */
import type { HttpRequest } from "@azure/functions";
import { uploadStalled } from "../resources/errors.ts";
import type { Connection } from "./connections.ts";

/** How long a client may send nothing. Milliseconds. */
const STALL = 30_000;

/** What is read of a body that nothing wants any more, and how long that may take. Bytes, milliseconds. */
const MAX_SKIPPED = 1_048_576;
const SKIP_TIME = 1_000;

/** While the answer is on its way: more than the buffers between the host and this process hold. */
const MAX_SKIPPED_LATER = 16_777_216;

type Reader = ReadableStreamDefaultReader<Uint8Array>;

export class Incoming {
  /** of the request */
  readonly contentType: string;
  readonly #connection: Connection | undefined;
  readonly #body: HttpRequest["body"];
  readonly #stall: number;
  #reader: Reader | undefined;
  /** A read that is under way: the next one to ask gets its result. */
  #next: ReturnType<Reader["read"]> | undefined;
  #isOver = false;
  readonly #left: AbortController;

  constructor({ headers, body }: Pick<HttpRequest, "headers" | "body">, connection?: Connection, stall = STALL) {
    this.contentType = headers.get("content-type") ?? "";
    this.#body = body;
    this.#connection = connection;
    this.#stall = stall;
    this.#left = stopFor(connection);
  }

  /** Aborted when the client has left before it got an answer. */
  get left(): AbortSignal {
    return this.#left.signal;
  }

  /**
   * The bytes, once. Throws the 408 if none come for a while, what broke the connection, and the reason of the signal
   * when that is aborted: what was not read by then is left for `settle`.
   */
  async *chunks(signal: AbortSignal): AsyncGenerator<Uint8Array> {
    for (;;) {
      const chunk = await this.#read(this.#stall, signal);
      if (chunk === undefined) return;
      yield chunk;
    }
  }

  /**
   * Before an answer is sent: reads what is left, if that is little. Else the connection ends soon after the answer,
   * and what the client still sends is never read.
   */
  async settle(): Promise<void> {
    await this.#skip(MAX_SKIPPED, SKIP_TIME);
    if (this.#isOver) return;
    this.#connection?.endAfterAnswer();
    // What has left the host already must not stand before the connection's next request.
    void this.#skip(MAX_SKIPPED_LATER, SKIP_TIME);
  }

  async #skip(maximum: number, milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds;
    try {
      for (let bytes = 0; !this.#isOver && bytes <= maximum; ) {
        bytes += (await this.#read(end - performance.now(), this.left))?.byteLength ?? 0;
      }
    } catch {
      // The client has left, or sends too slowly.
    }
  }

  /** Undefined at the end. */
  async #read(milliseconds: number, signal: AbortSignal): Promise<Uint8Array | undefined> {
    signal.throwIfAborted();
    if (this.#body === null || this.#isOver) {
      this.#isOver = true;
      return undefined;
    }
    this.#reader ??= this.#body.getReader() as Reader;
    this.#next ??= this.#reader.read();
    const { done, value } = await this.#within(milliseconds, this.#next, signal);
    this.#next = undefined;
    if (!done) return value;
    this.#isOver = true;
    return undefined;
  }

  /** Waits for a read no longer than this, and no longer than the signal wants. */
  #within<T>(milliseconds: number, read: Promise<T>, signal: AbortSignal): Promise<T> {
    return new Promise((resolve, reject) => {
      const stalled = () => reject(uploadStalled(Math.round(this.#stall / 1000)));
      const timer = setTimeout(stalled, Math.max(milliseconds, 0));
      const aborted = () => reject(signal.reason);
      signal.addEventListener("abort", aborted, { once: true });
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener("abort", aborted);
      };
      read.then(resolve, reject).finally(done);
    });
  }
}

/** Stops work for a client, with `ClientLeft` as the reason, when it leaves before its answer is complete. */
export function stopFor(connection: Connection | undefined): AbortController {
  const stop = new AbortController();
  connection?.onClose(() => stop.abort(new ClientLeft()));
  return stop;
}

/** No answer will reach this client. */
export class ClientLeft extends Error {
  constructor() {
    super("the client left before its request was complete");
    this.name = "ClientLeft";
  }
}
