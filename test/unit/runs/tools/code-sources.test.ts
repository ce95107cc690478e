/** The files that code reads and makes, on a real store and a Blob Storage that is in trouble. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { blobConnectionString } from "../../../../local/azurite-spec.ts";
import { Blobs } from "../../../../src/blobs/blobs.ts";
import { deleteFile } from "../../../../src/files/delete.ts";
import { mintId, nextSeq } from "../../../../src/resources/ids.ts";
import type { CodeSources } from "../../../../src/runs/tools/code-files.ts";
import { codeSources } from "../../../../src/runs/tools/code-sources.ts";
import type { FileDoc } from "../../../../src/store/documents.ts";
import { type EngineWorld, startEngineWorld } from "../engine-world.ts";
import { Sandbox } from "../sandbox.ts";

const TENANT = "t";
const NEVER = new AbortController().signal;

let world: EngineWorld;
let server: Server;
let sources: CodeSources;
/** A container with two blobs: a whole one, and one whose connection always breaks in its middle. */
beforeAll(async () => {
  server = createServer((request, response) => {
    const { method, url = "" } = request;
    if (url.includes("restype=container")) response.writeHead(201).end();
    else if (method === "GET" && url.includes("/t/")) {
      const isWhole = url.includes("/whole");
      if (!isWhole && !url.includes("/half")) {
        const error = '<?xml version="1.0"?><Error><Code>BlobNotFound</Code></Error>';
        response.writeHead(404, { "content-type": "application/xml" }).end(error);
        return;
      }
      const head = { "content-length": isWhole ? "5" : "10", etag: '"1"', "x-ms-blob-type": "BlockBlob" };
      response.writeHead(200, head).write("Hello", () => (isWhole ? response.end() : request.socket.destroy()));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const connectionString = blobConnectionString((server.address() as AddressInfo).port);
  const settings = { blobs: { connectionString }, managedIdentityClientId: undefined, hasIdentityEndpoint: false };
  world = await startEngineWorld();
  sources = codeSources(new Sandbox().pool, world.engine.store, new Blobs(settings), 60, Date.now);
});
afterAll(async () => {
  server.closeAllConnections();
  server.close();
  await world.stop();
});

test("a file that breaks off while a session gets it is trouble that passes", async () => {
  const stream = await sources.open(TENANT, "half", NEVER);
  const all = async () => {
    for await (const _ of stream ?? []);
  };
  await expect(all()).rejects.toMatchObject({ name: "StoreTrouble" });
});

test("a figure that is drawn again by another driver is the file that it is now; one that was deleted stays so", async () => {
  const catalog = world.engine.store.catalog(TENANT);
  const file = { id: mintId("file", nextSeq(Date.now())), filename: "call-0.png", bytes: 10 };
  await sources.keep(TENANT, file);
  await sources.keep(TENANT, { ...file, bytes: 11 });
  expect(await catalog.read<FileDoc>(file.id)).toMatchObject({ kind: "file", bytes: 11, purpose: "assistants_output" });
  await deleteFile(world.engine, TENANT, file.id);
  await sources.keep(TENANT, { ...file, bytes: 12 });
  expect(await catalog.read(file.id)).toMatchObject({ kind: "deleted_file" });
});

test("it is known whether the bytes of a file are there", async () => {
  expect(await sources.hasBytes(TENANT, "whole", NEVER)).toBe(true);
  expect(await sources.hasBytes(TENANT, "gone", NEVER)).toBe(false);
});
