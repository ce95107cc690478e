/** What a connection needs from the broker. */
import type { TokenCheck } from "../identity/token-check.ts";
import type { Clock } from "./clock.ts";
import type { Queue } from "./engine.ts";
import type { Faults } from "./faults.ts";
import type { IdleLimits } from "./idleness.ts";
import type { SharedAccessKeys } from "./sas.ts";

export interface Broker {
  readonly clock: Clock;
  readonly faults: Faults;
  readonly keys: SharedAccessKeys;
  /** Undefined: identities' tokens are refused. */
  readonly tokens: TokenCheck | undefined;
  readonly idleLimits: IdleLimits;
  /** Looks up a queue or a dead-letter queue; paths are case-insensitive. */
  entity(path: string): Queue | undefined;
  /** Writes what the journal has pending, before a client learns of it. */
  flush(): void;
  log(...what: unknown[]): void;
}
