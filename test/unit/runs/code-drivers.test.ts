/** Who does the calls that a model has written, whatever happens to their driver and their session. */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { CodeTrouble } from "../../../src/code/session.ts";
import type { Tool } from "../../../src/resources/common.ts";
import { advance } from "../../../src/runs/advance.ts";
import { cancelRun } from "../../../src/runs/commands.ts";
import { Drives } from "../../../src/runs/drives.ts";
import {
  BEGINNING,
  CODE,
  CodeWorld,
  codeCalls,
  FUNCTION,
  logOf,
  MESSAGE,
  MESSAGE_END,
  messagesOf,
  python,
  type Scene,
  STEP,
  short,
  stepsOf,
  threadOf,
} from "./code-world.ts";
import { until } from "./engine-world.ts";
import { ran } from "./sandbox.ts";

const MIXED: Tool[] = [CODE, FUNCTION];
const BOTH = [{ id: "call_f", name: "lookup", arguments: {} }, ...(python("a").toolCalls ?? [])];

let world: CodeWorld;
beforeAll(async () => {
  world = await CodeWorld.start();
});
afterAll(() => world.stop());

describe("between the model's call and the batch", () => {
  /** A background run whose code waits; resolves when it does. */
  async function running(turns: Turn[], tools?: Tool[]) {
    const scene = await world.ask(turns, tools);
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

  test.each<[string, string | undefined, Turn, Tool[]]>([
    ["alone", undefined, python("a"), [CODE]],
    ["with text before and a function beside them", "Let me see.", { text: "Let me see.", toolCalls: BOTH }, MIXED],
  ])(
    "calls that no tool of this deployment does any more, %s, fail with their run as they were written",
    async (_, said, turn, tools) => {
      const { scene, asked, run, job, engine, gate, driven } = await running([turn, { text: "Done." }], tools);
      const [before] = (await stepsOf(scene, run.id)).slice(-1);
      await engine.drives.stop();
      await driven;
      gate.resolve();
      // Redeployed without CODE_SESSIONS_ENDPOINT.
      await advance({ ...world.base.engine, hosted: async () => [] }, { ...job, look: true });
      const error = { code: "server_error", message: "The code interpreter is not set up on this deployment." };
      const ended = await asked.read(run.id);
      expect(ended).toMatchObject({ status: "failed", last_error: error, internal: { open: [], turns: 1 } });
      expect(ended.internal).not.toHaveProperty("pending");
      expect((await threadOf(scene)).internal.active_run).toBeNull();
      const steps = await stepsOf(scene, run.id);
      const [step] = steps.slice(-1);
      expect(step).toMatchObject({
        status: "failed",
        last_error: error,
        usage: { total_tokens: ended.usage?.total_tokens },
      });
      expect(step?.step_details).toEqual(before?.step_details);
      expect(codeCalls(step)).toMatchObject([{ code_interpreter: { input: "a", outputs: [] } }]);
      expect(
        (await messagesOf(scene))
          .slice(1)
          .map(({ status, content: [part] }) => [status, part?.type === "text" && part.text.value]),
      ).toEqual(said === undefined ? [] : [["completed", said]]);
      expect(asked.calls()).toBe(1);
      const names = (await logOf(scene, ended)).map(({ event }) => event);
      expect(names.slice(-2)).toEqual(["thread.run.step.failed", "thread.run.failed"]);
      expect(names.filter((name) => name === "thread.run.step.created")).toHaveLength(steps.length);
    },
  );

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

  test("a message that was said with the calls stays deleted, whichever driver goes on", async () => {
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

  test("a driver whose message's files cannot be kept holds its run until they can", async () => {
    const { scene, asked, run, job, gate, driven } = await running([python("a"), { text: "sandbox:/mnt/data/o.csv" }]);
    const { sandbox } = world;
    sandbox.cell = () => ran("", { files: [{ path: "o.csv", size: 1 }] });
    sandbox.contents.set("o.csv", Buffer.from("a"));
    sandbox.hasTrouble = true;
    gate.resolve();
    await until(() => asked.calls() === 2);
    // Longer than a lease.
    await sleep(7_000);
    const { _etag: seen } = await asked.read(run.id);
    await advance(world.base.engine, { ...job, look: true, seen });
    expect(asked.calls()).toBe(2);
    expect(sandbox.made).toEqual([]);
    sandbox.hasTrouble = false;
    await driven;
    expect(sandbox.made).toMatchObject([{ filename: "o.csv" }]);
    await expectOnce(scene, run.id);
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

  test("what code has written is known to its thread, though its run is cancelled as it ends", async () => {
    const scene = await world.ask([python("w")]);
    const { asked } = scene;
    world.sandbox.contents.set("o.csv", Buffer.from("1"));
    const { run, job } = await asked.start({}, { assistant: scene.answering });
    world.sandbox.cell = async () => {
      await cancelRun(world.base.engine, { partition: asked.partition, threadId: asked.threadId, runId: run.id });
      return ran("", { files: [{ path: "o.csv", size: 1 }] });
    };
    await advance(world.base.engine, job);
    expect(await asked.read(run.id)).toMatchObject({ status: "cancelled" });
    expect((await threadOf(scene)).internal.code_session?.files).toMatchObject([{ path: "o.csv" }]);
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
  const busy = (retryAfter?: number) => new CodeTrouble("the pool is broken", { retryable: true, retryAfter });
  const full = (retryAfter?: number) =>
    new CodeTrouble("the pool is full", { retryable: true, isFull: true, retryAfter });
  /** More than a call has attempts. */
  const LONG = 6;

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

  test("leaves the next driver the session that has replaced another", async () => {
    const calls = ["slow", "more"].map((code) => ({ id: `call_${code}`, name: "python", arguments: { code } }));
    const scene = await world.ask([{ toolCalls: calls }]);
    const { sandbox } = world;
    sandbox.cell = () => {
      sandbox.troubles = [busy(60_000)];
      return { kind: "timeout" };
    };
    const { run } = await world.work(scene);
    expect(run).toMatchObject({ status: "in_progress", internal: { lease: null, pending: "tools" } });
    const known = (await threadOf(scene)).internal.code_session?.id;
    expect(known).toBe(sandbox.prepared.at(-1)?.session);
    expect(known).not.toBe(sandbox.ran[0]?.session);
  });

  test("that is only a full pool is waited for where a client listens, for longer than there are attempts", async () => {
    const scene = await world.ask([python("a"), { text: "Done." }]);
    world.sandbox.troubles = Array.from({ length: LONG }, () => full(1));
    const { run, events } = await world.stream(scene);
    expect(run).toMatchObject({ status: "completed", internal: { turns: 2 } });
    expect(world.sandbox.ran).toHaveLength(1);
    expect(scene.asked.calls()).toBe(2);
    expect(await logOf(scene, run)).toEqual(events);
  });

  test("that is only a full pool gives a background run back with its attempts, until there is a place", async () => {
    const scene = await world.ask([python("a"), { text: "Done." }]);
    world.sandbox.troubles = [full(4_000), ...Array.from({ length: LONG - 1 }, () => full())];
    const before = Date.now();
    const { run, job } = await world.work(scene);
    expect(run).toMatchObject({ status: "in_progress", internal: { lease: null, pending: "tools", attempts: 0 } });
    expect(run.internal.due).toBeGreaterThanOrEqual(before + 4_000);
    // Before that, no wake-up brings the run another driver.
    await advance(world.base.engine, { ...job, look: true });
    expect(world.sandbox.troubles).toHaveLength(LONG - 1);
    await until(async () => {
      await advance(world.base.engine, { ...job, look: true });
      return (await scene.asked.read(run.id)).status === "completed";
    });
    expect(scene.asked.calls()).toBe(2);
    expect(world.sandbox.ran).toHaveLength(1);
    const names = (await logOf(scene, await scene.asked.read(run.id))).map(({ event }) => event);
    expect(short(names)).toEqual([
      ...[...BEGINNING, ...STEP, "thread.run.step.delta", "thread.run.step.completed"],
      ...[...MESSAGE, "thread.message.delta", ...MESSAGE_END, "thread.run.completed"],
    ]);
  });

  test("that is only a full pool ends the run when it expires, however long the pool asks to wait", async () => {
    const scene = await world.ask([python("a")]);
    world.sandbox.troubles = Array.from({ length: 1_000 }, () => full(600_000));
    const { asked, answering } = scene;
    const { run, job } = await asked.start({}, { assistant: answering, now: Date.now() - 597_000 });
    await advance(world.base.engine, job);
    const waiting = await asked.read(run.id);
    expect(waiting).toMatchObject({ status: "in_progress", internal: { pending: "tools", lease: null } });
    expect(waiting.internal.due).toBeLessThan((waiting.expires_at ?? 0) * 1000 + 5_000);
    await until(async () => {
      await advance(world.base.engine, { ...job, look: true });
      return (await asked.read(run.id)).status === "expired";
    });
    expect(await stepsOf(scene, run.id)).toMatchObject([{ status: "expired" }]);
    expect((await threadOf(scene)).internal.active_run).toBeNull();
    expect(world.sandbox.ran).toEqual([]);
  });

  test("that is only a full pool keeps no client from cancelling the run", async () => {
    const scene = await world.ask([python("a")]);
    world.sandbox.troubles = [full(60_000)];
    const { run, job } = await world.work(scene);
    const { asked } = scene;
    await cancelRun(world.base.engine, { partition: asked.partition, threadId: asked.threadId, runId: run.id });
    await advance(world.base.engine, { ...job, look: true });
    expect(await asked.read(run.id)).toMatchObject({ status: "cancelled" });
    expect(await stepsOf(scene, run.id)).toMatchObject([{ status: "cancelled" }]);
    expect(world.sandbox.ran).toEqual([]);
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
