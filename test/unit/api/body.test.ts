import { setImmediate as pause } from "node:timers/promises";
import { HttpRequest } from "@azure/functions";
import { expect, test } from "vitest";
import { readJson } from "../../../src/api/body.ts";
import { ClientLeft } from "../../../src/api/incoming.ts";

/** What is scanned in one go, at the most. Characters. */
const LONGEST_PIECE = 500_000;

const requestOf = (text: string) =>
  new HttpRequest({
    method: "POST",
    url: "http://127.0.0.1/v1/threads",
    headers: { "content-length": String(text.length) },
    body: { string: text },
  });

/** How often others get their turn while the body is read. */
async function turnsBeside(text: string): Promise<number> {
  let turns = 0;
  let isRead = false;
  const reading = readJson(requestOf(text), text.length).finally(() => {
    isRead = true;
  });
  while (!isRead) {
    await pause();
    turns += 1;
  }
  expect(JSON.stringify(await reading)).toHaveLength(text.length);
  return turns;
}

test("others get their turn before each piece of a large body, and before and after it is parsed", async () => {
  const pieces = 8;
  const text = JSON.stringify({ text: "x".repeat(pieces * LONGEST_PIECE - 100) });
  expect(await turnsBeside(text)).toBeGreaterThan(pieces);
});

test("a small body waits for no turn of others", async () => {
  const [small, large] = [49_000, 51_000].map((length) => JSON.stringify({ text: "x".repeat(length) }));
  expect(await turnsBeside(large ?? "")).toBeGreaterThan(await turnsBeside(small ?? ""));
});

test.each(["content-encoding", "content-type"])("a refusal repeats 128 characters of %s at the most", async (name) => {
  const value = `${name === "content-type" ? "application/json; charset=utf-16" : ""}${"x".repeat(3_000)}`;
  const request = new HttpRequest({
    method: "POST",
    url: "http://127.0.0.1/v1/threads",
    headers: { [name]: value },
    body: { string: "{}" },
  });
  const refusal = await readJson(request, 100).catch((error: unknown) => error);
  expect(refusal).toMatchObject({ status: 415, message: expect.stringMatching(/^.{100,250}$/) });
});

test("a body that breaks off means that the client has left, whether its length is known or not", async () => {
  for (const length of ["100", "1000", undefined]) {
    const broken = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(Buffer.from('{"metadata"'));
        controller.error(Object.assign(new Error("aborted"), { code: "ECONNRESET" }));
      },
    });
    const headers = length === undefined ? {} : { "content-length": length };
    const native = new Request("http://127.0.0.1/", { method: "POST", body: broken, duplex: "half", headers });
    await expect(readJson(native as unknown as HttpRequest, 200)).rejects.toBeInstanceOf(ClientLeft);
  }
});
