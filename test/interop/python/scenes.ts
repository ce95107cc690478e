/** What each example needs to find, and what it should print. */
import OpenAI from "openai";
import { controlModel } from "../../../local/model/control.ts";
import type { Turn } from "../../../local/model/turn.ts";
import type { Stack } from "../../../local/stack.ts";

/** The ids that stand in the examples, and what to put there. */
export type Ids = Record<string, string>;

export interface Scene {
  /** found in the example's text */
  calls: string;
  prepare(world: World): Promise<Ids>;
  prints: RegExp;
}

const CALL: Turn = { toolCalls: [{ id: "call_1", name: "get_weather", arguments: { city: "Oslo" } }] };
const TEXT: Turn = { text: "Hello Jane Doe." };

let models = 0;

export class World {
  readonly client: OpenAI;
  readonly #stack: Stack;

  constructor(stack: Stack) {
    this.#stack = stack;
    this.client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey });
  }

  /** A thread with a question in it, and an assistant that says these turns. */
  async conversation(...turns: Turn[]): Promise<Ids> {
    const model = `python-${models++}`;
    await controlModel(this.#stack.model.baseUrl).script(model, turns);
    const tools = [{ type: "function" as const, function: { name: "get_weather" } }];
    const assistant = await this.client.beta.assistants.create({ model, tools });
    const thread = await this.client.beta.threads.create({ messages: [{ role: "user", content: "Hi" }] });
    return { asst_abc123: assistant.id, thread_abc123: thread.id };
  }

  /** The same with a run, after it has ended or paused. */
  async run(...turns: Turn[]): Promise<Ids> {
    const ids = await this.conversation(...turns);
    const { thread_abc123: thread = "", asst_abc123: assistant_id = "" } = ids;
    const { runs } = this.client.beta.threads;
    const run = await runs.createAndPoll(thread, { assistant_id }, { pollIntervalMs: 30 });
    const { data } = await runs.steps.list(run.id, { thread_id: thread });
    const call = run.required_action?.submit_tool_outputs.tool_calls[0]?.id ?? "";
    return { ...ids, run_abc123: run.id, step_abc123: data[0]?.id ?? "", call_abc123: call };
  }
}

const talk = (world: World) => world.conversation(TEXT);
const ended = (world: World) => world.run(TEXT);
const paused = (world: World) => world.run(CALL, TEXT);

/** The first that fits an example is its own. */
export const SCENES: Scene[] = [
  { calls: "runs.steps.retrieve(", prepare: ended, prints: /^RunStep\(id='step_.* status='completed'/ },
  { calls: "runs.steps.list(", prepare: ended, prints: /^SyncCursorPage\[RunStep\]\(data=\[RunStep\(id='step_/ },
  { calls: "runs.submit_tool_outputs(", prepare: paused, prints: /^Run\(id='run_.* status='queued'/ },
  { calls: "runs.cancel(", prepare: paused, prints: /^Run\(id='run_.* status='cancelling'/ },
  { calls: "runs.update(", prepare: ended, prints: /^Run\(id='run_.* metadata=\{'user_id': 'user_abc123'\}/ },
  { calls: "runs.retrieve(", prepare: ended, prints: /^Run\(id='run_.* status='completed'/ },
  { calls: "runs.list(", prepare: ended, prints: /^SyncCursorPage\[Run\]\(data=\[Run\(id='run_/ },
  { calls: "runs.stream(", prepare: talk, prints: /^\nassistant > Hello Jane Doe\.$/ },
  { calls: "runs.create(", prepare: talk, prints: /^Run\(id='run_.* status='queued'/ },
  { calls: "threads.create_and_run(", prepare: talk, prints: /^$/ },
  { calls: "threads.create(", prepare: async () => ({}), prints: /^Thread\(id='thread_/ },
  { calls: "threads.retrieve(", prepare: talk, prints: /^Thread\(id='thread_/ },
  { calls: "threads.update(", prepare: talk, prints: /metadata=\{'modified': 'true', 'user': 'abc123'\}/ },
  { calls: "threads.delete(", prepare: talk, prints: /^ThreadDeleted\(id='thread_.* deleted=True/ },
];
