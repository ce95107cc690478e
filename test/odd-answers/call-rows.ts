/** Function calls, and how servers number them. */
import { callStream, calls } from "./raw-model.ts";
import type { Row } from "./row.ts";

const A = { name: "f", arguments: '{"a":1}' };
const B = { name: "g", arguments: '{"b":2}' };
const BEIJING = { name: "f", arguments: '{"city":"Beijing"}' };
const SHANGHAI = { name: "f", arguments: '{"city":"Shanghai"}' };
const both = [
  { id: "a", ...A },
  { id: "b", ...B },
];
const args = (text: string) => ({ function: { arguments: text } });

export const CALL_ROWS: Row[] = [
  {
    name: "indexes and ids as the original's",
    sends: callStream(
      calls({ index: 0, id: "a", type: "function", function: { name: "f", arguments: "" } }),
      calls({ index: 0, ...args('{"a"') }),
      calls({ index: 0, ...args(":1}") }),
      calls({ index: 1, id: "b", type: "function", function: { name: "g", arguments: "" } }),
      calls({ index: 1, ...args('{"b":2}') }),
    ),
    calls: both,
  },
  {
    name: "index 0 for all, no id (vercel/ai#18440, Ollama)",
    sends: callStream(calls({ index: 0, function: BEIJING }), calls({ index: 0, function: SHANGHAI })),
    calls: [BEIJING, SHANGHAI],
  },
  {
    name: "index 0 for all, an empty id (vercel/ai#18440)",
    sends: callStream(calls({ index: 0, id: "", function: BEIJING }), calls({ index: 0, id: "", function: SHANGHAI })),
    calls: [BEIJING, SHANGHAI],
  },
  {
    name: "index 0 for all, in one chunk",
    sends: callStream(calls({ index: 0, function: BEIJING }, { index: 0, function: BEIJING })),
    calls: [BEIJING, BEIJING],
  },
  {
    name: "a blank id on what goes on (vercel/ai#18440 A2)",
    sends: callStream(
      calls({ index: 0, id: "a", function: { name: "f", arguments: "" } }),
      calls({ index: 0, id: " ", ...args('{"a":1}') }),
    ),
    calls: [{ id: "a", ...A }],
  },
  {
    name: "index 0 for all, other ids (vercel/ai#14277, gcli2api#406, Gemini)",
    sends: callStream(calls({ index: 0, id: "a", function: A }), calls({ index: 0, id: "b", function: B })),
    calls: both,
  },
  {
    name: "index 0 for all and arguments in pieces",
    sends: callStream(
      calls({ index: 0, id: "a", function: { name: "f", arguments: "" } }),
      calls({ index: 0, ...args('{"a":1}') }),
      calls({ index: 0, id: "b", function: { name: "g", arguments: "" } }),
      calls({ index: 0, ...args('{"b":2}') }),
    ),
    calls: both,
  },
  {
    name: "an id for the first call only (sglang#7048)",
    sends: callStream(calls({ index: 0, id: "a", function: A }), calls({ index: 1, function: B })),
    calls: [{ id: "a", ...A }, B],
  },
  {
    name: "the first index is 1 (pipecat#4987)",
    sends: callStream(
      calls({ index: 1, id: "a", function: { name: "f", arguments: '{"a"' } }),
      calls({ index: 1, ...args(":1}") }),
      calls({ index: 2, id: "b", function: B }),
    ),
    calls: both,
  },
  {
    name: "no index (THU-MAIC/OpenMAIC#1556)",
    sends: callStream(calls({ id: "a", function: A }), calls({ id: "b", function: B })),
    calls: both,
  },
  {
    name: "neither index nor id, the same function twice",
    sends: callStream(calls({ function: BEIJING }), calls({ function: SHANGHAI })),
    calls: [BEIJING, SHANGHAI],
  },
  {
    name: "neither index nor id, and arguments in pieces",
    sends: callStream(
      calls({ function: { name: "f", arguments: "" } }),
      calls(args('{"a":1}')),
      calls({ function: { name: "g", arguments: '{"b"' } }),
      calls(args(":2}")),
    ),
    calls: [A, B],
  },
  {
    name: "an index that is a text",
    sends: callStream(calls({ index: "0", id: "a", function: A }, { index: "1", id: "b", function: B })),
    calls: both,
  },
  {
    name: "index null, index -1",
    sends: callStream(calls({ index: null, id: "a", function: A }), calls({ index: -1, id: "b", function: B })),
    calls: both,
  },
  {
    name: "id and name in every piece",
    sends: callStream(
      calls({ index: 0, id: "a", function: { name: "f", arguments: '{"a"' } }),
      calls({ index: 0, id: "a", function: { name: "f", arguments: ":1}" } }),
      calls({ index: 1, id: "b", function: { name: "g", arguments: '{"b"' } }),
      calls({ index: 1, id: "b", function: { name: "g", arguments: ":2}" } }),
    ),
    calls: both,
  },
  {
    name: "the name in every piece, without ids",
    sends: callStream(
      calls({ index: 0, function: { name: "f", arguments: "" } }),
      calls({ index: 0, function: { name: "f", arguments: '{"city":' } }),
      calls({ index: 0, function: { name: "f", arguments: '"Beijing"}' } }),
      calls({ index: 0, function: { name: "f", arguments: '{"city":"Shanghai"}' } }),
    ),
    calls: [BEIJING, SHANGHAI],
  },
  {
    name: "an id of its own in every piece",
    sends: callStream(
      calls({ index: 0, id: "x1", function: { name: "f", arguments: '{"a"' } }),
      calls({ index: 0, id: "x2", ...args(":1}") }),
    ),
    calls: [{ id: "x1", ...A }],
  },
  {
    name: "ids first, names later",
    sends: callStream(
      calls({ index: 0, id: "a" }),
      calls({ index: 1, id: "b" }),
      calls({ index: 0, function: A }),
      calls({ index: 1, function: B }),
    ),
    calls: both,
  },
  {
    name: "the arguments before the name",
    sends: callStream(
      calls({ index: 0, id: "a", ...args('{"a"') }),
      calls({ index: 0, function: { name: "f", arguments: ":1}" } }),
    ),
    calls: [{ id: "a", ...A }],
  },
  {
    name: "pieces of two calls in turns",
    sends: callStream(
      calls(
        { index: 0, id: "a", function: { name: "f", arguments: "" } },
        { index: 1, id: "b", function: { name: "g", arguments: "" } },
      ),
      calls({ index: 0, ...args('{"a"') }, { index: 1, ...args('{"b"') }),
      calls({ index: 1, ...args(":2}") }, { index: 0, ...args(":1}") }),
    ),
    calls: both,
  },
  {
    name: "a whole call again at the end",
    sends: callStream(
      calls({ index: 0, id: "a", function: { name: "f", arguments: '{"a"' } }),
      calls({ index: 0, ...args(":1}") }),
      calls({ index: 0, id: "a", function: A }),
    ),
    calls: [{ id: "a", ...A }],
  },
];
