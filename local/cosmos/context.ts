import type { Faults } from "./faults.ts";
import type { Service } from "./service.ts";
import type { Counters } from "./stats.ts";

/** What the server answers requests with. */
export interface Context {
  service: Service;
  faults: Faults;
  counters: Counters;
}
