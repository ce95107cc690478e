/** The loop of turns: model calls with the work of a hosted tool between them, on a real store, queue and model. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { advance } from "../../../src/runs/advance.ts";
import { cancelRun, submitToolOutputs } from "../../../src/runs/commands.ts";
import { Drives } from "../../../src/runs/drives.ts";
import { ToolTrouble } from "../../../src/runs/tools/hosted-tool.ts";
import { apiObject } from "../../../src/store/documents.ts";
import { StoreTrouble } from "../../../src/store/trouble.ts";
import { until } from "./engine-world.ts";
import { passage } from "./library.ts";
import { ANSWER, FILES, FUNCTION, messagesOf, SEARCH, SearchWorld, stepsOf } from "./search-world.ts";

let world: SearchWorld;
beforeAll(async () => {
  world = await SearchWorld.start();
});
afterAll(() => world.stop());

const CITATION = {
  type: "file_citation",
  text: "【4:0†tacos.txt】",
  start_index: 5,
  end_index: 20,
  file_citation: { file_id: "file-tacostxt" },
};

describe("a run that searches once", () => {
  test("streams in the recorded order and cites what was found", async () => {
    const scene = await world.ask([SEARCH, ANSWER]);
    const { names, events, run } = await world.stream(scene);
    expect(names).toEqual([
      "thread.run.created",
      "thread.run.queued",
      "thread.run.in_progress",
      "thread.run.step.created",
      "thread.run.step.in_progress",
      "thread.run.step.delta",
      "thread.run.step.completed",
      "thread.run.step.created",
      "thread.run.step.in_progress",
      "thread.message.created",
      "thread.message.in_progress",
      "thread.message.delta",
      "thread.message.delta",
      "thread.message.delta",
      "thread.message.completed",
      "thread.run.step.completed",
      "thread.run.completed",
    ]);
    const options = { ranker: "default_2024_08_21", score_threshold: 0 };
    expect(events[5]?.data).toMatchObject({
      delta: {
        step_details: {
          type: "tool_calls",
          tool_calls: [
            { index: 0, id: "call_s", type: "file_search", file_search: { ranking_options: options, results: [] } },
          ],
        },
      },
    });
    const result = {
      file_id: "file-tacostxt",
      file_name: "tacos.txt",
      score: 0.9,
      attributes: {},
      content: [{ type: "text", text: "Summanus likes tacos." }],
    };
    const [search, reply] = await stepsOf(scene, run.id);
    expect(search).toMatchObject({
      status: "completed",
      step_details: {
        type: "tool_calls",
        tool_calls: [
          { id: "call_s", type: "file_search", file_search: { ranking_options: options, results: [result] } },
        ],
      },
    });
    expect(events[6]?.data).toEqual(search && JSON.parse(JSON.stringify(apiObject(search))));
    const [, answer] = await messagesOf(scene);
    expect(answer?.content).toEqual([
      { type: "text", text: { value: "Tacos【4:0†tacos.txt】.", annotations: [CITATION] } },
    ]);
    const { start_index, end_index, ...told } = CITATION;
    expect(events.filter(({ event }) => event === "thread.message.delta").map(({ data }) => data)).toMatchObject([
      { delta: { content: [{ text: { value: "Tacos", annotations: [] } }] } },
      {
        delta: {
          content: [
            {
              text: {
                value: told.text,
                annotations: [{ index: 0, ...CITATION, file_citation: { file_id: "file-tacostxt", quote: "" } }],
              },
            },
          ],
        },
      },
      { delta: { content: [{ text: { value: "." } }] } },
    ]);
    expect([start_index, end_index]).toEqual([5, 20]);
    const usages = [search?.usage, reply?.usage];
    expect(run.usage?.total_tokens).toBe(usages.reduce((sum, usage) => sum + (usage?.total_tokens ?? 0), 0));
    expect(run).toMatchObject({ status: "completed", internal: { turns: 2, hosted_turns: 1, open: [] } });
    expect(world.library.embedded).toEqual([["food"]]);
  });

  test("tells the model what was asked and found, with a marker, in the second call", async () => {
    const scene = await world.ask([SEARCH, ANSWER]);
    await world.stream(scene);
    const [first, second] = scene.asked.requests() as { tools: unknown[]; messages: Record<string, unknown>[] }[];
    expect(first?.tools).toMatchObject([{ type: "function", function: { name: "file_search" } }]);
    const [, call, result] = second?.messages ?? [];
    expect(call).toMatchObject({
      role: "assistant",
      tool_calls: [{ id: "call_s", function: { name: "file_search", arguments: '{"queries":["food"]}' } }],
    });
    expect(result).toMatchObject({ role: "tool", tool_call_id: "call_s" });
    expect(result?.content).toContain("【4:0†tacos.txt】\nSummanus likes tacos.");
  });

  test("does the same in the background, and later runs number on and do not read the old results", async () => {
    const scene = await world.ask([SEARCH, ANSWER, SEARCH, { text: "Again【8:0†tacos.txt】【4:0†tacos.txt】" }]);
    for (const _ of [1, 2]) {
      const { run, job } = await scene.asked.start({}, { assistant: scene.answering });
      await advance(world.base.engine, job);
      expect(await scene.asked.read(run.id)).toMatchObject({ status: "completed" });
    }
    const [, , last] = await messagesOf(scene);
    expect(last?.content).toMatchObject([
      { text: { annotations: [{ text: "【8:0†tacos.txt】", start_index: 5, end_index: 20 }] } },
    ]);
    const requests = scene.asked.requests() as { messages: { role: string }[] }[];
    expect(requests[2]?.messages.map(({ role }) => role)).toEqual(["user", "assistant"]);
    expect(last?.internal.tokens).toBeLessThan(60);
  });
});

test("functions beside a search: the search is done first, the run waits for the functions only, both end in one step", async () => {
  const both: Turn = { toolCalls: [{ id: "call_f", name: "lookup", arguments: {} }, ...(SEARCH.toolCalls ?? [])] };
  const scene = await world.ask([both, ANSWER], [FUNCTION, FILES]);
  const { run, names } = await world.stream(scene);
  expect(names.at(-1)).toBe("thread.run.requires_action");
  expect(run.required_action?.submit_tool_outputs.tool_calls.map(({ id }) => id)).toEqual(["call_f"]);
  const [open] = await stepsOf(scene, run.id);
  expect(open).toMatchObject({
    status: "in_progress",
    step_details: { tool_calls: [{ id: "call_f" }, { id: "call_s" }] },
  });
  expect(JSON.stringify(open)).toContain("Summanus likes tacos.");
  const ref = { partition: scene.asked.partition, threadId: scene.asked.threadId, runId: run.id };
  const outputs = { tool_outputs: [{ tool_call_id: "call_f", output: "forty-two" }] };
  await expect(
    submitToolOutputs(world.base.engine, ref, { tool_outputs: [{ tool_call_id: "call_s", output: "x" }] }, false),
  ).rejects.toThrow("Expected tool outputs for call_ids ['call_f'], got ['call_s']");
  await submitToolOutputs(world.base.engine, ref, outputs, false);
  await advance(world.base.engine, { tenant: scene.asked.tenant, thread: scene.asked.threadId, run: run.id });
  expect(await scene.asked.read(run.id)).toMatchObject({ status: "completed", internal: { turns: 2 } });
  const [step] = await stepsOf(scene, run.id);
  expect(step).toMatchObject({
    status: "completed",
    step_details: { tool_calls: [{ function: { output: "forty-two" } }, {}] },
  });
  const [, second] = scene.asked.requests() as { messages: { role: string }[] }[];
  expect(second?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "tool"]);
  const [, answer] = await messagesOf(scene);
  expect(answer?.content).toMatchObject([{ text: { annotations: [CITATION] } }]);
});

describe("between the model's call and the batch", () => {
  /** A background run whose search waits; resolves when it does. */
  async function searching(turns: Turn[]) {
    const scene = await world.ask(turns);
    const gate = Promise.withResolvers<void>();
    world.library.gate = gate.promise;
    const engine = { ...world.base.engine, drives: new Drives(), owner: crypto.randomUUID() };
    const { run, job } = await scene.asked.start({}, { assistant: scene.answering });
    const driven = advance(engine, job);
    await until(() => world.library.searched.length === 1);
    return { scene, asked: scene.asked, gate, engine, run, job, driven };
  }

  test("a cancel ends the search and the run; the open step is cancelled", async () => {
    const { scene, asked, run, driven } = await searching([SEARCH]);
    await cancelRun(world.base.engine, { partition: asked.partition, threadId: asked.threadId, runId: run.id });
    await driven;
    expect(await asked.read(run.id)).toMatchObject({ status: "cancelled", internal: { open: [] } });
    expect(await stepsOf(scene, run.id)).toMatchObject([{ status: "cancelled" }]);
    expect(asked.calls()).toBe(1);
  });

  test("a process that is told to stop hands the run back; the next driver asks again, with the same ids", async () => {
    const { scene, asked, run, job, engine, gate, driven } = await searching([SEARCH, SEARCH, ANSWER]);
    await engine.drives.stop();
    await driven;
    const released = await asked.read(run.id);
    expect(released).toMatchObject({ status: "in_progress", internal: { lease: null, turns: 0, attempts: 0 } });
    gate.resolve();
    await advance(world.base.engine, { ...job, look: true });
    expect(await asked.read(run.id)).toMatchObject({ status: "completed", internal: { turns: 2 } });
    expect((await stepsOf(scene, run.id)).map(({ id }) => id)).toContain(released.internal.reserved?.toolStep);
    expect((await messagesOf(scene)).length).toBe(2);
  });

  test("a driver that was taken over writes nothing", async () => {
    const { asked, run, gate, driven } = await searching([SEARCH]);
    const { _etag: _, ...taken } = await asked.read(run.id);
    const lease = { owner: "another", until: Date.now() + 60_000 };
    await asked.partition.batch([{ put: { ...taken, internal: { ...taken.internal, lease } } }]);
    gate.resolve();
    await driven;
    expect(await asked.read(run.id)).toMatchObject({ status: "in_progress", internal: { lease, turns: 0 } });
  });

  test("the lease is renewed for as long as the search takes", async () => {
    const { asked, run, gate, driven } = await searching([SEARCH, ANSWER]);
    const first = (await asked.read(run.id)).internal.lease?.until ?? 0;
    await until(async () => ((await asked.read(run.id)).internal.lease?.until ?? 0) > first);
    gate.resolve();
    await driven;
    expect(await asked.read(run.id)).toMatchObject({ status: "completed" });
  });

  test("an expired run ends, its search is not waited for", async () => {
    const scene = await world.ask([SEARCH]);
    world.library.gate = new Promise(() => {});
    const { run } = await world.stream(scene, {}, { now: Date.now() - 598_500 });
    expect(run).toMatchObject({ status: "expired" });
    expect(await stepsOf(scene, run.id)).toMatchObject([{ status: "expired" }]);
  });
});

describe("trouble of the tool", () => {
  const busy = () =>
    new ToolTrouble({ error: { code: "rate_limit_exceeded", message: "Busy." }, retryable: true, retryAfter: 10 });

  test("is tried again where a client listens, without asking the model again", async () => {
    const scene = await world.ask([SEARCH, ANSWER]);
    world.library.troubles = [busy(), new StoreTrouble("away")];
    const { run, names } = await world.stream(scene);
    expect(run.status).toBe("completed");
    expect(names.filter((name) => name === "thread.run.step.delta")).toHaveLength(1);
    expect([scene.asked.calls(), world.library.searched.length]).toEqual([2, 3]);
  });

  test("that stays ends the run with its words", async () => {
    const scene = await world.ask([SEARCH]);
    world.library.troubles = [busy(), busy(), busy(), busy(), busy()];
    const { run, names } = await world.stream(scene);
    expect(run).toMatchObject({ status: "failed", last_error: { code: "rate_limit_exceeded", message: "Busy." } });
    expect(names.slice(-2)).toEqual(["thread.run.step.failed", "thread.run.failed"]);
  });

  test("gives a background run back for later", async () => {
    const scene = await world.ask([SEARCH, SEARCH, ANSWER]);
    world.library.troubles = [busy()];
    const { run, job } = await scene.asked.start({}, { assistant: scene.answering });
    await advance(world.base.engine, job);
    expect(await scene.asked.read(run.id)).toMatchObject({
      status: "in_progress",
      internal: { lease: null, attempts: 1 },
    });
    await until(async () => {
      await advance(world.base.engine, { ...job, look: true });
      return (await scene.asked.read(run.id)).status === "completed";
    });
    expect(scene.asked.calls()).toBe(3);
  });

  test("a fault of its code fails the run at once", async () => {
    const scene = await world.ask([SEARCH]);
    world.library.troubles = [new TypeError("a fault")];
    const { run } = await world.stream(scene);
    expect(run).toMatchObject({ status: "failed", last_error: { code: "server_error" } });
  });
});

test("after 20 turns the model is told to call nothing, and a run whose model calls all the same ends", async () => {
  const scene = await world.ask([...Array.from({ length: 20 }, () => SEARCH), ANSWER]);
  const { run } = await world.stream(scene);
  expect(run).toMatchObject({ status: "completed", internal: { turns: 21, hosted_turns: 20 } });
  const choices = (scene.asked.requests() as { tool_choice?: unknown }[]).map(({ tool_choice: choice }) => choice);
  expect(choices).toEqual([...Array.from({ length: 20 }, () => undefined), "none"]);

  const stubborn = await world.ask(Array.from({ length: 21 }, () => SEARCH));
  expect((await world.stream(stubborn)).run).toMatchObject({
    status: "failed",
    last_error: { code: "server_error", message: "The model called tools in more than 20 turns of this run." },
  });
});

test("budgets are looked at between two turns", async () => {
  const scene = await world.ask([
    { ...SEARCH, usage: { prompt_tokens: 300, completion_tokens: 7, total_tokens: 307 } },
    ANSWER,
  ]);
  const { run } = await world.stream(scene, { max_prompt_tokens: 256 });
  expect(run).toMatchObject({
    status: "incomplete",
    incomplete_details: { reason: "max_prompt_tokens" },
    usage: { total_tokens: 307 },
  });
  expect(scene.asked.calls()).toBe(1);
});

test("what is in both stores is found twice, and a tool without any store finds nothing", async () => {
  const scene = await world.ask([SEARCH, ANSWER]);
  const other = "vs_other";
  world.library.passages[other] = [passage("pizza.txt", "Effie likes pizza.", 0.95)];
  world.library.states[other] = { isExpired: false, inProgress: 0 };
  await scene.asked.partition.patchIf(scene.asked.threadId, "true", {
    "/tool_resources": { file_search: { vector_store_ids: [other] } },
  });
  const { run } = await world.stream(scene);
  const [step] = await stepsOf(scene, run.id);
  expect(JSON.stringify(step).match(/"file_name":"\w+\.txt"/g)).toEqual([
    '"file_name":"pizza.txt"',
    '"file_name":"tacos.txt"',
  ]);

  const nothing = await world.ask([SEARCH, { text: "None." }]);
  const { run: empty } = await world.stream({ ...nothing, answering: { ...nothing.answering, tool_resources: {} } });
  expect(empty.status).toBe("completed");
  expect([world.library.embedded, world.library.searched]).toEqual([[], []]);
});
