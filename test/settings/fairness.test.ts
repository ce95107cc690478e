/** A tenant takes all it can get of an instance and of the workers; another tenant goes on as if it were alone. */
import { type ClientRequest, request as httpRequest, type IncomingMessage } from "node:http";
import { CosmosClient } from "@azure/cosmos";
import OpenAI from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import type { Turn } from "../../local/model/turn.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";

const FLOOD_KEY = "a-key-of-the-flood";
const QUIET_KEY = "a-key-of-the-quiet-one";
const MEGABYTE = 1_048_576;
/** Of the worker, and of the overflow worker: `maxConcurrentCalls` of host.json. */
const SLOTS = 64;

/** Each is an event of some two hundred characters. */
const WORDS = 20_000;
/** So many events are work for a busy machine. Milliseconds. */
const PATIENCE = 60_000;

let stack: Stack;
let flood: OpenAI;
let quiet: OpenAI;

beforeAll(async () => {
  buildIfStale();
  stack = await startStack({
    env: {
      API_KEYS: `flood:${FLOOD_KEY},quiet:${QUIET_KEY}`,
      MAX_REQUESTS: "4",
      MAX_STREAMS: "4",
      MAX_BODIES_MB: "40",
      MAX_UNREAD_MB: "1",
      MAX_OVERDUE_RUNS: "2",
      SHOW_COSTS: "true",
      // Runs that are overdue here stay so.
      "AzureWebJobs.sweep.Disabled": "true",
    },
  });
  const clientOf = (apiKey: string) => new OpenAI({ baseURL: stack.baseUrl, apiKey, maxRetries: 0 });
  [flood, quiet] = [clientOf(FLOOD_KEY), clientOf(QUIET_KEY)];
});

afterAll(() => stack?.stop());

async function assistantOf(client: OpenAI, model: string, turns: Turn[]): Promise<string> {
  await controlModel(stack.model.baseUrl).script(model, turns, { repeat: true });
  return (await client.beta.assistants.create({ model })).id;
}

const statusOf = (call: Promise<unknown>): Promise<number> =>
  call.then(
    () => 200,
    (error: { status: number }) => error.status,
  );

const threadOf = async (client: OpenAI) =>
  (await client.beta.threads.create({ messages: [{ role: "user", content: "Why?" }] })).id;

type Held = Record<"requests" | "streams" | "bodyBytes" | "unread" | "refused", number>;

async function heldBy(tenant: string): Promise<Held | undefined> {
  const { holds } = (await (await fetch(new URL("/costs", stack.baseUrl))).json()) as {
    holds: { tenants: Record<string, Held> };
  };
  return holds.tenants[tenant];
}

/** A request whose body never comes, or whose answer is never read. */
function rawRequest(path: string, headers: Record<string, string>, method = "POST"): ClientRequest {
  const authorization = `Bearer ${FLOOD_KEY}`;
  const url = stack.baseUrl + path;
  return httpRequest(url, { method, agent: false, headers: { authorization, ...headers } }).on("error", () => {});
}

const answerTo = (request: ClientRequest) =>
  new Promise<IncomingMessage>((resolve) => request.once("response", resolve));

/** What an ordinary user does in a minute; every call must work. */
async function quietStory(): Promise<void> {
  const assistant = await assistantOf(quiet, "quiet", [{ text: "Because." }]);
  const thread = await threadOf(quiet);
  await quiet.beta.threads.messages.list(thread);
  const run = await quiet.beta.threads.runs.stream(thread, { assistant_id: assistant }).finalRun();
  expect(run.status).toBe("completed");
  expect((await heldBy("quiet"))?.refused ?? 0).toBe(0);
}

test("requests: half of the places are one tenant's, the others are answered", async () => {
  const headers = { "content-type": "application/json", "content-length": "100" };
  const hanging = [rawRequest("/threads", headers), rawRequest("/threads", headers)];
  for (const request of hanging) request.write("{");
  await until(async () => (await heldBy("flood"))?.requests === 2);
  expect(await statusOf(flood.beta.assistants.list())).toBe(429);
  await quietStory();
  for (const request of hanging) request.destroy();
  await until(async () => ((await heldBy("flood"))?.requests ?? 0) === 0);
  expect(await statusOf(flood.beta.assistants.list())).toBe(200);
});

test("slow uploads: their bytes are bounded by what they announce, small bodies of others come through", async () => {
  const headers = { "content-type": "application/json", "content-length": String(20 * MEGABYTE) };
  const upload = rawRequest("/threads", headers);
  upload.write("{");
  await until(async () => (await heldBy("flood"))?.bodyBytes === 20 * MEGABYTE);
  const refused = rawRequest("/threads", headers);
  refused.write("{");
  const { statusCode, headers: answered } = await answerTo(refused);
  expect([statusCode, answered["retry-after"]]).toEqual([429, "1"]);
  // Without a length, all that a body may have is counted.
  const chunked = rawRequest("/threads", { "content-type": "application/json" });
  chunked.write("{");
  expect((await answerTo(chunked)).statusCode).toBe(429);

  await quietStory();
  expect(await statusOf(flood.beta.assistants.list())).toBe(200);
  for (const request of [upload, refused, chunked]) request.destroy();
  await until(async () => ((await heldBy("flood"))?.bodyBytes ?? 0) === 0);
});

test("streams: half of the places are one tenant's, the others' streams are opened", async () => {
  const assistant = await assistantOf(flood, "hanging", [{ hang: true }]);
  const threads = await Promise.all([threadOf(flood), threadOf(flood)]);
  const open = (thread: string) => flood.beta.threads.runs.create(thread, { assistant_id: assistant, stream: true });
  await Promise.all(threads.map(open));
  expect(await statusOf(open(await threadOf(flood)))).toBe(429);
  await quietStory();
  for (const thread of threads) {
    const [run] = (await flood.beta.threads.runs.list(thread)).data;
    await flood.beta.threads.runs.cancel(run?.id ?? "", { thread_id: thread });
  }
  await until(async () => (await heldBy("flood"))?.streams === 0);
});

test("a client that reads gets all of a long log, though less than that may wait for its tenant", async () => {
  const assistant = await assistantOf(flood, "talkative", [{ text: Array(WORDS).fill("w ") }]);
  const thread = await threadOf(flood);
  const { id } = await flood.beta.threads.runs.create(thread, { assistant_id: assistant });
  await until(
    async () => (await flood.beta.threads.runs.retrieve(id, { thread_id: thread })).status === "completed",
    PATIENCE,
  );
  const replay = rawRequest(`/threads/${thread}/runs/${id}/stream`, {}, "GET");
  replay.end();
  let text = "";
  for await (const piece of await answerTo(replay)) text += piece;
  expect(text.match(/event: thread\.message\.delta/g)?.length).toBe(WORDS);
  expect(text).toMatch(/event: thread\.run\.completed\n[^\n]*\n\nevent: done\ndata: \[DONE\]\n\n$/);
}, 90_000);

test("background runs: those of one tenant fill half of the worker and the overflow, the others' begin at once", async () => {
  const assistant = await assistantOf(flood, "waiting", [{ hang: true }]);
  const request = { assistant_id: assistant, thread: { messages: [{ role: "user" as const, content: "Why?" }] } };
  for (let run = 0; run < 2 * SLOTS; run++) await flood.beta.threads.createAndRun(request);
  // Half of the worker's slots, and all of the overflow worker's.
  const { report } = controlModel(stack.model.baseUrl);
  await until(async () => (await report("waiting")).requests.length === SLOTS / 2 + SLOTS);

  const quietAssistant = await assistantOf(quiet, "quiet", [{ text: "Because." }]);
  const run = await quiet.beta.threads.runs.createAndPoll(
    await threadOf(quiet),
    { assistant_id: quietAssistant },
    { pollIntervalMs: 30 },
  );
  expect(run.status).toBe("completed");
  expect((await report("waiting")).requests.length).toBe(SLOTS / 2 + SLOTS);
}, 60_000);

test("runs that wait too long: only the tenant whose they are is refused further background runs", async () => {
  const cosmos = new CosmosClient({ ...stack.cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
  const container = cosmos.database("threadkeep").container("threads");
  const docs = [1, 2, 3].map((n) => ({
    id: `run_${n}`,
    pk: `flood:none-${n}`,
    kind: "run",
    internal: { tenant: "flood", due: n },
  }));
  for (const doc of docs) await container.items.create(doc);
  try {
    const [assistant, quietAssistant] = [await assistantOf(flood, "any", []), await assistantOf(quiet, "any", [])];
    const create = async (client: OpenAI, id: string) =>
      statusOf(client.beta.threads.runs.create(await threadOf(client), { assistant_id: id }));
    await until(async () => {
      expect(await create(quiet, quietAssistant)).toBe(200);
      return (await create(flood, assistant)) === 429;
    });
    expect(await create(quiet, quietAssistant)).toBe(200);
  } finally {
    for (const { id, pk } of docs) await container.item(id, pk).delete();
    cosmos.dispose();
  }
}, 40_000);
