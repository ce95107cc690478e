import { ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { type Sampler, SamplingDecision } from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RateLimitedSampler, sampler } from "../../../src/telemetry/sampler.ts";
import { telemetrySettings } from "../../../src/telemetry/settings.ts";
import { given } from "./given.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";

beforeEach(() => void vi.useFakeTimers({ toFake: ["performance"] }));
afterEach(() => void vi.useRealTimers());

/** How many of so many new traces are recorded; or of those of such a parent. */
function taken(by: Sampler, count: number, parent?: { isRemote: boolean; traceFlags: number }): number {
  const context = parent
    ? trace.setSpanContext(ROOT_CONTEXT, { traceId: TRACE, spanId: "b7ad6b7169203331", ...parent })
    : ROOT_CONTEXT;
  const decisions = Array.from({ length: count }, (_, index) => {
    const traceId = (Math.imul(index + 1, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0").padEnd(32, "0");
    return by.shouldSample(context, traceId, "any", SpanKind.SERVER, {}, []).decision;
  });
  return decisions.filter((decision) => decision === SamplingDecision.RECORD_AND_SAMPLED).length;
}

const pass = (seconds: number) => vi.advanceTimersByTime(seconds * 1_000);

test("so many traces a second are recorded in the long run, and ten seconds' at once after a quiet while", () => {
  const limited = new RateLimitedSampler(5);
  expect(taken(limited, 1_000)).toBe(50);
  pass(1);
  expect(taken(limited, 1_000)).toBe(5);
  let sum = 0;
  for (let step = 0; step < 1_000; step++) {
    pass(0.1);
    sum += taken(limited, 3);
  }
  expect(sum).toBe(500);
  pass(3_600);
  expect(taken(limited, 1_000)).toBe(50);
});

test("a rate below one a second is one now and then, and 0 is none", () => {
  const rare = new RateLimitedSampler(0.05);
  expect(taken(rare, 10)).toBe(1);
  pass(19);
  expect(taken(rare, 10)).toBe(0);
  pass(1);
  expect(taken(rare, 10)).toBe(1);
  const none = new RateLimitedSampler(0);
  pass(3_600);
  expect(taken(none, 10)).toBe(0);
});

/** As the settings of such an environment say it. */
function samplerOf(environment: Record<string, string>): Sampler {
  const settings = telemetrySettings(given({ OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318", ...environment }));
  if (settings === undefined) throw new Error("there is no telemetry");
  return sampler(settings.sampler);
}

const [UNRECORDED, RECORDED] = [0, 1].map((traceFlags) => ({ isRemote: true, traceFlags }));

/** Of 1,000 new traces, of as many below a caller's that is not recorded, and below one that is. */
test.each([
  [{}, 50, 50, 1_000],
  [{ OTEL_TRACES_SAMPLER_ARG: "7" }, 50, 50, 1_000],
  [{ OTEL_TRACES_SAMPLER: "microsoft.rate_limited" }, 50, 50, 1_000],
  [{ OTEL_TRACES_SAMPLER: "microsoft.rate_limited", OTEL_TRACES_SAMPLER_ARG: "7" }, 70, 70, 1_000],
  [{ OTEL_TRACES_SAMPLER: "microsoft.rate_limited", OTEL_TRACES_SAMPLER_ARG: "0" }, 0, 0, 1_000],
  [{ OTEL_TRACES_SAMPLER: "microsoft.fixed_percentage" }, 1_000, 1_000, 1_000],
  [{ OTEL_TRACES_SAMPLER: "microsoft.fixed_percentage", OTEL_TRACES_SAMPLER_ARG: "0" }, 0, 0, 1_000],
  [{ OTEL_TRACES_SAMPLER: "always_on" }, 1_000, 1_000, 1_000],
  [{ OTEL_TRACES_SAMPLER: "always_off" }, 0, 0, 0],
  [{ OTEL_TRACES_SAMPLER: "traceidratio" }, 1_000, 1_000, 1_000],
  [{ OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, 0, 0, 0],
  [{ OTEL_TRACES_SAMPLER: "parentbased_always_on" }, 1_000, 0, 1_000],
  [{ OTEL_TRACES_SAMPLER: "parentbased_always_off" }, 0, 0, 1_000],
  [{ OTEL_TRACES_SAMPLER: "parentbased_traceidratio" }, 1_000, 0, 1_000],
  [{ OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" }, 0, 0, 1_000],
])("%j records so many of 1,000 at once", (environment, begun, unrecorded, recorded) => {
  expect(taken(samplerOf(environment), 1_000)).toBe(begun);
  expect(taken(samplerOf(environment), 1_000, UNRECORDED)).toBe(unrecorded);
  expect(taken(samplerOf(environment), 1_000, RECORDED)).toBe(recorded);
});

test.each(["microsoft.fixed_percentage", "traceidratio", "parentbased_traceidratio"])("of %s a tenth", (name) => {
  const tenth = samplerOf({ OTEL_TRACES_SAMPLER: name, OTEL_TRACES_SAMPLER_ARG: "0.1" });
  expect(Math.round(taken(tenth, 10_000) / 100)).toBe(10);
});

test.each(["microsoft.rate_limited", "parentbased_always_on"])("%s follows what the app itself chose above", (name) => {
  const chosen = samplerOf({ OTEL_TRACES_SAMPLER: name });
  expect(taken(chosen, 100, { isRemote: false, traceFlags: 0 })).toBe(0);
  expect(taken(chosen, 100, { isRemote: false, traceFlags: 1 })).toBe(100);
});
