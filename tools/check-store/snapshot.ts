/** All that one thread holds, as the rules look at it. */
import type {
  DeletedThreadDoc,
  Doc,
  EventsDoc,
  MessageDoc,
  RunDoc,
  SnapshotDoc,
  StepDoc,
  ThreadDoc,
} from "../../src/store/documents.ts";
import { isNewer } from "../../src/store/documents.ts";
import { withSnapshot } from "../../src/store/snapshots.ts";
import { lackOf } from "./shapes.ts";

interface Unreadable {
  id: string;
  /** what it lacks */
  detail: string;
}

export class ThreadSnapshot {
  readonly pk: string;
  readonly tenant: string;
  readonly threadId: string;
  readonly threads: ThreadDoc[] = [];
  readonly marks: DeletedThreadDoc[] = [];
  readonly runs: RunDoc[] = [];
  readonly messages: MessageDoc[] = [];
  readonly steps: StepDoc[] = [];
  readonly chunks: EventsDoc[] = [];
  readonly snapshots: SnapshotDoc[] = [];
  /** whether one of its documents is of a schema version that this build does not know */
  readonly isNewer: boolean;
  /** ids of documents that are of no known kind */
  readonly strangers: string[] = [];
  /** documents that lack what the rules look into; they are in none of the lists above */
  readonly unreadable: Unreadable[] = [];

  constructor(pk: string, docs: Iterable<Doc>) {
    this.pk = pk;
    const colon = pk.indexOf(":");
    this.tenant = pk.slice(0, Math.max(colon, 0));
    this.threadId = pk.slice(colon + 1);
    const all = Array.from(docs);
    // What lies in a store need not be of the app.
    this.isNewer = all.some(({ internal }) => isNewer({ internal: internal ?? {} }));
    const stored: RunDoc[] = [];
    for (const doc of all) {
      // How the documents of a newer build look is not known here.
      const lack = this.isNewer ? undefined : lackOf(doc);
      if (lack !== undefined) this.unreadable.push({ id: doc.id, detail: `cannot be read as a ${doc.kind}: ${lack}` });
      else if (doc.kind === "run") stored.push(doc);
      else this.#add(doc);
    }
    for (const run of stored) this.runs.push(this.#whole(run));
  }

  /** The thread's own document: it has the thread's id. */
  get thread(): ThreadDoc | undefined {
    return this.threads.find((thread) => thread.id === this.threadId);
  }

  /** What is left of a deleted or half-written thread is purged, in any order: few rules hold for it. */
  get isBeingDeleted(): boolean {
    return this.marks.length > 0;
  }

  stepsOf(run: RunDoc): StepDoc[] {
    return this.steps.filter((step) => step.run_id === run.id);
  }

  messagesOf(run: RunDoc): MessageDoc[] {
    return this.messages.filter((message) => message.run_id === run.id);
  }

  chunksOf(run: RunDoc): EventsDoc[] {
    return this.chunks.filter((chunk) => chunk.internal.run === run.id);
  }

  /** A run as the app reads it: with the instructions and tools of its snapshot. */
  #whole(run: RunDoc): RunDoc {
    const { snapshot: id } = run.internal;
    if (id === undefined) return run;
    return withSnapshot(run, this.snapshots.find((snapshot) => snapshot.id === id)?.internal.fields);
  }

  #add(doc: Doc): void {
    switch (doc.kind) {
      case "thread":
        this.threads.push(doc);
        break;
      case "deleted_thread":
        this.marks.push(doc);
        break;
      case "snapshot":
        this.snapshots.push(doc);
        break;
      case "message":
        this.messages.push(doc);
        break;
      case "step":
        this.steps.push(doc);
        break;
      case "events":
        this.chunks.push(doc);
        break;
      default:
        this.strangers.push(doc.id);
    }
  }
}
