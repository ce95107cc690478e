/** The calls that change a run or show it, each with what it must answer as things stand. */
import { expect } from "vitest";
import { isTerminal, type Run, type RunStatus } from "../../../src/resources/run.ts";
import type { Answer } from "../harness.ts";
import { expectRun } from "./expected.ts";
import type { RunModel } from "./run-model.ts";
import type { Outputs, Reading } from "./sequences.ts";
import type { ThreadModel } from "./thread-model.ts";
import type { World } from "./world.ts";

interface ToolOutput {
  tool_call_id: string;
  output: string;
}

export function expectRefused(answer: Answer, status: number, message: unknown, code: string | null = null): void {
  const error = { message, type: "invalid_request_error", param: null, code };
  expect({ status: answer.status, body: answer.body }).toEqual({ status, body: { error } });
}

export class CallsOfRuns {
  readonly #world: World;
  readonly #thread: ThreadModel;

  constructor(world: World, thread: ThreadModel) {
    this.#world = world;
    this.#thread = thread;
  }

  async look(run: RunModel): Promise<Run> {
    const answer = await this.#world.call("GET", this.#path(run));
    if (this.#isGone(answer)) return run.created;
    expect(answer.status).toBe(200);
    return this.#see(run, answer);
  }

  async modify(run: RunModel, metadata: Record<string, string>): Promise<void> {
    const answer = await this.#world.call("POST", this.#path(run), { metadata });
    if (this.#isGone(answer)) return;
    if (answer.status === 200) {
      run.seeOver();
      run.metadata = metadata;
      this.#see(run, answer);
    } else {
      const status = statusIn(answer, /^Cannot update run with status '(\w+)'\.$/);
      run.see(status);
      expect(isTerminal(status)).toBe(false);
    }
  }

  async cancel(run: RunModel): Promise<void> {
    const answer = await this.#world.call("POST", `${this.#path(run)}/cancel`);
    if (!this.#isGone(answer)) this.#cancelled(run, answer);
  }

  #cancelled(run: RunModel, answer: Answer): void {
    if (answer.status !== 200) {
      const status = statusIn(answer, /^Cannot cancel run with status '(\w+)'\.$/);
      run.see(status);
      expect(isTerminal(status) || status === "cancelling").toBe(true);
      return;
    }
    run.cancel();
    expect((answer.body as Run).status).toBe("cancelling");
    this.#see(run, answer);
  }

  async submit(run: RunModel, { outputs: kind, streamed, leaveAfter }: { outputs: Outputs } & Reading): Promise<void> {
    const outputs = outputsFor(run, kind);
    const path = `${this.#path(run)}/submit_tool_outputs`;
    const { answer, reader } = await this.#world.callStream(
      path,
      { tool_outputs: outputs, stream: streamed },
      leaveAfter,
    );
    if (this.#isGone(answer)) return;
    if (answer.status !== 200) return expectOutputsRefused(run, outputs, answer);
    expect(areRight(run, outputs), "outputs were taken that the run does not wait for").toBe(true);
    run.resume(new Map(outputs.map((each) => [each.tool_call_id, each.output])), { streamed, reader });
    if (!streamed) this.#resumed(run, answer);
  }

  #resumed(run: RunModel, answer: Answer): void {
    expect((answer.body as Run).status).toBe("queued");
    this.#see(run, answer);
  }

  /** Of two cancels at the same moment one is taken, unless the run has ended. */
  async cancelTwice(run: RunModel): Promise<void> {
    const path = `${this.#path(run)}/cancel`;
    const wasActive = run.isOver || run.mayHave[0] === "cancelling" ? false : run.mayBeOver ? undefined : true;
    const answers = await Promise.all([1, 2].map(() => this.#world.call("POST", path)));
    const taken = answers.filter((answer) => answer.status === 200);
    expect(taken.length).toBeLessThanOrEqual(1);
    if (wasActive !== undefined) expect(taken).toHaveLength(wasActive ? 1 : 0);
    for (const answer of [...taken, ...answers.filter((each) => each.status !== 200)]) {
      // The one that is refused may have been answered before the other.
      if (answer.status === 200) this.#cancelled(run, answer);
      else if (taken.length > 0)
        expect(statusIn(answer, /^Cannot cancel run with status '(\w+)'\.$/)).toMatch(/^cancel/);
      else this.#cancelled(run, answer);
    }
  }

  async submitTwice(run: RunModel): Promise<void> {
    const outputs = outputsFor(run, "right");
    const path = `${this.#path(run)}/submit_tool_outputs`;
    const answers = await Promise.all([1, 2].map(() => this.#world.call("POST", path, { tool_outputs: outputs })));
    const [taken, refused] = answers.toSorted((a, b) => a.status - b.status);
    expect(answers.map((answer) => answer.status).toSorted()).toEqual([200, 400]);
    run.resume(new Map(outputs.map((each) => [each.tool_call_id, each.output])), {
      streamed: false,
      reader: undefined,
    });
    if (taken !== undefined) this.#resumed(run, taken);
    if (refused !== undefined) expectOutputsRefused(run, outputs, refused);
  }

  /** The cancel is always taken; the outputs only if they came first. */
  async submitAndCancel(run: RunModel): Promise<void> {
    const outputs = outputsFor(run, "right");
    const path = this.#path(run);
    const [submitted, cancelled] = await Promise.all([
      this.#world.call("POST", `${path}/submit_tool_outputs`, { tool_outputs: outputs }),
      this.#world.call("POST", `${path}/cancel`),
    ]);
    if (submitted.status === 200) {
      run.resume(new Map(outputs.map((each) => [each.tool_call_id, each.output])), {
        streamed: false,
        reader: undefined,
      });
    } else expect(statusIn(submitted, TAKES_NO_OUTPUTS)).toMatch(/^cancel/);
    // The run may have ended between the two, if its outputs came first.
    this.#cancelled(run, cancelled);
    if (submitted.status !== 200) expect(run.isCancelled).toBe(true);
  }

  /** What is answered or seen of a run must be what its status wants. */
  #see(run: RunModel, answer: Answer): Run {
    const seen = answer.body as Run;
    run.see(seen.status);
    if (seen.status === "requires_action") {
      run.waitsFor = seen.required_action?.submit_tool_outputs.tool_calls.map((call) => call.id);
    }
    expectRun(seen, run);
    return seen;
  }

  #isGone(answer: Answer): boolean {
    const { id, isDeleted } = this.#thread;
    if (isDeleted) expectRefused(answer, 404, `No thread found with id '${id}'.`);
    return isDeleted;
  }

  #path(run: RunModel): string {
    return `/threads/${this.#thread.id}/runs/${run.id}`;
  }
}

const TAKES_NO_OUTPUTS = /^Runs in status "(\w+)" do not accept tool outputs\.$/;

/** The status that an error names; throws if it is another error. */
function statusIn(answer: Answer, pattern: RegExp): RunStatus {
  expectRefused(answer, 400, expect.stringMatching(pattern));
  const { error } = answer.body as { error: { message: string } };
  return pattern.exec(error.message)?.[1] as RunStatus;
}

function expectOutputsRefused(run: RunModel, outputs: ToolOutput[], answer: Answer): void {
  const { error } = answer.body as { error: { message: string } };
  const status = TAKES_NO_OUTPUTS.exec(error.message)?.[1] as RunStatus | undefined;
  if (status !== undefined) {
    expectRefused(answer, 400, error.message);
    run.see(status);
    expect(status).not.toBe("requires_action");
    return;
  }
  run.see("requires_action");
  const wanted = run.waitsFor === undefined ? undefined : listed(run.waitsFor);
  const got = listed(outputs.map((each) => each.tool_call_id));
  const text = /^Expected tool outputs for call_ids (\[.*\]), got (\[.*\])$/.exec(error.message);
  expectRefused(answer, 400, `Expected tool outputs for call_ids ${wanted ?? text?.[1]}, got ${got}`);
  expect(areRight(run, outputs), "the outputs that the run waits for were refused").toBe(false);
}

const listed = (ids: string[]) => `[${ids.map((id) => `'${id}'`).join(", ")}]`;

/** Whether a run that waits takes these: unknown calls cannot be hit by chance. */
function areRight({ waitsFor }: RunModel, outputs: ToolOutput[]): boolean {
  const got = outputs.map((each) => each.tool_call_id);
  return waitsFor !== undefined && got.toSorted().join() === waitsFor.toSorted().join();
}

const STRAY: ToolOutput = { tool_call_id: "call_stray", output: "?" };

/** Outputs as the kind says; as long as the calls are not known, only wrong ones can be made. */
function outputsFor(run: RunModel, kind: Outputs): ToolOutput[] {
  const old = [...(run.outputs.at(-1) ?? [])].map(([id, output]) => ({ tool_call_id: id, output }));
  const right = (run.waitsFor ?? []).map((id, index) => ({
    tool_call_id: id,
    output: index === 0 ? "" : `7° 😀${index}`,
  }));
  const [first = STRAY] = right;
  switch (kind) {
    case "right":
      // In another order than asked for: each output names its call.
      return right.length === 0 ? [STRAY] : right.toReversed();
    case "few":
      return right.length < 2 ? [] : right.slice(1);
    case "many":
      return [...right, STRAY];
    case "wrong":
      return [...right.slice(1), STRAY];
    case "doubled":
      return [...right, first];
    case "none":
      return [];
    case "old":
      return old;
  }
}
