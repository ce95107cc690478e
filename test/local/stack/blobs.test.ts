import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { azuriteSpec, blobConnectionString } from "../../../local/azurite-spec.ts";
import { Child } from "../../../local/child.ts";
import { BlobClient } from "./blobs.ts";

let dataDir: string;
let azurite: Child;
const output: string[] = [];
const client = (key?: string) => new BlobClient(blobConnectionString(azurite.ports.port), key);

beforeAll(async () => {
  dataDir = await mkdtemp(path.join(tmpdir(), "blobs-"));
  const log = (line: string) => output.push(line);
  azurite = new Child({ cwd: process.cwd(), env: process.env, log, onDeath: () => {}, ...azuriteSpec(0, dataDir) });
  await azurite.start();
});
afterAll(async () => {
  await azurite.kill();
  await rm(dataDir, { recursive: true });
});

test("blobs are written with the key that every Azurite has, and are there after a restart", async () => {
  expect((await client().createContainer("files")).status).toBe(201);
  expect((await client().write("files/a.txt", "hello")).status).toBe(201);
  await azurite.restart();
  const response = await client().read("files/a.txt");
  expect([response.status, await response.text()]).toEqual([200, "hello"]);
});

test("not with another key", async () => {
  const response = await client(Buffer.from("another key").toString("base64")).read("files/a.txt");
  expect(response.status).toBe(403);
});

test("it says one line at its start, and stops when it is asked to", async () => {
  expect(output.at(-1)).toBe(`blobs ready on http://127.0.0.1:${azurite.ports.port}`);
  expect(await azurite.kill()).toEqual({ code: 0, signal: null });
});
