// HTTP with streaming: the library runs a server of its own, to which the host forwards each request under the id of
// its invocation; the response streams back on the same connection.

import { randomUUID } from "node:crypto";
import { Agent, type ClientRequest, request as httpRequest } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import {
  answer,
  endToEndHeaders,
  flatHeaders,
  flatQuery,
  type HttpCall,
  type HttpTransport,
  hasBody,
  refuseBody,
  traceContext,
} from "./http-call.ts";
import { describeError } from "./log.ts";
import type { Outcome, TypedData } from "./protocol.ts";
import type { Worker } from "./worker.ts";

/**
 * How long bytes that the library has written may take through the loopback interface, before a call counts as hung.
 */
const loopbackMs = 50;

/** A request on which neither side says anything for so long is given up by the host. */
const ACTIVITY_TIMEOUT_MS = 240_000;

export class StreamTransport implements HttpTransport {
  readonly #worker: Worker;
  readonly #port: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: Number.POSITIVE_INFINITY, maxFreeSockets: 1024 });

  constructor(worker: Worker, streamUrl: URL) {
    this.#worker = worker;
    this.#port = streamUrl.port;
  }

  serve(call: HttpCall): void {
    const invocationId = randomUUID();
    const upstream = this.#forward(call, invocationId);
    void this.#worker
      .invoke(call.fn, {
        invocationId,
        inputData: [{ name: call.fn.trigger.name, data: { http: {} } }],
        triggerMetadata: triggerMetadata(call),
        traceContext: traceContext(call.request),
      })
      .then((outcome) => this.#settle(call, upstream, outcome));
  }

  close(): void {
    this.#agent.destroy();
  }

  #forward(call: HttpCall, invocationId: string): ClientRequest {
    const { request, response } = call;
    const headers = endToEndHeaders(request.headers);
    // A client that sends such a header itself gets no answer, as the library waits for the other id: the host only
    // adds.
    headers["x-ms-invocation-id"] ??= invocationId;
    headers["x-forwarded-host"] = request.headers.host ?? "localhost";
    headers["x-forwarded-proto"] = "http";
    headers["x-forwarded-for"] = request.socket.remoteAddress ?? "";
    const upstream = httpRequest({
      // By address: "localhost" would cost a look-up for each new connection.
      host: "127.0.0.1",
      port: this.#port,
      method: request.method ?? "GET",
      path: request.url ?? "/",
      headers,
      agent: this.#agent,
      timeout: ACTIVITY_TIMEOUT_MS,
    });
    upstream.once("timeout", () => upstream.destroy());

    // A client that leaves aborts the forwarded request, which is all that the app ever learns of it.
    const abort = () => upstream.destroy();
    response.once("close", abort);
    upstream.once("response", (incoming) => {
      response.writeHead(incoming.statusCode ?? 502, endToEndHeaders(incoming.headers));
      // The library sends headers with the first chunk of the body, so pipe's first write can carry both.
      incoming.pipe(response);
      incoming.once("end", () => {
        response.off("close", abort);
        // As Kestrel does: a body that the app did not read must not stand before the connection's next request.
        if (!request.complete) {
          request.unpipe(upstream);
          request.resume();
          upstream.destroy();
        }
      });
      incoming.once("error", () => response.destroy());
    });
    upstream.on("error", () => {
      if (!response.destroyed && !response.writableEnded) answer(response, 500);
    });

    if (hasBody(request)) {
      if (request.headers["transfer-encoding"] !== undefined) limitBody(call, upstream);
      request.pipe(upstream);
    } else {
      upstream.end();
    }
    return upstream;
  }

  /**
   * Says what Azure would do when the library has not answered: a handler that throws or returns nothing, or a body
   * that fails midway, leaves the client waiting there until a timeout of 240 s (nodejs-library issue 324). Here the
   * client gets a 500, or a cut connection, at once.
   */
  async #settle(call: HttpCall, upstream: ClientRequest, outcome: Outcome): Promise<void> {
    const { fn, response } = call;
    if (outcome.error !== undefined) {
      this.#worker.writeLog("error", fn.name, `failed: ${describeError(outcome.error)}`);
    } else if (outcome.returned !== undefined && outcome.returned !== null) {
      return;
    }
    if (response.destroyed || response.writableEnded) return;
    await sleep(loopbackMs);
    if (response.destroyed || response.writableEnded) return;
    const reason = response.headersSent
      ? "its response body failed midway"
      : outcome.error !== undefined
        ? "the handler threw"
        : "the handler returned nothing";
    this.#worker.writeLog(
      "warning",
      fn.name,
      `${reason} while HTTP streaming is on: in Azure the client would hang for minutes`,
    );
    answer(response, 500);
    upstream.destroy();
  }
}

/**
 * Parameters and headers, the way the host sends them when streaming. As in Azure, query parameters stand among the
 * route parameters (which win), and one named "headers" takes the place of the real headers.
 */
function triggerMetadata(call: HttpCall): Record<string, TypedData> {
  const metadata: Record<string, TypedData> = {};
  let headersTaken = false;
  if (call.query.size > 0) {
    const query = flatQuery(call.query);
    for (const name in query) {
      const lower = name.toLowerCase();
      if (lower === "headers") headersTaken = true;
      if (lower !== "code") metadata[name] = { string: query[name] ?? "" };
    }
    metadata.Query = { json: JSON.stringify(query) };
  }
  for (const name in call.params) metadata[name] = { string: call.params[name] ?? "" };
  if (!headersTaken) metadata.Headers = { json: JSON.stringify(flatHeaders(call.request)) };
  return metadata;
}

/** Counts a body of unknown length on its way; Content-Length has been checked before. */
function limitBody(call: HttpCall, upstream: ClientRequest): void {
  let bytes = 0;
  call.request.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes <= call.maxBody) return;
    call.request.unpipe(upstream);
    refuseBody(call);
    upstream.destroy();
  });
}
