/** Plays one sequence of calls: what comes next is chosen by dice from what there is. */
import { Batches } from "./batches.ts";
import { FilesAndUploads } from "./files-and-uploads.ts";
import type { KnownFile, KnownStore } from "./model.ts";
import { Stores } from "./stores.ts";
import type { FilesWorld } from "./world.ts";

export class FilesPlayer {
  readonly #world: FilesWorld;
  readonly #files: FilesAndUploads;
  readonly #stores: Stores;
  readonly #batches: Batches;
  readonly #done = new Map<string, number>();

  constructor(world: FilesWorld) {
    this.#world = world;
    this.#files = new FilesAndUploads(world);
    this.#stores = new Stores(world);
    this.#batches = new Batches(world, this.#stores);
  }

  /** How often each action was done. Throws where the app and the reference disagree. */
  async play(steps: number): Promise<Map<string, number>> {
    await this.#files.create();
    await this.#stores.create(this.#someIds(2));
    for (let step = 0; step < steps; step++) await this.#act();
    await this.#finish();
    return this.#done;
  }

  #act(): Promise<void> {
    const actions = this.#actions();
    const sum = actions.reduce((total, [weight]) => total + weight, 0);
    let dice = this.#world.random() * sum;
    const chosen = actions.find(([weight]) => {
      dice -= weight;
      return dice < 0;
    });
    const [, name, act] = chosen ?? fail();
    this.#done.set(name, (this.#done.get(name) ?? 0) + 1);
    return act();
  }

  /** Those that there is something for, each with its weight. */
  #actions(): [number, string, () => Promise<void>][] {
    return [...this.#onFiles(), ...this.#onUploads(), ...this.#onStores(), ...this.#onBatches(), ...this.#races()];
  }

  #onFiles(): [number, string, () => Promise<void>][] {
    const file = this.#world.pick(this.#world.files);
    if (file === undefined) return [[1, "create file", () => this.#files.create()]];
    return [
      [8, "create file", () => this.#files.create()],
      [2, "look at file", () => this.#files.look(file)],
      [2, "delete file", () => this.#files.delete(file)],
      [2, "list files", () => this.#files.list()],
    ];
  }

  #onUploads(): [number, string, () => Promise<void>][] {
    const upload = this.#world.pick(this.#world.uploads.slice(-3));
    const begin: [number, string, () => Promise<void>] = [2, "begin upload", () => this.#files.begin()];
    if (upload === undefined) return [begin];
    return [
      begin,
      [4, "add part", () => this.#files.addPart(upload)],
      [3, "complete upload", () => this.#files.complete(upload)],
      [1, "complete upload twice", () => this.#files.complete(upload, true)],
      [0.5, "cancel upload", () => this.#files.cancel(upload)],
    ];
  }

  #onStores(): [number, string, () => Promise<void>][] {
    const create: [number, string, () => Promise<void>] = [
      1.5,
      "create store",
      () => this.#stores.create(this.#someIds(4)),
    ];
    const store = this.#world.pick(this.#world.stores);
    if (store === undefined) return [create];
    return [
      create,
      [2, "look at store", async () => void (await this.#stores.look(store))],
      [1, "modify store", () => this.#stores.modify(store)],
      [0.5, "delete store", () => this.#stores.delete(store)],
      [1, "list stores", () => this.#stores.list()],
      [8, "attach file", () => this.#stores.attach(store, this.#anyId())],
      [3, "take file out", () => this.#stores.detach(store, this.#idIn(store))],
      [3, "look at file in store", () => this.#stores.lookAtFile(store, this.#idIn(store))],
      [2, "label file", () => this.#stores.label(store, this.#idIn(store))],
      [3, "list files in store", () => this.#stores.listFiles(store)],
      [3, "search", () => this.#stores.search(store)],
      [2, "rest", () => this.#stores.rest(store)],
      [4, "create batch", () => this.#batches.create(store, [this.#anyId(), ...this.#someIds(5)])],
    ];
  }

  #onBatches(): [number, string, () => Promise<void>][] {
    const batch = this.#world.pick(this.#world.batches);
    if (batch === undefined) return [];
    return [
      [2, "look at batch", () => this.#batches.look(batch)],
      [2, "cancel batch", () => this.#batches.cancel(batch)],
      [0.5, "cancel batch twice", () => this.#batches.cancel(batch, true)],
      [2, "list files in batch", () => this.#batches.list(batch)],
    ];
  }

  #races(): [number, string, () => Promise<void>][] {
    const file = this.#world.pick(this.#world.files.filter(({ isDeleted }) => !isDeleted));
    const store = this.#world.pick(this.#world.stores.filter(({ isDeleted, files }) => !isDeleted && files.size > 0));
    const races: [number, string, () => Promise<void>][] = [];
    if (file !== undefined) races.push([0.5, "delete file twice", () => this.#deleteTwice(file)]);
    if (store !== undefined) races.push([0.7, "take file out twice", () => this.#detachTwice(store)]);
    if (file !== undefined && store !== undefined)
      races.push([0.7, "attach file twice", () => this.#attachTwice(store, file)]);
    return races;
  }

  async #deleteTwice(file: KnownFile): Promise<void> {
    await Promise.all([this.#files.delete(file, true), this.#files.delete(file, true)]);
    if (!file.isDeleted) throw new Error(`file ${file.id} was deleted twice, and each time there was none`);
  }

  async #detachTwice(store: KnownStore): Promise<void> {
    const id = this.#world.pick([...store.files.keys()]) ?? "";
    const isFading = store.files.get(id)?.isFading;
    await Promise.all([this.#stores.detach(store, id, true), this.#stores.detach(store, id, true)]);
    if (store.files.has(id) && !isFading) throw new Error(`${id} was taken out twice, and each time there was none`);
    store.files.delete(id);
  }

  /** Both say the same; which of the two was first is told by the attributes. */
  async #attachTwice(store: KnownStore, { id }: KnownFile): Promise<void> {
    if (store.files.has(id)) return this.#stores.attach(store, id);
    const path = `/vector_stores/${store.id}/files`;
    const attributes = { n: this.#world.next() };
    const call = () => this.#world.call("POST", path, { file_id: id, attributes });
    const [first, second] = await Promise.all([call(), call()]);
    await this.#stores.attached(store, id, attributes, first);
    const attached = store.files.get(id);
    if (attached === undefined) return;
    this.#stores.expectFile(store, attached, second.body as Parameters<Stores["expectFile"]>[2]);
  }

  #someIds(most: number): string[] {
    const alive = this.#world.files.filter((file) => !file.isDeleted && file.filename === "a.txt");
    const ids = this.#world.some(alive, most).map(({ id }) => id);
    const [first] = ids;
    return first !== undefined && this.#world.chance(0.1) ? [...ids, first] : ids;
  }

  /** Mostly of a file that is there and can be searched. */
  #anyId(): string {
    const good = this.#world.files.filter((file) => !file.isDeleted && file.filename === "a.txt");
    const any = this.#world.chance(0.85) ? good : this.#world.files;
    return this.#world.chance(0.03) ? "file-none" : (this.#world.pick(any)?.id ?? "file-none");
  }

  #idIn(store: KnownStore): string {
    return this.#world.chance(0.85) ? (this.#world.pick([...store.files.keys()]) ?? "file-none") : this.#anyId();
  }

  /** In the end all is at rest, and as it must be. */
  async #finish(): Promise<void> {
    for (const store of this.#world.stores) {
      await this.#stores.rest(store);
      await this.#stores.listFiles(store);
      await this.#stores.search(store);
    }
    for (const batch of this.#world.batches) {
      await this.#batches.look(batch);
      await this.#batches.list(batch);
    }
    for (const file of this.#world.files) await this.#files.look(file);
  }
}

function fail(): never {
  throw new Error("there is nothing to do");
}
