/** A tenant with files, uploads, stores and batches in each state that they may be in. */
import { toFile } from "openai";
import { newTenant, POLL, type Tenant, until } from "../harness.ts";
import { digestOf, isQuiet } from "./fixture.ts";

export interface FilesFixture {
  tenant: Tenant;
  ids: Record<string, string>;
  /** ids of another tenant */
  others: string[];
  /** ids that a path parameter takes */
  fitting(name: string): string[];
}

export async function newFilesFixture(tenant = newTenant(), others: string[] = ["file-none"]): Promise<FilesFixture> {
  const { files, uploads, vectorStores } = tenant.openai;
  const file = async (name: string, purpose: "assistants" | "vision" | "user_data" | "batch", text = "The cat sat.") =>
    (await files.create({ file: await toFile(Buffer.from(text), name), purpose })).id;
  const [text, other, blank, table, image, data, gone] = await Promise.all([
    file("a.txt", "assistants"),
    file("b.md", "assistants"),
    file("blank.txt", "assistants", "  \n"),
    file("c.csv", "assistants"),
    file("d.png", "vision"),
    file("e.txt", "user_data"),
    file("f.txt", "assistants"),
  ]);
  const upload = async () =>
    (await uploads.create({ filename: "g.txt", purpose: "assistants", bytes: 5, mime_type: "text/plain" })).id;
  const [pending, cancelled, done] = await Promise.all([upload(), upload(), upload()]);
  const part = async (id: string) => (await uploads.parts.create(id, { data: await toFile(Buffer.from("Hello")) })).id;
  const [pendingPart, donePart] = await Promise.all([part(pending), part(done)]);
  await Promise.all([uploads.cancel(cancelled), uploads.complete(done, { part_ids: [donePart] }), files.delete(gone)]);
  const [store, empty, deleted] = await Promise.all([
    vectorStores.create({ name: "Notes", file_ids: [text] }),
    vectorStores.create({}),
    vectorStores.create({}),
  ]);
  const batch = await vectorStores.fileBatches.createAndPoll(store.id, { file_ids: [other, blank] }, POLL);
  await vectorStores.delete(deleted.id);
  const ids = {
    ...{ text, other, blank, table, image, data, gone, pending, cancelled, done, pendingPart, donePart },
    ...{ store: store.id, empty: empty.id, deleted: deleted.id, batch: batch.id },
  };
  const byName: Record<string, string[]> = {
    file_id: [text, other, blank, table, image, data, gone],
    upload_id: [pending, pending, cancelled, done],
    vector_store_id: [store.id, store.id, store.id, empty.id, deleted.id],
    batch_id: [batch.id],
  };
  await until(() => isQuiet(tenant), 30_000);
  return { tenant, ids, others, fitting: (name) => byName[name] ?? ["none"] };
}

/** When nothing is under way any more; what the store has of the tenant then. */
export async function quietDigest({ tenant }: FilesFixture): Promise<string> {
  await until(() => isQuiet(tenant), 60_000);
  return digestOf({ tenant });
}
