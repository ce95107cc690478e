/** What is asked of Cosmos DB while a client waits for a run, and while there is nothing to do. Request units. */
import { setTimeout as sleep } from "node:timers/promises";
import { createRun, getRun, isUnderWay } from "../lib/runs.ts";
import type { Place } from "./account.ts";
import { SLOW_MODEL } from "./kinds.ts";
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

export async function waitingCosts(place: Place, tenant: string): Promise<Waiting> {
  const { subject, trace } = place;
  const assistant_id = await subject.assistant(SLOW_MODEL);
  const thread = await subject.thread();
  const run = await createRun(subject.wire, thread, { assistant_id });
  while ((await getRun(subject.wire, thread, run.id)).status === "queued") await sleep(5);
  const poll = await unitsOfPoll(place, tenant, thread, run.id);
  while (isUnderWay(await getRun(subject.wire, thread, run.id))) await sleep(100);
  const lastPoll = await unitsOfPoll(place, tenant, thread, run.id);
  const looks = trace.requests().filter(({ partition, isLook }) => partition === `${tenant}:${thread}` && isLook);
  return { poll, lastPoll, look: unitsOf(looks) / looks.length, tick: await unitsOfTick(place) };
}

async function unitsOfPoll({ subject, trace }: Place, tenant: string, thread: string, run: string): Promise<number> {
  const before = trace.requests().length;
  await getRun(subject.wire, thread, run);
  const seen = trace.requests().slice(before);
  return unitsOf(seen.filter(({ partition, isLook, method }) => isOf(partition) && method === "GET" && !isLook));

  function isOf(partition: string): boolean {
    return partition === `${tenant}:${thread}`;
  }
}

/** The sweep asks two things of all partitions, and nothing else does while no run is created. */
const QUERIES_A_TICK = 2;

async function unitsOfTick({ subject, trace }: Place): Promise<number> {
  const overAll = () => trace.requests().filter(({ kind, partition }) => kind === "query" && partition === "");
  const before = overAll().length;
  await fetch(new URL("/admin/functions/sweep", subject.local.baseUrl), { method: "POST" });
  while (overAll().length < before + QUERIES_A_TICK) await sleep(20);
  const queries = overAll().slice(before);
  return (unitsOf(queries) / queries.length) * QUERIES_A_TICK;
}
