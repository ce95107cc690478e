/**
 * So many runs a second, whether the earlier ones have ended or not: what a store does not carry then shows as 429s and
 * as time.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { TracedPlace } from "../cost/place.ts";
import { unitsOf } from "../cost/trace.ts";
import type { TracedRequest } from "../inside/trace-requests.ts";
import { inLanes } from "../lib/lanes.ts";
import { quantile } from "../lib/quantiles.ts";
import { type Level, setLevel } from "./levels.ts";
import { PatientClient } from "./patience.ts";

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
  /** how each run ended that did not complete */
  failures: string[];
  /** milliseconds */
  p50: number;
  p99: number;
  unitsPerRun: number;
}

/** What may be missing of an offer: runs differ a little. */
const MISSED = 0.1;

/** Whether runs ended at a lower rate than they were begun, and Cosmos DB is not the reason. */
export const isBehind = ({ perSecond, completedPerSecond, throttled }: Offered): boolean =>
  throttled === 0 && completedPerSecond < perSecond * (1 - MISSED);

interface Ended {
  thread: string;
  status: string;
  /** milliseconds after the first run began */
  from: number;
  to: number;
}

/** Offers the load to an account of this level, or to one without limits. */
export async function offer(
  place: TracedPlace,
  load: Load,
  perSecond: number,
  level: Level | undefined,
): Promise<Offered> {
  const { subject, trace } = place;
  const { endpoint } = subject.local.cosmos;
  await setLevel(endpoint, undefined);
  const threads: string[] = [];
  const count = Math.max(1, Math.round(perSecond * load.window));
  await inLanes(count, 16, async () => void threads.push(await subject.thread()));
  await setLevel(endpoint, level);
  const before = trace.requests().length;
  const client = new PatientClient(subject.wire, load.assistant);
  const ended = await runAll(client, load.name, threads, perSecond);
  await setLevel(endpoint, undefined);
  const told = figuresOf(ended, trace.requests().slice(before), place.tenant);
  return { perSecond, ...told, completedPerSecond: Math.min(perSecond, rateOf(ended)), refused: client.refusals };
}

/** Begins a run on each thread, so many a second, and resolves when all have ended. */
function runAll(client: PatientClient, kind: Load["name"], threads: string[], perSecond: number): Promise<Ended[]> {
  const started = performance.now();
  return Promise.all(
    threads.map(async (thread, index) => {
      const from = (index / perSecond) * 1000;
      await sleep(from);
      const status = await client[kind](thread).catch((error: unknown) => String(error));
      return { thread, status, from, to: performance.now() - started };
    }),
  );
}

function figuresOf(ended: Ended[], requests: TracedRequest[], tenant: string) {
  const partitions = new Set(ended.map(({ thread }) => `${tenant}:${thread}`));
  const own = requests.filter(({ partition }) => partitions.has(partition));
  const times = ended.map(({ from, to }) => to - from);
  const isThrottled = ({ status }: TracedRequest) => status === 429;
  return {
    throttled: requests.filter(isThrottled).length,
    delayed: new Set(own.filter(isThrottled).map(({ partition }) => partition)).size / ended.length,
    failures: ended.map(({ status }) => status).filter((status) => status !== "completed"),
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    unitsPerRun: unitsOf(own) / ended.length,
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
