/** Sequences of calls on one thread, legal and illegal ones, as fast-check makes and shrinks them. */
import fc from "fast-check";
import { runPlan, type TurnPlan } from "./plans.ts";

/** `right`: what the run waits for; the others are wrong in one way each; `old`: what was accepted before. */
export type Outputs = "right" | "few" | "many" | "wrong" | "doubled" | "none" | "old";

/** How a client reads a stream: `leaveAfter` that many events, or never. */
export interface Reading {
  streamed: boolean;
  leaveAfter: number | null;
}

export type Role = "user" | "assistant";

export type Action =
  | { do: "add message"; role: Role; content: string }
  | ({
      do: "create run";
      /** of the assistant */
      instructed: boolean;
      additional: { role: Role; content: string }[];
      turns: TurnPlan[];
      /** the run's log is followed from the start by a client whose connection breaks after each so many events */
      watchInPieces: number | null;
    } & Reading)
  | { do: "let it rest" }
  | { do: "let it start" }
  | { do: "look at the run"; older: boolean }
  /** `patient`: only when the run waits for something, or has ended */
  | ({ do: "submit"; outputs: Outputs; older: boolean; patient: boolean } & Reading)
  | { do: "cancel"; older: boolean }
  | { do: "modify run"; older: boolean }
  | { do: "modify message"; pick: number }
  | { do: "delete message"; pick: number }
  | { do: "modify thread" }
  | { do: "check everything" }
  | { do: "delete thread" }
  | { do: "race"; what: "cancel twice" | "submit twice" | "create two runs" | "submit and cancel" };

export interface Sequence {
  /** of the thread's first messages */
  opening: Role[];
  actions: Action[];
}

const role = fc.constantFrom<Role>("user", "user", "assistant");
const content = fc.constantFrom("Hi", "And then?", "日本 😀", "a\u0000b", " ");
const older = fc.integer({ min: 0, max: 7 }).map((value) => value === 0);

/** Half of all runs are streamed; some clients leave before the end. */
const reading = fc.record({
  streamed: fc.boolean(),
  leaveAfter: fc.option(fc.integer({ min: 1, max: 12 }), { freq: 4 }).map((count) => count),
});

const createRun = fc
  .record({
    instructed: fc.boolean(),
    additional: fc.oneof(
      { weight: 3, arbitrary: fc.constant<{ role: Role; content: string }[]>([]) },
      { weight: 1, arbitrary: fc.array(fc.record({ role, content }), { maxLength: 3 }) },
    ),
    turns: runPlan,
    watchInPieces: fc.option(fc.integer({ min: 1, max: 12 }), { freq: 1 }),
    reading,
  })
  .map(({ reading, ...rest }): Action => ({ do: "create run", ...rest, ...reading }));

const outputs = fc.oneof(
  { weight: 6, arbitrary: fc.constant<Outputs>("right") },
  { weight: 4, arbitrary: fc.constantFrom<Outputs>("few", "many", "wrong", "doubled", "none", "old") },
);

const submit = fc
  .record({ outputs, older, patient: fc.integer({ min: 0, max: 3 }).map((value) => value > 0), reading })
  .map(({ reading, ...rest }): Action => ({ do: "submit", ...rest, ...reading }));

const plain = (weight: number, action: Action) => ({ weight, arbitrary: fc.constant(action) });

/** What may happen at any moment. */
const reaction: fc.Arbitrary<Action> = fc.oneof(
  { weight: 10, arbitrary: submit },
  plain(8, { do: "let it rest" }),
  plain(2, { do: "let it start" }),
  { weight: 2, arbitrary: createRun },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("look at the run" as const), older }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("cancel" as const), older }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("modify run" as const), older }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("add message" as const), role, content }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("modify message" as const), pick: fc.nat({ max: 20 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("delete message" as const), pick: fc.nat({ max: 20 }) }) },
  plain(1, { do: "modify thread" }),
  plain(2, { do: "check everything" }),
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("race" as const),
      what: fc.constantFrom("cancel twice", "submit twice", "create two runs", "submit and cancel"),
    }),
  },
);

/** A run, what is done while it is there, and now and then the end of its thread. */
const chapter = fc
  .tuple(
    createRun,
    fc.array(reaction, { maxLength: 6, size: "max" }),
    fc.oneof(
      { weight: 15, arbitrary: fc.constant<Action[]>([]) },
      { weight: 1, arbitrary: fc.tuple(fc.constant<Action>({ do: "delete thread" }), reaction) },
    ),
  )
  .map(([run, reactions, end]) => [run, ...reactions, ...end]);

export const sequence: fc.Arbitrary<Sequence> = fc.record({
  opening: fc.array(role, { maxLength: 3 }),
  actions: fc.array(chapter, { minLength: 1, maxLength: 3, size: "max" }).map((chapters) => chapters.flat()),
});
