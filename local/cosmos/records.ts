import type { Change, Container } from "./container.ts";
import { type Item, partitionKey } from "./item.ts";
import type { Range } from "./ranges.ts";
import type { Json, JsonObject } from "./sql/values.ts";
import type { Offer } from "./throughput.ts";
import { storedItem } from "./transaction.ts";

/** A line of the journal. The values of a partition key are written as in the request header, `{}` for none. */
export type JournalRecord =
  | { kind: "database"; id: string; number: number }
  | ({ kind: "container"; database: string } & StoredContainer)
  | { kind: "redefine"; database: string; container: string; definition: JsonObject }
  | { kind: "throughput"; database: string; container: string; throughput: number }
  | { kind: "ranges"; database: string; container: string; ranges: Range[] }
  | { kind: "drop"; database: string; container?: string }
  | ({ kind: "commit"; database: string; container: string } & Commit)
  | { kind: "numbers"; database: string; container: string; lsn: number; sequence: number };

export interface StoredContainer {
  number: number;
  definition: JsonObject;
  throughput?: number;
  autoscale?: boolean;
  /** Absent for one range with everything. */
  ranges?: Range[];
}

/**
 * `puts` has the sequence, the LSN and the body of each item, `deletes` the ids, `lsn` the number of the latest write.
 */
export interface Commit {
  lsn?: number;
  changes: { key: unknown[]; puts: [number, number, JsonObject & { id: string }][]; deletes: string[] }[];
}

export function containerRecord({ database, number, definition, offer, ranges }: Container): JournalRecord {
  return {
    kind: "container",
    database,
    number,
    definition,
    ...(offer && { throughput: offer.throughput, autoscale: offer.autoscale }),
    ...(!ranges.isWhole && { ranges: [...ranges.all()] }),
  };
}

export const offerOf = ({ throughput, autoscale = false }: Pick<StoredContainer, "throughput" | "autoscale">) =>
  throughput === undefined ? undefined : ({ throughput, autoscale } satisfies Offer);

/**
 * Text put together from the items' own, because they are JSON already. Of several writes to an item the last counts.
 */
export function commitRecord(container: Container, changes: Change[]): string {
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
  const { database, id, lsn } = container;
  const head = JSON.stringify({ kind: "commit", database, container: id, lsn });
  return `${head.slice(0, -1)},"changes":[${groups.join(",")}]}`;
}

export function* containerSnapshot(container: Container): Generator<string> {
  const { database, lsn, sequence, id } = container;
  yield JSON.stringify(containerRecord(container));
  // In the order of writing: the change feed is built from it.
  const items = [...container.items()].sort((a, b) => a.lsn - b.lsn);
  for (const item of items) yield commitRecord(container, [{ after: item }]);
  yield JSON.stringify({ kind: "numbers", database, container: id, lsn, sequence } satisfies JournalRecord);
}

export function replayCommit(container: Container, { changes, lsn = 0 }: Commit): void {
  container.lsn = Math.max(container.lsn, lsn);
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
