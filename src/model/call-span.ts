/**
 * A model call as OpenTelemetry sees it: https://opentelemetry.io/docs/specs/semconv/gen-ai. What was said is told only
 * where a setting wants it.
 */
import type { Config } from "../config.ts";
import { inSpan, isRecording, openSpan, record } from "../telemetry/telemetry.ts";
import type { AnswerPiece, ReportedUsage } from "./pieces.ts";
import type { ModelRequest } from "./types.ts";

/** Of what was said, where it is told: the prompt's last messages, and the answer's beginning. Characters. */
const MOST_CONTENT = 32_768;

/** Hears how a call goes. */
export interface CallWatch {
  heard(piece: AnswerPiece): void;
  failed(error: unknown): void;
  /** Once, when the call is over in whatever way. */
  over(): void;
}

/** A call of the embedding model, which `work` makes. */
export async function inEmbeddingSpan<T>(endpoint: string, model: string, work: () => Promise<T>): Promise<T> {
  if (!isRecording()) return work();
  const started = performance.now();
  const about = aboutCall("embeddings", endpoint, model);
  const measured = (errorType?: string) =>
    record("gen_ai.client.operation.duration", (performance.now() - started) / 1_000, {
      ...about,
      "error.type": errorType,
    });
  return inSpan({ name: `embeddings ${model}`, kind: "client", attributes: about }, async () => {
    try {
      const result = await work();
      measured();
      return result;
    } catch (error) {
      measured(typeOf(error));
      throw error;
    }
  });
}

function aboutCall(operation: string, endpoint: string, model: string): Record<string, string | number> {
  const { hostname, port } = new URL(endpoint);
  const isAzure = /\.azure\.com$/.test(hostname);
  return {
    "gen_ai.operation.name": operation,
    "gen_ai.provider.name": isAzure ? "azure.ai.openai" : "openai",
    "gen_ai.request.model": model,
    "server.address": hostname,
    ...(port === "" ? {} : { "server.port": Number(port) }),
  };
}

/** The status of an answer, or the name of an error. */
function typeOf(error: unknown): string {
  const status: unknown = error instanceof Error ? Reflect.get(error, "status") : undefined;
  return typeof status === "number" ? String(status) : error instanceof Error ? error.name : "unknown";
}

const NO_WATCH: CallWatch = { heard() {}, failed() {}, over() {} };

/** `model`: what the endpoint calls it. */
export function watchCall(config: Config, request: ModelRequest, model: string): CallWatch {
  return isRecording() ? new Watch(config, request, model) : NO_WATCH;
}

class Watch implements CallWatch {
  readonly #started = performance.now();
  readonly #about: Record<string, string | number>;
  readonly #span;
  readonly #capturesContent: boolean;
  #firstPiece: number | undefined;
  #finishReason: string | undefined;
  #usage: ReportedUsage | undefined;
  #errorType: string | undefined;
  #said = "";

  constructor(config: Config, request: ModelRequest, model: string) {
    this.#about = aboutCall("chat", config.model.endpoint, model);
    this.#capturesContent = config.capturesContent;
    const attributes = { ...this.#about, "gen_ai.request.stream": true };
    this.#span = openSpan({ name: `chat ${model}`, kind: "client", attributes });
    if (this.#capturesContent) this.#span.set({ "gen_ai.input.messages": lastOf(request) });
  }

  heard({ text, calls, finishReason, usage }: AnswerPiece): void {
    if (this.#firstPiece === undefined && (text !== "" || calls.length > 0)) this.#firstPiece = this.#elapsed();
    this.#finishReason ??= finishReason;
    this.#usage = usage ?? this.#usage;
    if (this.#capturesContent && this.#said.length < MOST_CONTENT)
      this.#said += text + calls.map((call) => call.name + call.arguments).join("");
  }

  failed(error: unknown): void {
    this.#errorType = typeOf(error);
  }

  over(): void {
    const { prompt_tokens: input, completion_tokens: output } = this.#usage ?? {};
    this.#span.set({
      "gen_ai.response.finish_reasons": this.#finishReason === undefined ? undefined : [this.#finishReason],
      "gen_ai.response.time_to_first_chunk": this.#firstPiece,
      "gen_ai.usage.input_tokens": input,
      "gen_ai.usage.output_tokens": output,
      "gen_ai.output.messages": this.#capturesContent ? this.#answer() : undefined,
    });
    if (this.#errorType !== undefined) this.#span.fail(this.#errorType);
    this.#span.end();
    const about = { ...this.#about, "error.type": this.#errorType };
    record("gen_ai.client.operation.duration", this.#elapsed(), about);
    if (this.#firstPiece !== undefined)
      record("gen_ai.client.operation.time_to_first_chunk", this.#firstPiece, this.#about);
    for (const [type, tokens] of Object.entries({ input, output })) {
      if (tokens !== undefined)
        record("gen_ai.client.token.usage", tokens, { ...this.#about, "gen_ai.token.type": type });
    }
  }

  #answer(): string {
    const parts = [textPart(this.#said.slice(0, MOST_CONTENT))];
    return JSON.stringify([{ role: "assistant", parts, finish_reason: this.#finishReason }]);
  }

  /** Seconds. */
  #elapsed(): number {
    return (performance.now() - this.#started) / 1_000;
  }
}

const textPart = (content: string) => ({ type: "text", content });

/** As many of a prompt's messages as may be told, in the form of the conventions. */
function lastOf({ messages }: ModelRequest): string {
  const told: { role: string; parts: ReturnType<typeof textPart>[] }[] = [];
  let size = 0;
  for (const { role, content, ...more } of messages.toReversed()) {
    const text = typeof content === "string" ? content : JSON.stringify({ content, ...more });
    size += text.length;
    if (told.length > 0 && size > MOST_CONTENT) break;
    told.unshift({ role, parts: [textPart(text.slice(-MOST_CONTENT))] });
  }
  return JSON.stringify(told);
}
