/** What the API told its clients: it must stay true. */
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

export class Memory {
  readonly runs = new Map<string, KnownRun>();
  /** what cannot both be true */
  readonly contradictions: string[] = [];
  /** text of messages that were told to be complete */
  readonly #texts = new Map<string, { threadId: string; text: string }>();

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
    const text = textOf(message);
    const known = this.#texts.get(message.id);
    if (known !== undefined && known.text !== text)
      this.contradictions.push(`${message.id} was told twice, differently`);
    this.#texts.set(message.id, { threadId: message.thread_id, text });
  }

  /** Complaints about messages that were told to be complete and are not there as they were told. */
  *missing(threadId: string, stored: Message[]): Iterable<string> {
    for (const [id, told] of this.#texts) {
      if (told.threadId !== threadId) continue;
      const found = stored.find((message) => message.id === id);
      if (found === undefined) yield `${id} was told to be complete and is gone`;
      else if (textOf(found) !== told.text) yield `${id} is not as it was told`;
    }
  }
}

export const textOf = ({ content }: Message) =>
  content.map((part) => (part.type === "text" ? part.text.value : "")).join("");
