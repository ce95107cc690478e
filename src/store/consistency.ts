/**
 * How fresh the account's reads are. What clients expect (to read through any instance what they wrote through another)
 * takes Strong; see docs/operations.md, "Consistency".
 */
import { ConsistencyLevel } from "@azure/cosmos";

/**
 * - "account": reads are as fresh as the account's default (which should be Strong): what one instance wrote, every
 *   other sees at once. The HTTP face needs that, since a client's next call may reach any instance.
 * - "session": a process that has just written to a partition reads its own writes there, and all that came before
 *   them, at half the price of Strong. The engine writes to a run before it reads anything (but in `readAhead`), so
 *   this is enough for it.
 */
export type Freshness = "account" | "session";

/**
 * Bounded staleness counts as strong: in the region that takes the writes (and this app needs one region only) its
 * reads go to as many replicas as Strong's do.
 */
const STRONG: string[] = [ConsistencyLevel.Strong, ConsistencyLevel.BoundedStaleness];

export class AccountConsistency {
  #level: string | undefined;

  /** The account's default, undefined until it has been read. */
  get level(): string | undefined {
    return this.#level;
  }

  /** `level` as the account tells it. */
  learn(level: string): void {
    this.#level = level;
  }

  /** Whether every instance reads what any instance has written. */
  get isStrong(): boolean {
    return this.#level !== undefined && STRONG.includes(this.#level);
  }

  /**
   * A process reads its own writes only if it says so with each read: a Session account does not demand it by itself.
   */
  get isSession(): boolean {
    return this.#level === ConsistencyLevel.Session;
  }

  /** Neither: a client could not even rely on what one instance has just told it. */
  get isTooWeak(): boolean {
    return this.#level !== undefined && !this.isStrong && !this.isSession;
  }

  /** What a read has to say to be as fresh as this. */
  readOptions(freshness: Freshness): { consistencyLevel?: ConsistencyLevel } {
    return freshness === "session" || this.isSession ? { consistencyLevel: ConsistencyLevel.Session } : {};
  }
}
