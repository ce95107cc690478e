/** Plays one sequence against the running app and against the reference; throws where they disagree. */
import { expect } from "vitest";
import type { Run } from "../../../src/resources/run.ts";
import { model as newModel, until } from "../harness.ts";
import { CallsOfRuns, expectRefused } from "./calls.ts";
import { expectNewRun, expectRun } from "./expected.ts";
import { CallsOfMessages } from "./messages.ts";
import { ENDLESS, scriptOf } from "./plans.ts";
import { RunModel } from "./run-model.ts";
import { RunReader } from "./run-reader.ts";
import type { Action, Sequence } from "./sequences.ts";
import { settle, settleEvents } from "./settlement.ts";
import { knownMessage, ThreadModel } from "./thread-model.ts";
import { patiently, type World } from "./world.ts";

type Of<Name extends Action["do"]> = Extract<Action, { do: Name }>;

export class Player {
  readonly #world: World;
  readonly #thread: ThreadModel;
  readonly #calls: CallsOfRuns;
  readonly #messages: CallsOfMessages;
  /** makes every piece of metadata another */
  #count = 0;

  // biome-ignore lint/style/useConsistentMemberAccessibility: a constructor has no #private form.
  private constructor(world: World, thread: ThreadModel) {
    this.#world = world;
    this.#thread = thread;
    this.#calls = new CallsOfRuns(world, thread);
    this.#messages = new CallsOfMessages(world, thread);
  }

  /** Plays all of it; the streams that it opened are closed at the end, whatever happens. */
  static async play(world: World, { opening, actions }: Sequence): Promise<void> {
    const messages = opening.map((role) => ({ role, content: "Hello" }));
    const { id } = await world.tenant.openai.beta.threads.create({ messages });
    const thread = new ThreadModel(id);
    for (const { role, content } of messages) thread.timeline.push(knownMessage(role, content));
    const player = new Player(world, thread);
    try {
      for (const action of actions) await player.#do(action);
      await player.#finish();
    } finally {
      for (const run of thread.runs) {
        run.watcher?.leave();
        for (const { reader } of run.segments) reader?.leave();
      }
    }
  }

  async #do(action: Action): Promise<void> {
    switch (action.do) {
      case "add message":
        return this.#messages.add(action.role, action.content);
      case "create run":
        return this.#createRun(action);
      case "submit": {
        const run = this.#pick(action.older);
        if (action.patient) await this.#rest();
        return run === undefined ? undefined : this.#calls.submit(run, action);
      }
      case "cancel": {
        const run = this.#pick(action.older);
        return run === undefined ? undefined : this.#calls.cancel(run);
      }
      case "modify run": {
        const run = this.#pick(action.older);
        return run === undefined ? undefined : this.#calls.modify(run, this.#newMetadata());
      }
      case "look at the run": {
        const run = this.#pick(action.older);
        if (run !== undefined) await this.#calls.look(run);
        return;
      }
      case "let it rest":
        return this.#rest();
      case "let it start":
        return this.#start();
      case "modify message":
        return this.#messages.modify(action.pick, this.#newMetadata());
      case "delete message":
        return this.#messages.delete(action.pick);
      case "modify thread":
        return this.#modifyThread();
      case "delete thread":
        return this.#deleteThread();
      case "check everything":
        return this.#check();
      case "race":
        return this.#race(action);
    }
  }

  #pick(older: boolean): RunModel | undefined {
    const { runs } = this.#thread;
    return older ? runs[0] : runs.at(-1);
  }

  #newMetadata(): Record<string, string> {
    this.#count += 1;
    return { number: String(this.#count), "ключ 😀": "\u0000\n" };
  }

  async #createRun(action: Of<"create run">): Promise<void> {
    const { instructed, additional, turns, streamed, leaveAfter, watchInPieces } = action;
    const thread = this.#thread;
    const model = newModel();
    await model.script(scriptOf(turns));
    const path = `/threads/${thread.id}/runs`;
    const assistant = instructed ? this.#world.instructed : this.#world.uninstructed;
    const request = { assistant_id: assistant, model: model.name, additional_messages: additional, stream: streamed };
    const { answer, reader } = await this.#world.callStream(path, request, leaveAfter);
    const created = answer.status === 200 ? await firstVersion(answer.body, reader) : undefined;
    if (created !== undefined) {
      expect(thread.isDeleted).toBe(false);
      thread.lastRun?.seeOver();
      expect(instructed || this.#hasUserMessage(additional)).toBe(true);
      expectNewRun(created);
      this.#addRun(new RunModel(created, turns, { streamed, reader }), additional);
      this.#watch(watchInPieces);
      return;
    }
    if (thread.isDeleted) return expectRefused(answer, 404, `No thread found with id '${thread.id}'.`);
    if (/already has an active run/.test(JSON.stringify(answer.body))) {
      expectRefused(answer, 400, `Thread ${thread.id} already has an active run ${thread.lastRun?.id}.`);
      expect(thread.lastRun?.mayBeActive).toBe(true);
      return;
    }
    const why = "Run creation requires a Thread with a user message or an assistant with instructions.";
    expectRefused(answer, 400, why, "invalid_thread");
    thread.lastRun?.seeOver();
    expect(instructed || this.#hasUserMessage(additional)).toBe(false);
  }

  #hasUserMessage(additional: { role: string }[]): boolean {
    return this.#thread.hasUserMessage || additional.some(({ role }) => role === "user");
  }

  #addRun(run: RunModel, additional: { role: "user" | "assistant"; content: string }[]): void {
    for (const { role, content } of additional) this.#thread.timeline.push(knownMessage(role, content));
    this.#thread.timeline.push(run);
  }

  #watch(inPieces: number | null): void {
    const run = this.#thread.lastRun;
    if (inPieces === null || run === undefined) return;
    const path = `/threads/${this.#thread.id}/runs/${run.id}/stream`;
    run.watcher = RunReader.followLog(this.#world.tenant, path, inPieces);
  }

  /** A run must end, or wait, by itself: all but those whose model never does. */
  async #rest(): Promise<void> {
    const run = this.#thread.lastRun;
    if (run === undefined || this.#thread.isDeleted || run.isStuck) return;
    await this.#lookUntil(run, () => run.isResting);
  }

  async #start(): Promise<void> {
    const run = this.#thread.lastRun;
    if (run === undefined || this.#thread.isDeleted) return;
    await this.#lookUntil(run, () => !run.mayHave.includes("queued"));
    // What a model has said and not gone on with is saved within some seconds, for others to see.
    const stalls = run.plan.end === "stall" && run.mayHave[0] === "in_progress";
    if (stalls) await patiently(() => this.#messages.isBeingWritten(run.id));
  }

  #lookUntil(run: RunModel, isSeen: () => boolean): Promise<void> {
    return patiently(async () => {
      await this.#calls.look(run);
      return isSeen();
    });
  }

  async #modifyThread(): Promise<void> {
    const { id } = this.#thread;
    const metadata = this.#newMetadata();
    const answer = await this.#world.call("POST", `/threads/${id}`, { metadata });
    if (this.#thread.isDeleted) return expectRefused(answer, 404, `No thread found with id '${id}'.`);
    expect(answer).toMatchObject({ status: 200, body: { id, metadata } });
    this.#thread.metadata = metadata;
  }

  async #deleteThread(): Promise<void> {
    const { id } = this.#thread;
    for (const run of this.#thread.runs) run.watcher?.leave();
    const answer = await this.#world.call("DELETE", `/threads/${id}`);
    if (this.#thread.isDeleted) return expectRefused(answer, 404, `No thread found with id '${id}'.`);
    expect(answer).toMatchObject({ status: 200, body: { id, object: "thread.deleted", deleted: true } });
    this.#thread.isDeleted = true;
  }

  async #check(): Promise<void> {
    const { isDeleted, runs } = this.#thread;
    if (!isDeleted && runs.every((run) => run.isResting)) await settle(this.#world.tenant, this.#thread);
  }

  /** Two calls at the same moment: what they come to must be what one after the other would have come to. */
  async #race({ what }: Of<"race">): Promise<void> {
    if (this.#thread.isDeleted) return;
    if (what === "create two runs") return this.#raceCreations();
    const run = this.#thread.lastRun;
    if (run === undefined) return;
    await this.#rest();
    if (what === "cancel twice") await this.#calls.cancelTwice(run);
    else if (run.pausesNow && what === "submit twice") await this.#calls.submitTwice(run);
    else if (run.pausesNow) await this.#calls.submitAndCancel(run);
  }

  async #raceCreations(): Promise<void> {
    const { id, lastRun } = this.#thread;
    if (lastRun?.mayBeActive === true) return;
    const model = newModel();
    await model.script(scriptOf(ENDLESS));
    const body = { assistant_id: this.#world.instructed, model: model.name };
    const answers = await Promise.all([1, 2].map(() => this.#world.call("POST", `/threads/${id}/runs`, body)));
    const [won, ...others] = answers.toSorted((a, b) => a.status - b.status);
    expect(won?.status).toBe(200);
    const created = won?.body as Run;
    for (const lost of others) expectRefused(lost, 400, `Thread ${id} already has an active run ${created.id}.`);
    this.#thread.timeline.push(new RunModel(created, ENDLESS, { streamed: false, reader: undefined }));
  }

  /** Ends what is still under way, and compares everything. */
  async #finish(): Promise<void> {
    if (this.#thread.isDeleted) return this.#finishDeleted();
    const last = this.#thread.lastRun;
    await this.#rest();
    if (last?.mayBeActive === true) await this.#calls.cancel(last);
    await this.#rest();
    await settle(this.#world.tenant, this.#thread);
    for (const [index, run] of this.#thread.runs.entries()) {
      expectRun(await this.#calls.look(run), run);
      await settleEvents(this.#world.tenant, this.#thread, run, 1 + (index % 4));
    }
    await this.#messages.add("user", "Free?");
    expect(this.#thread.messages.at(-1)?.content, "the thread is free").toBe("Free?");
  }

  /** Nothing of a deleted thread is left, also where a run was under way; and streams of it end. */
  async #finishDeleted(): Promise<void> {
    for (const run of this.#thread.runs) {
      await this.#calls.look(run);
      for (const { reader } of run.segments) await reader?.done;
    }
    const { id } = this.#thread;
    await patiently(async () => (await this.#world.documentsOf(id)) === 0);
  }
}

/** A run as it was created: the answer, or the first event of the stream. */
async function firstVersion(body: unknown, reader: RunReader | undefined): Promise<Run> {
  if (reader === undefined) return body as Run;
  const [first] = await until(async () => reader.events.length > 0 && reader.events);
  expect(first?.event).toBe("thread.run.created");
  return first?.data as Run;
}
