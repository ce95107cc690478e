/** All threads of a tenant as one list, though each of them is a partition of its own. */
import type { Container } from "@azure/cosmos";
import { catalogKey, type Doc, threadKey } from "./documents.ts";
import { type ListOptions, Partition, type Versioned } from "./partition.ts";

/** Only for lists: what is written to a thread goes through its own partition. */
export class TenantThreads extends Partition {
  readonly #container: Container;
  readonly #tenant: string;

  constructor(container: Container, tenant: string) {
    super(container, catalogKey(tenant));
    this.#container = container;
    this.#tenant = tenant;
  }

  /** A thread, by the partition that its id names. */
  override read<D extends Doc>(id: string): Promise<Versioned<D> | undefined> {
    return new Partition(this.#container, threadKey(this.#tenant, id)).read<D>(id);
  }

  /** One page. The query goes to every physical partition: it is dearer than a list within a thread. */
  override async list<D extends Doc>({ range, descending, limit }: ListOptions): Promise<Versioned<D>[]> {
    const query = {
      query:
        `SELECT TOP ${limit} * FROM c WHERE c.internal.tenant = @tenant AND c.internal.sort > @above ` +
        `AND c.internal.sort < @below ORDER BY c.internal.sort ${descending ? "DESC" : "ASC"}`,
      parameters: [
        { name: "@tenant", value: this.#tenant },
        { name: "@above", value: range.above },
        { name: "@below", value: range.below },
      ],
    };
    const { resources } = await this.#container.items.query<Versioned<D>>(query, { maxItemCount: limit }).fetchAll();
    return resources;
  }
}
