/**
 * One limit that tenants share. The rule needs no setting: what a tenant holds may not exceed what is still free. A
 * tenant that takes all it can get so stops at half of the limit, the next one at half of the rest, and there is room
 * for a tenant that holds nothing. A tenant that is the only one has the whole limit.
 */
export class TenantShares {
  readonly #limit: number;
  readonly #onlyOne: boolean;
  readonly #held = new Map<string, number>();
  #total = 0;

  /** `tenants`: how many there are. */
  constructor(limit: number, tenants: number) {
    this.#limit = limit;
    this.#onlyOne = tenants <= 1;
  }

  /** Takes so much for a tenant and answers true, or takes nothing. */
  take(tenant: string, amount = 1): boolean {
    const free = this.#limit - this.#total;
    const own = this.heldBy(tenant) + amount;
    if (amount === 0) return true;
    if (amount > free || (!this.#onlyOne && own > free)) return false;
    this.#held.set(tenant, own);
    this.#total += amount;
    return true;
  }

  give(tenant: string, amount = 1): void {
    const own = this.heldBy(tenant) - amount;
    if (own > 0) this.#held.set(tenant, own);
    else this.#held.delete(tenant);
    this.#total -= amount;
  }

  get total(): number {
    return this.#total;
  }

  heldBy(tenant: string): number {
    return this.#held.get(tenant) ?? 0;
  }

  /** Those who hold something. */
  get tenants(): string[] {
    return [...this.#held.keys()];
  }
}
