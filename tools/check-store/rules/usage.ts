/** What a run has used is what its steps have used. */
import { addUsage, NO_USAGE, type Usage } from "../../../src/resources/common.ts";
import { isTerminal } from "../../../src/resources/run.ts";
import type { Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";

export function* usageAddsUp(thread: ThreadSnapshot): Iterable<Finding> {
  for (const run of thread.runs) {
    const { id, status, usage, internal } = run;
    // While the model answers, its step is charged later than the run.
    if (!isTerminal(status) && status !== "requires_action") continue;
    const steps = thread.stepsOf(run);
    const sum = steps.map((step) => step.internal.usage).reduce(addUsage, NO_USAGE);
    if (!same(internal.usage, sum)) yield { id, detail: `used ${shown(internal.usage)}, its steps ${shown(sum)}` };
    if (usage !== null && !same(usage, internal.usage)) {
      yield { id, detail: `shows ${shown(usage)}, and used ${shown(internal.usage)}` };
    }
    for (const step of steps) {
      if (step.usage !== null && !same(step.usage, step.internal.usage)) {
        yield { id: step.id, detail: `shows ${shown(step.usage)}, and used ${shown(step.internal.usage)}` };
      }
    }
  }
}

const same = (a: Usage, b: Usage) =>
  a.prompt_tokens === b.prompt_tokens &&
  a.completion_tokens === b.completion_tokens &&
  a.total_tokens === b.total_tokens;

const shown = (usage: Usage) => `${usage.prompt_tokens}+${usage.completion_tokens}=${usage.total_tokens} tokens`;
