/** All threads or vector stores of a tenant as one list, though each of them is a partition of its own. */
import type { SqlQuerySpec } from "@azure/cosmos";
import type { Doc } from "./documents.ts";
import { type Listable, type ListOptions, type Page, takePage } from "./lists.ts";
import { Partition, type StoreAccess, type Versioned } from "./partition.ts";

export interface ListParts {
  access: StoreAccess;
  /** the partition of an object, from its id */
  keyOf(id: string): string;
  /** The first `limit` results over all partitions. */
  query(query: SqlQuerySpec, limit: number): Promise<unknown[]>;
}

export class TenantList implements Listable {
  readonly #parts: ListParts;

  constructor(parts: ListParts) {
    this.#parts = parts;
  }

  /** An object, by the partition that its id names. */
  read<D extends Doc>(id: string): Promise<Versioned<D> | undefined> {
    return new Partition(this.#parts.access, this.#parts.keyOf(id)).read<D>(id);
  }

  /** One page. The query goes to every physical partition: it is dearer than a list within a thread. */
  async page<D extends Doc>({ range, descending, limit }: ListOptions): Promise<Page<Versioned<D>>> {
    const query = {
      query:
        `SELECT TOP ${limit + 1} * FROM c WHERE c.internal.sort > @above AND c.internal.sort < @below ` +
        `ORDER BY c.internal.sort ${descending ? "DESC" : "ASC"}`,
      parameters: [
        { name: "@above", value: range.above },
        { name: "@below", value: range.below },
      ],
    };
    return takePage((await this.#parts.query(query, limit + 1)) as Versioned<D>[], limit);
  }
}
