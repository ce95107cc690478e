/**
 * Requests to a pool of sessions: the REST interface of Azure Container Apps' dynamic sessions, which the local server
 * speaks, too. Every wait is bounded, no redirection is followed, and what is answered is kept only up to a limit.
 */
import type { CodeSettings } from "../config.ts";
import { type IdentitySettings, identity } from "../identity.ts";
import { causeCode, type Details } from "../log.ts";
import { retryAfterIn } from "../resources/retry-after.ts";
import { inPoolSpan } from "./request-span.ts";
import { CodeTrouble } from "./session.ts";

const API_VERSION = "2025-10-02-preview";
const SCOPE = "https://dynamicsessions.io/.default";

/** For the app's identity to get a token. Milliseconds. */
const TOKEN_PATIENCE = 10_000;

/** The longest that a pool's `Retry-After` is believed. Milliseconds. */
const LONGEST_PAUSE = 600_000;

export interface PoolRequest {
  method: "GET" | "POST" | "DELETE";
  /** below the endpoint, with names for what differs: telemetry and the log show it as it is */
  template: "/executions" | "/files" | "/files/{name}/content" | "/session" | "/metadata";
  /** in place of `{name}` */
  name?: string;
  /** with the session's `identifier`, if the request is about one */
  query?: Record<string, string>;
  body?: PoolBody;
  /** until the whole answer is there, in milliseconds */
  timeout: number;
  /** bytes of the answer that are kept */
  mostBytes: number;
}

export interface PoolBody {
  type: string;
  bytes: number;
  /** Called again if the request must be sent once more. */
  open(): AsyncIterable<Uint8Array>;
}

export interface PoolAnswer {
  status: number;
  headers: Headers;
  /** undefined: there were more bytes than are kept */
  bytes: Buffer | undefined;
  /** whether the pool has served this process before: then there is one at its address */
  isKnown: boolean;
}

export class Pool {
  readonly #settings: CodeSettings;
  readonly #app: IdentitySettings;
  #token: Promise<() => Promise<string>> | undefined;
  #isKnown = false;

  constructor(settings: CodeSettings, app: IdentitySettings) {
    this.#settings = settings;
    this.#app = app;
  }

  /**
   * The pool's answer, whatever its status. Throws CodeTrouble if there is none in time, or the signal's reason. A
   * request that a closing connection lost is sent once more: all requests to a pool may be repeated.
   */
  async send(request: PoolRequest, signal?: AbortSignal): Promise<PoolAnswer> {
    const late = AbortSignal.timeout(request.timeout);
    const stop = signal === undefined ? late : AbortSignal.any([signal, late]);
    return inPoolSpan(this.#settings.endpoint, request, async () => {
      try {
        const token = await this.#bearer(stop);
        return await this.#once(request, token, stop).catch((error) => {
          if (stop.aborted || !wasCutOff(error)) throw error;
          return this.#once(request, token, stop);
        });
      } catch (error) {
        signal?.throwIfAborted();
        throw error instanceof CodeTrouble ? error : noAnswer(request, late.aborted ? "no answer in time" : error);
      }
    });
  }

  /** Another page that the pool names, if it is on the pool's own server. */
  isOwn(link: string): boolean {
    const { endpoint } = this.#settings;
    return URL.canParse(link, endpoint) && new URL(link, endpoint).origin === new URL(endpoint).origin;
  }

  async #once(request: PoolRequest, token: string, stop: AbortSignal): Promise<PoolAnswer> {
    const { method, body, mostBytes } = request;
    const headers: Record<string, string> = { authorization: `Bearer ${token}`, "accept-encoding": "identity" };
    if (body !== undefined) {
      headers["content-type"] = body.type;
      headers["content-length"] = String(body.bytes);
    }
    const response = await fetch(this.#address(request), {
      method,
      headers,
      redirect: "manual",
      signal: stop,
      ...(body !== undefined && { body: ReadableStream.from(body.open()), duplex: "half" }),
    });
    const bytes = await kept(response, mostBytes);
    this.#isKnown ||= response.ok || isGone(bytes);
    return { status: response.status, headers: response.headers, bytes, isKnown: this.#isKnown };
  }

  #address({ template, name = "", query }: PoolRequest): URL {
    const url = new URL(this.#settings.endpoint);
    url.pathname = url.pathname.replace(/\/+$/, "") + template.replace("{name}", () => encodeURIComponent(name));
    for (const [key, value] of Object.entries({ "api-version": API_VERSION, ...query })) {
      url.searchParams.set(key, value);
    }
    return url;
  }

  async #bearer(stop: AbortSignal): Promise<string> {
    if (this.#settings.key !== undefined) return this.#settings.key;
    this.#token ??= tokenProvider(this.#app);
    const token = this.#token.then((provide) => provide());
    return await inTime(token, AbortSignal.any([stop, AbortSignal.timeout(TOKEN_PATIENCE)]));
  }
}

async function tokenProvider(app: IdentitySettings): Promise<() => Promise<string>> {
  const { getBearerTokenProvider } = await import("@azure/identity");
  return getBearerTokenProvider(identity(app), SCOPE);
}

/** The promise's value, unless the signal is aborted before. */
function inTime<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const stopped = () => reject(signal.reason);
    signal.addEventListener("abort", stopped, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", stopped));
    if (signal.aborted) stopped();
  });
}

async function kept(response: Response, most: number): Promise<Buffer | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  // Leaving the loop closes the connection.
  for await (const piece of response.body ?? []) {
    bytes += piece.byteLength;
    if (bytes > most) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** Whether the connection ended before there was an answer: a server may close one just when it is used again. */
const wasCutOff = (error: unknown) => ["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"].includes(causeCode(error) ?? "");

const about = ({ method, template }: PoolRequest) => ({ request: `${method} ${template}` });

function noAnswer(request: PoolRequest, reason: unknown): CodeTrouble {
  const isToken = reason instanceof Error && reason.name === "NoToken";
  const told = typeof reason === "string" || isToken ? { reason: String(isToken ? reason.message : reason) } : {};
  const cause = causeCode(reason);
  const details: Details = { ...about(request), ...told, ...(cause !== undefined && { cause }) };
  return new CodeTrouble("the pool of code sessions did not answer", { retryable: true, details });
}

const ROLE =
  "the app's identity needs the role Azure ContainerApps Session Executor on the pool (new ones take minutes)";

/** What the status of an answer means that is not the one hoped for. */
export function refusal(request: PoolRequest, { status, headers, bytes, isKnown }: PoolAnswer): CodeTrouble {
  const code = errorCode(bytes);
  const details = (hint?: string): Details => ({ ...about(request), status, code, ...(hint && { hint }) });
  const final = (hint: string) =>
    new CodeTrouble("the pool of code sessions refuses requests", { retryable: false, details: details(hint) });
  if (status === 401 || status === 403) return final(ROLE);
  if (status >= 300 && status < 400) return final("the address redirects elsewhere: check CODE_SESSIONS_ENDPOINT");
  const passes = [404, 408, 409, 425, 429].includes(status) || status >= 500 || isGone(bytes);
  if (!passes) return final("the request is not one that the pool takes");
  const retryAfter = pauseOf(headers);
  const missing = isKnown ? "the pool is full" : "the pool is full, or there is none at CODE_SESSIONS_ENDPOINT";
  const hint = status === 404 ? missing : undefined;
  return new CodeTrouble("the pool of code sessions is in trouble", {
    retryable: true,
    isFull: status === 429 || (status === 404 && isKnown),
    retryAfter,
    details: details(hint),
  });
}

/** The answer has another form than the interface promises. */
export const garbage = (request: PoolRequest, { status, bytes }: PoolAnswer): CodeTrouble =>
  new CodeTrouble("the pool of code sessions answered with something else than was asked for", {
    retryable: true,
    details: { ...about(request), status, bytes: bytes?.length ?? `more than ${request.mostBytes}` },
  });

/** Whether the pool says that there is no such session. */
export const isGone = (bytes: Buffer | undefined) => errorCode(bytes) === "SessionWithIdentifierNotFound";

function errorCode(bytes: Buffer | undefined): string | undefined {
  return /"code"\s*:\s*"(\w{1,80})"/.exec(bytes?.toString("utf8", 0, 2_000) ?? "")?.[1];
}

function pauseOf(headers: Headers): number | undefined {
  const pause = retryAfterIn(headers);
  return pause && Math.min(pause, LONGEST_PAUSE);
}
