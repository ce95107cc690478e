/**
 * Starts telemetry. A cold start waits for what spans need and no more; the rest of the SDK is loaded a little later,
 * and exporters when there is something to send.
 */
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";
import { destinations, type TelemetryTools } from "./destinations.ts";
import { OtelRecorder } from "./recorder.ts";
import { resource } from "./resource.ts";
import { sampler } from "./sampler.ts";
import type { TelemetrySettings } from "./settings.ts";
import { recordWith } from "./telemetry.ts";

/** By then the first answer has left. Milliseconds. */
const REST_PAUSE = 1_000;

const SCOPE = "threadkeep";

/** What is recorded goes there from now on. Answers with what sends the rest and stops. */
export function startTelemetry(settings: TelemetrySettings, tools: TelemetryTools): () => Promise<void> {
  const about = resource(settings.serviceName);
  const to = destinations(settings, tools);
  const tracers = new BasicTracerProvider({
    resource: about,
    sampler: sampler(settings.sampler),
    spanProcessors: to.filter(({ takes }) => takes.traces).map(({ spans }) => new BatchSpanProcessor(spans)),
  });
  const recorder = new OtelRecorder(tracers.getTracer(SCOPE));
  recordWith(recorder);
  const loadRest = async () => {
    const { metricsAndLogs } = await import("./metrics-and-logs.ts");
    const rest = metricsAndLogs(to, about, SCOPE);
    recorder.complete(rest);
    return rest;
  };
  let rest: ReturnType<typeof loadRest> | undefined;
  const timer = setTimeout(() => {
    rest = loadRest();
    rest.catch(tools.failed);
  }, REST_PAUSE).unref();
  return async () => {
    clearTimeout(timer);
    recordWith(undefined);
    rest ??= loadRest();
    await Promise.allSettled([tracers.shutdown(), rest.then((loaded) => loaded.stop())]);
  };
}
