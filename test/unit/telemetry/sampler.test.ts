import { ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { type Sampler, SamplingDecision } from "@opentelemetry/sdk-trace-base";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { RateLimitedSampler, sampler } from "../../../src/telemetry/sampler.ts";

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

test.each([
  [{}, 50],
  [{ OTEL_TRACES_SAMPLER: "", OTEL_TRACES_SAMPLER_ARG: "7" }, 50],
  [{ OTEL_TRACES_SAMPLER: "microsoft.rate_limited" }, 50],
  [{ OTEL_TRACES_SAMPLER: "microsoft.rate_limited", OTEL_TRACES_SAMPLER_ARG: "7" }, 70],
  [{ OTEL_TRACES_SAMPLER: "microsoft.rate_limited", OTEL_TRACES_SAMPLER_ARG: "0" }, 0],
  [{ OTEL_TRACES_SAMPLER: "microsoft.rate_limited", OTEL_TRACES_SAMPLER_ARG: "many" }, 50],
  [{ OTEL_TRACES_SAMPLER: "microsoft.rate_limited", OTEL_TRACES_SAMPLER_ARG: "-1" }, 50],
  [{ OTEL_TRACES_SAMPLER: "microsoft.fixed_percentage" }, 1_000],
  [{ OTEL_TRACES_SAMPLER: "microsoft.fixed_percentage", OTEL_TRACES_SAMPLER_ARG: "0" }, 0],
])("%j records %d of 1,000 at once", (environment, expected) => {
  const chosen = sampler(environment);
  if (chosen === undefined) throw new Error("the SDK would choose");
  expect(taken(chosen, 1_000)).toBe(expected);
});

test("a tenth is about a tenth", () => {
  const chosen = sampler({ OTEL_TRACES_SAMPLER: "microsoft.fixed_percentage", OTEL_TRACES_SAMPLER_ARG: "0.1" });
  expect(Math.round((chosen ? taken(chosen, 10_000) : 0) / 100)).toBe(10);
});

test.each(["always_on", "parentbased_traceidratio", "unheard_of"])("%s is left to the SDK", (name) => {
  expect(sampler({ OTEL_TRACES_SAMPLER: name })).toBeUndefined();
});

test("what is above is followed, unless it is of others who do not record", () => {
  const chosen = sampler({}) as Sampler;
  expect(taken(chosen, 100, { isRemote: false, traceFlags: 0 })).toBe(0);
  expect(taken(chosen, 100, { isRemote: true, traceFlags: 0 })).toBe(50);
  expect(taken(chosen, 100, { isRemote: true, traceFlags: 1 })).toBe(100);
  expect(taken(chosen, 100, { isRemote: false, traceFlags: 1 })).toBe(100);
});
