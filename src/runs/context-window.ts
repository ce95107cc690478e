/** Reads the part of a thread that the model gets: never more than the window needs, however long the thread is. */
import { countTokens } from "../model/tokens.ts";
import type { ModelRequest } from "../model/types.ts";
import { type MessageDoc, messageSort, type RunDoc, type StepDoc } from "../store/documents.ts";
import type { Partition } from "../store/partition.ts";
import { ALL_STEPS, LAST_SEQ, wholeRange } from "../store/ranges.ts";
import { charactersOf, modelRequest, Window, type WindowRoom, windowSize } from "./context.ts";
import type { OwnedRun } from "./owned-run.ts";
import type { Toolset } from "./tools/toolset.ts";

/** Messages of the first query: most threads have no more. */
const FIRST_PAGE = 100;

/**
 * Of the messages of one model call: a budget of tokens leaves room for hundreds of images as data, of a megabyte each.
 */
const MOST_CHARACTERS = 16 * 1_048_576;

/** Messages of any later query, if the window has room for so many. */
const LARGEST_PAGE = 1_000;

/** Steps of the runs in the window. A window with more tool calls than this loses the oldest of them. */
const MAX_STEPS = 1_000;

/** What the model is to get, and what that costs. */
export interface Context {
  request: ModelRequest;
  /** the run's own steps, whose calls the model's answer may cite */
  steps: StepDoc[];
  /** whether the run's budget for prompts has room for the instructions, the run's own calls and the newest message */
  fits: boolean;
  /** the tokens of the prompt by our own count, for servers that do not tell */
  countPrompt(): Promise<number>;
}

/**
 * `contextTokens`: how much of the thread fits if the run itself sets no bound. `window`: the messages, if they
 * are being read already.
 */
export async function readContext(
  owned: OwnedRun,
  toolset: Toolset,
  contextTokens: number,
  window?: Promise<MessageDoc[]>,
): Promise<Context> {
  const { run, partition } = owned;
  const isContinued = run.internal.turns > 0;
  const [messages, own, budget] = await Promise.all([
    window ?? readWindow(run, partition, contextTokens),
    isContinued ? readSteps(partition, [run.id]) : [],
    promptBudget(run),
  ]);
  const earlier = await readSteps(partition, runsWithTools(messages, run));
  const request = modelRequest(run, messages.toReversed(), [...own, ...earlier], toolset);
  return {
    request,
    steps: own,
    fits: (others(messages, run)[0]?.internal.tokens ?? 0) <= budget,
    countPrompt: () => countPrompt(run, request, others(messages, run)),
  };
}

/** Without the run's own: what it has said with its calls is counted with them (`tool_tokens`). */
const others = (messages: MessageDoc[], run: RunDoc) => messages.filter((message) => message.run_id !== run.id);

/** The messages were counted when they were written; how a server writes tools into its prompt is not known. */
async function countPrompt(run: RunDoc, { tools = [] }: ModelRequest, messages: MessageDoc[]): Promise<number> {
  const counts = await Promise.all(
    [run.instructions ?? "", tools.length > 0 ? JSON.stringify(tools) : ""].map(countTokens),
  );
  const counted = [...counts, run.internal.tool_tokens, ...messages.map(({ internal }) => internal.tokens)];
  return counted.reduce((sum, count) => sum + count, 0);
}

/** The messages that the run's next model call gets, newest first. */
export async function readWindow(run: RunDoc, partition: Partition, contextTokens: number): Promise<MessageDoc[]> {
  return readMessages(run, partition, await threadBudget(run, contextTokens));
}

/** How many tokens of the thread this call may have. */
const threadBudget = async (run: RunDoc, contextTokens: number) => Math.min(contextTokens, await promptBudget(run));

/**
 * What a budget for prompts leaves for the thread in this call: it bounds the sum of all calls (docs/contract.md 6.3).
 */
async function promptBudget(run: RunDoc): Promise<number> {
  if (run.max_prompt_tokens === null) return Number.POSITIVE_INFINITY;
  const { usage, tool_tokens: toolTokens } = run.internal;
  return run.max_prompt_tokens - usage.prompt_tokens - toolTokens - (await countTokens(run.instructions ?? ""));
}

/**
 * Newest first: the newest messages that fit. A thread that is cut by size also keeps its first message, which mostly
 * says what it is about (docs/contract.md 6.3); one cut by number does not.
 */
async function readMessages(run: RunDoc, partition: Partition, budget: number): Promise<MessageDoc[]> {
  const { type, last_messages: newest } = run.truncation_strategy;
  const limit = (type === "last_messages" ? newest : null) ?? Number.POSITIVE_INFINITY;
  const room = { tokens: budget, characters: MOST_CHARACTERS };
  const window = new Window(room);
  const found: MessageDoc[] = [];
  let below = messageSort(LAST_SEQ);
  for (;;) {
    // One more than wanted: what a dead attempt left of the message under way is about to be overwritten.
    const wanted = Math.min(pageSize(found, budget), limit - found.length + 1);
    const page = await partition.list<MessageDoc>(
      { range: { above: messageSort(""), below }, descending: true, limit: wanted },
      // What does not fit need not be read, nor anything before it: messages may be large.
      (message) => isSaid(message) && !window.takes(message),
    );
    found.push(...page.filter(isSaid));
    const oldest = page.at(-1);
    const { size } = window;
    if (size < found.length && size < limit) {
      return withFirst(await readFirst(partition), found.slice(0, size), room);
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

const isSaid = ({ status }: MessageDoc) => status !== "in_progress";

/** Makes room for the thread's first message, unless that would leave nothing else but the newest. */
function withFirst(first: MessageDoc | undefined, newest: MessageDoc[], room: WindowRoom): MessageDoc[] {
  if (first === undefined) return newest;
  const tokens = room.tokens - first.internal.tokens;
  const size = windowSize(newest, { tokens, characters: room.characters - charactersOf(first) });
  return size < 2 ? newest : [...newest.slice(0, size), first];
}

/**
 * The other runs whose answers are in the window and followed tool calls, newest first: no more than have steps in it.
 */
function runsWithTools(window: MessageDoc[], run: RunDoc): string[] {
  const ids = window.flatMap(({ internal, run_id: id }) =>
    (internal.follows_tools || internal.follows_hosted) && id !== null ? [id] : [],
  );
  return [...new Set(ids)].filter((id) => id !== run.id).slice(0, MAX_STEPS);
}

/** Tool calls of these runs, newest first. */
async function readSteps(partition: Partition, runIds: string[]): Promise<StepDoc[]> {
  if (runIds.length === 0) return [];
  return partition.list<StepDoc>({ range: ALL_STEPS, descending: true, limit: MAX_STEPS, runIds });
}
