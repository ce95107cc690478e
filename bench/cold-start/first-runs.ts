/**
 * How long the first run of a process takes, and later ones: some things are opened and loaded when they are needed.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Bench, Cell, Table } from "../lib/measurement.ts";
import { median } from "../lib/quantiles.ts";
import { createRun, type Watched, watchByPolling } from "../lib/runs.ts";
import { onLocalStack, type Subject } from "../lib/subject.ts";
import { Wire } from "../lib/wire.ts";
import { environment, type Role, type StartedHost, startHost, WITHOUT_WORKERS } from "./host-start.ts";

/** For what an instance opens after its first answer, and for a worker to listen to its queue. Milliseconds. */
const SETTLING = 500;
const LATER_RUNS = 10;
const POLL = 2;

/** Milliseconds: of first runs, and of the later ones of the same processes. */
interface Times {
  first: number[];
  later: number[];
}

interface Place {
  subject: Subject;
  appDir: string;
  assistant: string;
}

type Runs = (place: Place, times: Times) => Promise<void>;

export async function firstRuns(bench: Bench, appDir: string): Promise<Table> {
  const rounds = bench.quick ? 1 : 10;
  const rows = [
    ...(await rowsOn(bench, rounds, appDir, {}, HTTP)),
    // The app's own workers would take the runs that a new worker is to take.
    ...(await rowsOn(bench, rounds, appDir, WITHOUT_WORKERS, WORKER)),
  ];
  const columns = ["ms", "processes", "first p50", "first max", "later p50"];
  return { title: "The first run of a process", columns, rows };
}

const HTTP: Record<string, Runs> = {
  "first token of a streamed run, from the start of its process": (place, { first }) =>
    onHost(place, "http", async ({ wire, started }) => {
      await firstToken(place, wire);
      first.push(performance.now() - started);
    }),
  "first token of a streamed run, its process has answered nothing yet": (place, times) =>
    onHost(place, "http", ({ wire }) => firstAndLater(times, () => firstToken(place, wire))),
  "creating a background run, its process has answered nothing yet": (place, times) =>
    onHost(place, "http", ({ wire }) => firstAndLater(times, () => creation(place, wire))),
  "creating a background run, half a second after another request": (place, times) =>
    onHost(place, "http", async ({ wire }) => {
      await wire.text("GET", "assistants?limit=1");
      await sleep(SETTLING);
      await firstAndLater(times, () => creation(place, wire));
    }),
};

const WORKER: Record<string, Runs> = {
  "background run in progress, from the start of its worker": async (place, { first }) => {
    const thread = await place.subject.thread();
    const sent = performance.now();
    const run = watchByPolling(place.subject.wire, thread, { assistant_id: place.assistant }, POLL);
    await sleep(SETTLING);
    await onHost(place, "worker", async ({ started }) => void first.push((await run).started - (started - sent)));
  },
  "background run in progress, its worker has driven nothing yet": (place, times) =>
    onHost(place, "worker", async () => {
      await sleep(SETTLING);
      await firstAndLater(times, async () => (await watched(place)).started);
    }),
  "background run completed, its worker has driven nothing yet": (place, times) =>
    onHost(place, "worker", async () => {
      await sleep(SETTLING);
      await firstAndLater(times, async () => (await watched(place)).completed);
    }),
};

async function rowsOn(
  bench: Bench,
  rounds: number,
  appDir: string,
  env: Record<string, string>,
  kinds: Record<string, Runs>,
): Promise<Cell[][]> {
  return onLocalStack({ appDir, env }, async (subject) => {
    const place = { subject, appDir, assistant: await subject.assistant("instant") };
    const measured = Object.entries(kinds).map(([name, runs]) => ({ name, runs, times: { first: [], later: [] } }));
    for (let round = 0; round < rounds; round++) {
      for (const { name, runs, times } of measured) {
        if (round === 0) bench.say(name);
        await runs(place, times);
      }
    }
    return measured.map(({ name, times: { first, later } }) => [
      name,
      first.length,
      median(first),
      Math.max(...first),
      later.length > 0 ? median(later) : "",
    ]);
  });
}

interface Fresh {
  wire: Wire;
  /** before the process; `performance.now()` */
  started: number;
}

/** Does the work on a process that has just been started for it. */
async function onHost({ subject, appDir }: Place, role: Role, work: (fresh: Fresh) => Promise<void>): Promise<void> {
  const started = performance.now();
  let host: StartedHost | undefined;
  let wire: Wire | undefined;
  try {
    host = await startHost(appDir, environment(subject.local), role);
    wire = new Wire(`${host.url}/v1`, subject.local.apiKey);
    await work({ wire, started });
  } finally {
    wire?.close();
    await host?.stop();
  }
}

async function firstAndLater({ first, later }: Times, once: () => Promise<number>): Promise<void> {
  first.push(await once());
  for (let run = 0; run < LATER_RUNS; run++) later.push(await once());
}

async function watched({ subject, assistant }: Place): Promise<Watched> {
  return watchByPolling(subject.wire, await subject.thread(), { assistant_id: assistant }, POLL);
}

/** Milliseconds until the first piece of the answer. Reads the stream to its end. */
async function firstToken({ subject, assistant }: Place, wire: Wire): Promise<number> {
  const thread = await subject.thread();
  const asked = performance.now();
  let first: number | undefined;
  const body = { assistant_id: assistant, stream: true };
  const stream = await wire.stream("POST", `threads/${thread}/runs`, body, (text) => {
    if (text.includes("event: thread.message.delta")) first ??= performance.now() - asked;
  });
  await stream.ended;
  if (first === undefined) throw new Error(`a run on ${thread} has said nothing`);
  return first;
}

async function creation({ subject, assistant }: Place, wire: Wire): Promise<number> {
  const thread = await subject.thread();
  const asked = performance.now();
  await createRun(wire, thread, { assistant_id: assistant });
  return performance.now() - asked;
}
