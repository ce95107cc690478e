/** The kinds of run whose cost is measured. */
import { createRun } from "../lib/runs.ts";
import type { Subject } from "../lib/subject.ts";
import { BACKGROUND, FUNCTION, type Mode, STREAMED, WITH_TOOL_CALL } from "../throughput/modes.ts";

/** How long a model call is assumed to take, in seconds: an instance is charged while it waits for the model. */
export const MODEL_SECONDS = 2;

/** Seconds of a function that has nothing to wait for. */
const MOMENT = 0.02;

export const LARGE_CONSTANTS = 32_000;

/** An answer that takes its time. Milliseconds. */
export interface Answer {
  tokens: number;
  tokenMs: number;
}

export const secondsOf = ({ tokens, tokenMs }: Answer): number => (tokens * tokenMs) / 1000;

/** The model that gives it. */
export const SLOW_MODEL = "tokens";

export interface Kind {
  name: string;
  mode: Mode;
  model: string;
  repetitions: number;
  /** runs before those that count */
  warmUps: number;
  /** of instructions and tools, in characters; if it is said, the thread's second run is measured */
  constants?: number;
  /** the seconds that each function execution of a run takes, polls excluded */
  executions: number[];
}

/** A background run whose client follows its events. */
const FOLLOWED: Mode = {
  ...BACKGROUND,
  async complete(wire, threadId, assistantId) {
    const run = await createRun(wire, threadId, { assistant_id: assistantId });
    const { text } = await (await wire.stream("GET", `threads/${threadId}/runs/${run.id}/stream`)).ended;
    if (!text.includes("event: thread.run.completed")) throw new Error(`a followed run did not complete: ${text}`);
  },
};

/** By name, in the order of the tables. */
export interface Kinds {
  simple: Kind;
  withTool: Kind;
  streamed: Kind;
  long: Kind;
  followed: Kind;
  bare: Kind;
  constant: Kind;
}

export function kindsOf(quick: boolean, answer: Answer): Kinds {
  const few = quick ? 1 : 5;
  const slow = quick ? 1 : 3;
  const seconds = secondsOf(answer);
  const what = `${answer.tokens} tokens in ${seconds} s`;
  const background = [MOMENT, MODEL_SECONDS];
  const long = { model: SLOW_MODEL, repetitions: slow, warmUps: 0 };
  const instant = { model: "instant", repetitions: few, warmUps: quick ? 1 : 3 };
  const secondRun = { ...instant, mode: BACKGROUND, executions: background };
  return {
    simple: { ...instant, name: "simple background run", mode: BACKGROUND, executions: background },
    withTool: {
      ...instant,
      name: "run with a tool call",
      mode: WITH_TOOL_CALL,
      executions: [...background, ...background],
    },
    // One execution streams; another handles the wake-up that was sent for the end of the lease.
    streamed: { ...long, name: `streamed run, ${what}`, mode: STREAMED, executions: [seconds, MOMENT] },
    long: { ...long, name: `background run, ${what}`, mode: BACKGROUND, executions: [MOMENT, seconds] },
    followed: {
      ...long,
      name: "the same, its events followed",
      mode: FOLLOWED,
      executions: [MOMENT, seconds, seconds],
    },
    bare: { ...secondRun, name: "second run of a thread without instructions and tools", constants: 0 },
    constant: {
      ...secondRun,
      name: `second run of a thread with ${LARGE_CONSTANTS / 1000} KB of them`,
      constants: LARGE_CONSTANTS,
    },
  };
}

export async function assistantOf(subject: Subject, { model, constants }: Kind): Promise<string> {
  if (constants === undefined) return subject.assistant(model, [FUNCTION]);
  const text = "x".repeat(constants / 2);
  const tool = {
    type: "function" as const,
    function: { name: FUNCTION, parameters: { type: "object", description: text } },
  };
  const own = constants === 0 ? {} : { instructions: text, tools: [tool] };
  return (await subject.sdk.beta.assistants.create({ model, ...own })).id;
}
