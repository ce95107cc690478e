/**
 * A request as OpenTelemetry sees it: https://opentelemetry.io/docs/specs/semconv/http. Its path is told without ids.
 */
import type { HttpResponseInit } from "@azure/functions";
import { entry, type Invocation } from "../telemetry/entry.ts";
import { inSpan, type OpenSpan, partsOf, record } from "../telemetry/telemetry.ts";
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

/**
 * A request that only reads leaves a span if its client records a trace: polls would be most of what is told. Metrics
 * count all.
 */
export async function inRequestSpan(
  { method, path }: Operation,
  headers: Headers,
  invocation: Invocation,
  work: () => Promise<Answered>,
): Promise<HttpResponseInit> {
  const started = performance.now();
  const carried = headers.get("traceparent");
  const route = { "http.request.method": method, "http.route": `/${path}` };
  const tell = ({ response, over }: Answered, span?: OpenSpan) => {
    const { status = 200 } = response;
    span?.set({ "http.response.status_code": status });
    if (status >= 500) span?.fail(String(status));
    if (status === 429) record("threadkeep.refusals", 1, { "http.route": `/${path}` });
    const about = { ...route, "http.response.status_code": status };
    const measured = () => record("http.server.request.duration", (performance.now() - started) / 1_000, about);
    if (over === undefined) measured();
    else {
      const end = over.then(measured, measured);
      span?.until(end);
    }
    return response;
  };
  const isRecorded = (partsOf(carried)?.flags ?? 0) % 2 === 1;
  if (method === "GET" && !isRecorded) return tell(await work());
  const start = { name: `${method} /${path}`, attributes: route, ...entry(invocation, carried, "server") };
  return inSpan(start, async (span) => tell(await work(), span));
}
