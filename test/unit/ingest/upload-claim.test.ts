/** An upload that two clients complete with different lists: the file has the bytes of the list that was accepted. */
import { createServer, request as sendRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { blobName } from "../../../src/blobs/blobs.ts";
import { completeUpload } from "../../../src/files/complete.ts";
import { addPart, createUpload, newPartId, readUpload } from "../../../src/files/uploads.ts";
import { BlobGate } from "./blob-gate.ts";
import { IngestWorld, type Worker } from "./world.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: IngestWorld;
let other: Worker;
beforeAll(async () => {
  world = await IngestWorld.start();
  other = await world.worker();
});
afterAll(() => world?.stop());

/** Blob Storage behind a proxy that holds commits until they are let go. */
async function slowCommits(target: number) {
  const arrived = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const body: Buffer[] = [];
    for await (const chunk of request) body.push(chunk as Buffer);
    const { method = "", url = "", headers } = request;
    if (url.includes("comp=blocklist")) {
      arrived.resolve();
      await released.promise;
    }
    sendRequest({ port: target, host: "127.0.0.1", method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    }).end(Buffer.concat(body));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, arrived: arrived.promise, release: released.resolve, server };
}

test("a commit that is on its way from a repeated completion is waited for", async () => {
  const tenant = world.newTenant();
  const { store, blobs } = other.app;
  if (blobs === undefined) throw new Error("there is Blob Storage");
  const begun = Date.now();
  const request = { filename: "a.txt", purpose: "assistants", bytes: 2, mime_type: "text/plain" };
  const upload = await createUpload(store, tenant, request, begun);
  const name = blobName(tenant, upload.internal.file);
  const part = async (text: string) => {
    const id = newPartId(begun);
    const staged = await blobs.stage(
      name,
      id,
      (async function* () {
        yield Buffer.from(text);
      })(),
    );
    return (await addPart(store, tenant, upload.id, id, staged, begun)).id;
  };
  const [a, b] = [await part("a"), await part("b")];
  // The first try claims the upload, and then its process dies: its commit never arrives.
  const at = (seconds: number) => () => begun + seconds * 1_000;
  const gate = await BlobGate.to(world.blobPort);
  const dying = await world.worker(gate.port);
  if (dying.app.blobs === undefined) throw new Error("there is Blob Storage");
  const held = gate.hold({ method: "PUT", containing: "comp=blocklist", when: "before" });
  const died = { store: dying.app.store, blobs: dying.app.blobs, now: at(0) };
  completeUpload(died, tenant, upload.id, { parts: [a, b], md5: undefined }).catch(() => undefined);
  await held;
  await dying.kill();
  // The client tries again shortly before that claim ends; Blob Storage is slow to do the commit.
  const slow = await slowCommits(world.blobPort);
  const worker = await world.worker(slow.port);
  if (worker.app.blobs === undefined) throw new Error("there is Blob Storage");
  const again = { store: worker.app.store, blobs: worker.app.blobs, now: at(179) };
  const first = completeUpload(again, tenant, upload.id, { parts: [a, b], md5: undefined }).catch(() => undefined);
  await slow.arrived;
  // Two seconds later, another request wants the parts in another order.
  const late = { store, blobs, now: at(181) };
  await completeUpload(late, tenant, upload.id, { parts: [b, a], md5: undefined }).catch(() => undefined);
  slow.release();
  await first;
  const { internal } = await readUpload(store, tenant, upload.id, begun);
  const accepted = internal.claim?.parts.map((id) => (id === a ? "a" : "b")).join("");
  expect(String(await blobs.read(name, 10))).toBe(accepted);
  await worker.kill();
  slow.server.close();
  slow.server.closeAllConnections();
  gate.cut();
});
