/** A Blob Storage that fails: requests get an answer that clients' libraries ask again after, never a 500. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import OpenAI, { toFile } from "openai";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { blobConnectionString } from "../../local/azurite-spec.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { stopSound } from "../lib/sound-store.ts";

const TEXT = "Hello";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

const refuses: Answer = (_, response) => response.writeHead(500).end();
const isBusy: Answer = (_, response) => response.writeHead(503).end();
const forbids: Answer = (_, response) => response.writeHead(403).end();
const hangsUp: Answer = (request) => request.socket.destroy();
const stopsHalfway: Answer = (request, response) => {
  if (request.method !== "GET") return hangsUp(request, response);
  response.writeHead(200, { "content-length": TEXT.length, etag: '"1"' });
  response.write(TEXT.slice(0, 2), () => request.socket.destroy());
};

/** Every blob holds the same text; what is written is taken. */
const works: Answer = ({ method }, response) => {
  if (method === "GET") response.writeHead(200, { "content-length": TEXT.length, etag: '"1"' }).end(TEXT);
  else response.writeHead(201, { etag: '"1"' }).end();
};

let server: Server;
let stack: Stack;
let client: OpenAI;
let answer: Answer = works;

beforeAll(async () => {
  buildIfStale();
  server = createServer((request, response) => {
    request.resume().on("end", () => answer(request, response));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const connection = blobConnectionString((server.address() as AddressInfo).port);
  stack = await startStack({ env: { BLOBS_CONNECTION: connection } });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});
afterAll(async () => {
  await stopSound(stack);
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  answer = works;
});

const createFile = async (by = client) =>
  by.files.create({ file: await toFile(Buffer.from(TEXT), "a.txt"), purpose: "assistants" });

async function uploadOfOnePart() {
  const upload = await client.uploads.create({
    ...{ filename: "a.txt", purpose: "assistants", bytes: TEXT.length, mime_type: "text/plain" },
  });
  const part = await client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from(TEXT), "part") });
  return { id: upload.id, complete: { part_ids: [part.id], md5: createHash("md5").update(TEXT).digest("hex") } };
}

const UNAVAILABLE = {
  status: 503,
  error: { code: "503", message: "Files cannot be read or written at the moment. Try again in 1 seconds." },
};

async function refusalOf(call: Promise<unknown>) {
  const error = await call.then(() => undefined).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(OpenAI.APIError);
  const { status, error: body, headers } = error as InstanceType<typeof OpenAI.APIError>;
  expect(headers?.get("retry-after")).toBe("1");
  return { status, error: body };
}

test.each([
  ["answers 500", refuses],
  ["forbids it", forbids],
  ["hangs up", hangsUp],
  ["stops halfway", stopsHalfway],
])("a Blob Storage that %s: 503, and the same request works later", async (_, trouble) => {
  const { id } = await createFile();
  const upload = await uploadOfOnePart();
  answer = trouble;
  expect(await refusalOf(createFile())).toEqual(UNAVAILABLE);
  if (trouble !== stopsHalfway) expect(await refusalOf(client.files.content(id))).toEqual(UNAVAILABLE);
  expect(await refusalOf(client.uploads.complete(upload.id, upload.complete))).toEqual(UNAVAILABLE);
  answer = works;
  expect((await client.uploads.complete(upload.id, upload.complete)).status).toBe("completed");
  expect(await (await client.files.content(id)).text()).toBe(TEXT);
  expect((await createFile()).bytes).toBe(TEXT.length);
});

test("a Blob Storage that is over its throughput: 429, as with the store", async () => {
  const { id } = await createFile();
  answer = isBusy;
  const error = { code: "429", message: "Rate limit is exceeded. Try again in 1 seconds." };
  expect(await refusalOf(client.files.content(id))).toEqual({ status: 429, error });
});

test("completing reads the file for its checksum: a download that breaks off is 503 as well", async () => {
  const upload = await uploadOfOnePart();
  answer = (request, response) => (request.method === "GET" ? stopsHalfway : works)(request, response);
  expect(await refusalOf(client.uploads.complete(upload.id, upload.complete))).toEqual(UNAVAILABLE);
  answer = works;
  expect((await client.uploads.complete(upload.id, upload.complete)).status).toBe("completed");
});

test("a client that asks again by itself does not notice", async () => {
  const patient = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey });
  // The app itself tries three times.
  let failures = 4;
  answer = (request, response) => (failures-- > 0 ? refuses : works)(request, response);
  expect((await createFile(patient)).bytes).toBe(TEXT.length);
  expect(failures).toBeLessThan(0);
});
