/**
 * The port of the tools that the server works for the model inside a run (docs/architecture.md, "Hosted tools"): a tool
 * is offered to the model as a function, and its calls are done between two model calls.
 */
import type { FunctionDefinition } from "openai/resources/shared";
import type { Details } from "../../log.ts";
import type { ModelTrouble } from "../../model/trouble.ts";
import type { Tool } from "../../resources/common.ts";
import type { RunError } from "../../resources/run.ts";
import type { HostedToolCall } from "../../resources/step.ts";
import type { HostedRecord, RunDoc, ThreadDoc } from "../../store/documents.ts";
import type { Marker } from "../citations.ts";
import type { CodeStream } from "../code-stream.ts";

/** What a tool knows when it works: its run, and the thread as this driver has read it and changed it since. */
export interface HostedUse {
  run: RunDoc;
  thread: ThreadDoc;
  /** how many tokens of the model's context the results may take */
  room: number;
}

/** A call as the model wrote it; `arguments` is JSON text, if the model kept to that. */
export interface AskedCall {
  id: string;
  name: string;
  arguments: string;
}

/** What came of a call. */
export interface DoneCall {
  /** as its step shows it */
  call: HostedToolCall;
  /** what the model reads of it later, beside what it wrote */
  record: Pick<HostedRecord, "n" | "output">;
}

/** A call that is done, as it is stored. */
export interface PastCall {
  call: HostedToolCall;
  record: HostedRecord;
}

export interface HostedResults {
  /** in the order of the calls */
  done: DoneCall[];
  /** what the batch that stores the results sets in `internal` of the thread's document */
  thread: ThreadChanges;
  /** files of images that the next message of the run begins with */
  images?: string[];
}

export type ThreadChanges = Partial<ThreadDoc["internal"]>;

/**
 * Whether a run may ask the model now.
 * - `wait`: something that it is to use is not there yet; looked at again soon
 * - `error`: the run cannot go on
 */
export type Readiness = "ready" | "wait" | { error: RunError };

export interface HostedTool {
  readonly type: Exclude<Tool["type"], "function">;
  /** what its function is called; the second where the client has a function of the first name */
  readonly names: readonly [string, string];
  /** whether later runs read its calls again */
  readonly isReplayed: boolean;
  /**
   * Whether it makes a difference to do a call twice: then calls are stored before they are done, and a driver that
   * takes their run over does them instead of asking the model again.
   */
  readonly hasEffects: boolean;
  /** The same tool with a memory of its own, for a tool that remembers something for one drive. */
  forDrive?(): HostedTool;
  /** The function as the model is offered it; asked when the tool is ready. */
  offered(run: RunDoc): Omit<FunctionDefinition, "name">;
  /** Follows the arguments of a call, for a tool whose code clients see while the model writes it. */
  reader?(): CodeStream;
  /** A call before it is done: clients hear of it once its name is known. `input`: its code so far. Pure. */
  opened(run: RunDoc, id: string, input: string): HostedToolCall;
  /** What the model wrote, for its next prompts; what is stored of it, unless the tool says otherwise. Pure. */
  written?(call: HostedToolCall): string;
  /** What the model reads of a call that is done. Pure. */
  output(call: HostedToolCall, record: HostedRecord): string;
  /** What texts may cite of these calls, which are all of the run's. Pure. */
  markers(calls: PastCall[], thread: ThreadDoc | undefined): Marker[];
  /** Asked before the first model call of each drive. Throws `StoreTrouble`. */
  readiness(use: HostedUse, now: number): Promise<Readiness>;
  /** What the batch that stores calls before they are done sets in the thread. Only of a tool that has effects. */
  before?(use: HostedUse): ThreadChanges;
  /** What the thread is to know, though the calls were not done to their end. */
  after?(): ThreadChanges;
  /** A message links these, which `markers` led to: they become files of the tenant's. Throws `StoreTrouble`. */
  keep?(fileIds: string[], use: HostedUse): Promise<void>;
  /**
   * Does all its calls of one model call. Rejects with `ToolTrouble` or `StoreTrouble` for what may pass, and with
   * anything once `signal` is aborted. May be done again for the same calls, by another process as well.
   */
  run(use: HostedUse, calls: AskedCall[], signal: AbortSignal): Promise<HostedResults>;
}

/** What went wrong with a tool, in terms of what to do about it. */
export interface Trouble extends ModelTrouble {
  /** Nothing is wrong but that its work has no place now: the run waits for one, for as long as it may last. */
  isFull?: boolean;
}

/** A tool could not do its work. */
export class ToolTrouble extends Error {
  readonly trouble: Trouble;
  /** for the log: without a word of a user's or a key */
  readonly details: Details;

  constructor(trouble: Trouble, details: Details = {}, cause?: unknown) {
    super(trouble.error.message, { cause });
    this.name = "ToolTrouble";
    this.trouble = trouble;
    this.details = details;
  }
}
