/** What users do: each story is one run, or a few, from its creation to its end or to where its user leaves it. */
import { setTimeout as sleep } from "node:timers/promises";
import type OpenAI from "openai";
import type { AssistantStreamEvent } from "openai/resources/beta/assistants";
import type { Run } from "openai/resources/beta/threads/runs/runs";
import { insist, isRefusal, isTransient, venture } from "./clients.ts";
import { isOver, type Memory } from "./memory.ts";
import { type ModelName, TEXTS, TOOLS } from "./model-scripts.ts";
import type { Random } from "./random.ts";
import type { Watchers } from "./watchers.ts";

/** How often each story is told, among the others. */
export const STORIES = {
  background: 24,
  flaky: 14,
  streamed: 16,
  dropped: 8,
  tools: 14,
  "tools-streamed": 6,
  cancelled: 12,
  intruded: 8,
  abandoned: 6,
};
export type StoryName = keyof typeof STORIES;

const POLL_INTERVAL = 250;

/** How many of the background runs somebody watches. */
const WATCHED = 0.4;

export interface Teller {
  /** anybody's */
  client: OpenAI;
  /** makes runs */
  creator: OpenAI;
  /** makes runs that live for a short time only */
  shortLived: OpenAI;
  memory: Memory;
  watchers: Watchers;
  random: Random;
  assistants: Record<ModelName, string>;
  /** how long a user waits for a run, in milliseconds */
  patience: number;
  /** runs that took longer, and whose users will come back */
  unfinished: Unfinished[];
}

interface Unfinished {
  run: Run;
  name: StoryName;
}

/** Tells a story on this thread; whether the thread should be free afterwards. */
export async function tell(teller: Teller, name: StoryName, threadId: string): Promise<boolean> {
  const story = new Story(teller, name, threadId);
  switch (name) {
    case "background":
      return story.background(story.random.chance(0.5) ? "steady" : "slow");
    case "flaky":
      return story.background("flaky");
    case "streamed":
      return story.streamed(story.random.chance(0.5) ? "steady" : "slow", Number.POSITIVE_INFINITY);
    case "dropped":
      return story.streamed("slow", story.random.between(0, 30));
    case "tools":
      return story.background("tools");
    case "tools-streamed":
      return story.streamed("tools", Number.POSITIVE_INFINITY);
    case "cancelled":
      return story.cancelled(story.random.pick(["slow", "tools", "flaky"]));
    case "intruded":
      return story.intruded(story.random.pick(["slow", "tools"]));
    case "abandoned":
      return story.abandoned();
  }
}

/** The users of unfinished runs look again, and give the outputs that a run may have waited for. */
export async function comeBack(teller: Teller): Promise<void> {
  const waiting = teller.unfinished.splice(0);
  await Promise.all(waiting.map(({ run, name }) => new Story(teller, name, run.thread_id).follow(run)));
}

class Story {
  readonly random: Random;
  readonly #teller: Teller;
  readonly #kind: StoryName;
  readonly #threadId: string;
  readonly #until: number;

  constructor(teller: Teller, kind: StoryName, threadId: string) {
    this.random = teller.random.fork();
    this.#teller = teller;
    this.#kind = kind;
    this.#threadId = threadId;
    this.#until = Date.now() + teller.patience;
  }

  async background(model: ModelName): Promise<boolean> {
    const run = await this.#create(this.#teller.creator, model);
    return run !== undefined && this.follow(run);
  }

  /** Reads so many events, then goes away. */
  async streamed(model: ModelName, events: number): Promise<boolean> {
    const { runs } = this.#teller.creator.beta.threads;
    const request = { assistant_id: this.#teller.assistants[model], stream: true as const, tools: toolsOf(model) };
    let run: Run | undefined;
    try {
      run = await this.#read(await runs.create(this.#threadId, request), model, events);
    } catch (error) {
      if (isRefusal(error)) run = await this.#active(model);
      else if (!isTransient(error)) throw error;
    }
    run ??= await this.#active(model);
    return run !== undefined && this.follow(run);
  }

  async cancelled(model: ModelName): Promise<boolean> {
    const run = await this.#create(this.#teller.creator, model);
    if (run === undefined) return false;
    await sleep(this.random.between(0, 2_500));
    // Refused if it had ended before, or an earlier try has reached it.
    await venture(async () => {
      const told = await this.#insist((runs, inThread) => runs.cancel(run.id, inThread));
      if (told.status === "cancelling") this.#teller.memory.cancelAccepted(run.id);
    });
    return this.follow(run);
  }

  /** Somebody else writes to the thread, which must refuse it until the run is over. */
  async intruded(model: ModelName): Promise<boolean> {
    const run = await this.#create(this.#teller.creator, model);
    if (run === undefined) return false;
    await sleep(this.random.between(0, 1_500));
    const { client, memory } = this.#teller;
    const message = { role: "user" as const, content: "And another thing." };
    await venture(async () => {
      await insist(() => client.beta.threads.messages.create(this.#threadId, message), this.#until);
      const now = this.#hear(await this.#insist((runs, inThread) => runs.retrieve(run.id, inThread)));
      if (!isOver(now)) memory.contradictions.push(`${run.id} is ${now.status}, but its thread took a message`);
    });
    return this.follow(run);
  }

  /** Calls a function whose output never comes. */
  async abandoned(): Promise<boolean> {
    const run = await this.#create(this.#teller.shortLived, "calling");
    return run !== undefined && this.#wait(run, (now) => isOver(now));
  }

  /** Polls to the end and answers function calls on the way. */
  async follow(run: Run): Promise<boolean> {
    let pausedAt = "";
    return this.#wait(run, async (now) => {
      if (now.status !== "requires_action") return isOver(now);
      const calls = now.required_action?.submit_tool_outputs.tool_calls.map(({ id }) => id) ?? [];
      if (calls.join() === pausedAt) return false;
      pausedAt = calls.join();
      await this.#submit(now.id, calls);
      return false;
    });
  }

  async #submit(runId: string, calls: string[]): Promise<void> {
    if (this.random.chance(0.3)) await sleep(this.random.between(500, 2_500));
    const outputs = calls.map((id) => ({ tool_call_id: id, output: `done ${id}` }));
    const body = { thread_id: this.#threadId, tool_outputs: outputs };
    // Refused if somebody submitted them before, maybe an earlier try; or the run ended.
    const submit = () => venture(() => this.#insist((runs) => runs.submitToolOutputs(runId, body)));
    await Promise.all(this.random.chance(0.3) ? [submit(), submit()] : [submit()]);
  }

  async #wait(run: Run, isEnough: (now: Run) => boolean | Promise<boolean>): Promise<boolean> {
    let now = run;
    while (!(await isEnough(now))) {
      if (Date.now() > this.#until) {
        if (this.#kind !== "abandoned") this.#teller.unfinished.push({ run: now, name: this.#kind });
        return false;
      }
      await sleep(POLL_INTERVAL);
      try {
        now = this.#hear(await this.#insist((runs, inThread) => runs.retrieve(run.id, inThread)));
      } catch (error) {
        if (!isTransient(error)) throw error;
      }
    }
    return isOver(now);
  }

  /** A background run. If the answer got lost, the thread may be locked by the run that was made all the same. */
  async #create(client: OpenAI, model: ModelName): Promise<Run | undefined> {
    const body = { assistant_id: this.#teller.assistants[model], tools: toolsOf(model) };
    try {
      const run = await insist(() => client.beta.threads.runs.create(this.#threadId, body), this.#until);
      if (this.random.chance(WATCHED)) this.#teller.watchers.watch(run);
      return this.#hear(run, model);
    } catch (error) {
      if (isRefusal(error)) return this.#active(model);
      if (isTransient(error)) return undefined;
      throw error;
    }
  }

  /** The thread's newest run. */
  async #active(model: ModelName): Promise<Run | undefined> {
    const { data } = await this.#insist((runs) => runs.list(this.#threadId, { limit: 1 }));
    const [run] = data;
    return run === undefined ? undefined : this.#hear(run, model);
  }

  async #read(stream: AsyncIterable<AssistantStreamEvent>, model: ModelName, events: number): Promise<Run | undefined> {
    let run: Run | undefined;
    let count = 0;
    try {
      for await (const event of stream) {
        if (event.event.startsWith("thread.run.") && !event.event.startsWith("thread.run.step.")) {
          run = this.#hear(event.data as Run, model);
        }
        // What a model with tools has said is told before it is sure.
        if (event.event === "thread.message.completed" && model !== "tools")
          this.#teller.memory.hearMessage(event.data);
        if (++count > events) break;
      }
    } catch (error) {
      if (!isTransient(error)) throw error;
    }
    return run;
  }

  #hear(run: Run, model?: ModelName): Run {
    const text = model === "steady" || model === "slow" ? TEXTS[model].join("") : undefined;
    return this.#teller.memory.hear(run, this.#kind, text);
  }

  #insist<T>(
    call: (runs: OpenAI["beta"]["threads"]["runs"], inThread: { thread_id: string }) => Promise<T>,
  ): Promise<T> {
    const { runs } = this.#teller.client.beta.threads;
    return insist(() => call(runs, { thread_id: this.#threadId }), this.#until);
  }
}

const toolsOf = (model: ModelName) => (model === "tools" || model === "calling" ? TOOLS : []);
