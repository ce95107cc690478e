import { deleteCharge } from "./charge.ts";
import { Container } from "./container.ts";
import { alreadyExists, badRequest, ownerNotFound } from "./errors.ts";
import { containerRid, databaseRid, Identities } from "./identities.ts";
import { Journal } from "./journal.ts";
import { Ranges } from "./ranges.ts";
import {
  commitRecord,
  containerRecord,
  containerSnapshot,
  type JournalRecord,
  offerOf,
  replayCommit,
  type StoredContainer,
} from "./records.ts";
import { Replica } from "./replica.ts";
import { completeSettings, type Settings } from "./settings.ts";
import type { JsonObject } from "./sql/values.ts";
import { defaultOffer, type Offer } from "./throughput.ts";
import type { Transaction } from "./transaction.ts";

export interface Database {
  id: string;
  number: number;
  rid: string;
  etag: string;
  timestamp: number;
  containers: Map<string, Container>;
}

export interface AccountOptions {
  /** The folder of the journal; without it everything is in memory only. */
  data?: string | undefined;
  now?: (() => number) | undefined;
  /** The smallest journal, in bytes, that is ever compacted. */
  compactFrom?: number | undefined;
  settings?: Settings | undefined;
  /** How many physical partitions a new container has. */
  partitions?: number | undefined;
  /** Told what the deletion of each expired item would have cost. */
  onExpired?: ((container: string, charge: number) => void) | undefined;
}

/** Everything that is stored, and the journal that it can be rebuilt from. */
export class Account {
  readonly databases = new Map<string, Database>();
  readonly identities: Identities;
  readonly settings: Settings;
  readonly #partitions: number;
  readonly #onExpired: AccountOptions["onExpired"];
  readonly #journal: Journal | undefined;
  #lastDatabase = 0;
  #lastContainer = 0;

  constructor({ data, now, compactFrom, partitions = 1, settings = completeSettings(), onExpired }: AccountOptions) {
    this.identities = new Identities(now);
    this.settings = settings;
    this.#partitions = partitions;
    this.#onExpired = onExpired;
    if (data !== undefined) {
      this.#journal = new Journal(data, (record) => this.#replay(record as JournalRecord), compactFrom);
    }
    for (const container of this.containers()) container.resume();
    this.change({});
  }

  *containers(): Generator<Container> {
    for (const { containers } of this.databases.values()) yield* containers.values();
  }

  /** Changes some settings. A copy for weak reads starts as up to date as its container is now. */
  change(settings: Partial<Settings>): void {
    const lagMs = settings.lagMs ?? (settings.consistency && completeSettings(settings).lagMs);
    Object.assign(this.settings, settings, lagMs !== undefined && { lagMs });
    for (const container of this.containers()) this.#addReplica(container);
  }

  /** Tells of every item whose time is over that has not been told of yet. */
  removeExpired(): void {
    for (const container of this.containers()) container.removeExpired();
  }

  database(id: string): Database {
    const database = this.databases.get(id);
    if (!database) throw ownerNotFound();
    return database;
  }

  container(databaseId: string, id: string): Container {
    const container = this.database(databaseId).containers.get(id);
    if (!container) throw ownerNotFound();
    return container;
  }

  createDatabase(id: string): Database {
    if (this.databases.has(id)) throw alreadyExists();
    const record: JournalRecord = { kind: "database", id, number: this.#lastDatabase + 1 };
    this.#record(record);
    return this.#replayDatabase(record);
  }

  createContainer(databaseId: string, definition: JsonObject, requested: Offer | undefined): Container {
    const database = this.database(databaseId);
    if (typeof definition.id === "string" && database.containers.has(definition.id)) throw alreadyExists();
    const offer = requested ?? defaultOffer(this.settings);
    const ranges = Ranges.even(this.#partitions);
    const container = this.#newContainer(database, this.#lastContainer + 1, { definition, ranges, offer });
    this.#record(containerRecord(container));
    this.#add(database, container);
    this.#addReplica(container);
    return container;
  }

  /** Splits a physical partition of a container in two. Throws 400 when there is no such range. */
  split(container: Container, range: string): void {
    const { database, id } = container;
    const ranges = container.ranges.halved(range);
    this.#record({ kind: "ranges", database, container: id, ranges });
    container.ranges.replace(ranges);
  }

  redefine(container: Container, definition: JsonObject): void {
    const { database, id } = container;
    const next = container.checkedDefinition(definition);
    this.#record({ kind: "redefine", database, container: id, definition: next });
    container.redefine(next);
  }

  setThroughput(container: Container, throughput: number): void {
    if (!container.offer) throw badRequest("The container has no throughput to change.");
    this.#record({ kind: "throughput", database: container.database, container: container.id, throughput });
    container.offer = { ...container.offer, throughput };
  }

  drop(databaseId: string, containerId?: string): void {
    const { containers } = this.database(databaseId);
    if (containerId !== undefined) this.container(databaseId, containerId);
    this.#record({ kind: "drop", database: databaseId, ...(containerId !== undefined && { container: containerId }) });
    if (containerId === undefined) this.databases.delete(databaseId);
    else containers.delete(containerId);
  }

  /** Writes what a transaction staged to the journal, then makes it visible. What is refused never happened. */
  commit(transaction: Transaction): void {
    const { container, key } = transaction;
    const changes = transaction.changes();
    if (changes.length === 0) return;
    if (this.#journal) this.#journal.append(commitRecord(container, changes));
    container.commit(key, changes);
  }

  /** Shortens the journal if that is worth it. To be called when a request is done. */
  compact(): void {
    this.#journal?.compactIfDue(this.#liveBytes(), () => this.#snapshot());
  }

  close(): void {
    this.#journal?.close();
  }

  #record(record: JournalRecord): void {
    this.#journal?.append(JSON.stringify(record));
  }

  #liveBytes(): number {
    let bytes = 0;
    for (const { containers } of this.databases.values()) {
      for (const container of containers.values()) bytes += container.bytes;
    }
    return bytes;
  }

  *#snapshot(): Generator<string> {
    for (const { id, number, containers } of this.databases.values()) {
      yield JSON.stringify({ kind: "database", id, number } satisfies JournalRecord);
      for (const container of containers.values()) yield* containerSnapshot(container);
    }
  }

  #replay(record: JournalRecord): void {
    switch (record.kind) {
      case "database":
        this.#replayDatabase(record);
        break;
      case "container":
        this.#replayContainer(this.database(record.database), record);
        break;
      case "redefine":
        this.container(record.database, record.container).redefine(record.definition);
        break;
      case "throughput":
        this.#replayThroughput(this.container(record.database, record.container), record.throughput);
        break;
      case "ranges":
        this.container(record.database, record.container).ranges.replace(record.ranges);
        break;
      case "drop":
        if (record.container === undefined) this.databases.delete(record.database);
        else this.database(record.database).containers.delete(record.container);
        break;
      case "commit":
        replayCommit(this.container(record.database, record.container), record);
        break;
      case "numbers":
        Object.assign(this.container(record.database, record.container), {
          lsn: record.lsn,
          sequence: record.sequence,
        });
        break;
      default:
        throw new Error(`a record of the kind ${JSON.stringify(Reflect.get(record, "kind"))}`);
    }
  }

  #replayContainer(database: Database, record: StoredContainer): void {
    const ranges = record.ranges ? new Ranges(record.ranges) : Ranges.even(1);
    const settings = { definition: record.definition, ranges, offer: offerOf(record) };
    this.#add(database, this.#newContainer(database, record.number, settings));
  }

  #replayThroughput(container: Container, throughput: number): void {
    if (container.offer) container.offer = { ...container.offer, throughput };
  }

  #replayDatabase({ id, number }: { id: string; number: number }): Database {
    const database: Database = {
      id,
      number,
      rid: databaseRid(number),
      etag: this.identities.etag(),
      timestamp: this.identities.seconds(),
      containers: new Map(),
    };
    this.#lastDatabase = Math.max(this.#lastDatabase, number);
    this.databases.set(id, database);
    return database;
  }

  #newContainer(
    database: Database,
    number: number,
    settings: { definition: JsonObject; ranges: Ranges; offer: Offer | undefined },
  ): Container {
    const container = new Container({
      ...this.#identity(database, number),
      ...settings,
      onExpired: (item) => this.#onExpired?.(container.id, deleteCharge(item)),
    });
    return container;
  }

  #add(database: Database, container: Container): void {
    this.#lastContainer = Math.max(this.#lastContainer, container.number);
    database.containers.set(container.id, container);
  }

  #identity(database: Database, number: number) {
    const rid = containerRid(database.number, number);
    return { database: database.id, number, rid, identities: this.identities };
  }

  #addReplica(container: Container): void {
    const { settings } = this;
    if (settings.lagMs === 0) container.replica = undefined;
    else {
      const { definition, ranges, number } = container;
      const options = { ...this.#identity(this.database(container.database), number), definition, ranges };
      container.replica ??= new Replica(container, options, () => settings.lagMs);
    }
  }
}
