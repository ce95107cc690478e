/** What a model call used, put together from what its server tells and what this process counts. Pure. */
import type { ReportedUsage } from "../model/pieces.ts";
import type { Usage } from "../resources/common.ts";

/** What the server reports, and what was counted in place of what it does not. */
export function completeUsage(reported: ReportedUsage | undefined, counted: Usage): Usage {
  const prompt = reported?.prompt_tokens || counted.prompt_tokens;
  const completion = reported?.completion_tokens || counted.completion_tokens;
  const isReported = prompt === reported?.prompt_tokens && completion === reported?.completion_tokens;
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: (isReported ? reported.total_tokens : undefined) ?? prompt + completion,
  };
}
