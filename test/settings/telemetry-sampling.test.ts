/** Where not all traces are recorded, those that are recorded are whole, and metrics tell of all. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { type CollectedPoint, type CollectedSpan, Collector } from "../lib/otlp-collector.ts";
import { stopSound } from "../lib/sound-store.ts";

const RUNS = 32;
/** Traces. */
const PER_SECOND = 2;
const AT_ONCE = 20;
/** Seconds. */
const PAUSE = 3;

const TOOL = { type: "function" as const, function: { name: "look" } };
const SUBMISSION = "POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs";

let folder: string;
let collector: Collector;
let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  folder = await mkdtemp(path.join(tmpdir(), "threadkeep-sampling-"));
  collector = await Collector.start();
  stack = await startStack({
    log: path.join(folder, "log"),
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_METRIC_EXPORT_INTERVAL: "500",
      OTEL_TRACES_SAMPLER: "microsoft.rate_limited",
      OTEL_TRACES_SAMPLER_ARG: String(PER_SECOND),
    },
  });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});

afterAll(async () => {
  await stopSound(stack);
  await collector?.stop();
  await rm(folder, { recursive: true });
});

const ended = ({ id, thread_id }: OpenAI.Beta.Threads.Run) =>
  client.beta.threads.runs.poll(id, { thread_id }, { pollIntervalMs: 30 });

test("a trace is recorded with all its parts or not at all, whenever and in whatever process they come", async () => {
  const started = performance.now();
  await controlModel(stack.model.baseUrl).script(
    "sampled",
    Array.from({ length: 2 * RUNS }, (_, turn) =>
      turn < RUNS ? { toolCalls: [{ id: "call_1", name: TOOL.function.name, arguments: {} }] } : { text: "Yes." },
    ),
  );
  const { id: assistant_id } = await client.beta.assistants.create({ model: "sampled", tools: [TOOL] });
  const thread = { messages: [{ role: "user" as const, content: "Is it?" }] };
  const paused = await Promise.all(
    Array.from({ length: RUNS }, async (_, index) => {
      // Every third one is of a client that has a trace, which it does not record.
      const traceId = (index + 1).toString(16).padStart(32, "0");
      const headers = index % 3 === 0 ? { traceparent: `00-${traceId}-b7ad6b7169203331-00` } : {};
      return ended(await client.beta.threads.createAndRun({ assistant_id, thread }, { headers }));
    }),
  );
  expect(paused.map(({ status }) => status)).toEqual(Array(RUNS).fill("requires_action"));
  // New traces may be recorded again: those of the requests with outputs, not those of runs that have none, the last ones.
  await sleep(PAUSE * 1_000);
  const tool_outputs = [{ tool_call_id: "call_1", output: "It is." }];
  for (const { id, thread_id } of paused.toReversed())
    expect(
      await ended(await client.beta.threads.runs.submitToolOutputs(id, { thread_id, tool_outputs })),
    ).toMatchObject({
      status: "completed",
    });

  const counted = ({ name, attributes }: CollectedPoint) =>
    name === "threadkeep.runs" && attributes["threadkeep.run.status"] === "completed";
  await until(async () => collector.points.findLast(counted)?.value === RUNS);
  const traces = [...Map.groupBy(collector.spans, ({ traceId }) => traceId).values()];
  expect(traces.length).toBeLessThanOrEqual(AT_ONCE + (PER_SECOND * (performance.now() - started)) / 1_000);
  const isOf = (root: string) => (spans: CollectedSpan[]) => spans.some(({ name }) => name === root);
  const ofRuns = traces.filter(isOf("POST /threads/runs"));
  expect(ofRuns.length).toBeGreaterThan(AT_ONCE / 2);
  for (const spans of ofRuns) {
    const ids = new Set(spans.map(({ spanId }) => spanId));
    expect(spans.filter(({ parentSpanId }) => !ids.has(parentSpanId))).toMatchObject([{ name: "POST /threads/runs" }]);
    expect(spans.map(({ name }) => name)).toEqual(expect.arrayContaining(["send runs", "process runs"]));
    expect(spans.filter(({ name }) => name === "chat sampled")).toHaveLength(2);
  }
  expect(traces.filter(isOf("invoke_agent"))).toHaveLength(ofRuns.length);
  expect(traces.filter(isOf(SUBMISSION)).length).toBeGreaterThan(0);
});
