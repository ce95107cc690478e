/** Calls of hosted tools that are stored before they are done, and what texts say of the files of code. */
import { isTerminal } from "../../../src/resources/run.ts";
import { isFunctionCall } from "../../../src/resources/step.ts";
import type { MessageDoc, RunDoc, StepDoc, ThreadDoc } from "../../../src/store/documents.ts";
import type { Finding } from "../rule.ts";
import type { ThreadSnapshot } from "../snapshot.ts";

export function* codeIsSound(thread: ThreadSnapshot): Iterable<Finding> {
  for (const run of thread.runs) yield* pending(run, thread.stepsOf(run));
  for (const step of thread.steps) yield* recorded(step);
  for (const message of thread.messages) yield* annotated(message);
  for (const each of thread.threads) yield* session(each);
}

/** A driver that takes such a run over does the calls of its one open step. */
function* pending({ id, status, internal }: RunDoc, steps: StepDoc[]): Iterable<Finding> {
  if (internal.images !== undefined && isTerminal(status)) yield { id, detail: `is ${status}, and has images to show` };
  if (internal.pending === undefined) return;
  if (status !== "in_progress" && status !== "cancelling")
    yield { id, detail: `is ${status}, and has calls to be done` };
  const [open, ...others] = steps.filter((step) => internal.open.includes(step.id));
  const details = open?.step_details;
  if (open === undefined || others.length > 0 || internal.open.length > 1 || details?.type !== "tool_calls") {
    yield { id, detail: "has calls to be done, and not the step of these calls alone is open" };
    return;
  }
  for (const call of details.tool_calls) {
    const isKnown = isFunctionCall(call) || open.internal.hosted?.some((record) => record.id === call.id) === true;
    if (!isKnown) yield { id: open.id, detail: `does not know who is to do its call ${call.id}` };
  }
}

/** Later prompts need it. */
function* recorded({ id, status, step_details: details, internal }: StepDoc): Iterable<Finding> {
  if (status !== "completed" || details.type !== "tool_calls") return;
  for (const call of details.tool_calls) {
    if (call.type !== "code_interpreter") continue;
    const record = internal.hosted?.find((each) => each.id === call.id);
    if (record?.output === undefined) yield { id, detail: `is completed, and does not know what came of ${call.id}` };
  }
}

/** Annotations tell where their text stands; files that are linked are attached. */
function* annotated({ id, content, attachments, run_id: run }: MessageDoc): Iterable<Finding> {
  const linked = new Set<string>();
  for (const part of content) {
    if (part.type !== "text" || part.text.annotations.length === 0) continue;
    const points = Array.from(part.text.value);
    for (const each of part.text.annotations) {
      if (each.type === "file_path") linked.add(each.file_path.file_id);
      const text = points.slice(each.start_index, each.end_index).join("");
      if (text !== each.text) yield { id, detail: `has an annotation of a text that stands elsewhere` };
    }
  }
  if (run === null) return;
  const attached = attachments.map(({ file_id: file }) => file);
  if (attached.length !== linked.size || attached.some((file) => !linked.has(file))) {
    yield { id, detail: `links ${linked.size} files, and has ${attached.length} attached` };
  }
}

function* session({ id, internal: { code_session: state } }: ThreadDoc): Iterable<Finding> {
  if (state === undefined || state === null) return;
  if (!/^[0-9a-f]{32}$/.test(state.id)) yield { id, detail: "names its session by something that is not random" };
  const paths = new Set(state.files.map(({ path }) => path));
  if (paths.size !== state.files.length) yield { id, detail: "knows a file of its session twice" };
}
