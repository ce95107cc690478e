/** What is asked of Cosmos DB while a client waits for a run, and while there is nothing to do. Request units. */
import { setTimeout as sleep } from "node:timers/promises";
import { createRun, getRun, isUnderWay } from "../lib/runs.ts";
import { SWEEP } from "./idle.ts";
import { SLOW_MODEL } from "./kinds.ts";
import type { TracedPlace } from "./place.ts";
import { unitsOf } from "./trace.ts";

export interface Waiting {
  /** a poll of a run that is under way, and of one that has ended */
  poll: number;
  lastPoll: number;
  /** the driver's look at its run, about once a second while the model speaks */
  look: number;
  /** one tick of the sweep that finds nothing */
  tick: number;
}

export async function waitingCosts(place: TracedPlace): Promise<Waiting> {
  const { subject, trace, tenant } = place;
  const assistant_id = await subject.assistant(SLOW_MODEL);
  const thread = await subject.thread();
  const ofThread = () => trace.requests().filter(({ partition }) => partition === `${tenant}:${thread}`);
  const run = await createRun(subject.wire, thread, { assistant_id });
  const unitsOfPoll = async () => {
    const before = ofThread().length;
    await getRun(subject.wire, thread, run.id);
    return unitsOf(
      ofThread()
        .slice(before)
        .filter(({ method, isLook }) => method === "GET" && !isLook),
    );
  };
  while ((await getRun(subject.wire, thread, run.id)).status === "queued") await sleep(5);
  const poll = await unitsOfPoll();
  while (isUnderWay(await getRun(subject.wire, thread, run.id))) await sleep(100);
  const lastPoll = await unitsOfPoll();
  const looks = ofThread().filter(({ isLook }) => isLook);
  return { poll, lastPoll, look: unitsOf(looks) / looks.length, tick: await unitsOfTick(place) };
}

/** Nothing else asks all partitions while no run is created. */
async function unitsOfTick({ subject, trace }: TracedPlace): Promise<number> {
  const overAll = () => trace.requests().filter(({ kind, partition }) => kind === "query" && partition === "");
  const before = overAll().length;
  await fetch(new URL("/admin/functions/sweep", subject.local.baseUrl), { method: "POST" });
  while (overAll().length < before + SWEEP.queries) await sleep(20);
  const queries = overAll().slice(before);
  return (unitsOf(queries) / queries.length) * SWEEP.queries;
}
