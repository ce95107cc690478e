import { describe, expect, test } from "vitest";
import type { z } from "zod";
import {
  assistantObject,
  createAssistantRequest,
  deletedAssistantObject,
  modifiedAssistant,
  modifyAssistantRequest,
  newAssistant,
} from "../../../src/resources/assistant.ts";
import { deleted, listObject, listOf } from "../../../src/resources/common.ts";
import { accessDenied, gatewayError, noRunFound, serverError, serviceError } from "../../../src/resources/errors.ts";
import { createMessageRequest, messageObject, newMessage } from "../../../src/resources/message.ts";
import { createRunRequest, newRun, runObject } from "../../../src/resources/run.ts";
import { runStepObject } from "../../../src/resources/step.ts";
import { streamEventNames, streamEventObject } from "../../../src/resources/stream.ts";
import { createThreadRequest, newThread, threadObject } from "../../../src/resources/thread.ts";
import { callDelta, errorEvent, messageEvent, runEvent, stepEvent, textDelta } from "../../../src/runs/events.ts";
import { apiObject } from "../../../src/store/documents.ts";
import {
  assistant,
  CREATED,
  callsStep,
  functionCall,
  messageStep,
  replyDoc,
  runIn,
  THREAD,
  USAGE,
} from "../documents.ts";

/** Schemas of answers refuse fields that they do not know, and must not change what they let through. */
const expectFits = (schema: z.ZodType, object: object) => expect(schema.parse(object)).toEqual(object);

const TOOLS = [
  { type: "code_interpreter" },
  { type: "file_search" },
  { type: "file_search", file_search: { max_num_results: 5, ranking_options: { score_threshold: 0.5 } } },
  { type: "function", function: { name: "f" } },
  { type: "function", function: { name: "g", description: "G", parameters: { type: "object" }, strict: null } },
];

const FORMATS = [
  undefined,
  null,
  "none",
  "auto",
  { type: "text" },
  { type: "json_object" },
  { type: "json_schema", json_schema: { name: "n", schema: {}, strict: null } },
];

describe("an assistant fits its schema", () => {
  test.each([
    {},
    { name: null, description: null, instructions: null, metadata: null, tool_resources: null, reasoning_effort: null },
    { name: "N", description: "D", instructions: "I", reasoning_effort: "high", temperature: 0.1, top_p: 0.2 },
    { tools: TOOLS, metadata: { a: "b" }, tool_resources: { file_search: { vector_store_ids: ["vs_1"] } } },
    { tools: TOOLS, tool_resources: { code_interpreter: {} } },
    ...FORMATS.map((format) => ({ response_format: format })),
  ])("made from %j", (request) => {
    const made = newAssistant(createAssistantRequest.parse({ model: "m", ...request }), "asst_1", CREATED);
    expectFits(assistantObject, made);
    expectFits(assistantObject, modifiedAssistant(made, modifyAssistantRequest.parse({ temperature: null })));
  });
});

test.each([{}, { messages: [], metadata: { a: "b" } }, { tool_resources: { code_interpreter: {}, file_search: {} } }])(
  "a thread made from %j fits its schema",
  (request) => {
    expectFits(threadObject, newThread(createThreadRequest.parse(request), THREAD, CREATED));
  },
);

describe("a message fits its schema", () => {
  test.each([
    { content: "Hi" },
    { content: [{ type: "text", text: "" }], role: "assistant" },
    { content: [{ type: "image_url", image_url: { url: "https://example.test/a.png" } }] },
    { content: "Hi", metadata: { a: "b" } },
    { content: "Hi", attachments: [{ file_id: "file-1" }, { file_id: "file-2", tools: [{ type: "file_search" }] }] },
  ])("made from %j", (request) => {
    const parsed = createMessageRequest.parse({ role: "user", ...request });
    expectFits(messageObject, newMessage(parsed, "msg_1", THREAD, CREATED));
  });

  test.each(["", "Hello"])("when a run writes it and has come to %j", (text) => {
    expectFits(messageObject, apiObject(replyDoc(text)));
  });
});

describe("a run fits its schema", () => {
  test.each([
    {},
    { tools: TOOLS, tool_choice: "required", parallel_tool_calls: false, instructions: "I" },
    { tool_choice: { type: "function", function: { name: "f" } }, max_prompt_tokens: 300, max_completion_tokens: 16 },
    { truncation_strategy: { type: "last_messages", last_messages: 3 }, reasoning_effort: "low", metadata: { a: "b" } },
    { truncation_strategy: { type: "auto" }, model: "other", temperature: 0, top_p: 0 },
    ...FORMATS.map((format) => ({ response_format: format })),
  ])("made from %j", (request) => {
    const parsed = createRunRequest.parse({ assistant_id: "asst_1", ...request });
    expectFits(runObject, newRun(parsed, assistant(), "run_1", THREAD, CREATED));
  });

  test.each(runObject.shape.status.options)("when it is %s", (status) => {
    expectFits(runObject, apiObject(runIn(status)));
  });
});

test("a run step fits its schema, whatever it does and however it ends", () => {
  const error = { code: "server_error", message: "Sorry" };
  for (const step of [
    messageStep(),
    messageStep({ status: "completed", completed_at: CREATED, usage: USAGE }),
    callsStep([]),
    callsStep([functionCall("call_1", null), functionCall("call_2", "")]),
    callsStep([], { status: "failed", failed_at: CREATED, last_error: error }),
  ]) {
    expectFits(runStepObject, apiObject(step));
  }
});

test("lists, what is left of deleted objects, and errors fit their schemas", () => {
  const thread = newThread({}, THREAD, CREATED);
  expectFits(listObject(threadObject), listOf([thread], true));
  expectFits(listObject(threadObject), listOf([], false));
  expectFits(deletedAssistantObject, deleted("asst_1", "assistant.deleted"));
  expectFits(serviceError, noRunFound("run_1").body);
  expectFits(serviceError, serverError("req_1").body);
  expectFits(gatewayError, accessDenied().body);
});

test("every event that a stream can hold fits its schema, and has a name that is known", () => {
  const events = [
    { event: "thread.created", data: newThread({}, THREAD, CREATED) },
    runEvent(runIn("queued"), "created"),
    ...runObject.shape.status.options.map((status) => runEvent(runIn(status), status)),
    stepEvent(messageStep(), "created"),
    ...runStepObject.shape.status.options.map((status) => stepEvent(callsStep([], { status }), status)),
    callDelta(callsStep([]), 0, { id: "call_1", name: "f", arguments: "" }),
    callDelta(callsStep([]), 0, { arguments: "{}" }),
    messageEvent(replyDoc(""), "created"),
    ...messageObject.shape.status.options.map((status) => messageEvent({ ...replyDoc("Hi"), status }, status)),
    textDelta(replyDoc(""), "Hi", true),
    textDelta(replyDoc(""), "", false),
    errorEvent("The server had an error."),
    { event: "done", data: "[DONE]" },
  ];
  for (const event of events) expectFits(streamEventObject, event);
  expect([...new Set(events.map(({ event }) => event))].sort()).toEqual([...streamEventNames].sort());
});

test("an answer with a field that is not the API's does not fit, nor one that lacks a field", () => {
  const thread = newThread({}, THREAD, CREATED);
  const { metadata: _metadata, ...without } = thread;
  expect(threadObject.safeParse({ ...thread, internal: {} }).success).toBe(false);
  expect(threadObject.safeParse(without).success).toBe(false);
});
