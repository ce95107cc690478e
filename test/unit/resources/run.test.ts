import { describe, expect, test } from "vitest";
import { addUsage, NO_USAGE, toSeconds } from "../../../src/resources/common.ts";
import { createRunRequest, newRun, RUN_LIFETIME, submitToolOutputsRequest } from "../../../src/resources/run.ts";
import { newStep } from "../../../src/resources/step.ts";
import { createThreadRequest, newThread } from "../../../src/resources/thread.ts";
import { assistant, CREATED, runDoc, THREAD } from "../documents.ts";

const ASSISTANT_ID = "asst_000000000000000000000001";
const create = (request: object = {}, of = assistant(), lifetime?: number) =>
  newRun(createRunRequest.parse({ assistant_id: ASSISTANT_ID, ...request }), of, "run_1", THREAD, CREATED, lifetime);

describe("a new run", () => {
  test("is queued, expires after ten minutes, and has every field with the defaults of the original", () => {
    expect(RUN_LIFETIME).toBe(600);
    expect(create()).toEqual({
      id: "run_1",
      object: "thread.run",
      created_at: CREATED,
      assistant_id: ASSISTANT_ID,
      thread_id: THREAD,
      status: "queued",
      started_at: null,
      expires_at: CREATED + 600,
      cancelled_at: null,
      failed_at: null,
      completed_at: null,
      required_action: null,
      last_error: null,
      model: "gpt-4o",
      instructions: null,
      tools: [],
      tool_resources: {},
      metadata: {},
      temperature: 1,
      top_p: 1,
      reasoning_effort: null,
      max_completion_tokens: null,
      max_prompt_tokens: null,
      truncation_strategy: { type: "auto", last_messages: null },
      incomplete_details: null,
      usage: null,
      response_format: "auto",
      tool_choice: "auto",
      parallel_tool_calls: true,
    });
  });

  test("lives as long as the settings say", () => {
    expect(create({}, assistant(), 60).expires_at).toBe(CREATED + 60);
  });

  const OWN = {
    model: "gpt-4.1",
    instructions: "Be kind.",
    tools: [{ type: "code_interpreter" as const }],
    temperature: 0.3,
    top_p: 0.4,
    reasoning_effort: "high",
    response_format: { type: "json_object" as const },
  };

  test("is a snapshot of its assistant, whose metadata stay its own", () => {
    expect(create({}, assistant({ ...OWN, metadata: { a: "b" } }))).toMatchObject({ ...OWN, metadata: {} });
  });

  test("is the same snapshot when the request has null for everything", () => {
    const nulls = {
      model: null,
      instructions: null,
      additional_instructions: null,
      additional_messages: null,
      tools: null,
      metadata: null,
      temperature: null,
      top_p: null,
      reasoning_effort: null,
      stream: null,
      max_prompt_tokens: null,
      max_completion_tokens: null,
      truncation_strategy: null,
      tool_choice: null,
    };
    expect(create(nulls, assistant(OWN))).toEqual(create({}, assistant(OWN)));
  });

  // The request's null becomes "auto" before the run is made, which overrides the assistant's own format.
  test("keeps its assistant's response format when the request has null for it", () => {
    expect(create({ response_format: null }, assistant(OWN)).response_format).toEqual(OWN.response_format);
  });

  test("takes what the request says over what the assistant says, also where that is nothing", () => {
    const request = {
      model: "gpt-4o-mini",
      instructions: "Be brief.",
      tools: [],
      temperature: 0,
      top_p: 0,
      reasoning_effort: "low",
      response_format: "auto",
      metadata: { c: "d" },
      max_prompt_tokens: 500,
      max_completion_tokens: 16,
      tool_choice: "required",
      parallel_tool_calls: false,
    };
    expect(create(request, assistant(OWN))).toMatchObject(request);
  });

  test.each([
    [{ type: "auto" }, { type: "auto", last_messages: null }],
    [
      { type: "last_messages", last_messages: 3 },
      { type: "last_messages", last_messages: 3 },
    ],
  ])("shows the truncation strategy %j whole", (given, shown) => {
    expect(create({ truncation_strategy: given }).truncation_strategy).toEqual(shown);
  });

  test.each([
    [null, {}, null],
    ["Be kind.", {}, "Be kind."],
    ["Be kind.", { instructions: "Be brief." }, "Be brief."],
    ["Be kind.", { instructions: "" }, ""],
    ["Be kind.", { additional_instructions: "Call me Al." }, "Be kind.\n\nCall me Al."],
    ["Be kind.", { instructions: "Be brief.", additional_instructions: "Call me Al." }, "Be brief.\n\nCall me Al."],
    [null, { additional_instructions: "Call me Al." }, "Call me Al."],
  ])("of an assistant that is told %j with %j has the instructions %j", (instructions, request, effective) => {
    expect(create(request, assistant({ instructions })).instructions).toBe(effective);
  });
});

test("tool outputs may be empty", () => {
  expect(submitToolOutputsRequest.parse({ tool_outputs: [{ tool_call_id: "call_1" }] }).tool_outputs).toEqual([
    { tool_call_id: "call_1", output: "" },
  ]);
});

test("a new step is in progress, expires with its run, and has every field", () => {
  const run = runDoc();
  const details = { type: "message_creation" as const, message_creation: { message_id: "msg_1" } };
  expect(newStep(run, "step_1", details, CREATED)).toEqual({
    id: "step_1",
    object: "thread.run.step",
    created_at: CREATED,
    run_id: run.id,
    assistant_id: run.assistant_id,
    thread_id: THREAD,
    type: "message_creation",
    status: "in_progress",
    cancelled_at: null,
    completed_at: null,
    expires_at: CREATED + 600,
    expired_at: null,
    failed_at: null,
    last_error: null,
    step_details: details,
    usage: null,
    metadata: {},
  });
});

describe("a new thread", () => {
  const thread = (request: object) => newThread(createThreadRequest.parse(request), THREAD, CREATED);
  const EMPTY = { id: THREAD, object: "thread", created_at: CREATED, metadata: {}, tool_resources: {} };

  test.each([{}, { messages: [] }, { metadata: null, tool_resources: null }])("from %j is empty", (request) => {
    expect(thread(request)).toEqual(EMPTY);
  });

  test("keeps its metadata, and shows no messages", () => {
    const given = { metadata: { a: "b" } };
    expect(thread({ ...given, messages: [{ role: "user", content: "Hi" }] })).toEqual({ ...EMPTY, ...given });
  });
});

test("usage is added up part by part", () => {
  const one = { prompt_tokens: 260, completion_tokens: 12, total_tokens: 272 };
  const two = { prompt_tokens: 284, completion_tokens: 42, total_tokens: 326 };
  expect(addUsage(one, two)).toEqual({ prompt_tokens: 544, completion_tokens: 54, total_tokens: 598 });
  expect(addUsage(NO_USAGE, one)).toEqual(one);
});

test("times on the wire are whole seconds, those that have begun", () => {
  expect([0, 999, 1_000, 1_999, 1_800_000_000_001].map(toSeconds)).toEqual([0, 0, 1, 1, 1_800_000_000]);
});
