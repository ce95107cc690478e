/** Uploads that are slow, broken off, too many or too large, and processes that die: no file without bytes, no bytes for ever. */
import { connect } from "node:net";
import { CosmosClient } from "@azure/cosmos";
import { BlobServiceClient } from "@azure/storage-blob";
import OpenAI, { NotFoundError, toFile } from "openai";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type Stack, startStack } from "../../local/stack.ts";
import { App } from "../../src/app.ts";
import { blobName } from "../../src/blobs/blobs.ts";
import { readConfig } from "../../src/config.ts";
import { sweepOrphans } from "../../src/files/sweep.ts";
import { mintId, nextSeq } from "../../src/resources/ids.ts";
import { buildIfStale } from "../e2e/build.ts";
import { until } from "../e2e/harness.ts";
import { stopSound } from "../lib/sound-store.ts";
import { silentLog } from "../unit/silent-log.ts";

const TENANT = "uploads";
const MAX_UPLOADS = 2;
const MEGABYTE = 1_048_576;

let stack: Stack;
let client: OpenAI;

beforeAll(async () => {
  buildIfStale();
  stack = await startStack({
    blobs: true,
    env: { API_KEYS: `${TENANT}:a-key-of-this-test`, MAX_UPLOADS: String(MAX_UPLOADS), SHOW_COSTS: "true" },
  });
  client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey, maxRetries: 0 });
  // The app creates it with the first file.
  await container().createIfNotExists();
});

afterAll(() => stopSound(stack));

const container = () => BlobServiceClient.fromConnectionString(stack.blobStorage ?? "").getContainerClient("files");
const catalog = () => new CosmosClient(stack.cosmos).database("threadkeep").container("catalog");

const blobs = async () => {
  const names: string[] = [];
  for await (const { name } of container().listBlobsFlat()) names.push(name);
  return names;
};

const uploadsHeld = async () => {
  const { holds } = (await (await fetch(new URL("/costs", stack.baseUrl))).json()) as { holds: { uploads: number } };
  return holds.uploads;
};

const HEAD =
  '--x\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nassistants\r\n' +
  '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\n';

/** A request by hand, which says that it has so many bytes; its body may follow. */
function begin(length: number, { key = stack.apiKey, body = HEAD, path = "/v1/files" } = {}) {
  const url = new URL(stack.baseUrl);
  const socket = connect(Number(url.port), url.hostname);
  socket.on("error", () => {});
  let answer = "";
  socket.on("data", (chunk) => {
    answer += chunk;
  });
  const ended = new Promise<string>((resolve) => socket.once("close", () => resolve(answer)));
  const lines = [`POST ${path} HTTP/1.1`, `Host: ${url.host}`, `Authorization: Bearer ${key}`];
  lines.push(`Content-Length: ${length}`, "Content-Type: multipart/form-data; boundary=x", "", "");
  socket.write(lines.join("\r\n") + body);
  return { socket, ended, answered: () => until(async () => answer.startsWith("HTTP/1.1") && answer) };
}

test("an upload too many is refused at once, and the next one gets the place of one that broke off", async () => {
  const slow = Array.from({ length: MAX_UPLOADS }, () => begin(10 * MEGABYTE));
  await until(async () => (await uploadsHeld()) === MAX_UPLOADS);
  const tooMany = begin(10 * MEGABYTE);
  expect(await tooMany.answered()).toMatch(/^HTTP\/1.1 429 [\s\S]*retry-after: 5/i);
  // Requests without a file are not concerned.
  expect((await client.files.list()).data).toEqual([]);
  for (const { socket } of slow) socket.destroy();
  await until(async () => (await uploadsHeld()) === 0);
  tooMany.socket.destroy();
  expect((await client.files.list()).data).toEqual([]);
  expect(await blobs()).toEqual([]);
});

test("a request that is refused is not read to its end, and its client gets the answer", async () => {
  const length = 400 * MEGABYTE;
  const { socket, ended, answered } = begin(length, { key: "wrong" });
  let sent = 0;
  const piece = Buffer.alloc(MEGABYTE);
  let goOn = () => {};
  socket.on("drain", () => goOn()).on("close", () => goOn());
  while (!socket.destroyed && sent < length) {
    sent += piece.length;
    if (!socket.write(piece)) {
      await new Promise<void>((resolve) => {
        goOn = resolve;
      });
    }
  }
  expect(await answered()).toMatch(/^HTTP\/1.1 401 /);
  socket.destroy();
  await ended;
});

test("a part that is too large is refused before it is all read", async () => {
  const upload = await client.uploads.create({ filename: "a", purpose: "user_data", bytes: 10, mime_type: "x" });
  const data = await toFile(Buffer.alloc(64 * MEGABYTE + 1), "part");
  const refused = client.uploads.parts.create(upload.id, { data });
  await expect(refused).rejects.toThrow("400 Part is too large.");
});

test("a deleted file's bytes go, too", async () => {
  const file = await client.files.create({ file: await toFile(Buffer.from("x"), "a.txt"), purpose: "assistants" });
  expect(await blobs()).toEqual([blobName(TENANT, file.id)]);
  await client.files.delete(file.id);
  await until(async () => (await blobs()).length === 0);
  await until(async () => (await catalog().item(file.id, TENANT).read()).statusCode === 404);
});

test("a file that has expired is gone at once, and the sweep clears it away", async () => {
  const file = await client.files.create({ file: await toFile(Buffer.from("x"), "a.txt"), purpose: "assistants" });
  const path = "/internal/due";
  await catalog()
    .item(file.id, TENANT)
    .patch([{ op: "set", path, value: Date.now() - 1 }]);
  await expect(client.files.retrieve(file.id)).rejects.toThrow(NotFoundError);
  await sweep("file-sweep");
  await until(async () => (await blobs()).length === 0);
  await until(async () => (await catalog().item(file.id, TENANT).read()).statusCode === 404);
});

/** The host's admin API starts a timer's function. */
async function sweep(name: string): Promise<void> {
  const { status } = await fetch(new URL(`/admin/functions/${name}`, stack.baseUrl), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: "{}",
  });
  expect(status).toBe(202);
}

test("a host that is killed in the middle of an upload leaves no file, and no bytes that show", async () => {
  const { socket } = begin(40 * MEGABYTE, { body: HEAD + "y".repeat(20 * MEGABYTE) });
  await until(async () => (await uploadsHeld()) === 1);
  const { functions } = stack.processes;
  await functions.kill("SIGKILL");
  await functions.start();
  socket.destroy();
  expect((await client.files.list()).data).toEqual([]);
  expect(await blobs()).toEqual([]);
});

test("blobs that no file has are deleted once they are old enough, and no others", async () => {
  const file = await client.files.create({ file: await toFile(Buffer.from("x"), "a.txt"), purpose: "assistants" });
  const app = new App(readConfig(stack.env), silentLog);
  const mine = blobName(TENANT, file.id);
  const orphans = [mintId("file", nextSeq(Date.now())), "file-imported", "no-id"].map((id) => blobName(TENANT, id));
  const other = blobName("another-tenant", mintId("file", nextSeq(Date.now())));
  for (const name of [...orphans, `${other}.text`, `${mine}.text`]) {
    await container().getBlockBlobClient(name).upload("x", 1);
  }
  expect(await sweepOrphans(app.engine)).toBe(0);
  expect(await sweepOrphans(app.engine, Date.now() + 1_000)).toBe(4);
  expect(await blobs()).toEqual([mine, `${mine}.text`]);
  await app.close();
});
