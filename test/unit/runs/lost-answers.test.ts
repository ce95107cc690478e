import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { claimRun } from "../../../src/runs/claim.ts";
import { cancelRun } from "../../../src/runs/commands.ts";
import { chunkId } from "../../../src/runs/event-log.ts";
import { noSink, type RunEvent, textDelta } from "../../../src/runs/events.ts";
import { OwnedRun } from "../../../src/runs/owned-run.ts";
import type { EventsDoc, RunDoc } from "../../../src/store/documents.ts";
import { NO_PATIENCE, StoreTrouble } from "../../../src/store/trouble.ts";
import { type EngineWorld, startEngineWorld } from "./engine-world.ts";
import { decodeLog } from "./log-reader.ts";

let world: EngineWorld;
beforeAll(async () => {
  world = await startEngineWorld();
});
afterEach(() => world.cosmos.setFaults([]));
afterAll(() => world.stop());

/** Long enough for a cancel meanwhile. Milliseconds. */
const PAUSE = 700;
const TTL = 3_600;

const same = (run: RunDoc) => run;
const says = (text: string) => textDelta({ id: "msg_1" }, text, false);

async function driven() {
  const asked = await world.question([]);
  const { run, job } = await asked.start();
  const claimed = await claimRun(world.engine, job);
  if (claimed === undefined) throw new Error("the run could not be claimed");
  const owned = new OwnedRun(asked.partition, claimed, noSink, TTL);
  const loseAnswer = () =>
    world.cosmos.setFaults([{ fault: "cut-after", operations: ["batch"], containing: [asked.threadId], times: 1 }]);
  const cancel = () => cancelRun(world.engine, { partition: asked.partition, threadId: asked.threadId, runId: run.id });
  const logged = async (): Promise<RunEvent[]> => {
    const { internal } = await asked.read(run.id);
    const ids = Array.from({ length: internal.log.chunks }, (_, number) => chunkId(run.id, number));
    const chunks = await Promise.all(ids.map((id) => asked.partition.read<EventsDoc>(id)));
    const entries = chunks.map((chunk) => chunk?.internal.entries ?? []);
    return decodeLog(entries, owned.run);
  };
  return { owned, loseAnswer, cancel, logged };
}

test("what a write has logged whose answer got lost is not logged again after a cancel", async () => {
  const { owned, loseAnswer, cancel, logged } = await driven();
  owned.tell(says("a"));
  owned.tell(says("b"));
  loseAnswer();
  const patience = () => PAUSE;
  const writing = owned.write(same, { patience });
  while (world.cosmos.faults()[0]?.fired !== 1) await new Promise((resolve) => setTimeout(resolve, 5));
  await cancel();
  expect(await writing).toBe("cancelling");
  owned.tell(says("c"));
  expect(await owned.write(same)).toBe("written");
  expect(await logged()).toEqual([says("a"), says("b"), says("c")]);
});

test.each(["a later write", "a look"])(
  "a write whose answer got lost is found by %s, and nothing is logged twice or left out",
  async (by) => {
    const { owned, loseAnswer, logged } = await driven();
    owned.tell(says("a"));
    loseAnswer();
    await expect(owned.write(same, { patience: NO_PATIENCE })).rejects.toThrow(StoreTrouble);
    owned.tell(says("b"));
    if (by === "a look") expect(await owned.look()).toBe("ours");
    expect(await owned.write(same)).toBe("written");
    expect(await logged()).toEqual([says("a"), says("b")]);
  },
);

test("events that are told while a write is under way are logged by the next one", async () => {
  const { owned, logged } = await driven();
  owned.tell(says("a"));
  const writing = owned.write((run) => {
    owned.tell(says("b"));
    return run;
  });
  expect(await writing).toBe("written");
  expect(owned.hasUnloggedEvents).toBe(true);
  await owned.write(same);
  expect(await logged()).toEqual([says("a"), says("b")]);
});

test("a log that takes several batches and loses an answer in each way is whole and in order", async () => {
  const { owned, logged } = await driven();
  const events = Array.from({ length: 30 }, (_, number) => says(String.fromCharCode(97 + number).repeat(60_000)));
  for (const event of events) owned.tell(event);
  world.cosmos.setFaults([
    { fault: "cut-after", operations: ["batch"], times: 2 },
    { fault: "cut-before", operations: ["batch"], times: 2 },
  ]);
  expect(await owned.write(same, { patience: () => 1 })).toBe("written");
  expect(owned.run.internal.log.chunks).toBeGreaterThan(2);
  expect(await logged()).toEqual(events);
});
