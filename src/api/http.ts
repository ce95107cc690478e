/**
 * From an HTTP request to an operation and back. Everything that can go wrong ends here as a response: with HTTP
 * streaming on, the Functions host lets a client hang for minutes when a handler throws (docs/architecture.md).
 */
import type { HttpRequest, HttpResponseInit } from "@azure/functions";
import type { App } from "../app.ts";
import { BlobTrouble } from "../blobs/trouble.ts";
import { ApiError, brokenForm, filesUnavailable, overloaded, routeNotFound, serverError } from "../resources/errors.ts";
import { StoreBusy } from "../store/trouble.ts";
import type { Invocation } from "../telemetry/entry.ts";
import { annotate } from "../telemetry/telemetry.ts";
import { Access, type Face } from "./auth.ts";
import { BinaryStream } from "./binary.ts";
import { readJson } from "./body.ts";
import type { Connection, Connections } from "./connections.ts";
import { ClientLeft, Incoming } from "./incoming.ts";
import { refusalOfPath, warningOf } from "./not-served.ts";
import type { Operation } from "./operation.ts";
import { readParams, readQuery } from "./parameters.ts";
import { pollAfter } from "./poll-after.ts";
import { type Answered, inRequestSpan } from "./request-span.ts";
import { binary, commonHeaders, eventStream, json, newRequestId } from "./responses.ts";
import { EventStream } from "./sse.ts";
import { validated } from "./validation.ts";
import { isSupportedVersion } from "./versions.ts";

export type Handler = (request: HttpRequest, context: RequestContext) => Promise<HttpResponseInit>;

interface RequestContext extends Invocation {
  invocationId: string;
}

/** The handler of an operation under one base. It never throws. */
export function httpHandler(app: App, connections: Connections, operation: Operation, face: Face): Handler {
  const served = { operation, face };
  const answer = async (request: HttpRequest, connection: Connection | undefined): Promise<Answered> => {
    const started = performance.now();
    const requestId = newRequestId(face);
    const headers = () => commonHeaders(requestId, face, performance.now() - started);
    const incoming = operation.form ? new Incoming(request, connection) : undefined;
    try {
      const result = await perform(app, served, { request, connection, incoming }).finally(() => incoming?.settle());
      if (result instanceof EventStream) return { response: eventStream(result, headers()), over: result.settled };
      if (result instanceof BinaryStream) return { response: binary(result, headers()), over: result.settled };
      const more = { ...pollAfter(operation.name, result, app.now()), ...(app.runsCode ? {} : warningOf(result)) };
      return { response: json(200, result, { ...headers(), ...more }) };
    } catch (error) {
      const refusal = refusalOf(error) ?? unexpected(app, operation, requestId, error);
      return { response: json(refusal.status, refusal.body, { ...headers(), ...refusal.headers }) };
    } finally {
      app.warmUp();
    }
  };
  return (request, context) => {
    const connection = connections.take(context.invocationId);
    return inRequestSpan(operation, request.headers, context, () => answer(request, connection));
  };
}

/** An operation under one base. */
interface Served {
  operation: Operation;
  face: Face;
}

/** What came, and from whom. */
interface Arrival {
  request: HttpRequest;
  connection: Connection | undefined;
  /** the body, if it is a form */
  incoming: Incoming | undefined;
}

async function perform(app: App, served: Served, arrival: Arrival): Promise<object> {
  const { face, operation } = served;
  const { request, connection, incoming } = arrival;
  const query = readQuery(request.query);
  if (face === "azure" && !isSupportedVersion(query["api-version"])) throw routeNotFound();
  const tenant = await accessOf(app).tenantOf(request.headers, face);
  annotate({ "threadkeep.tenant": tenant });
  const work = () => call(app, tenant, served, query, arrival);
  const bytes = bodyBytes(operation, request);
  return app.load.handle(tenant, bytes, connection, () => (incoming ? app.load.receive(tenant, work) : work()));
}

/** What the body may take, told before it is read: all that is allowed where the client does not say. */
function bodyBytes({ body, maxBody }: Operation, { headers }: HttpRequest): number {
  if (body === undefined) return 0;
  const told = Number(headers.get("content-length") ?? maxBody);
  return told <= maxBody ? told : maxBody;
}

async function call(
  app: App,
  tenant: string,
  { operation, face }: Served,
  query: Record<string, string>,
  { request, connection, incoming }: Arrival,
): Promise<object> {
  const params = readParams(operation, request.params);
  const parameters = operation.query === undefined ? undefined : validated(operation.query, query);
  const body = incoming ?? (await readBody(operation, request));
  const handle = () =>
    operation.handler({
      app,
      tenant,
      params,
      query: parameters,
      body,
      now: app.now(),
      headers: request.headers,
      face,
      connection,
    });
  return wantsStream(operation, body) ? app.load.open(tenant, handle) : handle();
}

async function readBody({ body, maxBody }: Operation, request: HttpRequest): Promise<unknown> {
  if (body === undefined) return undefined;
  return validated(body, await readJson(request, maxBody));
}

const wantsStream = ({ streams, response }: Operation, body: unknown) =>
  streams && (response === undefined || (body instanceof Object && Reflect.get(body, "stream") === true));

const accessOfApp = new WeakMap<App, Access>();

function accessOf(app: App): Access {
  const { config, log, now } = app;
  const known = accessOfApp.get(app) ?? new Access({ apiKeys: config.apiKeys, entra: config.entra, log, now });
  accessOfApp.set(app, known);
  return known;
}

const pathOf = (request: HttpRequest) => new URL(request.url).pathname;

/** What the client is told about an error that has an answer; a store that is too busy is told as 429. */
function refusalOf(error: unknown): ApiError | undefined {
  if (error instanceof StoreBusy) return overloaded(1);
  if (error instanceof BlobTrouble && error.isBusy) return overloaded(1);
  // Whatever is answered, it does not arrive.
  if (error instanceof ClientLeft) return brokenForm();
  return error instanceof ApiError ? error : undefined;
}

function unexpected(app: App, operation: Operation, requestId: string, error: unknown): ApiError {
  app.log.error("request failed", { operation: operation.name, requestId, error });
  return error instanceof BlobTrouble ? filesUnavailable(1) : serverError(requestId);
}

/** What a request gets that no operation answers. */
export async function notFound(request: HttpRequest): Promise<HttpResponseInit> {
  const path = pathOf(request);
  const face: Face = path.startsWith("/v1") ? "openai" : "azure";
  const refusal = refusalOfPath(path);
  return json(refusal.status, refusal.body, commonHeaders(newRequestId(face), face, 0));
}
