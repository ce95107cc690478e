/** What the app tells a collector: one tree for each run, metrics, a log with the ids of traces, and nothing that users say. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import OpenAI from "openai";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { type CollectedSpan, Collector } from "../lib/otlp-collector.ts";
import { stopSound } from "../lib/sound-store.ts";

const TENANT = "traced";
/** Words of users, of their assistants and of the model: none of them may be told. */
const MARK = "xyzzy";
const WEATHER = {
  type: "function" as const,
  function: { name: `${MARK}_weather`, description: `${MARK} description` },
};

const [SERVER, CLIENT, PRODUCER, CONSUMER] = [2, 3, 4, 5];

let folder: string;
let collector: Collector;
let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  folder = await mkdtemp(path.join(tmpdir(), "threadkeep-telemetry-"));
  collector = await Collector.start();
  stack = await startStack({
    log: path.join(folder, "log"),
    lockDuration: 2,
    blobs: true,
    env: {
      API_KEYS: `${TENANT}:a-key-of-this-test`,
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_METRIC_EXPORT_INTERVAL: "500",
      MAX_STREAMS: "1",
      RUN_LEASE: "2",
    },
  });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});

afterAll(async () => {
  await stopSound(stack);
  await collector?.stop();
  await rm(folder, { recursive: true });
});

const script = (model: string, turns: Parameters<ReturnType<typeof controlModel>["script"]>[1]) =>
  controlModel(stack.model.baseUrl).script(model, turns);

async function newThread() {
  return client.beta.threads.create({ messages: [{ role: "user", content: `${MARK} question` }] });
}

const assistantOf = (model: string) =>
  client.beta.assistants.create({
    model,
    name: `${MARK} name`,
    instructions: `${MARK} instructions`,
    tools: [WEATHER],
    metadata: { [`${MARK}-key`]: MARK },
  });

/** The spans of the trace in which the run was created, once its last drive is told. */
async function traceOf(runId: string, status: string): Promise<CollectedSpan[]> {
  const isEnd = ({ attributes }: CollectedSpan) =>
    attributes["threadkeep.run.id"] === runId && attributes["threadkeep.run.status"] === status;
  await until(async () => collector.spans.some(isEnd));
  const traceId = collector.spans.find(isEnd)?.traceId;
  const spans = () => collector.spans.filter((span) => span.traceId === traceId);
  // A request's span is told when its stream is over.
  await until(async () => spans().some(({ kind }) => kind === SERVER));
  return spans();
}

/** One line a span, below its parent. Throws unless they are one tree. */
function treeOf(spans: CollectedSpan[]): string[] {
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const roots = spans.filter(({ parentSpanId }) => !ids.has(parentSpanId));
  if (roots.length !== 1) throw new Error(`${roots.length} roots: ${roots.map(({ name }) => name)}`);
  const shown = (span: CollectedSpan, depth: number): string[] => [
    "  ".repeat(depth) + span.name,
    ...spans.filter(({ parentSpanId }) => parentSpanId === span.spanId).flatMap((child) => shown(child, depth + 1)),
  ];
  return roots.flatMap((root) => shown(root, 0));
}

const of = (spans: CollectedSpan[], name: string) => spans.filter((span) => span.name === name);

test("a background run with a tool call is one tree, from the request through the queue to the model and the store", async () => {
  await script("paused", [
    { toolCalls: [{ id: "call_1", name: WEATHER.function.name, arguments: { where: MARK } }] },
    { text: `${MARK} rains` },
  ]);
  const assistant = await assistantOf("paused");
  const thread = await newThread();
  const { id } = await client.beta.threads.runs.create(thread.id, { assistant_id: assistant.id });
  const paused = await client.beta.threads.runs.poll(id, { thread_id: thread.id }, { pollIntervalMs: 30 });
  expect(paused.status).toBe("requires_action");
  const outputs = { thread_id: thread.id, tool_outputs: [{ tool_call_id: "call_1", output: MARK }] };
  await client.beta.threads.runs.submitToolOutputsAndPoll(id, outputs, { pollIntervalMs: 30 });

  const spans = await traceOf(id, "completed");
  const tree = treeOf(spans);
  expect(tree[0]).toBe("POST /threads/{thread_id}/runs");
  expect(tree).toEqual(
    expect.arrayContaining([
      "  read_item catalog",
      "  execute_batch threads",
      "  send runs",
      "    process runs",
      "      patch_item threads",
      "      invoke_agent",
      "        query_items threads",
      "        chat paused",
      "        execute_batch threads",
    ]),
  );
  expect(of(spans, "chat paused")).toHaveLength(2);
  expect(of(spans, "invoke_agent")).toHaveLength(2);
  expect(of(spans, "POST /threads/{thread_id}/runs")).toMatchObject([
    {
      kind: SERVER,
      attributes: {
        "http.request.method": "POST",
        "http.route": "/threads/{thread_id}/runs",
        "http.response.status_code": 200,
        "threadkeep.tenant": TENANT,
        "threadkeep.run.id": id,
        "gen_ai.conversation.id": thread.id,
      },
    },
  ]);
  // One for a worker, and one for later: the run's expiry.
  expect(of(spans, "send runs")).toMatchObject([
    { kind: PRODUCER, attributes: { "messaging.message.id": `${id}/created` } },
    { kind: PRODUCER, attributes: { "messaging.message.id": `${id}/expiry` } },
  ]);
  expect(of(spans, "process runs")).toMatchObject([
    { kind: CONSUMER, attributes: { "messaging.system": "servicebus", "messaging.message.id": `${id}/created` } },
  ]);
  expect(of(spans, "chat paused")[1]).toMatchObject({
    kind: CLIENT,
    attributes: {
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "paused",
      "gen_ai.response.finish_reasons": expect.objectContaining({ values: [{ stringValue: "stop" }] }),
      "gen_ai.usage.output_tokens": expect.any(Number),
      "gen_ai.response.time_to_first_chunk": expect.any(Number),
    },
  });
  expect(of(spans, "execute_batch threads")[0]).toMatchObject({
    kind: CLIENT,
    attributes: { "db.system.name": "azure.cosmosdb", "azure.cosmosdb.operation.request_charge": expect.any(Number) },
  });
  // The second drive says which request made it go on: that of the tool outputs.
  const [, resumed] = of(spans, "invoke_agent");
  const [link] = resumed?.links ?? [];
  const submission = collector.spans.filter(({ traceId }) => traceId === link?.traceId);
  expect(treeOf(submission)[0]).toBe("POST /threads/{thread_id}/runs/{run_id}/submit_tool_outputs");
});

test("a streamed run is one tree, in the trace of its client", async () => {
  await script("streamed", [{ text: `${MARK} streams` }]);
  const assistant = await assistantOf("streamed");
  const thread = await newThread();
  const traceId = "0af7651916cd43dd8448eb211c80319c";
  const headers = { traceparent: `00-${traceId}-b7ad6b7169203331-01` };
  const stream = client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id }, { headers });
  const { id } = await stream.finalRun();

  const spans = await traceOf(id, "completed");
  expect(spans[0]?.traceId).toBe(traceId);
  const tree = treeOf(spans);
  expect(tree).toEqual(
    expect.arrayContaining([
      "POST /threads/{thread_id}/runs",
      "  read_item catalog",
      "  execute_batch threads",
      "  invoke_agent",
      "    chat streamed",
      "    execute_batch threads",
    ]),
  );
  expect(of(spans, "POST /threads/{thread_id}/runs")).toMatchObject([
    { kind: SERVER, parentSpanId: "b7ad6b7169203331" },
  ]);
});

test("a request that only reads is told in the trace of its client, if that records one", async () => {
  const thread = await newThread();
  const [traceId, name] = ["4bf92f3577b34da6a3ce929d0e0e4736", "GET /threads/{thread_id}"];
  const unrecorded = "00-1af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00";
  await client.beta.threads.retrieve(thread.id);
  await client.beta.threads.retrieve(thread.id, { headers: { traceparent: unrecorded } });
  await client.beta.threads.retrieve(thread.id, { headers: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } });
  await until(async () => of(collector.spans, name).length > 0);
  expect(of(collector.spans, name).map((span) => span.traceId)).toEqual([traceId]);
});

test("a file that goes into a vector store is one tree, from the request to its embeddings", async () => {
  const text = new File([`${MARK} text`], `${MARK}.txt`);
  const file = await client.files.create({ file: text, purpose: "assistants" });
  const store = await client.vectorStores.create({ name: MARK });
  await client.vectorStores.files.createAndPoll(store.id, { file_id: file.id }, { pollIntervalMs: 30 });
  const isEmbedding = ({ name }: CollectedSpan) => name.startsWith("embeddings ");
  await until(async () => collector.spans.some(isEmbedding));
  const embedding = collector.spans.find(isEmbedding);
  expect(embedding).toMatchObject({ kind: CLIENT, attributes: { "gen_ai.operation.name": "embeddings" } });
  const spans = () => collector.spans.filter(({ traceId }) => traceId === embedding?.traceId);
  await until(async () => of(spans(), "process ingest").length > 0);
  const tree = treeOf(spans());
  expect(tree[0]).toBe("POST /vector_stores/{vector_store_id}/files");
  expect(tree).toEqual(
    expect.arrayContaining([
      "  send ingest",
      "    process ingest",
      `      ${embedding?.name}`,
      "      execute_batch stores",
    ]),
  );
  await until(async () =>
    collector.points.some(({ attributes }) => attributes["gen_ai.operation.name"] === "embeddings"),
  );
});

test("a wake-up for later begins a trace of its own", async () => {
  const isLater = ({ attributes }: CollectedSpan) =>
    /\/(takeover|expiry)/.test(String(attributes["messaging.message.id"]));
  // The streamed run above has sent one for its lease's end; the paused one for its expiry.
  expect(of(collector.spans, "send runs").filter(isLater).length).toBeGreaterThan(0);
  const later = () => of(collector.spans, "process runs").filter(isLater);
  await until(async () => later().length > 0);
  expect(later().map(({ parentSpanId }) => parentSpanId)).toEqual(later().map(() => ""));
});

test("metrics tell of runs, times, tokens, request units, refusals and the model's errors", async () => {
  await script("broken", [{ status: 400, error: { message: `${MARK} is refused` } }]);
  const assistant = await assistantOf("broken");
  const thread = await newThread();
  const failed = await client.beta.threads.runs.createAndPoll(
    thread.id,
    { assistant_id: assistant.id },
    { pollIntervalMs: 30 },
  );
  expect(failed.status).toBe("failed");
  const find = (name: string, attributes: Record<string, unknown> = {}) =>
    collector.points.findLast(
      (point) =>
        point.name === name && Object.entries(attributes).every(([key, value]) => point.attributes[key] === value),
    );
  const told = async (name: string, attributes?: Record<string, unknown>) => {
    await until(async () => find(name, attributes) !== undefined);
    return find(name, attributes);
  };
  await refusedStream();
  expect((await told("threadkeep.refusals"))?.value).toBeGreaterThan(0);
  for (const status of ["requires_action", "completed", "failed"])
    expect(await told("threadkeep.runs", { "threadkeep.run.status": status })).toMatchObject({ unit: "{run}" });
  expect(await told("threadkeep.run.time_in_queue")).toMatchObject({ unit: "s" });
  expect((await told("gen_ai.client.operation.time_to_first_chunk"))?.count).toBeGreaterThan(0);
  expect((await told("gen_ai.client.token.usage", { "gen_ai.token.type": "output" }))?.value).toBeGreaterThan(0);
  expect((await told("gen_ai.client.operation.duration", { "error.type": "400" }))?.count).toBe(1);
  const charge = "azure.cosmosdb.client.operation.request_charge";
  expect((await told(charge, { "db.operation.name": "execute_batch" }))?.value).toBeGreaterThan(0);
  const requests = { "http.route": "/threads/{thread_id}/runs", "http.response.status_code": 200 };
  expect((await told("http.server.request.duration", requests))?.count).toBeGreaterThan(0);
});

/** One stream more than the settings allow. */
async function refusedStream(): Promise<void> {
  await script("slow", [{ text: ["a ", "b ", "c"], firstTokenMs: 500 }]);
  const assistant = await assistantOf("slow");
  const [first, second] = [await newThread(), await newThread()];
  const stream = client.beta.threads.runs.stream(first.id, { assistant_id: assistant.id });
  await new Promise((resolve) => stream.once("event", resolve));
  const refused = await client.beta.threads.runs.create(second.id, { assistant_id: assistant.id, stream: true }).then(
    () => 200,
    (error: { status: number }) => error.status,
  );
  expect(refused).toBe(429);
  await stream.finalRun();
}

test("a run that is taken over stays in its trace, and says what made its second driver look at it", async () => {
  await script("dying", [{ text: Array(100).fill("word "), tokenMs: 100 }, { text: "It lives." }]);
  const assistant = await assistantOf("dying");
  const thread = await newThread();
  const { id } = await client.beta.threads.runs.create(thread.id, { assistant_id: assistant.id });
  await until(async () => {
    const { data } = await client.beta.threads.messages.list(thread.id);
    return data.length > 1;
  });
  await stack.processes.functions.kill("SIGKILL");
  await stack.processes.functions.restart();
  const spans = await traceOf(id, "completed");
  // What the first driver was doing died with it.
  const [request] = of(spans, "POST /threads/{thread_id}/runs");
  const [drive] = of(spans, "invoke_agent");
  expect(drive).toMatchObject({ parentSpanId: request?.spanId, attributes: { "threadkeep.run.attempt": 2 } });
  const [link] = drive?.links ?? [];
  await until(async () => collector.spans.some(({ spanId }) => spanId === link?.spanId));
  expect(collector.spans.find(({ spanId }) => spanId === link?.spanId)).toMatchObject({ name: "process runs" });
  await until(async () => collector.points.some(({ name, value }) => name === "threadkeep.run.takeovers" && value > 0));
});

test("lines of the log carry the ids of their trace, in the console and at the collector", async () => {
  const line = "model call failed";
  await until(async () => collector.logs.some(({ body }) => body === line));
  const entry = collector.logs.find(({ body }) => body === line);
  expect(entry).toMatchObject({ severity: "warn", attributes: { tenant: TENANT, status: 400 } });
  const around = collector.spans.find(({ spanId }) => spanId === entry?.spanId);
  expect(around).toMatchObject({ name: "invoke_agent", traceId: entry?.traceId });
  const text = await readFile(path.join(folder, "log"), "utf8");
  const printed = text.split("\n").find((each) => each.includes(line));
  expect(printed).toContain(`trace_id="${entry?.traceId}" span_id="${entry?.spanId}"`);
});

test("nothing that users, assistants or the model say is told", () => {
  const { bytes } = collector;
  expect(bytes.length).toBeGreaterThan(10_000);
  expect(bytes.includes("chat paused")).toBe(true);
  expect(bytes.includes(MARK)).toBe(false);
});

describe("a collector that does not take anything", () => {
  test.each(["hangs", "refuses"] as const)("and %s is not noticed by clients", async (mood) => {
    collector.mood = mood;
    const before = collector.requests.length;
    await script(mood, [{ text: "Yes." }]);
    const assistant = await assistantOf(mood);
    const thread = await newThread();
    const started = performance.now();
    const run = await client.beta.threads.runs.createAndPoll(
      thread.id,
      { assistant_id: assistant.id },
      { pollIntervalMs: 30 },
    );
    expect(run.status).toBe("completed");
    expect(performance.now() - started).toBeLessThan(5_000);
    await until(async () => collector.requests.length > before);
  });
});
