/** What the simulated models of the harness say. Their scripts repeat: how often a call is made is up to the faults. */
import { controlModel } from "../../../local/model/control.ts";
import type { Turn } from "../../../local/model/turn.ts";

const words = (count: number) => Array.from({ length: count }, (_, number) => `word${number} `);

/** What a model that only talks says, however often it is asked. */
export const TEXTS = { steady: words(12), slow: words(45) };

const say = (text: string[], tokenMs: number): Turn => ({ text, firstTokenMs: 40, tokenMs });
const call = (...names: string[]): Turn => ({ toolCalls: names.map((name) => ({ name, arguments: { of: name } })) });

const SCRIPTS = {
  steady: [say(TEXTS.steady, 40)],
  /** longer than a lease */
  slow: [say(TEXTS.slow, 60)],
  /** whoever asks again gets an answer in the end, mostly */
  flaky: [
    say(TEXTS.steady, 30),
    { status: 429, retryAfter: 0.3 },
    say(TEXTS.steady, 30),
    { status: 500 },
    { ...say(TEXTS.steady, 60), cutAfter: 5 },
    say(TEXTS.steady, 30),
    { hang: true },
    { status: 503 },
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
  /** never says anything before it has called, which nobody answers */
  calling: [call("lookup")],
} satisfies Record<string, Turn[]>;

export type ModelName = keyof typeof SCRIPTS;
export const MODEL_NAMES = Object.keys(SCRIPTS) as ModelName[];

export const TOOLS = ["lookup", "book"].map((name) => ({ type: "function" as const, function: { name } }));

export async function scriptModels(baseUrl: string): Promise<void> {
  const control = controlModel(baseUrl);
  for (const name of MODEL_NAMES) await control.script(name, SCRIPTS[name], { repeat: true });
}
