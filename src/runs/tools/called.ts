/** The calls of one model call: functions of the client's, and those of hosted tools with what came of them. */
import type { CodeOutput, FunctionToolCall, HostedToolCall, ToolCall } from "../../resources/step.ts";
import { isFunctionCall } from "../../resources/step.ts";
import type { HostedRecord, RunDoc, StepDoc } from "../../store/documents.ts";
import { CallSorter, type SortedCall } from "../calls.ts";
import type { CodeStream } from "../code-stream.ts";
import type { AskedCall, DoneCall, HostedTool, PastCall } from "./hosted-tool.ts";
import type { Toolset } from "./toolset.ts";

export class Called {
  readonly #run: RunDoc;
  readonly #toolset: Toolset;
  readonly #done = new Map<string, DoneCall>();
  /** of the calls whose code clients see while it is written */
  readonly #codes = new Map<SortedCall, CodeStream>();
  #isStored = false;
  /** stored calls that no tool of this deployment does: they stay as they are */
  readonly #unserved = new Map<string, PastCall>();
  readonly sorter = new CallSorter();

  constructor(run: RunDoc, toolset: Toolset) {
    this.#run = run;
    this.#toolset = toolset;
  }

  /** A call that has its name and place, as clients know it so far, if a hosted tool is to do it. */
  opened(call: SortedCall): HostedToolCall | undefined {
    const code = this.#codes.get(call)?.code ?? "";
    return this.#toolset.named(call.name)?.opened(this.#run, call.told?.id ?? "", code);
  }

  /** The code that clients are to see of a call now that its arguments go on with this; "" if they see none. */
  newCode(call: SortedCall, text: string): string {
    const code = this.#codes.get(call) ?? this.#toolset.named(call.name)?.reader?.();
    if (code === undefined) return "";
    this.#codes.set(call, code);
    return code.push(text);
  }

  /** The arguments are whole: they count for more than what was shown of them. */
  close(): void {
    for (const [call, code] of this.#codes) code.close(call.arguments);
  }

  isHosted = ({ name }: SortedCall): boolean => this.#toolset.named(name) !== undefined;

  /** As the step shows them. */
  get all(): ToolCall[] {
    return this.sorter.told.map(
      (call) =>
        (this.#done.get(call.told?.id ?? "") ?? this.#unserved.get(call.told?.id ?? ""))?.call ??
        this.opened(call) ??
        plain(call),
    );
  }

  /** A stored call that no tool of this deployment does, if there is one. */
  get unserved(): HostedToolCall | undefined {
    return [...this.#unserved.values()][0]?.call;
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

  /** From now on the records hold what another driver needs to do the calls. */
  store(): void {
    this.#isStored = true;
  }

  get isStored(): boolean {
    return this.#isStored;
  }

  /** What the model is to read of the calls that are done; once they are stored, of those as well that are not. */
  get records(): HostedRecord[] {
    const served = [...this.hosted].flatMap(([tool, calls]) =>
      calls.flatMap((call) => {
        const done = this.#done.get(call.id);
        if (done === undefined && !this.#isStored) return [];
        // What the step shows of the call need not be stored twice.
        const written = tool.written === undefined ? call.arguments : "";
        return [{ ...call, arguments: written, ...done?.record }];
      }),
    );
    return [...served, ...[...this.#unserved.values()].map(({ record }) => record)];
  }

  /** What code has put out, with the places of its call and of the output. */
  get outputs(): { place: number; index: number; output: CodeOutput }[] {
    return this.all.flatMap((call, place) =>
      call.type === "code_interpreter"
        ? call.code_interpreter.outputs.map((output, index) => ({ place, index, output }))
        : [],
    );
  }

  /** The calls of a stored step, as they were when it was stored. Throws if one is stored without its record. */
  restore({ step_details: details, internal }: StepDoc): void {
    this.#isStored = true;
    for (const call of details.type === "tool_calls" ? details.tool_calls : []) {
      const record = internal.hosted?.find(({ id }) => id === call.id);
      const name = isFunctionCall(call) ? call.function.name : (record?.name ?? "");
      const tool = this.#toolset.named(name);
      if (!isFunctionCall(call) && record === undefined) throw new Error(`a stored call of ${call.type} has no record`);
      if (!isFunctionCall(call) && record !== undefined && tool === undefined) {
        this.#unserved.set(call.id, { call, record });
      }
      const written = isFunctionCall(call) ? call.function.arguments : (tool?.written?.(call) ?? record?.arguments);
      this.newCode(this.sorter.restore(call.id, name, written ?? ""), written ?? "");
    }
    this.close();
  }
}

const plain = ({ told, name, arguments: text }: SortedCall): FunctionToolCall => ({
  id: told?.id ?? "",
  type: "function",
  function: { name, arguments: text, output: null },
});
