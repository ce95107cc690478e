// HTTP without streaming: request and response pass through the worker as whole objects.

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
import type { CookieData, HttpData, InvocationResponse } from "./protocol.ts";
import type { Worker } from "./worker.ts";

export class WholeTransport implements HttpTransport {
  readonly #worker: Worker;

  constructor(worker: Worker) {
    this.#worker = worker;
  }

  serve(call: HttpCall): void {
    this.#serve(call).catch((error: unknown) => {
      // A client that leaves while it sends its body ends up here too: it can be told nothing.
      if (call.response.destroyed) return;
      this.#worker.writeLog("error", call.fn.name, describeError(error));
      answer(call.response, 500);
    });
  }

  close(): void {}

  async #serve(call: HttpCall): Promise<void> {
    const body = hasBody(call.request) ? await readBody(call) : undefined;
    if (body === "too large") return refuseBody(call);
    const outcome = await this.#worker.invoke(call.fn, {
      inputData: [{ name: call.fn.trigger.name, data: { http: httpData(call, body) } }],
      triggerMetadata: {},
      traceContext: traceContext(call.request),
    });
    if (outcome.error !== undefined || !outcome.response) {
      this.#worker.writeLog("error", call.fn.name, `failed: ${describeError(outcome.error)}`);
      return answer(call.response, 500);
    }
    send(call, responseData(outcome.response));
  }
}

async function readBody({ request, maxBody }: HttpCall): Promise<Buffer | "too large"> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > maxBody) return "too large";
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function httpData(call: HttpCall, body: Buffer | undefined): HttpData {
  const { request } = call;
  return {
    url: `http://${request.headers.host ?? "localhost"}${request.url ?? "/"}`,
    method: request.method ?? "GET",
    nullableHeaders: nullable(flatHeaders(request)),
    nullableQuery: nullable(flatQuery(call.query)),
    nullableParams: nullable(call.params),
    ...(body && { body: { bytes: body } }),
  };
}

function nullable(values: Record<string, string>): Record<string, { value: string }> {
  const wrapped: Record<string, { value: string }> = {};
  for (const name in values) wrapped[name] = { value: values[name] ?? "" };
  return wrapped;
}

/** The response that a handler returned, or set on an extra output of type http. */
function responseData(response: InvocationResponse): HttpData | undefined {
  return response.returnValue?.http ?? response.outputData?.find((output) => output.data?.http)?.data?.http;
}

function send({ request, response }: HttpCall, data: HttpData | undefined): void {
  if (!data) {
    answer(response, 204);
    return;
  }
  const body = data.body?.bytes ? Buffer.from(data.body.bytes) : Buffer.from(data.body?.string ?? "");
  const headers = endToEndHeaders(data.headers ?? {});
  if (data.cookies && data.cookies.length > 0) headers["set-cookie"] = data.cookies.map(cookieHeader);
  const status = Number(data.statusCode ?? 200);
  if (status !== 204 && status !== 304) headers["content-length"] = body.length;
  response.writeHead(status, headers);
  response.end(request.method === "HEAD" ? undefined : body);
}

const sameSiteNames = { none: undefined, lax: "Lax", strict: "Strict", explicitNone: "None" };

function cookieHeader(cookie: CookieData): string {
  const sameSite = sameSiteNames[cookie.sameSite ?? "none"];
  const expires = cookie.expires && new Date(cookie.expires.value.seconds * 1000).toUTCString();
  return [
    `${cookie.name}=${encodeURIComponent(cookie.value)}`,
    cookie.maxAge && `Max-Age=${cookie.maxAge.value}`,
    cookie.domain && `Domain=${cookie.domain.value}`,
    cookie.path && `Path=${cookie.path.value}`,
    expires && `Expires=${expires}`,
    cookie.httpOnly?.value && "HttpOnly",
    cookie.secure?.value && "Secure",
    sameSite && `SameSite=${sameSite}`,
  ]
    .filter(Boolean)
    .join("; ");
}
