import { type Change, Container } from "./container.ts";
import { alreadyExists, badRequest, ownerNotFound } from "./errors.ts";
import { containerRid, databaseRid, Identities } from "./identities.ts";
import { type Item, partitionKey } from "./item.ts";
import { Journal } from "./journal.ts";
import type { Json, JsonObject } from "./sql/values.ts";
import { storedItem } from "./transaction.ts";

export interface Database {
  id: string;
  number: number;
  rid: string;
  etag: string;
  timestamp: number;
  containers: Map<string, Container>;
}

/** A line of the journal. The values of a partition key are written as in the request header, `{}` for none. */
type JournalRecord =
  | { kind: "database"; id: string; number: number }
  | { kind: "container"; database: string; number: number; definition: JsonObject; throughput?: number }
  | { kind: "redefine"; database: string; container: string; definition: JsonObject }
  | { kind: "throughput"; database: string; container: string; throughput: number }
  | { kind: "drop"; database: string; container?: string }
  | ({ kind: "commit"; database: string; container: string } & Commit)
  | { kind: "numbers"; database: string; container: string; lsn: number; sequence: number };

/** `puts` has the sequence, the LSN and the body of each item, `deletes` the ids. */
interface Commit {
  changes: { key: unknown[]; puts: [number, number, JsonObject & { id: string }][]; deletes: string[] }[];
}

export interface AccountOptions {
  /** The folder of the journal; without it everything is in memory only. */
  data?: string | undefined;
  now?: (() => number) | undefined;
  /** The smallest journal, in bytes, that is ever compacted. */
  compactFrom?: number | undefined;
}

/** Everything that is stored, and the journal that it can be rebuilt from. */
export class Account {
  readonly databases = new Map<string, Database>();
  readonly identities: Identities;
  readonly #journal: Journal | undefined;
  readonly #pending: string[] = [];
  #lastDatabase = 0;
  #lastContainer = 0;

  constructor({ data, now, compactFrom }: AccountOptions) {
    this.identities = new Identities(now);
    if (data !== undefined) {
      this.#journal = Journal.open(data, (record) => this.#replay(record as JournalRecord), compactFrom);
    }
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

  createContainer(databaseId: string, definition: JsonObject, throughput: number | undefined): Container {
    const database = this.database(databaseId);
    if (typeof definition.id === "string" && database.containers.has(definition.id)) throw alreadyExists();
    const number = this.#lastContainer + 1;
    const container = this.#addContainer(database, number, definition, throughput);
    this.#record({
      kind: "container",
      database: databaseId,
      number,
      definition: container.definition,
      ...(throughput !== undefined && { throughput }),
    });
    return container;
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
    if (container.throughput.limit === undefined) throw badRequest("The container has no throughput to change.");
    container.throughput.set(throughput);
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
        this.#addContainer(this.database(record.database), record.number, record.definition, record.throughput);
        break;
      case "redefine":
        this.container(record.database, record.container).redefine(record.definition);
        break;
      case "throughput":
        this.container(record.database, record.container).throughput.set(record.throughput);
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

  #addContainer(database: Database, number: number, definition: JsonObject, throughput: number | undefined) {
    const container = new Container({
      database: database.id,
      number,
      rid: containerRid(database.number, number),
      definition,
      identities: this.identities,
      throughput,
    });
    this.#lastContainer = Math.max(this.#lastContainer, number);
    database.containers.set(container.id, container);
    return container;
  }
}

/** Text put together from the items' own, because they are JSON already. Of several writes to an item the last counts. */
function commitRecord(container: Container, changes: Change[]): string {
  const byPartition = new Map<string, Map<string, Item | undefined>>();
  for (const { before, after } of changes) {
    const item = after ?? before;
    if (!item) continue;
    const latest = byPartition.get(item.partition.text) ?? new Map<string, Item | undefined>();
    latest.set(item.id, after);
    byPartition.set(item.partition.text, latest);
  }
  const groups = [...byPartition].map(([key, latest]) => {
    const puts = [...latest.values()].filter((item) => item !== undefined);
    const deletes = [...latest].filter(([, item]) => item === undefined).map(([id]) => id);
    const versions = puts.map(({ sequence, lsn, json }) => `[${sequence},${lsn},${json}]`);
    return `{"key":${key},"puts":[${versions.join(",")}],"deletes":${JSON.stringify(deletes)}}`;
  });
  const { database, id } = container;
  const head = JSON.stringify({ kind: "commit", database, container: id });
  return `${head.slice(0, -1)},"changes":[${groups.join(",")}]}`;
}

function* containerSnapshot(container: Container): Generator<string> {
  const { database, number, definition, lsn, sequence, id } = container;
  const throughput = container.throughput.limit;
  yield JSON.stringify({
    kind: "container",
    database,
    number,
    definition,
    ...(throughput !== undefined && { throughput }),
  } satisfies JournalRecord);
  // In the order of writing: the change feed is built from it.
  const items = [...container.items()].sort((a, b) => a.lsn - b.lsn);
  for (const item of items) yield commitRecord(container, [{ after: item }]);
  yield JSON.stringify({ kind: "numbers", database, container: id, lsn, sequence } satisfies JournalRecord);
}

function replayCommit(container: Container, { changes }: Commit): void {
  const all = changes.map(({ key, ...rest }) => ({
    ...rest,
    key: partitionKey(key.map((value) => (isNone(value) ? undefined : (value as Json)))),
  }));
  for (const { key, deletes } of all) {
    for (const id of deletes) {
      const before = container.find(key, id);
      if (before) container.apply([{ before }]);
    }
  }
  const puts = all.flatMap(({ key, puts }) => puts.map(([sequence, lsn, body]) => ({ key, sequence, lsn, body })));
  // The change feed wants the order of writing, across partitions too.
  for (const { key, sequence, lsn, body } of puts.sort((a, b) => a.lsn - b.lsn)) {
    const before = container.find(key, body.id);
    const after = storedItem(container, key, { body, sequence, lsn });
    container.apply([{ ...(before && { before }), after }]);
    container.lsn = Math.max(container.lsn, lsn);
    container.sequence = Math.max(container.sequence, sequence);
  }
}

const isNone = (value: unknown) => value !== null && typeof value === "object";
