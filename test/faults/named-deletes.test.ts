/**
 * Clients delete each object of a run at every point of its life that matters: the local servers hold the request at
 * which it is to happen, for many runs at once, and answer it afterwards. No process dies, so the model is asked as often
 * as the run needs, and not once more.
 */
import OpenAI from "openai";
import type { Message } from "openai/resources/beta/threads/messages";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { DELETE_POINTS, type DeletedObject, type DeletePoint } from "./points/deletes.ts";
import { bringToTheirPoints, letGo } from "./points/holding.ts";
import { inStore, violations } from "./points/look.ts";
import { Scene } from "./points/scene.ts";

/** Seconds. Longer than even a busy machine takes to get every run to its point; a livelock would repeat in this time. */
const LEASE = 12;
/** Milliseconds. */
const PATIENCE = 40_000;
const TENANT = "deletes";

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  const env = { RUN_LEASE: String(LEASE), API_KEYS: `${TENANT}:a-key-of-this-test` };
  stack = await startStack({ env, blobs: true });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});
afterAll(() => stack?.stop());

async function prepared(): Promise<{ scene: Scene; point: DeletePoint }[]> {
  const cases = DELETE_POINTS.flatMap((point) => point.ways.map((way) => ({ point, way })));
  return Promise.all(
    cases.map(async ({ point, way }) => ({ point, scene: await Scene.prepare(stack, client, point, way) })),
  );
}

describe.each(["question", "reply"] as const)("a client that deletes a run's %s", (object) => {
  test("finds the run completed, with the model asked as often as without", { timeout: 90_000 }, async () => {
    const cases = await prepared();
    const scenes = cases.map(({ scene }) => scene);
    await bringToTheirPoints(stack, client, scenes);
    const deleted = await Promise.all(scenes.map((scene) => deleteMessage(scene, object)));
    await letGo(stack);

    const ends = await Promise.all(
      scenes.map(async (scene, index) => [scene.name, await endOf(scene, deleted[index])]),
    );
    expect(Object.fromEntries(ends)).toEqual(
      Object.fromEntries(
        cases.map(({ scene, point }) => [
          scene.name,
          { status: "completed", takesMore: 200, deletedIsBack: false, modelCalls: point.turns.length },
        ]),
      ),
    );
    // The reply is there to be deleted at some points only.
    expect(deleted.filter((id) => id !== undefined).length).toBeGreaterThan(object === "question" ? 20 : 5);
    expect(await violationsOf(scenes)).toEqual([]);
  });
});

test("a client that deletes a run's thread finds nothing, and the run asks the model no more", {
  timeout: 90_000,
}, async () => {
  const cases = await prepared();
  const scenes = cases.map(({ scene }) => scene);
  await bringToTheirPoints(stack, client, scenes);
  const before = await Promise.all(scenes.map((scene) => scene.modelCalls()));
  await Promise.all(scenes.map(({ threadId }) => client.beta.threads.delete(threadId)));
  const found = await Promise.all(scenes.map(({ threadId }) => statusOf(client.beta.threads.runs.list(threadId))));
  expect(found).toEqual(scenes.map(() => 404));
  await letGo(stack);

  // Emptied by and by; and whatever still drives one of the runs comes to its end.
  await until(async () => (await Promise.all(scenes.map(documentsOf))).every((ids) => ids.length === 0), PATIENCE);
  await until(async () => (await openStreams()) === 0, PATIENCE);
  const calls = await Promise.all(scenes.map((scene) => scene.modelCalls()));
  // A driver that was about to ask may do so once, unless it reads before that that its thread is gone.
  const inVain = cases.map(({ scene, point }) => (point.asksInVain.includes(scene.way) ? 1 : 0));
  const tooMany = scenes.filter((_, index) => (calls[index] ?? 0) > (before[index] ?? 0) + (inVain[index] ?? 0));
  expect(tooMany.map(({ name }) => name)).toEqual([]);
  // A driver that writes once more would leave what no client can see or delete.
  expect((await Promise.all(scenes.map(documentsOf))).flat()).toEqual([]);
  expect(await violationsOf(scenes)).toEqual([]);
});

/** Answers with the message's id if it has been deleted: one that is being written is refused. */
async function deleteMessage(
  { threadId }: Scene,
  object: Exclude<DeletedObject, "thread">,
): Promise<string | undefined> {
  const { messages } = client.beta.threads;
  const { data } = await messages.list(threadId);
  const role: Message["role"] = object === "question" ? "user" : "assistant";
  const message = data.find((each) => each.role === role);
  if (message === undefined) return undefined;
  const status = await statusOf(messages.delete(message.id, { thread_id: threadId }));
  expect(status).toBe(message.status === "in_progress" ? 400 : 200);
  return status === 200 ? message.id : undefined;
}

const violationsOf = (scenes: Scene[]) =>
  violations(
    stack,
    scenes.map(({ threadId }) => threadId),
    { messagesAreDeleted: true },
  );

async function endOf(scene: Scene, deleted: string | undefined) {
  const status = await scene.end(client, PATIENCE).then(
    (run) => run.status,
    (error: Error) => error.message,
  );
  const { data } = await client.beta.threads.messages.list(scene.threadId);
  // Only a free thread takes another message.
  const question = { role: "user" as const, content: "And then?" };
  const takesMore = await statusOf(client.beta.threads.messages.create(scene.threadId, question));
  return {
    status,
    takesMore,
    deletedIsBack: data.some(({ id }) => id === deleted),
    modelCalls: await scene.modelCalls(),
  };
}

async function statusOf(call: Promise<unknown>): Promise<number | undefined> {
  try {
    await call;
    return 200;
  } catch (error) {
    if (error instanceof OpenAI.APIError) return error.status;
    throw error;
  }
}

const documentsOf = ({ threadId }: Scene): Promise<string[]> =>
  inStore(stack, async (threads) => {
    const options = { partitionKey: `${TENANT}:${threadId}` };
    return (await threads.items.query<string>("SELECT VALUE c.id FROM c", options).fetchAll()).resources;
  });

async function openStreams(): Promise<number> {
  const response = await fetch(new URL("/_local/stats", stack.model.baseUrl));
  return ((await response.json()) as { openStreams: number }).openStreams;
}
