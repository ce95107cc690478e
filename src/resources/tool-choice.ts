/** What a run may be forced to do (docs/contract.md 6.1). */
import type { Tool } from "./common.ts";
import { hostedToolNotServed } from "./errors.ts";
import type { ToolChoice } from "./run.ts";

/**
 * Throws the 400 for a choice that the run could not keep: it would end as if the tool had been used. A tool that the
 * run may use, and need not, is no trouble.
 */
export function assertChoosable(choice: ToolChoice | null | undefined, tools: Tool[]): void {
  if (choice === "required") {
    const unserved = tools.find((tool) => !isServed(tool));
    if (unserved !== undefined && !tools.some(isServed)) throw hostedToolNotServed(unserved.type);
  }
  if (typeof choice === "object" && choice !== null && !isServed(choice)) throw hostedToolNotServed(choice.type);
}

/** Whether the model is offered such a tool. */
const isServed = ({ type }: { type: Tool["type"] }) => type !== "code_interpreter";
