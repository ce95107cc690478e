/**
 * The functions host runs in the process of the app, so what the app itself uses shows only in comparison: with an app
 * that does nothing, under the same host, asked as often and answering as much.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { ServiceBusClient, type ServiceBusSender } from "@azure/service-bus";
import { inLanes } from "../lib/lanes.ts";
import { cpuTime } from "../lib/processes.ts";
import { createRun, getRun } from "../lib/runs.ts";
import { onLocalStack, type Subject } from "../lib/subject.ts";
import type { Wire } from "../lib/wire.ts";
import type { Mode } from "./modes.ts";
import { Pollster } from "./pollster.ts";

export const EMPTY_APP = path.join(import.meta.dirname, "..", "empty-app");
const QUEUE = "runs";
const LANES = 32;

/** What Threadkeep answers to a run's requests. */
export interface Answers {
  created: string;
  polled: string;
  streamed: string;
  pieces: number;
}

export async function takeDown(subject: Subject, assistant: string): Promise<Answers> {
  const { wire } = subject;
  const thread = await subject.thread();
  const run = await createRun(wire, thread, { assistant_id: assistant });
  await new Pollster(1).settled(wire, thread, run);
  const polled = await getRun(wire, thread, run.id);
  const body = { assistant_id: assistant, stream: true };
  const stream = await wire.stream("POST", `threads/${await subject.thread()}/runs`, body);
  const { text, pieces } = await stream.ended;
  return { created: JSON.stringify(run), polled: JSON.stringify(polled), streamed: text, pieces };
}

/** Does the work on a stack whose app does nothing. */
export async function onEmptyApp<Result>(answers: Answers, work: (subject: Subject) => Promise<Result>) {
  const folder = mkdtempSync(path.join(tmpdir(), "threadkeep-bench-"));
  const file = path.join(folder, "answers.json");
  writeFileSync(file, JSON.stringify(answers));
  try {
    return await onLocalStack({ appDir: EMPTY_APP, env: { EMPTY_APP_ANSWERS: file } }, work);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The CPU time that the host of the empty app uses for what runs of this kind ask of it, in milliseconds per run. */
export async function emptyHostCpu(subject: Subject, mode: Mode, runs: number, pollsPerRun: number): Promise<number> {
  const client = new ServiceBusClient(subject.local.serviceBus.connectionString);
  const sender = client.createSender(QUEUE);
  const ask = (index: number) => askLikeARun(subject.wire, sender, mode, pollsOf(index, pollsPerRun));
  try {
    await inLanes(LANES * 3, LANES, ask);
    const { pid = 0 } = subject.local.processes.functions;
    const before = cpuTime(pid);
    await inLanes(runs, LANES, ask);
    await untilTaken(subject);
    return (cpuTime(pid) - before) / runs;
  } finally {
    await client.close();
  }
}

/** Whole numbers whose mean is `perRun`. */
const pollsOf = (index: number, perRun: number) => Math.floor((index + 1) * perRun) - Math.floor(index * perRun);

async function askLikeARun(wire: Wire, sender: ServiceBusSender, mode: Mode, polls: number): Promise<void> {
  const path = "threads/thread_000000000000000000000000/runs";
  const body = { assistant_id: "asst_000000000000000000000000", stream: mode.requests.streams > 0 };
  const run = `${path}/run_000000000000000000000000`;
  const { streams, creations, submissions, wakeUps } = mode.requests;
  for (let i = 0; i < streams; i++) await (await wire.stream("POST", `${path}?streamed`, body)).ended;
  for (let i = 0; i < creations; i++) await wire.text("POST", path, body);
  for (let i = 0; i < polls; i++) await wire.text("GET", run);
  const outputs = { tool_outputs: [{ tool_call_id: "call_000000000000000000000000", output: "22 degrees and sunny" }] };
  for (let i = 0; i < submissions; i++) await wire.text("POST", `${run}/submit_tool_outputs`, outputs);
  // Sent from here: sending is the app's own work, receiving is the host's.
  const job = { tenant: "local", thread: "thread_000000000000000000000000", run: "run_000000000000000000000000" };
  for (let i = 0; i < wakeUps; i++) await sender.sendMessages({ body: job, contentType: "application/json" });
}

interface QueueState {
  name: string;
  active: number;
}

/** Resolves when the host has taken every wake-up. */
async function untilTaken(subject: Subject): Promise<void> {
  const url = `${subject.local.serviceBus.controlUrl}/_local/queues`;
  for (;;) {
    const { queues } = (await (await fetch(url)).json()) as { queues: QueueState[] };
    if (queues.every(({ active }) => active === 0)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
