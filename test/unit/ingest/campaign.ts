/**
 * Random clients and workers under all faults at once: the store refuses, hangs up and loses answers, the embedding model refuses,
 * workers die, clocks jump past leases, wake-ups get lost and come twice. Each client knows what must come of it.
 */
import { ServiceBusClient } from "@azure/service-bus";
import { randomNumbers } from "../../../local/random.ts";
import { blobName } from "../../../src/blobs/blobs.ts";
import { deleteFile, lookAtFile } from "../../../src/files/delete.ts";
import { sweepOrphans } from "../../../src/files/sweep.ts";
import { handleIngest } from "../../../src/ingest/wake.ts";
import { INGEST_QUEUE } from "../../../src/jobs/wake-ups.ts";
import { ApiError } from "../../../src/resources/errors.ts";
import type { FileDoc } from "../../../src/store/documents.ts";
import { wholeRange } from "../../../src/store/ranges.ts";
import { attachedSort, type VectorStoreFileDoc } from "../../../src/store/vector-documents.ts";
import { attachFile, placeOf } from "../../../src/stores/attach.ts";
import { attachBatch, storeVectorStore } from "../../../src/stores/attach-many.ts";
import { cancelBatch } from "../../../src/stores/cancel.ts";
import { deleteVectorStore } from "../../../src/stores/delete.ts";
import { detachFile } from "../../../src/stores/detach.ts";
import { draftStore } from "../../../src/stores/draft.ts";
import { setAttributes } from "../../../src/stores/relabel.ts";
import { detachEverywhere } from "../../../src/stores/uses.ts";
import type { IngestWorld, Worker } from "./world.ts";

const WORKERS = 3;
const CLIENTS = 4;

export interface CampaignReport {
  files: number;
  completed: number;
  failed: number;
  cancelled: number;
  kills: number;
  refusals: number;
  /** blobs that no file had, deleted by the sweep */
  orphans: number;
}

/** Throws with everything that is not as it must be. */
export async function campaign(world: IngestWorld, seed: number, files: number): Promise<CampaignReport> {
  const random = randomNumbers(seed);
  // The first one creates the containers.
  const calm = await world.worker();
  const crew = new Crew(world, random);
  crew.start();
  const clients = Array.from({ length: CLIENTS }, () => new Client(world, calm, random, Math.ceil(files / CLIENTS)));
  world.cosmos.setFaults([
    { fault: "429", rate: 0.03 },
    { fault: "503", rate: 0.03 },
    { fault: "cut-before", rate: 0.03 },
    { fault: "cut-after", rate: 0.03 },
    { fault: "503-in-batch", rate: 0.03 },
  ]);
  await Promise.all(clients.map((client) => client.live()));
  await crew.stop();
  world.cosmos.setFaults([]);
  world.embeddings.refusals = [];
  await world.settle(calm);
  for (const client of clients) await client.clearFiles();
  await world.settle(calm);
  const { violations } = await world.check();
  const wrong = violations.map(({ rule, id, detail, pk }) => `${rule}: ${id} ${detail} (${pk})`);
  const report = { files: 0, completed: 0, failed: 0, cancelled: 0, kills: crew.kills, refusals: 0, orphans: 0 };
  // All at once, as if a day had passed.
  report.orphans = await sweepOrphans(calm.app.engine, Number.POSITIVE_INFINITY);
  const again = await sweepOrphans(calm.app.engine, Number.POSITIVE_INFINITY);
  if (again > 0) wrong.push(`${again} blobs of no file were left by the sweep`);
  wrong.push(...(await compareBlobs(calm, clients)));
  for (const client of clients) wrong.push(...(await client.compare(report)));
  if (wrong.length > 0) throw new Error(`seed ${seed}:\n${wrong.join("\n")}`);
  return report;
}

/** Files without their bytes, and bytes of files that were deleted. */
async function compareBlobs({ app: { blobs } }: Worker, clients: Client[]): Promise<string[]> {
  if (blobs === undefined) throw new Error("there is Blob Storage");
  const files = new Set(clients.flatMap((client) => client.files()));
  const found = new Set<string>();
  for await (const page of blobs.pages(500)) for (const { name } of page) found.add(name);
  const deleted = clients.flatMap((client) => client.files(true));
  // Others may be of files whose clients never got the answer.
  return [
    ...[...files].filter((name) => !found.has(name)).map((name) => `${name} has no bytes`),
    ...deleted.filter((name) => found.has(name) || found.has(`${name}.text`)).map((name) => `${name} is still there`),
  ];
}

/** Workers that take wake-ups from the queue, and die. */
class Crew {
  kills = 0;
  readonly #world: IngestWorld;
  readonly #random: () => number;
  readonly #bus: ServiceBusClient;
  readonly #lanes: Promise<void>[] = [];
  /** wake-ups that are being handled */
  readonly #underWay = new Set<Promise<unknown>>();
  #isFrozen = false;
  #isOver = false;

  constructor(world: IngestWorld, random: () => number) {
    this.#world = world;
    this.#random = random;
    this.#bus = new ServiceBusClient(world.queue.connectionString());
  }

  start(): void {
    for (let lane = 0; lane < WORKERS; lane++) this.#lanes.push(this.#lane());
  }

  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all(this.#lanes);
    await Promise.all(this.#underWay);
    await this.#bus.close();
  }

  /**
   * Lets a minute pass, between two wake-ups of all workers: with a request under way, it would seem to have taken that
   * long, which none can.
   */
  async #leap(): Promise<void> {
    if (this.#isFrozen) return;
    this.#isFrozen = true;
    await Promise.all(this.#underWay);
    this.#world.skew += 61_000;
    this.#isFrozen = false;
  }

  #handle(worker: Worker, body: unknown): Promise<unknown> {
    const work = handleIngest(worker.tools, body)
      .catch(() => undefined)
      .finally(() => this.#underWay.delete(work));
    this.#underWay.add(work);
    return work;
  }

  async #lane(): Promise<void> {
    const receiver = this.#bus.createReceiver(INGEST_QUEUE, { receiveMode: "receiveAndDelete" });
    let worker = await this.#world.worker();
    while (!this.#isOver) {
      const messages = await receiver.receiveMessages(5, { maxWaitTimeInMs: 200 });
      const twice = messages.filter(() => this.#random() < 0.1);
      const kept = messages.filter(() => this.#random() > 0.05);
      while (this.#isFrozen) await new Promise((resolve) => setTimeout(resolve, 20));
      const work = [...kept, ...twice].map(({ body }) => this.#handle(worker, body));
      if (this.#random() < 0.3) {
        const dying = worker;
        setTimeout(() => void dying.kill(), this.#random() * 200);
        this.kills += 1;
        worker = await this.#world.worker();
      } else await Promise.race([Promise.all(work), new Promise((resolve) => setTimeout(resolve, 5_000))]);
      if (this.#random() < 0.05) await this.#leap();
      if (this.#random() < 0.1) this.#world.embeddings.refusals.push(this.#random() < 0.5 ? 429 : 500);
    }
    await receiver.close();
  }
}

type Expected = "completed" | "failed" | "any";

/** One tenant, which does one thing after the other. */
class Client {
  readonly #world: IngestWorld;
  readonly #worker: Worker;
  readonly #random: () => number;
  readonly #tenant: string;
  readonly #deleted: string[] = [];
  readonly #files: { doc: FileDoc; isBlank: boolean }[] = [];
  /** by store: what must become of each file */
  readonly #stores = new Map<string, Map<string, Expected>>();
  #left: number;
  #refusals = 0;

  constructor(world: IngestWorld, worker: Worker, random: () => number, files: number) {
    this.#world = world;
    this.#worker = worker;
    this.#random = random;
    this.#tenant = world.newTenant();
    this.#left = files;
  }

  async live(): Promise<void> {
    await this.#createStore();
    while (this.#left > 0) await this.#act();
  }

  async #act(): Promise<void> {
    const dice = this.#random();
    if (dice < 0.08) return this.#createStore();
    if (dice < 0.35) return this.#attach();
    if (dice < 0.6) return this.#attachBatch();
    if (dice < 0.75) return this.#detach();
    if (dice < 0.82) return this.#deleteFile();
    if (dice < 0.9) return this.#label();
    if (dice < 0.95 && this.#stores.size > 1) return this.#deleteStore();
    return this.#again();
  }

  /** Until it works: an answer of the API that is not a refusal of load says what is wrong with the test. */
  async #persist<T>(work: () => Promise<T>): Promise<T | ApiError> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (error instanceof ApiError && error.status !== 429 && error.status < 500) return error;
        this.#refusals += 1;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }

  #one<T>(all: T[]): T | undefined {
    return all[Math.floor(this.#random() * all.length)];
  }

  async #newFile(): Promise<FileDoc> {
    const isBlank = this.#random() < 0.1;
    const words = Math.floor(this.#random() ** 3 * 20_000) + 1;
    const text = isBlank ? "  \n " : Array.from({ length: words }, (_, at) => `word${at % 89}`).join(" ");
    const doc = await this.#persist(() => this.#world.file(this.#worker, this.#tenant, text));
    if (doc instanceof ApiError) throw doc;
    this.#left -= 1;
    this.#files.push({ doc, isBlank });
    return doc;
  }

  #expect(storeId: string, fileId: string): void {
    const isBlank = this.#files.find(({ doc }) => doc.id === fileId)?.isBlank;
    const files = this.#stores.get(storeId);
    if (files?.get(fileId) !== "any") files?.set(fileId, isBlank ? "failed" : "completed");
  }

  async #createStore(): Promise<void> {
    const file = await this.#newFile();
    const { app, tools } = this.#worker;
    const store = draftStore(this.#tenant, {}, tools.now());
    const files = new Map([[file.id, file]]);
    // An answer that gets lost makes a store that this client knows of all the same.
    const made = await this.#persist(async () => {
      if ((await app.store.vectorStore(this.#tenant, store.id).readNewest(store.id)) !== undefined) return store;
      return storeVectorStore(app, store, [{ file_id: file.id }], files);
    });
    if (made instanceof ApiError) throw made;
    this.#stores.set(store.id, new Map());
    this.#expect(store.id, file.id);
  }

  async #attach(): Promise<void> {
    const storeId = this.#one([...this.#stores.keys()]) ?? "";
    const file = await this.#newFile();
    const result = await this.#persist(() => attachFile(this.#worker.app, this.#tenant, storeId, { file_id: file.id }));
    if (result instanceof ApiError) throw result;
    this.#expect(storeId, file.id);
  }

  async #attachBatch(): Promise<void> {
    const storeId = this.#one([...this.#stores.keys()]) ?? "";
    const files: FileDoc[] = [];
    for (let count = 0; count < 1 + this.#random() * 8; count++) files.push(await this.#newFile());
    const wanted = files.map(({ id }) => ({ file_id: id, attributes: { n: 1 } }));
    const known = new Map(files.map((file) => [file.id, file]));
    const batch = await this.#persist(() => attachBatch(this.#worker.app, this.#tenant, storeId, wanted, known));
    if (batch instanceof ApiError) throw batch;
    for (const { id } of files) this.#expect(storeId, id);
    if (this.#random() > 0.3) return;
    for (const { id } of files) this.#stores.get(storeId)?.set(id, "any");
    const cancelled = await this.#persist(() => cancelBatch(this.#worker.app, this.#tenant, storeId, batch.id));
    if (cancelled instanceof ApiError) throw cancelled;
  }

  /** A file that is in a store, or was. */
  #attached(): { storeId: string; fileId: string } | undefined {
    const storeId = this.#one([...this.#stores.keys()]) ?? "";
    const fileId = this.#one([...(this.#stores.get(storeId)?.keys() ?? [])]);
    return fileId === undefined ? undefined : { storeId, fileId };
  }

  async #detach(): Promise<void> {
    const at = this.#attached();
    if (at === undefined) return;
    await this.#persist(() =>
      detachFile(this.#worker.app, placeOf(this.#worker.app, this.#tenant, at.storeId), at.fileId),
    );
    this.#stores.get(at.storeId)?.delete(at.fileId);
    if (this.#random() > 0.5) return;
    const result = await this.#persist(() =>
      attachFile(this.#worker.app, this.#tenant, at.storeId, { file_id: at.fileId }),
    );
    if (result instanceof ApiError) throw result;
    this.#expect(at.storeId, at.fileId);
  }

  async #label(): Promise<void> {
    const at = this.#attached();
    if (at === undefined) return;
    const place = placeOf(this.#worker.app, this.#tenant, at.storeId);
    const result = await this.#persist(() => setAttributes(this.#worker.app, place, at.fileId, { n: 2 }));
    if (result instanceof ApiError) throw result;
  }

  /** The same file in another store. */
  async #again(): Promise<void> {
    const file = this.#one(this.#files.filter(({ doc }) => !this.#deleted.includes(doc.id)));
    const storeId = this.#one([...this.#stores.keys()]) ?? "";
    if (file === undefined) return;
    const result = await this.#persist(() =>
      attachFile(this.#worker.app, this.#tenant, storeId, { file_id: file.doc.id }),
    );
    if (result instanceof ApiError) throw result;
    this.#expect(storeId, file.doc.id);
  }

  async #deleteFile(): Promise<void> {
    const file = this.#one(this.#files.filter(({ doc }) => !this.#deleted.includes(doc.id)));
    if (file === undefined) return;
    await this.#persist(() => deleteFile(this.#worker.app, this.#tenant, file.doc.id));
    this.#deleted.push(file.doc.id);
    for (const files of this.#stores.values()) files.delete(file.doc.id);
  }

  async #deleteStore(): Promise<void> {
    const storeId = this.#one([...this.#stores.keys()]) ?? "";
    await this.#persist(() => deleteVectorStore(this.#worker.app, this.#tenant, storeId));
    this.#stores.delete(storeId);
  }

  /** The blobs of the files that were deleted, or that were not. */
  files(isDeleted = false): string[] {
    const some = this.#files.filter(({ doc }) => this.#deleted.includes(doc.id) === isDeleted);
    return some.map(({ doc }) => blobName(this.#tenant, doc.id));
  }

  /** Plays the worker of deleted files. */
  async clearFiles(): Promise<void> {
    const tools = { ...this.#worker.app.engine, now: this.#worker.tools.now };
    for (let look = 0; look < 4; look++) {
      for (const file of this.#deleted)
        await lookAtFile(tools, { kind: "file", tenant: this.#tenant, file }, detachEverywhere);
      await this.#world.settle(this.#worker);
    }
  }

  /** What is not as this client expects it; adds to the report. */
  async compare(report: CampaignReport): Promise<string[]> {
    const wrong: string[] = [];
    report.refusals += this.#refusals;
    for (const [storeId, expected] of this.#stores) {
      const partition = this.#worker.app.store.vectorStore(this.#tenant, storeId);
      const range = wholeRange(attachedSort);
      const found = await partition.list<VectorStoreFileDoc>({ range, descending: false, limit: 10_000 });
      for (const { id, status } of found) {
        report.files += 1;
        if (status !== "in_progress") report[status] += 1;
        const wanted = expected.get(id);
        const isRight = wanted === "any" ? status !== "in_progress" : wanted === status;
        if (!isRight) wrong.push(`${id} in ${storeId} is ${status}, not ${wanted}`);
      }
      const ids = new Set(found.map(({ id }) => id));
      for (const id of expected.keys()) if (!ids.has(id)) wrong.push(`${id} is not in ${storeId}`);
    }
    for (const file of this.#deleted) {
      if ((await this.#worker.app.store.catalog(this.#tenant).readNewest(file)) !== undefined)
        wrong.push(`${file} is still there`);
    }
    return wrong;
  }
}
