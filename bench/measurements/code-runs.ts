/**
 * Runs that run code, through the whole app: what it adds between the model's last token and the completed step, how
 * soon a cancelled run's code is gone, and whether clients see code as fast as the model writes it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { AssistantStreamEvent } from "openai/resources/beta/assistants";
import { residentBytes } from "../../local/code-sessions/memory-watch.ts";
import type { Stats } from "../../local/code-sessions/server.ts";
import { controlModel } from "../../local/model/control.ts";
import type { Turn } from "../../local/model/turn.ts";
import type { Bench, Measurement, Outcome } from "../lib/measurement.ts";
import { median, summary } from "../lib/quantiles.ts";
import { MESSAGES, type Subject } from "../lib/subject.ts";

const TOOLS = [{ type: "code_interpreter" as const }];
const TOKEN_MS = 20;
const POLL_MS = 2;

/** Code is surely under way this long after its session is there; then cancels are spread over a second. Milliseconds. */
const UNDER_WAY = 300;
const SECOND = 1000;

export const codeRuns: Measurement = {
  name: "code-runs",
  title: "Runs that run code",
  worksRemotely: false,
  measure: (bench) => bench.onApp({ blobs: true, code: { isPrepared: true } }, (subject) => measure(bench, subject)),
};

async function measure(bench: Bench, subject: Subject): Promise<Outcome> {
  bench.say("turns of code");
  const turns = await measureTurns(bench, subject);
  bench.say("cancels");
  const cancels = await measureCancels(bench, subject);
  bench.say("pace");
  return outcomeOf(turns, cancels, await measurePace(bench, subject));
}

/** The model writes the code in these pieces. */
const writes = (pieces: string[]): Turn => ({
  toolCalls: [{ name: "python", arguments: pieces.join(""), pieces }],
  tokenMs: TOKEN_MS,
});

/** The last token brings code, and the end of the answer comes with it. */
const SUM = writes(['{"code":"', "1", " +", ' 1"}']);
const SAY: Turn = { text: "Two." };
const ENDLESS = writes(['{"code":"while True:', ' pass"}']);

/** Milliseconds, each until a client has `thread.run.step.completed`. */
interface Times {
  /** since the client had the last piece of the code */
  fromLastPiece: number[];
  /** since the model's server had sent the end of its answer */
  fromEnd: number[];
}

/** Of a run's first turn, which looks for the session's files as well, and of its second one. */
interface Turns {
  first: Times;
  second: Times;
}

async function measureTurns({ quick }: Bench, subject: Subject): Promise<Turns> {
  const model = await subject.modelThat("writes-a-sum", [SUM, SUM, SAY]);
  const assistant = await subject.assistantWith(model, TOOLS);
  const turns: Turns = { first: { fromLastPiece: [], fromEnd: [] }, second: { fromLastPiece: [], fromEnd: [] } };
  const thread = await subject.thread();
  for (let run = quick ? -1 : -5; run < (quick ? 3 : 60); run++) {
    const seen = await stepsOf(subject, thread, assistant);
    if (run < 0) continue;
    const { requests } = await controlModel(subject.local.model.baseUrl).report(model);
    const ends = requests.slice(-3).map(({ closed = "" }) => Date.parse(closed));
    for (const [index, times] of [turns.first, turns.second].entries()) {
      const { lastPiece = Number.NaN, completed = Number.NaN } = seen[index] ?? {};
      times.fromLastPiece.push(completed - lastPiece);
      times.fromEnd.push(completed - (ends[index] ?? Number.NaN));
    }
  }
  await subject.sdk.beta.threads.delete(thread);
  return turns;
}

interface SeenStep {
  lastPiece: number;
  /** undefined until then */
  completed: number | undefined;
}

/** Milliseconds since 1970, of the steps of code of one run. */
async function stepsOf({ sdk }: Subject, thread: string, assistant: string): Promise<SeenStep[]> {
  const steps: SeenStep[] = [];
  for await (const event of await sdk.beta.threads.runs.create(thread, { assistant_id: assistant, stream: true })) {
    const now = performance.timeOrigin + performance.now();
    const step = steps.at(-1);
    if (inputIn(event) !== "") {
      if (step !== undefined && step.completed === undefined) step.lastPiece = now;
      else steps.push({ lastPiece: now, completed: undefined });
    }
    if (event.event === "thread.run.step.completed" && step !== undefined) step.completed ??= now;
  }
  return steps;
}

/** The code that an event brings. */
function inputIn(event: AssistantStreamEvent): string {
  if (event.event !== "thread.run.step.delta") return "";
  const details = event.data.delta.step_details;
  const [call] = details?.type === "tool_calls" ? (details.tool_calls ?? []) : [];
  return call?.type === "code_interpreter" ? (call.code_interpreter?.input ?? "") : "";
}

/** Milliseconds from asking for the cancel until the session's process is gone. */
async function measureCancels({ quick }: Bench, subject: Subject): Promise<number[]> {
  const assistant = await subject.assistantWith(await subject.modelThat("writes-an-endless-loop", ENDLESS), TOOLS);
  const times: number[] = [];
  const count = quick ? 2 : 20;
  for (let done = 0; done < count; done++) {
    const thread = await subject.thread();
    const { runs } = subject.sdk.beta.threads;
    const { id } = await runs.create(thread, { assistant_id: assistant });
    const pid = await onlySession(subject);
    // The heartbeat of the run's driver comes once a second: a cancel may meet any moment of it.
    await sleep(UNDER_WAY + (done / count) * SECOND);
    const begin = performance.now();
    const cancelled = runs.cancel(id, { thread_id: thread });
    while (residentBytes(pid) > 0) await sleep(POLL_MS);
    times.push(performance.now() - begin);
    await cancelled;
    await subject.sdk.beta.threads.delete(thread);
  }
  return times;
}

/** The process of the only session, when it is there. */
async function onlySession({ local }: Subject): Promise<number> {
  for (;;) {
    const response = await fetch(new URL("/_local/stats", local.codeSessions?.endpoint));
    const [session, more] = ((await response.json()) as Stats).sessions;
    if (more !== undefined) throw new Error("there is more than one session");
    if (session !== undefined) return session.pid;
    await sleep(POLL_MS);
  }
}

/** A hundred lines of code, each of them a token. */
const LONG = Array.from({ length: 100 }, (_, line) => {
  const [opening, closing] = [line === 0 ? '{"code":"' : "", line === 99 ? '"}' : "\\n"];
  return `${opening}value = ${line}${closing}`;
});

/** Milliseconds from the first piece of the code to the last one. */
interface Paces {
  direct: number[];
  threadkeep: number[];
}

async function measurePace({ quick }: Bench, subject: Subject): Promise<Paces> {
  const model = await subject.modelThat("writes-long-code", [writes(LONG), SAY]);
  const assistant = await subject.assistantWith(model, TOOLS);
  const asked = await subject.modelThat("writes-long-code-to-all", writes(LONG));
  const paces: Paces = { direct: [], threadkeep: [] };
  const thread = await subject.thread();
  for (let run = 0; run < (quick ? 2 : 20); run++) {
    paces.direct.push(await paceOfModel(subject, asked));
    paces.threadkeep.push(await paceOf(subject, thread, assistant));
  }
  await subject.sdk.beta.threads.delete(thread);
  return paces;
}

async function paceOf({ sdk }: Subject, thread: string, assistant: string): Promise<number> {
  const at: number[] = [];
  for await (const event of await sdk.beta.threads.runs.create(thread, { assistant_id: assistant, stream: true })) {
    if (inputIn(event) !== "") at.push(performance.now());
  }
  return between(at);
}

async function paceOfModel(subject: Subject, model: string): Promise<number> {
  const tools = [{ type: "function" as const, function: { name: "python" } }];
  const request = { model, messages: MESSAGES, tools, stream: true as const };
  const at: number[] = [];
  for await (const { choices } of await subject.modelClient.chat.completions.create(request)) {
    if (choices[0]?.delta.tool_calls?.[0]?.function?.arguments) at.push(performance.now());
  }
  return between(at);
}

const between = (at: number[]): number => (at.at(-1) ?? Number.NaN) - (at[0] ?? Number.NaN);

function outcomeOf({ first, second }: Turns, cancels: number[], { direct, threadkeep }: Paces): Outcome {
  const row = (name: string, times: number[]) => {
    const { count, p50, p90, max } = summary(times);
    return [name, count, p50, p90, max];
  };
  const rows = [
    row("first turn of a run: last piece of code to completed step", first.fromLastPiece),
    row("first turn of a run: end of the model's answer to completed step", first.fromEnd),
    row("second turn: last piece of code to completed step", second.fromLastPiece),
    row("second turn: end of the model's answer to completed step", second.fromEnd),
    row("cancel to the end of the session's process", cancels),
    row("first to last piece of code, model asked directly", direct),
    row("first to last piece of code, through Threadkeep", threadkeep),
  ];
  return {
    tables: [{ title: "Code in runs", columns: ["ms", "times", "p50", "p90", "longest"], rows }],
    goals: [
      { text: "1 + 1 in a warm session, p50", measured: median(first.fromEnd), unit: "ms", bound: 30, kind: "at most" },
      { text: "cancelled code is gone", measured: Math.max(...cancels), unit: "ms", bound: 1200, kind: "at most" },
      {
        text: "pace of code, ratio to the model's",
        measured: median(threadkeep) / median(direct),
        unit: "",
        bound: 1.05,
        kind: "at most",
      },
    ],
    figures: [],
    notes: [
      "All times are a client's. The model sends its last token and the end of its answer at once, " +
        "and its server tells that moment by the same clock, in whole milliseconds. " +
        "Between it and the completed step are two batches and the execution of `1 + 1` in a warm session; " +
        "the first turn of a run also lists the session's files.",
      "Cancels are spread over the second between two heartbeats of a run's driver. " +
        `Code comes in ${LONG.length} pieces, one in ${TOKEN_MS} ms.`,
    ],
  };
}
