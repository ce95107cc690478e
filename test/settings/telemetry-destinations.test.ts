/** Where telemetry may go, what a setting adds to it, and that what is recorded last is sent before a process ends. */
import OpenAI from "openai";
import { afterEach, beforeAll, expect, test } from "vitest";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { Collector } from "../lib/otlp-collector.ts";

const WORDS = "Is it raining in Reykjavik?";

let stack: Stack | undefined;

beforeAll(buildIfStale);

afterEach(() => stack?.stop());

async function runWith(env: Record<string, string>): Promise<void> {
  stack = await startStack({ env });
  const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
  const assistant = await client.beta.assistants.create({ model: "any" });
  const thread = { messages: [{ role: "user" as const, content: WORDS }] };
  const request = { assistant_id: assistant.id, thread };
  const run = await client.beta.threads.createAndRunPoll(request, { pollIntervalMs: 30 });
  expect(run.status).toBe("completed");
}

/** Later than this test is over. */
const LATE = { OTEL_BSP_SCHEDULE_DELAY: "600000", OTEL_METRIC_EXPORT_INTERVAL: "600000" };

test("what was recorded is sent when the process is stopped, as protobuf if nothing else is said", async () => {
  const collector = await Collector.start();
  await runWith({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...LATE });
  expect(collector.requests.filter(({ path }) => path === "/v1/traces")).toEqual([]);
  await stack?.stop();
  const type = "application/x-protobuf";
  expect(collector.requests).toEqual(
    expect.arrayContaining([
      { path: "/v1/traces", type },
      { path: "/v1/metrics", type },
    ]),
  );
  for (const name of ["process runs", "invoke_agent", "chat any", "threadkeep.runs"])
    expect(collector.bytes.includes(name)).toBe(true);
  expect(collector.bytes.includes(WORDS)).toBe(false);
  await collector.stop();
});

test("a process that is stopped does not wait for a collector that hangs", async () => {
  const collector = await Collector.start();
  collector.mood = "hangs";
  await runWith({ OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, ...LATE });
  const started = performance.now();
  await stack?.stop();
  // The host's grace is 2 s here, and the app's own time to leave is 4 s.
  expect(performance.now() - started).toBeLessThan(8_000);
  expect(collector.requests.length).toBeGreaterThan(0);
  await collector.stop();
});

test("what users and the model say is told where a setting wants it", async () => {
  const collector = await Collector.start();
  await runWith({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT: "true",
  });
  await stack?.stop();
  const call = collector.spans.find(({ name }) => name === "chat any");
  const told = (name: string): unknown => JSON.parse(String(call?.attributes[`gen_ai.${name}.messages`]));
  const parts = [{ type: "text", content: expect.stringContaining(WORDS) }];
  expect(told("input")).toEqual([{ role: "user", parts }]);
  expect(told("output")).toEqual([{ role: "assistant", parts, finish_reason: "stop" }]);
  await collector.stop();
});

test("a sampler that follows its callers records what no caller has begun, from its root on", async () => {
  const collector = await Collector.start();
  await runWith({
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_TRACES_SAMPLER: "parentbased_always_on",
  });
  await stack?.stop();
  const roots = collector.spans.filter(({ parentSpanId }) => !parentSpanId);
  expect(roots.map(({ name }) => name)).toEqual(["POST /assistants", "POST /threads/runs"]);
  const ids = new Set(collector.spans.map(({ spanId }) => spanId));
  expect(collector.spans.filter(({ parentSpanId }) => parentSpanId && !ids.has(parentSpanId))).toEqual([]);
  await collector.stop();
});

test("signals can be left out", async () => {
  const collector = await Collector.start();
  await runWith({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces` });
  await stack?.stop();
  expect(new Set(collector.requests.map(({ path }) => path))).toEqual(new Set(["/v1/traces"]));
  await collector.stop();
});
