/** The model: any OpenAI-compatible chat-completions endpoint, or Azure OpenAI by key or managed identity. */
import type OpenAI from "openai";
import type { ChatCompletionChunk, ChatCompletionCreateParamsStreaming } from "openai/resources/chat/completions";
import type { Config } from "../config.ts";
import { identity } from "../identity.ts";
import { readChunks } from "./chunks.ts";
import { fetchText } from "./fetch.ts";
import type { ModelTrouble } from "./trouble.ts";

const AZURE_SCOPE = "https://cognitiveservices.azure.com/.default";
const AZURE_HOST = /\.(openai\.azure\.com|cognitiveservices\.azure\.com|services\.ai\.azure\.com)$/;

export type ModelRequest = Omit<ChatCompletionCreateParamsStreaming, "stream" | "stream_options">;

/** The model said nothing for too long: before the first piece, or between two. */
export class ModelTimeout extends Error {
  constructor(milliseconds: number) {
    super(`the model sent nothing for ${milliseconds / 1000} s`);
    this.name = "ModelTimeout";
  }
}

export class Model {
  readonly #config: Config;
  #client: Promise<OpenAI> | undefined;
  readonly #firstTokenTimeout: number;
  readonly #tokenTimeout: number;
  readonly #names: Map<string, string>;

  constructor(config: Config) {
    this.#config = config;
    this.#firstTokenTimeout = config.model.firstTokenTimeout;
    this.#tokenTimeout = config.model.tokenTimeout;
    this.#names = config.model.names;
  }

  /** Loads the library, which a process that drives no run never needs. */
  connect(): Promise<OpenAI> {
    this.#client ??= connect(this.#config);
    return this.#client;
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
      const client = await this.connect();
      const call = client.chat.completions.create(
        { ...request, model, stream: true, stream_options: { include_usage: true } },
        { signal: stop },
      );
      for await (const chunk of readChunks(await call.asResponse())) {
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

async function connect(config: Config): Promise<OpenAI> {
  const { default: OpenAI, AzureOpenAI } = await import("openai");
  const { endpoint, key, apiVersion } = config.model;
  // Retries are the engine's: it gives the run back instead of holding a worker.
  const common = { maxRetries: 0, timeout: config.model.firstTokenTimeout, fetch: fetchText };
  if (apiVersion !== undefined) {
    const base = { ...common, endpoint, apiVersion };
    return key === undefined
      ? new AzureOpenAI({ ...base, azureADTokenProvider: await azureToken(config) })
      : new AzureOpenAI({ ...base, apiKey: key });
  }
  const azure = AZURE_HOST.test(new URL(endpoint).hostname);
  return new OpenAI({ ...common, baseURL: endpoint, apiKey: key ?? (azure ? await azureToken(config) : "none") });
}

async function azureToken(config: Config): Promise<() => Promise<string>> {
  const { getBearerTokenProvider } = await import("@azure/identity");
  return getBearerTokenProvider(identity(config), AZURE_SCOPE);
}
