import type { Subject } from "../lib/subject.ts";
import type { StoredThreads } from "./stored.ts";
import type { Trace } from "./trace.ts";

/** Where costs are measured: an app whose requests are noted, and its store. */
export interface Place {
  subject: Subject;
  trace: Trace;
  stored: StoredThreads;
  tenant: string;
}
