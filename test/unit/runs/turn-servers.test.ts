/** What servers send that only nearly speak OpenAI's protocol: each of these was seen in the wild. */
import { describe, expect, test } from "vitest";
import type { FunctionToolCall } from "../../../src/resources/step.ts";
import { RESERVED } from "../documents.ts";
import { calls, choice, finish, goesOn, opens, role, says, turnOf } from "./model-stream.ts";

const call = (id: string, name: string, text: string): FunctionToolCall => ({
  id,
  type: "function",
  function: { name, arguments: text, output: null },
});

/** What the client gets, by the store and by the stream, which must agree. */
function callsOf(chunks: Parameters<typeof turnOf>[0]) {
  const { turn, reader } = turnOf([...chunks, finish("tool_calls")]);
  const stored = turn.toolCalls?.calls ?? [];
  expect(reader.callsOf(RESERVED.toolStep)).toEqual(stored);
  return stored;
}

const COMPLETE_A = { id: "call_a", type: "function", function: { name: "f", arguments: '{"a":1}' } };
const COMPLETE_B = { id: "call_b", type: "function", function: { name: "g", arguments: '{"b":2}' } };

describe("calls are kept apart for a server that", () => {
  const both = [call("call_a", "f", '{"a":1}'), call("call_b", "g", '{"b":2}')];

  test("sends each call whole", () => {
    expect(callsOf([calls({ index: 0, ...COMPLETE_A }), calls({ index: 1, ...COMPLETE_B })])).toEqual(both);
  });

  test("sends all calls in one piece", () => {
    expect(callsOf([calls({ index: 0, ...COMPLETE_A }, { index: 1, ...COMPLETE_B })])).toEqual(both);
  });

  test("sends index 0 for every call", () => {
    expect(callsOf([calls({ index: 0, ...COMPLETE_A }), calls({ index: 0, ...COMPLETE_B })])).toEqual(both);
  });

  test("sends no index", () => {
    expect(callsOf([calls(COMPLETE_A), calls(COMPLETE_B)])).toEqual(both);
  });

  test("sends no index, and arguments in pieces that belong to the call before", () => {
    expect(
      callsOf([
        calls({ id: "call_a", function: { name: "f", arguments: '{"a"' } }),
        calls({ function: { arguments: ":1}" } }),
        calls({ id: "call_b", function: { name: "g", arguments: '{"b"' } }),
        calls({ function: { arguments: ":2}" } }),
      ]),
    ).toEqual(both);
  });

  test("repeats id and name with every piece", () => {
    expect(
      callsOf([
        calls({ index: 0, id: "call_a", function: { name: "f", arguments: '{"a"' } }),
        calls({ index: 0, id: "call_a", function: { name: "f", arguments: ":1}" } }),
        calls({ index: 1, id: "call_b", function: { name: "g", arguments: '{"b"' } }),
        calls({ index: 1, id: "call_b", function: { name: "g", arguments: ":2}" } }),
      ]),
    ).toEqual(both);
  });

  test("sends an empty id with the later pieces", () => {
    expect(
      callsOf([
        calls({ index: 0, id: "call_a", function: { name: "f", arguments: '{"a"' } }),
        calls({ index: 0, id: "", function: { arguments: ":1}" } }),
      ]),
    ).toEqual([both[0]]);
  });

  test("counts from 1 and sends each call whole", () => {
    expect(callsOf([calls({ index: 1, ...COMPLETE_A }), calls({ index: 2, ...COMPLETE_B })])).toEqual(both);
  });

  // The index is taken for the place in our list: behind text, block 1 is the first call there.
  test("counts from 1, the text being 0, and sends the arguments in pieces", () => {
    expect(callsOf([opens(1, "call_a", "f"), goesOn(1, '{"a"'), goesOn(1, ":1}")])).toEqual([both[0]]);
  });

  // As above: the second call's arguments go to a third call.
  test("counts from 1 and sends two calls in pieces", () => {
    expect(
      callsOf([
        opens(1, "call_a", "f"),
        goesOn(1, '{"a":1}'),
        opens(2, "call_b", "g"),
        goesOn(2, '{"b"'),
        goesOn(2, ":2}"),
      ]),
    ).toEqual(both);
  });

  // As above.
  test("sends index 0 for every call and the arguments in pieces", () => {
    expect(
      callsOf([opens(0, "call_a", "f"), goesOn(0, '{"a":1}'), opens(0, "call_b", "g"), goesOn(0, '{"b":2}')]),
    ).toEqual(both);
  });

  test("sends no ids: they get ids of ours", () => {
    const [a, b] = callsOf([
      calls({ index: 0, function: { name: "f", arguments: '{"a":1}' } }),
      calls({ index: 1, id: "", function: { name: "g", arguments: '{"b":2}' } }),
    ]);
    expect(a?.id).toMatch(/^call_[0-9A-Za-z]{24}$/);
    expect(b?.id).toMatch(/^call_[0-9A-Za-z]{24}$/);
    expect(b?.id).not.toBe(a?.id);
    expect([a?.function.name, b?.function.name]).toEqual(["f", "g"]);
  });

  // Without id and index, a name is what tells that another call begins.
  test("sends neither ids nor indexes", () => {
    const found = callsOf([
      calls({ function: { name: "f", arguments: '{"a":1}' } }),
      calls({ function: { name: "g", arguments: '{"b":2}' } }),
    ]);
    expect(found.map((each) => each.function)).toEqual(both.map((each) => each.function));
  });
});

test("calls count, whatever the reason that the server gives for its end", () => {
  const { turn } = turnOf([calls({ index: 0, ...COMPLETE_A }), finish("stop")]);
  expect(turn.toolCalls?.calls).toHaveLength(1);
});

test("an empty list of calls is none", () => {
  const { turn } = turnOf([calls(), says("Hi"), finish("stop")]);
  expect(turn.toolCalls).toBeUndefined();
});

test("empty texts beside calls make no message", () => {
  const { turn } = turnOf([role(), says(""), opens(0, "call_a", "f"), says(""), finish("tool_calls")]);
  expect(turn.reply).toBeUndefined();
});

test("what a server adds beside content is left out", () => {
  const { turn } = turnOf([
    choice({ delta: { reasoning_content: "Let me think" } }),
    choice({ delta: { content: "Hi", reasoning: null } }),
    finish("stop"),
  ]);
  expect(turn.reply?.message.content).toEqual([{ type: "text", text: { value: "Hi", annotations: [] } }]);
});

// Azure's asynchronous content filter sends its findings in choices of their own, without a delta.
test("a choice without a delta says nothing and does no harm", () => {
  const { turn } = turnOf([
    says("Hi"),
    choice({ content_filter_results: {}, content_filter_offsets: { check_offset: 2, start_offset: 0, end_offset: 2 } }),
    finish("stop"),
  ]);
  expect(turn.size).toBe(2);
});

// The empty text wins over the refusal beside it.
test("a refusal that comes with an empty content is heard", () => {
  const { turn } = turnOf([choice({ delta: { content: "", refusal: "No." } }), finish("stop")]);
  expect(turn.size).toBe(3);
});

// A repeated try would add its calls to those of the one that broke off: the run then waits for outputs of both.
test("a call that has only begun counts as something that was said", () => {
  const { turn } = turnOf([opens(0, "call_a", "f")], { closed: false });
  expect(turn.hasBegun).toBe(true);
});

// The message stays in progress for ever: a paused run has only its calls' step open.
test("text that comes after the calls is a complete message when the run pauses", () => {
  const { turn } = turnOf([opens(0, "call_a", "f"), goesOn(0, "{}"), says("Please wait."), finish("tool_calls")]);
  expect(turn.reply?.message).toMatchObject({
    status: "completed",
    content: [{ type: "text", text: { value: "Please wait.", annotations: [] } }],
  });
});

// No model is known to do that. The message was complete when the call began, and so it stays.
test("text after a call that itself came after text is neither streamed nor stored", () => {
  const { turn, events } = turnOf([says("Wait"), opens(0, "call_a", "f"), says(" please."), finish("tool_calls")]);
  expect(turn.reply?.message.content).toEqual([{ type: "text", text: { value: "Wait", annotations: [] } }]);
  expect(events.filter(({ event }) => event === "thread.message.delta")).toHaveLength(1);
});
