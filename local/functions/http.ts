// The front door: finds the function for a request, checks its key, and hands it to a transport.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { AdminApi } from "./admin.ts";
import type { Cors } from "./cors.ts";
import { answer, type HttpCall, type HttpTransport, refuseBody } from "./http-call.ts";
import { StreamTransport } from "./http-stream.ts";
import { WholeTransport } from "./http-whole.ts";
import { type AuthLevel, authLevel, type FunctionKeys } from "./keys.ts";
import type { RegisteredFunction } from "./protocol.ts";
import { findRoute, inHostOrder, parseRoute, type Route } from "./routes.ts";
import { type HostSettings, resolveSettings } from "./settings.ts";
import type { Worker } from "./worker.ts";

export interface HttpTarget {
  fn: RegisteredFunction;
  methods: string[];
  authLevel: AuthLevel;
}

/** The routes of the app's HTTP functions, in the order in which they are tried. Throws on a bad template. */
export function httpRoutes(functions: RegisteredFunction[], prefix: string): Route<HttpTarget>[] {
  return inHostOrder(functions).map((fn) => {
    const { route, methods } = fn.trigger;
    const template = typeof route === "string" ? resolveSettings(route) : fn.name;
    const target = {
      fn,
      methods: Array.isArray(methods) ? methods.map((method) => String(method).toUpperCase()) : [],
      authLevel: authLevel(fn.trigger.authLevel),
    };
    try {
      return parseRoute(prefix, template, target);
    } catch (error) {
      throw new Error(`Function "${fn.name}": ${error instanceof Error ? error.message : error}`);
    }
  });
}

export class HttpFront {
  readonly #server: Server;
  readonly #transport: HttpTransport;
  readonly #keys: FunctionKeys;
  readonly #admin: AdminApi;
  /** For each method the routes that accept it; a route without methods is in all of them. */
  readonly #routes = new Map<string, Route<HttpTarget>[]>();
  readonly #anyMethod: Route<HttpTarget>[];
  /** Open connections, each with the number of requests under way on it. */
  readonly #connections = new Map<Socket, number>();
  readonly #maxBody: number;
  readonly #cors: Cors | undefined;
  #closing = false;

  constructor(
    worker: Worker,
    routes: Route<HttpTarget>[],
    keys: FunctionKeys,
    admin: AdminApi,
    { maxRequestBody, cors }: Pick<HostSettings, "maxRequestBody"> & { cors?: Cors | undefined },
  ) {
    this.#maxBody = maxRequestBody;
    this.#cors = cors;
    this.#keys = keys;
    this.#admin = admin;
    this.#transport = worker.streamUrl ? new StreamTransport(worker, worker.streamUrl) : new WholeTransport(worker);
    this.#anyMethod = routes.filter((route) => route.value.methods.length === 0);
    for (const method of new Set(routes.flatMap((route) => route.value.methods))) {
      const accepts = ({ value }: Route<HttpTarget>) => value.methods.length === 0 || value.methods.includes(method);
      this.#routes.set(method, routes.filter(accepts));
    }
    // More than the front door lets pass, so that it can say which limit was met.
    this.#server = createServer({ maxHeaderSize: 2 * MAX_HEADERS }, (request, response) => {
      this.#count(request.socket, 1);
      response.once("close", () => this.#count(request.socket, -1));
      this.#handle(request, response);
    });
    this.#server.on("connection", (socket: Socket) => {
      this.#connections.set(socket, 0);
      socket.once("close", () => this.#connections.delete(socket));
    });
    // As Kestrel has them: connections stay open for 130 s (SDKs pool theirs), and a body may take as long as it needs.
    this.#server.maxHeadersCount = 0;
    this.#server.keepAliveTimeout = 130_000;
    this.#server.headersTimeout = 30_000;
    this.#server.requestTimeout = 0;
  }

  /** Listens on one address of this machine, or on all; port 0 takes a free one. Rejects if the port is taken. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, host, () => {
        this.#server.off("error", reject);
        const address = this.#server.address();
        resolve(typeof address === "object" && address ? address.port : port);
      });
    });
  }

  /** Takes no more requests, and resolves when those under way have been answered. */
  async close(): Promise<void> {
    this.#closing = true;
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    // The server itself would wait for connections on which nothing has been asked yet.
    for (const [socket, requests] of this.#connections) if (requests === 0) socket.destroy();
    await closed;
    this.#transport.close();
  }

  /** Cuts every connection that is still open. */
  abort(): void {
    this.#server.closeAllConnections();
    this.#transport.close();
  }

  #count(socket: Socket, change: 1 | -1): void {
    const requests = (this.#connections.get(socket) ?? 0) + change;
    if (!socket.destroyed) this.#connections.set(socket, requests);
    if (this.#closing && requests === 0) socket.destroySoon();
  }

  #handle(request: IncomingMessage, response: ServerResponse): void {
    const [path, query] = splitUrl(request.url ?? "/");
    const refused = refusedByKestrel(request, path);
    if (refused !== undefined) {
      response.setHeader("connection", "close");
      answer(response, refused);
    } else if (this.#cors?.answers(request, response)) {
      return;
    } else if (path.startsWith("/admin/")) {
      if (this.#keys.allowsAdminApi(request, query)) this.#admin.handle(path, request, response);
      else answer(response, 401);
    } else if (this.#closing) {
      response.setHeader("connection", "close");
      answer(response, 503, "The host is shutting down.");
    } else {
      this.#callFunction(path, query, request, response);
    }
  }

  #callFunction(path: string, query: URLSearchParams, request: IncomingMessage, response: ServerResponse): void {
    const found = findRoute(this.#routes.get(request.method ?? "") ?? this.#anyMethod, path);
    if (!found) {
      answer(response, 404);
      return;
    }
    const { fn, authLevel } = found.route.value;
    const call: HttpCall = { fn, params: found.params, query, request, response, maxBody: this.#maxBody };
    if (!this.#keys.allows(authLevel, request, query)) answer(response, 401);
    else if (Number(request.headers["content-length"] ?? 0) > this.#maxBody) refuseBody(call);
    else this.#transport.serve(call);
  }
}

/** Kestrel's defaults, in bytes, and its number of headers. */
const MAX_REQUEST_LINE = 8 * 1024;
const MAX_HEADERS = 32 * 1024;
const MAX_HEADER_COUNT = 100;

/** The status with which the host's web server refuses a request before any function is looked for. */
function refusedByKestrel({ method, url, rawHeaders }: IncomingMessage, path: string): number | undefined {
  const line = `${method} ${url} HTTP/1.1\r\n`;
  // Each header has ": " and a line's end; names and values stand side by side.
  const headers = rawHeaders.reduce((sum, part) => sum + part.length + 2, 0);
  if (line.length > MAX_REQUEST_LINE) return 414;
  if (headers > MAX_HEADERS || rawHeaders.length / 2 > MAX_HEADER_COUNT) return 431;
  return /%00/.test(path) ? 400 : undefined;
}

const noQuery = new URLSearchParams();

function splitUrl(url: string): [path: string, query: URLSearchParams] {
  const mark = url.indexOf("?");
  return mark < 0 ? [url, noQuery] : [url.slice(0, mark), new URLSearchParams(url.slice(mark + 1))];
}
