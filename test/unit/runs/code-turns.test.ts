/** The loop of turns with code between model calls, on a real store, queue and model. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { advance } from "../../../src/runs/advance.ts";
import { submitToolOutputs } from "../../../src/runs/commands.ts";
import { apiObject } from "../../../src/store/documents.ts";
import {
  BEGINNING,
  CODE,
  CodeWorld,
  callDeltas,
  codeCalls,
  codeOf,
  FUNCTION,
  logOf,
  MESSAGE,
  MESSAGE_END,
  python,
  STEP,
  short,
  stepsOf,
  threadOf,
} from "./code-world.ts";
import { ran } from "./sandbox.ts";
import { FILES } from "./search-world.ts";

let world: CodeWorld;
beforeAll(async () => {
  world = await CodeWorld.start();
});
afterAll(() => world.stop());

describe("a run that runs code once", () => {
  test("streams in the order of the original, and its log tells the same", async () => {
    const scene = await world.ask([python("1 +\n1"), { text: ["It is", " 2."] }]);
    const { events, names, run } = await world.stream(scene);
    expect(names).toEqual([
      ...[...BEGINNING, ...STEP],
      ...Array.from(callDeltas(events), () => "thread.run.step.delta"),
      ...["thread.run.step.completed", ...MESSAGE],
      ...["thread.message.delta", "thread.message.delta", ...MESSAGE_END, "thread.run.completed"],
    ]);
    const [opening, ...pieces] = callDeltas(events);
    const output = pieces.pop();
    expect(opening).toEqual({
      index: 0,
      id: "call_c",
      type: "code_interpreter",
      code_interpreter: { input: "", outputs: [] },
    });
    expect(codeOf(pieces)).toBe("1 +\n1");
    expect(output).toEqual({
      index: 0,
      type: "code_interpreter",
      code_interpreter: { outputs: [{ index: 0, type: "logs", logs: "1 +\n1" }] },
    });
    const [step] = await stepsOf(scene, run.id);
    const call = { input: "1 +\n1", outputs: [{ type: "logs", logs: "1 +\n1" }] };
    expect(codeCalls(step)).toEqual([{ id: "call_c", type: "code_interpreter", code_interpreter: call }]);
    const completed = events.find(({ event }) => event === "thread.run.step.completed");
    expect(completed?.data).toEqual(step && JSON.parse(JSON.stringify(apiObject(step))));
    expect(run).toMatchObject({
      status: "completed",
      internal: { v: 3, turns: 2, hosted_turns: 1, open: [], code_files: [] },
    });
    expect(run.internal).not.toHaveProperty("pending");
    expect(await logOf(scene, run)).toEqual(events);
    const usages = (await stepsOf(scene, run.id)).map(({ usage }) => usage?.total_tokens ?? 0);
    expect(run.usage?.total_tokens).toBe(usages[0] === undefined ? 0 : usages[0] + (usages[1] ?? 0));
  });

  test("tells the model what ran and what came of it, in later runs as well", async () => {
    const scene = await world.ask([python("1+1"), { text: "2" }, { text: "Still 2." }]);
    world.sandbox.cell = () => ran("2");
    await world.work(scene);
    await world.work(scene);
    const requests = scene.asked.requests() as { messages: { role: string }[]; tools: unknown[] }[];
    expect(requests[0]?.tools).toMatchObject([{ type: "function", function: { name: "python" } }]);
    expect(JSON.stringify(requests[0]?.tools)).toContain("numpy");
    const exchange = [
      {
        role: "assistant",
        tool_calls: [{ id: "call_c", type: "function", function: { name: "python", arguments: '{"code":"1+1"}' } }],
      },
      { role: "tool", tool_call_id: "call_c", content: "2" },
    ];
    expect(requests[1]?.messages.slice(-2)).toEqual(exchange);
    expect(requests[2]?.messages.map(({ role }) => role)).toEqual(["user", "assistant", "tool", "assistant"]);
    expect(requests[2]?.messages.slice(1, 3)).toEqual(exchange);
  });

  test("keeps one session for its thread, named by nothing that anyone knows", async () => {
    const scene = await world.ask([python("a = 1"), python("a"), { text: "1" }, python("a"), { text: "1" }]);
    await world.work(scene);
    const first = (await threadOf(scene)).internal.code_session;
    await world.work(scene);
    const { ran: cells, prepared } = world.sandbox;
    expect(new Set(cells.map(({ session }) => session))).toEqual(new Set([first?.id]));
    expect(first?.id).toMatch(/^[0-9a-f]{32}$/);
    expect(prepared).toHaveLength(2);
    expect(new Set(cells.map(({ step }) => step)).size).toBe(3);
    for (const request of scene.asked.requests()) expect(JSON.stringify(request)).not.toContain(first?.id);
  });

  test("without code has nothing to run, and says so", async () => {
    const empty: Turn = { toolCalls: [{ id: "call_c", name: "python", arguments: "{}" }] };
    const scene = await world.ask([empty, { text: "Well." }]);
    const { run, events } = await world.stream(scene);
    expect(world.sandbox.ran).toEqual([]);
    const [step] = await stepsOf(scene, run.id);
    const outputs = [{ type: "logs", logs: "No code was given." }];
    expect(codeCalls(step)).toMatchObject([{ code_interpreter: { input: "", outputs } }]);
    expect(await logOf(scene, run)).toEqual(events);
  });

  test("reads what it wrote in another form, or bare", async () => {
    const bare: Turn = { toolCalls: [{ id: "call_c", name: "python", pieces: ["print", "(1)\n", "print(2)"] }] };
    const scene = await world.ask([bare, { text: "Well." }]);
    const { run, events } = await world.stream(scene);
    expect(world.sandbox.ran).toMatchObject([{ code: "print(1)\nprint(2)" }]);
    expect(codeOf(callDeltas(events).slice(1, -1))).toBe("print(1)\nprint(2)");
    expect((await stepsOf(scene, run.id))[0]?.step_details).toMatchObject({
      tool_calls: [{ code_interpreter: { input: "print(1)\nprint(2)" } }],
    });
  });

  test("leaves the client's own function of that name alone", async () => {
    const own = { ...FUNCTION, function: { ...FUNCTION.function, name: "python" } };
    const code: Turn = { toolCalls: [{ id: "call_c", name: "code_interpreter", arguments: { code: "1" } }] };
    const scene = await world.ask([code, python("mine", "call_f")], [own, CODE]);
    const { run } = await world.stream(scene);
    expect(world.sandbox.ran).toMatchObject([{ code: "1" }]);
    expect(run.required_action?.submit_tool_outputs.tool_calls).toMatchObject([{ id: "call_f" }]);
  });
});

test("text and code in one model call, several calls in one, several rounds: messages, steps and events in order", async () => {
  const both: Turn = {
    text: "Let me see.",
    toolCalls: [
      { id: "call_a", name: "python", arguments: { code: "a" } },
      { id: "call_b", name: "python", arguments: { code: "b" } },
    ],
  };
  const scene = await world.ask([both, python("c"), { text: "Done." }]);
  const { names, events, run, reader } = await world.stream(scene);
  expect(short(names)).toEqual([
    ...[...BEGINNING, ...MESSAGE, "thread.message.delta", ...MESSAGE_END],
    ...[...STEP, "thread.run.step.delta", "thread.run.step.completed"],
    ...[...STEP, "thread.run.step.delta", "thread.run.step.completed"],
    ...[...MESSAGE, "thread.message.delta", ...MESSAGE_END, "thread.run.completed"],
  ]);
  expect(world.sandbox.ran.map(({ code }) => code)).toEqual(["a", "b", "c"]);
  const steps = await stepsOf(scene, run.id);
  expect(steps.map(({ type, status }) => [type, status])).toEqual([
    ["message_creation", "completed"],
    ["tool_calls", "completed"],
    ["tool_calls", "completed"],
    ["message_creation", "completed"],
  ]);
  // What clients put together of the deltas is what the step holds, but for the index of the outputs.
  const told = reader.callsOf(steps[1]?.id ?? "") as { code_interpreter: { outputs: { index?: number }[] } }[];
  for (const call of told) for (const output of call.code_interpreter.outputs) delete output.index;
  expect(told).toEqual(codeCalls(steps[1]));
  expect(await logOf(scene, run)).toEqual(events);
  const [, , last] = scene.asked.requests() as { messages: { role: string }[] }[];
  expect(last?.messages.map(({ role }) => role)).toEqual([
    "user",
    "assistant",
    "assistant",
    "tool",
    "tool",
    "assistant",
    "tool",
  ]);
});

test("functions and a search beside code: these are done first, the run waits for the functions only", async () => {
  const all: Turn = {
    toolCalls: [
      { id: "call_f", name: "lookup", arguments: {} },
      { id: "call_c", name: "python", arguments: { code: "c" } },
      { id: "call_s", name: "file_search", arguments: { queries: ["food"] } },
    ],
  };
  const scene = await world.ask([all, { text: "Done." }], [FUNCTION, CODE, FILES]);
  const { names, run, events } = await world.stream(scene);
  expect(short(names).slice(-2)).toEqual(["thread.run.step.delta", "thread.run.requires_action"]);
  expect(run.internal).not.toHaveProperty("pending");
  expect(run.required_action?.submit_tool_outputs.tool_calls.map(({ id }) => id)).toEqual(["call_f"]);
  expect(await logOf(scene, run)).toEqual(events);
  const ref = { partition: scene.asked.partition, threadId: scene.asked.threadId, runId: run.id };
  await submitToolOutputs(world.base.engine, ref, { tool_outputs: [{ tool_call_id: "call_f", output: "42" }] }, false);
  await advance(world.base.engine, { tenant: scene.asked.tenant, thread: scene.asked.threadId, run: run.id });
  const [step] = await stepsOf(scene, run.id);
  expect(step).toMatchObject({
    status: "completed",
    step_details: {
      tool_calls: [
        { id: "call_f", function: { output: "42" } },
        { id: "call_c", code_interpreter: { input: "c", outputs: [{ type: "logs", logs: "c" }] } },
        { id: "call_s", type: "file_search" },
      ],
    },
  });
  const [, second] = scene.asked.requests() as { messages: { role: string; content: string }[] }[];
  expect(second?.messages.slice(-3).map(({ content }) => content.slice(0, 2))).toEqual(["42", "c", "No"]);
});
