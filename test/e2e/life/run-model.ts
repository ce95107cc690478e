/**
 * A run as the contract has it (section 3): which statuses it may have now, whatever has happened at the app meanwhile.
 * Time passes between two looks, so the reference knows a row of statuses that the run passes through by itself; each
 * thing seen of it leaves a shorter row.
 */
import type { Run, RunStatus } from "../../../src/resources/run.ts";
import { isTerminal } from "../../../src/resources/run.ts";
import { isStuck, type Outcome, outcomeOf, type TurnPlan } from "./plans.ts";
import type { RunReader } from "./run-reader.ts";
import type { KnownMessage } from "./thread-model.ts";

/** From its creation or from tool outputs to the next rest: what one stream tells. */
export interface Segment {
  streamed: boolean;
  reader: RunReader | undefined;
}

export class RunModel {
  readonly created: Run;
  readonly turns: TurnPlan[];
  readonly segments: Segment[] = [];
  /** who follows its log */
  watcher: RunReader | undefined;
  metadata: Record<string, string> = {};
  /** what it has written, as far as that has been seen */
  readonly replies: KnownMessage[] = [];
  /** the call ids of the current pause, once they have been seen */
  waitsFor: string[] | undefined;
  /** what each finished pause got, by call id, and in which order it was asked for */
  readonly outputs: Map<string, string>[] = [];
  isCancelled = false;
  /** The cancel came while the run waited for outputs: its turn had come to its end. */
  cancelledInPause = false;
  /** the turn that is under way or has come to rest */
  turn = 0;
  /** in the order in which it passes through them */
  #ahead: RunStatus[];

  constructor(created: Run, turns: TurnPlan[], segment: Segment) {
    this.created = created;
    this.turns = turns;
    this.segments.push(segment);
    this.#ahead = this.#wayThrough(segment.streamed ? ["in_progress"] : ["queued", "in_progress"]);
  }

  get id(): string {
    return this.created.id;
  }

  get plan(): TurnPlan {
    const plan = this.turns[this.turn];
    if (plan === undefined) throw new Error("the run has no such turn");
    return plan;
  }

  get streamed(): boolean {
    return this.segments.at(-1)?.streamed === true;
  }

  /** What the turn comes to if no client interferes; undefined if it goes on until one does. */
  get outcome(): Outcome | undefined {
    return isStuck(this.plan) ? undefined : outcomeOf(this.plan, this.streamed, this.created.model);
  }

  get mayHave(): readonly RunStatus[] {
    return this.#ahead;
  }

  get isOver(): boolean {
    return this.#ahead.every(isTerminal);
  }

  get mayBeOver(): boolean {
    return this.#ahead.some(isTerminal);
  }

  get mayBeActive(): boolean {
    return !this.#ahead.every(isTerminal);
  }

  /** It will have no other status before a client does something. */
  get isResting(): boolean {
    return this.#ahead.length === 1 && (this.isOver || this.pausesNow);
  }

  /** Only a cancel ends it. */
  get isStuck(): boolean {
    return !this.isCancelled && isStuck(this.plan);
  }

  get pausesNow(): boolean {
    return this.#ahead[0] === "requires_action";
  }

  /** The run has been seen with this status: it has none of the earlier ones any more. */
  see(status: RunStatus): void {
    const place = this.#ahead.indexOf(status);
    if (place < 0) throw new Error(`run ${this.id} is ${status}, but should be ${this.#ahead.join(" or ")}`);
    this.#ahead = this.#ahead.slice(place);
  }

  /** Another run could take the thread: so this one has ended. */
  seeOver(): void {
    const over = this.#ahead.find(isTerminal);
    if (over === undefined) throw new Error(`the thread is free, but its run ${this.id} should be ${this.#ahead}`);
    this.see(over);
  }

  /** A reply that has been seen; ids sort by time. */
  learnReply(id: string): KnownMessage {
    const known = this.replies.find((reply) => reply.id === id);
    if (known !== undefined) return known;
    const reply: KnownMessage = { id, role: "assistant", content: "", metadata: {}, deleted: undefined };
    this.replies.push(reply);
    this.replies.sort((a, b) => ((a.id ?? "") < (b.id ?? "") ? -1 : 1));
    return reply;
  }

  cancel(): void {
    if (!this.mayBeActive) throw new Error(`run ${this.id} was cancelled, but had ended: ${this.#ahead}`);
    this.cancelledInPause = this.pausesNow;
    this.isCancelled = true;
    this.#ahead = ["cancelling", "cancelled"];
  }

  resume(outputs: Map<string, string>, segment: Segment): void {
    this.see("requires_action");
    this.waitsFor = undefined;
    this.outputs.push(outputs);
    this.segments.push(segment);
    this.turn += 1;
    this.#ahead = this.#wayThrough(segment.streamed ? ["in_progress"] : ["queued", "in_progress"]);
  }

  #wayThrough(first: RunStatus[]): RunStatus[] {
    const { outcome } = this;
    return outcome === undefined ? first : [...first, outcome.status];
  }
}
