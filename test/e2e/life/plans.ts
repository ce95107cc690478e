/** What the model will do in a run, turn by turn, and what a turn must come to by docs/contract.md 3 and 6. */
import fc from "fast-check";
import type { Turn } from "../../../local/model/turn.ts";
import { NO_USAGE, type Usage } from "../../../src/resources/common.ts";
import type { MessageIncompleteReason } from "../../../src/resources/message.ts";
import type { RunError, RunStatus } from "../../../src/resources/run.ts";

export interface PlannedCall {
  name: string;
  pieces: string[];
}

/**
 * How the model ends a turn. `cut`: the connection breaks after so many pieces, and a repetition would work. `stall`:
 * it says its first piece and then nothing more; `hang`: nothing at all. The last two go on until the run is cancelled.
 */
export type TurnEnd = "stop" | "length" | "content_filter" | "refused" | "unknown_model" | "cut" | "stall" | "hang";

export interface TurnPlan {
  end: TurnEnd;
  text: string[];
  calls: PlannedCall[];
  /** absent if the model sends none */
  usage: Usage | null;
  /** how often the model is too busy first */
  busy: number;
  /** milliseconds from piece to piece */
  pace: number;
  /** pieces before the connection breaks */
  cutAfter: number;
}

/** Longer than any test takes. Milliseconds. */
const NEVER = 3_600_000;

/** The script of a model that does as planned. */
export function scriptOf(turns: TurnPlan[]): Turn[] {
  return turns.flatMap((turn) => [
    ...Array.from({ length: turn.busy }, (): Turn => ({ status: 429, retryAfter: 0 })),
    ...scriptOfTurn(turn),
  ]);
}

function scriptOfTurn(turn: TurnPlan): Turn[] {
  const { text, calls, usage, pace: tokenMs } = turn;
  const toolCalls = calls.map(({ name, pieces }) => ({ name, pieces }));
  const said: Turn = { usage, tokenMs, ...(hasText(turn) || calls.length === 0 ? { text } : {}), toolCalls };
  switch (turn.end) {
    case "stop":
      return [said];
    case "length":
    case "content_filter":
      return [{ ...said, finishReason: turn.end }];
    case "refused":
      return [{ status: 400 }];
    case "unknown_model":
      return [{ status: 404 }];
    case "cut":
      return [{ ...said, cutAfter: turn.cutAfter }, said];
    case "stall":
      return [{ ...said, tokenMs: NEVER }];
    case "hang":
      return [{ hang: true }];
  }
}

export const hasText = (turn: TurnPlan) => turn.text.join("") !== "";

/** A turn that says nothing at all still makes an empty message. */
export const makesMessage = (turn: TurnPlan) => !isFailedCall(turn) && (hasText(turn) || turn.calls.length === 0);

/** The model's answer was an error: there is nothing to make a step of. */
const isFailedCall = (turn: TurnPlan) => turn.end === "refused" || turn.end === "unknown_model";

export const isStuck = (turn: TurnPlan) => turn.end === "stall" || turn.end === "hang";

/** What a turn comes to if no client interferes. */
export interface Outcome {
  status: RunStatus;
  error: RunError | null;
  /** of the message, if it is not completed */
  incomplete: MessageIncompleteReason | null;
  /** absent if the model sent none: then the app counts it */
  usage: Usage | undefined;
}

const FILTERED: RunError = {
  code: "content_filter",
  message: "The response was filtered by the model's content management policy.",
};

/** A streamed run that breaks off in the midst fails: what was said cannot be taken back. */
export const breaksOff = (turn: TurnPlan, streamed: boolean) => streamed && turn.end === "cut" && turn.cutAfter > 0;

/** `model` is its name; the turn must not be one that is stuck. */
export function outcomeOf(turn: TurnPlan, streamed: boolean, model: string): Outcome {
  const usage = turn.usage ?? undefined;
  const failed = (code: string, message: string, incomplete: Outcome["incomplete"] = null): Outcome => {
    return { status: "failed", error: { code, message }, incomplete, usage: NO_USAGE };
  };
  // Text before function calls is complete as soon as the first call comes.
  const unfinished = turn.calls.length === 0;
  switch (turn.end) {
    case "length":
      return { status: "incomplete", error: null, incomplete: unfinished ? "max_tokens" : null, usage };
    case "content_filter":
      return { status: "failed", error: FILTERED, incomplete: unfinished ? "content_filter" : null, usage };
    case "refused":
      return failed("invalid_prompt", "Invalid request (simulated).");
    case "unknown_model":
      return failed("invalid_engine_error", `Failed to resolve model info for: ${model}`);
    default:
      if (breaksOff(turn, streamed)) return failed("server_error", "Sorry, something went wrong.", "run_failed");
      return { status: turn.calls.length > 0 ? "requires_action" : "completed", error: null, incomplete: null, usage };
  }
}

// ---------------------------------------------------------------- generators

const word = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom("Yes", " no", " perhaps", "\n", " 42", "{}", ": ok", "data: [DONE]\n\n") },
  { weight: 2, arbitrary: fc.constantFrom("é", " 日本", "😀", "\u2028", "\u0000", '"', "\\") },
  { weight: 1, arbitrary: fc.constant("x".repeat(2_000)) },
);
const text = fc.array(word, { maxLength: 6 });
const saidText = fc.array(word, { minLength: 1, maxLength: 6 });

const call: fc.Arbitrary<PlannedCall> = fc.record({
  name: fc.constantFrom("weather", "time", "look-up_2"),
  pieces: fc.constantFrom(["{}"], ['{"city"', ':"Ulm"}'], ["{", '"a":[1,2', ",3]", "}"], ["not ", "json"]),
});

const usage = fc.option(
  fc.tuple(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1, max: 90 })).map(([prompt, completion]) => ({
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
  })),
  { freq: 8 },
);

const common = {
  usage,
  busy: fc.oneof({ weight: 12, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(1, 2) }),
  pace: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.constantFrom(3, 40, 300) }),
  cutAfter: fc.constant(0),
};

const turnWith = (fields: { [Name in "end" | "text" | "calls"]: fc.Arbitrary<TurnPlan[Name]> }) =>
  fc.record({ ...common, ...fields });

const calls = fc.array(call, { minLength: 1, maxLength: 3 });
const noCalls = fc.constant<PlannedCall[]>([]);
const noText = fc.constant<string[]>([]);

/** A turn that makes the run wait for tool outputs. */
const pausing: fc.Arbitrary<TurnPlan> = turnWith({
  end: fc.constant("stop" as const),
  text: fc.oneof(noText, noText, saidText),
  calls,
});

const answering = turnWith({ end: fc.constant("stop" as const), text, calls: noCalls });
const cutShort = turnWith({
  end: fc.constantFrom("length" as const, "content_filter" as const),
  text,
  calls: fc.oneof(noCalls, noCalls, calls),
});
const failing = turnWith({
  end: fc.constantFrom("refused" as const, "unknown_model" as const),
  text: noText,
  calls: noCalls,
});
const broken = fc
  .record({ ...common, end: fc.constant("cut" as const), text: saidText, calls: noCalls, busy: fc.constant(0) })
  .chain((turn) => fc.nat({ max: turn.text.length }).map((cutAfter) => ({ ...turn, cutAfter })));
const endless = turnWith({
  end: fc.constantFrom("stall" as const, "hang" as const),
  text: saidText,
  calls: noCalls,
}).map((turn) => ({ ...turn, text: ["Well", ...turn.text], pace: 0 }));

const last = fc.oneof(
  { weight: 8, arbitrary: answering },
  { weight: 2, arbitrary: cutShort },
  { weight: 2, arbitrary: failing },
  { weight: 1, arbitrary: broken },
  { weight: 3, arbitrary: endless },
);

/** All turns of a run. */
export const runPlan: fc.Arbitrary<TurnPlan[]> = fc
  .tuple(fc.array(pausing, { maxLength: 2, size: "max" }), last)
  .map(([pauses, end]) => [...pauses, end]);

/** A run that goes on until a client ends it. */
export const ENDLESS: TurnPlan[] = [{ end: "hang", text: [], calls: [], usage: null, busy: 0, pace: 0, cutAfter: 0 }];
