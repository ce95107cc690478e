/**
 * What an open stream takes of the app's memory: many slow ones at a time, counted after all garbage is collected. The
 * functions host runs in the same process, so the same is done with an app that does nothing.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inside } from "../lib/inside.ts";
import { inLanes } from "../lib/lanes.ts";
import type { Bench, Cell, Measurement, Outcome } from "../lib/measurement.ts";
import { onLocalStack, type Subject } from "../lib/subject.ts";
import type { OpenStream } from "../lib/wire.ts";
import { EMPTY_APP } from "../throughput/empty-app.ts";

/**
 * A token every ten seconds for longer than the measurement takes. With many more tokens, a thousand streams would be
 * about the work of saving them every second, and no longer about what each of them holds.
 */
const TOKENS = 60;
const TOKEN_MS = 10_000;

/** Long enough for every stream to be checkpointed several times. Milliseconds. */
const SETTLING = 5_000;

interface Memory {
  rss: number;
  heapUsed: number;
  external: number;
}

/** Opens a stream that goes on for minutes. */
type Open = (subject: Subject) => Promise<OpenStream>;

export const streams: Measurement = {
  name: "streams",
  title: "Memory of open streams",
  worksRemotely: false,
  async measure(bench) {
    const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-memory-"));
    try {
      return await measure(bench, path.join(folder, "app"), path.join(folder, "empty-app"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

async function measure(bench: Bench, log: string, emptyLog: string): Promise<Outcome> {
  const counts = bench.quick ? [100, 300] : [100, 1000];
  bench.say("Threadkeep");
  const app = await bench.onApp({ env: settings(log) }, async (subject) => {
    await warmUp(subject, "threads/runs", { assistant_id: await subject.assistant("instant"), stream: true });
    return memories(bench, subject, await slowRuns(subject), counts, log);
  });
  bench.say("an app that does nothing");
  const empty = await onLocalStack({ appDir: EMPTY_APP, env: settings(emptyLog) }, async (subject) => {
    await warmUp(subject, EMPTY_RUNS, {});
    return memories(bench, subject, () => subject.wire.stream("POST", `${EMPTY_RUNS}?slow`, {}), counts, emptyLog);
  });
  return outcomeOf(counts, app, empty);
}

const settings = (log: string) => ({ ...inside("collect-garbage"), MEMORY_LOG: log });

const EMPTY_RUNS = "threads/thread_000000000000000000000000/runs";

async function slowRuns(subject: Subject): Promise<Open> {
  const text = Array.from({ length: TOKENS }, () => "word ");
  const model = await subject.modelThat("a-token-every-ten-seconds", { text, tokenMs: TOKEN_MS });
  const body = { assistant_id: await subject.assistant(model), stream: true };
  return async () => subject.wire.stream("POST", `threads/${await subject.thread()}/runs`, body);
}

/** Lets the process do some work first: the memory that it takes for that must not be counted as the streams'. */
async function warmUp(subject: Subject, path: string, body: object): Promise<void> {
  await inLanes(500, 32, async () => void (await subject.wire.text("POST", path, body)));
}

/** With no stream open, and with each of these numbers of them. */
async function memories(bench: Bench, subject: Subject, open: Open, counts: number[], log: string): Promise<Memory[]> {
  const streams: OpenStream[] = [];
  const measured = [await settledMemory(subject, log)];
  for (const count of counts) {
    await inLanes(count - streams.length, 16, async () => {
      const stream = await open(subject);
      // The rejection of a stream that this program closes is no failure.
      stream.ended.catch(() => undefined);
      streams.push(stream);
    });
    bench.say(`${count} streams are open`);
    await sleep(SETTLING);
    measured.push(await settledMemory(subject, log));
  }
  for (const stream of streams) stream.close();
  return measured;
}

async function settledMemory({ local }: Subject, log: string): Promise<Memory> {
  const lines = () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : []);
  const before = lines().length;
  process.kill(local.processes.functions.pid ?? 0, "SIGUSR2");
  while (lines().length === before) await sleep(20);
  return JSON.parse(lines().at(-1) ?? "") as Memory;
}

function outcomeOf(counts: number[], app: Memory[], empty: Memory[]): Outcome {
  const each = (memories: Memory[], index: number, of: (memory: Memory) => number) => {
    const [idle, full] = [memories[0], memories[index + 1]];
    return idle && full ? (of(full) - of(idle)) / (counts[index] ?? 0) / 1024 : Number.NaN;
  };
  const rss = ({ rss }: Memory) => rss;
  const live = ({ heapUsed, external }: Memory) => heapUsed + external;
  const rows = counts.map((count, index): Cell[] => [
    `${count.toLocaleString("en-US")} streams`,
    (app[index + 1]?.rss ?? 0) / 2 ** 20,
    each(app, index, rss),
    each(empty, index, rss),
    each(app, index, live),
    each(empty, index, live),
  ]);
  const columns = [
    "open",
    "RSS in MB",
    "KB of RSS each",
    "of an empty app",
    "KB of heap and buffers each",
    "of an empty app",
  ];
  const last = counts.length - 1;
  return {
    tables: [{ title: "Memory of the app and its host", columns, rows }],
    goals: [{ text: "RSS per open stream", measured: each(app, last, rss), unit: "KB", bound: 200, kind: "at most" }],
    figures: [],
    notes: [
      `With none open the process has ${Math.round((app[0]?.rss ?? 0) / 2 ** 20)} MB. The local functions host, in the same process, hands each request on over a connection of its own: what an empty app's stream takes is its share and the library's.`,
    ],
  };
}
