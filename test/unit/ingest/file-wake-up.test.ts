/** A wake-up of a deleted file that meets trouble with the store: the sweep sends another one. */
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { deleteFile } from "../../../src/files/delete.ts";
import { fileJob } from "../../../src/jobs/wake-ups.ts";
import { handleWakeUp } from "../../../src/runs/worker.ts";
import { IngestWorld, type Worker } from "./world.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

let world: IngestWorld;
let worker: Worker;
beforeAll(async () => {
  world = await IngestWorld.start();
  worker = await world.worker();
});
afterAll(() => world?.stop());

test("is over: Service Bus is not to bring it again ten times in a row", async () => {
  const tenant = world.newTenant();
  const { id } = await world.file(worker, tenant, "some words");
  await deleteFile(worker.app, tenant, id);
  world.cosmos.setFaults([{ fault: "503", container: "catalog" }]);
  await expect(handleWakeUp(worker.app.engine, fileJob(tenant, id))).resolves.toBeUndefined();
});
