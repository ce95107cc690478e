/** Later runs of a thread read some of what a run's tools were asked and said: not the results of searches. Pure. */
import type { RunDoc } from "../../store/documents.ts";

/** What the run's tool calls cost in the prompts of later runs. */
export const replayedTokens = ({ internal }: RunDoc) => internal.tool_tokens - (internal.passing_tokens ?? 0);
