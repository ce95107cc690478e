/** Reads the part of a thread that the model gets: never more than the window needs, however long the thread is. */
import { countTokens } from "../model/tokens.ts";
import type { ModelRequest } from "../model/types.ts";
import { type MessageDoc, messageSort, type RunDoc, type StepDoc } from "../store/documents.ts";
import type { Partition } from "../store/partition.ts";
import { ALL_STEPS, LAST_SEQ, wholeRange } from "../store/ranges.ts";
import { modelRequest, windowSize } from "./context.ts";
import type { OwnedRun } from "./owned-run.ts";

/** Messages of the first query: most threads have no more. */
const FIRST_PAGE = 100;

/** Messages of any later query, if the window has room for so many. */
const LARGEST_PAGE = 1_000;

/** Steps of the runs in the window. A window with more tool calls than this loses the oldest of them. */
const MAX_STEPS = 1_000;

/**
 * `contextTokens`: how much of the thread fits if the run itself sets no bound. `window`: the messages, if they
 * are being read already.
 */
export async function readContext(
  owned: OwnedRun,
  contextTokens: number,
  window?: Promise<MessageDoc[]>,
): Promise<ModelRequest> {
  const { run, partition } = owned;
  const isContinued = run.internal.turns > 0;
  const [messages, own] = await Promise.all([
    window ?? readWindow(run, partition, contextTokens),
    isContinued ? readSteps(partition, [run.id]) : [],
  ]);
  const others = await readSteps(partition, runsWithTools(messages, run));
  return modelRequest(run, messages.toReversed(), [...own, ...others]);
}

/** The messages that the run's next model call gets, newest first. */
export async function readWindow(run: RunDoc, partition: Partition, contextTokens: number): Promise<MessageDoc[]> {
  return readMessages(run, partition, await threadBudget(run, contextTokens));
}

/**
 * What a budget for prompts leaves for the thread in this call: it bounds the sum of all calls (docs/contract.md 6.3).
 */
async function threadBudget(run: RunDoc, contextTokens: number): Promise<number> {
  if (run.max_prompt_tokens === null) return contextTokens;
  const { usage, tool_tokens: toolTokens } = run.internal;
  const fixed = (await countTokens(run.instructions ?? "")) + toolTokens;
  return Math.min(contextTokens, run.max_prompt_tokens - usage.prompt_tokens - fixed);
}

/**
 * Newest first: the newest messages that fit. A thread that is cut by size also keeps its first message, which mostly
 * says what it is about (docs/contract.md 6.3); one cut by number does not.
 */
async function readMessages(run: RunDoc, partition: Partition, budget: number): Promise<MessageDoc[]> {
  const limit = run.truncation_strategy.last_messages ?? Number.POSITIVE_INFINITY;
  const found: MessageDoc[] = [];
  let below = messageSort(LAST_SEQ);
  for (;;) {
    // One more than wanted: what a dead attempt left of the message under way is about to be overwritten.
    const wanted = Math.min(pageSize(found, budget), limit - found.length + 1);
    const page = await partition.list<MessageDoc>({
      range: { above: messageSort(""), below },
      descending: true,
      limit: wanted,
    });
    found.push(...page.filter((message) => message.status !== "in_progress"));
    const oldest = page.at(-1);
    const size = windowSize(found, budget);
    if (size < found.length && size < limit) {
      return withFirst(await readFirst(partition), found.slice(0, size), budget);
    }
    if (oldest === undefined || page.length < wanted || found.length >= limit) return found.slice(0, limit);
    below = oldest.internal.sort;
  }
}

/**
 * What the rest of the window probably holds, by the messages found so far, and a tenth more: a query less is faster.
 */
function pageSize(found: MessageDoc[], budget: number): number {
  if (found.length === 0) return FIRST_PAGE;
  const used = found.reduce((sum, { internal }) => sum + internal.tokens, 0);
  const expected = (1.1 * (budget - used)) / Math.max(used / found.length, 1);
  return Math.ceil(Math.min(Math.max(expected, FIRST_PAGE), LARGEST_PAGE));
}

async function readFirst(partition: Partition): Promise<MessageDoc | undefined> {
  const [first] = await partition.list<MessageDoc>({ range: wholeRange(messageSort), descending: false, limit: 1 });
  return first;
}

/** Makes room for the thread's first message, unless that would leave nothing else but the newest. */
function withFirst(first: MessageDoc | undefined, newest: MessageDoc[], budget: number): MessageDoc[] {
  if (first === undefined) return newest;
  const size = windowSize(newest, budget - first.internal.tokens);
  return size < 2 ? newest : [...newest.slice(0, size), first];
}

/**
 * The other runs whose answers are in the window and followed tool calls, newest first: no more than have steps in it.
 */
function runsWithTools(window: MessageDoc[], run: RunDoc): string[] {
  const ids = window.flatMap(({ internal, run_id: id }) => (internal.follows_tools && id !== null ? [id] : []));
  return [...new Set(ids)].filter((id) => id !== run.id).slice(0, MAX_STEPS);
}

/** Tool calls of these runs, newest first. */
async function readSteps(partition: Partition, runIds: string[]): Promise<StepDoc[]> {
  if (runIds.length === 0) return [];
  return partition.list<StepDoc>({ range: ALL_STEPS, descending: true, limit: MAX_STEPS, runIds });
}
