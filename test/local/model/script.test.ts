import OpenAI from "openai";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { controlModel } from "../../../local/model/control.ts";
import { type RunningModel, startModel } from "../../../local/model/server.ts";

let server: RunningModel;
let client: OpenAI;

beforeAll(async () => {
  server = await startModel();
  client = new OpenAI({ baseURL: server.baseUrl, apiKey: "any", maxRetries: 0 });
});
afterAll(() => server.stop());

const messages = [{ role: "user" as const, content: "hello" }];

async function ask(model: string): Promise<string | null | undefined> {
  const completion = await client.chat.completions.create({ model, messages });
  return completion.choices[0]?.message.content;
}

/** The text of the stream, with the error that ended it if one did. */
async function readStream(model: string, signal?: AbortSignal) {
  let text = "";
  let pieces = 0;
  try {
    const options = signal ? { signal } : {};
    for await (const chunk of await client.chat.completions.create({ model, messages, stream: true }, options)) {
      const piece = chunk.choices[0]?.delta.content;
      if (!piece) continue;
      text += piece;
      pieces += 1;
    }
    return { text, pieces };
  } catch (error) {
    return { text, pieces, error };
  }
}

test("turns are taken in order, and then the default behaviour is back", async () => {
  server.script("in-order", [{ text: "one" }, { text: "two" }]);
  expect([await ask("in-order"), await ask("in-order")]).toEqual(["one", "two"]);
  expect(await ask("in-order")).toContain("hello");
});

test("a repeated script starts again, and scripts of other models are their own", async () => {
  server.script("repeated", [{ text: "one" }, { text: "two" }], { repeat: true });
  server.script("other", [{ text: "other" }]);
  expect([await ask("repeated"), await ask("repeated"), await ask("repeated")]).toEqual(["one", "two", "one"]);
  expect(await ask("other")).toBe("other");
});

test("another process scripts the model and reads its requests over HTTP", async () => {
  const control = controlModel(server.baseUrl);
  await control.script("remote/model", [{ text: "scripted" }, { text: "left" }]);
  expect(await ask("remote/model")).toBe("scripted");
  const report = await control.report("remote/model");
  expect(report.remaining).toBe(1);
  expect(report.requests).toMatchObject([{ body: { model: "remote/model", messages }, time: expect.any(String) }]);
  await control.forget("remote/model");
  expect(await control.report("remote/model")).toEqual({ requests: [], remaining: 0 });
  await expect(control.script("remote/model", [{ txet: "misspelt" } as never])).rejects.toThrow(/txet/);
});

test("a model of a family follows the family's script, and its calls are told apart, by their project too", async () => {
  const control = controlModel(server.baseUrl);
  server.script("family", [{ text: "one" }, { status: 500 }, { text: "three" }]);
  expect(await ask("family#1")).toBe("one");
  const inProject = new OpenAI({ baseURL: server.baseUrl, apiKey: "any", maxRetries: 0, project: "an-instance" });
  await expect(inProject.chat.completions.create({ model: "family#2", messages })).rejects.toThrow(/500/);
  server.script("family#3", [{ text: "mine" }]);
  expect([await ask("family#3"), await ask("family#3")]).toEqual(["mine", expect.stringContaining("hello")]);
  expect(await ask("family#2")).toBe("three");
  const calls = await control.calls();
  const ofFamily = calls.filter(({ model }) => model.startsWith("family#"));
  expect(ofFamily.map(({ model, project, told }) => [model, project, told])).toEqual([
    ["family#1", undefined, undefined],
    ["family#2", "an-instance", "error"],
    ["family#2", undefined, undefined],
    ["family#3", undefined, undefined],
    ["family#3", undefined, undefined],
  ]);
  expect(ofFamily.map(({ toolMessages }) => toolMessages)).toEqual([0, 0, 0, 0, 0]);
});

test("text in an array is streamed in exactly these pieces", async () => {
  server.script("pieces", [{ text: ["a b", "", "c"] }]);
  const texts: unknown[] = [];
  for await (const chunk of await client.chat.completions.create({ model: "pieces", messages, stream: true })) {
    texts.push(chunk.choices[0]?.delta.content);
  }
  expect(texts).toEqual(["", "a b", "", "c", undefined]);
});

test("malformed arguments, finish reason and usage are sent as the script has them", async () => {
  server.script("odd", [
    { toolCalls: [{ name: "f", arguments: '{"broken' }], finishReason: "content_filter", usage: { prompt_tokens: 9 } },
    { text: "no usage", usage: null },
  ]);
  const odd = await client.chat.completions.create({ model: "odd", messages });
  const call = odd.choices[0]?.message.tool_calls?.[0];
  expect(call?.type === "function" && call.function.arguments).toBe('{"broken');
  expect(odd.choices[0]?.finish_reason).toBe("content_filter");
  expect(odd.usage?.prompt_tokens).toBe(9);
  expect((await client.chat.completions.create({ model: "odd", messages })).usage).toBeUndefined();
});

test("a scripted 429 is what the SDK calls a rate limit, with its retry-after and the script's message", async () => {
  server.script("limited", [{ status: 429, retryAfter: 7, error: { message: "slow down" } }, { status: 503 }]);
  const error = await client.chat.completions.create({ model: "limited", messages }).catch((caught) => caught);
  expect(error).toBeInstanceOf(OpenAI.RateLimitError);
  expect(error).toMatchObject({ status: 429, code: "rate_limit_exceeded", error: { message: "slow down" } });
  expect(error.headers.get("retry-after")).toBe("7");
  await expect(ask("limited")).rejects.toMatchObject({ status: 503 });
});

test("the SDK's own retry gets past an error, with one turn a request", async () => {
  server.script("flaky", [{ status: 500, retryAfter: 0.01 }, { text: "there" }]);
  const retrying = new OpenAI({ baseURL: server.baseUrl, apiKey: "any", maxRetries: 1 });
  const completion = await retrying.chat.completions.create({ model: "flaky", messages });
  expect(completion.choices[0]?.message.content).toBe("there");
  expect(server.requests("flaky")).toHaveLength(2);
});

test("a stream that is cut gives the first pieces and then breaks, at any pace", async () => {
  server.script("cut", [
    { text: ["a", "b", "c"], cutAfter: 2 },
    { text: ["a", "b", "c"], cutAfter: 2, tokenMs: 5 },
    { text: ["a", "b", "c"], cutAfter: 3 },
  ]);
  for (const text of ["ab", "ab", "abc"]) {
    const result = await readStream("cut");
    expect(result.text).toBe(text);
    expect(result.error).toBeInstanceOf(Error);
  }
  expect(server.requests("cut").some((request) => request.aborted)).toBe(false);
});

test("a whole answer that is cut breaks in the middle of its body", async () => {
  server.script("cut-whole", [{ text: "never seen", cutAfter: 1 }]);
  await expect(ask("cut-whole")).rejects.toThrow();
});

test("a client that leaves stops the answer, and the request says so", async () => {
  server.script("left", [{ text: Array(1000).fill("word "), tokenMs: 10 }]);
  const controller = new AbortController();
  const reading = readStream("left", controller.signal);
  await vi.waitFor(() => expect(server.requests("left")).toHaveLength(1));
  controller.abort();
  expect((await reading).pieces).toBeLessThan(1000);
  await vi.waitFor(() => expect(server.requests("left")[0]?.aborted).toBe(true));
  await vi.waitFor(async () => expect(await statsOf()).toMatchObject({ openStreams: 0 }));
});

test("a model that hangs sends its headers and then nothing until the client gives up", async () => {
  server.script("hanging", [{ hang: true }, { hang: true }]);
  const controller = new AbortController();
  const request = { model: "hanging", messages };
  const stream = await client.chat.completions.create({ ...request, stream: true }, { signal: controller.signal });
  expect(stream.controller.signal.aborted).toBe(false);
  controller.abort();
  await vi.waitFor(() => expect(server.requests("hanging")[0]?.aborted).toBe(true));
  await expect(client.chat.completions.create(request, { timeout: 50 })).rejects.toThrow(/timed out/i);
});

test("delays are kept: headers, then the first token, then each further one", async () => {
  server.script("slow", [{ text: ["a", "b", "c", "d", "e"], headerDelayMs: 60, firstTokenMs: 60, tokenMs: 20 }]);
  const started = performance.now();
  const stream = await client.chat.completions.create({ model: "slow", messages, stream: true });
  const headers = performance.now() - started;
  const times: number[] = [];
  for await (const chunk of stream) {
    if (chunk.choices[0]?.delta.content) times.push(performance.now() - started);
  }
  // Timers may fire a millisecond early by the clock of another thread.
  expect(headers).toBeGreaterThan(58);
  expect(times[0]).toBeGreaterThan(118);
  expect(times[4]).toBeGreaterThan(196);
});

async function statsOf(): Promise<unknown> {
  return (await fetch(new URL("/_local/stats", server.baseUrl))).json();
}
