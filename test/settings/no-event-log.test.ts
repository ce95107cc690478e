/** Without an event log, who watches a run hears what can be told of it at the moment: how it began, and how it ended. */
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { stopSound } from "../lib/sound-store.ts";

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  stack = await startStack({ env: { RUN_EVENTS_TTL: "0" } });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});

afterAll(() => stopSound(stack, 0));

/** Number and name of each event, and the end. */
async function watched(threadId: string, runId: string, after: number): Promise<string[]> {
  const headers = { authorization: `Bearer ${stack.apiKey}`, "last-event-id": String(after) };
  const response = await fetch(`${stack.baseUrl}/threads/${threadId}/runs/${runId}/stream`, { headers });
  const frames = (await response.text()).split("\n\n").filter((frame) => frame !== "");
  return frames.map((frame) => frame.replace(/\ndata: .*$/s, "").replace(/^id: (\d+)\nevent: /, "$1 "));
}

test("a run's beginning and end are told while it goes on, its end afterwards", async () => {
  await controlModel(stack.model.baseUrl).script("slow", [{ text: "Because.", firstTokenMs: 500 }]);
  const assistant = await client.beta.assistants.create({ model: "slow" });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] });
  const run = await client.beta.threads.runs.create(thread.id, { assistant_id: assistant.id });

  const beginning = ["0 thread.run.created", "1 thread.run.queued", "2 thread.run.in_progress"];
  expect(await watched(thread.id, run.id, -1)).toEqual([...beginning, "3 thread.run.completed", "event: done"]);
  expect(await watched(thread.id, run.id, -1)).toEqual(["0 thread.run.completed", "event: done"]);
  expect(await watched(thread.id, run.id, 2)).toEqual(["3 thread.run.completed", "event: done"]);
});
