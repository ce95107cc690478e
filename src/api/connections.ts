/**
 * What the Functions library keeps to itself: whether a client is still there, and whether it keeps up. Its HTTP
 * streams run over a server of its own in this process, whose requests Node announces on a diagnostics channel, with
 * the invocation's id as a header.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";

const CHANNEL = "http.server.request.start";
const INVOCATION = "x-ms-invocation-id";

/** How long a client may take for what it is sent, before its connection is destroyed. Milliseconds. */
export interface Patience {
  /** for the next piece of a stream: it need not be more than 64 KB */
  piece: number;
  /** for an answer that is sent whole */
  answer: number;
}

const PATIENCE: Patience = { piece: 30_000, answer: 120_000 };

export class Connection {
  readonly #response: ServerResponse;
  readonly #patience: Patience;

  constructor(response: ServerResponse, patience = PATIENCE) {
    this.#response = response;
    this.#patience = patience;
  }

  /** Calls back once if the client leaves before its answer is complete. */
  onClose(left: () => void): void {
    this.#response.once("close", () => {
      if (!this.#response.writableFinished) left();
    });
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

/** The connections of requests under way, by invocation. */
export class Connections {
  readonly #open = new Map<string, Connection>();
  readonly #listener = (message: unknown) => this.#started(message as StartMessage);
  readonly #patience: Patience | undefined;

  constructor(patience?: Patience) {
    this.#patience = patience;
    subscribe(CHANNEL, this.#listener);
  }

  /** Undefined where the host does not stream: it does not tell. */
  of(invocationId: string): Connection | undefined {
    return this.#open.get(invocationId);
  }

  close(): void {
    unsubscribe(CHANNEL, this.#listener);
  }

  #started({ request, response }: StartMessage): void {
    const id = request.headers[INVOCATION];
    if (typeof id !== "string") return;
    this.#open.set(id, new Connection(response, this.#patience));
    response.once("close", () => this.#open.delete(id));
  }
}

interface StartMessage {
  request: IncomingMessage;
  response: ServerResponse;
}
