/** All threads of a tenant as one list, though each of them is a partition of its own. */
import { type QueryTools, queryThreads } from "./cross-partition.ts";
import { type Doc, threadKey } from "./documents.ts";
import { type Listable, type ListOptions, type Page, takePage } from "./lists.ts";
import { Partition, type StoreAccess, type Versioned } from "./partition.ts";

export class TenantThreads implements Listable {
  readonly #access: StoreAccess;
  readonly #queryTools: QueryTools;
  readonly #tenant: string;

  constructor(access: StoreAccess, queryTools: QueryTools, tenant: string) {
    this.#access = access;
    this.#queryTools = queryTools;
    this.#tenant = tenant;
  }

  /** A thread, by the partition that its id names. */
  read<D extends Doc>(id: string): Promise<Versioned<D> | undefined> {
    return new Partition(this.#access, threadKey(this.#tenant, id)).read<D>(id);
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
    return takePage(await queryThreads<Versioned<D>>(this.#queryTools, query, limit + 1), limit);
  }
}
