/** What the simulated models of the harness say. Their scripts repeat: how often a call is made is up to the faults. */
import { controlModel } from "../../../local/model/control.ts";
import type { Turn } from "../../../local/model/turn.ts";

const words = (count: number) => Array.from({ length: count }, (_, number) => `word${number} `);

/** So many characters in pieces of 8,000. */
const pieces = (length: number) =>
  Array.from({ length: length / 8_000 }, (_, number) => `${number} `.padEnd(8_000, "lorem ipsum "));

/** What a model that only talks says, however often it is asked. */
export const TEXTS = {
  steady: words(12),
  slow: words(45),
  long: words(60),
  /** just within the bound of an answer (about 500,000 bytes) */
  full: pieces(440_000),
  /** beyond it */
  vast: pieces(720_000),
  "vast-slow": pieces(720_000),
};

/** Models that say more than a run takes: it ends incomplete, with what fits. */
export const BEYOND = ["vast", "vast-slow", "vast-calling"];

const say = (text: string[], tokenMs: number): Turn => ({ text, firstTokenMs: 40, tokenMs });
const call = (...names: string[]): Turn => ({ toolCalls: names.map((name) => ({ name, arguments: { of: name } })) });

/** Takes a moment, and leaves a trace in its session. */
const CODE = `import time
time.sleep(0.3)
with open("/mnt/data/runs.txt", "a") as file:
    file.write("x")
print(len(open("/mnt/data/runs.txt").read()))`;

const SCRIPTS = {
  steady: [say(TEXTS.steady, 40)],
  /** longer than checkpoints are apart */
  slow: [say(TEXTS.slow, 60)],
  /** longer than a lease */
  long: [say(TEXTS.long, 110)],
  /** a run that asks again gets an answer in the end, mostly; the server's own pauses would double up to a minute */
  flaky: [
    say(TEXTS.steady, 30),
    { status: 429, retryAfter: 0.3 },
    say(TEXTS.steady, 30),
    { status: 500, retryAfter: 0.3 },
    { ...say(TEXTS.steady, 60), cutAfter: 5 },
    say(TEXTS.steady, 30),
    { hang: true },
    { status: 503, retryAfter: 0.3 },
    { ...say(TEXTS.steady, 60), finishReason: "length" },
  ],
  tools: [
    call("lookup"),
    say(TEXTS.steady, 20),
    call("lookup", "book"),
    { ...call("book"), text: words(4), tokenMs: 200 },
    say(TEXTS.steady, 60),
    { ...call("lookup"), text: words(8), tokenMs: 100, cutAfter: 6 },
    say(TEXTS.steady, 20),
  ],
  /** never says anything before it has called, which its users do not answer */
  calling: [call("lookup")],
  full: [say(TEXTS.full, 0)],
  vast: [say(TEXTS.vast, 0)],
  "vast-slow": [say(TEXTS["vast-slow"], 30)],
  /** runs code in its thread's session: what that prints is the model's own business */
  coding: [{ toolCalls: [{ name: "python", arguments: { code: CODE } }] }, say(TEXTS.steady, 30)],
  "vast-calling": [{ toolCalls: [{ name: "lookup", pieces: ['{"a":"', ...pieces(720_000), '"}'] }] }],
} satisfies Record<string, Turn[]>;

export type ModelName = keyof typeof SCRIPTS;
export const MODEL_NAMES = Object.keys(SCRIPTS) as ModelName[];

export const TOOLS = ["lookup", "book"].map((name) => ({ type: "function" as const, function: { name } }));

export async function scriptModels(baseUrl: string): Promise<void> {
  const control = controlModel(baseUrl);
  for (const name of MODEL_NAMES) await control.script(name, SCRIPTS[name], { repeat: true });
}

/** The text of this model, if it always says the same. */
export const textOfModel = (model: ModelName): string | undefined =>
  Object.entries({ ...TEXTS, coding: TEXTS.steady })
    .find(([name]) => name === model)?.[1]
    .join("");

/**
 * What a client asks for in place of the model: the part behind # is another for each request that is sent, so that a
 * run is known by its model, and each model call by its run. `clients.ts` adds it.
 */
export const MARK = "#";
