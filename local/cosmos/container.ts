import { ChangeLog } from "./change-log.ts";
import { badRequest, unsupported } from "./errors.ts";
import { Expiry } from "./expiry.ts";
import type { Identities } from "./identities.ts";
import type { SortField } from "./indexing.ts";
import { Indexing, type IndexingPolicy } from "./indexing.ts";
import { type Item, isTimeToLive, type PartitionKey, partitionPaths } from "./item.ts";
import { type SortedIndex, SortedIndexes } from "./sorted-index.ts";
import type { JsonObject, Path, Value } from "./sql/values.ts";
import { Throughput } from "./throughput.ts";

/** A container's settings as the client sent them, completed with the service's defaults. */
export interface Definition extends JsonObject {
  id: string;
}

export interface Partition {
  key: PartitionKey;
  items: Map<string, Item>;
  indexes: SortedIndexes;
}

/** One write: the version that it makes current (absent for a delete) and the one that it ends (absent for a create). */
export interface Change {
  before?: Item;
  after?: Item;
}

const INDEXES_PER_PARTITION = 12;
const INDEXES_PER_CONTAINER = 8;
const MAX_PARTITION_PATHS = 3;

const DEFAULT_INDEXING = {
  indexingMode: "consistent",
  automatic: true,
  includedPaths: [{ path: "/*" }],
  excludedPaths: [{ path: '/"_etag"/?' }],
};

export class Container {
  readonly database: string;
  readonly number: number;
  readonly rid: string;
  readonly identities: Identities;
  readonly partitions = new Map<string, Partition>();
  readonly changes = new ChangeLog();
  readonly throughput: Throughput;
  definition: Definition;
  indexing: Indexing;
  partitionPaths: readonly Path[];
  uniqueKeys: readonly (readonly Path[])[];
  etag: string;
  timestamp: number;
  /** The number of the latest write. */
  lsn = 0;
  sequence = 0;
  /** The size of all items, as text. */
  bytes = 0;
  readonly #indexes = new SortedIndexes(INDEXES_PER_CONTAINER);
  readonly #expiry: Expiry;

  constructor(options: {
    database: string;
    number: number;
    rid: string;
    definition: JsonObject;
    identities: Identities;
    throughput?: number | undefined;
  }) {
    this.database = options.database;
    this.number = options.number;
    this.rid = options.rid;
    this.identities = options.identities;
    this.throughput = new Throughput(options.throughput, options.identities.now);
    this.#expiry = new Expiry(options.identities.seconds());
    this.definition = completed(options.definition);
    this.indexing = new Indexing(this.definition.indexingPolicy as IndexingPolicy);
    this.partitionPaths = partitionPaths(pathsOf(this.definition));
    this.uniqueKeys = uniqueKeysOf(this.definition);
    this.etag = options.identities.etag();
    this.timestamp = options.identities.seconds();
  }

  get id(): string {
    return this.definition.id;
  }

  /** Takes new settings; throws 400 when they change what cannot be changed. */
  redefine(definition: JsonObject): void {
    const next = completed(definition);
    if (next.id !== this.id) throw badRequest("The id of a container cannot be changed.");
    if (JSON.stringify(pathsOf(next)) !== JSON.stringify(pathsOf(this.definition))) {
      throw badRequest("Document collection partition key cannot be changed.");
    }
    if (JSON.stringify(next.uniqueKeyPolicy) !== JSON.stringify(this.definition.uniqueKeyPolicy)) {
      throw badRequest("The unique index cannot be modified.");
    }
    this.definition = next;
    this.indexing = new Indexing(next.indexingPolicy as IndexingPolicy);
    this.etag = this.identities.etag();
    this.timestamp = this.identities.seconds();
    this.#refreshItems();
  }

  /** When an item written at this second goes away; 0 for never. */
  expiresAt(body: JsonObject): number {
    const { defaultTtl } = this.definition;
    if (!isTimeToLive(defaultTtl)) return 0;
    const ttl = isTimeToLive(body.ttl) ? body.ttl : defaultTtl;
    return ttl > 0 && typeof body._ts === "number" ? body._ts + ttl : 0;
  }

  /** Must run before every look at the items, so that no client sees one that has outlived its time. */
  removeExpired(): void {
    for (const item of this.#expiry.due(this.identities.seconds())) this.apply([{ before: item }]);
  }

  find(key: PartitionKey, id: string): Item | undefined {
    return this.partitions.get(key.text)?.items.get(id);
  }

  isCurrent(item: Item): boolean {
    return this.find(item.partition, item.id) === item;
  }

  /** Makes writes visible, all at once. */
  apply(changes: Change[]): void {
    for (const { before, after } of changes) {
      if (before) this.#forget(before);
      if (after) this.#remember(after);
    }
    this.changes.trim((item) => this.isCurrent(item));
  }

  partitionIndex(partition: Partition, fields: readonly SortField[]): SortedIndex {
    return partition.indexes.get(fields, false, () => partition.items.values());
  }

  index(fields: readonly SortField[], sparse: boolean): SortedIndex {
    return this.#indexes.get(fields, sparse, () => this.items());
  }

  *items(): Generator<Item> {
    for (const partition of this.partitions.values()) yield* partition.items.values();
  }

  #remember(item: Item): void {
    let partition = this.partitions.get(item.partition.text);
    if (!partition) {
      partition = { key: item.partition, items: new Map(), indexes: new SortedIndexes(INDEXES_PER_PARTITION) };
      this.partitions.set(item.partition.text, partition);
    }
    partition.items.set(item.id, item);
    this.bytes += item.bytes;
    partition.indexes.add(item);
    this.#indexes.add(item);
    this.#expiry.add(item);
    this.changes.add(item);
  }

  #forget(item: Item): void {
    const partition = this.partitions.get(item.partition.text);
    if (!partition) return;
    partition.items.delete(item.id);
    this.bytes -= item.bytes;
    partition.indexes.remove(item);
    this.#indexes.remove(item);
    this.#expiry.remove(item);
    this.changes.ended();
    if (partition.items.size === 0) this.partitions.delete(item.partition.text);
  }

  /** After new settings: what they decide about each item. */
  #refreshItems(): void {
    for (const item of this.items()) {
      this.#expiry.remove(item);
      item.expiresAt = this.expiresAt(item.body);
      item.indexedPaths = this.indexedPaths(item.body);
      this.#expiry.add(item);
    }
  }

  /** The properties that the service adds are not counted. */
  indexedPaths(body: JsonObject): number {
    let count = 0;
    for (const [name, value] of Object.entries(body)) {
      if (!SYSTEM_PROPERTIES.has(name)) count += this.indexing.count(value, [name]);
    }
    return count;
  }
}

export const SYSTEM_PROPERTIES: ReadonlySet<string> = new Set(["_rid", "_self", "_etag", "_attachments", "_ts"]);

export const pathsOf = (definition: Definition): string[] => {
  const { paths } = definition.partitionKey as { paths: string[] };
  return paths;
};

const uniqueKeysOf = (definition: Definition): Path[][] => {
  const policy = definition.uniqueKeyPolicy as { uniqueKeys?: { paths: string[] }[] } | undefined;
  return (policy?.uniqueKeys ?? []).map(({ paths }) => partitionPaths(paths));
};

/** Checks a container's settings and fills in what the service would; throws 400. */
function completed(given: JsonObject): Definition {
  const { id } = given;
  if (typeof id !== "string" || id === "" || /[/\\?#]/.test(id)) throw badRequest("The container needs a valid id.");
  const partitionKey = given.partitionKey;
  const paths = (partitionKey as { paths?: Value } | undefined)?.paths;
  if (!Array.isArray(paths) || paths.length === 0 || !paths.every((path) => typeof path === "string")) {
    throw badRequest("The container needs a partitionKey with paths.");
  }
  if (paths.length > MAX_PARTITION_PATHS) throw badRequest("Too many partition key paths specified; three at most.");
  const { defaultTtl } = given;
  if (defaultTtl !== undefined && defaultTtl !== null && !isTimeToLive(defaultTtl)) {
    throw badRequest("The defaultTtl must be -1 or a positive number of seconds.");
  }
  refuseUnsupportedSettings(given);
  const definition: Definition = { id };
  for (const [name, value] of Object.entries(given)) {
    if (!name.startsWith("_")) definition[name] = value;
  }
  definition.partitionKey = {
    kind: paths.length > 1 ? "MultiHash" : "Hash",
    version: 2,
    ...(partitionKey as JsonObject),
  };
  definition.indexingPolicy = { ...DEFAULT_INDEXING, ...(given.indexingPolicy as JsonObject | undefined) };
  return definition;
}

function refuseUnsupportedSettings(given: JsonObject): void {
  const indexing = (given.indexingPolicy ?? {}) as { indexingMode?: Value };
  if (
    typeof indexing.indexingMode === "string" &&
    !["consistent", "none"].includes(indexing.indexingMode.toLowerCase())
  ) {
    throw unsupported(`the indexing mode '${indexing.indexingMode}'`);
  }
  for (const name of ["clientEncryptionPolicy", "computedProperties", "changeFeedPolicy", "analyticalStorageTtl"]) {
    const value = given[name];
    if (value !== undefined && value !== null && !(Array.isArray(value) && value.length === 0)) {
      throw unsupported(`the container setting ${name}`);
    }
  }
}
