/**
 * What the app has cost since it started, as the SDKs' own answers say: shown by GET /costs and read by the benchmarks.
 */
export interface Cost {
  requests: number;
  /** request units */
  units: number;
}

export class CostMeter {
  readonly #byOperation = new Map<string, Cost>();

  add(operation: string, units: number): void {
    const cost = this.#byOperation.get(operation) ?? { requests: 0, units: 0 };
    cost.requests += 1;
    cost.units += units;
    this.#byOperation.set(operation, cost);
  }

  report(): Record<string, Cost> {
    return Object.fromEntries([...this.#byOperation].map(([operation, cost]) => [operation, { ...cost }]));
  }
}
