/** What ingestion works with. Everything that acts on the outside is handed in. */
import type { Blobs } from "../blobs/blobs.ts";
import type { Log } from "../log.ts";
import type { Embeddings } from "../model/embeddings.ts";
import type { StoreTools } from "../stores/tools.ts";
import type { Slots } from "./slots.ts";

export interface IngestTools extends StoreTools {
  /** undefined: this deployment serves no files */
  blobs: Blobs | undefined;
  embeddings: Embeddings;
  log: Log;
  /** names this process in leases */
  owner: string;
  slots: Slots;
  /** aborted when the process is being stopped: what is under way goes back */
  stopping: AbortSignal;
}

/** Why work is given back though nothing failed: its time is over, or the process is being stopped. */
export class HandBack extends Error {}
