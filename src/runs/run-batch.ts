/**
 * The batch that writes a run: the run on the condition of its etag, its steps and messages, a chunk of its event log,
 * and the release of its thread. It fits by construction: what a model call may say is bounded (turn.ts), the log
 * refers to what is large, and a run's instructions and tools stand elsewhere. For documents that are larger all the
 * same, there are smaller forms of the batch.
 */
import { apiObject, type MessageDoc, type RunDoc, type StepDoc } from "../store/documents.ts";
import type { Partition } from "../store/partition.ts";
import type { Patience } from "../store/trouble.ts";
import type { Refusal, Write } from "../store/writes.ts";
import { logged } from "./event-log.ts";
import type { RunEvent } from "./events.ts";

export interface BatchParts {
  documents: (MessageDoc | StepDoc)[];
  /** ids of documents that are in the store already: they are patched */
  stored: string[];
  /** ids of documents that clients have deleted: never written again; grows while the batch is sent */
  deleted: Set<string>;
  /** ids of documents to be deleted */
  leftovers: string[];
  events: RunEvent[];
  /** whether the thread is freed */
  unlocks: boolean;
  /** what is set in `internal` of the thread's document, by name */
  thread?: Record<string, unknown>;
  /** whether the documents' texts and calls are as they are stored: then they are not written again */
  sameContents?: boolean;
}

/**
 * - "whole": everything
 * - "unlogged": without the events
 * - "bare": and without the large fields of its documents
 */
type Form = "whole" | "unlogged" | "bare";
const NEXT_FORM: Partial<Record<Form, Form>> = { whole: "unlogged", unlogged: "bare" };

/** Which write of a batch is the run's: the first, so that it is refused first. Then the others do not matter. */
export const RUN_WRITE = 0;

export type Sent = { ok: true; run: RunDoc; etag: string } | Refusal;

export class RunBatch {
  readonly #run: RunDoc;
  readonly #ifMatch: string;
  readonly #eventsTtl: number;
  readonly #parts: BatchParts;
  #unlocks: boolean;
  #form: Form = "whole";

  /** `eventsTtl` in seconds. */
  constructor(run: RunDoc, ifMatch: string, eventsTtl: number, parts: BatchParts) {
    this.#run = run;
    this.#ifMatch = ifMatch;
    this.#eventsTtl = eventsTtl;
    this.#parts = parts;
    this.#unlocks = parts.unlocks;
  }

  /**
   * Sends the batch, again if a part of it was refused for a reason that can be mended. Answers with the run as it is
   * stored, or with the refusal that remains. Throws `StoreTrouble` when `patience` is over.
   */
  async send(partition: Partition, patience?: Patience): Promise<Sent> {
    for (;;) {
      const { run, writes } = this.build();
      const result = await partition.batch(writes, patience);
      if (result.ok) return { ok: true, run, etag: result.etags[RUN_WRITE] ?? "" };
      if (!this.#mend(result, writes[result.failed])) return result;
    }
  }

  /** The writes, the run's first (`RUN_WRITE`). */
  build(): { run: RunDoc; writes: Write[] } {
    const { documents, stored, deleted, leftovers, events } = this.#parts;
    const written = documents.filter(({ id }) => !deleted.has(id));
    const { run, chunks } = logged(
      this.#withoutDeleted(),
      this.#form === "whole" ? events : [],
      this.#eventsTtl,
      this.#form === "whole" ? written : [],
    );
    const writes: Write[] = [
      { put: run, ifMatch: this.#ifMatch },
      ...written.map((doc) => (stored.includes(doc.id) ? this.#patch(doc) : { put: this.#fitting(doc) })),
      ...chunks.map((doc): Write => ({ put: doc })),
      ...leftovers.filter((id) => !deleted.has(id)).map((id): Write => ({ delete: id })),
      ...(this.#unlocks ? [unlockThread(run, this.#parts.thread)] : changesOfThread(run, this.#parts.thread)),
    ];
    return { run, writes };
  }

  /** Whether the batch is worth another try, without what was refused or in a smaller form. */
  #mend({ status }: Refusal, refused: Write | undefined): boolean {
    if (status === 413) {
      const smaller = NEXT_FORM[this.#form];
      this.#form = smaller ?? this.#form;
      return smaller !== undefined;
    }
    if (refused === undefined) return false;
    const id = "patch" in refused ? refused.patch : "delete" in refused ? refused.delete : undefined;
    if (id === undefined) return false;
    if (id === this.#run.thread_id) {
      // The thread is not locked by this run (any more). A thread that is gone ends the run's life.
      const unlocked = this.#unlocks && status === 412;
      if (unlocked) this.#unlocks = false;
      return unlocked;
    }
    if (status === 404) this.#parts.deleted.add(id);
    return status === 404;
  }

  #withoutDeleted(): RunDoc {
    const { internal } = this.#run;
    const open = internal.open.filter((id) => !this.#parts.deleted.has(id));
    return open.length === internal.open.length ? this.#run : { ...this.#run, internal: { ...internal, open } };
  }

  /** A patch, so that fields stay which this build does not know, and a deleted document is not created again. */
  #patch(doc: MessageDoc | StepDoc): Write {
    const fields: Record<string, unknown> = { ...apiObject<MessageDoc | StepDoc>(doc) };
    const goesOn = doc.kind === "step" && (doc.status === "in_progress" || doc.status === "completed");
    const changed = goesOn ? CHANGED_OPEN_STEP : CHANGED[doc.kind];
    const names = this.#form === "bare" || this.#parts.sameContents === true ? changed : [...changed, LARGE[doc.kind]];
    const set = Object.fromEntries(names.map((name) => [`/${name}`, fields[name]]));
    if (doc.kind === "message") {
      set["/internal/tokens"] = doc.internal.tokens;
      // Only messages that link what code has written have any.
      if (doc.attachments.length > 0) set["/attachments"] = doc.attachments;
    } else set["/internal/usage"] = doc.internal.usage;
    // What an earlier attempt's server had put into its calls goes away.
    if (goesOn) set["/internal/extras"] = doc.internal.extras ?? null;
    if (goesOn && doc.internal.hosted !== undefined) set["/internal/hosted"] = doc.internal.hosted;
    return { patch: doc.id, set };
  }

  #fitting(doc: MessageDoc | StepDoc): MessageDoc | StepDoc {
    if (this.#form !== "bare" || doc.kind !== "message") return doc;
    const content = doc.content.slice(0, 1).map((part) => {
      if (part.type !== "text") return part;
      return { ...part, text: { value: part.text.value.slice(0, SHORT_TEXT), annotations: [] } };
    });
    return { ...doc, content };
  }
}

/** Characters. */
const SHORT_TEXT = 100_000;

/** The fields that a run changes, at most nine. A message's metadata is its client's, who may set it at any time. */
const CHANGED = {
  message: ["created_at", "status", "completed_at", "incomplete_at", "incomplete_details"],
  step: ["created_at", "status", "completed_at", "cancelled_at", "expired_at", "failed_at", "last_error", "usage"],
};
/** Only the end of a run writes the other fields of a step; a patch has room for ten. */
const CHANGED_OPEN_STEP = ["created_at", "status", "completed_at", "usage"];
const LARGE = { message: "content", step: "step_details" };

const inThread = (changes: Record<string, unknown> = {}) =>
  Object.fromEntries(Object.entries(changes).map(([name, value]) => [`/internal/${name}`, value]));

function changesOfThread(run: RunDoc, changes?: Record<string, unknown>): Write[] {
  const set = inThread(changes);
  return Object.keys(set).length === 0 ? [] : [{ patch: run.thread_id, set }];
}

/** Frees the thread of a run that has ended, for messages and runs; with what else the thread is to know. */
export function unlockThread(run: RunDoc, changes?: Record<string, unknown>): Write {
  return {
    patch: run.thread_id,
    condition: `c.internal.active_run = '${run.id}'`,
    set: { "/internal/active_run": null, "/internal/last_seq": run.internal.last_seq, ...inThread(changes) },
  };
}
