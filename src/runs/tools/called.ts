/** The calls of one model call: functions of the client's, and those of hosted tools with what came of them. */
import type { FunctionToolCall, HostedToolCall, ToolCall } from "../../resources/step.ts";
import type { HostedRecord, RunDoc } from "../../store/documents.ts";
import { CallSorter, type SortedCall } from "../calls.ts";
import type { AskedCall, DoneCall, HostedTool } from "./hosted-tool.ts";
import type { Toolset } from "./toolset.ts";

export class Called {
  readonly #run: RunDoc;
  readonly #toolset: Toolset;
  readonly #done = new Map<string, DoneCall>();
  readonly sorter = new CallSorter();

  constructor(run: RunDoc, toolset: Toolset) {
    this.#run = run;
    this.#toolset = toolset;
  }

  /** A call that has its name and place, as clients hear of it first, if a hosted tool is to do it. */
  opened({ name, told }: SortedCall): HostedToolCall | undefined {
    return this.#toolset.named(name)?.opened(this.#run, told?.id ?? "");
  }

  isHosted = ({ name }: SortedCall): boolean => this.#toolset.named(name) !== undefined;

  /** As the step shows them. */
  get all(): ToolCall[] {
    return this.sorter.told.map(
      (call) => this.#done.get(call.told?.id ?? "")?.call ?? this.opened(call) ?? plain(call),
    );
  }

  /** Those that hosted tools are to do, by tool. */
  get hosted(): Map<HostedTool, AskedCall[]> {
    const byTool = new Map<HostedTool, AskedCall[]>();
    for (const { name, told, arguments: text } of this.sorter.told) {
      const tool = this.#toolset.named(name);
      if (tool === undefined) continue;
      byTool.set(tool, [...(byTool.get(tool) ?? []), { id: told?.id ?? "", name, arguments: text }]);
    }
    return byTool;
  }

  finish(done: DoneCall[]): void {
    for (const each of done) this.#done.set(each.call.id, each);
  }

  /** What the model is to read of the calls that are done. */
  get records(): HostedRecord[] {
    return [...this.hosted.values()].flat().flatMap((call) => {
      const done = this.#done.get(call.id);
      return done === undefined ? [] : [{ ...call, ...done.record }];
    });
  }
}

const plain = ({ told, name, arguments: text }: SortedCall): FunctionToolCall => ({
  id: told?.id ?? "",
  type: "function",
  function: { name, arguments: text, output: null },
});
