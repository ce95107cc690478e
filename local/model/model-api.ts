import { InvalidToken, type TokenCheck } from "../identity/token-check.ts";
import { answerOf } from "./answer.ts";
import { ApiError, invalidRequest, scriptedError, unknownUrl, wrongKey } from "./api-error.ts";
import { type ChatRequest, parseChatRequest } from "./chat-request.ts";
import { AZURE_PROMPT_FILTER_CHUNK, chunksOf, completionOf } from "./completion.ts";
import { defaultTurn } from "./default-turn.ts";
import { type Delays, sendStream, sendWhole } from "./delivery.ts";
import { embeddingsOf, parseEmbeddingRequest } from "./embeddings.ts";
import type { Exchange } from "./exchange.ts";
import type { RecordedRequest, ScriptBook } from "./script-book.ts";
import type { Turn } from "./turn.ts";

export interface ModelStats {
  requests: number;
  promptTokens: number;
  completionTokens: number;
  /** Requests whose answer is under way, streamed or not. */
  openStreams: number;
  /** Answers that the client did not wait for. */
  aborted: number;
}

export interface ModelApiOptions {
  key: string | undefined;
  /** Checks tokens of identities, which are taken in place of the key; undefined takes none. */
  tokens: TokenCheck | undefined;
  delays: Delays;
}

/** What `GET /models` lists, for clients that let their user choose; requests may name any model. */
const LISTED = [
  "simulated-model",
  "gpt-4o",
  "gpt-4o-mini",
  "gpt-4.1",
  "text-embedding-3-small",
  "text-embedding-3-large",
];

const OPENAI_PATH = /^(?:\/openai)?\/v1\/(chat\/completions|embeddings|models(?:\/.+)?)$/;
const AZURE_PATH = /^\/openai\/deployments\/([^/]+)\/(chat\/completions|embeddings)$/;

interface Route {
  resource: string;
  deployment: string | undefined;
}

/** The part of the server that a client of OpenAI or Azure OpenAI knows. */
export class ModelApi {
  readonly stats: ModelStats = { requests: 0, promptTokens: 0, completionTokens: 0, openStreams: 0, aborted: 0 };
  readonly #scripts: ScriptBook;
  readonly #options: ModelApiOptions;

  constructor(scripts: ScriptBook, options: ModelApiOptions) {
    this.#scripts = scripts;
    this.#options = options;
  }

  /** Answers the request; throws an ApiError that says what is wrong with it. */
  async handle(exchange: Exchange): Promise<void> {
    const route = routeOf(exchange.url);
    const method = exchange.request.method ?? "GET";
    const isListing = route?.resource.startsWith("models");
    if (!route || method !== (isListing ? "GET" : "POST")) throw unknownUrl(method, exchange.url.pathname);
    await this.#checkCaller(exchange);
    if (isListing) return this.#listModels(exchange, route.resource);
    this.stats.requests += 1;
    const body = await exchange.readJson().catch(() => {
      throw invalidRequest("We could not parse the JSON body of your request.");
    });
    await this.#answer(exchange, route, body);
  }

  async #answer(exchange: Exchange, route: Route, body: unknown): Promise<void> {
    const recorded = this.#record(exchange, route, body);
    this.stats.openStreams += 1;
    exchange.onClose(() => {
      this.stats.openStreams -= 1;
      recorded.closed = new Date().toISOString();
      if (!exchange.aborted) return;
      this.stats.aborted += 1;
      recorded.aborted = true;
    });
    if (route.resource === "embeddings") await this.#embed(exchange, route, body);
    else await this.#complete(exchange, route, parseChatRequest(body, route.deployment), recorded);
  }

  async #complete(exchange: Exchange, route: Route, request: ChatRequest, recorded: RecordedRequest): Promise<void> {
    const turn = this.#scripts.take(request.model) ?? defaultTurn(request);
    const told = toldBy(turn);
    if (told !== undefined) recorded.told = told;
    await this.#beforeHeaders(exchange, turn);
    const answer = answerOf(request, turn);
    this.stats.promptTokens += answer.usage?.prompt_tokens ?? 0;
    this.stats.completionTokens += answer.usage?.completion_tokens ?? 0;
    const chunks = chunksOf(request, answer);
    if (!request.stream) {
      const completion = completionOf(request, answer);
      return sendWhole(exchange, completion, chunks.pieces.length, turn, this.#options.delays);
    }
    if (route.deployment !== undefined) chunks.opening = AZURE_PROMPT_FILTER_CHUNK + chunks.opening;
    return sendStream(exchange, chunks, turn, this.#options.delays);
  }

  /** A script can also delay or fail the embeddings of its model. */
  async #embed(exchange: Exchange, route: Route, body: unknown): Promise<void> {
    const request = parseEmbeddingRequest(body, route.deployment);
    const turn = this.#scripts.take(request.model) ?? {};
    await this.#beforeHeaders(exchange, turn);
    const response = embeddingsOf(request);
    this.stats.promptTokens += response.usage.prompt_tokens;
    exchange.sendJson(200, response);
  }

  async #beforeHeaders(exchange: Exchange, turn: Turn): Promise<void> {
    await exchange.wait(turn.headerDelayMs ?? 0);
    if (turn.status !== undefined) throw scriptedError(turn.status, turn.error, turn.retryAfter);
  }

  /** Invalid requests are recorded too: a test may want to see what its app sent. */
  #record(exchange: Exchange, route: Route, body: unknown): RecordedRequest {
    const recorded: RecordedRequest = { time: new Date().toISOString(), path: exchange.url.pathname, body };
    const { "openai-project": project } = exchange.request.headers;
    if (typeof project === "string") recorded.project = project;
    const model = route.deployment ?? (body as { model?: unknown } | null)?.model;
    if (typeof model === "string") this.#scripts.record(model, recorded);
    return recorded;
  }

  #listModels(exchange: Exchange, resource: string): void {
    const modelOf = (id: string) => ({ id, object: "model", created: 0, owned_by: "threadkeep-simulation" });
    const id = resource.slice("models/".length);
    const ids = new Set([...LISTED, ...this.#scripts.models()]);
    const list = { object: "list", data: [...ids].map(modelOf) };
    exchange.sendJson(200, id === "" ? list : modelOf(decodeURIComponent(id)));
  }

  async #checkCaller({ request }: Exchange): Promise<void> {
    const { key, tokens } = this.#options;
    if (key === undefined) return;
    const { authorization, "api-key": apiKey } = request.headers;
    const bearer = authorization?.match(/^Bearer (.+)$/i)?.[1];
    const given = typeof apiKey === "string" ? apiKey : bearer;
    if (given === key || (tokens !== undefined && bearer !== undefined && (await isValid(bearer, tokens)))) return;
    throw wrongKey(given);
  }
}

/** What identities' tokens for Azure OpenAI are for. */
const AUDIENCE = "https://cognitiveservices.azure.com";

async function isValid(token: string, tokens: TokenCheck): Promise<boolean> {
  try {
    const { aud, exp } = await tokens.check(token);
    return String(aud).replace(/\/$/, "") === AUDIENCE && Number(exp) * 1000 > Date.now();
  } catch (error) {
    if (error instanceof InvalidToken) return false;
    throw error;
  }
}

/** What this turn is other than an answer, if it is. */
function toldBy({ status, cutAfter, hang }: Turn): RecordedRequest["told"] {
  if (status !== undefined) return "error";
  if (hang) return "hang";
  return cutAfter === undefined ? undefined : "cut";
}

/** Azure's form without an api-version is not found, as in Azure. */
function routeOf(url: URL): Route | undefined {
  const azure = url.pathname.match(AZURE_PATH);
  if (azure?.[1] !== undefined && azure[2] !== undefined) {
    if (!url.searchParams.has("api-version")) {
      throw new ApiError(404, { code: "404", message: "Resource not found" });
    }
    return { resource: azure[2], deployment: decodeURIComponent(azure[1]) };
  }
  const resource = url.pathname.match(OPENAI_PATH)?.[1];
  return resource === undefined ? undefined : { resource, deployment: undefined };
}
