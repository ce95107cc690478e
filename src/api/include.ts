/** What a client may ask for beside what a step always shows: the texts that a search has found. */
import { z } from "zod";
import { type RunStep, withoutContents } from "../resources/step.ts";
import type { RunEvent } from "../runs/events.ts";

const CONTENTS = "step_details.tool_calls[*].file_search.results[*].content";

/** Read from a query by `readQuery`, in all its spellings (docs/contract.md 1.5). */
export const includeQuery = z.object({
  include: z
    .array(z.literal(CONTENTS))
    .optional()
    .describe("The texts that searches have found are shown only where they are asked for"),
});
export type Include = z.output<typeof includeQuery>;

const includesContents = ({ include }: Include) => include !== undefined && include.length > 0;

export const shownStep = (step: RunStep, query: Include): RunStep =>
  includesContents(query) ? step : withoutContents(step);

/** An event of a run as a client is told it. */
export function shownEvent({ event, data }: RunEvent, query: Include): RunEvent {
  const isStep = event.startsWith("thread.run.step.") && !event.endsWith(".delta");
  return isStep && !includesContents(query) ? { event, data: withoutContents(data as RunStep) } : { event, data };
}
