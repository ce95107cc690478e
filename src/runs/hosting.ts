/**
 * The hosted tools of one drive: whether they are ready, and their calls done between two model calls
 * (docs/architecture.md, "Hosted tools"). A run without them reads and writes nothing here.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type RunError, SERVER_ERROR } from "../resources/run.ts";
import type { DeletedThreadDoc, StepDoc, ThreadDoc } from "../store/documents.ts";
import { type Patience, retryTrouble, StoreTrouble } from "../store/trouble.ts";
import type { Marker } from "./citations.ts";
import { MAX_HOSTED_TURNS } from "./context.ts";
import type { Engine } from "./engine.ts";
import { storeCalls } from "./go-on.ts";
import type { Outcome } from "./outcome.ts";
import type { OwnedRun } from "./owned-run.ts";
import { beforeRetry } from "./retry.ts";
import { logOf, whileAlive } from "./settle.ts";
import {
  type AskedCall,
  type HostedTool,
  type HostedUse,
  type Readiness,
  type ThreadChanges,
  ToolTrouble,
  type Trouble,
} from "./tools/hosted-tool.ts";
import { Toolset } from "./tools/toolset.ts";
import { type HostedWork, NO_WORK, together, workOf } from "./tools/work.ts";
import type { Turn } from "./turn.ts";

/** How long a run waits before it looks again whether what it is to use is ready. Milliseconds. */
const SHORTEST_WAIT = 1_000;
const LONGEST_WAIT = 2_000;

/** The same for a place for its calls: longer the longer it has waited. Milliseconds. */
const WAIT_BY_AGE = 0.25;
const LONGEST_WAIT_FOR_PLACE = 10_000;

type Waiting = Extract<Outcome, { kind: "wait" }>;

export class Hosting {
  readonly #engine: Engine;
  readonly #owned: OwnedRun;
  readonly toolset: Toolset;
  #thread: ThreadDoc | undefined;
  /** what tools have done that no batch has told the thread yet */
  #untold: ThreadChanges = {};

  /** `hosted`: the tools that this deployment has. */
  constructor(engine: Engine, owned: OwnedRun, hosted: readonly HostedTool[]) {
    this.#engine = engine;
    this.#owned = owned;
    this.toolset = new Toolset(owned.run, hosted);
  }

  /** Why the model is not to be asked now, if so. Asks the tools once a drive; a client that listens waits here. */
  async unready(signal: AbortSignal): Promise<Outcome | undefined> {
    if (this.toolset.isEmpty || this.#thread !== undefined) return undefined;
    for (;;) {
      const outcome = await this.#look();
      if (outcome?.kind !== "wait") return outcome;
      const stopped = await this.#wait(outcome, signal);
      if (stopped !== undefined) return stopped;
    }
  }

  /** Waits where a client listens; else the run's next driver is to look again. Undefined when the time is over. */
  async #wait(outcome: Waiting, signal: AbortSignal): Promise<Outcome | undefined> {
    if (!this.#engine.retriesInPlace) return outcome;
    await sleep(outcome.delay, undefined, { signal }).catch(() => undefined);
    return signal.aborted ? { kind: "lost" } : undefined;
  }

  async #look(): Promise<Outcome | undefined> {
    const { partition, run } = this.#owned;
    const now = this.#engine.now();
    try {
      const thread = await partition.read<ThreadDoc | DeletedThreadDoc>(run.thread_id);
      if (thread?.kind !== "thread") return { kind: "lost" };
      const use = this.#use(thread);
      const found = await Promise.all(this.toolset.tools.map((tool) => tool.readiness(use, now)));
      const outcome = outcomeOf(found, now - (run.started_at ?? 0) * 1000);
      if (outcome === undefined) this.#thread = thread;
      return outcome;
    } catch (error) {
      if (!(error instanceof StoreTrouble)) throw error;
      logOf(this.#engine, run).warn("what the run's tools need could not be read", { error });
      return { kind: "store-trouble" };
    }
  }

  #use = (thread: ThreadDoc): HostedUse => {
    const { run } = this.#owned;
    const room = this.#engine.config.model.contextTokens - run.internal.tool_tokens;
    return { run, thread, room: Math.max(0, room) };
  };

  /** What texts may cite of the calls in these steps, which are the run's. */
  markers = (steps: StepDoc[]): Marker[] => this.toolset.markers(steps, this.#thread);

  /** What the thread is to know, though the calls of the turn were not done to their end or their batch was refused. */
  get after(): ThreadChanges {
    return Object.assign({ ...this.#untold }, ...this.toolset.tools.map((tool) => tool.after?.() ?? {}));
  }

  /** A batch has told the thread what the tools have done. */
  told(): void {
    this.#untold = {};
  }

  /**
   * Makes files of what the message links, before the batch that ends the message, so that its readers can download
   * them. Gives up once `signal` is aborted. Throws `StoreTrouble`.
   */
  async keep(turn: Turn, signal?: AbortSignal): Promise<void> {
    const { linked } = turn;
    const thread = this.#thread;
    if (linked.length === 0 || thread === undefined) return;
    const alive = whileAlive(this.#engine, this.#owned.run);
    const patience: Patience = (...tried) => (signal?.aborted ? undefined : alive(...tried));
    try {
      for (const tool of this.toolset.tools) {
        await retryTrouble(async () => tool.keep?.(linked, this.#use(thread)), undefined, patience);
      }
    } catch (error) {
      if (!signal?.aborted) throw error;
    }
  }

  /**
   * Has the calls of hosted tools done that the model has made, if any. Any outcome will do once `signal` is aborted.
   * What goes wrong is tried again here, where a client listens; else with the model call, by the run's next driver.
   */
  async work(turn: Turn, signal: AbortSignal): Promise<Outcome> {
    const { hosted_turns: turns = 0 } = this.#owned.run.internal;
    const calls = [...turn.hostedCalls];
    if (calls.length === 0) return { kind: "calls", work: NO_WORK };
    if (turns >= MAX_HOSTED_TURNS) return { kind: "ending", ending: { status: "failed", error: TOO_MANY_TURNS } };
    if (calls.some(([tool]) => tool.hasEffects)) {
      const stopped = signal.aborted ? undefined : await this.#store(turn, signal);
      if (stopped !== undefined) return stopped;
    }
    const works: HostedWork[] = [];
    for (const [tool, asked] of calls) {
      const done = await this.#patiently(() => this.#workOf(tool, asked, turn, signal), turn, signal);
      if ("kind" in done) return done;
      works.push(done);
    }
    const isPassing = calls.every(([tool]) => !tool.isReplayed) && turn.toolCalls?.calls.length === 0;
    const work = together(works);
    const written = isPassing ? turn.usage.completion_tokens : 0;
    return {
      kind: turn.toolCalls?.calls.length === 0 ? "hosted" : "calls",
      work: { ...work, passing: work.passing + written },
    };
  }

  /** Calls that must not be done twice without need are stored before they are done. */
  async #store(turn: Turn, signal: AbortSignal): Promise<Outcome | undefined> {
    const thread = this.#read();
    const changes = Object.assign({}, ...this.toolset.tools.map((tool) => tool.before?.(this.#use(thread)) ?? {}));
    this.#thread = { ...thread, internal: { ...thread.internal, ...changes } };
    try {
      await this.keep(turn, signal);
      return await storeCalls(this.#engine, this.#owned, turn, changes);
    } catch (error) {
      if (!(error instanceof StoreTrouble)) throw error;
      logOf(this.#engine, this.#owned.run).warn("the model's calls could not be stored", { error });
      return { kind: "store-trouble" };
    }
  }

  #read(): ThreadDoc {
    if (this.#thread === undefined) throw new Error("a hosted tool is called before its run's thread was read");
    return this.#thread;
  }

  async #patiently(
    work: () => Promise<HostedWork | Trouble>,
    turn: Turn,
    signal: AbortSignal,
  ): Promise<HostedWork | Outcome> {
    for (;;) {
      const done = signal.aborted ? undefined : await work();
      if (done === undefined || signal.aborted) return { kind: "lost" };
      if (!("error" in done)) return done;
      const outcome = done.isFull
        ? await this.#wait(this.#forPlace(turn, done), signal)
        : await beforeRetry(this.#engine, this.#owned, done, signal);
      if (outcome !== undefined) return outcome;
    }
  }

  /** That all places are taken is no failed attempt: the run waits until it expires. */
  #forPlace(turn: Turn, { retryAfter }: Trouble): Waiting {
    const now = this.#engine.now();
    const began = (turn.toolCalls?.step.created_at ?? 0) * 1_000;
    const usual = Math.min((now - began) * WAIT_BY_AGE, LONGEST_WAIT_FOR_PLACE);
    const delay = Math.max(retryAfter ?? usual, SHORTEST_WAIT);
    const { expires_at: end } = this.#owned.run;
    return { kind: "wait", delay: end === null ? delay : Math.max(0, Math.min(delay, end * 1_000 - now)) };
  }

  async #workOf(tool: HostedTool, asked: AskedCall[], turn: Turn, signal: AbortSignal): Promise<HostedWork | Trouble> {
    const thread = this.#read();
    try {
      const results = await tool.run(this.#use(thread), asked, signal);
      turn.finish(results.done);
      this.#thread = { ...thread, internal: { ...thread.internal, ...results.thread } };
      this.#untold = { ...this.#untold, ...results.thread };
      return await workOf(tool, results);
    } catch (error) {
      const trouble = troubleOf(error) ?? (signal.aborted ? INTERRUPTED : undefined);
      if (trouble === undefined) throw error;
      const details = error instanceof ToolTrouble ? error.details : {};
      const log = logOf(this.#engine, this.#owned.run);
      if (!signal.aborted) log.warn("a hosted tool failed", { tool: tool.type, ...details, error });
      return trouble;
    }
  }
}

function outcomeOf(found: Readiness[], waited: number): Outcome | undefined {
  for (const each of found) {
    if (typeof each === "object") return { kind: "ending", ending: { status: "failed", error: each.error } };
  }
  if (!found.includes("wait")) return undefined;
  return { kind: "wait", delay: waited < 10 * SHORTEST_WAIT ? SHORTEST_WAIT : LONGEST_WAIT };
}

const TOO_MANY_TURNS: RunError = {
  code: "server_error",
  message: `The model called tools in more than ${MAX_HOSTED_TURNS} turns of this run.`,
};

/** What is not told, since the drive is stopped. */
const INTERRUPTED: Trouble = { error: SERVER_ERROR, retryable: true, retryAfter: undefined };

function troubleOf(error: unknown): Trouble | undefined {
  if (error instanceof ToolTrouble) return error.trouble;
  if (!(error instanceof StoreTrouble)) return undefined;
  return { error: SERVER_ERROR, retryable: true, retryAfter: undefined };
}
