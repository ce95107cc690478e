/** One user with one run: creates it, reads or polls it, answers its function calls, and remembers what the API says. */
import { setTimeout as sleep } from "node:timers/promises";
import type OpenAI from "openai";
import type { AssistantStreamEvent, AssistantTool } from "openai/resources/beta/assistants";
import type { Run } from "openai/resources/beta/threads/runs/runs";
import { insist, isRefusal, isTransient, venture } from "./clients.ts";
import { isLast, isOver, type Memory } from "./memory.ts";
import { MARK, type ModelName, TOOLS, textOfModel } from "./model-scripts.ts";
import type { Random } from "./random.ts";
import type { Watchers } from "./watchers.ts";

const POLL_INTERVAL = 250;

/** The share of the background runs that are watched, too. */
const WATCHED = 0.4;

export interface Teller {
  /** for all requests but those that make runs */
  client: OpenAI;
  /** makes runs */
  creator: OpenAI;
  /** makes runs that live for a short time only */
  shortLived: OpenAI;
  memory: Memory;
  watchers: Watchers;
  random: Random;
  assistants: Record<ModelName, string>;
  /** threads of 10 MB */
  bigThreads: string[];
  /** how long a user waits for a run, in milliseconds */
  patience: number;
  /** how far what one instance reads may be behind what another one has written, in milliseconds */
  lag: number;
  /** runs that took longer, and whose users will come back */
  unfinished: Unfinished[];
}

interface Unfinished {
  run: Run;
  kind: string;
}

type Runs = OpenAI["beta"]["threads"]["runs"];

export class Story {
  readonly random: Random;
  readonly teller: Teller;
  readonly threadId: string;
  /** until when its user waits, in milliseconds since 1970 */
  readonly until: number;
  readonly #kind: string;

  constructor(teller: Teller, kind: string, threadId: string) {
    this.random = teller.random.fork();
    this.teller = teller;
    this.threadId = threadId;
    this.until = Date.now() + teller.patience;
    this.#kind = kind;
  }

  /** A background run. If the answer got lost, the thread may be locked by the run that was made all the same. */
  async create(model: ModelName, client = this.teller.creator): Promise<Run | undefined> {
    try {
      const run = await insist(() => client.beta.threads.runs.create(this.threadId, this.#request(model)), this.until);
      if (this.random.chance(WATCHED)) this.teller.watchers.watch(run);
      return this.hear(run, model);
    } catch (error) {
      if (isRefusal(error)) return this.#active(model);
      if (isTransient(error)) return undefined;
      throw error;
    }
  }

  /** A streamed run; reads so many events, then goes away. */
  async stream(model: ModelName, events: number): Promise<Run | undefined> {
    const { runs } = this.teller.creator.beta.threads;
    let run: Run | undefined;
    try {
      run = await this.#read(
        await runs.create(this.threadId, { ...this.#request(model), stream: true }),
        model,
        events,
      );
    } catch (error) {
      if (isRefusal(error)) run = await this.#active(model);
      else if (!isTransient(error)) throw error;
    }
    return run ?? this.#active(model);
  }

  /** Polls to the end and answers function calls on the way; whether the run has ended. */
  async follow(run: Run): Promise<boolean> {
    let pausedAt = "";
    return this.wait(run, async (now) => {
      if (now.status !== "requires_action") return isOver(now);
      const calls = now.required_action?.submit_tool_outputs.tool_calls.map(({ id }) => id) ?? [];
      if (calls.join() !== pausedAt && (await this.#submit(now.id, calls))) pausedAt = calls.join();
      return false;
    });
  }

  async wait(run: Run, isEnough: (now: Run) => boolean | Promise<boolean>, comesBack = true): Promise<boolean> {
    let now = run;
    while (!(await isEnough(now))) {
      if (Date.now() > this.until) {
        if (comesBack) this.teller.unfinished.push({ run: now, kind: this.#kind });
        return false;
      }
      await sleep(POLL_INTERVAL);
      try {
        now = this.hear(await this.insist((runs, inThread) => runs.retrieve(run.id, inThread)));
      } catch (error) {
        if (!isTransient(error)) throw error;
      }
    }
    return isOver(now);
  }

  hear(run: Run, model?: ModelName): Run {
    return this.teller.memory.hear(run, this.#kind, model && textOfModel(model));
  }

  insist<T>(call: (runs: Runs, inThread: { thread_id: string }) => Promise<T>): Promise<T> {
    const { runs } = this.teller.client.beta.threads;
    return insist(() => call(runs, { thread_id: this.threadId }), this.until);
  }

  #request = (model: ModelName) => ({
    assistant_id: this.teller.assistants[model],
    model: `${model}${MARK}`,
    tools: toolsOf(model),
  });

  /** Whether they were taken. Refused if they were submitted before, maybe by an earlier try; or the run ended. */
  async #submit(runId: string, calls: string[]): Promise<boolean> {
    if (this.random.chance(0.3)) await sleep(this.random.between(500, 2_500));
    const outputs = calls.map((id) => ({ tool_call_id: id, output: `done ${id}` }));
    const body = { thread_id: this.threadId, tool_outputs: outputs };
    let taken = false;
    const submit = () =>
      venture(async () => {
        await this.insist((runs) => runs.submitToolOutputs(runId, body));
        taken = true;
      });
    await Promise.all(this.random.chance(0.3) ? [submit(), submit()] : [submit()]);
    return taken;
  }

  /** The thread's newest run, if this story has made it without hearing so. */
  async #active(model: ModelName): Promise<Run | undefined> {
    const { data } = await this.insist((runs) => runs.list(this.threadId, { limit: 1 }));
    const [run] = data;
    // A run of another model is another user's. One that was heard of before is of an earlier story on this thread.
    const isOurs = run?.model.startsWith(`${model}${MARK}`) && !this.teller.memory.runs.has(run.id);
    return run !== undefined && isOurs ? this.hear(run, model) : undefined;
  }

  async #read(stream: AsyncIterable<AssistantStreamEvent>, model: ModelName, events: number): Promise<Run | undefined> {
    const { memory } = this.teller;
    const heard = new Map<string, string>();
    let run: Run | undefined;
    let count = 0;
    try {
      for await (const event of stream) {
        if (isOfRun(event)) run = this.hear(event.data, model);
        if (event.event === "thread.message.delta") {
          const text = (event.data.delta.content ?? []).map((part) => (part.type === "text" ? part.text?.value : ""));
          heard.set(event.data.id, (heard.get(event.data.id) ?? "") + text.join(""));
        }
        // What a model with tools has said is told before it is sure.
        if (event.event === "thread.message.completed" && model !== "tools") memory.hearMessage(event.data);
        // Now it is: what was heard before an error, or before the connection broke, is not.
        if (isLast(event.event) || event.event === "thread.run.requires_action") {
          for (const [id, text] of heard) memory.hearText(id, this.threadId, text);
        }
        if (++count > events) break;
      }
    } catch (error) {
      if (!isTransient(error)) throw error;
    }
    return run;
  }
}

function toolsOf(model: ModelName): AssistantTool[] {
  if (model === "coding") return [{ type: "code_interpreter" }];
  return model === "tools" || model.endsWith("calling") ? TOOLS : [];
}

type RunEvent = Extract<AssistantStreamEvent, { data: Run }>;

const isOfRun = (event: AssistantStreamEvent): event is RunEvent =>
  event.event.startsWith("thread.run.") && !event.event.startsWith("thread.run.step.");
