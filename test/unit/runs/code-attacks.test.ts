/** Code, models and sessions that mean harm, or do it: what runs and threads keep all the same. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { fileDoc } from "../../../src/files/create.ts";
import { advance } from "../../../src/runs/advance.ts";
import { beat } from "../../../src/runs/checkpoint.ts";
import { claimRun } from "../../../src/runs/claim.ts";
import { noSink } from "../../../src/runs/events.ts";
import { storeCalls } from "../../../src/runs/go-on.ts";
import { OwnedRun } from "../../../src/runs/owned-run.ts";
import { toldFiles } from "../../../src/runs/tools/code-files.ts";
import { Toolset } from "../../../src/runs/tools/toolset.ts";
import { Turn as TurnUnderWay } from "../../../src/runs/turn.ts";
import type { FileDoc } from "../../../src/store/documents.ts";
import { deleteThread } from "../../../src/threads/delete.ts";
import { CODE, CodeWorld, codeCalls, FUNCTION, logOf, messagesOf, python, stepsOf } from "./code-world.ts";
import { until } from "./engine-world.ts";
import { PNG, ran } from "./sandbox.ts";

let world: CodeWorld;
beforeAll(async () => {
  world = await CodeWorld.start();
});
afterAll(() => world.stop());

test("a file that is named as a figure's place does not take the figure's", async () => {
  const scene = await world.ask([python("draw"), { text: "sandbox:/mnt/data/image 0" }]);
  const { contents, blobs } = world.sandbox;
  contents.set("1.png", PNG).set("image 0", Buffer.from("no image"));
  world.sandbox.cell = () => ran("", { images: ["1.png"], files: [{ path: "image 0", size: 8 }] });
  const { run } = await world.work(scene);
  const [image, file] = world.sandbox.made;
  expect(file?.filename).toBe("image 0");
  expect(blobs.get(image?.id ?? "")).toEqual(PNG);
  expect(blobs.get(file?.id ?? "")).toEqual(Buffer.from("no image"));
  expect(codeCalls((await stepsOf(scene, run.id))[0])[0]?.code_interpreter.outputs).toEqual([
    { type: "image", image: { file_id: image?.id } },
  ]);
});

test("the model is told of figures that could not be shown", async () => {
  const scene = await world.ask([python("draw"), { text: "Well." }]);
  world.sandbox.contents.set("1.png", PNG).set("2.png", Buffer.from("no image"));
  world.sandbox.cell = () => ran("", { images: ["1.png", "2.png", "3.png"] });
  await world.work(scene);
  const text = JSON.stringify(scene.asked.requests().at(-1));
  expect(text).toContain("[1 image was shown to the user]");
  expect(text).toContain("[2 images could not be shown]");
});

test("a session that is lost between two calls gets its files again before the call after", async () => {
  const scene = await world.ask([python("w"), python("lost"), python("r"), python("r"), { text: "Well." }]);
  const { contents, prepared } = world.sandbox;
  contents.set("o.csv", Buffer.from("1"));
  world.sandbox.cell = ({ code }) => {
    if (code === "w") return ran("", { fresh: true, files: [{ path: "o.csv", size: 1 }] });
    return ran(code, { fresh: code === "lost" });
  };
  const { run } = await world.work(scene);
  expect(run.status).toBe("completed");
  expect(prepared.map(({ files }) => files.map(({ path, restored }) => [path, restored]))).toEqual([
    [],
    [["o.csv", false]],
  ]);
  const [, , third] = scene.asked.requests();
  expect(JSON.stringify(third)).toContain("session restarted: earlier variables are gone");
});

test("a client may have functions of both names: code has a third", async () => {
  const own = ["python", "code_interpreter"].map((name) => ({
    ...FUNCTION,
    function: { ...FUNCTION.function, name },
  }));
  const code: Turn = { toolCalls: [{ id: "call_c", name: "code_interpreter_2", arguments: { code: "1" } }] };
  const theirs: Turn = { toolCalls: [{ id: "call_f", name: "code_interpreter", arguments: { code: "2" } }] };
  const scene = await world.ask([code, theirs], [...own, CODE]);
  const { run } = await world.stream(scene);
  const [request] = scene.asked.requests() as { tools: { function: { name: string } }[] }[];
  expect(request?.tools.map((tool) => tool.function.name)).toEqual([
    "python",
    "code_interpreter",
    "code_interpreter_2",
  ]);
  expect(world.sandbox.ran.map((call) => call.code)).toEqual(["1"]);
  expect(run.required_action?.submit_tool_outputs.tool_calls).toMatchObject([{ id: "call_f" }]);
});

test("a run whose client has a function of that name reads earlier code under the other one", async () => {
  const scene = await world.ask([python("1"), { text: "1" }, { text: "1" }]);
  await world.work(scene);
  const own = { ...FUNCTION, function: { ...FUNCTION.function, name: "python" } };
  await world.work({ ...scene, answering: { ...scene.answering, tools: [own, CODE] } });
  const last = scene.asked.requests().at(-1) as { messages: { tool_calls?: { function: { name: string } }[] }[] };
  const names = last.messages.flatMap(({ tool_calls: calls = [] }) => calls.map((call) => call.function.name));
  expect(names).toEqual(["code_interpreter"]);
});

test("a file that its client has deleted does not come back with the next link to it", async () => {
  const link = { text: "sandbox:/mnt/data/o.csv" };
  const scene = await world.ask([python("w"), link, link]);
  const { contents, blobs, made } = world.sandbox;
  contents.set("o.csv", Buffer.from("1"));
  world.sandbox.cell = () => ran("", { files: [{ path: "o.csv", size: 1 }] });
  await world.work(scene);
  const [file] = made.splice(0);
  blobs.delete(file?.id ?? "");
  const { run } = await world.work(scene);
  expect(run.status).toBe("completed");
  expect(made).toEqual([]);
});

test("calls without number show so many figures together and remember so many files; the log has all of it", async () => {
  const calls = Array.from({ length: 511 }, (_, n) => ({
    id: `call_${n}`,
    name: "python",
    arguments: { code: `${n}` },
  }));
  const waiting = { id: "call_f", name: "lookup", arguments: {} };
  const scene = await world.ask([{ toolCalls: [...calls, waiting] }], [CODE, FUNCTION]);
  const { contents, blobs, made } = world.sandbox;
  const paths = Array.from({ length: 20 }, (_, n) => `${n}.csv`);
  for (const path of paths) contents.set(path, Buffer.from("1"));
  contents.set("1.png", PNG);
  const files = paths.map((path) => ({ path, size: 1 }));
  world.sandbox.cell = () => ran("é\n".repeat(1_000), { images: paths.map(() => "1.png"), files });
  const { run, events } = await world.stream(scene);
  expect(run.status).toBe("requires_action");
  expect(made).toHaveLength(100);
  expect(blobs.size).toBe(140);
  expect(run.internal.images).toHaveLength(100);
  expect(JSON.stringify(await logOf(scene, run)) === JSON.stringify(events)).toBe(true);
});

test("what the model reads of much output stays within its context", async () => {
  const calls = Array.from({ length: 8 }, (_, n) => ({ id: `call_${n}`, name: "python", arguments: { code: `${n}` } }));
  const rounds = Array.from({ length: 4 }, () => ({ toolCalls: calls }));
  const scene = await world.ask([...rounds, { text: "Much." }]);
  const numbers = Array.from({ length: 5_000 }, (_, n) => n * 7_919).join(" ");
  world.sandbox.cell = () => ran(numbers);
  const { run } = await world.work(scene);
  expect(run.status).toBe("completed");
  const { contextTokens } = world.base.engine.config.model;
  expect(run.internal.tool_tokens).toBeGreaterThan(contextTokens / 4);
  expect(run.internal.tool_tokens).toBeLessThan(1.1 * contextTokens);
});

test("the model is told which files its session has no room for, and of no name that leads nowhere", () => {
  const MEGABYTE = 1_048_576;
  const upload = (id: string, filename: string, megabytes: number): FileDoc =>
    fileDoc("t", { id, filename, purpose: "assistants" }, megabytes * MEGABYTE, 0);
  const sizes = [...Array.from({ length: 8 }, () => 120), 100, 60, 128];
  const uploads = sizes.map((size, n) => upload(`file-${n}`, n === 0 ? "a/b.csv" : `${n}.csv`, size));
  const told = toldFiles(uploads, [{ path: "5.csv", bytes: 1 }]);
  expect(told.filter(({ isTooLarge }) => isTooLarge).map(({ path }) => path)).toEqual(["file-8", "file-10"]);
  const unlinked = told.filter(({ isLinked, isTooLarge }) => !isLinked && !isTooLarge);
  expect(unlinked.map(({ filename }) => filename)).toEqual(["a/b.csv", "5.csv"]);
});

test("a checkpoint that falls into the storing of calls leaves what was said as it is stored", async () => {
  const scene = await world.ask([]);
  const { job } = await scene.asked.start({}, { assistant: scene.answering });
  let ahead = 0;
  const engine = { ...world.base.engine, now: () => Date.now() + ahead };
  const run = await claimRun(engine, job);
  if (!run?.internal.reserved) throw new Error("the run is not claimed");
  const owned = new OwnedRun(scene.asked.partition, run, noSink, 60);
  const toolset = new Toolset(run, [world.sandbox.tool]);
  const turn = new TurnUnderWay(run, run.internal.reserved, owned.tell, engine.now, toolset);
  const checkpoint = beat(engine, owned, turn, new AbortController());
  const call = { index: 0, id: "call_c", name: "python", arguments: '{"code":"1"}', isWhole: false, extras: undefined };
  turn.apply({ text: "Let me see.", calls: [call], finishReason: "stop", usage: undefined });
  turn.close();
  ahead = 5_000;
  const session = { id: "a".repeat(32), files: [] };
  const isUnderWay = Promise.withResolvers<void>();
  const write = owned.write.bind(owned);
  Object.assign(owned, {
    write: (...changes: Parameters<typeof write>) => {
      isUnderWay.resolve();
      return write(...changes);
    },
  });
  const storing = storeCalls(engine, owned, turn, { code_session: session });
  await isUnderWay.promise;
  await Promise.all([storing, checkpoint()]);
  const [, said] = await messagesOf(scene);
  expect(said?.internal.tokens).toBeGreaterThan(0);
  expect((await scene.asked.read(run.id)).internal).toMatchObject({
    pending: "tools",
    open: [turn.toolCalls?.step.id],
  });
});

test("a thread that is deleted while its code runs leaves no session, not even one that it never knew", async () => {
  const calls = ["slow", "more"].map((code) => ({ id: `call_${code}`, name: "python", arguments: { code } }));
  const scene = await world.ask([{ toolCalls: calls }]);
  const { sandbox } = world;
  const { job } = await scene.asked.start({}, { assistant: scene.answering });
  const gate = Promise.withResolvers<void>();
  sandbox.cell = ({ code }) => {
    sandbox.gate = gate.promise;
    return code === "slow" ? { kind: "timeout" } : ran("");
  };
  const driven = advance(world.base.engine, job);
  await until(() => sandbox.ran.length === 2);
  const { tenant, threadId } = scene.asked;
  const known = await deleteThread(world.base.engine.store, world.base.engine.wakeUps, tenant, threadId, Date.now());
  await driven;
  expect(known).toBe(sandbox.ran[0]?.session);
  expect(sandbox.discarded).toEqual([sandbox.ran[1]?.session]);
});
