/**
 * The largest request of each kind that the API takes, and larger ones that it refuses: none may hold up the others.
 */
import type OpenAI from "openai";
import type { controlModel } from "../../local/model/control.ts";

export interface LargeRequest {
  what: string;
  method: "GET" | "POST";
  /** below the base */
  path: string;
  body: Buffer | undefined;
  status: number;
}

/** Objects that the requests belong to. */
export interface Ids {
  assistant: string;
  thread: string;
  /** waits for the output of a call of this id */
  paused: { thread: string; run: string; call: string };
}

const FUNCTION = { type: "function" as const, function: { name: "f" } };

/** What the requests belong to, with enough on one thread for a page of 8 MB. */
export async function objectsFor(client: OpenAI, model: Pick<ReturnType<typeof controlModel>, "script">): Promise<Ids> {
  const call = "call_1";
  await model.script("calling", [{ toolCalls: [{ id: call, name: "f", arguments: {} }] }, { text: "Done." }]);
  const { assistants, threads } = client.beta;
  const calling = await assistants.create({ model: "calling", tools: [FUNCTION] });
  const answering = await assistants.create({ model: "any" });
  const full = await threads.create({ messages: times(31, { role: "user" as const, content: "x".repeat(MAX_TEXT) }) });
  const empty = await threads.create();
  const run = await threads.runs.createAndPoll(full.id, { assistant_id: calling.id }, { pollIntervalMs: 30 });
  if (run.status !== "requires_action") throw new Error(`the run is ${run.status}`);
  return { assistant: answering.id, thread: empty.id, paused: { thread: full.id, run: run.id, call } };
}

/** Reads the answer to its end, and answers with its status. */
export async function sendLarge(baseUrl: string, key: string, { method, path, body }: LargeRequest): Promise<number> {
  const response = await fetch(`${baseUrl}/${path}`, {
    method,
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: new Uint8Array(body) }),
  });
  await response.arrayBuffer();
  return response.status;
}

const MAX_TEXT = 250_000;

/** Letters in an order that no tokenizer has words for, the same every time for a seed. */
function noise(length: number, alphabet: string, seed = 1): string {
  let state = seed;
  let text = "";
  for (let index = 0; index < length; index++) {
    state = (state * 48_271) % 2_147_483_647;
    text += alphabet.charAt(state % alphabet.length);
  }
  return text;
}

const LETTERS = "abcdefghijklmnopqrstuvwxyz";
const CHINESE = "的一是不了人我在有他这为之大来以个中上们到说国和地也子时道出而要于就下得可你年生";

const escaped = (text: string) =>
  text.replaceAll(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);

const user = (content: string) => ({ role: "user", content });
/** Texts that differ: what a tokenizer has met before is counted in no time. */
const texts = (count: number, text: (seed: number) => string) =>
  Array.from({ length: count }, (_, index) => user(text(index + 1)));
const times = <T>(count: number, value: T): T[] => Array.from({ length: count }, () => value);
const posted = (what: string, path: string, body: unknown, status = 200): LargeRequest => {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return { what, method: "POST", path, body: Buffer.from(text), status };
};

/** Many different names are the slowest JSON there is, by its length. */
const names = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`n${i.toString(36)}`, 1]));

export function largeRequests(ids: Ids): LargeRequest[] {
  return [...taken(ids), ...refused(ids)];
}

function taken({ assistant, thread, paused }: Ids): LargeRequest[] {
  const chinese = (seed: number) => noise(MAX_TEXT, CHINESE, seed);
  const words = (seed: number) => noise(MAX_TEXT, LETTERS, seed).replaceAll(/.{399}/g, "$& ");
  const schema = { type: "function", function: { name: "f", parameters: names(29_000) } };
  const outputs = { tool_outputs: [{ tool_call_id: paused.call, output: noise(520_000, LETTERS) }] };
  return [
    posted("a thread of 8 MB of Chinese", "threads", { messages: texts(10, chinese) }),
    posted("a thread of 7 MB of long words", "threads", { messages: times(4, texts(7, words)).flat() }),
    posted("a thread of 500 messages", "threads", { messages: texts(500, (seed) => noise(2_000, LETTERS, seed)) }),
    posted(
      "a message of 1.5 MB of escaped Chinese",
      `threads/${thread}/messages`,
      escaped(JSON.stringify(user(chinese(1)))),
    ),
    posted("an assistant of 29,000 values", "assistants", { model: "any", tools: [schema] }),
    posted("an assistant of 1 MB", "assistants", {
      model: "any",
      instructions: "i".repeat(255_000),
      tools: times(128, { type: "function", function: { name: "f", description: "d".repeat(5_000) } }),
    }),
    posted("a run with instructions and messages", `threads/${thread}/runs`, {
      assistant_id: assistant,
      instructions: noise(MAX_TEXT, LETTERS),
      additional_instructions: noise(MAX_TEXT, LETTERS),
      additional_messages: texts(90, (seed) => noise(8_000, LETTERS, seed)),
    }),
    posted("a thread and a run", "threads/runs", {
      assistant_id: assistant,
      instructions: noise(MAX_TEXT, LETTERS),
      thread: { messages: times(10, user(chinese(1))) },
    }),
    posted("tool outputs", `threads/${paused.thread}/runs/${paused.run}/submit_tool_outputs`, outputs),
    {
      what: "a page of 8 MB",
      method: "GET",
      path: `threads/${paused.thread}/messages?limit=100`,
      body: undefined,
      status: 200,
    },
  ];
}

function refused({ assistant, thread }: Ids): LargeRequest[] {
  const nothing = (count: number, item: string) => `{"messages":[${times(count, item).join(",")}]}`;
  return [
    posted("8 MB of empty objects", "threads", nothing(2_600_000, "{}"), 400),
    posted("29,000 wrong messages", "threads", nothing(29_000, "{}"), 400),
    posted(
      "29,000 wrong outputs",
      `threads/${thread}/runs/run_x/submit_tool_outputs`,
      {
        tool_outputs: times(14_000, { tool_call_id: 7 }),
      },
      400,
    ),
    posted("29,000 unknown parameters", "assistants", names(29_000), 400),
    posted("29,000 pairs of metadata", `threads/${thread}/messages`, { ...user("Hi"), metadata: names(29_000) }, 400),
    posted(
      "500 messages with wrong parts",
      "threads",
      {
        messages: times(290, { role: "user", content: times(50, { type: "text" }) }),
      },
      400,
    ),
    posted("8 MB of brackets", "threads", "[".repeat(4_000_000) + "]".repeat(4_000_000), 400),
    posted("8 MB of an id", "threads/runs", { assistant_id: "x".repeat(8_000_000) }, 400),
    posted(
      "8 MB of a wrong value",
      "threads/runs",
      { assistant_id: assistant, tool_choice: "x".repeat(8_000_000) },
      400,
    ),
    posted("30 MB", "threads", { messages: [user("x".repeat(30_000_000))] }, 413),
  ];
}
