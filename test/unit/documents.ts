/** Documents as the store holds them, for tests that look at what becomes of one. */
import type { z } from "zod";
import { type Assistant, newAssistant } from "../../src/resources/assistant.ts";
import { NO_USAGE } from "../../src/resources/common.ts";
import { createMessageRequest, newMessage, newReply } from "../../src/resources/message.ts";
import { newRun, type Run, type RunStatus } from "../../src/resources/run.ts";
import { type FunctionToolCall, newStep, type RunStep, type StepDetails } from "../../src/resources/step.ts";
import {
  type MessageDoc,
  messageSort,
  type ReservedIds,
  type RunDoc,
  type RunInternal,
  runSort,
  type StepDoc,
  stepSort,
} from "../../src/store/documents.ts";

/** When everything in these tests was created, in seconds. */
export const CREATED = 1_800_000_000;
/** Some time later, in milliseconds, with a fraction of a second that must not reach the wire. */
export const NOW = (CREATED + 30) * 1000 + 789;
export const NOW_IN_SECONDS = CREATED + 30;

export const THREAD = "thread_0000000000000000000000AA";
export const KEY = `acme:${THREAD}`;

/** A place in the thread's order: a greater number is later. */
export const place = (number: number) => `0Vx3Qk1A00${String(number).padStart(14, "0")}`;

export const RUN_SEQ = place(10);
export const RESERVED: ReservedIds = {
  messageStep: `step_${place(11)}`,
  message: `msg_${place(12)}`,
  toolStep: `step_${place(13)}`,
};

export const USAGE = { prompt_tokens: 20, completion_tokens: 7, total_tokens: 27 };

export function assistant(changes: Partial<Assistant> = {}): Assistant {
  return { ...newAssistant({ model: "gpt-4o" }, "asst_000000000000000000000001", CREATED), ...changes };
}

export function runDoc(changes: Partial<Run> = {}, internal: Partial<RunInternal> = {}): RunDoc {
  const run = newRun({ assistant_id: "asst_000000000000000000000001" }, assistant(), `run_${RUN_SEQ}`, THREAD, CREATED);
  return {
    ...run,
    ...changes,
    pk: KEY,
    kind: "run",
    internal: {
      sort: runSort(RUN_SEQ),
      tenant: "acme",
      due: CREATED * 1000 + 15_000,
      lease: null,
      reserved: null,
      last_seq: RUN_SEQ,
      attempts: 0,
      open: [],
      turns: 0,
      usage: NO_USAGE,
      tool_tokens: 0,
      log: { chunks: 0, events: 0 },
      ...internal,
    },
  };
}

/** A run in this status as the engine leaves it there: with a lease, an open step, a required action. */
export function runIn(status: RunStatus): RunDoc {
  const startedAt = CREATED + 2;
  const lease = { owner: "worker-1", until: NOW + 5_000 };
  const used = { usage: USAGE, turns: 1 };
  switch (status) {
    case "queued":
      return runDoc();
    case "in_progress":
      return runDoc(
        { status, started_at: startedAt },
        {
          ...used,
          lease,
          reserved: RESERVED,
          due: lease.until,
          attempts: 2,
          open: [RESERVED.messageStep, RESERVED.message],
        },
      );
    case "requires_action":
      return runDoc(
        { status, started_at: startedAt, required_action: REQUIRED_ACTION },
        { ...used, due: (CREATED + 600) * 1000, open: [RESERVED.toolStep] },
      );
    case "cancelling":
      return runDoc(
        { status, started_at: startedAt },
        { ...used, lease, reserved: RESERVED, due: lease.until, open: [RESERVED.messageStep] },
      );
    default:
      return runDoc({ status, expires_at: null });
  }
}

export const REQUIRED_ACTION: NonNullable<Run["required_action"]> = {
  type: "submit_tool_outputs",
  submit_tool_outputs: { tool_calls: [{ id: "call_1", type: "function", function: { name: "f", arguments: "{}" } }] },
};

export type MessageRequest = z.input<typeof createMessageRequest>;

export function messageDoc(request: Partial<MessageRequest> = {}, number = 1, tokens = 10): MessageDoc {
  const message = newMessage(
    createMessageRequest.parse({ role: "user", content: "Hello", ...request }),
    `msg_${place(number)}`,
    THREAD,
    CREATED + number,
  );
  return {
    ...message,
    pk: KEY,
    kind: "message",
    internal: { sort: messageSort(place(number)), tokens, follows_tools: false },
  };
}

/** What a run has written of its message so far. */
export function replyDoc(text: string): MessageDoc {
  return {
    ...newReply(runDoc(), RESERVED.message, CREATED + 3),
    content: text === "" ? [] : [{ type: "text", text: { value: text, annotations: [] } }],
    pk: KEY,
    kind: "message",
    internal: { sort: messageSort(place(12)), tokens: 0, follows_tools: false },
  };
}

export function stepDoc(details: StepDetails, changes: Partial<RunStep> = {}, number = 13): StepDoc {
  return {
    ...newStep(runDoc(), `step_${place(number)}`, details, CREATED + 3),
    ...changes,
    pk: KEY,
    kind: "step",
    internal: { sort: stepSort(`run_${RUN_SEQ}`, place(number)), usage: USAGE },
  };
}

export function functionCall(id: string, output: string | null, name = "get_weather"): FunctionToolCall {
  return { id, type: "function", function: { name, arguments: '{"city":"Berlin"}', output } };
}

export function callsStep(calls: FunctionToolCall[], changes: Partial<RunStep> = {}, number = 13): StepDoc {
  return stepDoc({ type: "tool_calls", tool_calls: calls }, changes, number);
}

export const messageStep = (changes: Partial<RunStep> = {}, number = 11) =>
  stepDoc({ type: "message_creation", message_creation: { message_id: RESERVED.message } }, changes, number);
