import { randomUUID } from "node:crypto";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { failedReadCharge, failedWriteCharge } from "./charge.ts";
import type { Container } from "./container.ts";
import { answerControl } from "./control.ts";
import { CosmosError } from "./errors.ts";
import type { Faults } from "./faults.ts";
import { header } from "./headers.ts";
import { type Answer, type CosmosRequest, operationOf, readRequest } from "./request.ts";
import type { Service } from "./service.ts";
import type { Counters } from "./stats.ts";

export interface Context {
  service: Service;
  faults: Faults;
  counters: Counters;
}

/** Longer than the SDK keeps idle connections, so that it never writes into one that this side is closing. */
export const KEEP_ALIVE_MS = 65_000;

export function requestListener(context: Context): RequestListener {
  return (message, response) => {
    serve(context, message, response).catch((error: unknown) => {
      // The client hung up while it was sending; anything else is a mistake in this program.
      if (!message.destroyed) console.error(error);
      response.destroy();
    });
  };
}

async function serve(context: Context, message: IncomingMessage, response: ServerResponse): Promise<void> {
  let request: CosmosRequest;
  try {
    request = await readRequest(message);
  } catch (error) {
    if (!(error instanceof CosmosError)) throw error;
    return send(response, errorAnswer(error, 0));
  }
  if (request.parts[0] === "_local") return serveControl(context, request, response);
  const operation = operationOf(request);
  const container = operation === "metadata" ? undefined : request.parts[3];
  const strike = context.faults.next({ operation, container: container ?? "", text: () => textOf(request) });
  if (strike.delayMs > 0) await delay(strike.delayMs);
  const { hold } = strike;
  if (hold?.when === "before" && !(await hold.holds.keep(message.socket))) return;
  if (strike.cut === "before") {
    message.socket.destroy();
    return;
  }
  const answer = answerOrError(context.service, request, operation, strike.error);
  context.counters.add(operation, container, answer.charge, answer.status >= 400);
  if (hold?.when === "after" && !(await hold.holds.keep(message.socket))) return;
  if (strike.cut === "after") message.socket.destroy();
  else send(response, answer);
}

/** What a fault may look for in a request. */
const textOf = ({ path, headers, body }: CosmosRequest) =>
  `${path}\n${header(headers, "x-ms-documentdb-partitionkey") ?? ""}\n${body}`;

function serveControl({ faults, counters }: Context, request: CosmosRequest, response: ServerResponse): void {
  let answer: Answer;
  try {
    answer = { status: 200, charge: 0, body: JSON.stringify(answerControl(request, faults, counters)) };
  } catch (error) {
    if (!(error instanceof CosmosError)) throw error;
    answer = errorAnswer(error, 0);
  }
  send(response, answer);
}

function answerOrError(
  service: Service,
  request: CosmosRequest,
  operation: string,
  fault: CosmosError | undefined,
): Answer {
  try {
    if (fault) throw fault;
    return service.answer(request);
  } catch (error) {
    if (error instanceof CosmosError) return errorAnswer(error, chargeOfFailure(error, operation));
    console.error(error);
    return errorAnswer(new CosmosError(500, "InternalServerError", String(error)), 0);
  }
}

const READS = new Set(["read", "query", "query-plan", "change-feed", "metadata"]);

/** What never ran costs nothing. */
function chargeOfFailure({ status }: CosmosError, operation: string): number {
  if (status === 401 || status === 429 || status === 503) return 0;
  return READS.has(operation) ? failedReadCharge : failedWriteCharge;
}

function errorAnswer({ status, code, message, substatus, retryAfterMs }: CosmosError, charge: number): Answer {
  return {
    status,
    charge,
    body: JSON.stringify({ code, message }),
    headers: {
      ...(substatus !== undefined && { "x-ms-substatus": String(substatus) }),
      ...(retryAfterMs !== undefined && { "x-ms-retry-after-ms": String(retryAfterMs) }),
    },
  };
}

function send(response: ServerResponse, { status, body, headers, charge, container }: Answer): void {
  response.writeHead(status, {
    "content-type": "application/json",
    "x-ms-activity-id": randomUUID(),
    "x-ms-request-charge": charge.toFixed(2),
    "x-ms-version": "2020-07-15",
    ...(container && sessionHeaders(container)),
    ...headers,
    ...(body !== undefined && { "content-length": String(Buffer.byteLength(body)) }),
  });
  response.end(body);
}

/** The SDK keeps the session token by the container's resource id and name. */
function sessionHeaders({ lsn, rid, database, id }: Container): Record<string, string> {
  return {
    lsn: String(lsn),
    "x-ms-session-token": `0:-1#${lsn}`,
    "x-ms-content-path": rid,
    "x-ms-alt-content-path": `dbs/${encodeURIComponent(database)}/colls/${encodeURIComponent(id)}`,
  };
}
