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
    const hosted = tools.find(({ type }) => type !== "function");
    const canCall = tools.some(({ type }) => type === "function");
    if (hosted !== undefined && !canCall) throw hostedToolNotServed(hosted.type);
  }
  if (typeof choice === "object" && choice !== null && choice.type !== "function")
    throw hostedToolNotServed(choice.type);
}
