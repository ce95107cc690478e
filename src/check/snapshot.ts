/** All that one thread holds, as the rules look at it. */
import type { DeletedThreadDoc, Doc, EventsDoc, MessageDoc, RunDoc, StepDoc, ThreadDoc } from "../store/documents.ts";

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
  /** ids of documents that are of no known kind */
  readonly strangers: string[] = [];

  constructor(pk: string, docs: Iterable<Doc>) {
    this.pk = pk;
    const colon = pk.indexOf(":");
    this.tenant = pk.slice(0, colon);
    this.threadId = pk.slice(colon + 1);
    for (const doc of docs) this.#add(doc);
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

  #add(doc: Doc): void {
    switch (doc.kind) {
      case "thread":
        this.threads.push(doc);
        break;
      case "deleted_thread":
        this.marks.push(doc);
        break;
      case "run":
        this.runs.push(doc);
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
