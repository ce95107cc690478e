/** How answers end, and what is no answer. */
import { chunk, DONE, ends, says, sse, stream, USAGE } from "./raw-model.ts";
import { type Row, SORRY } from "./row.ts";

const HELLO = "Hello there";
const hello = [says("Hello"), says(" there")];
const said = (...ending: unknown[]) => stream(...hello, ...ending);

const FINISHED: Row[] = [
  {
    name: "half a chunk behind the end",
    sends: said(ends(), "data: {half\n\n", USAGE, DONE),
    text: HELLO,
    usage: [20, 7, 27],
  },
  {
    name: "an error behind the end",
    sends: said(ends(), { error: { message: "late" } }, USAGE, DONE),
    text: HELLO,
    usage: [20, 7, 27],
  },
  { name: "an error event behind the end", sends: said(ends(), 'event: error\ndata: "late"\n\n', DONE), text: HELLO },
  { name: "a connection that breaks behind the end", sends: { body: said(ends()), ending: "cut" }, text: HELLO },
  { name: "a second reason behind the end", sends: said(ends(), ends("content_filter"), DONE), text: HELLO },
  {
    name: "a reason in every chunk",
    sends: stream(chunk({ content: "Hello" }, "stop"), chunk({ content: " there" }, "stop"), DONE),
    text: HELLO,
  },
  { name: "no [DONE]", sends: said(ends(), USAGE), text: HELLO, usage: [20, 7, 27] },
  { name: "[DONE] without a reason", sends: said(DONE), text: HELLO },
  { name: "an empty reason in every chunk", sends: stream(chunk({ content: HELLO }, ""), ends(), DONE), text: HELLO },
  { name: "null as a text for a reason", sends: stream(chunk({ content: HELLO }, "null"), ends(), DONE), text: HELLO },
  { name: "a reason of its own", sends: said(ends("eos_token"), DONE), text: HELLO },
  { name: "a reason that is no text", sends: said(ends(5), ends(), DONE), text: HELLO },
  {
    name: "MAX_TOKENS as a reason (Gemini)",
    sends: said(ends("MAX_TOKENS"), USAGE, DONE),
    text: HELLO,
    status: "incomplete",
  },
  {
    name: "model_length as a reason (Mistral)",
    sends: said(ends("model_length"), DONE),
    text: HELLO,
    status: "incomplete",
  },
  {
    name: "a content filter at the end",
    sends: said(ends("content_filter"), DONE),
    text: HELLO,
    status: "failed",
    error: { code: "content_filter", message: "The response was filtered by the model's content management policy." },
  },
  { name: "nothing at all, and an end", sends: stream(ends(), USAGE, DONE), text: "", usage: [20, 7, 27] },
];

const notAnAnswer = (type: string) => ({
  code: "server_error",
  message: `The model's endpoint answered with ${type} that is no chat completion.`,
});
const page = (body: string, type: string) => ({ headers: { "content-type": type }, body });

/** Each is asked as often as the settings allow: twice. */
const FAILED: Row[] = [
  {
    name: "a web page with status 200",
    sends: page("<!doctype html><p>Welcome", "text/html; charset=utf-8"),
    status: "failed",
    error: notAnAnswer("text/html"),
    asked: 2,
  },
  {
    name: "words with status 200",
    sends: page("It works!", "text/plain"),
    status: "failed",
    error: notAnAnswer("text/plain"),
    asked: 2,
  },
  {
    name: "other JSON with status 200",
    sends: page('{"status":"ok"}', "application/json"),
    status: "failed",
    error: notAnAnswer("application/json"),
    asked: 2,
  },
  {
    name: "nothing with status 200",
    sends: page("", "text/event-stream"),
    status: "failed",
    error: notAnAnswer("text/event-stream"),
    asked: 2,
  },
  {
    name: "half a chunk in the middle",
    sends: sse(says("Hello"), "data: {half\n\n", ends(), DONE),
    status: "failed",
    text: "Hello",
    error: SORRY,
    asked: 2,
  },
  {
    name: "an error in the middle",
    sends: sse(says("Hello"), { error: "overloaded" }),
    status: "failed",
    text: "Hello",
    error: SORRY,
    asked: 2,
  },
  {
    name: "a stream that breaks off",
    sends: { body: sse(says("Hello")), ending: "cut" },
    status: "failed",
    text: "Hello",
    error: SORRY,
    asked: 2,
  },
  {
    name: "a stream without a reason and without [DONE]",
    sends: sse(says("Hello")),
    status: "failed",
    text: "Hello",
    error: SORRY,
    asked: 2,
  },
  {
    name: "error as a reason (OpenRouter)",
    sends: sse(says("Hello"), ends("error"), DONE),
    status: "failed",
    text: "Hello",
    error: SORRY,
    asked: 2,
  },
];

const refusal = (status: number, body: unknown) => ({
  status,
  headers: { "content-type": "application/json" },
  body: typeof body === "string" ? body : JSON.stringify(body),
});
const invalid = (message: string) => ({ code: "invalid_prompt", message });

const REFUSED: Row[] = [
  {
    name: "an error that is a text (Ollama)",
    sends: refusal(400, { error: "model does not support tools" }),
    status: "failed",
    error: invalid("model does not support tools"),
  },
  {
    name: "an error without error (vLLM)",
    sends: refusal(400, { object: "error", message: "too long", code: 400 }),
    status: "failed",
    error: invalid("too long"),
  },
  {
    name: "an error in a list (Google)",
    sends: refusal(400, [{ error: { code: 400, message: "bad", status: "INVALID_ARGUMENT" } }]),
    status: "failed",
    error: invalid("bad"),
  },
  {
    name: "what a validator found (FastAPI)",
    sends: refusal(422, { detail: [{ loc: ["body", "messages", 0], msg: "Field required" }] }),
    status: "failed",
    error: invalid("Field required: messages.0"),
  },
  {
    name: "a page that refuses",
    sends: refusal(400, "<html>no</html>"),
    status: "failed",
    error: invalid("The model's endpoint refused the request with status 400."),
  },
  {
    name: "a model that is not there (Ollama)",
    sends: refusal(404, { error: "model 'x' not found, try pulling it first" }),
    status: "failed",
    error: { code: "invalid_engine_error", message: "Failed to resolve model info for: MODEL" },
  },
  {
    name: "a path that is not there",
    sends: { status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found" },
    status: "failed",
    error: { code: "server_error", message: "The model's endpoint serves no chat completions at its address." },
  },
];

export const ENDING_ROWS: Row[] = [...FINISHED, ...FAILED, ...REFUSED];
