import type { TokenCheck } from "../identity/token-check.ts";
import type { Faults } from "./faults.ts";
import type { Service } from "./service.ts";
import type { Counters } from "./stats.ts";

/** What the server answers requests with. */
export interface Context {
  service: Service;
  faults: Faults;
  counters: Counters;
  /** Undefined: nothing is known of who signed an identity's token. */
  tokens: TokenCheck | undefined;
}
