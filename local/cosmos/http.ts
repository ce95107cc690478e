import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { checkSigner } from "./auth.ts";
import { failedReadCharge, failedWriteCharge } from "./charge.ts";
import type { Context } from "./context.ts";
import { answerControl } from "./control.ts";
import { CosmosError } from "./errors.ts";
import type { Strike } from "./faults.ts";
import { header } from "./headers.ts";
import { type Answer, type CosmosRequest, operationOf, readRequest } from "./request.ts";
import { errorAnswer, send, sendFault } from "./send.ts";

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
  if (strike.trouble) request.trouble = strike.trouble;
  if (strike.delayMs > 0) await delay(strike.delayMs);
  if (!(await mayGoOn(strike, "before", message))) return;
  if (strike.answer?.when === "before") {
    context.counters.add(operation, container, 0, true);
    return sendFault(response, strike.answer);
  }
  const answer = await answerOrError(context, request, operation);
  context.counters.add(operation, container, answer.charge, answer.status >= 400);
  if (!(await mayGoOn(strike, "after", message))) return;
  if (strike.answer) sendFault(response, strike.answer);
  else send(response, answer);
}

/** Holds, hangs or cuts a request at this moment. Resolves with false if its client gets no answer. */
async function mayGoOn(strike: Strike, moment: "before" | "after", { socket }: IncomingMessage): Promise<boolean> {
  const { hold, hang, cut } = strike;
  if (hold?.when === moment && !(await hold.holds.keep(socket))) return false;
  const hangs = hang?.when === moment;
  if (hangs) await hang.holds.keep(socket);
  if (!hangs && cut !== moment) return true;
  socket.destroy();
  return false;
}

/** What a fault may look for in a request. */
const textOf = ({ path, headers, body }: CosmosRequest) =>
  `${path}\n${header(headers, "x-ms-documentdb-partitionkey") ?? ""}\n${body}`;

function serveControl(context: Context, request: CosmosRequest, response: ServerResponse): void {
  let answer: Answer;
  try {
    answer = { status: 200, charge: 0, body: JSON.stringify(answerControl(request, context)) };
  } catch (error) {
    if (!(error instanceof CosmosError)) throw error;
    answer = errorAnswer(error, 0);
  }
  send(response, answer);
}

async function answerOrError({ service, tokens }: Context, request: CosmosRequest, operation: string): Promise<Answer> {
  try {
    if (tokens !== undefined) await checkSigner(header(request.headers, "authorization"), tokens);
    return service.answer(request);
  } catch (error) {
    if (error instanceof CosmosError) return errorAnswer(error, error.charge ?? chargeOfFailure(error, operation));
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
