/** A Blob Storage that takes requests and never answers: each operation ends by itself. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blobConnectionString } from "../../../local/azurite-spec.ts";
import { Blobs } from "../../../src/blobs/blobs.ts";
import { BLOCK_SIZE } from "../../../src/blobs/blocks.ts";

const PATIENCE = 300;

let server: Server;
let blobs: Blobs;
/** The container is there; nothing else is answered. */
beforeAll(async () => {
  server = createServer((request, response) => {
    if (request.url?.includes("restype=container")) response.writeHead(201).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const connectionString = blobConnectionString((server.address() as AddressInfo).port);
  const settings = { blobs: { connectionString }, managedIdentityClientId: undefined, hasIdentityEndpoint: false };
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
])("%s is trouble, not a hang", async (_, operation) => {
  await expect(operation()).rejects.toMatchObject({ name: "BlobTrouble" });
});
