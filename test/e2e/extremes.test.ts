/** The largest that the API lets in and a model may say: nothing answers 500, and the log holds what the stream said. */
import OpenAI from "openai";
import { describe, expect, inject, test } from "vitest";
import type { Turn } from "../../local/model/turn.ts";
import { model, newTenant, POLL, refusal, type Tenant, until } from "./harness.ts";
import { ask, RunReader, wholeLog } from "./life/run-reader.ts";

const PATIENCE = { timeout: 120_000 };

const LONGEST_INSTRUCTIONS = 256_000;
const TOOL = { type: "function" as const, function: { name: "lookup" } };

/** 128 tools of some 7 KB each. */
const TOOLS = Array.from({ length: 128 }, (_, index) => ({
  type: "function" as const,
  function: {
    name: `tool_${index}`,
    description: "d".repeat(1_000),
    parameters: { type: "object", properties: { a: { type: "string", description: "p".repeat(1_000) } } },
  },
}));

/** Of what a model may say in one call, in bytes of JSON (src/runs/turn.ts). */
const MOST_SAID = 500_000;

const slowly = (text: string, number: number): string[] =>
  Array.from({ length: number }, (_, index) =>
    text.slice((index * text.length) / number, ((index + 1) * text.length) / number),
  );

async function scene(turns: Turn[], assistant: object = {}) {
  const tenant = newTenant();
  const answering = model();
  await answering.script(turns);
  const { assistants, threads } = tenant.openai.beta;
  const [{ id: assistantId }, { id: threadId }] = await Promise.all([
    assistants.create({ model: answering.name, ...assistant }),
    threads.create({ messages: [{ role: "user", content: "Why?" }] }),
  ]);
  return { tenant, threadId, model: answering, request: { assistant_id: assistantId } };
}

/** The same without a look at its answers' schemas: the contract's runs have 20 tools at the most, and its assistants 128. */
function unchecked(tenant: Tenant): Tenant {
  const { key: apiKey, openai } = tenant;
  return { ...tenant, fetch, openai: new OpenAI({ apiKey, baseURL: openai.baseURL, maxRetries: 0 }) };
}

type Way = "background" | "streamed";

/** Runs to the end or pause; what its stream said, or else its log. */
async function run(
  tenant: Tenant,
  threadId: string,
  request: OpenAI.Beta.Threads.RunCreateParamsNonStreaming,
  way: Way,
) {
  const { runs } = tenant.openai.beta.threads;
  if (way === "background") return runs.createAndPoll(threadId, request, POLL);
  const stop = new AbortController();
  const response = await ask(tenant, "POST", `/threads/${threadId}/runs`, { ...request, stream: true }, stop.signal);
  const stream = RunReader.of(response, stop, null);
  await stream.done;
  expect(stream.error).toBeUndefined();
  const last = stream.events.at(-1)?.data as OpenAI.Beta.Threads.Run;
  await expectLog(tenant, threadId, last.id, stream.events);
  return last;
}

/** The log of an ended or paused run, read at once and over a connection that breaks often. */
async function expectLog(tenant: Tenant, threadId: string, runId: string, said: { event: string; data: unknown }[]) {
  const told = said.map(({ event, data }) => ({ event, data }));
  if (!/completed|incomplete|failed|cancelled|expired/.test(told.at(-1)?.event ?? "")) return;
  const path = `/threads/${threadId}/runs/${runId}/stream`;
  for (const size of [1_000_000, 3]) {
    const log = await wholeLog(tenant, path, size);
    expect(log.map(({ event, data }) => ({ event, data }))).toEqual(told);
  }
}

/** Whatever its last run was: the thread can be read, used and deleted. */
async function expectSound(tenant: Tenant, threadId: string, assistantId: string): Promise<void> {
  const { threads } = tenant.openai.beta;
  const { data } = await threads.runs.list(threadId);
  for (const { id } of data) {
    await threads.runs.retrieve(id, { thread_id: threadId });
    await threads.runs.steps.list(id, { thread_id: threadId });
  }
  await threads.messages.list(threadId);
  await threads.messages.create(threadId, { role: "user", content: "And now?" });
  const next = await threads.runs.createAndPoll(
    threadId,
    { assistant_id: assistantId, truncation_strategy: { type: "last_messages", last_messages: 1 } },
    POLL,
  );
  expect(next.status).toBe("completed");
  await threads.delete(threadId);
}

const textIn = ({ content: [part] }: OpenAI.Beta.Threads.Message) => (part?.type === "text" ? part.text.value : "");

describe.each(["background", "streamed"] as const)("a %s run", (way) => {
  test("takes the longest instructions with 128 tools, again and again", PATIENCE, async () => {
    const {
      tenant: checked,
      threadId,
      request,
    } = await scene([], {
      instructions: "i".repeat(LONGEST_INSTRUCTIONS),
      tools: TOOLS,
    });
    const tenant = unchecked(checked);
    const additional = "a".repeat(LONGEST_INSTRUCTIONS);
    for (let round = 0; round < 2; round++) {
      const ended = await run(tenant, threadId, { ...request, additional_instructions: additional }, way);
      expect(ended).toMatchObject({ status: "completed", tools: { length: 128 } });
      expect(ended.instructions).toHaveLength(2 * LONGEST_INSTRUCTIONS + 2);
      expect(await tenant.openai.beta.threads.runs.retrieve(ended.id, { thread_id: threadId })).toEqual(ended);
    }
    await expectSound(tenant, threadId, request.assistant_id);
  });

  test("takes the longest instructions in Chinese; twice as many are refused as too large", PATIENCE, async () => {
    const { tenant, threadId, request } = await scene([], { instructions: "語".repeat(LONGEST_INSTRUCTIONS) });
    expect(await run(tenant, threadId, request, way)).toMatchObject({ status: "completed" });
    const twice = {
      ...request,
      additional_instructions: "語".repeat(LONGEST_INSTRUCTIONS),
      stream: way === "streamed",
    };
    expect((await refusal(tenant.openai.beta.threads.runs.create(threadId, twice))).status).toBe(400);
    await expectSound(tenant, threadId, request.assistant_id);
  });

  test.each([
    ["at once", ["語".repeat(400_000)]],
    ["in 50 pieces", slowly('"'.repeat(400_000), 50)],
  ])("that says more than it may, %s, ends incomplete with what there was room for", PATIENCE, async (_, text) => {
    const { tenant, threadId, request } = await scene([{ text, tokenMs: 20 }]);
    const ended = await run(tenant, threadId, request, way);
    expect(ended).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_completion_tokens" } });
    const { data } = await tenant.openai.beta.threads.messages.list(threadId, { limit: 1 });
    expect(data[0]).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_tokens" } });
    const said = data[0] === undefined ? "" : textIn(data[0]);
    expect(text.join("").startsWith(said)).toBe(true);
    expect(Buffer.byteLength(JSON.stringify(said))).toBeGreaterThan(MOST_SAID - 10);
    await expectSound(tenant, threadId, request.assistant_id);
  });

  test("pauses for many large calls, and goes on with the largest outputs", PATIENCE, async () => {
    const toolCalls = Array.from({ length: 4 }, (_, index) => ({
      id: `call_${index}`,
      name: "lookup",
      pieces: slowly("x".repeat(110_000), 5),
      arguments: "x".repeat(110_000),
    }));
    const { tenant, threadId, request } = await scene([{ toolCalls }, { text: "Done." }], { tools: [TOOL] });
    const paused = await run(tenant, threadId, request, way);
    expect(paused.status).toBe("requires_action");
    const calls = paused.required_action?.submit_tool_outputs.tool_calls ?? [];
    expect(calls.map((call) => call.function.arguments)).toEqual(toolCalls.map((call) => call.arguments));
    const tool_outputs = calls.map(({ id }) => ({ tool_call_id: id, output: "語".repeat(43_000) }));
    const { runs } = tenant.openai.beta.threads;
    const ended = await runs.submitToolOutputsAndPoll(paused.id, { thread_id: threadId, tool_outputs }, POLL);
    expect(ended.status).toBe("completed");
    const log = await wholeLog(tenant, `/threads/${threadId}/runs/${ended.id}/stream`);
    const action = log.find(({ event }) => event === "thread.run.requires_action");
    expect(action?.data).toMatchObject({ required_action: paused.required_action });
    const steps = await runs.steps.list(ended.id, { thread_id: threadId });
    const told = log
      .filter(({ event }) => event === "thread.run.step.completed")
      .map(({ data }) => data as { id: string });
    for (const step of steps.data)
      expect(told.find(({ id }) => id === step.id)).toMatchObject({ step_details: step.step_details });
    await expectSound(tenant, threadId, request.assistant_id);
  });

  test("that calls a function with more arguments than it may ends incomplete", PATIENCE, async () => {
    const toolCalls = [{ name: "lookup", pieces: slowly("語".repeat(200_000), 20), arguments: "語".repeat(200_000) }];
    const { tenant, threadId, request } = await scene([{ toolCalls }], { tools: [TOOL] });
    expect((await run(tenant, threadId, request, way)).status).toBe("incomplete");
    await expectSound(tenant, threadId, request.assistant_id);
  });

  test("that has paused with large arguments is cancelled", PATIENCE, async () => {
    const toolCalls = [{ id: "call_0", name: "lookup", pieces: ["x".repeat(450_000)], arguments: "x".repeat(450_000) }];
    const { tenant, threadId, request } = await scene([{ toolCalls }], { tools: [TOOL] });
    const { id, status } = await run(tenant, threadId, request, way);
    expect(status).toBe("requires_action");
    const { runs } = tenant.openai.beta.threads;
    await runs.cancel(id, { thread_id: threadId });
    const cancelled = await until(async () => {
      const found = await runs.retrieve(id, { thread_id: threadId });
      return found.status === "cancelled" && found;
    });
    expect(cancelled.required_action).toBeNull();
    await expectSound(tenant, threadId, request.assistant_id);
  });
});

test(
  "outputs of control characters, six bytes each where they are stored, are refused as too large",
  PATIENCE,
  async () => {
    const { tenant, threadId, request } = await scene(
      [{ toolCalls: [{ id: "call_0", name: "lookup", arguments: {} }] }],
      { tools: [TOOL] },
    );
    const paused = await run(tenant, threadId, request, "background");
    const { runs } = tenant.openai.beta.threads;
    const submit = (output: string) =>
      runs.submitToolOutputs(paused.id, { thread_id: threadId, tool_outputs: [{ tool_call_id: "call_0", output }] });
    for (const length of [400_000, 170_000]) {
      expect((await refusal(submit("\u0000".repeat(length)))).status).toBe(400);
    }
    expect((await refusal(submit("x".repeat(524_289)))).status).toBe(400);
    await submit("\u0000".repeat(160_000));
    expect((await runs.poll(paused.id, { thread_id: threadId }, POLL)).status).toBe("completed");
    await expectSound(tenant, threadId, request.assistant_id);
  },
);

test("twenty assistants with long instructions take turns on a thread; each run shows its own", PATIENCE, async () => {
  const { tenant, threadId, request } = await scene([]);
  const { assistants, threads } = tenant.openai.beta;
  const ids: string[] = [];
  for (let each = 0; each < 20; each++) {
    const created = await assistants.create({ model: `turns-${each}`, instructions: `${each}:`.padEnd(10_000, "i") });
    ids.push(created.id);
  }
  for (let round = 0; round < 2; round++) {
    for (const id of ids) {
      const ended = await threads.runs.createAndPoll(threadId, { assistant_id: id }, POLL);
      expect(ended.status).toBe("completed");
    }
  }
  const { data } = await threads.runs.list(threadId, { limit: 100, order: "asc" });
  expect(data.map(({ instructions }) => instructions?.split(":")[0])).toEqual(
    [...ids, ...ids].map((_, index) => String(index % 20)),
  );
  await expectSound(tenant, threadId, request.assistant_id);
});

test.each([false, true])(
  "a thread is created together with a run of the longest instructions (streamed: %s)",
  PATIENCE,
  async (stream) => {
    const { tenant, request } = await scene([]);
    const instructions = "語".repeat(LONGEST_INSTRUCTIONS);
    const body = { ...request, instructions, thread: { messages: [{ role: "user" as const, content: "Why?" }] } };
    const { threads } = tenant.openai.beta;
    const created = stream
      ? await threads.createAndRunStream(body).finalRun()
      : await threads.createAndRunPoll(body, POLL);
    const ended = await threads.runs.retrieve(created.id, { thread_id: created.thread_id });
    expect(ended).toMatchObject({ status: "completed", instructions });
    await expectSound(tenant, created.thread_id, request.assistant_id);
  },
);

test("a thread is not left behind by a run that is too large to be created with it", PATIENCE, async () => {
  const { tenant, request } = await scene([]);
  const { openai } = tenant;
  const tools = Array.from({ length: 128 }, (_, index) => ({
    type: "function" as const,
    function: { name: `f${index}`, description: "x".repeat(8_000) },
  }));
  const body = { ...request, tools, thread: { messages: [{ role: "user" as const, content: "Why?" }] } };
  expect((await refusal(openai.beta.threads.createAndRun(body))).status).toBe(400);
  const listed = await fetch(new URL("/api/projects/p/threads?api-version=v1", inject("stack").origin), {
    headers: { "api-key": tenant.key },
  });
  const { data } = (await listed.json()) as { data: { id: string }[] };
  // The scene's own.
  expect(data).toHaveLength(1);
});
