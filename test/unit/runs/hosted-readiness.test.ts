/** What a run with hosted tools looks at before it asks its model. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { advance } from "../../../src/runs/advance.ts";
import { StoreTrouble } from "../../../src/store/trouble.ts";
import { until } from "./engine-world.ts";
import { STORE } from "./library.ts";
import { ANSWER, messagesOf, type Scene, SEARCH, SearchWorld } from "./search-world.ts";

let world: SearchWorld;
beforeAll(async () => {
  world = await SearchWorld.start();
});
afterAll(() => world.stop());

const MINE = "vs_thread";

/** A scene whose thread has a store of its own with a file that is being read. */
async function withThreadStore(): Promise<Scene> {
  const scene = await world.ask([SEARCH, ANSWER]);
  world.library.states[MINE] = { isExpired: false, inProgress: 1 };
  await scene.asked.partition.patchIf(scene.asked.threadId, "true", {
    "/tool_resources": { file_search: { vector_store_ids: [MINE] } },
  });
  return scene;
}

const ready = () => {
  world.library.states[MINE] = { isExpired: false, inProgress: 0 };
};

describe("files of the thread that are being read", () => {
  test("are waited for by a streamed run in place, in progress", async () => {
    const scene = await withThreadStore();
    const streaming = world.stream(scene);
    await until(() => world.library.looks >= 4);
    expect(scene.asked.calls()).toBe(0);
    ready();
    const { names, run } = await streaming;
    expect(run.status).toBe("completed");
    expect(names.filter((name) => name === "thread.run.in_progress")).toHaveLength(1);
  });

  test("are waited for by a background run without a worker; its log tells once that it is in progress", async () => {
    const scene = await withThreadStore();
    const { run, job } = await scene.asked.start({}, { assistant: scene.answering });
    await advance(world.base.engine, job);
    const waiting = await scene.asked.read(run.id);
    expect(waiting).toMatchObject({ status: "in_progress", internal: { lease: null, attempts: 0, turns: 0 } });
    const { due = 0 } = waiting.internal;
    expect(due - Date.now()).toBeLessThan(2_000);
    await until(async () => {
      await advance(world.base.engine, { ...job, look: true });
      return (await scene.asked.read(run.id)).internal.due !== due;
    });
    expect(scene.asked.calls()).toBe(0);
    ready();
    await until(async () => {
      await advance(world.base.engine, { ...job, look: true });
      return (await scene.asked.read(run.id)).status === "completed";
    });
    const chunks = JSON.stringify(
      await Promise.all([0, 1, 2, 3].map((n) => scene.asked.partition.read(`${run.id}:events:${n}`))),
    );
    expect(chunks.match(/thread\.run\.in_progress/g)).toHaveLength(1);
  });

  test("are waited for a minute at the most, and those of the assistant not at all", async () => {
    const scene = await withThreadStore();
    const { run, job } = await scene.asked.start({}, { assistant: scene.answering });
    const later = { ...world.base.engine, now: () => Date.now() };
    await advance(later, job);
    const started = ((await scene.asked.read(run.id)).started_at ?? 0) * 1000;
    await advance({ ...later, now: () => started + 59_000 }, { ...job, look: true });
    expect((await scene.asked.read(run.id)).status).toBe("in_progress");
    await advance({ ...later, now: () => started + 62_000 }, { ...job, look: true });
    expect((await scene.asked.read(run.id)).status).toBe("completed");

    const other = await world.ask([SEARCH, ANSWER]);
    world.library.states[STORE] = { isExpired: false, inProgress: 3 };
    expect((await world.stream(other)).run.status).toBe("completed");
    expect(world.library.looks).toBe(1);
  });
});

describe("a vector store", () => {
  test.each([
    ["has expired", { isExpired: true, inProgress: 0 }, `Vector store '${STORE}' has expired.`],
    ["is gone", undefined, `No vector store found with id '${STORE}'.`],
  ])("that %s ends the run without a model call", async (_, state, message) => {
    const scene = await world.ask([]);
    world.library.states[STORE] = state;
    const { run } = await world.stream(scene);
    expect(run).toMatchObject({
      status: "failed",
      last_error: { code: "server_error", message },
      usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 },
    });
    expect(scene.asked.calls()).toBe(0);
  });

  test("that cannot be asked gives the run back for later, which is no attempt", async () => {
    const scene = await world.ask([SEARCH, ANSWER]);
    world.library.sources.use = () => Promise.reject(new StoreTrouble("away"));
    const { run, job } = await scene.asked.start({}, { assistant: scene.answering });
    await advance(world.base.engine, job);
    expect(await scene.asked.read(run.id)).toMatchObject({
      status: "in_progress",
      internal: { lease: null, attempts: 0 },
    });
  });
});

test("a run without the tool asks for none of it", async () => {
  const scene = await world.ask([{ text: "Because." }], []);
  expect((await world.stream(scene)).run.status).toBe("completed");
  expect(world.library.looks).toBe(0);
  expect((await messagesOf(scene))[1]?.internal).not.toHaveProperty("follows_hosted");
});
