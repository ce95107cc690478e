/** What the API told its clients: it must stay true. And what clients have deleted, which may be missing. */
import type { Message } from "openai/resources/beta/threads/messages";
import type { Run } from "openai/resources/beta/threads/runs/runs";

const ENDS: Run["status"][] = ["completed", "incomplete", "failed", "cancelled", "expired"];
export const isOver = ({ status }: { status: Run["status"] }) => ENDS.includes(status);

/** Whether an event of this name is a run's last. */
export const isLast = (event: string) => ENDS.some((status) => event === `thread.run.${status}`);

export interface KnownRun {
  id: string;
  threadId: string;
  /** its story */
  kind: string;
  /** how it ended, as the API said */
  ending: Run["status"] | undefined;
  cancelAccepted: boolean;
  /** the whole answer, if its model always says the same */
  text: string | undefined;
}

interface Told {
  threadId: string;
  text: string;
}

export class Memory {
  readonly runs = new Map<string, KnownRun>();
  /** what cannot both be true */
  readonly contradictions: string[] = [];
  /** threads that a client has asked to delete; whether the API has said that it is done */
  readonly deletedThreads = new Map<string, "asked" | "done">();
  /** threads of which a client has asked to delete messages */
  readonly touchedThreads = new Set<string>();
  readonly deletedMessages = new Set<string>();
  /** text of messages that were told to be complete, or were heard to the end of their run */
  readonly #texts = new Map<string, Told>();

  /** A run that the API has acknowledged; what it says about it now. */
  hear(run: Run, kind: string, text?: string): Run {
    const known = this.runs.get(run.id) ?? {
      id: run.id,
      threadId: run.thread_id,
      kind,
      ending: undefined,
      cancelAccepted: false,
      text,
    };
    this.runs.set(run.id, known);
    if (known.ending !== undefined && known.ending !== run.status) {
      this.contradictions.push(`${run.id} (${kind}) was ${known.ending} and is ${run.status}`);
    }
    if (known.cancelAccepted && (run.status === "completed" || run.status === "incomplete")) {
      this.contradictions.push(`${run.id} (${kind}) was being cancelled and is ${run.status}`);
    }
    if (isOver(run)) known.ending = run.status;
    return run;
  }

  cancelAccepted(id: string): void {
    const known = this.runs.get(id);
    if (known !== undefined) known.cancelAccepted = true;
  }

  hearMessage(message: Message): void {
    this.hearText(message.id, message.thread_id, textOf(message));
  }

  /** A message's text as a stream told it, piece by piece, up to where its run ended or paused. */
  hearText(id: string, threadId: string, text: string): void {
    const known = this.#texts.get(id);
    if (known !== undefined && known.text !== text) this.contradictions.push(`${id} was told twice, differently`);
    this.#texts.set(id, { threadId, text });
  }

  /** Before the first try: one whose answer gets lost may have been done. */
  messageWillGo(threadId: string, id: string): void {
    this.touchedThreads.add(threadId);
    this.deletedMessages.add(id);
  }

  /** Complaints about messages that clients have heard and that are not stored as they were heard. */
  *missing(threadId: string, stored: Message[]): Iterable<string> {
    for (const [id, told] of this.#texts) {
      if (told.threadId !== threadId || this.deletedMessages.has(id)) continue;
      const found = stored.find((message) => message.id === id);
      if (found === undefined) yield `${id} was heard to the end and is not stored`;
      else if (textOf(found) !== told.text) yield `${id} is not stored as it was heard`;
    }
  }
}

export const textOf = ({ content }: Message) =>
  content.map((part) => (part.type === "text" ? part.text.value : "")).join("");
