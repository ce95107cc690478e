/**
 * A request as OpenTelemetry sees it: https://opentelemetry.io/docs/specs/semconv/http. Its path is told without ids.
 */
import type { HttpResponseInit } from "@azure/functions";
import { entry, type Invocation } from "../telemetry/entry.ts";
import { inSpan, record } from "../telemetry/telemetry.ts";
import type { Operation } from "./operation.ts";

interface Headers {
  get(name: string): string | null;
}

/** What a handler has to say of its answer. */
export interface Answered {
  response: HttpResponseInit;
  /** resolves when a stream has ended; undefined where the answer is ready */
  over?: Promise<unknown> | undefined;
}

export async function inRequestSpan(
  { method, path }: Operation,
  headers: Headers,
  invocation: Invocation,
  work: () => Promise<Answered>,
): Promise<HttpResponseInit> {
  const started = performance.now();
  const route = { "http.request.method": method, "http.route": `/${path}` };
  const start = {
    name: `${method} /${path}`,
    attributes: route,
    ...entry(invocation, headers.get("traceparent"), "server"),
  };
  return inSpan(start, async (span) => {
    const { response, over } = await work();
    const { status = 200 } = response;
    const failure = status >= 500 ? { "error.type": String(status) } : {};
    span.set({ "http.response.status_code": status });
    if (status >= 500) span.fail(String(status));
    if (status === 429) record("threadkeep.refusals", 1, { "http.route": `/${path}` });
    const measured = () =>
      record("http.server.request.duration", (performance.now() - started) / 1_000, {
        ...route,
        "http.response.status_code": status,
        ...failure,
      });
    if (over === undefined) measured();
    else span.until(over.then(measured, measured));
    return response;
  });
}
