/**
 * The documents of the store. A document is its API object with three fields around it: `pk`, `kind`, and `internal`
 * for everything that the API never shows; so turning a document into its API object is one function.
 */
import type { Assistant } from "../resources/assistant.ts";
import type { Attributes } from "../resources/attributes.ts";
import type { ChosenParameter } from "../resources/chosen.ts";
import type { Usage } from "../resources/common.ts";
import type { ExpiresAfter, FileObject, Purpose } from "../resources/file.ts";
import type { Message } from "../resources/message.ts";
import type { Run } from "../resources/run.ts";
import { isNewerVersion, SCHEMA_VERSION, type Version } from "../resources/schema-version.ts";
import type { RunStep } from "../resources/step.ts";
import type { Thread } from "../resources/thread.ts";
import type { Upload } from "../resources/upload.ts";
import type { Lease, Listed, Stored } from "./stored.ts";
import type {
  DeletedStoreDoc,
  DetachedFileDoc,
  FileBatchDoc,
  UseDoc,
  VectorStoreDoc,
  VectorStoreFileDoc,
} from "./vector-documents.ts";

/**
 * Since which schema version the documents of a kind are written as they are today. The store puts it into
 * `internal.v` of a new document that does not say more itself; one that was read keeps its own.
 */
export const WRITTEN_AS: Record<Doc["kind"], number> = {
  assistant: 1,
  thread: 1,
  deleted_thread: 1,
  message: 1,
  run: 1,
  step: 1,
  snapshot: 1,
  events: 1,
  file: 1,
  deleted_file: 1,
  chunk: 1,
  vector_store: 1,
  deleted_vector_store: 1,
  vector_store_file: 1,
  detached_file: 1,
  file_batch: 1,
  use: 1,
  upload: 1,
};

/** Whether only a newer build understands the document: then this one may show it, and leaves it alone. */
export const isNewer = (doc: { internal: Version }) => isNewerVersion(doc.internal);

/** The condition under which a build of today may write to a document: that it understands it. */
export const UNDERSTOOD = `(NOT IS_DEFINED(c.internal.v) OR c.internal.v <= ${SCHEMA_VERSION})`;

export type AssistantDoc = Assistant &
  Stored<
    "assistant",
    Listed & {
      /** parameters that its client chose itself, also where they are the defaults (resources/chosen.ts) */
      chosen?: ChosenParameter[];
    }
  >;

export type ThreadDoc = Thread &
  Stored<
    "thread",
    Listed & {
      /** the lock: no messages and no second run while it is set */
      active_run: string | null;
      /** the newest place given to an object of the thread: the next one must be later */
      last_seq: string;
      /** how many of its messages are the user's: a run without instructions needs one */
      user_messages: number;
      /** how often its runs have searched files: citations number the searches */
      searches?: number;
      /** ids of snapshots that are in its partition, newest first */
      snapshots?: string[];
      /** where its code runs; null: the next code gets a session of its own */
      code_session?: CodeSessionState | null;
    }
  >;

/** What a thread knows of the session that runs its code. Never shown, never logged: the id is all that protects it. */
export interface CodeSessionState {
  id: string;
  /** what code has written, the newest last */
  files: WrittenFile[];
  /** whether code has run in it, or in one before it */
  used?: true;
}

/** A file that code has written. Its bytes are kept for a day, and for good once a message has linked it. */
export interface WrittenFile {
  /** below the session's folder */
  path: string;
  /** the id of the file that it is, or becomes when a message links it */
  id: string;
  bytes: number;
  /** when it was written, in milliseconds since 1970 */
  at: number;
}

export type MessageDoc = Message &
  Stored<
    "message",
    Listed & {
      /** what the message costs in a prompt, with the tool calls that led to it; counted when it was written */
      tokens: number;
      /** whether its run had called functions before: the context shows those calls at their place */
      follows_tools: boolean;
      /** the same, where hosted tools are among what was called: older builds cannot read such steps */
      follows_hosted?: true;
      /** its place in a prompt, if not its own: the model reads what it said with its calls before their outputs */
      prompt_seq?: string;
    }
  >;

/**
 * Stands in a thread's place while the thread's documents are not a thread: it was deleted and is being purged, or it
 * is being created in several batches. Its `sort` holds its due time: the sweep finds marks without meeting any run.
 */
export type DeletedThreadDoc = { id: string } & Stored<
  "deleted_thread",
  Listed & {
    tenant: string;
    /** the thread is still being written; a purge takes the mark from its writer before it deletes anything */
    unfinished?: true;
    /** the due time, in marks that older builds wrote: those have no `sort` */
    due?: number;
  }
>;

/** The ids that the model call under way will use: a repeated call overwrites what a dead attempt left. */
export interface ReservedIds {
  messageStep: string;
  message: string;
  toolStep: string;
  /** for text that begins behind calls; absent in runs that an older build has claimed */
  lateMessageStep?: string;
  lateMessage?: string;
}

/** What a server put into a function call beside the API's own fields, and wants back with it. */
export interface CallExtras {
  /** of the call */
  id: string;
  /** those of its function stand in `function` */
  fields: Record<string, unknown>;
}

/** A call of a hosted tool as the model wrote it, and what the model reads of it later. Clients never see it. */
export interface HostedRecord {
  /** of the call */
  id: string;
  /** the function's, as the model knows it */
  name: string;
  arguments: string;
  /** the number of a search: citations name it (docs/contract.md, "file_search in runs") */
  n?: number;
  /** what the model reads, where the call as clients see it does not tell that */
  output?: string;
}

/** A form of it that older builds cannot read gets a field of another name in the run: then those tell only the end. */
export interface ShortLog {
  /** ids of the steps and messages that it tells of */
  objects: string[];
  entries: unknown[];
  /** when it is not shown any more, in milliseconds since 1970 */
  until: number;
}

export interface RunInternal extends Listed {
  tenant: string;
  /** when a worker should look at this run next, in milliseconds since 1970; absent once the run has ended */
  due?: number;
  lease: Lease | null;
  reserved: ReservedIds | null;
  /** the newest place given to a step or message of the run */
  last_seq: string;
  /** how often a driver has begun the model call under way; counted when the run is claimed or taken over */
  attempts: number;
  /** steps and messages of the run that are in the store, in progress */
  open: string[];
  /** finished model calls */
  turns: number;
  /** what they used; the run shows it once it has ended */
  usage: Usage;
  /** what the run's tool calls and their outputs cost in a prompt */
  tool_tokens: number;
  /** those of them that no later run gets to read */
  passing_tokens?: number;
  /** the vector stores of its assistant when it was created, if it may search files */
  vector_stores?: string[];
  /** the `started_at` of a driver that has found files of the run not ready yet */
  waited?: number | null;
  /** finished model calls that called hosted tools */
  hosted_turns?: number;
  /** the files of its assistant that code may use, as they were when it was created */
  code_files?: string[];
  /** the model has written calls whose step is stored; they are to be done before the model is asked again */
  pending?: "tools";
  /** files of images that its next message begins with */
  images?: string[];
  /** how long the event log is */
  log: { chunks: number; events: number };
  /** the document that holds its instructions, tools and response format, if they are large */
  snapshot?: string;
  /** set in memory only: that document is gone, so the run shows none of them and must not be driven */
  snapshot_missing?: true;
  /** the whole log of a run that ended with its first write (runs/short-log.ts) */
  short_log?: ShortLog;
  /** W3C `traceparent` of the request that created it, where telemetry is on (runs/run-span.ts) */
  trace?: string;
  /** parameters that the client chose itself, also where they are the defaults (resources/chosen.ts) */
  chosen?: ChosenParameter[];
  /** whether its log begins with its thread, which was created by the request that streams the run */
  begins_with_thread?: true;
}

export type RunDoc = Run & Stored<"run", RunInternal>;
export type StepDoc = RunStep &
  Stored<
    "step",
    Listed & {
      /** what the model call used, while the API does not show it yet */
      usage: Usage;
      /** goes back to the model with the step's calls; clients never see it */
      extras?: CallExtras[] | null;
      /** its calls of hosted tools, once they are done */
      hosted?: HostedRecord[] | null;
    }
  >;

/** What runs of the thread take over from an assistant: never changed, named after its content (store/snapshots.ts). */
export type SnapshotDoc = { id: string } & Stored<
  "snapshot",
  { fields: Pick<Run, "instructions" | "tools" | "response_format"> }
>;

/** A piece of a run's event log. Not indexed: it is read by its id, which names its number. */
export interface EventsDoc {
  id: string;
  pk: string;
  kind: "events";
  /** seconds until Cosmos DB deletes it */
  ttl: number;
  internal: Version & {
    run: string;
    /** number of the first event */
    first: number;
    entries: unknown[];
  };
}

export type FileDoc = FileObject &
  Stored<
    "file",
    Listed & {
      tenant: string;
      /** its place in the list of the files of its purpose */
      purpose_sort: string;
      /** when it expires, in milliseconds since 1970; absent if it never does */
      due?: number;
      /** whether a vector store has or had it */
      used?: boolean;
    }
  >;

/** Stands in a file's place until everything that belonged to it is gone, its bytes last. */
export type DeletedFileDoc = { id: string } & Stored<
  "deleted_file",
  {
    tenant: string;
    /** when the sweep sends another wake-up, in milliseconds since 1970 */
    due: number;
  }
>;

/** A piece of a file's text in a vector store, with its embedding. */
export interface ChunkDoc {
  /** `chunkId(file_id, n)` */
  id: string;
  pk: string;
  kind: "chunk";
  file_id: string;
  /** of the file: results of a search tell it */
  filename: string;
  /** which chunk of its file it is, from 0 */
  n: number;
  text: string;
  /** of length 1, rounded (model/vectors.ts) */
  vector: number[];
  /** of the file in this vector store: filters of a search ask for them */
  attributes: Attributes;
  internal: Version;
}

export type UploadDoc = Upload &
  Stored<
    "upload",
    {
      /** the id of the file that it becomes: its blocks are staged in that one's blob */
      file: string;
      purpose: Purpose;
      expires_after?: ExpiresAfter;
      /** by their ids: their bytes, and how many blocks they have */
      parts: Record<string, { bytes: number; blocks: number }>;
      part_count: number;
      /**
       * the parts that it is or was completed with; until then (milliseconds since 1970) no others may be committed.
       * `shared`: by several requests, so that none of them may release it
       */
      claim?: { parts: string[]; until: number; shared?: true };
    }
  > & {
    /** seconds until Cosmos DB deletes it */
    ttl: number;
  };

/** What is behind an API object. */
export type ObjectDoc =
  | AssistantDoc
  | ThreadDoc
  | MessageDoc
  | RunDoc
  | StepDoc
  | FileDoc
  | VectorStoreDoc
  | VectorStoreFileDoc
  | FileBatchDoc;
export type Doc =
  | ObjectDoc
  | EventsDoc
  | SnapshotDoc
  | DeletedThreadDoc
  | DeletedFileDoc
  | ChunkDoc
  | DeletedStoreDoc
  | DetachedFileDoc
  | UseDoc
  | UploadDoc;

/** The partition of a thread. Tenant and id in one key: a request of one tenant cannot name another's documents. */
export const threadKey = (tenant: string, threadId: string) => `${tenant}:${threadId}`;

/** The partition of a vector store. */
export const storeKey = (tenant: string, vectorStoreId: string) => `${tenant}:${vectorStoreId}`;
/** An id may not hold a slash (Azure limit). */
export const chunkId = (fileId: string, n: number) => `${fileId}~${n}`;

export const catalogKey = (tenant: string) => tenant;

export const assistantSort = (seq: string) => `assistant/${seq}`;
export const fileSort = (seq: string) => `file/${seq}`;
export const filePurposeSort = (purpose: string, seq: string) => `file/${purpose}/${seq}`;
/** With the tenant, since the list of a tenant's threads crosses partitions. */
export const threadSort = (tenant: string, seq: string) => `thread/${tenant}/${seq}`;
export const messageSort = (seq: string) => `message/${seq}`;
export const runSort = (seq: string) => `run/${seq}`;
export const stepSort = (runId: string, seq: string) => `step/${runId}/${seq}`;

/** `due`: when the sweep sends a wake-up for a mark that is still there, in milliseconds since 1970. */
export const deletedSort = (due: number) => `deleted/${String(due).padStart(15, "0")}`;
/** The due time of a mark, in milliseconds since 1970. */
export const dueOfMark = ({ internal: { sort, due } }: DeletedThreadDoc) => due ?? Number(seqOf(sort));

/** The `seq` in a `sort`. */
export const seqOf = (sort: string) => sort.slice(sort.lastIndexOf("/") + 1);

const HIDDEN = new Set(["pk", "kind", "internal", "ttl", "_rid", "_self", "_etag", "_attachments", "_ts"]);

type ApiObject<D extends ObjectDoc | UploadDoc> = Omit<D, "pk" | "kind" | "internal" | "ttl">;

/** The API's object without what the store needs around it. */
export function apiObject<D extends ObjectDoc | UploadDoc>(doc: D): ApiObject<D> {
  const object: Record<string, unknown> = {};
  for (const name in doc) if (!HIDDEN.has(name)) object[name] = doc[name];
  return object as ApiObject<D>;
}
