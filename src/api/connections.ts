/**
 * What the Functions library keeps to itself: whether a client is still there, and whether it keeps up. Its HTTP
 * streams run over a server of its own in this process, whose requests Node announces on a diagnostics channel, with
 * the invocation's id as a header.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";
import { setImmediate, setTimeout as sleep } from "node:timers/promises";
import { reservedHeader } from "../resources/errors.ts";

const CHANNEL = "http.server.request.start";
const INVOCATION = "x-ms-invocation-id";

/** How long a client may take for what it is sent, before its connection is destroyed. Milliseconds. */
export interface Patience {
  /** for the next piece of a stream: it need not be more than 64 KB */
  piece: number;
  /** for an answer that is sent whole */
  answer: number;
  /** to read its answer, though it was still sending */
  reset: number;
  /** until an invocation asks for its connection: far more than the host needs between the two */
  invocation: number;
}

const PATIENCE: Patience = { piece: 30_000, answer: 120_000, reset: 1_000, invocation: 10_000 };

export class Connection {
  readonly #response: ServerResponse;
  readonly #patience: Patience;

  constructor(response: ServerResponse, patience = PATIENCE) {
    this.#response = response;
    this.#patience = patience;
  }

  /** Calls back once if the client leaves before its answer is complete; at once if it has left already. */
  onClose(left: () => void): void {
    const response = this.#response;
    const closed = () => {
      if (!response.writableFinished) left();
    };
    if (response.closed) closed();
    else response.once("close", closed);
  }

  /** Resolves when the client has taken what was written, or is gone. A client that takes nothing is cut off. */
  async drained(): Promise<void> {
    const response = this.#response;
    if (!response.writableNeedDrain || response.destroyed) return;
    await this.#over(["drain", "close"], this.#patience.piece);
  }

  /** Resolves when the client has taken its whole answer, or is gone. A client that does not take it is cut off. */
  async finished(): Promise<void> {
    if (!this.#response.closed) await this.#over(["close"], this.#patience.answer);
  }

  /** Ends the connection at once: the client notices that its answer is not complete. */
  cut(): void {
    this.#response.destroy();
  }

  /** Ends the connection once the answer is sent: what the client still sends is not read. */
  endAfterAnswer(): void {
    const response = this.#response;
    const { req: request } = response;
    // The answer must be read before the connection is reset.
    const end = async () => {
      await sleep(this.#patience.reset, undefined, { ref: false });
      // What came while this process had no time is read now.
      await setImmediate();
      await setImmediate();
      // A request that is complete by then has left its connection to the next one.
      if (!request.complete) request.destroy();
    };
    response.once("finish", () => void end());
  }

  #over(events: string[], patience: number): Promise<void> {
    const response = this.#response;
    return new Promise((resolve) => {
      const timer = setTimeout(() => response.destroy(), patience);
      const over = () => {
        clearTimeout(timer);
        for (const event of events) response.off(event, over);
        resolve();
      };
      for (const event of events) response.on(event, over);
    });
  }
}

/** The connections of requests whose invocations have not asked for them yet. */
export class Connections {
  readonly #waiting = new Map<string, Waiting>();
  readonly #listener = (message: unknown) => this.#started(message as StartMessage);
  readonly #patience: Patience;

  constructor(patience = PATIENCE) {
    this.#patience = patience;
    subscribe(CHANNEL, this.#listener);
  }

  /** The connection of an invocation, which asks for it once. Undefined where the host does not stream: it does not tell. */
  take(invocationId: string): Connection | undefined {
    const waiting = this.#waiting.get(invocationId);
    clearTimeout(waiting?.timer);
    this.#waiting.delete(invocationId);
    return waiting?.connection;
  }

  close(): void {
    unsubscribe(CHANNEL, this.#listener);
    for (const { timer } of this.#waiting.values()) clearTimeout(timer);
  }

  /** The connection stays here if its client leaves: the invocation is to learn of that. */
  #started({ request, response }: StartMessage): void {
    const id = request.headers[INVOCATION];
    if (typeof id !== "string") return;
    const giveUp = () => {
      if (this.#waiting.get(id) === waiting) this.#waiting.delete(id);
      if (!response.headersSent && !response.destroyed) refuse(response);
    };
    const timer = setTimeout(giveUp, this.#patience.invocation).unref();
    const waiting = { connection: new Connection(response, this.#patience), timer };
    this.#waiting.set(id, waiting);
  }
}

interface Waiting {
  connection: Connection;
  timer: NodeJS.Timeout;
}

/**
 * Answers a request that no invocation will ever take: its client has sent the host's own header, which the host then does
 * not replace, and the library waits for a request with the invocation's real id.
 */
function refuse(response: ServerResponse): void {
  const { status, body } = reservedHeader(INVOCATION);
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

interface StartMessage {
  request: IncomingMessage;
  response: ServerResponse;
}
