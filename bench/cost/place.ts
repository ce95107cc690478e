import type { Subject } from "../lib/subject.ts";
import type { StoredThreads } from "./stored.ts";
import type { Trace } from "./trace.ts";

/** An app whose requests are noted, and whose runs are of this tenant. */
export interface TracedPlace {
  subject: Subject;
  trace: Trace;
  tenant: string;
}

/** The same with its store, to see what runs leave there. */
export interface Place extends TracedPlace {
  stored: StoredThreads;
}
