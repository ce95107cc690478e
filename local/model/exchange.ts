import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from "node:http";
import { newId } from "./ids.ts";

/** The base for parsing request paths. A path that cannot be parsed becomes "/", which is answered with 404. */
const ORIGIN = "http://127.0.0.1";
const MARKS = { "x-simulated-model": "threadkeep" };

/** One request and its response, and whether the client is still there. */
export class Exchange {
  readonly request: IncomingMessage;
  readonly url: URL;
  /** The client went away before it had the whole answer. */
  aborted = false;
  readonly #response: ServerResponse;
  #isClosed = false;
  #isCut = false;
  readonly #closeListeners: (() => void)[] = [];

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.#response = response;
    this.url = URL.parse(request.url ?? "/", ORIGIN) ?? new URL(ORIGIN);
    response.on("close", () => {
      this.#isClosed = true;
      this.aborted = !response.writableFinished && !this.#isCut;
      for (const listener of this.#closeListeners.splice(0)) listener();
    });
  }

  get isGone(): boolean {
    return this.#isClosed;
  }

  /** Calls the listener when the response is complete or the client has gone. */
  onClose(listener: () => void): void {
    if (this.#isClosed) listener();
    else this.#closeListeners.push(listener);
  }

  async readJson(): Promise<unknown> {
    const chunks: Buffer[] = [];
    for await (const chunk of this.request) chunks.push(chunk as Buffer);
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  }

  /** Waits so many milliseconds, or until the client has gone. */
  wait(milliseconds: number): Promise<void> {
    if (milliseconds <= 0 || this.#isClosed) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, milliseconds);
      this.onClose(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  untilClosed(): Promise<void> {
    return new Promise((resolve) => this.onClose(resolve));
  }

  sendJson(status: number, body: unknown, headers: OutgoingHttpHeaders = {}): void {
    if (this.#isClosed) return;
    const text = JSON.stringify(body);
    this.startJson(status, { ...headers, "content-length": Buffer.byteLength(text) });
    this.#response.end(text);
  }

  startJson(status: number, headers: OutgoingHttpHeaders = {}): void {
    this.#start(status, { ...headers, "content-type": "application/json" });
  }

  startEvents(): void {
    this.#start(200, { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" });
  }

  /** Sends the headers now, rather than with the first piece of the body. */
  flushHeaders(): void {
    if (!this.#isClosed) this.#response.flushHeaders();
  }

  write(text: string): void {
    if (!this.#isClosed) this.#response.write(text);
  }

  end(text: string): void {
    if (!this.#isClosed) this.#response.end(text);
  }

  /** Sends the text and then destroys the socket in the midst of the response. */
  cut(text: string): void {
    if (this.#isClosed) return;
    this.#isCut = true;
    this.#response.flushHeaders();
    // Destroyed at once, the socket could take the text that is not sent yet with it.
    this.#response.write(text, () => this.#response.destroy());
  }

  #start(status: number, headers: OutgoingHttpHeaders): void {
    if (!this.#isClosed) this.#response.writeHead(status, { ...headers, ...MARKS, "x-request-id": newId("req_") });
  }
}
