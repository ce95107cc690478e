/**
 * Azure Container Apps dynamic sessions on this machine: the REST interface of a pool of Python sessions, which run
 * Pyodide in Deno processes without permissions. /_local/ is for tests.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { failed, send, strikeNow } from "./answers.ts";
import { Api, jsonIn, routeFor } from "./api.ts";
import { Callers } from "./callers.ts";
import { invalid, missingApiVersion, noSandbox, noSuchRoute, sessionEnded, unknownApiVersion } from "./errors.ts";
import { type FaultRule, Faults, rulesIn } from "./faults.ts";
import { type PackageMode, Packages } from "./packages.ts";
import { Pool } from "./pool.ts";
import { Reaper } from "./reaper.ts";
import { denoExecutable, NoSandbox, pyodideFolder, versionOf } from "./runtime.ts";
import { LIMITS, SandboxEnded, type SandboxLimits, type SandboxOptions } from "./sandbox.ts";
import { Starter, type Starts } from "./starter.ts";

export interface CodeSessionsOptions {
  /** 0 or absent: a free port. */
  port?: number;
  /** What requests must have as their bearer token. */
  key: string;
  /** The local identity server (`http://127.0.0.1:PORT`), whose tokens are taken in place of the key. */
  issuer?: string;
  /** Where the snapshot is kept. */
  cache: string;
  /** Where wheels are kept, if not in a folder of `cache`. */
  wheelFolder?: string;
  maxSessions?: number;
  /** Seconds without a request after which a session ends, and seconds in all. */
  idle?: number;
  life?: number;
  keepsSpare?: boolean;
  /** Whether a full pool ends the session that has rested the longest; if not, it refuses as Azure does. */
  makesRoom?: boolean;
  packages?: PackageMode;
  /** Where wheels come from, and the list of them; those of Pyodide's own release if absent. */
  wheels?: { source: string; lockFile: string; offered: string[] };
  limits?: Partial<SandboxLimits>;
  /** Finds Deno's executable, or throws NoSandbox; the package of this project if absent. */
  findDeno?: () => string;
  /** Milliseconds since 1970. */
  now?: () => number;
}

export interface Stats {
  starts: Starts;
  sessions: { identifier: string; pid: number }[];
}

export interface CodeSessions {
  port: number;
  /** What CODE_SESSIONS_ENDPOINT is to the app: `http://127.0.0.1:PORT` */
  endpoint: string;
  behave(rules: FaultRule[]): void;
  stats(): Promise<Stats>;
  /** Makes the snapshot, so that the first session does not have to. */
  prepare(): Promise<void>;
  /** Ends all sessions. */
  stop(): Promise<void>;
}

export const API_VERSION = "2025-10-02-preview";
const HOST = "127.0.0.1";
const PYTHON = "3.14.2";

/** Starts the server on this machine's loopback address; sandboxes start with the first session. */
export async function startCodeSessions(options: CodeSessionsOptions): Promise<CodeSessions> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, HOST, resolve);
  });
  // Clients keep connections for longer than Node's five seconds, and fail if one closes while they write to it.
  server.keepAliveTimeout = 120_000;
  const pyodide = pyodideFolder();
  return new LocalSessions(options, server, pyodide, await versionOf(pyodide));
}

class LocalSessions implements CodeSessions {
  readonly port: number;
  readonly endpoint: string;
  readonly #options: CodeSessionsOptions;
  readonly #server: Server;
  readonly #faults = new Faults();
  readonly #packages: Packages;
  readonly #starter: Starter;
  readonly #pool: Pool;
  readonly #api: Api;
  readonly #callers: Callers;
  #reaper: Reaper | undefined;

  constructor(options: CodeSessionsOptions, server: Server, pyodide: string, version: string) {
    this.#options = options;
    this.#server = server;
    this.#callers = new Callers(options.key, options.issuer);
    this.port = (server.address() as AddressInfo).port;
    this.endpoint = `http://${HOST}:${this.port}`;
    const {
      idle = 1800,
      life = 3600,
      maxSessions = 4,
      keepsSpare = true,
      makesRoom = false,
      now = Date.now,
      cache,
    } = options;
    this.#packages = new Packages({
      mode: options.packages ?? "off",
      folder: options.wheelFolder ?? path.join(cache, "wheels"),
      lockFile: path.join(pyodide, "pyodide-lock.json"),
      source: `https://cdn.jsdelivr.net/pyodide/v${version}/full/`,
      ...options.wheels,
    });
    this.#starter = new Starter(cache, () => this.#sandboxOptions(pyodide));
    this.#pool = new Pool(
      { maxSessions, keepsSpare, makesRoom, now, idle: idle * 1000, life: life * 1000 },
      this.#starter,
    );
    this.#api = new Api(this.#pool, {
      python: PYTHON,
      pyodide: version,
      packages: () => this.#packages.available(),
      startedAt: new Date(now()).toISOString(),
    });
    server.on("request", (request, response) => {
      this.#serve(request, response).catch((error: unknown) => failed(response, translated(error)));
    });
  }

  behave(rules: FaultRule[]): void {
    this.#faults.set(rules);
  }

  async stats(): Promise<Stats> {
    const sessions = await Promise.all(
      this.#pool.sessions.map(async (session) => ({ identifier: session.identifier, pid: await session.pid() })),
    );
    return { starts: this.#starter.starts, sessions };
  }

  async prepare(): Promise<void> {
    await this.#starter.prepare();
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const stopped = this.#pool.stop();
    this.#reaper?.killAll();
    await stopped;
    this.#reaper?.stop();
    await closed;
  }

  /** Throws NoSandbox. */
  #sandboxOptions(pyodide: string): SandboxOptions {
    const deno = (this.#options.findDeno ?? denoExecutable)();
    this.#reaper ??= new Reaper();
    return {
      deno,
      pyodide,
      snapshot: undefined,
      cache: this.#packages.folder,
      lockFile: this.#options.wheels?.lockFile,
      packages: this.#packages.imports,
      provide: (name) => this.#packages.provide(name),
      limits: { ...LIMITS, ...this.#options.limits },
      reaper: this.#reaper,
    };
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = `${this.endpoint}${request.url}`;
    if (!URL.canParse(text)) throw invalid("The request's target is no path.");
    const url = new URL(text);
    const { method = "GET" } = request;
    if (url.pathname.startsWith("/_local/")) return this.#control(`${method} ${url.pathname}`, request, response);
    await this.#callers.check(request.headers.authorization);
    const { route, name } = routeFor(method, url.pathname);
    const query = url.searchParams;
    checkVersion(query.getAll("api-version"));
    const { delayMs, effect } = this.#faults.next(route.operation, query.get("identifier"));
    if (delayMs > 0) await delay(delayMs);
    if (effect && !effect.isAfter) return strikeNow(response, effect);
    const answer = await route.answer(this.#api, { request, url, query, name });
    if (effect) return strikeNow(response, effect);
    await send(response, answer);
  }

  async #control(route: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    switch (route) {
      case "GET /_local/health":
        return send(response, { status: 200, json: { status: "ok" } });
      case "GET /_local/stats":
        return send(response, { status: 200, json: await this.stats() });
      case "GET /_local/faults":
        return send(response, { status: 200, json: this.#faults.list() });
      case "PUT /_local/faults":
        this.behave(rulesIn(await jsonIn(request)));
        return send(response, { status: 200, json: this.#faults.list() });
      default:
        throw noSuchRoute(route);
    }
  }
}

function checkVersion(given: string[]): void {
  const [version] = given;
  if (version === undefined) throw missingApiVersion();
  if (given.length > 1 || version !== API_VERSION) throw unknownApiVersion(given.join(","), API_VERSION);
}

function translated(error: unknown): unknown {
  if (error instanceof NoSandbox) return noSandbox(error.message);
  if (error instanceof SandboxEnded) return sessionEnded(error.reason);
  return error;
}
