/** What hosted tools have done for one model call. */
import { countTokens } from "../../model/tokens.ts";
import type { DoneCall, HostedResults, HostedTool } from "./hosted-tool.ts";

export interface HostedWork {
  /** what the batch that stores the results sets in `internal` of the thread's document */
  thread: HostedResults["thread"];
  /** tokens of what the model is to read of the results */
  tokens: number;
  /** tokens of what it wrote or is to read that no later run gets */
  passing: number;
  /** how many of these there are: 1, or 0 for a model call without hosted tools */
  turns: number;
  /** files of images that the next message of the run begins with */
  images: string[];
}

export const NO_WORK: HostedWork = { thread: {}, tokens: 0, passing: 0, turns: 0, images: [] };

/** What came of the calls of one tool, or the sum of several. */
export async function workOf(tool: HostedTool, { thread, done, images = [] }: HostedResults): Promise<HostedWork> {
  const counts = await Promise.all(done.map((each) => countTokens(outputOf(tool, each))));
  const tokens = counts.reduce((sum, count) => sum + count, 0);
  return { thread, tokens, passing: tool.isReplayed ? 0 : tokens, turns: 1, images };
}

const outputOf = (tool: HostedTool, { call, record }: DoneCall) =>
  tool.output(call, { id: call.id, name: "", arguments: "", ...record });

export const together = (works: HostedWork[]): HostedWork =>
  works.reduce(
    (a, b) => ({
      thread: { ...a.thread, ...b.thread },
      tokens: a.tokens + b.tokens,
      passing: a.passing + b.passing,
      images: [...a.images, ...b.images],
      turns: 1,
    }),
    NO_WORK,
  );
