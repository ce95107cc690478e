/** What an open stream takes of the app's memory: many slow ones at a time, counted after all garbage is collected. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { inside } from "../lib/inside.ts";
import { inLanes } from "../lib/lanes.ts";
import type { Bench, Cell, Measurement, Outcome } from "../lib/measurement.ts";
import type { Subject } from "../lib/subject.ts";
import type { OpenStream } from "../lib/wire.ts";

/** One token a second for longer than the measurement takes. */
const TOKENS = 600;
const TOKEN_MS = 1000;

/** Long enough for every stream to be checkpointed several times. Milliseconds. */
const SETTLING = 5_000;

interface Memory {
  rss: number;
  heapUsed: number;
  external: number;
}

export const streams: Measurement = {
  name: "streams",
  title: "Memory of open streams",
  worksRemotely: false,
  async measure(bench) {
    const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-memory-"));
    const log = path.join(folder, "memory");
    const env = { ...inside("collect-garbage"), MEMORY_LOG: log };
    try {
      return await bench.onApp({ env }, (subject) => measure(bench, subject, log));
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
};

async function measure(bench: Bench, subject: Subject, log: string): Promise<Outcome> {
  const text = Array.from({ length: TOKENS }, () => "word ");
  const slow = await subject.assistant(await subject.modelThat("one-token-a-second", { text, tokenMs: TOKEN_MS }));
  await warmUp(bench, subject);
  const open: OpenStream[] = [];
  const idle = await settledMemory(subject, log);
  const rows: Cell[][] = [["none", mib(idle.rss), mib(idle.heapUsed), "", ""]];
  let perStream = Number.NaN;
  for (const count of bench.quick ? [100, 300] : [100, 1000]) {
    bench.say(`${count} streams`);
    await openUpTo(count, open, subject, slow);
    await sleep(SETTLING);
    const memory = await settledMemory(subject, log);
    perStream = (memory.rss - idle.rss) / count / 1024;
    const heap = (memory.heapUsed + memory.external - idle.heapUsed - idle.external) / count / 1024;
    rows.push([`${count} streams`, mib(memory.rss), mib(memory.heapUsed), perStream, heap]);
  }
  for (const stream of open) stream.close();
  const columns = ["open", "RSS MiB", "heap MiB", "KB of RSS per stream", "KB of heap and buffers per stream"];
  return {
    tables: [{ title: "Memory of the app and its host", columns, rows }],
    goals: [{ text: "memory per open stream", measured: perStream, unit: "KB", bound: 200, kind: "at most" }],
    figures: [],
    notes: [
      "A stream's share of the local functions host is in these figures: it hands each request on over a connection of its own, in the same process.",
    ],
  };
}

/** A process grows with its first work, whatever it is: that is no stream's share. */
async function warmUp(bench: Bench, subject: Subject): Promise<void> {
  const assistant = await subject.assistant("instant");
  await inLanes(bench.quick ? 100 : 500, 32, async () => {
    const body = { assistant_id: assistant, stream: true };
    await (await subject.wire.stream("POST", `threads/${await subject.thread()}/runs`, body)).ended;
  });
}

async function openUpTo(count: number, open: OpenStream[], subject: Subject, assistant: string): Promise<void> {
  await inLanes(count - open.length, 16, async () => {
    const body = { assistant_id: assistant, stream: true };
    const stream = await subject.wire.stream("POST", `threads/${await subject.thread()}/runs`, body);
    // It ends when we close it, which is no failure.
    stream.ended.catch(() => undefined);
    open.push(stream);
  });
}

async function settledMemory({ local }: Subject, log: string): Promise<Memory> {
  const lines = () => (existsSync(log) ? readFileSync(log, "utf8").split("\n").slice(0, -1) : []);
  const before = lines().length;
  process.kill(local.processes.functions.pid ?? 0, "SIGUSR2");
  while (lines().length === before) await sleep(20);
  return JSON.parse(lines().at(-1) ?? "") as Memory;
}

const mib = (bytes: number) => bytes / 2 ** 20;
