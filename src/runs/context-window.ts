/** Reads the part of a thread that the model gets: never more than the window needs, however long the thread is. */
import type { ModelRequest } from "../model/client.ts";
import { type MessageDoc, messageSort, type StepDoc, stepSort } from "../store/documents.ts";
import { LAST_SEQ } from "../store/ranges.ts";
import { modelRequest, windowSize } from "./context.ts";
import type { OwnedRun } from "./owned-run.ts";

/** Messages a query: one is enough for most threads. */
const PAGE = 100;

/** `contextTokens`: how much of the thread fits if the run itself sets no bound. */
export async function readContext(owned: OwnedRun, contextTokens: number): Promise<ModelRequest> {
  const steps = await readSteps(owned);
  const messages = await readWindow(owned, contextTokens);
  return modelRequest(owned.run, messages.reverse(), steps);
}

/** The newest messages, newest first. */
async function readWindow({ run, partition }: OwnedRun, contextTokens: number): Promise<MessageDoc[]> {
  const limit = run.truncation_strategy.last_messages ?? Number.POSITIVE_INFINITY;
  const budget = Math.min(contextTokens, run.max_prompt_tokens ?? Number.POSITIVE_INFINITY);
  const found: MessageDoc[] = [];
  let below = messageSort(LAST_SEQ);
  for (;;) {
    const page = await partition.list<MessageDoc>({
      range: { above: messageSort(""), below },
      descending: true,
      limit: Math.min(PAGE, limit - found.length),
    });
    // What a dead attempt left of the message under way is about to be overwritten.
    found.push(...page.filter((message) => message.status !== "in_progress"));
    const oldest = page.at(-1);
    const size = windowSize(found, budget);
    if (size < found.length || oldest === undefined || page.length < PAGE || found.length >= limit) {
      return found.slice(0, size);
    }
    below = oldest.internal.sort;
  }
}

/** The run's own steps: there are none before its first model call has ended. */
async function readSteps({ run, partition }: OwnedRun): Promise<StepDoc[]> {
  if (run.internal.turns === 0) return [];
  return partition.list<StepDoc>({
    range: { above: stepSort(run.id, ""), below: stepSort(run.id, LAST_SEQ) },
    descending: false,
    limit: 1_000,
  });
}
