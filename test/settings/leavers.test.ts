/** Clients that leave before their answer: the app stops what it does for them, and takes none for a fault of its own. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { createServer, type Server, request as sendRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import OpenAI, { toFile } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { azuriteSpec, blobConnectionString } from "../../local/azurite-spec.ts";
import { Child } from "../../local/child.ts";
import { type Stack, startStack } from "../../local/stack.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { PROJECT } from "../lib/imports.ts";
import { Collector } from "../lib/otlp-collector.ts";
import { stopSound } from "../lib/sound-store.ts";

const SERVER = 2;

let folder: string;
let collector: Collector;
let azurite: Child;
let storage: Server;
let stack: Stack;
let client: OpenAI;

/** Which download stops in its middle, by what its URL contains; how many did, and how many of those were left. */
const halting = { containing: "none", stopped: 0, left: 0 };

/** Blob Storage, except for the download that is to stop. */
async function startStorage(): Promise<number> {
  const spec = azuriteSpec(0, undefined);
  azurite = new Child({ ...spec, cwd: PROJECT, env: process.env, log: () => {}, isShown: false, onDeath: () => {} });
  await azurite.start();
  const { port } = azurite.ports;
  storage = createServer(async (request, response) => {
    const { method = "", url = "", headers } = request;
    const sent: Buffer[] = [];
    for await (const piece of request) sent.push(piece);
    const isHalted = method === "GET" && decodeURIComponent(url).includes(halting.containing);
    sendRequest({ port, host: "127.0.0.1", method, path: url, headers }, async (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      if (!isHalted) return answer.pipe(response);
      const got: Buffer[] = [];
      for await (const piece of answer) got.push(piece);
      response.once("close", () => halting.left++);
      response.write(Buffer.concat(got).subarray(0, -1), () => halting.stopped++);
    }).end(Buffer.concat(sent));
  });
  await new Promise<void>((resolve) => storage.listen(0, "127.0.0.1", resolve));
  return (storage.address() as AddressInfo).port;
}

beforeAll(async () => {
  buildIfStale();
  folder = await mkdtemp(path.join(tmpdir(), "threadkeep-leavers-"));
  collector = await Collector.start();
  stack = await startStack({
    log: path.join(folder, "log"),
    env: {
      BLOBS_CONNECTION: blobConnectionString(await startStorage()),
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_BSP_SCHEDULE_DELAY: "100",
      OTEL_METRIC_EXPORT_INTERVAL: "500",
    },
  });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
});

afterAll(async () => {
  await stopSound(stack);
  await collector?.stop();
  storage?.closeAllConnections();
  storage?.close();
  await azurite?.kill("SIGKILL");
  await rm(folder, { recursive: true });
});

/** The statuses of this route's requests, once so many are counted. */
async function statusesOf(route: string, count: number): Promise<unknown[]> {
  const points = () =>
    collector.points.filter(
      ({ name, attributes }) => name === "http.server.request.duration" && attributes["http.route"] === route,
    );
  // Sums: the newest of each status has all.
  const newest = () => new Map(points().map((point) => [point.attributes["http.response.status_code"], point.count]));
  await until(async () => [...newest().values()].reduce((sum, each) => sum + each, 0) >= count);
  return [...newest().keys()].map(Number).toSorted();
}

async function expectNoFault(): Promise<void> {
  expect(await readFile(path.join(folder, "log"), "utf8")).not.toMatch(/request failed|ECONNRESET/);
  expect(collector.spans.filter(({ kind, isError }) => kind === SERVER && isError).map(({ name }) => name)).toEqual([]);
}

/** A request by hand; its body need not be what its headers say. Resolves once it is sent. */
async function send(headers: string[], body: string) {
  const url = new URL(stack.baseUrl);
  const socket = connect({ port: Number(url.port), host: url.hostname, allowHalfOpen: true });
  let answer = "";
  socket
    .on("error", () => {})
    .on("data", (chunk) => {
      answer += chunk;
    });
  const lines = [`Host: ${url.host}`, `Authorization: Bearer ${stack.apiKey}`, "Content-Type: application/json"];
  const text = ["POST /v1/threads HTTP/1.1", ...lines, ...headers, "", body].join("\r\n");
  await new Promise<void>((resolve) => socket.write(text, () => resolve()));
  return { socket, answered: () => until(async () => answer.startsWith("HTTP/1.1 ") && answer) };
}

/** Long enough for the app to have begun with a request. */
const begun = () => new Promise((resolve) => setTimeout(resolve, 300));

const BEGINNING = '{"metadata":{"a":"';

test("a client that leaves while it sends its JSON is no error, of whatever length its body was to be", async () => {
  const begun100 = await send(["Content-Length: 100"], BEGINNING);
  // More than the operation takes, and unknown: both are read in pieces.
  const tooLong = await send(["Content-Length: 20000000"], BEGINNING);
  const chunked = await send(["Transfer-Encoding: chunked"], `12\r\n${BEGINNING}\r\n`);
  const badChunk = await send(["Transfer-Encoding: chunked"], `12\r\n${BEGINNING}\r\n`);
  const halfClosed = await send(["Content-Length: 100"], BEGINNING);
  await begun();
  badChunk.socket.write("ZZ\r\n");
  halfClosed.socket.end();
  for (const { socket } of [begun100, tooLong, chunked]) socket.destroy();
  // A length that is too short cuts the body; what is left over is no request.
  const cut = await send(["Content-Length: 10"], BEGINNING);
  expect(await cut.answered()).toMatch(/^HTTP\/1.1 400 /);
  cut.socket.destroy();
  expect(await statusesOf("/threads", 5)).toEqual([400]);
  await expectNoFault();
  for (const { socket } of [badChunk, halfClosed]) socket.destroy();
});

async function uploadOfOnePart(text: string) {
  const upload = await client.uploads.create({
    ...{ filename: "a.txt", purpose: "assistants", bytes: text.length, mime_type: "text/plain" },
  });
  const part = await client.uploads.parts.create(upload.id, { data: await toFile(Buffer.from(text), "part") });
  return { id: upload.id, parts: [part.id] };
}

/** Leaves when the download of Blob Storage has stopped; resolves when the app has given it up. */
async function leaveIn(containing: string, call: (signal: AbortSignal) => Promise<unknown>): Promise<void> {
  Object.assign(halting, { containing, stopped: 0, left: 0 });
  const leave = new AbortController();
  try {
    const calling = call(leave.signal).catch(() => undefined);
    await until(async () => halting.stopped === 1);
    expect(halting.left).toBe(0);
    leave.abort();
    await calling;
    await until(async () => halting.left === 1, 5_000);
  } finally {
    halting.containing = "none";
  }
}

test("the checksum of a completed upload is not read on when the client has left, and the completion can be repeated", async () => {
  const { id, parts } = await uploadOfOnePart("some bytes");
  const md5 = "0".repeat(32);
  await leaveIn("/file-", (signal) => client.uploads.complete(id, { part_ids: parts, md5 }, { signal }));
  expect(await statusesOf("/uploads/{upload_id}/complete", 1)).toEqual([400]);
  expect((await client.uploads.complete(id, { part_ids: parts })).status).toBe("completed");
  await expectNoFault();
});

test("the text of a file in a store is not read on when the client has left", async () => {
  const file = await client.files.create({
    file: await toFile(Buffer.from("Some text"), "a.txt"),
    purpose: "assistants",
  });
  const store = await client.vectorStores.create({});
  await client.vectorStores.files.createAndPoll(store.id, { file_id: file.id }, { pollIntervalMs: 30 });
  const of = { vector_store_id: store.id };
  await leaveIn(`${file.id}.text`, (signal) => client.vectorStores.files.content(file.id, of, { signal }));
  expect(await statusesOf("/vector_stores/{vector_store_id}/files/{file_id}/content", 1)).toEqual([400]);
  expect((await client.vectorStores.files.content(file.id, of)).data).toMatchObject([{ text: "Some text" }]);
  await expectNoFault();
});
