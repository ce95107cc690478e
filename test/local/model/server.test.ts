import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import OpenAI, { AzureOpenAI } from "openai";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startIdentity } from "../../../local/identity/server.ts";
import { type RunningModel, startModel } from "../../../local/model/server.ts";

let server: RunningModel;
const started: ChildProcess[] = [];

beforeAll(async () => {
  server = await startModel({ key: "the-right-key" });
});
afterAll(async () => {
  await server.stop();
  for (const child of started) child.kill("SIGKILL");
});

const messages = [{ role: "user" as const, content: "hello" }];
const openai = () => new OpenAI({ baseURL: server.baseUrl, apiKey: "the-right-key", maxRetries: 0 });

test("a wrong key is refused in OpenAI's shape, and the right one is let in", async () => {
  const wrong = new OpenAI({ baseURL: server.baseUrl, apiKey: "the-wrong-key", maxRetries: 0 });
  const error = await wrong.chat.completions.create({ model: "m", messages }).catch((caught) => caught);
  expect(error).toBeInstanceOf(OpenAI.AuthenticationError);
  expect(error).toMatchObject({ status: 401, code: "invalid_api_key", type: "invalid_request_error" });
  expect(error.message).not.toContain("the-wrong-key");
  await expect(openai().chat.completions.create({ model: "m", messages })).resolves.toBeDefined();
});

test("an identity's token for Azure OpenAI is taken in place of the key, and no other token", async () => {
  const directory = await startIdentity({ tenantId: "d", secret: "s" });
  const model = await startModel({ key: "the-right-key", issuer: directory.authority });
  const endpoint = new URL(model.baseUrl).origin;
  const ask = (audience: string, lifetime = 60) => {
    const token = directory.directory.issue({ clientId: "app" }, { audience, lifetime });
    const azureADTokenProvider = async () => token;
    const azure = new AzureOpenAI({ endpoint, azureADTokenProvider, apiVersion: "2024-10-21", maxRetries: 0 });
    return azure.chat.completions.create({ model: "m", messages });
  };
  await expect(ask("https://cognitiveservices.azure.com")).resolves.toBeDefined();
  await expect(ask("https://vault.azure.net")).rejects.toMatchObject({ status: 401 });
  await expect(ask("https://cognitiveservices.azure.com", -1)).rejects.toMatchObject({ status: 401 });
  await model.stop();
  await directory.stop();
});

test("the Azure client works with its deployment in the path and its key in api-key", async () => {
  const endpoint = new URL(server.baseUrl).origin;
  const azure = new AzureOpenAI({ endpoint, apiKey: "the-right-key", apiVersion: "2024-10-21", deployment: "mine" });
  server.script("mine", [{ text: "from Azure" }, { text: "streamed" }]);
  const completion = await azure.chat.completions.create({ model: "mine", messages });
  expect(completion.choices[0]?.message.content).toBe("from Azure");
  const chunks = [];
  for await (const chunk of await azure.chat.completions.create({ model: "mine", messages, stream: true })) {
    chunks.push(chunk);
  }
  // Azure's first chunk has no choices: an app that reads choices[0] blindly fails there.
  expect(chunks[0]).toMatchObject({ choices: [], prompt_filter_results: [{ prompt_index: 0 }] });
  expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("")).toBe("streamed");
  expect(server.requests("mine")).toHaveLength(2);
});

test("texts with common words have embeddings that are near to each other", async () => {
  const input = ["how to return a parcel", "return the parcel within days", "quantum physics lecture"];
  const response = await openai().embeddings.create({ model: "text-embedding-3-small", input });
  const [query, near, far] = response.data.map((each) => each.embedding);
  const dot = (left: number[] = [], right: number[] = []) =>
    left.reduce((sum, value, index) => sum + value * (right[index] ?? 0), 0);
  expect(query).toHaveLength(1536);
  expect(dot(query, query)).toBeCloseTo(1, 5);
  expect(dot(query, near)).toBeGreaterThan(dot(query, far) + 0.2);
  const again = await openai().embeddings.create({ model: "text-embedding-3-small", input, encoding_format: "float" });
  expect(again.data[0]?.embedding).toEqual(query);
  const short = await openai().embeddings.create({ model: "text-embedding-3-small", input: "parcel", dimensions: 8 });
  expect(short.data[0]?.embedding).toHaveLength(8);
});

test("an embedding model can be scripted to fail", async () => {
  server.script("embedding-limited", [{ status: 429 }]);
  const create = () => openai().embeddings.create({ model: "embedding-limited", input: "x" });
  await expect(create()).rejects.toMatchObject({ status: 429 });
  await expect(create()).resolves.toMatchObject({ data: [{ index: 0 }] });
});

test("models are listed, and an unknown path is a 404 that names it", async () => {
  const names = [];
  for await (const model of openai().models.list()) names.push(model.id);
  expect(names).toContain("simulated-model");
  const response = await fetch(`${server.baseUrl}/responses`, { method: "POST" });
  expect(response.status).toBe(404);
  expect(await response.json()).toMatchObject({ error: { message: expect.stringContaining("POST /v1/responses") } });
});

test("a body that is no JSON or has no messages is refused", async () => {
  const post = (body: string) =>
    fetch(`${server.baseUrl}/chat/completions`, { method: "POST", body, headers: { "api-key": "the-right-key" } });
  for (const body of ["{", "[]", '{"model":"m"}', '{"messages":[{}]}', '{"model":"m","messages":[null]}']) {
    const response = await post(body);
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { type: "invalid_request_error" } });
  }
});

test("stopping lets an answer under way finish and then ends its connection", async () => {
  const own = await startModel();
  own.script("slow", [{ text: ["a", "b", "c", "d"], tokenMs: 40 }]);
  const client = new OpenAI({ baseURL: own.baseUrl, apiKey: "any", maxRetries: 0 });
  const answer = client.chat.completions.create({ model: "slow", messages });
  await vi.waitFor(() => expect(own.requests("slow")).toHaveLength(1));
  await own.stop();
  expect((await answer).choices[0]?.message.content).toBe("abcd");
  await expect(fetch(own.baseUrl)).rejects.toThrow();
});

function startMain(args: string[], stdio: "pipe" | "ipc" = "pipe"): ChildProcess {
  const options = { stdio: ["ignore", "pipe", "pipe", ...(stdio === "ipc" ? ["ipc" as const] : [])] } as const;
  const child = spawn(process.execPath, ["local/model/main.ts", ...args], { stdio: [...options.stdio] });
  started.push(child);
  return child;
}

test("the command line says where it listens and stops on SIGTERM with 0", async () => {
  const child = startMain(["--port", "0"]);
  const [line] = await once(child.stdout ?? process.stdin, "data");
  expect(String(line)).toMatch(/^model ready on http:\/\/127\.0\.0\.1:\d+\/v1\n$/);
  child.kill("SIGTERM");
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("the command line tells its parent the port and ends when the parent goes away", async () => {
  const child = startMain(["--port", "0"], "ipc");
  const [ready] = await once(child, "message");
  expect(ready).toMatchObject({ ready: true, port: expect.any(Number) });
  child.disconnect();
  expect(await once(child, "exit")).toEqual([0, null]);
});

test("a port in use ends the command line with a message that names the port", async () => {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const address = holder.address();
  const port = typeof address === "object" ? String(address?.port) : "";
  const child = startMain(["--port", port]);
  let stderr = "";
  child.stderr?.on("data", (chunk) => {
    stderr += chunk;
  });
  expect(await once(child, "close")).toEqual([1, null]);
  expect(stderr).toBe(`model: port ${port} is already in use on 127.0.0.1\n`);
  holder.close();
});
