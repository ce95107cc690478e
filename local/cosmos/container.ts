import { ChangeLog } from "./change-log.ts";
import { searchPaths } from "./charge.ts";
import { completed, type Definition, pathsOf, SYSTEM_PROPERTIES, uniqueKeysOf } from "./definition.ts";
import { badRequest, unsupported } from "./errors.ts";
import { Expiry } from "./expiry.ts";
import { effectivePartitionKey } from "./hash.ts";
import type { Identities } from "./identities.ts";
import type { SortField } from "./indexing.ts";
import { Indexing, type IndexingPolicy } from "./indexing.ts";
import { type Item, type PartitionKey, partitionPaths } from "./item.ts";
import { isTimeToLive } from "./limits.ts";
import { EVERYTHING, type Range, Ranges } from "./ranges.ts";
import { Searching } from "./searching.ts";
import { type SortedIndex, SortedIndexes } from "./sorted-index.ts";
import type { JsonObject, Path } from "./sql/values.ts";
import { type Offer, Throughput } from "./throughput.ts";

export interface Partition {
  key: PartitionKey;
  items: Map<string, Item>;
  indexes: SortedIndexes;
}

/**
 * One write: the version that it makes current (absent for a delete) and the one that it ends (absent for a create).
 */
export interface Change {
  before?: Item;
  after?: Item;
}

export interface ContainerOptions {
  database: string;
  number: number;
  rid: string;
  definition: JsonObject;
  identities: Identities;
  ranges?: Ranges;
  offer?: Offer | undefined;
  /** Told of every item that goes away because its time to live is over. */
  onExpired?: ((item: Item) => void) | undefined;
}

const INDEXES_PER_PARTITION = 12;
const INDEXES_PER_CONTAINER = 8;
const MAX_EFFECTIVE_KEYS = 100_000;

/** A second copy of a container, which may be behind (replica.ts). */
export interface Copy {
  receive(range: Range, lsn: number, changes: Change[]): void;
  /** The copy as it is at this moment. */
  view(): Container;
  redefine(definition: JsonObject): void;
}

export class Container {
  readonly database: string;
  readonly number: number;
  readonly rid: string;
  readonly identities: Identities;
  readonly partitions = new Map<string, Partition>();
  readonly changes = new ChangeLog();
  readonly searching: Searching;
  readonly throughput: Throughput;
  /** The request units per second that it was given, if any. */
  offer: Offer | undefined;
  readonly ranges: Ranges;
  /** The copy for weak reads, if the account has one. */
  replica: Copy | undefined;
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
  /** The number of the latest write in each physical partition, by the id of its range. */
  readonly #progress = new Map<string, number>();
  readonly #effectiveKeys = new Map<string, string>();
  readonly #indexes = new SortedIndexes(INDEXES_PER_CONTAINER);
  readonly #expiry: Expiry;
  readonly #onExpired: ContainerOptions["onExpired"];

  constructor(options: ContainerOptions) {
    this.database = options.database;
    this.number = options.number;
    this.rid = options.rid;
    this.identities = options.identities;
    this.#onExpired = options.onExpired;
    this.throughput = new Throughput(options.identities.now);
    this.offer = options.offer;
    this.#expiry = new Expiry(options.identities.seconds());
    this.definition = completed(options.definition);
    this.indexing = new Indexing(this.definition.indexingPolicy as IndexingPolicy);
    this.searching = new Searching(this.definition, () => this.items());
    this.partitionPaths = partitionPaths(pathsOf(this.definition));
    this.uniqueKeys = uniqueKeysOf(this.definition);
    this.ranges = options.ranges ?? Ranges.even(1);
    if (this.ranges.size > 1 && Number((this.definition.partitionKey as JsonObject).version) !== 2) {
      throw unsupported("several physical partitions with version 1 of the partition key hash");
    }
    this.etag = options.identities.etag();
    this.timestamp = options.identities.seconds();
  }

  get id(): string {
    return this.definition.id;
  }

  /** New settings as they would be taken; throws 400 when they change what cannot be changed, or are none. */
  checkedDefinition(definition: JsonObject): Definition {
    const next = completed(definition);
    if (next.id !== this.id) throw badRequest("The id of a container cannot be changed.");
    if (JSON.stringify(pathsOf(next)) !== JSON.stringify(pathsOf(this.definition))) {
      throw badRequest("Document collection partition key cannot be changed.");
    }
    if (JSON.stringify(next.uniqueKeyPolicy) !== JSON.stringify(this.definition.uniqueKeyPolicy)) {
      throw badRequest("The unique index cannot be modified.");
    }
    if (JSON.stringify(next.vectorEmbeddingPolicy) !== JSON.stringify(this.definition.vectorEmbeddingPolicy)) {
      throw badRequest("The vector embedding policy of a container cannot be changed.");
    }
    // Throws for what is no path.
    new Indexing(next.indexingPolicy as IndexingPolicy);
    return next;
  }

  /** Takes new settings; throws 400 when they change what cannot be changed. */
  redefine(definition: JsonObject): void {
    const next = this.checkedDefinition(definition);
    this.definition = next;
    this.indexing = new Indexing(next.indexingPolicy as IndexingPolicy);
    this.searching.redefine(next);
    this.etag = this.identities.etag();
    this.timestamp = this.identities.seconds();
    this.#refreshItems();
    this.replica?.redefine(next);
  }

  /** The physical partition of a partition key, or of the start of a hierarchical one. */
  rangeOf(key: PartitionKey): Range {
    return this.ranges.holding(this.ranges.size === 1 ? EVERYTHING.min : this.effectiveKey(key));
  }

  effectiveKey(key: PartitionKey): string {
    let known = this.#effectiveKeys.get(key.text);
    if (known === undefined) {
      known = effectivePartitionKey(key);
      if (this.#effectiveKeys.size >= MAX_EFFECTIVE_KEYS) this.#effectiveKeys.clear();
      this.#effectiveKeys.set(key.text, known);
    }
    return known;
  }

  /** The number of the latest write that a read of this physical partition can see. */
  progressOf({ id, parents }: Range): number {
    if (parents.length === 0) return this.#progress.get(id) ?? 0;
    return Math.max(0, ...[id, ...parents].map((name) => this.#progress.get(name) ?? 0));
  }

  /** After a restart: every range is as far as the container. */
  resume(): void {
    for (const { id } of this.ranges.all()) this.#progress.set(id, this.lsn);
  }

  /** Makes the writes of one request to one partition visible and hands them to the replica. */
  commit(key: PartitionKey, changes: Change[]): void {
    if (changes.length === 0) return;
    this.apply(changes);
    const range = this.rangeOf(key);
    this.#progress.set(range.id, this.lsn);
    this.replica?.receive(range, this.lsn, changes);
  }

  /** As the copy of another container: applies one of its writes. */
  follow(range: Range, lsn: number, changes: Change[]): void {
    this.apply(
      changes.map(({ before, after }) => {
        const item = after ?? before;
        const current = item && this.find(item.partition, item.id);
        // What expired on its way must not be seen: the original has dropped it already.
        const expired = after !== undefined && after.expiresAt !== 0 && after.expiresAt <= this.identities.seconds();
        return { ...(current && { before: current }), ...(after && !expired && { after }) };
      }),
    );
    this.lsn = Math.max(this.lsn, lsn);
    this.#progress.set(range.id, lsn);
  }

  /** As a copy that has everything already: takes over how far the original is. */
  followTo(original: Container): void {
    this.lsn = original.lsn;
    for (const [id, lsn] of original.#progress) this.#progress.set(id, lsn);
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
    for (const item of this.#expiry.due(this.identities.seconds())) {
      this.apply([{ before: item }]);
      this.#onExpired?.(item);
    }
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
    this.searching.add(item);
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
    this.searching.remove(item);
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

  /** The properties that the service adds are not counted; indexes of vectors and texts count as so many paths. */
  indexedPaths(body: JsonObject): number {
    let count = searchPaths(this.searching.indexed(body));
    for (const [name, value] of Object.entries(body)) {
      if (!SYSTEM_PROPERTIES.has(name)) count += this.indexing.count(value, [name]);
    }
    return count;
  }
}
