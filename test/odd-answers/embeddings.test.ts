/** What servers answer to a request for embeddings, well and badly: what is read, and what follows from what is not. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { readConfig } from "../../src/config.ts";
import { connectEmbeddings } from "../../src/model/embedding-call.ts";
import { Embeddings } from "../../src/model/embeddings.ts";
import { type RawModel, type Reply, startRawModel } from "./raw-model.ts";

let model: RawModel;
beforeAll(async () => {
  model = await startRawModel();
});
afterAll(() => model.stop());

const NEVER = new AbortController().signal;
const KEY = "sk-not-for-logs";
let names = 0;

const configOf = (name: string, endpoint: string) =>
  readConfig({
    COSMOS_ENDPOINT: "http://127.0.0.1:1",
    ServiceBusConnection: "unused",
    MODEL_ENDPOINT: endpoint,
    MODEL_KEY: KEY,
    EMBEDDING_MODEL: name,
    EMBEDDING_DIMENSIONS: "4",
  });

function embeddingsThat(reply: Reply | undefined, endpoint = model.endpoint): Embeddings {
  const name = `embedder-${names++}`;
  if (reply !== undefined) model.script(name, [reply]);
  return new Embeddings(configOf(name, endpoint));
}

/** What two texts get, or what is said of the failure. */
async function ask(reply: Reply | undefined, endpoint?: string) {
  const embeddings = embeddingsThat(reply, endpoint);
  try {
    return { vectors: await embeddings.embedQueries(["secret question", "another"], NEVER) };
  } catch (error) {
    return { trouble: await embeddings.trouble(error), failure: await embeddings.failure(error) };
  }
}

const JSON_TYPE = { "content-type": "application/json; charset=utf-8" };
const json = (body: unknown, status = 200): Reply => ({ status, headers: JSON_TYPE, body: JSON.stringify(body) });
const base64 = (...numbers: number[]) => Buffer.from(Float32Array.from(numbers).buffer).toString("base64");

const A = [0.6, 0.8, 0, 0];
const B = [0, 0, -1, 0];

describe("these are read:", () => {
  test.each<[string, unknown]>([
    [
      "numbers",
      {
        data: [
          { index: 0, embedding: A },
          { index: 1, embedding: B },
        ],
      },
    ],
    [
      "base64",
      {
        data: [
          { index: 0, embedding: base64(...A) },
          { index: 1, embedding: base64(...B) },
        ],
      },
    ],
    [
      "another order",
      {
        data: [
          { index: 1, embedding: B },
          { index: 0, embedding: A },
        ],
      },
    ],
    ["no indexes", { data: [{ embedding: A }, { embedding: B }] }],
    ["vectors of another length than 1", { data: [{ embedding: [3, 4, 0, 0] }, { embedding: [0, 0, -1e-9, 0] }] }],
    ["enormous and tiny numbers", { data: [{ embedding: [3e300, 4e300, 0, 0] }, { embedding: [0, 0, -1e-300, 0] }] }],
    ["fields beside", { object: "list", model: "x", usage: {}, data: [{ embedding: A, x: 1 }, { embedding: B }] }],
  ])("%s", async (_, body) => {
    expect((await ask(json(body))).vectors).toEqual([A, B]);
  });
});

describe("these are asked for again later:", () => {
  const data = (...list: unknown[]) => json({ data: list });
  test.each<[string, Reply, string]>([
    ["one too few", data({ embedding: A }), "1 embeddings for 2 texts"],
    ["one too many", data({ embedding: A }, { embedding: B }, { embedding: B }), "3 embeddings for 2 texts"],
    ["the same twice", data({ index: 0, embedding: A }, { index: 0, embedding: B }), "two embeddings of the same text"],
    [
      "an unknown index",
      data({ index: 0, embedding: A }, { index: 7, embedding: B }),
      "an embedding of no text that was sent",
    ],
    [
      "an index that is a text",
      data({ index: "0", embedding: A }, { index: 1, embedding: B }),
      "an embedding of no text that was sent",
    ],
    [
      "null in a vector",
      data({ embedding: A }, { embedding: [0, null, 0, 1] }),
      "an embedding with something else than numbers",
    ],
    [
      "NaN in base64",
      data({ embedding: A }, { embedding: base64(0, Number.NaN, 0, 1) }),
      "an embedding with something else than numbers",
    ],
    ["base64 cut off", data({ embedding: A }, { embedding: base64(...B).slice(0, 9) }), "an embedding without numbers"],
    ["an empty vector", data({ embedding: A }, { embedding: [] }), "an embedding without numbers"],
    ["no vector", data({ embedding: A }, { object: "embedding" }), "an embedding without numbers"],
    ["null", data({ embedding: A }, null), "something that is no embedding"],
    ["a zero vector", data({ embedding: A }, { embedding: [0, 0, 0, 0] }), "an embedding that has no direction"],
    ["different lengths", data({ embedding: A }, { embedding: [1, 0] }), "embeddings of different lengths"],
    ["other JSON", json({ choices: [] }), "JSON that holds no embeddings"],
    ["JSON cut off", { headers: JSON_TYPE, body: '{"data":[{"embedd' }, "application/json that is no JSON"],
    [
      "a page",
      { headers: { "content-type": "text/html" }, body: "<h1>secret question</h1>" },
      "text/html that is no JSON",
    ],
    ["nothing", { headers: { "content-type": "text/plain" }, body: "" }, "text/plain that is no JSON"],
  ])("%s", async (_, reply, words) => {
    const { trouble, failure } = await ask(reply);
    const message = `The embedding model's endpoint answered with ${words}.`;
    expect(trouble).toEqual({ kind: "later", retryAfter: undefined, error: { code: "server_error", message } });
    expect(failure).toMatchObject({ host: new URL(model.endpoint).host, status: 200, hint: expect.any(String) });
  });

  const SORRY = { code: "server_error", message: "Sorry, something went wrong." };
  test.each<[string, Reply]>([
    ["500", json({ error: { message: "secret question" } }, 500)],
    ["a gateway's page", { status: 502, headers: { "content-type": "text/html" }, body: "<h1>Bad gateway</h1>" }],
    ["408", json({}, 408)],
    ["a connection cut off", { headers: JSON_TYPE, body: '{"data":[', ending: "cut" }],
  ])("%s", async (_, reply) => {
    expect((await ask(reply)).trouble).toEqual({ kind: "later", retryAfter: undefined, error: SORRY });
  });

  test("429, when the endpoint says", async () => {
    const reply = { ...json({ error: { message: "slow down" } }, 429), headers: { ...JSON_TYPE, "retry-after": "3" } };
    const error = { code: "rate_limit_exceeded", message: "Rate limit is exceeded. Try again in 3 seconds." };
    expect((await ask(reply)).trouble).toEqual({ kind: "later", retryAfter: 3_000, error });
  });

  test("a server that is not there, told by host and cause", async () => {
    const { trouble, failure } = await ask(undefined, "http://127.0.0.1:1/v1");
    expect(trouble).toEqual({ kind: "later", retryAfter: undefined, error: SORRY });
    expect(failure).toMatchObject({ host: "127.0.0.1:1", cause: "ECONNREFUSED" });
  });

  test.each<[string, Reply]>([
    ["says nothing", { headers: JSON_TYPE, body: [], ending: "open" }],
    ["stops in the middle", { headers: JSON_TYPE, body: '{"data":', ending: "open" }],
  ])("a server that %s: its connection is closed", async (_, reply) => {
    const name = `embedder-${names++}`;
    model.script(name, [reply]);
    const config = configOf(name, model.endpoint);
    const call = await connectEmbeddings(config, name, 100);
    const error = await call(["text"], NEVER).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ name: "ModelTimeout", message: "the model sent nothing for 0.1 s" });
    expect((await new Embeddings(config).trouble(error)).kind).toBe("later");
  });
});

describe("these are final:", () => {
  const WRONG_PATH = "The embedding model's endpoint serves no embeddings at its address.";
  test.each<[string, Reply, string, string]>([
    [
      "a wrong path",
      { status: 404, headers: { "content-type": "text/plain" }, body: "404 page not found" },
      "server_error",
      WRONG_PATH,
    ],
    ["405", json({}, 405), "server_error", WRONG_PATH],
    [
      "an unknown model",
      json({ error: { message: "no such model", code: "model_not_found" } }, 404),
      "server_error",
      "The embedding model refused the request.",
    ],
    [
      "a text too long",
      json({ error: { message: "maximum context length is 512 tokens" } }, 400),
      "server_error",
      "The embedding model refused the request.",
    ],
    [
      "a wrong key",
      json({ error: { message: "bad key sk-not" } }, 401),
      "server_error",
      "The embedding model refused the request.",
    ],
    [
      "no money",
      json({ error: { message: "You exceeded your quota", code: "insufficient_quota" } }, 429),
      "rate_limit_exceeded",
      "The embedding model's quota is used up.",
    ],
    [
      "vectors of another length",
      json({ data: [{ embedding: [1, 0, 0] }, { embedding: [0, 1, 0] }] }),
      "server_error",
      "The embedding model gives 3 dimensions, but this deployment stores 4.",
    ],
  ])("%s", async (_, reply, code, words) => {
    const { trouble } = await ask(reply);
    expect(trouble).toEqual({ kind: "final", error: { code, message: expect.stringContaining(words) } });
  });

  test("what the log gets names neither the key nor a word of the texts", async () => {
    for (const status of [200, 400, 401, 404, 429, 500]) {
      const { failure } = await ask(json({ error: { message: `secret question ${KEY}` } }, status));
      expect(JSON.stringify(failure)).not.toMatch(/secret|another|sk-/);
    }
  });
});
