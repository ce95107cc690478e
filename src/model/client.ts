/** The model: any OpenAI-compatible chat-completions endpoint, or Azure OpenAI by key or managed identity. */
import type { ChatCompletionChunk } from "openai/resources/chat/completions";
import type { Config } from "../config.ts";
import type { StreamedCall } from "./connection.ts";
import type { ModelTrouble } from "./trouble.ts";
import { type ModelRequest, ModelTimeout } from "./types.ts";

export class Model {
  readonly #config: Config;
  #call: Promise<StreamedCall> | undefined;
  readonly #firstTokenTimeout: number;
  readonly #tokenTimeout: number;
  readonly #names: Map<string, string>;

  constructor(config: Config) {
    this.#config = config;
    this.#firstTokenTimeout = config.model.firstTokenTimeout;
    this.#tokenTimeout = config.model.tokenTimeout;
    this.#names = config.model.names;
  }

  /** Loads the libraries, which a process that drives no run never needs. */
  connect(): Promise<StreamedCall> {
    this.#call ??= import("./connection.ts").then(({ connect }) => connect(this.#config));
    return this.#call;
  }

  /** What to do about an error that `stream` threw. */
  async trouble(error: unknown, model: string): Promise<ModelTrouble> {
    const { modelTrouble } = await import("./trouble.ts");
    return modelTrouble(error, model);
  }

  /**
   * One streamed call. Throws the SDK's APIError for an error answer, ModelTimeout for silence, and whatever the
   * connection threw when it broke; retries nothing, that is the engine's decision.
   */
  async *stream(request: ModelRequest, signal: AbortSignal): AsyncGenerator<ChatCompletionChunk> {
    const model = this.#names.get(request.model) ?? request.model;
    const silence = new SilenceGuard();
    const stop = AbortSignal.any([signal, silence.signal]);
    try {
      silence.expectWithin(this.#firstTokenTimeout);
      const call = await this.connect();
      for await (const chunk of await call({ ...request, model }, stop)) {
        stop.throwIfAborted();
        silence.expectWithin(this.#tokenTimeout);
        yield chunk;
      }
    } catch (error) {
      signal.throwIfAborted();
      silence.throwIfTooLong();
      throw error;
    } finally {
      silence.stop();
    }
  }
}

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

  throwIfTooLong(): void {
    this.signal.throwIfAborted();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
