/** A Blob Storage that takes requests and never answers: each operation ends by itself. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blobConnectionString } from "../../../local/azurite-spec.ts";
import { Blobs } from "../../../src/blobs/blobs.ts";
import { BLOCK_SIZE } from "../../../src/blobs/blocks.ts";

const PATIENCE = 300;
const LONGER = 2_000;

let server: Server;
let settings: ConstructorParameters<typeof Blobs>[0];
let blobs: Blobs;
/** The container is there, and two blobs of which only the half comes; nothing else is answered. */
beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url?.includes("comp=list")) return;
    if (request.url?.includes("restype=container")) response.writeHead(201).end();
    const path = request.method === "GET" ? (request.url ?? "") : "";
    if (!path.includes("/t/half") && !path.includes("/t/broken")) return;
    response.writeHead(200, { "content-length": "10", etag: '"1"', "x-ms-blob-type": "BlockBlob" });
    response.write("Hello", () => path.includes("/t/broken") && request.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const connectionString = blobConnectionString((server.address() as AddressInfo).port);
  settings = { blobs: { connectionString }, managedIdentityClientId: undefined, hasIdentityEndpoint: false };
  blobs = new Blobs(settings, PATIENCE);
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function* bytes(count: number) {
  yield Buffer.alloc(count);
}

test.each<[string, () => Promise<unknown>]>([
  ["writing a small file", () => blobs.put("t/f", bytes(1))],
  ["writing a large one", () => blobs.put("t/f", bytes(3 * BLOCK_SIZE))],
  ["staging a part", () => blobs.stage("t/f", "p", bytes(1))],
  ["committing", () => blobs.commit("t/f", ["YQ=="])],
  ["reading", () => blobs.open("t/f")],
  ["deleting", () => blobs.delete("t/f")],
  ["listing", () => blobs.pages(10).next()],
])("%s is trouble, not a hang", async (_, operation) => {
  await expect(operation()).rejects.toMatchObject({ name: "BlobTrouble" });
});

test("a blob that stops in its middle is trouble as well; how long its reader takes does not count", async () => {
  // Enough for what is answered.
  const patient = new Blobs(settings, LONGER);
  const half = patient.read("t/half", 100);
  await expect(half).rejects.toThrow("Blob Storage stopped in the middle of a download: nothing came for 2000 ms");
  const opened = await patient.open("t/half");
  const pieces = opened?.stream[Symbol.asyncIterator]();
  const first = await pieces?.next();
  await new Promise((resolve) => setTimeout(resolve, 1.1 * LONGER));
  expect(String(first?.value)).toBe("Hello");
  // Only now the next piece is waited for.
  await expect(pieces?.next()).rejects.toMatchObject({ name: "BlobTrouble" });
});

test("a download that breaks off again and again is trouble", async () => {
  const opened = await new Blobs(settings, LONGER).open("t/broken");
  const read = async () => {
    for await (const _ of opened?.stream ?? []) void _;
  };
  await expect(read()).rejects.toMatchObject({ name: "BlobTrouble" });
});
