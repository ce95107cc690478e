/** How long the body of each operation may be, and how many values it may hold. */
import { expect, test } from "vitest";
import { operations } from "../../src/api/operations/index.ts";
import { newTenant, refused } from "./harness.ts";

const MAX_VALUES = 30_000;

let tenant: ReturnType<typeof newTenant> | undefined;

/** Nothing is stored by these requests. */
function send(method: string, path: string, body: string) {
  tenant ??= newTenant();
  return tenant.send(method, `/${path.replaceAll(/\{(\w+)_id\}/g, (_, kind) => `${PREFIXES[kind]}_none`)}`, body);
}

const PREFIXES: Record<string, string> = {
  assistant: "asst",
  thread: "thread",
  message: "msg",
  run: "run",
  upload: "upload",
  vector_store: "vs",
};

const withBody = operations.filter(({ body }) => body !== undefined);

test.for(withBody)("$name takes a body of $maxBody bytes and none of one more", async ({ method, path, maxBody }) => {
  const body = `${" ".repeat(maxBody - '{"x":1}'.length)}{"x":1}`;
  const taken = await send(method, path, body);
  expect(taken).toMatchObject({ status: 400, body: { error: { param: expect.any(String) } } });

  const { status, body: answer } = await send(method, path, ` ${body}`);
  const text = `The request body is too large. Expected at most ${maxBody} bytes.`;
  expect({ status, body: answer }).toEqual({
    status: 413,
    body: { error: refused(413, text, null, "request_too_large").error },
  });
});

test("a body holds 30,000 values at the most", async () => {
  // The body itself and the list are values, too.
  const body = (count: number) => `{"x":[${Array(count).fill("1").join(",")}]}`;
  const taken = await send("POST", "threads", body(MAX_VALUES - 2));
  expect(taken.body).toMatchObject({ error: { param: "x", code: "unknown_parameter" } });
  const { status, body: answer } = await send("POST", "threads", body(MAX_VALUES - 1));
  const text = "The request body holds too many values. Expected at most 30000.";
  expect({ status, body: answer }).toEqual({
    status: 400,
    body: { error: refused(400, text, null, "too_many_values").error },
  });
});

test("a page of many large messages comes whole, though in pieces", async () => {
  const { openai } = newTenant();
  const messages = Array.from({ length: 20 }, (_, index) => ({
    role: "user" as const,
    content: `${index} ${"é".repeat(100_000)}`,
  }));
  const thread = await openai.beta.threads.create({ messages });
  const page = await openai.beta.threads.messages.list(thread.id, { limit: 100, order: "asc" });
  const texts = page.data.map(({ content: [part] }) => part?.type === "text" && part.text.value);
  expect(texts).toEqual(messages.map(({ content }) => content));
});
