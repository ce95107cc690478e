/** What an operator and a client learn of a model call that failed. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { readConfig } from "../../src/config.ts";
import { Model } from "../../src/model/client.ts";
import { advance } from "../../src/runs/advance.ts";
import { type EngineWorld, startEngineWorld } from "../unit/runs/engine-world.ts";
import { collectedLog } from "../unit/runs/log-lines.ts";
import { type RawModel, type Reply, startRawModel } from "./raw-model.ts";

const { log, lines } = collectedLog();
let model: RawModel;
let world: EngineWorld;

beforeAll(async () => {
  model = await startRawModel();
  world = await startEngineWorld({ MODEL_MAX_ATTEMPTS: "1" }, log);
});
beforeEach(() => {
  lines.length = 0;
});
afterAll(async () => {
  await world.stop();
  await model.stop();
});

/** A run whose model is at this endpoint. */
async function run(endpoint: string, reply?: Reply) {
  const settings = { COSMOS_ENDPOINT: world.cosmos.endpoint, ServiceBusConnection: "unused", MODEL_KEY: "sk-secret" };
  const asked = await world.question([]);
  const { model: name } = asked.newRun().assistant;
  if (reply !== undefined) model.script(name, [reply]);
  const { run: queued, job } = await asked.start();
  const config = readConfig({ ...settings, MODEL_ENDPOINT: endpoint });
  await advance({ ...world.engine, model: new Model(config, log) }, job);
  const line = lines.find(({ message }) => message === "model call failed");
  const ids = { run: queued.id, thread: asked.threadId, tenant: asked.tenant, attempt: 1, model: name };
  expect(line).toMatchObject({ ...ids, host: new URL(endpoint).host });
  return { line, name, ended: await asked.read(queued.id) };
}

const SORRY = { code: "server_error", message: "Sorry, something went wrong." };

describe("a connection that fails is told by host and cause:", () => {
  test.each([
    ["nothing listens there", "http://127.0.0.1:1/v1", /^ECONNREFUSED$/],
    ["there is no such host", "http://nowhere.invalid/v1", /^(ENOTFOUND|EAI_AGAIN)$/],
  ])("%s", async (_, endpoint, cause) => {
    const { line, ended } = await run(endpoint);
    expect(line?.cause).toMatch(cause);
    expect(line).not.toHaveProperty("status");
    expect(ended.last_error).toEqual(SORRY);
  });
});

const HINT = { hint: expect.stringContaining("MODEL_ENDPOINT") };
const json = (status: number, body: unknown): Reply => ({
  status,
  headers: { "content-type": "application/json; charset=utf-8" },
  body: JSON.stringify(body),
});

const NO_CHAT = { code: "server_error", message: "The model's endpoint serves no chat completions at its address." };

describe("a wrong path is told from a wrong name:", () => {
  const text = (body: string): Reply => ({ status: 404, headers: { "content-type": "text/plain" }, body });
  test.each([
    ["Ollama's and Go's words", text("404 page not found"), "text/plain"],
    ["a page", { status: 404, headers: { "content-type": "text/html" }, body: "<h1>model</h1>" }, "text/html"],
    ["FastAPI's words", json(404, { detail: "Not Found" }), "application/json"],
    ["Azure's gateway", json(404, { error: { code: "404", message: "Resource not found" } }), "application/json"],
    ["OpenAI's words", json(404, { error: { message: "Invalid URL (POST /chat/completions)" } }), "application/json"],
    ["nothing at all", text(""), "text/plain"],
  ])("%s", async (_, reply: Reply, type) => {
    const { line, ended } = await run(model.endpoint, reply);
    expect(line).toMatchObject({ status: 404, content_type: type, ...HINT });
    expect(ended.last_error).toEqual(NO_CHAT);
  });

  test.each([
    ["OpenAI's code", { error: { message: "It does not exist.", code: "model_not_found" } }],
    ["Azure's code", { error: { message: "The API deployment does not exist.", code: "DeploymentNotFound" } }],
    ["Ollama's words", { error: "model 'x' not found, try pulling it first" }],
    ["vLLM's words", { object: "error", message: "The model `x` does not exist.", type: "NotFoundError", code: 404 }],
  ])("a name, in %s", async (_, body) => {
    const { line, ended, name } = await run(model.endpoint, json(404, body));
    expect(line).toMatchObject({ status: 404, content_type: "application/json" });
    expect(line).not.toHaveProperty("hint");
    const error = { code: "invalid_engine_error", message: `Failed to resolve model info for: ${name}` };
    expect(ended.last_error).toEqual(error);
  });

  test("a page with status 200", async () => {
    const { line, ended } = await run(model.endpoint, { headers: { "content-type": "text/html" }, body: "<p>Hi" });
    expect(line).toMatchObject({ status: 200, content_type: "text/html", ...HINT });
    const message = "The model's endpoint answered with text/html that is no chat completion.";
    expect(ended.last_error).toEqual({ code: "server_error", message });
  });
});

test.each([
  ["a refusal that quotes the prompt", json(400, { error: { message: 'Invalid prompt: "Why?"', code: "bad" } })],
  ["half a chunk", { body: 'data: {"choices":[{"delta":{"content":"Why? Because' }],
  ["an error in the stream", { body: 'data: {"error":{"message":"cannot answer Why?"}}\n\n' }],
])("no line holds what people wrote, or a key: %s", async (_, reply: Reply) => {
  const { line } = await run(model.endpoint, reply);
  const shown = JSON.stringify(lines.map((each) => ({ ...each, error: undefined })));
  expect(shown).not.toMatch(/Why|secret/);
  expect(line).toMatchObject({ content_type: expect.any(String) });
});
