/** What is deployed: the bundle, from a folder where no node_modules can help it out. */
import { execFile } from "node:child_process";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { CosmosClient } from "@azure/cosmos";
import { countTokens } from "gpt-tokenizer/encoding/o200k_base";
import OpenAI, { toFile } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { controlModel } from "../../local/model/control.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { PROJECT } from "../e2e/build.ts";

let appDir: string;
let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  appDir = await mkdtemp(path.join(tmpdir(), "threadkeep-bundle-"));
  await promisify(execFile)(process.execPath, ["infra/bundle.ts", "--out", appDir], { cwd: PROJECT });
  stack = await startStack({ appDir, blobs: true });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});

afterAll(async () => {
  await stack?.stop();
  await rm(appDir, { recursive: true });
});

/** What a message costs beside its text. */
const TOKENS_PER_MESSAGE = 4;

const WEATHER = { type: "function" as const, function: { name: "get_weather" } };

test("the bundle runs threads in the background and streamed, with function calls", async () => {
  const turns = [{ toolCalls: [{ id: "call_1", name: "get_weather", arguments: {} }] }, { text: "It rains." }];
  await controlModel(stack.model.baseUrl).script("bundled", turns);
  const assistant = await client.beta.assistants.create({ model: "bundled", tools: [WEATHER] });
  const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Is it raining?" }] });

  const request = { assistant_id: assistant.id };
  const paused = await client.beta.threads.runs.createAndPoll(thread.id, request, { pollIntervalMs: 30 });
  expect(paused.status).toBe("requires_action");

  const outputs = { thread_id: thread.id, tool_outputs: [{ tool_call_id: "call_1", output: "yes" }] };
  const stream = client.beta.threads.runs.submitToolOutputsStream(paused.id, outputs);
  expect((await stream.finalRun()).status).toBe("completed");
  const { data } = await client.beta.threads.messages.list(thread.id);
  expect(data[0]?.content).toMatchObject([{ text: { value: "It rains." } }]);
});

test("a start loads few files, and not what only runs need", async () => {
  const loaded = new Set((await readdir(path.join(appDir, "functions"))).map((name) => `functions/${name}`));
  let text = "";
  for (const file of loaded) {
    const code = await readFile(path.join(appDir, file), "utf8");
    for (const [, part] of code.matchAll(/(?:from|import)"\.\.?\/([^"]+)"/g)) {
      loaded.add(`chunks/${path.basename(part ?? "")}`);
    }
    text += code;
  }
  const chunks = [...loaded].filter((file) => file.startsWith("chunks/"));
  expect(chunks.length).toBeGreaterThan(0);
  expect(chunks.length).toBeLessThan(4);
  expect(text.length).toBeLessThan(900_000);
  // Texts of the API's answers, of a drive, and of the code interpreter.
  expect(text).toContain("Unknown parameter: ");
  expect(text).not.toContain("what the run's tools need could not be read");
  expect(text).not.toContain("matplotlib");
});

test("the bundle counts tokens exactly, in a thread of its own", async () => {
  const content = "The quick brown fox jumps over the lazy dog. ".repeat(2_000);
  const thread = await client.beta.threads.create();
  const message = await client.beta.threads.messages.create(thread.id, { role: "user", content });

  const cosmos = new CosmosClient({ ...stack.cosmos, connectionPolicy: { enableEndpointDiscovery: false } });
  const query = {
    query: "SELECT VALUE c.internal.tokens FROM c WHERE c.id = @id",
    parameters: [{ name: "@id", value: message.id }],
  };
  const { resources } = await cosmos.database("threadkeep").container("threads").items.query(query).fetchAll();
  cosmos.dispose();
  expect(resources).toEqual([countTokens(content) + TOKENS_PER_MESSAGE]);
});

test("the bundle tells what it serves", async () => {
  const response = await fetch(new URL("/openapi.json", stack.baseUrl));
  expect(await response.json()).toMatchObject({ openapi: "3.1.0" });
});

test("the bundle keeps files", async () => {
  const file = await client.files.create({ file: await toFile(Buffer.from("Hello"), "a.txt"), purpose: "assistants" });
  expect(await (await client.files.content(file.id)).text()).toBe("Hello");
});

/** What a request loads that needs no file: the files of the functions and all that they import statically. */
async function loadedAtOnce(): Promise<string[]> {
  const loaded = new Set<string>();
  const load = async (file: string) => {
    if (loaded.has(file)) return;
    loaded.add(file);
    const source = await readFile(file, "utf8");
    for (const [, target = ""] of source.matchAll(/(?:from|import)\s*"(\.{1,2}\/[^"]+)"/g)) {
      await load(path.resolve(path.dirname(file), target));
    }
  };
  const folder = path.join(appDir, "functions");
  for (const name of await readdir(folder)) await load(path.join(folder, name));
  return [...loaded];
}

test("the libraries for files are in chunks of their own, which no other request loads", async () => {
  const texts = async (files: string[]) => Promise.all(files.map((file) => readFile(file, "utf8")));
  const isOfFiles = (text: string) => text.includes("BlockBlobClient extends") || text.includes("Multipart: Boundary");
  const chunks = await readdir(path.join(appDir, "chunks"));
  expect((await texts(chunks.map((name) => path.join(appDir, "chunks", name)))).filter(isOfFiles)).toHaveLength(2);
  expect((await texts(await loadedAtOnce())).filter(isOfFiles)).toEqual([]);
});
