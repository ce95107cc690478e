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

/** An upload of two parts, "a" and "b". */
async function uploadOfTwo(begun: number) {
  const tenant = world.newTenant();
  const { store, blobs } = other.app;
  if (blobs === undefined) throw new Error("there is Blob Storage");
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
  const complete = ({ app }: Worker, parts: string[], { md5, at = 0 }: { md5?: string; at?: number } = {}) => {
    if (app.blobs === undefined) throw new Error("there is Blob Storage");
    const tools = { store: app.store, blobs: app.blobs, now: () => begun + at * 1_000 };
    const completing = completeUpload(tools, tenant, upload.id, { parts, md5 });
    completing.catch(() => undefined);
    return completing;
  };
  const accepted = async () => {
    const { status, internal } = await readUpload(store, tenant, upload.id, begun);
    return `${status} ${internal.claim?.parts.map((id) => (id === a ? "a" : "b")).join("")}`;
  };
  const bytes = async () => String(await blobs.read(name, 10));
  return { a, b, complete, accepted, bytes };
}

/** A worker whose commits wait until they are let go. */
async function slowWorker() {
  const slow = await slowCommits(world.blobPort);
  const worker = await world.worker(slow.port);
  const end = async () => {
    await worker.kill();
    slow.server.close();
    slow.server.closeAllConnections();
  };
  return { ...slow, worker, end };
}

test("a commit that is on its way from a repeated completion is waited for", async () => {
  const { a, b, complete, accepted, bytes } = await uploadOfTwo(Date.now());
  // The first try claims the upload, and then its process dies: its commit never arrives.
  const gate = await BlobGate.to(world.blobPort);
  const dying = await world.worker(gate.port);
  const held = gate.hold({ method: "PUT", containing: "comp=blocklist", when: "before" });
  complete(dying, [a, b]);
  await held;
  await dying.kill();
  // The client tries again shortly before that claim ends; Blob Storage is slow to do the commit.
  const slow = await slowWorker();
  const first = complete(slow.worker, [a, b], { at: 179 });
  await slow.arrived;
  // Two seconds later, another request wants the parts in another order.
  await complete(other, [b, a], { at: 181 }).catch(() => undefined);
  slow.release();
  await first;
  expect(await accepted()).toBe(`completed ${await bytes()}`);
  await slow.end();
  gate.cut();
});

test.each(["first", "second"])("of two completions with the same parts, the %s has a wrong checksum", async (wrong) => {
  const { a, b, complete, accepted, bytes } = await uploadOfTwo(Date.now());
  const [early, late] = [await slowWorker(), await slowWorker()];
  const md5 = "0".repeat(32);
  const first = complete(early.worker, [a, b], wrong === "first" ? { md5 } : {});
  await early.arrived;
  const second = complete(late.worker, [a, b], wrong === "second" ? { md5 } : {});
  await late.arrived;
  const [refused, good] = wrong === "first" ? [early, late] : [late, early];
  refused.release();
  await expect(wrong === "first" ? first : second).rejects.toMatchObject({ status: 400 });
  // Another order, while the other one's commit is still on its way.
  await complete(other, [b, a]).catch(() => undefined);
  good.release();
  await (wrong === "first" ? second : first).catch(() => undefined);
  expect(await accepted()).toBe(`completed ${await bytes()}`);
  await Promise.all([early.end(), late.end()]);
});

test("a completion that is repeated while it goes on is done by the one that comes to its end first", async () => {
  const { a, b, complete, bytes } = await uploadOfTwo(Date.now());
  const [early, late] = [await slowWorker(), await slowWorker()];
  const first = complete(early.worker, [a, b]);
  await early.arrived;
  const second = complete(late.worker, [a, b]);
  await late.arrived;
  early.release();
  const completed = await first;
  expect(completed).toMatchObject({ status: "completed", file: { bytes: 2 } });
  late.release();
  expect(await second).toMatchObject({ file: { id: completed.file?.id } });
  expect(await bytes()).toBe("ab");
  await Promise.all([early.end(), late.end()]);
});

test("after a wrong checksum, another order is taken at once", async () => {
  const { a, b, complete, accepted } = await uploadOfTwo(Date.now());
  await expect(complete(other, [a, b], { md5: "0".repeat(32) })).rejects.toMatchObject({ status: 400 });
  await complete(other, [b, a]);
  expect(await accepted()).toBe("completed ba");
});

test("after a completion that died, its repetition works at once, and another order when the claim has ended", async () => {
  const { a, b, complete, accepted, bytes } = await uploadOfTwo(Date.now());
  const gate = await BlobGate.to(world.blobPort);
  const dying = await world.worker(gate.port);
  const held = gate.hold({ method: "PUT", containing: "comp=blocklist", when: "before" });
  complete(dying, [a, b]);
  await held;
  await dying.kill();
  await expect(complete(other, [a, b], { md5: "0".repeat(32), at: 1 })).rejects.toThrow("md5");
  await expect(complete(other, [b, a], { at: 2 })).rejects.toThrow("is being completed with other parts");
  await complete(other, [b, a], { at: 182 });
  expect(await accepted()).toBe("completed ba");
  expect(await bytes()).toBe("ba");
  gate.cut();
});
