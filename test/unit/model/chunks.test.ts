/** Streams of chat-completion chunks as servers of all kinds write them. */
import { APIError } from "openai";
import { expect, test } from "vitest";
import { readChunks } from "../../../src/model/chunks.ts";

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

async function read(response: Response): Promise<unknown[]> {
  const chunks = [];
  for await (const each of readChunks(response)) chunks.push(each);
  return chunks;
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
  expect(await read(answer(text))).toEqual([chunk("a"), chunk("b")]);
});

test("a stream may be cut anywhere, in the middle of a letter too", async () => {
  const bytes = Buffer.from(`${line("été 🌞")}\n\n${line("b")}\n\ndata: [DONE]\n\n`);
  const cuts = Array.from(bytes, (_byte, i) => bytes.subarray(i, i + 1));
  expect(await read(answer(...cuts))).toEqual([chunk("été 🌞"), chunk("b")]);
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

test("what is no JSON is an error", async () => {
  await expect(read(answer("data: {half\n\n"))).rejects.toThrow(SyntaxError);
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

  for await (const _first of readChunks(stream(`${line("a")}\n\n${line("b")}\n\n`))) break;
  expect([cancelled, pulled]).toEqual([1, 0]);

  expect(await read(stream(`${line("a")}\n\ndata: [DONE]\n\n`))).toEqual([chunk("a")]);
  await expect.poll(() => pulled).toBe(3);
  expect(cancelled).toBe(1);
});
