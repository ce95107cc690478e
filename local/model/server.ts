import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { TokenCheck } from "../identity/token-check.ts";
import { ApiError } from "./api-error.ts";
import { handleControl } from "./control-api.ts";
import { Exchange } from "./exchange.ts";
import { ModelApi } from "./model-api.ts";
import { type RecordedRequest, ScriptBook } from "./script-book.ts";
import { parseScript, type Turn } from "./turn.ts";

export interface ModelOptions {
  /** 0 or absent: a free port. */
  port?: number;
  /** Absent: any key, or none, is accepted. */
  key?: string;
  /** The local identity server (`http://127.0.0.1:PORT`), whose tokens are taken in place of the key. */
  issuer?: string;
  /** Milliseconds before the first piece of an answer and between pieces, where a script says nothing; 0 if absent. */
  firstTokenMs?: number;
  tokenMs?: number;
}

export interface RunningModel {
  /** What an OpenAI client takes as its base URL: `http://127.0.0.1:PORT/v1`. */
  baseUrl: string;
  port: number;
  /** Scripts the next requests for this model; throws if a turn has a field that does not exist. */
  script(model: string, turns: Turn[], options?: { repeat?: boolean }): void;
  requests(model: string): RecordedRequest[];
  forget(model: string): void;
  /** Takes no new requests, lets answers under way finish (up to two seconds), closes. */
  stop(): Promise<void>;
}

const LONGEST_GOODBYE_MS = 2000;

/** Starts the simulated model on 127.0.0.1; rejects with EADDRINUSE if the port is taken. */
export async function startModel(options: ModelOptions = {}): Promise<RunningModel> {
  const scripts = new ScriptBook();
  const tokens = options.issuer === undefined ? undefined : new TokenCheck(options.issuer);
  const delays = { firstTokenMs: options.firstTokenMs ?? 0, tokenMs: options.tokenMs ?? 0 };
  const api = new ModelApi(scripts, { key: options.key, tokens, delays });
  const open = new Set<Exchange>();
  const server = createServer((request, response) => {
    const exchange = new Exchange(request, response);
    open.add(exchange);
    exchange.onClose(() => open.delete(exchange));
    void handle(exchange, scripts, api);
  });
  // Clients keep connections for longer than Node's five seconds, and fail if we close one while they write to it.
  server.keepAliveTimeout = 120_000;
  await listen(server, options.port ?? 0);
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    port,
    script: (model, turns, { repeat = false } = {}) => scripts.put(model, parseScript({ turns, repeat })),
    requests: (model) => scripts.report(model).requests,
    forget: (model) => scripts.forget(model),
    stop: () => close(server, open),
  };
}

async function handle(exchange: Exchange, scripts: ScriptBook, api: ModelApi): Promise<void> {
  try {
    if (exchange.url.pathname.startsWith("/_local/")) await handleControl(exchange, scripts, api.stats);
    else await api.handle(exchange);
  } catch (error) {
    const known = error instanceof ApiError ? error : unexpected(error);
    exchange.sendJson(known.status, known.body, known.headers);
  }
}

function unexpected(error: unknown): ApiError {
  console.error("The simulated model failed:", error);
  const message = error instanceof Error ? error.message : String(error);
  return new ApiError(500, { message, type: "server_error", param: null, code: null });
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", () => {
      server.off("error", reject);
      resolve();
    });
  });
}

async function close(server: Server, open: Set<Exchange>): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  const finished = Promise.all([...open].map((exchange) => exchange.untilClosed()));
  await Promise.race([finished, sleep(LONGEST_GOODBYE_MS, undefined, { ref: false })]);
  // What is left is idle, or has had its time: keep-alive connections would hold the server open for minutes.
  server.closeAllConnections();
  await closed;
}
