/** Streams of text. */
import { calls, chunk, DONE, ends, says, sse, stream, textStream, USAGE, uses } from "./raw-model.ts";
import type { Row } from "./row.ts";

const HELLO = "Hello there";
const hello = [says("Hello"), says(" there")];
const counted = { text: HELLO };

const CONTENT: Row[] = [
  { name: "the stream of the original", sends: textStream(...hello), text: HELLO, usage: [20, 7, 27] },
  {
    name: "content as a list of parts (litellm#16272, symfony/ai#2422, Magistral)",
    sends: textStream(says([{ type: "text", text: "Hello" }]), says([{ type: "text", text: " there" }])),
    text: HELLO,
  },
  {
    name: "thoughts among the parts (earendil-works/pi#7216)",
    sends: textStream(
      says([
        { type: "thinking", thinking: [{ type: "text", text: "Hm" }] },
        { type: "text", text: "Hello" },
      ]),
      says(" there"),
    ),
    text: HELLO,
  },
  { name: "parts that are texts", sends: textStream(says(["Hello", " there"])), text: HELLO },
  {
    name: "a part with a text object",
    sends: textStream(says([{ type: "text", text: { value: HELLO } }])),
    text: HELLO,
  },
  { name: "one part without a list", sends: textStream(says({ type: "text", text: HELLO })), text: HELLO },
  { name: "a part without a type", sends: textStream(says([{ text: HELLO }])), text: HELLO },
  {
    name: "parts of a kind that is not known",
    sends: textStream(says([{ type: "audio", data: "x" }]), ...hello),
    text: HELLO,
  },
  {
    name: "null among the parts",
    sends: textStream(says([null, { type: "text", text: HELLO }, 5])),
    text: `${HELLO}5`,
  },
  { name: "a number as content", sends: textStream(says("It is "), says(42)), text: "It is 42" },
  { name: "true as content", sends: textStream(says(true), ...hello), text: HELLO },
  { name: "null as content", sends: textStream(says(null), ...hello), text: HELLO },
  { name: "an object as content", sends: textStream(says({}), ...hello), text: HELLO },
  { name: "a refusal beside empty content", sends: textStream(chunk({ content: "", refusal: "No." })), text: "No." },
  { name: "a refusal as a part", sends: textStream(says([{ type: "refusal", refusal: "No." }])), text: "No." },
  {
    name: "reasoning beside the content",
    sends: textStream(chunk({ reasoning_content: "Hm", reasoning: "Hm" }), ...hello),
    text: HELLO,
  },
  {
    name: "half characters that the next chunk completes",
    sends: textStream(says("\ud83d"), says("\ude00")),
    text: "😀",
  },
];

const CHUNKS: Row[] = [
  {
    name: "a last chunk with choices: null (Roo-Code#9105, MiniMax)",
    sends: stream(
      ...hello,
      ends(),
      { choices: null, usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 } },
      DONE,
    ),
    text: HELLO,
    usage: [3, 2, 5],
  },
  {
    name: "choices: null in the middle",
    sends: textStream(says("Hello"), { choices: null }, says(" there")),
    text: HELLO,
  },
  {
    name: "a chunk without choices (pydantic-ai#5170, earendil-works/pi#1671, DeepInfra)",
    sends: textStream(says("Hello"), { id: "1", object: "chat.completion.chunk" }, says(" there")),
    text: HELLO,
  },
  { name: "an empty chunk", sends: textStream(says("Hello"), {}, says(" there")), text: HELLO },
  { name: "empty data", sends: textStream(says("Hello"), "data:\n\n", "data: \n\n", says(" there")), text: HELLO },
  {
    name: "null, a number and a word as data",
    sends: textStream(...hello, "data: null\n\ndata: 5\n\ndata: ping\n\n"),
    text: HELLO,
  },
  { name: "choices that are no list", sends: textStream({ choices: {} }, { choices: "none" }, ...hello), text: HELLO },
  {
    name: "choices that hold nothing",
    sends: textStream({ choices: [null] }, { choices: [5] }, ...hello),
    text: HELLO,
  },
  { name: "a choice without a delta", sends: textStream({ choices: [{ index: 0 }] }, ...hello), text: HELLO },
  { name: "delta: null", sends: textStream(chunk(null), ...hello), text: HELLO },
  { name: "delta that is a text", sends: textStream(chunk("Hi"), ...hello), text: HELLO },
  { name: "an empty list of calls", sends: textStream(calls(), ...hello, chunk({ tool_calls: null })), text: HELLO },
  { name: "calls that are none", sends: textStream(calls(null, 5, {}, { function: null }), ...hello), text: HELLO },
  {
    name: "other choices (AA2B2)",
    sends: textStream(
      {
        choices: [
          { index: 0, delta: { content: "Hello" } },
          { index: 1, delta: { content: "2" } },
        ],
      },
      { choices: [{ index: 1, delta: { content: "2" }, finish_reason: "length" }] },
      says(" there"),
    ),
    text: HELLO,
  },
  {
    name: "a choice whose index is a text",
    sends: textStream({ choices: [{ index: "0", delta: { content: HELLO } }] }),
    text: HELLO,
  },
  { name: "a choice without an index", sends: textStream({ choices: [{ delta: { content: HELLO } }] }), text: HELLO },
  {
    name: "the index of the second choice first",
    sends: textStream({ choices: [{ index: 1, delta: { content: "B" } }] }, ...hello),
    text: HELLO,
  },
  {
    name: "error: null in every chunk",
    sends: textStream(chunk({ content: HELLO }, null, { error: null })),
    text: HELLO,
  },
  {
    name: "message for delta",
    sends: stream(
      { choices: [{ index: 0, message: { content: "Hello" } }] },
      { choices: [{ message: { content: " there" }, finish_reason: "stop" }] },
      DONE,
    ),
    text: HELLO,
  },
  {
    name: "a whole message behind the deltas",
    sends: stream(...hello, { choices: [{ index: 0, message: { content: HELLO }, finish_reason: "stop" }] }, DONE),
    text: HELLO,
  },
  {
    name: "comments, ids and CRLF",
    sends: `: hi\r\n\r\n${textStream(...hello).replaceAll("\n", "\r\n")}`,
    text: HELLO,
  },
  { name: "a byte order mark", sends: `\ufeff${textStream(...hello)}`, text: HELLO },
  { name: "[DONE] with blanks", sends: stream(...hello, ends(), "data: [DONE]  \n\n"), text: HELLO },
  {
    name: "a JSON document over several lines of data",
    sends: textStream(`data: {"choices":[{"delta":\ndata: {"content":"${HELLO}"}}]}\n\n`),
    text: HELLO,
  },
  {
    name: "one byte at a time",
    sends: { body: [...Buffer.from(textStream(says("Grüße 🌞")))].map((byte) => Uint8Array.of(byte)) },
    text: "Grüße 🌞",
  },
];

const USAGES: Row[] = [
  { name: "no usage", sends: stream(...hello, ends(), DONE), ...counted },
  {
    name: "usage without a total",
    sends: stream(...hello, ends(), uses({ prompt_tokens: 20, completion_tokens: 7 }), DONE),
    text: HELLO,
    usage: [20, 7, 27],
  },
  {
    name: "usage in texts",
    sends: stream(...hello, ends(), uses({ prompt_tokens: "20", completion_tokens: "7", total_tokens: "27" }), DONE),
    text: HELLO,
    usage: [20, 7, 27],
  },
  {
    name: "usage of zeros",
    sends: stream(...hello, ends(), uses({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 }), DONE),
    ...counted,
  },
  {
    name: "usage that is nonsense",
    sends: stream(...hello, ends(), uses({ prompt_tokens: -1, completion_tokens: "many", total_tokens: null }), DONE),
    ...counted,
  },
  {
    name: "usage: null in every chunk",
    sends: stream(chunk({ content: HELLO }, null, { usage: null }), ends(), USAGE, DONE),
    text: HELLO,
    usage: [20, 7, 27],
  },
  {
    name: "usage in the choice (Moonshot)",
    sends: stream(
      ...hello,
      {
        choices: [
          {
            index: 0,
            delta: {},
            finish_reason: "stop",
            usage: { prompt_tokens: 20, completion_tokens: 7, total_tokens: 27 },
          },
        ],
      },
      DONE,
    ),
    text: HELLO,
    usage: [20, 7, 27],
  },
  {
    name: "usage in an extension (Groq)",
    sends: stream(
      ...hello,
      chunk({}, "stop", { x_groq: { usage: { prompt_tokens: 20, completion_tokens: 7, total_tokens: 27 } } }),
      DONE,
    ),
    text: HELLO,
    usage: [20, 7, 27],
  },
  {
    name: "usage in fractions",
    sends: stream(...hello, ends(), uses({ prompt_tokens: 20.4, completion_tokens: 6.6, total_tokens: 27 }), DONE),
    text: HELLO,
    usage: [20, 7, 27],
  },
];

const whole = (fields: object) => ({
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ id: "1", object: "chat.completion", ...fields }),
});

const DOCUMENTS: Row[] = [
  {
    name: "plain JSON although a stream was asked for",
    sends: whole({
      choices: [{ index: 0, message: { role: "assistant", content: HELLO }, finish_reason: "stop" }],
      usage: { prompt_tokens: 20, completion_tokens: 7, total_tokens: 27 },
    }),
    text: HELLO,
    usage: [20, 7, 27],
  },
  {
    name: "plain JSON without a finish reason",
    sends: whole({ choices: [{ message: { content: HELLO } }] }),
    ...counted,
  },
  {
    name: "plain JSON with parts",
    sends: whole({ choices: [{ message: { content: [{ type: "text", text: HELLO }] }, finish_reason: "stop" }] }),
    ...counted,
  },
  {
    name: "plain JSON as an event stream",
    sends: { body: whole({ choices: [{ message: { content: HELLO }, finish_reason: "stop" }] }).body },
    ...counted,
  },
  {
    name: "a document a line",
    sends: {
      body: [chunk({ content: "Hello" }), chunk({ content: " there" }, "stop")].map(
        (each) => `${JSON.stringify(each)}\n`,
      ),
    },
    ...counted,
  },
  {
    name: "plain JSON that was cut off by its limit",
    sends: whole({ choices: [{ message: { content: HELLO }, finish_reason: "length" }] }),
    text: HELLO,
    status: "incomplete",
  },
  {
    name: "chunks of an event stream as one event each, without blank lines at the end",
    sends: sse(...hello, ends()).trimEnd(),
    ...counted,
  },
];

export const TEXT_ROWS: Row[] = [...CONTENT, ...CHUNKS, ...USAGES, ...DOCUMENTS];
