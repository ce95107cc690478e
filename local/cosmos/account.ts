import { deleteCharge } from "./charge.ts";
import { type Change, Container } from "./container.ts";
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
} from "./records.ts";
import { Replica } from "./replica.ts";
import { completeSettings, type Settings } from "./settings.ts";
import type { JsonObject } from "./sql/values.ts";
import { defaultOffer, type Offer } from "./throughput.ts";

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
  readonly #pending: string[] = [];
  #lastDatabase = 0;
  #lastContainer = 0;

  constructor({ data, now, compactFrom, partitions = 1, settings = completeSettings(), onExpired }: AccountOptions) {
    this.identities = new Identities(now);
    this.settings = settings;
    this.#partitions = partitions;
    this.#onExpired = onExpired;
    if (data !== undefined) {
      this.#journal = Journal.open(data, (record) => this.#replay(record as JournalRecord), compactFrom);
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
    const container = this.#addContainer(database, this.#lastContainer + 1, { definition, ranges, offer });
    this.#addReplica(container);
    this.#record(containerRecord(container));
    return container;
  }

  /** Splits a physical partition of a container in two. Throws 400 when there is no such range. */
  split(container: Container, range: string): void {
    container.ranges.split(range);
    const { database, id, ranges } = container;
    this.#record({ kind: "ranges", database, container: id, ranges: [...ranges.all()] });
    this.flush();
  }

  redefine(container: Container, definition: JsonObject): void {
    container.redefine(definition);
    this.#record({
      kind: "redefine",
      database: container.database,
      container: container.id,
      definition: container.definition,
    });
  }

  setThroughput(container: Container, throughput: number): void {
    if (!container.offer) throw badRequest("The container has no throughput to change.");
    container.offer = { ...container.offer, throughput };
    this.#record({ kind: "throughput", database: container.database, container: container.id, throughput });
  }

  drop(databaseId: string, containerId?: string): void {
    if (containerId === undefined) {
      this.database(databaseId);
      this.databases.delete(databaseId);
    } else {
      this.container(databaseId, containerId);
      this.database(databaseId).containers.delete(containerId);
    }
    this.#record({ kind: "drop", database: databaseId, ...(containerId !== undefined && { container: containerId }) });
  }

  /** Notes what a request changed; one call, one record. */
  committed(container: Container, changes: Change[]): void {
    if (this.#journal && changes.length > 0) this.#pending.push(commitRecord(container, changes));
  }

  /** Writes what was noted. To be called before a request is answered. */
  flush(): void {
    if (!this.#journal) return;
    this.#journal.append(this.#pending.splice(0));
    this.#journal.compactIfDue(this.#liveBytes(), () => this.#snapshot());
  }

  close(): void {
    this.flush();
    this.#journal?.close();
  }

  #record(record: JournalRecord): void {
    if (this.#journal) this.#pending.push(JSON.stringify(record));
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
        this.#addContainer(this.database(record.database), record.number, {
          definition: record.definition,
          ranges: record.ranges ? new Ranges(record.ranges) : Ranges.even(1),
          offer: offerOf(record),
        });
        break;
      case "redefine":
        this.container(record.database, record.container).redefine(record.definition);
        break;
      case "throughput":
        this.setThroughput(this.container(record.database, record.container), record.throughput);
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
    }
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

  #addContainer(
    database: Database,
    number: number,
    settings: { definition: JsonObject; ranges: Ranges; offer: Offer | undefined },
  ): Container {
    const container = new Container({
      ...this.#identity(database, number),
      ...settings,
      onExpired: (item) => this.#onExpired?.(container.id, deleteCharge(item)),
    });
    this.#lastContainer = Math.max(this.#lastContainer, number);
    database.containers.set(container.id, container);
    return container;
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
