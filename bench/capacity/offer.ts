/**
 * So many runs a second, whether the earlier ones have ended or not: what a store does not carry then shows as 429s and
 * as time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Trace, unitsOf } from "../cost/trace.ts";
import { inLanes } from "../lib/lanes.ts";
import { quantile } from "../lib/quantiles.ts";
import type { Subject } from "../lib/subject.ts";
import { type Level, setLevel } from "./levels.ts";
import { PatientClient } from "./patience.ts";

export interface Place {
  subject: Subject;
  trace: Trace;
  tenant: string;
}

export interface Load {
  name: "background" | "streamed";
  assistant: string;
  /** how long a run takes without trouble, in seconds */
  duration: number;
  /** for how long runs are begun, in seconds */
  window: number;
  /** shares of the arithmetic limit that are tried, in order; the last one is too much */
  shares: number[];
}

export interface Offered {
  perSecond: number;
  completedPerSecond: number;
  /** 429s that the app got from Cosmos DB, and its clients from the app */
  throttled: number;
  refused: number;
  /** the share of runs that met at least one 429 of Cosmos DB */
  delayed: number;
  failed: number;
  /** milliseconds */
  p50: number;
  p99: number;
  unitsPerRun: number;
}

interface Ended {
  thread: string;
  status: string;
  /** milliseconds after the first run began */
  from: number;
  to: number;
}

/** Offers the load to an account of this level, or to one without limits. */
export async function offer(
  place: Place,
  { name, assistant, window }: Load,
  perSecond: number,
  level: Level | undefined,
): Promise<Offered> {
  const { subject, trace } = place;
  const { endpoint } = subject.local.cosmos;
  const count = Math.max(1, Math.round(perSecond * window));
  await setLevel(endpoint, undefined);
  const threads: string[] = [];
  await inLanes(count, 16, async () => void threads.push(await subject.thread()));
  await setLevel(endpoint, level);
  const before = trace.requests().length;
  const client = new PatientClient(subject.wire, assistant);
  const started = performance.now();
  const since = () => performance.now() - started;
  const ended = await Promise.all(
    threads.map(async (thread, index): Promise<Ended> => {
      const from = (index / perSecond) * 1000;
      await sleep(from);
      const status = await client[name](thread).catch((error: unknown) => String(error));
      return { thread, status, from, to: since() };
    }),
  );
  await setLevel(endpoint, undefined);
  const requests = trace.requests().slice(before);
  const partitions = new Set(threads.map((thread) => `${place.tenant}:${thread}`));
  const throttled = requests.filter(({ status }) => status === 429);
  const delayed = new Set(throttled.map(({ partition }) => partition).filter((each) => partitions.has(each)));
  const times = ended.map(({ from, to }) => to - from);
  return {
    perSecond,
    completedPerSecond: Math.min(perSecond, rateOf(ended)),
    throttled: throttled.length,
    refused: client.refusals,
    delayed: delayed.size / count,
    failed: ended.filter(({ status }) => status !== "completed").length,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    unitsPerRun: unitsOf(requests.filter(({ partition }) => partitions.has(partition))) / count,
  };
}

/** The last twentieth is left out: a single run that is late says nothing about the rate. */
const MOST = 0.95;

/** The rate at which runs ended, if each had taken as long as the quickest one. */
function rateOf(ended: Ended[]): number {
  const shortest = Math.min(...ended.map(({ from, to }) => to - from));
  const ends = ended.map(({ to }) => to).toSorted((a, b) => a - b);
  const count = Math.ceil(ends.length * MOST);
  return count / (((ends[count - 1] ?? Number.NaN) - shortest) / 1000);
}
