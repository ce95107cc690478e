/** Calls on batches of files, each with what it must answer as things stand. */
import { expect } from "vitest";
import type { List } from "../../../src/resources/common.ts";
import type { FileBatch } from "../../../src/resources/file-batch.ts";
import type { VectorStoreFile } from "../../../src/resources/vector-store-file.ts";
import { type Attached, fits, type KnownBatch, type KnownStore, mayBe, refusal, refusalOf } from "./model.ts";
import { noStore, type Stores } from "./stores.ts";
import { expectRefused, expectTaken, type FilesWorld } from "./world.ts";

export class Batches {
  readonly #world: FilesWorld;
  readonly #stores: Stores;

  constructor(world: FilesWorld, stores: Stores) {
    this.#world = world;
    this.#stores = stores;
  }

  async create(store: KnownStore, ids: string[]): Promise<void> {
    const attributes = { n: this.#world.next() };
    const [inBoth, inFiles] = [this.#world.chance(0.04), this.#world.chance(0.3)];
    const files = ids.map((id) => ({ file_id: id, attributes }));
    const body = {
      ...(inFiles ? { files } : { file_ids: ids, attributes }),
      ...(inBoth ? { files, file_ids: ids } : {}),
    };
    const answer = await this.#world.call("POST", `/vector_stores/${store.id}/file_batches`, body);
    if (inBoth) {
      const message = "Invalid 'files': only one of 'file_ids' and 'files' may be given.";
      return expectRefused(answer, refusal(400, message, "files", "invalid_value"));
    }
    if (store.isDeleted) return expectRefused(answer, noStore(store.id));
    const refused = refusalOf(ids, this.#world.files, inFiles ? "files" : "file_ids");
    if (refused !== undefined) return expectRefused(answer, refused);
    const shown = expectTaken<FileBatch>(answer);
    const batch: KnownBatch = { id: shown.id, store, isCancelled: false };
    this.#world.batches.push(batch);
    await this.#take(batch, [...new Set(ids)], attributes);
    this.#expectBatch(batch, shown);
  }

  async #take(batch: KnownBatch, ids: string[], attributes: Record<string, number>): Promise<void> {
    const { store } = batch;
    for (const file of this.#stores.filesOf(ids)) {
      const before = store.files.get(file.id);
      const isNew = before === undefined || (await this.#isNewer(before, store, attributes));
      const attached = isNew ? this.#stores.added(store, file, attributes) : before;
      attached?.batches.push(batch);
    }
  }

  /** One that ended badly was tried again with the batch's attributes, if it had ended. */
  async #isNewer(before: Attached, store: KnownStore, attributes: Record<string, number>): Promise<boolean> {
    if (mayBe(before).includes("completed")) return false;
    const answer = await this.#world.call("GET", `/vector_stores/${store.id}/files/${before.file.id}`);
    return expectTaken<VectorStoreFile>(answer).attributes.n === attributes.n;
  }

  #filesOf(batch: KnownBatch): Attached[] {
    return [...batch.store.files.values()].filter(({ batches }) => batches.includes(batch));
  }

  #expectBatch(batch: KnownBatch, shown: FileBatch): void {
    const { id, store, isCancelled } = batch;
    const { file_counts: counts } = shown;
    expect(shown).toMatchObject({ id, object: "vector_store.file_batch", vector_store_id: store.id });
    const running = counts.in_progress > 0 ? "in_progress" : "completed";
    expect(shown.status).toBe(isCancelled ? "cancelled" : running);
    const files = this.#filesOf(batch);
    const told = files.map((each) => `${each.file.id} ${mayBe(each).join("|")}`).join(", ");
    if (!fits(counts, files)) throw new Error(`batch ${id} counts ${JSON.stringify(counts)} for ${told}`);
  }

  async look(batch: KnownBatch): Promise<void> {
    const answer = await this.#world.call("GET", `/vector_stores/${batch.store.id}/file_batches/${batch.id}`);
    if (batch.store.isDeleted) return expectRefused(answer, noStore(batch.store.id));
    this.#expectBatch(batch, expectTaken(answer));
  }

  async list(batch: KnownBatch): Promise<void> {
    const path = `/vector_stores/${batch.store.id}/file_batches/${batch.id}/files?limit=100`;
    const answer = await this.#world.call("GET", path);
    if (batch.store.isDeleted) return expectRefused(answer, noStore(batch.store.id));
    const { data } = expectTaken<List<VectorStoreFile>>(answer);
    this.#stores.expectList(batch.store, this.#filesOf(batch), data);
  }

  async cancel(batch: KnownBatch, isTwice = false): Promise<void> {
    const { store } = batch;
    const path = `/vector_stores/${store.id}/file_batches/${batch.id}/cancel`;
    const answers = await Promise.all(Array.from({ length: isTwice ? 2 : 1 }, () => this.#world.call("POST", path)));
    for (const answer of answers) {
      if (store.isDeleted) {
        expectRefused(answer, noStore(store.id));
        continue;
      }
      const shown = expectTaken<FileBatch>(answer);
      expect(["completed", "cancelled"]).toContain(shown.status);
      if (shown.status === "cancelled") batch.isCancelled = true;
      await this.#settle(batch);
      this.#expectBatch(batch, shown);
    }
  }

  /** None of its files is in progress any more: each was cancelled, or had ended. */
  async #settle(batch: KnownBatch): Promise<void> {
    const { store } = batch;
    for (const attached of this.#filesOf(batch)) {
      if (attached.seen !== undefined) continue;
      const answer = await this.#world.call("GET", `/vector_stores/${store.id}/files/${attached.file.id}`);
      if (attached.isFading && answer.status === 404) continue;
      const { status } = expectTaken<VectorStoreFile>(answer);
      if (status === "cancelled") attached.seen = "cancelled";
      expect(["cancelled", ...mayBe(attached)].filter((each) => each !== "in_progress")).toContain(status);
      attached.seen = status;
    }
  }
}
