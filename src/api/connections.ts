/**
 * What the Functions library keeps to itself: whether a client is still there, and whether it keeps up. Its HTTP streams
 * run over a server of its own in this process, whose requests Node announces on a diagnostics channel, with the
 * invocation's id as a header.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { IncomingMessage, ServerResponse } from "node:http";

const CHANNEL = "http.server.request.start";
const INVOCATION = "x-ms-invocation-id";

export class Connection {
  readonly #response: ServerResponse;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  /** Calls back once if the client leaves before its answer is complete. */
  onClose(left: () => void): void {
    this.#response.once("close", () => {
      if (!this.#response.writableFinished) left();
    });
  }

  /** Resolves when the client has taken what was written, or is gone. */
  async drained(): Promise<void> {
    const response = this.#response;
    if (!response.writableNeedDrain || response.destroyed) return;
    await new Promise<void>((resolve) => {
      const over = () => {
        response.off("drain", over);
        response.off("close", over);
        resolve();
      };
      response.on("drain", over);
      response.on("close", over);
    });
  }
}

/** The connections of requests under way, by invocation. */
export class Connections {
  readonly #open = new Map<string, Connection>();
  readonly #listener = (message: unknown) => this.#started(message as StartMessage);

  constructor() {
    subscribe(CHANNEL, this.#listener);
  }

  /** Undefined where the host does not stream: then nobody can tell. */
  of(invocationId: string): Connection | undefined {
    return this.#open.get(invocationId);
  }

  close(): void {
    unsubscribe(CHANNEL, this.#listener);
  }

  #started({ request, response }: StartMessage): void {
    const id = request.headers[INVOCATION];
    if (typeof id !== "string") return;
    this.#open.set(id, new Connection(response));
    response.once("close", () => this.#open.delete(id));
  }
}

interface StartMessage {
  request: IncomingMessage;
  response: ServerResponse;
}
