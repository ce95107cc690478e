/** A thread as the contract has it: what is in it, in order, and what holds it. */
import type { Message } from "../../../src/resources/message.ts";
import { RunModel } from "./run-model.ts";
import type { Role } from "./sequences.ts";

/** A message as the reference knows it. */
export interface KnownMessage {
  /** undefined until it has been seen in a list */
  id: string | undefined;
  role: Role;
  content: string;
  metadata: Record<string, string>;
  /** what it was when a client deleted it */
  deleted: Message | undefined;
}

export function knownMessage(role: Role, content: string, id?: string): KnownMessage {
  return { id, role, content, metadata: {}, deleted: undefined };
}

export class ThreadModel {
  readonly id: string;
  metadata: Record<string, string> = {};
  isDeleted = false;
  /** messages that clients added, and runs, which stand for their replies */
  readonly timeline: (KnownMessage | RunModel)[] = [];

  constructor(id: string) {
    this.id = id;
  }

  get runs(): RunModel[] {
    return this.timeline.filter((entry) => entry instanceof RunModel);
  }

  get messages(): KnownMessage[] {
    return this.timeline.flatMap((entry) => (entry instanceof RunModel ? entry.replies : [entry]));
  }

  get lastRun(): RunModel | undefined {
    return this.runs.at(-1);
  }

  get hasUserMessage(): boolean {
    return this.messages.some(({ role, deleted }) => role === "user" && deleted === undefined);
  }
}
