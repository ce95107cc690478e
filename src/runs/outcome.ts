import type { ModelTrouble } from "../model/trouble.ts";
import type { STOPPING } from "./drives.ts";
import type { Ending } from "./lifecycle.ts";
import type { HostedWork } from "./tools/work.ts";

/** What a drive came to, to be written back by settle.ts. */
export type Outcome =
  | { kind: "ending"; ending: Ending }
  /** the model called functions of the client's; what it called beside them is done */
  | { kind: "calls"; work: HostedWork }
  /** the model called hosted tools only, and they are done */
  | { kind: "hosted"; work: HostedWork }
  /** files that the run is to search are not ready yet, or its calls have no place; `delay` in milliseconds */
  | { kind: "wait"; delay: number }
  /** the model's call failed */
  | { kind: "trouble"; trouble: ModelTrouble }
  /** the model's call failed, and this driver cannot repeat it; `delay` in milliseconds */
  | { kind: "repeat-later"; delay: number }
  /** the store failed before the model was asked */
  | { kind: "store-trouble" }
  /** another driver has the run, or it is gone */
  | { kind: "lost" }
  | typeof STOPPING;
