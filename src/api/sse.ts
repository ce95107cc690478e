/** Server-sent events: what a run's events look like on the wire, and how they reach a client (docs/contract.md 4). */
import { errorEvent, type RunEvent } from "../runs/events.ts";
import type { Connection } from "./connections.ts";
import type { SlowStream, UnreadOfTenant } from "./unread.ts";

/** Load balancers drop a connection that says nothing for some minutes. Milliseconds. */
const KEEP_ALIVE = 15_000;

/** How much may wait for a client that reads too slowly before its stream is cut. Characters. */
const MAX_WAITING = 4_000_000;

/** What is written at once: a client that does not take so much in time has stalled. Characters, and bytes. */
const PIECE = 65_536;

const DONE: RunEvent = { event: "done", data: "[DONE]" };

const encoder = new TextEncoder();

/** Line ends to some clients and to none of the rest: within JSON they can be written in another way. */
const LINE_ENDS = /[\u0085\u2028\u2029]/g;

const lineOf = (data: unknown) =>
  JSON.stringify(data).replace(LINE_ENDS, (end) => `\\u${end.charCodeAt(0).toString(16).padStart(4, "0")}`);

/** Only resumable streams number their events: the others stay byte for byte what clients knew. */
function frame({ event, data }: RunEvent, id?: number): string {
  const number = id === undefined ? "" : `id: ${id}\n`;
  return `${number}event: ${event}\ndata: ${typeof data === "string" ? data : lineOf(data)}\n\n`;
}

const CUT = frame(errorEvent("The client reads too slowly: the stream is cut, the run goes on.")) + frame(DONE);

/**
 * A response body that events are pushed into. Pushing never waits: a client that is gone, or reads too slowly, loses
 * its stream, and the run goes on without it.
 */
export class EventStream implements AsyncIterable<Uint8Array>, SlowStream {
  readonly #connection: Connection | undefined;
  #unread: UnreadOfTenant | undefined;
  #frames: string[] = [];
  #waiting = 0;
  #ended = false;
  /** nothing more will be pushed */
  #pushed = false;
  /** the client has taken everything, or is gone */
  #read = false;
  readonly #gone = new AbortController();
  /** what a stream that was cut says at its end */
  #last = "";
  #settle: () => void = () => {};
  #wake: (() => void) | undefined;
  #roomMade: (() => void) | undefined;

  /** Resolves when nothing more will be pushed, and the client has taken everything or is gone. */
  readonly settled = new Promise<void>((resolve) => {
    this.#settle = resolve;
  });

  constructor(connection: Connection | undefined) {
    this.#connection = connection;
    connection?.onClose(() => this.#stop());
  }

  /** The client is gone, or everything is said. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Aborted when the client has taken everything, or is gone. */
  get gone(): AbortSignal {
    return this.#gone.signal;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** From now on, what waits for the client counts there, with what waits already. */
  countIn(unread: UnreadOfTenant): void {
    if (!this.#read && unread.take(this, this.#waiting)) this.#unread = unread;
  }

  /**
   * For events that need not be pushed now: resolves when little waits for the client, or nothing is wanted any more.
   */
  async hasRoom(): Promise<void> {
    while (!this.#ended && this.#waiting > PIECE) {
      await new Promise<void>((resolve) => {
        this.#roomMade = resolve;
      });
    }
  }

  push(event: RunEvent, id?: number): void {
    if (this.#ended) return;
    const text = frame(event, id);
    if (this.#waiting + text.length > MAX_WAITING) this.cut();
    else if (this.#unread?.take(this, text.length) !== false) {
      this.#frames.push(text);
      this.#waiting += text.length;
      this.#wake?.();
    }
  }

  /** The last event, and the end. */
  end(): void {
    this.push(DONE);
    this.#ended = true;
    this.#pushed = true;
    this.#roomMade?.();
    this.#wake?.();
    this.#settleIfOver();
  }

  cut(): void {
    if (this.#last !== "" || this.#read) return;
    this.#ended = true;
    this.#last = CUT;
    const dropped = this.#frames.reduce((sum, text) => sum + text.length, 0);
    this.#frames = [];
    this.#taken(dropped);
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    try {
      while (!this.#read) {
        const text = this.#nextPiece();
        if (text !== "") {
          yield* this.#written(encoder.encode(text));
          this.#taken(text.length);
        } else if (this.#last !== "") {
          yield* this.#written(encoder.encode(this.#last));
          return;
        } else if (this.#ended) return;
        else if ((await this.#more()) === "nothing") yield encoder.encode(": keep-alive\n\n");
      }
    } finally {
      this.#readerLeft();
    }
  }

  /** Some frames, which are at least a piece together if there is so much. */
  #nextPiece(): string {
    let [count, length] = [0, 0];
    for (; count < this.#frames.length && length < PIECE; count++) length += this.#frames[count]?.length ?? 0;
    return this.#frames.splice(0, count).join("");
  }

  async *#written(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    for (let from = 0; from < bytes.length && !this.#read; from += PIECE) {
      yield bytes.subarray(from, from + PIECE);
      await this.#connection?.drained();
    }
  }

  #taken(characters: number): void {
    const given = Math.min(characters, this.#waiting);
    this.#waiting -= given;
    this.#unread?.give(this, given);
    this.#roomMade?.();
  }

  #stop(): void {
    this.#ended = true;
    this.#readerLeft();
    this.#wake?.();
  }

  /** The client has everything, or will take no more. */
  #readerLeft(): void {
    this.#read = true;
    this.#gone.abort();
    this.#frames = [];
    this.#taken(this.#waiting);
    this.#settleIfOver();
  }

  #settleIfOver(): void {
    if (this.#pushed && this.#read) this.#settle();
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
