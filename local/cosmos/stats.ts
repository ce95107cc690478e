/** How many requests there were, what they cost in request units, and how many failed (status 400 and up). */
export interface Tally {
  count: number;
  charge: number;
  failed: number;
}

export interface Stats {
  since: string;
  total: Tally;
  /** By operation: create, read, query, batch, … */
  operations: Record<string, Tally>;
  /** By container id (of all databases together), then by operation. */
  containers: Record<string, Record<string, Tally>>;
}

const none = (): Tally => ({ count: 0, charge: 0, failed: 0 });

/** Counts what was done since the start or the last reset. */
export class Counters {
  #current: Stats = empty();

  reset(): void {
    this.#current = empty();
  }

  add(operation: string, container: string | undefined, charge: number, failed: boolean): void {
    const tallies = [this.#current.total, tally(this.#current.operations, operation)];
    if (container !== undefined) {
      this.#current.containers[container] ??= {};
      tallies.push(tally(this.#current.containers[container], operation));
    }
    for (const entry of tallies) {
      entry.count++;
      entry.charge += charge;
      if (failed) entry.failed++;
    }
  }

  /** Charges rounded to hundredths, as in the charge header. */
  read(): Stats {
    return JSON.parse(JSON.stringify(this.#current), (name, value) =>
      name === "charge" ? Math.round(value * 100) / 100 : value,
    );
  }
}

const empty = (): Stats => ({ since: new Date().toISOString(), total: none(), operations: {}, containers: {} });

function tally(tallies: Record<string, Tally>, name: string): Tally {
  tallies[name] ??= none();
  return tallies[name];
}
