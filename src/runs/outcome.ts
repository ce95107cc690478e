import type { ModelTrouble } from "../model/trouble.ts";
import type { STOPPING } from "./drives.ts";
import type { Ending } from "./lifecycle.ts";

/** What a drive came to, to be written back by settle.ts. */
export type Outcome =
  | { kind: "ending"; ending: Ending }
  /** the model called functions */
  | { kind: "calls" }
  /** the model's call failed */
  | { kind: "trouble"; trouble: ModelTrouble }
  /** the model's call failed, and this driver cannot repeat it; `delay` in milliseconds */
  | { kind: "repeat-later"; delay: number }
  /** the store failed before the model was asked */
  | { kind: "store-trouble" }
  /** another driver has the run, or it is gone */
  | { kind: "lost" }
  | typeof STOPPING;
