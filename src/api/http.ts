/**
 * From an HTTP request to an operation and back. Everything that can go wrong ends here as a response: with HTTP
 * streaming on, the Functions host lets a client hang for minutes when a handler throws (docs/architecture.md).
 */
import { randomUUID } from "node:crypto";
import type { HttpRequest, HttpResponseInit } from "@azure/functions";
import { z } from "zod";
import type { App } from "../app.ts";
import { idOf } from "../resources/common.ts";
import {
  ApiError,
  bodyTooLarge,
  type ErrorBody,
  overloaded,
  routeNotFound,
  serverError,
  tooDeep,
  unparsableBody,
} from "../resources/errors.ts";
import { StoreBusy } from "../store/trouble.ts";
import { type Face, Keys } from "./auth.ts";
import type { Connection, Connections } from "./connections.ts";
import { jsonDepth } from "./json-depth.ts";
import { type Operation, PATH_IDS } from "./operation.ts";
import { pollAfter } from "./poll-after.ts";
import { EventStream } from "./sse.ts";
import { validated } from "./validation.ts";
import { isSupportedVersion } from "./versions.ts";

/** Bytes. */
const MAX_BODY = 32 * 1024 * 1024;

/** Levels of brackets in a body; the store adds a few around it and takes 128. */
const MAX_DEPTH = 100;

export type Handler = (request: HttpRequest, context: { invocationId: string }) => Promise<HttpResponseInit>;

/** The handler of an operation under one base. It never throws. */
export function httpHandler(app: App, connections: Connections, operation: Operation, face: Face): Handler {
  const served = { operation, pathIds: pathIdsOf(operation), face };
  return async (request, { invocationId }) => {
    const started = performance.now();
    const requestId = newRequestId(face);
    const headers = () => commonHeaders(requestId, face, performance.now() - started);
    try {
      const result = await perform(app, served, request, connections.of(invocationId));
      if (result instanceof EventStream) return eventStream(result, headers());
      return json(200, result, { ...headers(), ...pollAfter(operation.name, result, app.now()) });
    } catch (error) {
      const refusal = refusalOf(error) ?? unexpected(app, operation, requestId, error);
      return json(refusal.status, refusal.body, { ...headers(), ...refusal.headers });
    } finally {
      app.warmUp();
    }
  };
}

/** An operation under one base. */
interface Served {
  operation: Operation;
  pathIds: PathId[];
  face: Face;
}

async function perform(
  app: App,
  served: Served,
  request: HttpRequest,
  connection: Connection | undefined,
): Promise<object> {
  const { face } = served;
  const query = readQuery(request.query);
  if (face === "azure" && !isSupportedVersion(query["api-version"])) throw routeNotFound();
  const tenant = keysOf(app).authenticate(request.headers, face);
  const bytes = bodyBytes(served.operation, request);
  return app.load.handle(tenant, bytes, connection, () => call(app, tenant, served, query, request, connection));
}

/** What the body may take, told before it is read: all that is allowed where the client does not say. */
function bodyBytes({ body }: Operation, { headers }: HttpRequest): number {
  if (body === undefined) return 0;
  const told = Number(headers.get("content-length") ?? MAX_BODY);
  return told <= MAX_BODY ? told : MAX_BODY;
}

async function call(
  app: App,
  tenant: string,
  { operation, pathIds }: Served,
  query: Record<string, string>,
  request: HttpRequest,
  connection: Connection | undefined,
): Promise<object> {
  const params = readParams(pathIds, request.params);
  const parameters = operation.query === undefined ? undefined : validated(operation.query, query);
  const body = operation.body === undefined ? undefined : validated(operation.body, await readJson(request));
  const handle = () =>
    operation.handler({
      app,
      tenant,
      params,
      query: parameters,
      body,
      now: app.now(),
      headers: request.headers,
      connection,
    });
  return wantsStream(operation, body) ? app.load.open(tenant, handle) : handle();
}

const wantsStream = ({ streams, response }: Operation, body: unknown) =>
  streams && (response === undefined || (body instanceof Object && Reflect.get(body, "stream") === true));

const keysOfApp = new WeakMap<App, Keys>();

function keysOf(app: App): Keys {
  const known = keysOfApp.get(app) ?? new Keys(app.config.apiKeys);
  keysOfApp.set(app, known);
  return known;
}

const pathOf = (request: HttpRequest) => new URL(request.url).pathname;

interface PathId {
  name: string;
  schema: z.ZodType;
}

function pathIdsOf({ path }: Operation): PathId[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
    const kind = PATH_IDS[name];
    return { name, schema: z.object({ [name]: kind === undefined ? z.string() : idOf(kind) }) };
  });
}

/** Only what the route names: Azure puts query and body keys among the parameters too. */
function readParams(pathIds: PathId[], given: Record<string, string>): Record<string, string> {
  const params: Record<string, string> = {};
  for (const { name, schema } of pathIds) {
    const value = decoded(given[name] ?? "");
    validated(schema, { [name]: value });
    params[name] = value;
  }
  return params;
}

/** One client encodes the names of its query parameters, once too often; some send a name several times. */
function readQuery(query: URLSearchParams): Record<string, string> {
  const values: Record<string, string> = {};
  for (const [name, value] of query) values[decoded(name)] = value;
  return values;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** No body at all means no parameters: some clients create a thread that way. */
async function readJson(request: HttpRequest): Promise<unknown> {
  const text = await readText(request);
  if (text.trim() === "") return {};
  const value = parsed(text);
  if (jsonDepth(text) > MAX_DEPTH) throw tooDeep(MAX_DEPTH);
  return value;
}

/**
 * The body as text. What is too long is read to its end all the same, and not kept: a client that is still writing when
 * the connection closes may never read the answer.
 */
async function readText(request: HttpRequest): Promise<string> {
  const told = request.headers.get("content-length");
  if (told !== null && Number(told) <= MAX_BODY) return request.text();

  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request.body ?? []) {
    bytes += chunk.byteLength;
    if (bytes <= MAX_BODY) chunks.push(chunk);
    else chunks.length = 0;
  }
  if (bytes > MAX_BODY) throw bodyTooLarge(MAX_BODY);
  return new TextDecoder().decode(Buffer.concat(chunks));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw unparsableBody();
  }
}

/** What the client is told about an error that has an answer; a store that is too busy is told as 429. */
function refusalOf(error: unknown): ApiError | undefined {
  if (error instanceof StoreBusy) return overloaded(1);
  return error instanceof ApiError ? error : undefined;
}

function unexpected(app: App, operation: Operation, requestId: string, error: unknown): ApiError {
  app.log.error("request failed", { operation: operation.name, requestId, error });
  return serverError(requestId);
}

/** OpenAI's ids are `req_` and 32 hex digits, Azure's a GUID. */
function newRequestId(face: Face): string {
  const id = randomUUID();
  return face === "azure" ? id : `req_${id.replaceAll("-", "")}`;
}

function commonHeaders(requestId: string, face: Face, milliseconds: number): Record<string, string> {
  return {
    "x-request-id": requestId,
    ...(face === "azure" ? { "apim-request-id": requestId } : {}),
    "openai-version": "2020-10-01",
    "openai-processing-ms": String(Math.round(milliseconds)),
    "x-content-type-options": "nosniff",
  };
}

function json(status: number, body: object | ErrorBody, headers: Record<string, string>): HttpResponseInit {
  return { status, headers: { ...headers, "content-type": "application/json" }, body: JSON.stringify(body) };
}

function eventStream(body: EventStream, headers: Record<string, string>): HttpResponseInit {
  return {
    status: 200,
    headers: {
      ...headers,
      "content-type": "text/event-stream; charset=utf-8",
      "cache-control": "no-cache",
      // Proxies that collect a response before they pass it on would undo the streaming.
      "x-accel-buffering": "no",
    },
    body,
  };
}

/** What a request gets that no operation answers. */
export async function notFound(request: HttpRequest): Promise<HttpResponseInit> {
  const face: Face = pathOf(request).startsWith("/v1") ? "openai" : "azure";
  const refusal = routeNotFound();
  return json(refusal.status, refusal.body, commonHeaders(newRequestId(face), face, 0));
}
