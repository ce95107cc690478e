import { randomUUID } from "node:crypto";
import type { ServerResponse } from "node:http";
import type { CosmosError } from "./errors.ts";
import { type FaultAnswer, htmlPage } from "./fault-answers.ts";
import type { Answer } from "./request.ts";
import { type View, viewOfRefusal } from "./views.ts";

/** Writes an answer of the service. */
export function send(response: ServerResponse, { status, body, headers, charge, session }: Answer): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "x-ms-activity-id": randomUUID(),
    "x-ms-request-charge": charge.toFixed(2),
    "x-ms-version": "2020-07-15",
    ...(session && sessionHeaders(session)),
    ...headers,
    ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }),
  });
  response.end(body);
}

/** Writes an injected error. What is not JSON comes from a gateway, which knows nothing of the service's headers. */
export function sendFault(response: ServerResponse, { error, body: kind }: FaultAnswer): void {
  if (kind === "json") {
    send(response, errorAnswer(error, 0));
    return;
  }
  const body = kind === "html" ? htmlPage(error) : "";
  response.writeHead(error.status, {
    ...(kind === "html" && { "content-type": "text/html" }),
    ...errorHeaders(error),
    "content-length": String(Buffer.byteLength(body)),
  });
  response.end(body);
}

export function errorAnswer(error: CosmosError, charge: number): Answer {
  const { status, code, message, additionalErrorInfo } = error;
  const session = viewOfRefusal.get(error);
  return {
    status,
    charge,
    body: JSON.stringify({ code, message, ...(additionalErrorInfo !== undefined && { additionalErrorInfo }) }),
    headers: errorHeaders(error),
    ...(session && { session }),
  };
}

const errorHeaders = ({ substatus, retryAfterMs }: CosmosError): Record<string, string> => ({
  ...(substatus !== undefined && { "x-ms-substatus": String(substatus) }),
  ...(retryAfterMs !== undefined && { "x-ms-retry-after-ms": String(retryAfterMs) }),
});

/** The SDK keeps the session token by the container's resource id and name. */
function sessionHeaders({ container, range }: View): Record<string, string> {
  const { rid, database, id } = container;
  const lsn = container.progressOf(range);
  return {
    lsn: String(lsn),
    "x-ms-session-token": `${range.id}:-1#${lsn}`,
    "x-ms-content-path": rid,
    "x-ms-alt-content-path": `dbs/${encodeURIComponent(database)}/colls/${encodeURIComponent(id)}`,
  };
}
