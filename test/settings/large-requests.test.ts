/** The largest requests that there can be do not hold up what other tenants do on the same instance. */
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { largeRequests, objectsFor, sendLarge } from "../../bench/lib/large-requests.ts";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";

const BIG = "a-key-of-the-big-tenant";
const SMALL = "a-key-of-the-small-tenant";

/** Milliseconds of computing. A stall should stay under 50; this much comes with a slow or busy machine. */
const LONGEST_STALL = 200;

/** Seconds' worth of words: more than the requests take. */
const WORDS = 40_000;

let stack: Stack;
let big: OpenAI;
let small: OpenAI;

beforeAll(async () => {
  buildIfStale();
  stack = await startStack({ env: { API_KEYS: `big:${BIG},small:${SMALL}`, SHOW_COSTS: "true" } });
  const client = (apiKey: string) => new OpenAI({ baseURL: stack.baseUrl, apiKey, maxRetries: 0 });
  big = client(BIG);
  small = client(SMALL);
});

afterAll(() => stack?.stop());

async function longestStall(): Promise<number> {
  const response = await fetch(new URL("/costs", stack.baseUrl));
  return ((await response.json()) as { longestStall: number }).longestStall;
}

/** Counts the words of a stream as they come. */
function follow(stream: AsyncIterable<OpenAI.Beta.AssistantStreamEvent>) {
  const heard = { words: 0, last: "" };
  const end = (async () => {
    for await (const { event } of stream) {
      if (event === "thread.message.delta") heard.words += 1;
      heard.last = event;
    }
  })();
  return { heard, end };
}

test("beside the largest requests of one tenant, the stream of another goes on", { timeout: 300_000 }, async () => {
  const control = controlModel(stack.model.baseUrl);
  await control.script("slow", [{ text: Array(WORDS).fill("word "), tokenMs: 10 }]);
  const { id: assistantId } = await small.beta.assistants.create({ model: "slow" });
  const { id: threadId } = await small.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] });
  const requests = largeRequests(await objectsFor(big, control));
  const stream = await small.beta.threads.runs.create(threadId, { assistant_id: assistantId, stream: true });
  const { heard, end } = follow(stream);

  await longestStall();
  const stalls: [string, number][] = [];
  for (const request of requests) {
    const { what, status } = request;
    expect({ what, status: await sendLarge(stack.baseUrl, BIG, request) }).toEqual({ what, status });
    stalls.push([what, await longestStall()]);
    const { words } = heard;
    await until(async () => heard.words > words);
  }
  expect(stalls.filter(([, milliseconds]) => milliseconds > LONGEST_STALL)).toEqual([]);

  const [run] = (await small.beta.threads.runs.list(threadId)).data;
  await small.beta.threads.runs.cancel(run?.id ?? "", { thread_id: threadId });
  await end;
  expect(heard.last).toBe("thread.run.cancelled");
  expect((await control.report("slow")).requests).toHaveLength(1);
});
