/** The model: any OpenAI-compatible chat-completions endpoint, or Azure OpenAI by key or managed identity. */
import type { Config } from "../config.ts";
import { consoleLog, type Details, type Log } from "../log.ts";
import { watchCall } from "./call-span.ts";
import type { StreamedCall } from "./connection.ts";
import type { AnswerPiece } from "./pieces.ts";
import type { ModelTrouble } from "./trouble.ts";
import { type ModelRequest, ModelTimeout } from "./types.ts";

/** What may still come behind the reason for the answer's end: what it has cost. Milliseconds. */
const LAST_WORDS = 5_000;

export class Model {
  readonly #config: Config;
  readonly #log: Log;
  #call: Promise<StreamedCall> | undefined;
  readonly #firstTokenTimeout: number;
  readonly #tokenTimeout: number;
  readonly #names: Map<string, string>;

  constructor(config: Config, log: Log = consoleLog) {
    this.#config = config;
    this.#log = log;
    this.#firstTokenTimeout = config.model.firstTokenTimeout;
    this.#tokenTimeout = config.model.tokenTimeout;
    this.#names = config.model.names;
  }

  /** Loads the libraries, which a process that drives no run never needs. */
  connect(): Promise<StreamedCall> {
    this.#call ??= import("./connection.ts").then(({ connect }) => connect(this.#config, this.#log));
    return this.#call;
  }

  /** What to do about an error that `stream` threw. */
  async trouble(error: unknown, model: string): Promise<ModelTrouble> {
    const { modelTrouble } = await import("./trouble.ts");
    return modelTrouble(error, model);
  }

  /** What an operator needs to know of an error that `stream` threw. */
  async failure(error: unknown): Promise<Details> {
    const { failureDetails } = await import("./failure.ts");
    return { host: new URL(this.#config.model.endpoint).host, ...failureDetails(error) };
  }

  /**
   * One streamed call. Throws the SDK's APIError for an error answer, NotAnAnswer for what is no completion,
   * ModelTimeout for silence, and whatever the connection threw when it broke; retries nothing, that is the engine's
   * decision. Once the model has given the reason for its end, the answer is whole: what goes wrong then ends the
   * stream, and is no error.
   */
  async *stream(request: ModelRequest, signal: AbortSignal): AsyncGenerator<AnswerPiece> {
    const model = this.#names.get(request.model) ?? request.model;
    const silence = new SilenceGuard();
    const stop = AbortSignal.any([signal, silence.signal]);
    const watch = watchCall(this.#config, request, model);
    let isFinished = false;
    try {
      silence.expectWithin(this.#firstTokenTimeout);
      const call = await this.connect();
      for await (const piece of await call({ ...request, model }, stop)) {
        stop.throwIfAborted();
        watch.heard(piece);
        isFinished ||= piece.finishReason !== undefined;
        if (!isFinished) silence.expectWithin(this.#tokenTimeout);
        else if (saysMore(piece)) silence.expectWithin(Math.min(this.#tokenTimeout, LAST_WORDS));
        yield piece;
      }
    } catch (error) {
      if (isFinished) return;
      signal.throwIfAborted();
      const failure = silence.reason ?? error;
      watch.failed(failure);
      throw failure;
    } finally {
      silence.stop();
      watch.over();
    }
  }
}

/** Whether it is worth waiting for another one: signs of life would keep a finished call open for ever. */
const saysMore = ({ text, calls, finishReason, usage }: AnswerPiece) =>
  text !== "" || calls.length > 0 || finishReason !== undefined || usage !== undefined;

/** Aborts its signal when nothing came within the time last set. */
class SilenceGuard {
  readonly #controller = new AbortController();
  #timer: NodeJS.Timeout | undefined;
  #limit = 0;

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  expectWithin(milliseconds: number): void {
    if (this.#timer !== undefined && this.#limit === milliseconds) {
      this.#timer.refresh();
      return;
    }
    this.stop();
    this.#limit = milliseconds;
    this.#timer = setTimeout(() => this.#controller.abort(new ModelTimeout(milliseconds)), milliseconds);
  }

  /** undefined as long as it has not been silent for too long */
  get reason(): unknown {
    return this.signal.reason;
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
