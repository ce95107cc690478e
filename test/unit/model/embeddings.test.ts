/** The client of the embedding model, against the simulated one. */
import { afterAll, beforeAll, expect, test } from "vitest";
import { type RunningModel, startModel } from "../../../local/model/server.ts";
import { readConfig } from "../../../src/config.ts";
import { Embeddings } from "../../../src/model/embeddings.ts";

let model: RunningModel;
beforeAll(async () => {
  model = await startModel({ key: "sk-good" });
});
afterAll(() => model.stop());

const NEVER = new AbortController().signal;
let names = 0;

/** A model that only one test uses; `text-embedding-3…` names take `dimensions`. */
function embeddingsOf(settings: Record<string, string | undefined> = {}, prefix = "text-embedding-3") {
  const name = `${prefix}-${names++}`;
  const config = readConfig({
    COSMOS_ENDPOINT: "http://127.0.0.1:1",
    ServiceBusConnection: "unused",
    MODEL_ENDPOINT: model.baseUrl,
    MODEL_KEY: "sk-good",
    EMBEDDING_MODEL: name,
    ...settings,
  });
  return { name, embeddings: new Embeddings(config) };
}

interface Sent {
  input: string[];
  dimensions?: number;
}
const sent = (name: string) => model.requests(name).map(({ body }) => body as Sent);

const textsOf = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ n, text: `text number${n}`, tokens: 10 }));

const dot = (a: number[], b: number[]) => a.reduce((sum, each, index) => sum + each * (b[index] ?? 0), 0);

test("each item gets its vector, in order, in batches of 64: length 1, 5 decimals, 256 numbers", async () => {
  const { name, embeddings } = embeddingsOf();
  const items = textsOf(150);
  const batches = [];
  for await (const batch of embeddings.embed(items, NEVER)) batches.push(batch);
  expect(batches.map(({ length }) => length)).toEqual([64, 64, 22]);
  expect(batches.flat().map(({ item }) => item)).toEqual(items);
  expect(sent(name)[0]).toMatchObject({ dimensions: 256, encoding_format: "float" });
  for (const { item, vector } of batches.flat()) {
    expect(vector.length).toBe(256);
    expect(vector.every((each) => Math.round(each * 1e5) / 1e5 === each)).toBe(true);
    expect(dot(vector, vector)).toBeCloseTo(1, 3);
    const [query] = await embeddings.embedQueries([item.text], NEVER);
    expect(query).toEqual(vector);
  }
});

test("a call has 250,000 tokens at the most", async () => {
  const { name, embeddings } = embeddingsOf();
  const items = textsOf(70).map((item) => ({ ...item, tokens: 4_099 }));
  for await (const _ of embeddings.embed(items, NEVER));
  expect(sent(name).map(({ input }) => input.length)).toEqual([60, 10]);
});

test("two calls at a time, and no item is taken before it can be sent", async () => {
  const { name, embeddings } = embeddingsOf();
  model.script(name, [{ headerDelayMs: 50 }], { repeat: true });
  let taken = 0;
  const items = textsOf(640);
  async function* source() {
    for (const item of items) {
      taken += 1;
      yield item;
    }
  }
  let given = 0;
  for await (const batch of embeddings.embed(source(), NEVER)) {
    given += batch.length;
    expect(taken - given).toBeLessThanOrEqual(2 * 64 + 1);
  }
  expect(given).toBe(640);
  const calls = model.requests(name).flatMap(({ time, closed }) => [
    { at: Date.parse(time), change: 1 },
    { at: Date.parse(closed ?? time), change: -1 },
  ]);
  calls.sort((a, b) => a.at - b.at || a.change - b.change);
  let open = 0;
  expect(Math.max(...calls.map(({ change }) => (open += change)))).toBe(2);
});

test("queries that are asked again cost no call; new ones go together", async () => {
  const { name, embeddings } = embeddingsOf();
  const [pump, valve] = await embeddings.embedQueries(["pump", "valve", "pump"], NEVER);
  expect(await embeddings.embedQueries(["valve", "pump", "seal"], NEVER)).toMatchObject([valve, pump, {}]);
  expect(sent(name).map(({ input }) => input)).toEqual([["pump", "valve"], ["seal"]]);
});

test("of queries, the last 1,000 are remembered", async () => {
  const { name, embeddings } = embeddingsOf();
  const queries = Array.from({ length: 1_000 }, (_, n) => `q${n}`);
  await embeddings.embedQueries(queries, NEVER);
  await embeddings.embedQueries(["q0"], NEVER);
  await embeddings.embedQueries(["one more"], NEVER);
  await embeddings.embedQueries(["q0", "q2"], NEVER);
  expect(sent(name).length).toBe(2);
  await embeddings.embedQueries(["q1"], NEVER);
  expect(sent(name).length).toBe(3);
});

test("other models are not told how many numbers are wanted: what they give must fit", async () => {
  const fits = embeddingsOf({ EMBEDDING_DIMENSIONS: "1536" }, "nomic-embed");
  expect((await fits.embeddings.embedQueries(["pump"], NEVER))[0]?.length).toBe(1_536);
  expect(sent(fits.name)[0]).not.toHaveProperty("dimensions");

  const { embeddings } = embeddingsOf({}, "nomic-embed");
  const error = await embeddings.embedQueries(["pump"], NEVER).catch((thrown: unknown) => thrown);
  expect(await embeddings.trouble(error)).toEqual({
    kind: "final",
    error: {
      code: "server_error",
      message:
        "The embedding model gives 1536 dimensions, but this deployment stores 256. Set EMBEDDING_DIMENSIONS to 1536, or " +
        "choose another EMBEDDING_MODEL.",
    },
  });
});

test("Azure OpenAI's dated API, with a key, on the model's endpoint", async () => {
  const endpoint = new URL(model.baseUrl).origin;
  const { name, embeddings } = embeddingsOf({ MODEL_ENDPOINT: endpoint, MODEL_API_VERSION: "2024-10-21" });
  expect((await embeddings.embedQueries(["pump"], NEVER))[0]?.length).toBe(256);
  expect(model.requests(name)[0]?.path).toBe(`/openai/deployments/${name}/embeddings`);
});

test("without a model every call says so, and nothing is asked", async () => {
  const { embeddings } = embeddingsOf({ EMBEDDING_MODEL: undefined });
  expect(embeddings.isSet).toBe(false);
  const error = await embeddings.embedQueries(["pump"], NEVER).catch((thrown: unknown) => thrown);
  const message = "No embedding model is set (EMBEDDING_MODEL).";
  expect(await embeddings.trouble(error)).toEqual({ kind: "final", error: { code: "server_error", message } });
});

test("aborting ends the calls under way with its reason; so does leaving the loop", async () => {
  const { name, embeddings } = embeddingsOf();
  model.script(name, [{ headerDelayMs: 20_000 }], { repeat: true });
  const stop = new AbortController();
  const asked = embeddings.embed(textsOf(200), stop.signal).next();
  await expect.poll(() => model.requests(name).length).toBe(2);
  stop.abort(new Error("enough"));
  await expect(asked).rejects.toThrow("enough");
  await expect.poll(() => model.requests(name).every(({ aborted }) => aborted)).toBe(true);

  const left = embeddingsOf();
  model.script(left.name, [{}, { headerDelayMs: 20_000 }], { repeat: false });
  for await (const batch of left.embeddings.embed(textsOf(200), NEVER)) {
    expect(batch.length).toBe(64);
    break;
  }
  await expect.poll(() => model.requests(left.name)[1]?.aborted).toBe(true);
});

test("one call of several that fails ends all, with its error", async () => {
  const { name, embeddings } = embeddingsOf();
  model.script(name, [{}, { status: 429, retryAfter: 7 }]);
  const given: number[] = [];
  const all = (async () => {
    for await (const batch of embeddings.embed(textsOf(300), NEVER)) given.push(batch.length);
  })();
  const error = await all.catch((thrown: unknown) => thrown);
  expect(await embeddings.trouble(error)).toMatchObject({
    kind: "later",
    retryAfter: 7_000,
    error: { code: "rate_limit_exceeded" },
  });
  expect(given).toEqual([64]);
});
