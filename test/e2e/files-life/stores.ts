/** Calls on vector stores and their files, each with what it must answer as things stand. */
import { expect } from "vitest";
import type { List } from "../../../src/resources/common.ts";
import type { VectorStore } from "../../../src/resources/vector-store.ts";
import type { VectorStoreFile } from "../../../src/resources/vector-store-file.ts";
import type { Answer } from "../harness.ts";
import { type Attached, endOf, fits, type KnownFile, type KnownStore, mayBe, refusal, refusalOf } from "./model.ts";
import { expectRefused, expectTaken, type FilesWorld } from "./world.ts";

export const noStore = (id: string) => refusal(404, `No vector store found with id '${id}'.`);

export const notInStore = (file: string, store: string) =>
  refusal(404, `No file found with id '${file}' in vector store '${store}'.`);

export class Stores {
  readonly #world: FilesWorld;

  constructor(world: FilesWorld) {
    this.#world = world;
  }

  async create(ids: string[]): Promise<void> {
    const name = this.#world.chance(0.5) ? `store ${this.#world.next()}` : null;
    const answer = await this.#world.call("POST", "/vector_stores", { name, file_ids: ids });
    const refused = refusalOf(ids, this.#world.files, "file_ids");
    if (refused !== undefined) return expectRefused(answer, refused);
    const { id, status, file_counts: counts } = expectTaken<VectorStore>(answer);
    const store: KnownStore = { id, name, metadata: {}, isDeleted: false, files: new Map() };
    this.#world.stores.push(store);
    for (const file of this.filesOf([...new Set(ids)])) this.added(store, file, {});
    expect(status).toBe(ids.length === 0 ? "completed" : "in_progress");
    expect(counts.total).toBe(store.files.size);
  }

  filesOf(ids: string[]): KnownFile[] {
    return ids.flatMap((id) => this.#world.files.find((file) => file.id === id) ?? []);
  }

  /** A file that was not in the store, or was in it in vain. */
  added(store: KnownStore, file: KnownFile, attributes: Record<string, number>): Attached {
    const batches = store.files.get(file.id)?.batches ?? [];
    const order = this.#world.next();
    const attached: Attached = { file, order, attributes, batches, seen: undefined, isFading: false };
    store.files.set(file.id, attached);
    return attached;
  }

  async look(store: KnownStore): Promise<VectorStore | undefined> {
    const answer = await this.#world.call("GET", `/vector_stores/${store.id}`);
    if (store.isDeleted) {
      expectRefused(answer, noStore(store.id));
      return undefined;
    }
    const shown = expectTaken<VectorStore>(answer);
    this.#expectStore(store, shown);
    const { counts, documents } = await this.#world.stored(store);
    expect(counts, "the counts equal the documents").toEqual(documents);
    return shown;
  }

  #expectStore(store: KnownStore, shown: VectorStore): void {
    const { id, name, metadata } = store;
    const { file_counts: counts } = shown;
    expect(shown).toMatchObject({ id, object: "vector_store", name, metadata });
    expect(shown.status).toBe(counts.in_progress > 0 ? "in_progress" : "completed");
    const all = [...store.files.values()];
    if (!fits(counts, all)) throw new Error(`store ${id} counts ${JSON.stringify(counts)} for ${told(all)}`);
  }

  async modify(store: KnownStore): Promise<void> {
    const change = this.#world.chance(0.5)
      ? { name: `renamed ${this.#world.next()}` }
      : { metadata: { n: String(this.#world.next()) } };
    const answer = await this.#world.call("POST", `/vector_stores/${store.id}`, change);
    if (store.isDeleted) return expectRefused(answer, noStore(store.id));
    Object.assign(store, change);
    this.#expectStore(store, expectTaken(answer));
  }

  async delete(store: KnownStore): Promise<void> {
    const answer = await this.#world.call("DELETE", `/vector_stores/${store.id}`);
    if (store.isDeleted) return expectRefused(answer, noStore(store.id));
    expect(expectTaken(answer)).toEqual({ id: store.id, object: "vector_store.deleted", deleted: true });
    store.isDeleted = true;
  }

  async list(): Promise<void> {
    const { data } = expectTaken<List<VectorStore>>(await this.#world.call("GET", "/vector_stores?limit=100"));
    const own = new Set(this.#world.stores.map(({ id }) => id));
    const alive = this.#world.stores.filter(({ isDeleted }) => !isDeleted).map(({ id }) => id);
    expect(data.map(({ id }) => id).filter((id) => own.has(id))).toEqual(alive.toReversed());
  }

  // ---------------------------------------------------------------- files in a store

  async attach(store: KnownStore, id: string): Promise<void> {
    const attributes = { n: this.#world.next() };
    const path = `/vector_stores/${store.id}/files`;
    const answer = await this.#world.call("POST", path, { file_id: id, attributes });
    return this.attached(store, id, attributes, answer);
  }

  /** The answer to putting the file into the store. */
  async attached(store: KnownStore, id: string, attributes: Record<string, number>, answer: Answer): Promise<void> {
    if (store.isDeleted) return expectRefused(answer, noStore(store.id));
    const refused = refusalOf([id], this.#world.files, "file_id");
    if (refused !== undefined) return expectRefused(answer, refused);
    const shown = expectTaken<VectorStoreFile>(answer);
    const [file] = this.filesOf([id]);
    if (file === undefined) throw new Error("the file is known");
    const before = store.files.get(id);
    const isNew = shown.attributes.n === attributes.n;
    // Only one that ended badly is tried again.
    const mayBeNew =
      before === undefined || ["failed", "cancelled"].some((bad) => mayBe(before).some((it) => it === bad));
    if (before === undefined ? !isNew : isNew && !mayBeNew)
      throw new Error(`${JSON.stringify(shown)} is the answer for a file that was ${told(before ? [before] : [])}`);
    const attached = before === undefined || isNew ? this.added(store, file, attributes) : before;
    this.expectFile(store, attached, shown);
  }

  /** Notes what is seen. */
  expectFile(store: KnownStore, attached: Attached, shown: VectorStoreFile): void {
    const { file, attributes } = attached;
    const { id, object, vector_store_id, status, last_error: error } = shown;
    expect({ id, object, vector_store_id }).toEqual({
      id: file.id,
      object: "vector_store.file",
      vector_store_id: store.id,
    });
    expect(shown.attributes).toEqual(attributes);
    expect(mayBe(attached), told([attached])).toContain(status);
    expect(error).toEqual(status === "failed" ? { code: "invalid_file", message: "The file is empty." } : null);
    // One chunk for each 400 tokens.
    const least = status === "completed" ? Buffer.byteLength(file.text.trim()) + 1_024 : 0;
    expect(shown.usage_bytes).toBeGreaterThanOrEqual(least);
    if (status !== "in_progress") attached.seen = status;
  }

  async lookAtFile(store: KnownStore, id: string): Promise<void> {
    const answer = await this.#world.call("GET", `/vector_stores/${store.id}/files/${id}`);
    const attached = this.#there(store, id, answer);
    if (attached === undefined) return;
    this.expectFile(store, attached, expectTaken(answer));
    if (attached.seen !== "completed" || attached.isFading) return;
    const read = await this.#world.call("GET", `/vector_stores/${store.id}/files/${id}/content`);
    const { data } = expectTaken<{ data: { text: string }[] }>(read);
    expect(
      data
        .map(({ text }) => text)
        .join("")
        .trim(),
    ).toBe(attached.file.text.trim());
  }

  /** What a call on a file in the store is about; undefined if it was refused as it had to be. */
  #there(store: KnownStore, id: string, answer: Answer): Attached | undefined {
    const attached = store.files.get(id);
    if (store.isDeleted) expectRefused(answer, noStore(store.id));
    else if (attached === undefined) expectRefused(answer, notInStore(id, store.id));
    else if (attached.isFading && answer.status === 404) {
      expectRefused(answer, notInStore(id, store.id));
      store.files.delete(id);
    } else return attached;
    return undefined;
  }

  /** `isRaced`: another call takes it out as well. */
  async detach(store: KnownStore, id: string, isRaced = false): Promise<void> {
    const answer = await this.#world.call("DELETE", `/vector_stores/${store.id}/files/${id}`);
    if (isRaced && answer.status === 404) return expectRefused(answer, notInStore(id, store.id));
    if (!isRaced && this.#there(store, id, answer) === undefined) return;
    expect(expectTaken(answer)).toEqual({ id, object: "vector_store.file.deleted", deleted: true });
    store.files.delete(id);
  }

  async label(store: KnownStore, id: string): Promise<void> {
    const attributes = { n: this.#world.next() };
    const answer = await this.#world.call("POST", `/vector_stores/${store.id}/files/${id}`, { attributes });
    const attached = this.#there(store, id, answer);
    if (attached === undefined) return;
    attached.attributes = attributes;
    this.expectFile(store, attached, expectTaken(answer));
  }

  async listFiles(store: KnownStore): Promise<void> {
    const limit = 1 + Math.floor(this.#world.random() * 5);
    const order = this.#world.chance(0.7) ? "desc" : "asc";
    const shown: VectorStoreFile[] = [];
    for (let after = ""; ; ) {
      const path = `/vector_stores/${store.id}/files?limit=${limit}&order=${order}${after}`;
      const answer = await this.#world.call("GET", path);
      if (store.isDeleted) return expectRefused(answer, noStore(store.id));
      const page = expectTaken<List<VectorStoreFile>>(answer);
      shown.push(...page.data);
      if (!page.has_more) break;
      after = `&after=${page.last_id}`;
    }
    this.expectList(store, [...store.files.values()], order === "desc" ? shown : shown.toReversed());
  }

  /** These files, the newest first; those that go out by themselves may be there. */
  expectList(store: KnownStore, all: Attached[], shown: VectorStoreFile[]): void {
    const ids = shown.map(({ id }) => id);
    const there = all.filter(({ file, isFading }) => !isFading || ids.includes(file.id));
    expect(ids).toEqual(there.toSorted((a, b) => b.order - a.order).map(({ file }) => file.id));
    for (const each of shown) {
      const attached = store.files.get(each.id);
      if (attached !== undefined) this.expectFile(store, attached, each);
    }
  }

  /** Until nothing is in progress, and what was deleted is out of it. */
  async rest(store: KnownStore): Promise<void> {
    const end = Date.now() + 60_000;
    for (let pause = 30; !store.isDeleted; pause = Math.min(pause * 1.5, 500)) {
      const shown = await this.look(store);
      const files = [...store.files.values()];
      const isThere = files.filter(({ isFading }) => !isFading).length === shown?.file_counts.total;
      if (shown?.file_counts.in_progress === 0 && isThere) break;
      if (Date.now() > end) throw new Error(`store ${store.id} does not come to rest: ${told(files)}`);
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
    for (const [id, attached] of store.files) if (attached.isFading) store.files.delete(id);
    for (const attached of store.files.values()) attached.seen ??= endOf(attached);
  }

  async search(store: KnownStore): Promise<void> {
    const body = { query: "the word number here", max_num_results: 50 };
    const answer = await this.#world.call("POST", `/vector_stores/${store.id}/search`, body);
    if (store.isDeleted) return expectRefused(answer, noStore(store.id));
    const { data } = expectTaken<{ data: { file_id: string; content: { text: string }[] }[] }>(answer);
    const found = new Set(data.map(({ file_id: id }) => id));
    for (const id of found) {
      const attached = store.files.get(id);
      expect(attached === undefined ? [] : mayBe(attached), `${id} was found`).toContain("completed");
    }
    // One passage at the most of each short file, so that all of them are found.
    const short = [...store.files.values()].filter(({ file }) => file.text.length < 2_000);
    if (data.length >= 50) return;
    for (const { file, seen, isFading } of short)
      if (seen === "completed" && !isFading) expect(found).toContain(file.id);
  }
}

const told = (all: Attached[]) =>
  all.map((each) => `${each.file.id} ${mayBe(each).join("|")}${each.isFading ? " (deleted)" : ""}`).join(", ");
