/** What `npm start` says of a real model's endpoint, for the ways in which one is set wrong. */
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { afterAll, beforeAll, expect, test } from "vitest";
import { askEndpoint, missingEmbeddingModel } from "../../../local/endpoint.ts";

const KEY = "sk-right";
let server: Server;
let origin: string;
const asked: string[] = [];

/** Has the API below /v1 and Azure's dated one, wants a key, and shows a page at /page. */
function answer({ url = "", headers }: IncomingMessage, response: ServerResponse): void {
  asked.push(url);
  const json = (status: number, body: unknown) =>
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  const names = url.startsWith("/many") ? ["a", "b", "c", "d", "e", "f"] : ["small", "large"];
  if (url.startsWith("/page")) return void response.writeHead(200, { "content-type": "text/html" }).end("<html>");
  if (url.startsWith("/broken")) return void json(500, {});
  const isAzure = url === "/azure/openai/models?api-version=2024-10-21";
  if (!isAzure && !["/v1/models", "/many/v1/models"].includes(url)) return void json(404, {});
  const isRight = isAzure ? headers["api-key"] === KEY : headers.authorization === `Bearer ${KEY}`;
  if (!isRight) return void json(401, {});
  json(200, { data: [...names.map((id) => ({ id })), null, { id: 7 }] });
}

beforeAll(async () => {
  server = createServer(answer).listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  origin = `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`;
});
afterAll(() => server.close());

const ask = (path: string, key: string | undefined = KEY, apiVersion?: string) =>
  askEndpoint({ endpoint: `${path.startsWith("http") ? "" : origin}${path}`, key, apiVersion });

test.each([
  ["/v1", "answers; its models: small, large"],
  ["/v1/", "answers; its models: small, large"],
  ["/many/v1", "answers; its models: a, b, c, d, and 2 more"],
  ["/v1/chat/completions", "ends in /chat/completions: leave that out of MODEL_ENDPOINT"],
  ["/other/v1", "has no list of models there (404)"],
  ["/page", "answered with text/html instead of a list of models: is its path right? OpenAI's ends in /v1"],
  ["/broken", "answered 500 when asked for its models"],
  ["http://127.0.0.1:1/v1", "does not answer: "],
  ["http://no-such-host.invalid/v1", "does not answer: "],
])("%s %s", async (path, text) => {
  const { text: said } = await ask(path);
  expect(said).toContain(text);
  expect(said).not.toMatch(/\n/);
});

test.each([
  ["http://127.0.0.1:11434/v1", ["llama3.2"], "embed", "EMBEDDING_MODEL=embed: the endpoint does not list it"],
  ["http://127.0.0.1:11434/v1", ["llama3.2", "embed"], "embed", undefined],
  ["http://127.0.0.1:11434/v1", ["llama3.2", "embed:latest"], "embed", undefined],
  ["http://127.0.0.1:11434/v1", [], "embed", undefined],
  ["https://name.openai.azure.com/openai/v1", ["gpt-4o"], "my-deployment", undefined],
])("of %s with %j and the embedding model %s: %s", (endpoint, models, wanted, said) => {
  const line = missingEmbeddingModel({ endpoint, models }, wanted);
  if (said === undefined) expect(line).toBeUndefined();
  else expect(line).toContain(said);
});

test("a missing and a wrong key are told apart, and never shown", async () => {
  expect(await ask("/v1", "sk-wrong")).toEqual({ text: "refuses MODEL_KEY (401)", models: [] });
  expect(await askEndpoint({ endpoint: `${origin}/v1`, key: undefined, apiVersion: undefined })).toEqual({
    text: "asks for a key (401): set MODEL_KEY",
    models: [],
  });
});

test("an endpoint that lacks /v1 is told the right one, and gets one more request at the most", async () => {
  asked.length = 0;
  expect((await ask("")).text).toBe(`has nothing there (404), but below /v1: set MODEL_ENDPOINT=${origin}/v1`);
  expect(asked).toEqual(["/models", "/v1/models"]);
  asked.length = 0;
  expect((await ask("/v1")).models).toEqual(["small", "large"]);
  expect(asked).toEqual(["/v1/models"]);
});

test("Azure OpenAI's dated API is asked in its own way", async () => {
  expect((await ask("/azure", KEY, "2024-10-21")).text).toContain("answers, and takes the key");
  expect((await ask("/azure", "wrong", "2024-10-21")).text).toBe("refuses MODEL_KEY (401)");
});
