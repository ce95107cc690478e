import type { ChatCompletionMessageParam } from "openai/resources/chat/completions";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Run } from "../../../src/resources/run.ts";
import { readContext } from "../../../src/runs/context-window.ts";
import { noSink } from "../../../src/runs/events.ts";
import { OwnedRun } from "../../../src/runs/owned-run.ts";
import { noToolset } from "../../../src/runs/tools/toolset.ts";
import type { MessageDoc, RunDoc, RunInternal, StepDoc } from "../../../src/store/documents.ts";
import { callsStep, functionCall, messageDoc, RUN_SEQ, replyDoc, runIn } from "../documents.ts";
import { read, type StoredThreads, startStoredThreads } from "./stored-thread.ts";

let threads: StoredThreads;
beforeAll(async () => {
  threads = await startStoredThreads();
});
afterAll(() => threads.close());

const RUN_ID = `run_${RUN_SEQ}`;
const PLENTY = 1_000_000;

/** Messages "1" to "count" of so many tokens each; the odd ones are the user's. */
const talk = (count: number, tokens = 10, first = 1) =>
  Array.from({ length: count }, (_, i) =>
    messageDoc({ role: i % 2 === 0 ? "user" : "assistant", content: String(first + i) }, first + i, tokens),
  );

/** What the model gets of a thread with these messages and steps. */
async function prompt(
  docs: (MessageDoc | StepDoc)[],
  { run = {}, internal = {}, contextTokens = PLENTY }: Setting = {},
): Promise<ChatCompletionMessageParam[]> {
  const base = runIn("in_progress");
  const doc: RunDoc = { ...base, ...run, internal: { ...base.internal, turns: 0, ...NOTHING_USED, ...internal } };
  const partition = await threads.thread([doc, ...docs], RUN_ID);
  const owned = new OwnedRun(partition, await read<RunDoc>(partition, RUN_ID), noSink, 0);
  return (await readContext(owned, noToolset(doc), contextTokens)).request.messages;
}

interface Setting {
  run?: Partial<Run>;
  internal?: Partial<RunInternal>;
  contextTokens?: number;
}

const NOTHING_USED = { usage: { prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 } };

const texts = (messages: ChatCompletionMessageParam[]) => messages.map(({ content }) => content);
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, i) => String(from + i));

describe("the model gets", () => {
  test("the whole thread when it fits, in its order", async () => {
    expect(texts(await prompt(talk(5)))).toEqual(numbers(1, 5));
  });

  test("more messages than one query brings", async () => {
    expect(texts(await prompt(talk(230)))).toEqual(numbers(1, 230));
  });

  test("what fits of a long thread in few queries", async () => {
    const queries = () => threads.cost.report()["docs.query"]?.requests ?? 0;
    const before = queries();
    const messages = await prompt(talk(2_000), { contextTokens: 12_000 });
    expect(texts(messages)).toEqual(["1", ...numbers(802, 2_000)]);
    // 100 messages, 1,000 and the rest; and the first of the thread.
    expect(queries() - before).toBe(4);
  });

  test("the newest messages and the first of a thread that is too long", async () => {
    expect(texts(await prompt(talk(20), { contextTokens: 50 }))).toEqual(["1", ...numbers(17, 20)]);
  });

  test("the newest message even if nothing fits", async () => {
    expect(texts(await prompt(talk(20), { contextTokens: 1 }))).toEqual(["20"]);
  });

  test("the last messages that the run asks for, without the first", async () => {
    const strategy = (count: number): Setting => ({
      run: { truncation_strategy: { type: "last_messages", last_messages: count } },
    });
    expect(texts(await prompt(talk(20), strategy(3)))).toEqual(numbers(18, 20));
    expect(texts(await prompt(talk(2), strategy(3)))).toEqual(["1", "2"]);
    expect(texts(await prompt(talk(150), strategy(120)))).toEqual(numbers(31, 150));
  });

  test("what the run's budget for prompts has room for", async () => {
    expect(texts(await prompt(talk(20), { run: { max_prompt_tokens: 50 } }))).toEqual(["1", ...numbers(17, 20)]);
  });

  test("less, the more earlier calls of the run have used", async () => {
    const used = { usage: { prompt_tokens: 30, completion_tokens: 9, total_tokens: 39 } };
    expect(texts(await prompt(talk(20), { run: { max_prompt_tokens: 60 }, internal: used }))).toEqual([
      "1",
      "19",
      "20",
    ]);
  });

  test("the instructions, which count against the budget", async () => {
    const run = { max_prompt_tokens: 50, instructions: "one two three four five six seven eight nine ten" };
    expect(texts(await prompt(talk(20), { run }))).toEqual([run.instructions, "1", ...numbers(18, 20)]);
  });

  test("no more images as data than one call may have, however few tokens they are", async () => {
    const url = `data:image/png;base64,${"A".repeat(1_048_000)}`;
    const content = [{ type: "image_url" as const, image_url: { url } }];
    const docs = Array.from({ length: 24 }, (_, i) => messageDoc({ role: "user", content }, i + 1, 89));
    expect(await prompt([...talk(1), ...docs.slice(1)])).toHaveLength(17);
  });

  test("a window without a look at all that is before it, however large that is", async () => {
    const queries = () => threads.cost.report()["docs.query"]?.requests ?? 0;
    const large = talk(40).map((doc) => ({
      ...doc,
      content: [{ type: "text" as const, text: { value: "x".repeat(900_000), annotations: [] } }],
    }));
    const before = queries();
    expect(await prompt(large, { contextTokens: 20 })).toHaveLength(2);
    // The first 4 MB, and the first message.
    expect(queries() - before).toBe(2);
  });

  test("nothing of a message that a dead driver left half written", async () => {
    expect(texts(await prompt([...talk(3), replyDoc("Hel")]))).toEqual(numbers(1, 3));
  });
});

// An asked-for number of messages that includes the half-written one is one short.
test("a half-written message does not count among the last messages", async () => {
  const run = { truncation_strategy: { type: "last_messages" as const, last_messages: 2 } };
  expect(texts(await prompt([...talk(3), replyDoc("Hel")], { run }))).toEqual(["2", "3"]);
});

describe("tool calls are shown", () => {
  const roles = (messages: ChatCompletionMessageParam[]) => messages.map(({ role }) => role);
  const done = callsStep([functionCall("call_a", "sunny")], { status: "completed" });

  test("of the run itself, from its second model call on", async () => {
    expect(roles(await prompt([...talk(1), done], { internal: { turns: 1 } }))).toEqual(["user", "assistant", "tool"]);
    expect(roles(await prompt([...talk(1), done]))).toEqual(["user"]);
  });

  test("of an earlier run before the answer that followed them", async () => {
    const earlier = callsStep([functionCall("call_a", "sunny")], { status: "completed", run_id: "run_earlier" }, 2);
    const answer = messageDoc({ role: "assistant", content: "It is sunny." }, 3);
    const docs = [
      ...talk(1),
      { ...earlier, internal: { ...earlier.internal, sort: `step/run_earlier/${earlier.id.slice(5)}` } },
      { ...answer, run_id: "run_earlier", internal: { ...answer.internal, follows_tools: true } },
      ...talk(1, 10, 5),
    ];
    expect(roles(await prompt(docs))).toEqual(["user", "assistant", "tool", "assistant", "user"]);
  });
});
