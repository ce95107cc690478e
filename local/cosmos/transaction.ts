import type { Change, Container } from "./container.ts";
import { SYSTEM_PROPERTIES } from "./definition.ts";
import { tooLarge, uniqueKeyTaken } from "./errors.ts";
import { itemRid } from "./identities.ts";
import type { Item, PartitionKey } from "./item.ts";
import { MAX_ITEM_BYTES } from "./limits.ts";
import { canonical, define, type JsonObject, type Path, valueAt } from "./sql/values.ts";

/** Reads and writes in one partition that become visible together at commit, or never. */
export class Transaction {
  readonly container: Container;
  readonly key: PartitionKey;
  /** What this transaction has made of each item that it touched; undefined for deleted. */
  readonly #staged = new Map<string, Item | undefined>();

  constructor(container: Container, key: PartitionKey) {
    this.container = container;
    this.key = key;
  }

  get(id: string): Item | undefined {
    return this.#staged.has(id) ? this.#staged.get(id) : this.container.find(this.key, id);
  }

  /** Stages a new version. The body is taken over: it gets the properties that the service adds. */
  put(body: JsonObject & { id: string }): Item {
    const before = this.get(body.id);
    const item = this.#version(body, before);
    this.#checkUniqueKeys(item);
    this.#staged.set(item.id, item);
    return item;
  }

  delete(item: Item): void {
    // A write too: a session token that has seen it must not be served by a copy that has not.
    this.container.lsn++;
    this.#staged.set(item.id, undefined);
  }

  /** What is staged, in order of writing. */
  changes(): Change[] {
    const changes: Change[] = [];
    for (const [id, after] of this.#staged) {
      const before = this.container.find(this.key, id);
      if (before || after) changes.push({ ...(before && { before }), ...(after && { after }) });
    }
    return changes.sort((a, b) => (a.after?.lsn ?? 0) - (b.after?.lsn ?? 0));
  }

  #version(given: JsonObject & { id: string }, before: Item | undefined): Item {
    const { container } = this;
    const { identities } = container;
    const sequence = before?.sequence ?? ++container.sequence;
    const rid = itemRid(container.rid, sequence);
    const etag = identities.etag();
    const body: JsonObject & { id: string } = { id: given.id };
    for (const [name, value] of Object.entries(given)) {
      if (!SYSTEM_PROPERTIES.has(name)) define(body, name, value);
    }
    body._rid = rid;
    body._self = `dbs/${container.database}/colls/${container.rid}/docs/${rid}/`;
    body._etag = etag;
    body._attachments = "attachments/";
    body._ts = identities.seconds();
    return storedItem(container, this.key, { body, sequence, lsn: ++container.lsn });
  }

  #checkUniqueKeys(item: Item): void {
    const { container } = this;
    const partition = container.partitions.get(this.key.text);
    for (const paths of container.uniqueKeys) {
      const wanted = uniqueValues(item.body, paths);
      const taken = (other: Item | undefined) =>
        other !== undefined && other.id !== item.id && uniqueValues(other.body, paths) === wanted;
      if ([...this.#staged.values()].some(taken)) throw uniqueKeyTaken();
      if (!partition) continue;
      const index = container.partitionIndex(
        partition,
        paths.map((path) => ({ path, descending: false })),
      );
      const position = { values: paths.map((path) => valueAt(item.body, path)), sequence: -1 };
      for (let i = index.seek((other) => index.comparePosition(other, position) < 0); ; i++) {
        const other = index.at(i);
        if (!other || uniqueValues(other.body, paths) !== wanted) break;
        if (!this.#staged.has(other.id) && taken(other)) throw uniqueKeyTaken();
      }
    }
  }
}

const uniqueValues = (body: JsonObject, paths: readonly Path[]) =>
  paths.map((path) => canonical(valueAt(body, path))).join("\0");

/** An item around its body; throws 413 when it is too large. Used for writes and when reading the journal back. */
export function storedItem(
  container: Container,
  partition: PartitionKey,
  { body, sequence, lsn }: { body: JsonObject & { id: string }; sequence: number; lsn: number },
): Item {
  const json = JSON.stringify(body);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_ITEM_BYTES) throw tooLarge("Request size is too large");
  return {
    id: body.id,
    sequence,
    lsn,
    etag: String(body._etag),
    body,
    json,
    bytes,
    indexedPaths: container.indexedPaths(body),
    expiresAt: container.expiresAt(body),
    partition,
  };
}
