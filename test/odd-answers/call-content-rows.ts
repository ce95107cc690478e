/** Function calls, and what servers put into them: ids, names and arguments. */
import { callStream, calls, chunk, DONE, ends, says, stream } from "./raw-model.ts";
import type { Row } from "./row.ts";

const A = { name: "f", arguments: '{"a":1}' };
const B = { name: "g", arguments: '{"b":2}' };
const BEIJING = { name: "f", arguments: '{"city":"Beijing"}' };
const SHANGHAI = { name: "f", arguments: '{"city":"Shanghai"}' };
const args = (text: string) => ({ function: { arguments: text } });

const NAMED: Row[] = [
  {
    name: "the same id for all calls",
    sends: callStream(calls({ index: 0, id: "call_0", function: A }), calls({ index: 1, id: "call_0", function: B })),
    calls: [{ id: "call_0", ...A }, B],
  },
  {
    name: "the same id and index for all calls of one function",
    sends: callStream(
      calls({ index: 0, id: "x", function: BEIJING }),
      calls({ index: 0, id: "x", function: SHANGHAI }),
    ),
    calls: [{ id: "x", ...BEIJING }, SHANGHAI],
  },
  {
    name: "fields of its own that are too deep, or too large",
    sends: callStream(
      calls({ index: 0, id: "a", function: A, deep: JSON.parse(`${"[".repeat(1_000)}${"]".repeat(1_000)}`) }),
      calls({ index: 1, id: "b", function: B, large: "x".repeat(100_000) }),
    ),
    calls: [
      { id: "a", ...A },
      { id: "b", ...B },
    ],
  },
  {
    name: "a number as id",
    sends: callStream(calls({ index: 0, id: 12345, function: A })),
    calls: [{ id: "12345", ...A }],
  },
  {
    name: "a number as name",
    sends: callStream(calls({ index: 0, id: "a", function: { name: 7, arguments: "{}" } })),
    calls: [{ id: "a", name: "7", arguments: "{}" }],
  },
  {
    name: "name and arguments beside the id",
    sends: callStream(calls({ index: 0, id: "a", ...A })),
    calls: [{ id: "a", ...A }],
  },
  {
    name: "a call that is no list",
    sends: callStream(chunk({ tool_calls: { index: 0, id: "a", function: A } })),
    calls: [{ id: "a", ...A }],
  },
  {
    name: "function_call, as before there were several",
    sends: stream(
      chunk({ function_call: { name: "f", arguments: '{"a"' } }),
      chunk({ function_call: { arguments: ":1}" } }),
      ends("function_call"),
      DONE,
    ),
    calls: [A],
  },
  {
    name: "text and calls in one chunk",
    sends: callStream(chunk({ content: "Let me look.", tool_calls: [{ index: 0, id: "a", function: A }] })),
    text: "Let me look.",
    calls: [{ id: "a", ...A }],
  },
  {
    name: "text behind a call",
    sends: callStream(calls({ index: 0, id: "a", function: A }), says("Please "), says("wait.")),
    text: "Please wait.",
    calls: [{ id: "a", ...A }],
  },
  {
    name: "calls that end with stop (Ollama)",
    sends: stream(calls({ index: 0, id: "a", function: A }), ends("stop"), DONE),
    calls: [{ id: "a", ...A }],
  },
  {
    name: "a call that never gets a name, beside one that has one",
    sends: callStream(calls({ index: 0, id: "a", function: A }), calls({ index: 1, id: "b", ...args("{}") })),
    calls: [{ id: "a", ...A }],
  },
];

const EMPTY = [{ id: "a", name: "f", arguments: "{}" }];

const ARGUMENTS: Row[] = [
  {
    name: "empty arguments (simonw/llm#1164, vercel/ai#6687, openai-agents-js#664, aichat#1217)",
    sends: callStream(calls({ index: 0, id: "a", function: { name: "f", arguments: "" } })),
    calls: EMPTY,
  },
  {
    name: "arguments: null",
    sends: callStream(calls({ index: 0, id: "a", function: { name: "f", arguments: null } })),
    calls: EMPTY,
  },
  { name: "no arguments", sends: callStream(calls({ index: 0, id: "a", function: { name: "f" } })), calls: EMPTY },
  {
    name: "arguments that are an empty object",
    sends: callStream(calls({ index: 0, id: "a", function: { name: "f", arguments: {} } })),
    calls: EMPTY,
  },
  {
    name: "arguments: {} as a text",
    sends: callStream(calls({ index: 0, id: "a", function: { name: "f", arguments: "{}" } })),
    calls: EMPTY,
  },
  {
    name: "an empty object first, the arguments behind it",
    sends: callStream(
      calls({ index: 0, id: "a", function: { name: "f", arguments: "{}" } }),
      calls({ index: 0, ...args('{"a":1}') }),
    ),
    calls: [{ id: "a", ...A }],
  },
  {
    name: "arguments as an object",
    sends: callStream(calls({ index: 0, id: "a", function: { name: "f", arguments: { a: 1 } } })),
    calls: [{ id: "a", ...A }],
  },
  {
    name: "an empty object, and a field of its own behind it",
    sends: callStream(
      calls({ index: 0, id: "a", function: { name: "f", arguments: "{}" } }),
      calls({ index: 0, extra_content: { google: { thought_signature: "abc" } } }),
    ),
    calls: EMPTY,
  },
  {
    name: "arguments as objects, index 0 for all, no ids",
    sends: callStream(
      calls({ index: 0, function: { name: "f", arguments: { city: "Beijing" } } }),
      calls({ index: 0, function: { name: "f", arguments: { city: "Shanghai" } } }),
    ),
    calls: [BEIJING, SHANGHAI],
  },
  {
    name: "two calls without parameters, no ids and no indexes",
    sends: callStream(
      calls({ function: { name: "f", arguments: "" } }),
      calls({ function: { name: "f", arguments: "" } }),
    ),
    calls: [
      { name: "f", arguments: "{}" },
      { name: "f", arguments: "{}" },
    ],
  },
  {
    name: "plain JSON with calls, without ids",
    sends: {
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        choices: [
          {
            message: { content: null, tool_calls: [{ function: A }, { function: { name: "f", arguments: "" } }] },
            finish_reason: "tool_calls",
          },
        ],
      }),
    },
    calls: [A, { name: "f", arguments: "{}" }],
  },
];

export const CALL_CONTENT_ROWS: Row[] = [...NAMED, ...ARGUMENTS];
