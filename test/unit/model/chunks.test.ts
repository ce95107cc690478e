/** Streams of chat-completion chunks as servers of all kinds write them. */
import { APIError } from "openai";
import { expect, test } from "vitest";
import { readAnswer } from "../../../src/model/chunks.ts";
import { NotAnAnswer } from "../../../src/model/types.ts";

const chunk = (content: string) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
const line = (content: string) => `data: ${JSON.stringify(chunk(content))}`;

/** An answer whose body comes in these pieces. */
function answer(...pieces: (string | Uint8Array)[]): Response {
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const piece of pieces) controller.enqueue(typeof piece === "string" ? Buffer.from(piece) : piece);
      controller.close();
    },
  });
  return new Response(body, { headers: { "retry-after": "7" } });
}

/** The texts of the pieces, and at last the reason for the end, if there is one. */
async function read(response: Response): Promise<string[]> {
  const found: string[] = [];
  for await (const { text, finishReason } of readAnswer(response)) {
    if (text !== "") found.push(text);
    if (finishReason !== undefined) found.push(`(${finishReason})`);
  }
  return found;
}

test.each([
  ["lines that end in LF", `${line("a")}\n\n${line("b")}\n\ndata: [DONE]\n\n`],
  ["lines that end in CR LF", `${line("a")}\r\n\r\n${line("b")}\r\n\r\ndata: [DONE]\r\n\r\n`],
  ["no space after the colon", `data:${JSON.stringify(chunk("a"))}\n\n${line("b")}\n\ndata:[DONE]\n\n`],
  [
    "comments, and fields that mean nothing here",
    `: PROCESSING\n\nid: 1\nretry: 5\nx: y\n${line("a")}\n\n${line("b")}\n\n`,
  ],
  ["no [DONE]", `${line("a")}\n\n${line("b")}\n\n`],
  ["no empty line at the end", `${line("a")}\n\n${line("b")}`],
  ["something after [DONE]", `${line("a")}\n\n${line("b")}\n\ndata: [DONE]\n\n${line("c")}\n\n`],
])("%s", async (_name, text) => {
  expect((await read(answer(text))).filter((each) => each !== "(stop)")).toEqual(["a", "b"]);
});

test("[DONE] ends an answer for which no reason was given; the end of the connection does not", async () => {
  expect(await read(answer(`${line("a")}\n\ndata: [DONE] \n\n`))).toEqual(["a", "(stop)"]);
  expect(await read(answer(`${line("a")}\n\n`))).toEqual(["a"]);
});

test("a stream may be cut anywhere, in the middle of a letter too", async () => {
  const bytes = Buffer.from(`${line("été 🌞")}\n\n${line("b")}\n\ndata: [DONE]\n\n`);
  const cuts = Array.from(bytes, (_byte, i) => bytes.subarray(i, i + 1));
  expect(await read(answer(...cuts))).toEqual(["été 🌞", "b", "(stop)"]);
});

test.each([
  ["an error in a chunk's place", 'data: {"error":{"message":"overloaded","code":"busy"}}\n\n'],
  ["an error event", 'event: error\ndata: {"message":"overloaded","code":"busy"}\n\n'],
  ["an error event around an error", 'event: error\ndata: {"error":{"message":"overloaded","code":"busy"}}\n\n'],
])("%s is the SDK's APIError", async (_name, text) => {
  const error = await read(answer(`${line("a")}\n\n${text}`)).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(APIError);
  expect(error).toMatchObject({ status: undefined, code: "busy", message: "overloaded" });
  expect((error as APIError).headers?.get("retry-after")).toBe("7");
});

test("half a chunk is an error that quotes nothing of it: what the other half said is lost", async () => {
  await expect(read(answer(`${line("a")}\n\ndata: {"choices": secret\n\n`))).rejects.toThrow(/no JSON$/);
});

const end = (reason: string) =>
  `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: reason }] })}\n\n`;

test.each([
  ["half a chunk", "data: {half\n\n"],
  ["an error", 'data: {"error":{"message":"overloaded"}}\n\n'],
  ["chunks that say nothing", 'data: {"choices":null}\n\ndata: {}\n\ndata: null\n\ndata:\n\n: ping\n\n'],
])("behind the answer's end, %s does no harm", async (_name, text) => {
  expect(await read(answer(`${line("a")}\n\n${end("stop")}${text}data: [DONE]\n\n`))).toEqual(["a", "(stop)"]);
});

const completion = { choices: [{ index: 0, message: { content: "Hello" }, finish_reason: "stop" }] };

test.each([
  ["one JSON document", JSON.stringify(completion, null, 2)],
  ["a document a line", `${JSON.stringify(chunk("Hello"))}\n${end("stop").slice(6)}`],
  ["a list of documents", JSON.stringify([chunk("Hello"), { choices: [{ delta: {}, finish_reason: "stop" }] }])],
])("an answer that is %s is read, though a stream was asked for", async (_name, text) => {
  expect(await read(answer(text))).toEqual(["Hello", "(stop)"]);
});

test.each([
  ["a web page", "\n<!DOCTYPE html><p>Welcome", "text/html", "text/html"],
  ["a few words", "Not here.", "text/plain; charset=utf-8", "text/plain"],
  ["nothing", "", "text/event-stream", "text/event-stream"],
  ["other JSON", '{"hello":"world"}', "application/json", "application/json"],
  ["something without a type", "<p>", "", "something without a content type"],
])("%s is no answer, and is told by its content type", async (_name, text, given, told) => {
  const response = new Response(text, { headers: { "content-type": given } });
  const error = await read(response).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(NotAnAnswer);
  expect(error).toMatchObject({ contentType: told });
});

test("a reader that stops early closes the connection; after [DONE] the rest is read", async () => {
  let cancelled = 0;
  let pulled = 0;
  const stream = (first: string) =>
    new Response(
      new ReadableStream<Uint8Array>(
        {
          start: (controller) => controller.enqueue(Buffer.from(first)),
          pull(controller) {
            pulled += 1;
            if (pulled < 3) controller.enqueue(Buffer.from(": more\n\n"));
            else controller.close();
          },
          cancel() {
            cancelled += 1;
          },
        },
        { highWaterMark: 0 },
      ),
    );

  for await (const _first of readAnswer(stream(`${line("a")}\n\n${line("b")}\n\n`))) break;
  expect([cancelled, pulled]).toEqual([1, 0]);

  expect(await read(stream(`${line("a")}\n\ndata: [DONE]\n\n`))).toEqual(["a", "(stop)"]);
  await expect.poll(() => pulled).toBe(3);
  expect(cancelled).toBe(1);
});
