/** Whether what clients were told is true, now that everything is quiet. */
import type OpenAI from "openai";
import type { Message } from "openai/resources/beta/threads/messages";
import { eachInLanes } from "../../../bench/lib/lanes.ts";
import { isOver, type KnownRun, type Memory, textOf } from "./memory.ts";
import type { Watchers } from "./watchers.ts";

/** Questions at a time. */
const LANES = 8;

export async function brokenPromises(client: OpenAI, memory: Memory, watchers: Watchers): Promise<string[]> {
  const problems: string[] = [];
  const known = [...memory.runs.values()];
  const threads = [...new Set(known.map((run) => run.threadId))];
  const messages = new Map<string, Message[]>();
  await eachInLanes(threads, LANES, async (id) => {
    const stored: Message[] = [];
    for await (const message of client.beta.threads.messages.list(id, { limit: 100 })) stored.push(message);
    messages.set(id, stored);
    problems.push(...memory.missing(id, stored));
  });
  await eachInLanes(known, LANES, async (run) => {
    problems.push(...(await complaints(client, memory, watchers, run, messages.get(run.threadId) ?? [])));
  });
  return [...problems, ...memory.contradictions, ...watchers.problems];
}

async function complaints(
  client: OpenAI,
  memory: Memory,
  watchers: Watchers,
  known: KnownRun,
  messages: Message[],
): Promise<string[]> {
  const { id, threadId, kind, text } = known;
  const about = `${id} (${kind}, thread ${threadId})`;
  const run = await client.beta.threads.runs.retrieve(id, { thread_id: threadId }).catch((error: Error) => error);
  if (run instanceof Error) return [`${about} is lost: ${run.message}`];
  memory.hear(run, kind);
  if (!isOver(run)) return [`${about} is still ${run.status}`];
  const heard = await watchers.complaints(run);
  if (heard.length > 0) return heard;
  if (run.status === "cancelled" && kind !== "cancelled") return [`${about} is cancelled, and nobody asked for that`];
  if (run.status !== "completed" || text === undefined) return [];
  const answers = messages.filter((message) => message.run_id === id);
  if (answers.length !== 1) return [`${about} has ${answers.length} answers`];
  return answers.every((answer) => textOf(answer) === text) ? [] : [`${about} does not say what the model said`];
}
