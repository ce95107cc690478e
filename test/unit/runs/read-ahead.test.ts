/** What the model of a streamed run gets is read before the run is stored, and still holds what other instances wrote last. */
import { ConsistencyLevel } from "@azure/cosmos";
import { afterEach, expect, test } from "vitest";
import { App } from "../../../src/app.ts";
import { readWindow } from "../../../src/runs/context-window.ts";
import { startStreamedRun } from "../../../src/runs/start.ts";
import { addMessage } from "../../../src/threads/messages.ts";
import { assistant } from "../documents.ts";
import { silentLog } from "../silent-log.ts";
import { startWorld } from "../threads/world.ts";
import { until } from "./engine-world.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

test.each([
  [ConsistencyLevel.Strong, true],
  [ConsistencyLevel.Session, false],
])("%s: a message that another instance has just added", async (consistency, isReadAhead) => {
  const world = await startWorld(async (cosmos) => {
    cosmos.change({ consistency, lagMs: 1 });
    return cosmos.endpoint;
  });
  stops.push(world.stop);
  const { tenant, id } = await world.thread(1, "the first");
  const other = new App(world.app.config, silentLog);
  stops.push(() => other.close());
  await other.prepare();
  // This one has no session yet: what it sees, the replica has.
  const there = other.store.with("session").thread(tenant, id);
  await until(async () => (await there.read(id)) !== undefined);
  // A replica that stays behind for as long as this test takes, and serves every read that does not ask for more.
  world.cosmos.change({ lagMs: 60_000 });
  await addMessage(other.store, tenant, id, { role: "user", content: "the newest" }, other.now(), async () => false);

  const answering = assistant();
  const start = { tenant, threadId: id, assistant: answering, before: [], isThreadNew: false, now: world.app.now() };
  const streamed = await startStreamedRun(world.engine, { ...start, request: { assistant_id: answering.id } });
  expect(streamed.window !== undefined).toBe(isReadAhead);
  const window = await (streamed.window ?? readWindow(streamed.run, streamed.partition, 1_000));
  const texts = window.flatMap(({ content }) => content.map((part) => part.type === "text" && part.text.value));
  expect(texts).toEqual(["the newest", "the first"]);
});
