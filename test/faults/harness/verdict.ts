/** Whether what clients were told is true, now that everything is quiet. */
import OpenAI from "openai";
import type { Message } from "openai/resources/beta/threads/messages";
import type { Run } from "openai/resources/beta/threads/runs/runs";
import { eachInLanes } from "../../../bench/lib/lanes.ts";
import { isOver, type KnownRun, type Memory, textOf } from "./memory.ts";
import { BEYOND, MARK } from "./model-scripts.ts";
import type { Watchers } from "./watchers.ts";

/** Questions at a time. */
const LANES = 8;

/** An answer beyond the bound keeps at least so many characters. */
const KEPT = 300_000;

/**
 * The share of the runs whose model says more than a run takes that may fail. A stream fails whose model falls silent after
 * it has begun, be it because its process was frozen; the size of the answer must fail none.
 */
const FAILED_BEYOND = 0.1;

export async function brokenPromises(client: OpenAI, memory: Memory, watchers: Watchers): Promise<string[]> {
  const problems: string[] = [];
  const known = [...memory.runs.values()];
  const beyond: Run[] = [];
  const threads = [...new Set(known.map((run) => run.threadId))];
  const messages = new Map<string, Message[]>();
  await eachInLanes(threads, LANES, async (id) => {
    const stored = await messagesOf(client, id);
    if (stored === undefined && !memory.deletedThreads.has(id)) problems.push(`${id} is lost`);
    if (stored === undefined) return;
    if (memory.deletedThreads.get(id) === "done") problems.push(`${id} is deleted, and its messages are served`);
    messages.set(id, stored);
    problems.push(...memory.missing(id, stored));
  });
  await eachInLanes(known, LANES, async (run) => {
    const stored = messages.get(run.threadId);
    if (stored !== undefined) problems.push(...(await complaints(client, memory, watchers, beyond, run, stored)));
  });
  const failed = beyond.filter(({ status }) => status === "failed");
  if (failed.length > Math.max(1, FAILED_BEYOND * beyond.length)) {
    const ids = failed.map(({ id }) => id).join(", ");
    problems.push(`${failed.length} of ${beyond.length} runs fail whose model says more than a run takes: ${ids}`);
  }
  return [...problems, ...memory.contradictions, ...watchers.problems];
}

/** Undefined if there is no such thread. */
async function messagesOf(client: OpenAI, threadId: string): Promise<Message[] | undefined> {
  const stored: Message[] = [];
  try {
    for await (const message of client.beta.threads.messages.list(threadId, { limit: 100 })) stored.push(message);
    return stored;
  } catch (error) {
    if (error instanceof OpenAI.NotFoundError) return undefined;
    throw error;
  }
}

async function complaints(
  client: OpenAI,
  memory: Memory,
  watchers: Watchers,
  beyond: Run[],
  known: KnownRun,
  messages: Message[],
): Promise<string[]> {
  const { id, threadId, kind } = known;
  const about = `${id} (${kind}, thread ${threadId})`;
  const run = await client.beta.threads.runs.retrieve(id, { thread_id: threadId }).catch((error: Error) => error);
  if (run instanceof Error) return [`${about} is lost: ${run.message}`];
  memory.hear(run, kind);
  if (!isOver(run)) return [`${about} is still ${run.status}`];
  const heard = await watchers.complaints(run);
  if (heard.length > 0) return heard;
  if (run.status === "cancelled" && !kind.endsWith("cancelled"))
    return [`${about} is cancelled, and no client asked for that`];
  const answers = messages.filter((message) => message.run_id === id);
  if (BEYOND.some((model) => run.model.startsWith(`${model}${MARK}`))) {
    beyond.push(run);
    return complaintsBeyond(run, answers, known.text).map((complaint) => `${about} ${complaint}`);
  }
  if (run.status !== "completed" || known.text === undefined || memory.touchedThreads.has(threadId)) return [];
  if (answers.length !== 1) return [`${about} has ${answers.length} answers`];
  return answers.every((answer) => textOf(answer) === known.text) ? [] : [`${about} does not say what the model said`];
}

/** Of a run whose model says more than a run takes. */
function complaintsBeyond(run: Run, answers: Message[], text?: string): string[] {
  const { status, incomplete_details: details } = run;
  if (status === "expired" || status === "failed") return [];
  if (status !== "incomplete" || details?.reason !== "max_completion_tokens") {
    const why = details?.reason ?? run.last_error?.message;
    return [`is ${status} (${why}), though its model says more than a run takes`];
  }
  if (text === undefined) return [];
  const [answer] = answers;
  if (answer === undefined || answers.length > 1) return [`has ${answers.length} answers`];
  const kept = textOf(answer);
  if (answer.status !== "incomplete" || answer.incomplete_details?.reason !== "max_tokens") {
    return [`has a message that is ${answer.status} (${answer.incomplete_details?.reason})`];
  }
  return text.startsWith(kept) && kept.length >= KEPT ? [] : [`keeps ${kept.length} characters of its answer`];
}
