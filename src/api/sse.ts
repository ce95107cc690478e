/** Server-sent events: what a run's events look like on the wire, and how they reach a client (docs/contract.md 4). */
import { errorEvent, type RunEvent } from "../runs/events.ts";
import type { Connection } from "./connections.ts";

/** Load balancers drop a connection that says nothing for some minutes. Milliseconds. */
const KEEP_ALIVE = 15_000;

/** How much may wait for a client that reads too slowly before its stream is cut. Characters. */
const MAX_WAITING = 4_000_000;

const DONE: RunEvent = { event: "done", data: "[DONE]" };

const encoder = new TextEncoder();

/** Only resumable streams number their events: the others stay byte for byte what clients knew. */
function frame({ event, data }: RunEvent, id?: number): string {
  const number = id === undefined ? "" : `id: ${id}\n`;
  return `${number}event: ${event}\ndata: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`;
}

/**
 * A response body that events are pushed into. Whoever pushes never waits: a client that is gone, or reads too slowly,
 * loses its stream, and the run goes on without it.
 */
export class EventStream implements AsyncIterable<Uint8Array> {
  readonly #connection: Connection | undefined;
  #frames: string[] = [];
  #waiting = 0;
  #ended = false;
  #settle: () => void = () => {};
  #wake: (() => void) | undefined;

  /** Resolves when whoever pushes has nothing more to say, though the client may have left long before. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(connection: Connection | undefined) {
    this.#connection = connection;
    connection?.onClose(() => this.#stop());
  }

  /** Nobody reads any more, or everything is said. */
  get ended(): boolean {
    return this.#ended;
  }

  push(event: RunEvent, id?: number): void {
    if (this.#ended) return;
    const text = frame(event, id);
    this.#waiting += text.length;
    if (this.#waiting > MAX_WAITING) {
      this.#frames = [];
      this.#frames.push(
        frame(errorEvent("The client reads too slowly: the stream is cut, the run goes on.")),
        frame(DONE),
      );
      this.#ended = true;
    } else this.#frames.push(text);
    this.#wake?.();
  }

  /** The last event, and the end. */
  end(): void {
    this.push(DONE);
    this.#ended = true;
    this.#wake?.();
    this.#settle();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    for (;;) {
      const text = this.#frames.join("");
      this.#frames = [];
      this.#waiting = 0;
      if (text !== "") {
        yield encoder.encode(text);
        await this.#connection?.drained();
      } else if (this.#ended) return;
      else if ((await this.#more()) === "nothing") yield encoder.encode(": keep-alive\n\n");
    }
  }

  #stop(): void {
    this.#ended = true;
    this.#frames = [];
    this.#wake?.();
  }

  #more(): Promise<"something" | "nothing"> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve("nothing"), KEEP_ALIVE);
      this.#wake = () => {
        clearTimeout(timer);
        resolve("something");
      };
    });
  }
}
