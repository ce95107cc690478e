import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { CREATED, KEY, NOW_IN_SECONDS, place, RESERVED, RUN_SEQ, THREAD } from "../documents.ts";
import { calls, finish, goesOn, opens, piece, refuses, role, says, turnOf, usage } from "./model-stream.ts";

const HELLO = [role(), says("Hello"), says(" there"), says("!"), finish("stop"), usage(20, 7)];

const COMMON = {
  created_at: NOW_IN_SECONDS,
  run_id: `run_${RUN_SEQ}`,
  assistant_id: "asst_000000000000000000000001",
  thread_id: THREAD,
};
const STEP = {
  ...COMMON,
  object: "thread.run.step",
  status: "in_progress",
  cancelled_at: null,
  completed_at: null,
  expires_at: CREATED + 600,
  expired_at: null,
  failed_at: null,
  last_error: null,
  usage: null,
  metadata: {},
};
const MESSAGE_STEP = {
  ...STEP,
  id: RESERVED.messageStep,
  type: "message_creation",
  step_details: { type: "message_creation", message_creation: { message_id: RESERVED.message } },
};
const TOOL_STEP = { ...STEP, id: RESERVED.toolStep, type: "tool_calls" };
const MESSAGE = {
  ...COMMON,
  id: RESERVED.message,
  object: "thread.message",
  status: "in_progress",
  incomplete_details: null,
  completed_at: null,
  incomplete_at: null,
  role: "assistant",
  content: [],
  attachments: [],
  metadata: {},
};

const textDelta = (text: object) => ({
  event: "thread.message.delta",
  data: {
    id: RESERVED.message,
    object: "thread.message.delta",
    delta: { content: [{ index: 0, type: "text", text }] },
  },
});
const callDelta = (call: object) => ({
  event: "thread.run.step.delta",
  data: {
    id: RESERVED.toolStep,
    object: "thread.run.step.delta",
    delta: { step_details: { type: "tool_calls", tool_calls: [call] } },
  },
});
const content = (value: string) => [{ type: "text", text: { value, annotations: [] } }];

describe("text", () => {
  test("is told as a step, a message in it, and the text piece by piece", () => {
    expect(turnOf(HELLO).events).toEqual([
      { event: "thread.run.step.created", data: MESSAGE_STEP },
      { event: "thread.run.step.in_progress", data: MESSAGE_STEP },
      { event: "thread.message.created", data: MESSAGE },
      { event: "thread.message.in_progress", data: MESSAGE },
      textDelta({ value: "Hello", annotations: [] }),
      textDelta({ value: " there" }),
      textDelta({ value: "!" }),
    ]);
  });

  test("becomes a message and a step with the ids reserved for them, the step with what the call used", () => {
    const { turn } = turnOf(HELLO);
    expect(turn.documents).toEqual([
      {
        ...MESSAGE_STEP,
        pk: KEY,
        kind: "step",
        internal: expect.objectContaining({
          sort: `step/run_${RUN_SEQ}/${place(11)}`,
          usage: { prompt_tokens: 20, completion_tokens: 7, total_tokens: 27 },
        }),
      },
      {
        ...MESSAGE,
        content: content("Hello there!"),
        pk: KEY,
        kind: "message",
        internal: expect.objectContaining({ sort: `message/${place(12)}` }),
      },
    ]);
    expect(turn.toolCalls).toBeUndefined();
    expect(turn.finishReason).toBe("stop");
    expect(turn.usage).toEqual({ prompt_tokens: 20, completion_tokens: 7, total_tokens: 27 });
    expect(turn.size).toBe("Hello there!".length);
  });

  test("can be saved while it grows", () => {
    const { turn } = turnOf([role(), says("Hello"), says(" th")], { closed: false });
    expect(turn.reply?.message).toMatchObject({ status: "in_progress", content: content("Hello th") });
    expect(turn.reply?.step).toMatchObject({ status: "in_progress", usage: null });
    expect(turn.finishReason).toBeUndefined();
  });

  test("says nothing before the model does: the role alone makes no message", () => {
    const { turn, events } = turnOf([role()], { closed: false });
    expect(events).toEqual([]);
    expect(turn.documents).toEqual([]);
    expect(turn.size).toBe(0);
  });

  test("in whatever pieces it comes, is what the pieces say together, and what the events say", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 20 }), (pieces) => {
        const { turn, reader, names } = turnOf([role(), ...pieces.map(says), finish("stop")]);
        expect(turn.reply?.message.content).toEqual(content(pieces.join("")));
        expect(reader.textOf(RESERVED.message)).toBe(pieces.join(""));
        expect(names.filter((name) => name === "thread.message.delta")).toHaveLength(pieces.length);
      }),
    );
  });
});

test("a refusal is what the assistant says", () => {
  const { turn, reader } = turnOf([role(), refuses("I'm sorry, "), refuses("I can't."), finish("stop")]);
  expect(turn.reply?.message.content).toEqual(content("I'm sorry, I can't."));
  expect(reader.textOf(RESERVED.message)).toBe("I'm sorry, I can't.");
});

test("an empty answer still makes a message", () => {
  const { turn, names } = turnOf([role(), finish("stop"), usage(20, 0)]);
  expect(names).toEqual([
    "thread.run.step.created",
    "thread.run.step.in_progress",
    "thread.message.created",
    "thread.message.in_progress",
  ]);
  expect(turn.reply?.message.content).toEqual(content(""));
  expect(turn.reply?.step.internal.usage.prompt_tokens).toBe(20);
});

const WEATHER = [
  role(),
  opens(0, "call_a", "get_weather"),
  goesOn(0, '{"ci'),
  goesOn(0, 'ty":"Berlin"}'),
  finish("tool_calls"),
  usage(30, 12),
];
const CALL_A = {
  id: "call_a",
  type: "function",
  function: { name: "get_weather", arguments: '{"city":"Berlin"}', output: null },
};

describe("a function call", () => {
  test("is told as a step, the call with its name, and its arguments piece by piece; the step stays open", () => {
    const created = { ...TOOL_STEP, step_details: { type: "tool_calls", tool_calls: [] } };
    expect(turnOf(WEATHER).events).toEqual([
      { event: "thread.run.step.created", data: created },
      { event: "thread.run.step.in_progress", data: created },
      callDelta({
        index: 0,
        id: "call_a",
        type: "function",
        function: { name: "get_weather", arguments: "", output: null },
      }),
      callDelta({ index: 0, type: "function", function: { arguments: '{"ci' } }),
      callDelta({ index: 0, type: "function", function: { arguments: 'ty":"Berlin"}' } }),
    ]);
  });

  test("becomes one step without a message, in progress, with what the model call used", () => {
    const { turn } = turnOf(WEATHER);
    expect(turn.reply).toBeUndefined();
    expect(turn.documents).toEqual([
      {
        ...TOOL_STEP,
        step_details: { type: "tool_calls", tool_calls: [CALL_A] },
        pk: KEY,
        kind: "step",
        internal: expect.objectContaining({
          sort: `step/run_${RUN_SEQ}/${place(13)}`,
          usage: { prompt_tokens: 30, completion_tokens: 12, total_tokens: 42 },
        }),
      },
    ]);
    expect(turn.toolCalls?.calls).toEqual([CALL_A]);
  });

  test("with arguments that are no JSON reaches the client as it came", () => {
    const { turn } = turnOf([opens(0, "call_a", "f"), goesOn(0, '{"city": Ber'), finish("tool_calls")]);
    expect(turn.toolCalls?.calls[0]?.function.arguments).toBe('{"city": Ber');
  });

  test("without arguments has those of an empty object, which clients can parse", () => {
    const { turn, reader } = turnOf([opens(0, "call_a", "f"), finish("tool_calls")]);
    expect(turn.toolCalls?.calls[0]?.function).toEqual({ name: "f", arguments: "{}", output: null });
    expect(reader.callsOf(RESERVED.toolStep)).toEqual(turn.toolCalls?.calls);
  });

  test("that is cut off before its arguments keeps none", () => {
    const { turn } = turnOf([opens(0, "call_a", "f"), finish("length")]);
    expect(turn.toolCalls?.calls[0]?.function.arguments).toBe("");
  });

  test("can be saved while it grows, and what was saved does not change any more", () => {
    const { turn } = turnOf([opens(0, "call_a", "f"), goesOn(0, '{"a"')], { closed: false });
    const saved = structuredClone(turn.documents);
    const [step] = turn.documents;
    turn.apply(piece(goesOn(0, ":1}")));
    expect([step]).toEqual(saved);
    expect(turn.toolCalls?.calls[0]?.function.arguments).toBe('{"a":1}');
  });
});

const CALL_B = { id: "call_b", type: "function", function: { name: "get_time", arguments: "{}", output: null } };

test("parallel calls share one step, each at its index", () => {
  const { turn, reader, events } = turnOf([
    opens(0, "call_a", "get_weather"),
    goesOn(0, '{"city":"Berlin"}'),
    opens(1, "call_b", "get_time"),
    goesOn(1, "{}"),
    finish("tool_calls"),
  ]);
  expect(turn.documents).toHaveLength(1);
  expect(turn.toolCalls?.calls).toEqual([CALL_A, CALL_B]);
  expect(reader.callsOf(RESERVED.toolStep)).toEqual([CALL_A, CALL_B]);
  expect(events.at(-1)).toEqual(callDelta({ index: 1, type: "function", function: { arguments: "{}" } }));
});

test("calls whose pieces alternate are kept apart", () => {
  const { turn, reader } = turnOf([
    calls(
      { index: 0, id: "call_a", function: { name: "get_weather", arguments: '{"city"' } },
      { index: 1, id: "call_b", function: { name: "get_time", arguments: "{" } },
    ),
    calls({ index: 0, function: { arguments: ':"Berlin"}' } }, { index: 1, function: { arguments: "}" } }),
    finish("tool_calls"),
  ]);
  expect(turn.toolCalls?.calls).toEqual([CALL_A, CALL_B]);
  expect(reader.callsOf(RESERVED.toolStep)).toEqual([CALL_A, CALL_B]);
});

describe("text and then calls", () => {
  const both = [says("Let me look."), ...WEATHER];

  test("complete the message before the calls begin", () => {
    const { names } = turnOf(both);
    expect(names).toEqual([
      "thread.run.step.created",
      "thread.run.step.in_progress",
      "thread.message.created",
      "thread.message.in_progress",
      "thread.message.delta",
      "thread.message.completed",
      "thread.run.step.completed",
      "thread.run.step.created",
      "thread.run.step.in_progress",
      "thread.run.step.delta",
      "thread.run.step.delta",
      "thread.run.step.delta",
    ]);
  });

  test("make two steps whose usage together is that of the model call", () => {
    const { turn } = turnOf(both);
    const [messageStep, message, toolStep] = turn.documents;
    const zeros = { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 };
    expect(messageStep).toMatchObject({
      id: RESERVED.messageStep,
      status: "completed",
      completed_at: NOW_IN_SECONDS,
      usage: zeros,
      internal: { usage: zeros },
    });
    expect(message).toMatchObject({
      id: RESERVED.message,
      status: "completed",
      completed_at: NOW_IN_SECONDS,
      content: content("Let me look."),
    });
    expect(toolStep).toMatchObject({
      id: RESERVED.toolStep,
      status: "in_progress",
      usage: null,
      internal: { usage: { prompt_tokens: 30, completion_tokens: 12, total_tokens: 42 } },
    });
  });
});

test("the last word about usage counts, for servers that send it with every piece", () => {
  const { turn } = turnOf([usage(20, 1), says("Hi"), usage(20, 2), finish("stop"), usage(20, 3)]);
  expect(turn.usage).toEqual({ prompt_tokens: 20, completion_tokens: 3, total_tokens: 23 });
});

test("what usage says beside the three sums is not kept", () => {
  const detailed = { ...usage(1, 2), usage: { ...usage(1, 2).usage, prompt_tokens_details: { cached_tokens: 1 } } };
  const { turn } = turnOf([says("Hi"), finish("stop"), detailed as ReturnType<typeof usage>]);
  expect(turn.usage).toEqual({ prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 });
});
