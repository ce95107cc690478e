/** Users of a healthy app, and how long it takes to answer them. */
import { setTimeout as sleep } from "node:timers/promises";
import type OpenAI from "openai";
import type { Run } from "openai/resources/beta/threads/runs/runs";

/** Told in turn. */
export const STORIES = ["background", "streamed", "tools", "background", "cancelled", "streamed"] as const;
export type StoryName = (typeof STORIES)[number];

export interface Load {
  client: OpenAI;
  assistants: { talking: string; long: string; calling: string };
  /** latencies in milliseconds, for the caller to summarise */
  creates: number[];
  polls: number[];
  /** runs by their story and end */
  endings: Record<string, number>;
  problems: string[];
}

const EXPECTED: Record<StoryName, Run["status"]> = {
  background: "completed",
  streamed: "completed",
  tools: "completed",
  cancelled: "cancelled",
};

const POLL_INTERVAL = 250;
/** Milliseconds. */
const PATIENCE = 60_000;

/** One run on a thread of its own, which is deleted afterwards. Never throws. */
export async function tellStory(load: Load, name: StoryName): Promise<void> {
  try {
    const { threads } = load.client.beta;
    const thread = await threads.create({ messages: [{ role: "user", content: "Please lookup." }] });
    const { status } = await runOf(load, name, thread.id);
    await threads.delete(thread.id);
    const ending = `${name} ${status}`;
    load.endings[ending] = (load.endings[ending] ?? 0) + 1;
    if (status !== EXPECTED[name]) load.problems.push(`a ${name} run ended ${status}`);
  } catch (error) {
    load.problems.push(`${name}: ${error}`);
  }
}

async function runOf(load: Load, name: StoryName, threadId: string): Promise<Run> {
  const { client, assistants, creates } = load;
  const { runs } = client.beta.threads;
  const inThread = { thread_id: threadId };
  if (name === "streamed") return runs.stream(threadId, { assistant_id: assistants.talking }).finalRun();
  const assistant = name === "tools" ? assistants.calling : name === "cancelled" ? assistants.long : assistants.talking;
  const created = await timed(creates, () => runs.create(threadId, { assistant_id: assistant }));
  if (name === "cancelled") {
    await sleep(3 * POLL_INTERVAL);
    await runs.cancel(created.id, inThread);
  }
  const run = await pollWhile(load, created, ["queued", "in_progress", "cancelling"]);
  if (run.status !== "requires_action") return run;
  const calls = run.required_action?.submit_tool_outputs.tool_calls ?? [];
  const outputs = calls.map(({ id }) => ({ tool_call_id: id, output: "done" }));
  const resumed = await runs.submitToolOutputs(run.id, { ...inThread, tool_outputs: outputs });
  return pollWhile(load, resumed, ["queued", "in_progress"]);
}

async function pollWhile({ client, polls }: Load, first: Run, statuses: Run["status"][]): Promise<Run> {
  let run = first;
  for (const end = Date.now() + PATIENCE; statuses.includes(run.status); ) {
    if (Date.now() > end) throw new Error(`${run.id} is still ${run.status}`);
    await sleep(POLL_INTERVAL);
    run = await timed(polls, () => client.beta.threads.runs.retrieve(run.id, { thread_id: run.thread_id }));
  }
  return run;
}

async function timed<T>(latencies: number[], call: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await call();
  latencies.push(performance.now() - started);
  return result;
}
