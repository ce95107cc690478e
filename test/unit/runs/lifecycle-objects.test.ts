import { describe, expect, test } from "vitest";
import {
  completedMessage,
  completedStep,
  type Ending,
  endedMessage,
  endedStep,
  incompleteMessage,
} from "../../../src/runs/lifecycle.ts";
import { apiObject } from "../../../src/store/documents.ts";
import { callsStep, functionCall, messageStep, NOW, NOW_IN_SECONDS, replyDoc, USAGE } from "../documents.ts";

const ERROR = { code: "rate_limit_exceeded", message: "Rate limit is exceeded. Try again in 60 seconds." };
const FAILED: Ending = { status: "failed", error: ERROR };
const CUT_OFF: Ending = { status: "incomplete", reason: "max_completion_tokens" };

const ENDINGS: Ending[] = [
  { status: "completed" },
  { status: "incomplete", reason: "max_completion_tokens" },
  FAILED,
  { status: "cancelled" },
  { status: "expired" },
];

const COMPLETED = { status: "completed", completed_at: NOW_IN_SECONDS };

describe("the step that is open when its run ends:", () => {
  const table: [Ending, Record<string, unknown>][] = [
    [{ status: "completed" }, COMPLETED],
    // A token budget cuts off the message, not the step.
    [{ status: "incomplete", reason: "max_completion_tokens" }, COMPLETED],
    [{ status: "incomplete", reason: "max_prompt_tokens" }, COMPLETED],
    [FAILED, { status: "failed", failed_at: NOW_IN_SECONDS, last_error: ERROR }],
    [{ status: "cancelled" }, { status: "cancelled", cancelled_at: NOW_IN_SECONDS }],
    [{ status: "expired" }, { status: "expired", expired_at: NOW_IN_SECONDS }],
  ];

  test.each(table)("$status", (ending, written) => {
    const { expires_at: _before, ...before } = apiObject(messageStep());
    const { expires_at: _after, ...after } = apiObject(endedStep(messageStep(), ending, NOW));
    expect(after).toEqual({ ...before, usage: USAGE, ...written });
  });

  test("is cancelled, when the run is cut off within its calls: their outputs complete it, or nothing", () => {
    const step = endedStep(callsStep([functionCall("call_1", null)]), CUT_OFF, NOW);
    expect(step).toMatchObject({ status: "cancelled", cancelled_at: NOW_IN_SECONDS, completed_at: null, usage: USAGE });
  });

  test("keeps calls that have no outputs", () => {
    const calls = [functionCall("call_1", null)];
    expect(endedStep(callsStep(calls), FAILED, NOW).step_details).toEqual({ type: "tool_calls", tool_calls: calls });
  });
});

test("a step that is not open stays as it is, whatever ends its run", () => {
  const done = completedStep(messageStep(), NOW - 5_000);
  for (const ending of ENDINGS) expect(endedStep(done, ending, NOW)).toEqual(done);
});

test("a step shows its usage only once it is completed", () => {
  expect(callsStep([]).usage).toBeNull();
  expect(completedStep(callsStep([]), NOW)).toMatchObject({ ...COMPLETED, usage: USAGE });
});

describe("the message that is being written when its run ends keeps its text:", () => {
  const table: [Ending, Record<string, unknown>][] = [
    [{ status: "completed" }, COMPLETED],
    [{ status: "incomplete", reason: "max_completion_tokens" }, { incomplete_details: { reason: "max_tokens" } }],
    [{ status: "incomplete", reason: "max_prompt_tokens" }, { incomplete_details: { reason: "max_tokens" } }],
    [FAILED, { incomplete_details: { reason: "run_failed" } }],
    [{ status: "cancelled" }, { incomplete_details: { reason: "run_cancelled" } }],
    [{ status: "expired" }, { incomplete_details: { reason: "run_expired" } }],
  ];

  test.each(table)("$status", (ending, written) => {
    const cutOff = ending.status === "completed" ? {} : { status: "incomplete", incomplete_at: NOW_IN_SECONDS };
    expect(endedMessage(replyDoc("Hello wor"), ending, NOW)).toEqual({
      ...replyDoc("Hello wor"),
      ...cutOff,
      ...written,
    });
  });
});

test("a message that is complete stays as it is, whatever ends its run", () => {
  const done = completedMessage(replyDoc("Hello"), NOW - 5_000);
  for (const ending of ENDINGS) expect(endedMessage(done, ending, NOW)).toEqual(done);
});

test("a message that the content filter cut off says so", () => {
  expect(incompleteMessage(replyDoc("Hel"), "content_filter", NOW)).toMatchObject({
    status: "incomplete",
    incomplete_details: { reason: "content_filter" },
    incomplete_at: NOW_IN_SECONDS,
    completed_at: null,
    content: [{ type: "text", text: { value: "Hel", annotations: [] } }],
  });
});
