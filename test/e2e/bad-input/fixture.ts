/** A tenant with one of each object, and the whole of what the store has of it. */
import { createHash } from "node:crypto";
import { CosmosClient, type Database } from "@azure/cosmos";
import { toFile } from "openai";
import { inject } from "vitest";
import { newTenant, POLL, question, type Tenant, until } from "../harness.ts";

export interface Fixture {
  tenant: Tenant;
  /** by the names of path parameters */
  ids: Record<string, string>;
}

/** A thread whose run has ended: nothing in it changes by itself. */
export async function newFixture(): Promise<Fixture> {
  const tenant = newTenant();
  const { beta } = tenant.openai;
  const { assistant, thread, run: request } = await question(tenant.openai, [{ text: "Because." }]);
  const run = await beta.threads.runs.createAndPoll(thread.id, request, POLL);
  const [message] = (await beta.threads.messages.list(thread.id)).data;
  const [step] = (await beta.threads.runs.steps.list(run.id, { thread_id: thread.id })).data;
  const { files, uploads } = tenant.openai;
  const file = await files.create({ file: await toFile(Buffer.from("Hello"), "a.txt"), purpose: "assistants" });
  const upload = await uploads.create({ filename: "a.txt", purpose: "assistants", bytes: 5, mime_type: "text/plain" });
  const store = await tenant.openai.vectorStores.create({ name: "Notes" });
  const { fileBatches } = tenant.openai.vectorStores;
  const batch = await fileBatches.createAndPoll(store.id, { file_ids: [file.id] }, POLL);
  const others = { file_id: file.id, upload_id: upload.id, vector_store_id: store.id, batch_id: batch.id };
  const ids = { assistant_id: assistant.id, thread_id: thread.id, run_id: run.id, ...others };
  const fixture = { tenant, ids: { ...ids, message_id: message?.id ?? "", step_id: step?.id ?? "" } };
  await until(() => seesEnd(fixture));
  return fixture;
}

/** This client has no session: where the account is weaker than Strong, it sees later than the app what has been written. */
async function seesEnd({ tenant: { tenant }, ids }: Fixture): Promise<boolean> {
  const { thread_id: thread = "", run_id: run = "" } = ids;
  const { resource } = await threadkeep().container("threads").item(run, `${tenant}:${thread}`).read();
  return resource?.status === "completed";
}

function threadkeep(): Database {
  return new CosmosClient(inject("stack").cosmos).database("threadkeep");
}

/** Changes if any document of the tenant changes, comes or goes. */
export async function digestOf({ tenant }: Pick<Fixture, "tenant">): Promise<string> {
  const hash = createHash("sha256");
  for (const name of ["catalog", "threads", "stores"]) {
    const documents = await documentsOf(tenant, name);
    hash.update(JSON.stringify(documents.map((each) => JSON.stringify(each)).toSorted()));
  }
  return hash.digest("hex");
}

interface Stored {
  kind: string;
  internal?: { due?: number | null };
}

/** Throws if the catalog has none: then the query would not look where the tenant's documents are. */
async function documentsOf({ tenant }: Tenant, container: string): Promise<Stored[]> {
  const query = "SELECT * FROM c WHERE c.pk = @tenant OR STARTSWITH(c.pk, @prefix)";
  const parameters = [
    { name: "@tenant", value: tenant },
    { name: "@prefix", value: `${tenant}:` },
  ];
  const { resources } = await threadkeep().container(container).items.query<Stored>({ query, parameters }).fetchAll();
  if (resources.length === 0 && container === "catalog") throw new Error(`the tenant has no ${container}`);
  return resources;
}

/** Whether no file of a vector store is read, and nothing is left of what was deleted. */
export async function isQuiet(tenant: Tenant): Promise<boolean> {
  const [catalog, stores] = await Promise.all(["catalog", "stores"].map((name) => documentsOf(tenant, name)));
  // A vector store may expire days from now.
  const soon = Date.now() + 3_600_000;
  return (
    catalog?.every(({ kind }) => kind !== "deleted_file") === true &&
    stores?.every(({ internal }) => (internal?.due ?? soon) >= soon) === true
  );
}
