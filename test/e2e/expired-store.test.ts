/** A vector store whose days are over: what clients see of it, and what a run with it comes to. */
import { CosmosClient } from "@azure/cosmos";
import { toFile } from "openai";
import { expect, inject, test } from "vitest";
import { model, newTenant, POLL, refusal, refused, type Tenant } from "./harness.ts";

const DAY = 86_400;

/** As if it had been used last two days ago. */
async function age({ tenant }: Tenant, id: string): Promise<void> {
  const stores = new CosmosClient(inject("stack").cosmos).database("threadkeep").container("stores");
  const value = Math.floor(Date.now() / 1000) - 2 * DAY;
  await stores.item(id, `${tenant}:${id}`).patch([{ op: "set", path: "/last_active_at", value }]);
}

async function expiredStore(tenant: Tenant) {
  const { files, vectorStores } = tenant.openai;
  const file = await files.create({ file: await toFile(Buffer.from("The cat sat."), "a.txt"), purpose: "assistants" });
  const store = await vectorStores.create({ expires_after: { anchor: "last_active_at", days: 1 } });
  await vectorStores.files.createAndPoll(store.id, { file_id: file.id }, POLL);
  await age(tenant, store.id);
  return { store, file };
}

test("it is shown as expired with its files, and takes and finds none", async () => {
  const tenant = newTenant();
  const { vectorStores } = tenant.openai;
  const { store, file } = await expiredStore(tenant);

  const shown = await vectorStores.retrieve(store.id);
  expect(shown).toMatchObject({ status: "expired", file_counts: { completed: 1, total: 1 } });
  expect(shown.expires_at).toBe((shown.last_active_at ?? 0) + DAY);
  expect((await vectorStores.files.list(store.id)).data).toMatchObject([{ id: file.id, status: "completed" }]);

  const over = refused(400, `Vector store '${store.id}' has expired.`);
  const days = { expires_after: { anchor: "last_active_at" as const, days: 9 } };
  expect(await refusal(vectorStores.files.create(store.id, { file_id: file.id }))).toEqual(over);
  expect(await refusal(vectorStores.fileBatches.create(store.id, { file_ids: [file.id] }))).toEqual(over);
  expect(await refusal(vectorStores.search(store.id, { query: "cat" }))).toEqual(over);
  expect(await refusal(vectorStores.update(store.id, days))).toEqual(over);
  expect((await vectorStores.update(store.id, { name: "Old" })).name).toBe("Old");
  expect(await vectorStores.delete(store.id)).toMatchObject({ deleted: true });
});

test("a run with it fails with the store's name, and no model is asked", async () => {
  const tenant = newTenant();
  const { beta } = tenant.openai;
  const { store } = await expiredStore(tenant);
  const answering = model();
  await answering.script([{ text: "Never said." }]);
  const assistant = await beta.assistants.create({ model: answering.name, tools: [{ type: "file_search" }] });
  const thread = await beta.threads.create({
    messages: [{ role: "user", content: "Where is the cat?" }],
    tool_resources: { file_search: { vector_store_ids: [store.id] } },
  });

  const polled = await beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, POLL);
  const streamed = await beta.threads.runs.stream(thread.id, { assistant_id: assistant.id }).finalRun();

  for (const run of [polled, streamed]) {
    expect(run).toMatchObject({
      status: "failed",
      last_error: { code: "server_error", message: `Vector store '${store.id}' has expired.` },
      usage: { total_tokens: 0 },
    });
  }
  expect(await answering.requests()).toEqual([]);
});
