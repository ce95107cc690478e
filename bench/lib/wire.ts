/**
 * A client that costs next to nothing: HTTP on connections that stay open, no retries, no schemas. With the SDK in its
 * place, a benchmark of many runs at a time would mostly measure the SDK.
 */
import http from "node:http";
import https from "node:https";

/** An answer that is no success. */
export class Refused extends Error {
  readonly status: number;
  /** seconds after which to ask again, 0 if the server does not say */
  readonly retryAfter: number;

  constructor({ statusCode = 0, headers }: http.IncomingMessage, text: string) {
    super(`The server answered ${statusCode}: ${text}`);
    this.status = statusCode;
    this.retryAfter = Number(headers["retry-after"] ?? 0);
  }
}

/** An open stream of server-sent events. */
export interface OpenStream {
  /** Resolves with the number of pieces it came in and its text, when the server has ended it. */
  ended: Promise<{ pieces: number; text: string }>;
  close(): void;
}

export class Wire {
  readonly #base: URL;
  readonly #apiKey: string;
  readonly #agent: http.Agent;
  readonly #request: typeof http.request;

  /** `baseUrl` as an OpenAI client takes it, with `/v1`. */
  constructor(baseUrl: string, apiKey: string) {
    const { Agent, request } = baseUrl.startsWith("https:") ? https : http;
    this.#base = new URL(`${baseUrl.replace(/\/$/, "")}/`);
    this.#apiKey = apiKey;
    this.#agent = new Agent({ keepAlive: true });
    this.#request = request;
  }

  /** The answer's JSON. Throws `Refused` unless it is a success. */
  async json<Answer>(method: "GET" | "POST", path: string, body?: unknown): Promise<Answer> {
    return JSON.parse(await this.text(method, path, body)) as Answer;
  }

  async text(method: "GET" | "POST", path: string, body?: unknown): Promise<string> {
    return (await this.#read(await this.#send(method, path, body))).text;
  }

  /** Resolves when the stream of the answer has begun. `onText` gets its text as it comes. */
  async stream(
    method: "GET" | "POST",
    path: string,
    body?: unknown,
    onText?: (text: string) => void,
  ): Promise<OpenStream> {
    const response = await this.#send(method, path, body);
    return { ended: this.#read(response, onText), close: () => response.destroy() };
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(method: string, path: string, body: unknown): Promise<http.IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const headers: http.OutgoingHttpHeaders = {
      authorization: `Bearer ${this.#apiKey}`,
      "openai-beta": "assistants=v2",
    };
    if (text !== undefined) {
      headers["content-type"] = "application/json";
      headers["content-length"] = Buffer.byteLength(text);
    }
    return new Promise((resolve, reject) => {
      const request = this.#request(new URL(path, this.#base), { method, headers, agent: this.#agent });
      request.once("response", resolve);
      request.once("error", reject);
      request.end(text);
    });
  }

  async #read(response: http.IncomingMessage, onText?: (text: string) => void) {
    let text = "";
    let pieces = 0;
    response.setEncoding("utf8");
    for await (const piece of response as AsyncIterable<string>) {
      text += piece;
      pieces += 1;
      onText?.(piece);
    }
    if (response.statusCode !== 200) throw new Refused(response, text);
    return { pieces, text };
  }
}
