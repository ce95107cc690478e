/** The loop of turns with code between model calls, on a real store, queue and model. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { CodeTrouble } from "../../../src/code/session.ts";
import { advance } from "../../../src/runs/advance.ts";
import { cancelRun, submitToolOutputs } from "../../../src/runs/commands.ts";
import { Drives } from "../../../src/runs/drives.ts";
import type { RunEvent } from "../../../src/runs/events.ts";
import { apiObject } from "../../../src/store/documents.ts";
import {
  CODE,
  CodeWorld,
  codeCalls,
  FUNCTION,
  logOf,
  messagesOf,
  python,
  type Scene,
  stepsOf,
  threadOf,
} from "./code-world.ts";
import { until } from "./engine-world.ts";
import { PNG, ran } from "./sandbox.ts";
import { FILES } from "./search-world.ts";

let world: CodeWorld;
beforeAll(async () => {
  world = await CodeWorld.start();
});
afterAll(() => world.stop());

const BEGINNING = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"];
const STEP = ["thread.run.step.created", "thread.run.step.in_progress"];
const MESSAGE = [...STEP, "thread.message.created", "thread.message.in_progress"];
const MESSAGE_END = ["thread.message.completed", "thread.run.step.completed"];

/** Without repetitions of deltas. */
const short = (names: string[]) =>
  names.filter((name, index) => !(name.endsWith(".delta") && name === names[index - 1]));

const callDeltas = (events: RunEvent[]) =>
  events
    .filter(({ event }) => event === "thread.run.step.delta")
    .map(
      ({ data }) => (data as { delta: { step_details: { tool_calls: unknown[] } } }).delta.step_details.tool_calls[0],
    );

const codeOf = (deltas: unknown[]) =>
  (deltas as { code_interpreter: { input?: string } }[]).map((each) => each.code_interpreter.input ?? "").join("");

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
    expect(new Set(cells.map(({ id }) => id)).size).toBe(3);
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

describe("what code draws and writes", () => {
  test("figures begin the next message, files that it links are attached to it; both are files then", async () => {
    const link = "sandbox:/mnt/data/o%20o.csv";
    const scene = await world.ask([python("draw"), { text: ["See ", "[it](sand", "box:/mnt/data/o%20o", ".csv)."] }]);
    const { contents, blobs } = world.sandbox;
    contents.set("_threadkeep/1.png", PNG).set("o o.csv", Buffer.from("1,2")).set("x.csv", Buffer.from("x"));
    world.sandbox.cell = () =>
      ran("2", {
        images: ["_threadkeep/1.png"],
        files: [
          { path: "o o.csv", size: 3 },
          { path: "x.csv", size: 1 },
        ],
      });
    const { events, run, names } = await world.stream(scene);
    const [image, file] = world.sandbox.made;
    expect([image?.filename, file?.filename]).toEqual(["call_c-0.png", "o o.csv"]);
    expect(world.sandbox.made).toHaveLength(2);
    // The other file's bytes are kept for a while: it is no file until a message links it.
    expect([...blobs.values()]).toContainEqual(Buffer.from("x"));
    const [step] = await stepsOf(scene, run.id);
    expect(codeCalls(step)[0]?.code_interpreter.outputs).toEqual([
      { type: "logs", logs: "2" },
      { type: "image", image: { file_id: image?.id } },
    ]);
    const [, message] = await messagesOf(scene);
    const annotation = {
      type: "file_path",
      text: link,
      start_index: 9,
      end_index: 9 + link.length,
      file_path: { file_id: file?.id },
    };
    expect(message?.content).toEqual([
      { type: "image_file", image_file: { file_id: image?.id } },
      { type: "text", text: { value: `See [it](${link}).`, annotations: [annotation] } },
    ]);
    expect(message?.attachments).toEqual([{ file_id: file?.id, tools: [{ type: "code_interpreter" }] }]);
    const deltas = events.filter(({ event }) => event === "thread.message.delta").map(({ data }) => data);
    expect(deltas).toMatchObject([
      { delta: { content: [{ index: 0, type: "image_file", image_file: { file_id: image?.id } }] } },
      { delta: { content: [{ index: 1, text: { value: "See ", annotations: [] } }] } },
      { delta: { content: [{ index: 1, text: { value: "[it](" } }] } },
      { delta: { content: [{ index: 1, text: { value: link, annotations: [{ index: 0, ...annotation }] } }] } },
      { delta: { content: [{ index: 1, text: { value: ")." } }] } },
    ]);
    expect(names.indexOf("thread.message.in_progress")).toBe(names.indexOf("thread.message.delta") - 1);
    expect(await logOf(scene, run)).toEqual(events);
    expect(run.internal).not.toHaveProperty("images");
    const [, second] = scene.asked.requests();
    expect(JSON.stringify(second)).not.toContain("base64");
    expect(JSON.stringify(second)).toContain("[1 image was shown to the user]");
  });

  test("figures of several rounds go to the next message, also one that is said with other code", async () => {
    const talking: Turn = { text: "Now:", ...python("none") };
    const scene = await world.ask([python("draw"), python("draw"), talking, { text: "End." }]);
    world.sandbox.contents.set("1.png", PNG);
    world.sandbox.cell = ({ code }) => ran("", { images: code === "draw" ? ["1.png"] : [] });
    await world.work(scene);
    const [, first, last] = await messagesOf(scene);
    const ids = world.sandbox.made.map(({ id }) => id);
    expect(new Set(ids).size).toBe(2);
    expect(first?.content).toEqual([
      ...ids.map((id) => ({ type: "image_file", image_file: { file_id: id } })),
      { type: "text", text: { value: "Now:", annotations: [] } },
    ]);
    expect(last?.content).toMatchObject([{ type: "text", text: { value: "End." } }]);
  });

  test("a message without a word holds its figures alone", async () => {
    const scene = await world.ask([python("draw"), { text: "" }]);
    world.sandbox.contents.set("1.png", PNG);
    world.sandbox.cell = () => ran("", { images: ["1.png"] });
    await world.work(scene);
    const [, message] = await messagesOf(scene);
    expect(message?.content).toMatchObject([{ type: "image_file" }]);
    expect(message?.status).toBe("completed");
  });

  test("what is no image, too much or too large is left out, and the model is told what it cannot link", async () => {
    const scene = await world.ask([python("many"), { text: "sandbox:/mnt/data/f21 sandbox:/mnt/data/f1" }]);
    const files = Array.from({ length: 22 }, (_, index) => ({ path: `f${index}`, size: 1 }));
    for (const { path } of files) world.sandbox.contents.set(path, Buffer.from("x"));
    world.sandbox.contents.set("1.png", Buffer.from("<html>"));
    world.sandbox.cell = () => ran("", { images: ["1.png"], files: [...files, { path: "empty", size: 0 }] });
    await world.work(scene);
    const [, message] = await messagesOf(scene);
    expect(message?.content).toMatchObject([{ text: { annotations: [{ text: "sandbox:/mnt/data/f1" }] } }]);
    const [, second] = scene.asked.requests();
    expect(JSON.stringify(second)).toContain("too many or too large to be linked: /mnt/data/f20");
    expect(world.sandbox.made).toHaveLength(1);
  });

  test("a later run links what an earlier one wrote", async () => {
    const scene = await world.ask([python("w"), { text: "Done." }, { text: "sandbox:/mnt/data/o.csv" }]);
    world.sandbox.contents.set("o.csv", Buffer.from("1"));
    world.sandbox.cell = () => ran("", { files: [{ path: "o.csv", size: 1 }] });
    await world.work(scene);
    expect(world.sandbox.made).toEqual([]);
    await world.work(scene);
    const [, , message] = await messagesOf(scene);
    expect(message?.content).toMatchObject([
      { text: { annotations: [{ file_path: { file_id: world.sandbox.made[0]?.id } }] } },
    ]);
  });
});

describe("code that does not end well", () => {
  test("an exception is a result; a timeout or a crash as well, in a session that is replaced", async () => {
    const scene = await world.ask([
      python("1/0"),
      python("while True: pass"),
      python("os.abort()"),
      python("a"),
      { text: "No." },
    ]);
    const results = [
      ran("ZeroDivisionError", { failed: true }),
      { kind: "timeout" as const },
      { kind: "died" as const, reason: "memory" as const },
      ran("fine", { fresh: true }),
    ];
    world.sandbox.cell = () => results.shift() ?? ran("");
    const { run } = await world.work(scene);
    expect(run.status).toBe("completed");
    const steps = await stepsOf(scene, run.id);
    expect(steps.slice(0, 4).map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => "completed"));
    const logs = steps.slice(0, 4).flatMap((step) => codeCalls(step).flatMap((call) => call.code_interpreter.outputs));
    expect(logs).toMatchObject([
      { logs: "ZeroDivisionError" },
      { logs: expect.stringContaining("Timed out after 60 s.") },
      { logs: expect.stringContaining("memory") },
      { logs: "fine" },
    ]);
    const sessions = world.sandbox.ran.map(({ session }) => session);
    expect(new Set(sessions).size).toBe(3);
    expect(sessions[0]).toBe(sessions[1]);
    expect(JSON.stringify(scene.asked.requests().at(-1))).toContain("session restarted: earlier variables are gone");
    expect((await threadOf(scene)).internal.code_session?.id).toBe(sessions[3]);
  });

  test("has no more time than its run", async () => {
    const scene = await world.ask([python("a"), { text: "Well." }]);
    await world.stream(scene, {}, { now: Date.now() - 580_000 });
    expect(world.sandbox.ran[0]?.timeout).toBeGreaterThan(10);
    expect(world.sandbox.ran[0]?.timeout).toBeLessThan(20);
  });
});

describe("between the model's call and the batch", () => {
  /** A background run whose code waits; resolves when it does. */
  async function running(turns: Turn[]) {
    const scene = await world.ask(turns);
    const gate = Promise.withResolvers<void>();
    world.sandbox.gate = gate.promise;
    const engine = { ...world.base.engine, drives: new Drives() };
    const { run, job } = await scene.asked.start({}, { assistant: scene.answering });
    const driven = advance(engine, job);
    await until(() => world.sandbox.ran.length > 0);
    return { scene, asked: scene.asked, run, job, engine, gate, driven };
  }

  async function expectOnce(scene: Scene, runId: string) {
    const steps = await stepsOf(scene, runId);
    expect(steps.map(({ type, status }) => [type, status])).toEqual([
      ["tool_calls", "completed"],
      ["message_creation", "completed"],
    ]);
    expect(await messagesOf(scene)).toHaveLength(2);
    const run = await scene.asked.read(runId);
    expect(run).toMatchObject({ status: "completed", internal: { turns: 2, hosted_turns: 1 } });
    const names = (await logOf(scene, run)).map(({ event }) => event);
    expect(short(names)).toEqual([
      ...[...BEGINNING, ...STEP, "thread.run.step.delta", "thread.run.step.completed"],
      ...[...MESSAGE, "thread.message.delta", ...MESSAGE_END, "thread.run.completed"],
    ]);
    const usage = steps.map((step) => step.usage?.total_tokens ?? 0);
    expect(run.usage?.total_tokens).toBe((usage[0] ?? 0) + (usage[1] ?? 0));
  }

  test("the calls are stored, with what the model call used and the thread's session", async () => {
    const { asked, scene, run, gate, driven } = await running([python("a"), { text: "Done." }]);
    const stored = await asked.read(run.id);
    expect(stored).toMatchObject({ status: "in_progress", internal: { pending: "tools", turns: 1, attempts: 1 } });
    const [step] = await stepsOf(scene, run.id);
    expect(step).toMatchObject({ status: "in_progress", usage: null });
    expect(codeCalls(step)).toMatchObject([{ code_interpreter: { input: "a", outputs: [] } }]);
    expect((await threadOf(scene)).internal.code_session?.id).toBe(world.sandbox.ran[0]?.session);
    gate.resolve();
    await driven;
    await expectOnce(scene, run.id);
  });

  test("a process that is told to stop hands the calls on: the next driver does them and asks for nothing again", async () => {
    const { scene, asked, run, job, engine, gate, driven } = await running([python("a"), { text: "Done." }]);
    await engine.drives.stop();
    await driven;
    expect(await asked.read(run.id)).toMatchObject({
      status: "in_progress",
      internal: { lease: null, pending: "tools" },
    });
    expect(world.sandbox.discarded).toEqual([]);
    gate.resolve();
    await advance(world.base.engine, { ...job, look: true });
    expect(asked.calls()).toBe(2);
    expect(new Set(world.sandbox.ran.map(({ id, session }) => id + session)).size).toBe(1);
    await expectOnce(scene, run.id);
  });

  test("a driver that dies leaves the calls to the next one; what had run is not run again", async () => {
    const { scene, asked, run, job, driven, gate } = await running([
      { ...python("a"), text: "Let me see." },
      { text: "Done." },
    ]);
    // As if the process were gone: another driver has the run, and the first one's code ends unheard.
    const stored = await asked.read(run.id);
    const taken = { ...stored, internal: { ...stored.internal, lease: { owner: "gone", until: Date.now() - 1 } } };
    await asked.partition.batch([{ put: taken }]);
    gate.resolve();
    await driven;
    expect(await asked.read(run.id)).toMatchObject({ internal: { pending: "tools" } });
    await advance(world.base.engine, { ...job, look: true, seen: (await asked.read(run.id))._etag });
    expect(world.sandbox.ran).toHaveLength(1);
    expect(asked.calls()).toBe(2);
    expect(await asked.read(run.id)).toMatchObject({ status: "completed", internal: { turns: 2 } });
    expect((await messagesOf(scene)).map(({ content }) => content[0])).toMatchObject([
      {},
      { text: { value: "Let me see." } },
      { text: { value: "Done." } },
    ]);
    expect((await stepsOf(scene, run.id)).map(({ status }) => status)).toEqual(["completed", "completed", "completed"]);
  });

  test("a message that was said with the calls stays deleted, whoever goes on", async () => {
    const turns: Turn[] = [{ ...python("a"), text: "Let me see." }, { text: "Done." }];
    const { scene, asked, run, gate, driven } = await running(turns);
    const [, said] = await messagesOf(scene);
    await asked.partition.batch([{ delete: said?.id ?? "" }]);
    gate.resolve();
    await driven;
    expect(await asked.read(run.id)).toMatchObject({ status: "completed" });
    expect((await messagesOf(scene)).map(({ content }) => content[0])).toMatchObject([
      {},
      { text: { value: "Done." } },
    ]);
  });

  test("a cancelled run ends with its code as it was written; its session is discarded, and replaced", async () => {
    const { asked, scene, run, driven } = await running([python("while True: pass")]);
    await cancelRun(world.base.engine, { partition: asked.partition, threadId: asked.threadId, runId: run.id });
    await driven;
    const ended = await asked.read(run.id);
    expect(ended).toMatchObject({ status: "cancelled", internal: { open: [], turns: 1 } });
    expect(ended.internal).not.toHaveProperty("pending");
    const [step] = await stepsOf(scene, run.id);
    expect(step).toMatchObject({ status: "cancelled", usage: { total_tokens: ended.usage?.total_tokens } });
    expect(codeCalls(step)).toMatchObject([{ code_interpreter: { input: "while True: pass", outputs: [] } }]);
    const session = world.sandbox.ran[0]?.session;
    expect(world.sandbox.discarded).toEqual([session]);
    const thread = await threadOf(scene);
    expect(thread.internal.code_session?.id).not.toBe(session);
    expect(thread.internal.active_run).toBeNull();
    const names = (await logOf(scene, ended)).map(({ event }) => event);
    expect(names.slice(-3)).toEqual(["thread.run.cancelling", "thread.run.step.cancelled", "thread.run.cancelled"]);
  });

  test("an expired run ends, its code is not waited for", async () => {
    const scene = await world.ask([python("while True: pass")]);
    world.sandbox.gate = new Promise(() => {});
    const { run } = await world.stream(scene, {}, { now: Date.now() - 598_000 });
    expect(run).toMatchObject({ status: "expired" });
    expect(await stepsOf(scene, run.id)).toMatchObject([{ status: "expired" }]);
    expect(world.sandbox.discarded).toHaveLength(1);
  });

  test("a run that is cancelled after its driver died leaves no step open, and the thread another session", async () => {
    const { asked, scene, run, gate, driven } = await running([python("while True: pass")]);
    const { _etag: _, ...stored } = await asked.read(run.id);
    const lease = { owner: "gone", until: Date.now() - 1 };
    await asked.partition.batch([{ put: { ...stored, internal: { ...stored.internal, lease } } }]);
    await cancelRun(world.base.engine, { partition: asked.partition, threadId: asked.threadId, runId: run.id });
    gate.resolve();
    await driven;
    expect(await asked.read(run.id)).toMatchObject({
      status: "cancelled",
      usage: { total_tokens: expect.any(Number) },
    });
    expect(await stepsOf(scene, run.id)).toMatchObject([{ status: "cancelled" }]);
    const { internal } = await threadOf(scene);
    expect(internal.active_run).toBeNull();
    expect(internal.code_session).toMatchObject({ id: expect.stringMatching(/^[0-9a-f]{32}$/), files: [] });
    expect(internal.code_session?.id).not.toBe(world.sandbox.ran[0]?.session);
  });

  test("the session of a driver that was taken over goes on", async () => {
    const { asked, run, gate, driven } = await running([python("a")]);
    const { _etag: _, ...taken } = await asked.read(run.id);
    const lease = { owner: "another", until: Date.now() + 60_000 };
    await asked.partition.batch([{ put: { ...taken, internal: { ...taken.internal, lease } } }]);
    await driven;
    gate.resolve();
    expect(world.sandbox.discarded).toEqual([]);
    expect(await asked.read(run.id)).toMatchObject({ status: "in_progress", internal: { lease } });
  });
});

describe("trouble with the sessions", () => {
  const busy = (retryAfter?: number) => new CodeTrouble("the pool is full", { retryable: true, retryAfter });

  test("is tried again where a client listens, without asking the model again", async () => {
    const scene = await world.ask([python("a"), { text: "Done." }]);
    world.sandbox.troubles = [busy(10), busy(10)];
    const { run, events } = await world.stream(scene);
    expect(run.status).toBe("completed");
    // A session that is lost has its files again.
    expect(world.sandbox.prepared).toHaveLength(3);
    expect(scene.asked.calls()).toBe(2);
    expect(await logOf(scene, run)).toEqual(events);
  });

  test("gives a background run back for later, with its calls", async () => {
    const scene = await world.ask([python("a"), { text: "Done." }]);
    world.sandbox.troubles = [busy(10)];
    const { run, job } = await world.work(scene);
    expect(run).toMatchObject({ status: "in_progress", internal: { lease: null, pending: "tools", attempts: 1 } });
    await until(async () => {
      await advance(world.base.engine, { ...job, look: true });
      return (await scene.asked.read(run.id)).status === "completed";
    });
    expect(scene.asked.calls()).toBe(2);
    expect(world.sandbox.ran).toHaveLength(1);
  });

  test("that stays ends run and step", async () => {
    const scene = await world.ask([python("a")]);
    world.sandbox.troubles = Array.from({ length: 5 }, () => busy(10));
    const { run, names } = await world.stream(scene);
    const error = { code: "server_error", message: "Sorry, something went wrong." };
    expect(run).toMatchObject({ status: "failed", last_error: error });
    expect(names.slice(-2)).toEqual(["thread.run.step.failed", "thread.run.failed"]);
    expect(await stepsOf(scene, run.id)).toMatchObject([{ status: "failed", last_error: error }]);
  });

  test("that only an operator can mend ends the run at once", async () => {
    const scene = await world.ask([python("a")]);
    world.sandbox.troubles = [new CodeTrouble("the role is missing", { retryable: false })];
    const { run } = await world.work(scene);
    expect(run).toMatchObject({ status: "failed", last_error: { code: "server_error" } });
  });
});
