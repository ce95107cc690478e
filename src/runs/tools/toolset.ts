/** The hosted tools that a run may use, under the names that its model knows them by. Pure. */
import type { ChatCompletionFunctionTool } from "openai/resources/chat/completions";
import { isFunctionCall } from "../../resources/step.ts";
import type { RunDoc, StepDoc, ThreadDoc } from "../../store/documents.ts";
import type { Marker } from "../citations.ts";
import type { HostedTool, PastCall } from "./hosted-tool.ts";

export class Toolset {
  readonly #run: RunDoc;
  readonly #byName = new Map<string, HostedTool>();

  /** `hosted`: those that this build serves. */
  constructor(run: RunDoc, hosted: readonly HostedTool[]) {
    this.#run = run;
    const owned = new Set(run.tools.flatMap((tool) => (tool.type === "function" ? [tool.function.name] : [])));
    for (const tool of hosted) {
      if (!run.tools.some(({ type }) => type === tool.type)) continue;
      this.#byName.set(freeName(tool.names, owned), tool.forDrive?.() ?? tool);
    }
  }

  get isEmpty(): boolean {
    return this.#byName.size === 0;
  }

  get tools(): HostedTool[] {
    return [...this.#byName.values()];
  }

  /** The tool behind a function that the model has called. */
  named(name: string): HostedTool | undefined {
    return this.#byName.get(name);
  }

  /** What the model knows a tool by; undefined if the run does not have it. */
  nameOf(type: string): string | undefined {
    return [...this.#byName].find(([, tool]) => tool.type === type)?.[0];
  }

  /** What a text may cite of the calls in these steps of the run, and of what its thread knows. */
  markers(steps: StepDoc[], thread?: ThreadDoc): Marker[] {
    const calls = steps.flatMap(pastCalls);
    return this.tools.flatMap((tool) => {
      const own = calls.filter(({ call }) => call.type === tool.type);
      return tool.markers(own, thread);
    });
  }

  get definitions(): ChatCompletionFunctionTool[] {
    return [...this.#byName].map(([name, tool]) => ({
      type: "function",
      function: { name, ...tool.offered(this.#run) },
    }));
  }
}

/** The first of the names that no function of the client's has. */
function freeName([first, second]: HostedTool["names"], owned: Set<string>): string {
  let name = owned.has(first) ? second : first;
  for (let number = 2; owned.has(name); number++) name = `${second}_${number}`;
  return name;
}

/** The calls of hosted tools in a step, with what the model reads of them. */
function pastCalls({ step_details: details, internal }: StepDoc): PastCall[] {
  if (details.type !== "tool_calls") return [];
  return details.tool_calls.flatMap((call) => {
    const record = internal.hosted?.find(({ id }) => id === call.id);
    return isFunctionCall(call) || record === undefined ? [] : [{ call, record }];
  });
}

/** Of a run without hosted tools. */
export const noToolset = (run: RunDoc) => new Toolset(run, []);
