import { type Change, Container, type ContainerOptions, type Copy } from "./container.ts";
import type { Range } from "./ranges.ts";
import type { JsonObject } from "./sql/values.ts";

interface Write {
  at: number;
  range: Range;
  lsn: number;
  changes: Change[];
}

/**
 * A second copy of a container that applies each write some time after the first one did. Weak reads get it: what a
 * client of the real service sees when its read reaches a replica that is behind.
 */
export class Replica implements Copy {
  readonly #copy: Container;
  readonly #lagMs: () => number;
  #queue: Write[] = [];

  /** Starts as an exact copy of what the container holds now. */
  constructor(primary: Container, options: ContainerOptions, lagMs: () => number) {
    this.#copy = new Container(options);
    this.#lagMs = lagMs;
    const items = [...primary.items()].sort((a, b) => a.lsn - b.lsn);
    this.#copy.apply(items.map((after) => ({ after })));
    this.#copy.followTo(primary);
  }

  receive(range: Range, lsn: number, changes: Change[]): void {
    this.#queue.push({ at: this.#now(), range, lsn, changes });
    // A replica that no client reads would otherwise keep every write for ever.
    this.#catchUp();
  }

  /** The copy as it is at this moment. */
  view(): Container {
    this.#catchUp();
    this.#copy.removeExpired();
    return this.#copy;
  }

  /** New settings of the container hold for all copies at once. */
  redefine(definition: JsonObject): void {
    this.#copy.redefine(definition);
  }

  #now(): number {
    return this.#copy.identities.now();
  }

  #catchUp(): void {
    const until = this.#now() - this.#lagMs();
    const due = this.#queue.findIndex(({ at }) => at > until);
    const writes = this.#queue.splice(0, due === -1 ? this.#queue.length : due);
    if (writes.length === 0) return;
    // Both copies let items expire by themselves, so the copy may have dropped what a write replaces or deletes.
    this.#copy.removeExpired();
    for (const { range, lsn, changes } of writes) this.#copy.follow(range, lsn, changes);
  }
}
