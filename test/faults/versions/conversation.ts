/** One conversation each with an assistant of its own: what a client does, and what it must find afterwards. */
import { setTimeout as sleep } from "node:timers/promises";
import { APIError } from "openai";
import type { Run, RunCreateParamsNonStreaming } from "openai/resources/beta/threads/runs/runs";
import { controlModel } from "../../../local/model/control.ts";
import type { Turn } from "../../../local/model/turn.ts";
import type { Build, Fleet } from "./fleet.ts";
import { type Follower, follow } from "./follower.ts";
import { NEW_MEANING } from "./newer-build.ts";

export const STORIES = [
  "background",
  "streamed",
  "tools",
  "cancelled",
  "new meaning",
  "streamed tools",
  "expired",
  "new meaning with tools",
] as const;
export type StoryName = (typeof STORIES)[number];

const WORDS = Array.from({ length: 10 }, (_, number) => `word${number} `);
export const ANSWER = WORDS.join("");
const SAY: Turn = { text: WORDS, tokenMs: 30 };
const SAY_SLOWLY: Turn = { text: Array.from({ length: 60 }, () => "word "), tokenMs: 50 };
const CALL: Turn = { toolCalls: [{ name: "lookup", arguments: { of: "it" } }] };
const TOOLS = [{ type: "function" as const, function: { name: "lookup" } }];

/** Milliseconds. */
const POLL = 60;
const LONGEST = 45_000;

const ENDS: Run["status"][] = ["completed", "incomplete", "failed", "cancelled", "expired"];
const isOver = ({ status }: Run) => ENDS.includes(status);

export class Conversation {
  readonly story: StoryName;
  readonly model = `model-${crypto.randomUUID()}`;
  threadId = "";
  /** as it was when it was created, and as it has ended */
  created: Run | undefined;
  ended: Run | undefined;
  expected: Run["status"] = "completed";
  /** whether only the newer build could go on with the run, and none was there any more */
  isStranded = false;
  isStreamed = false;
  follower: Follower | undefined;
  readonly #fleet: Fleet;

  constructor(fleet: Fleet, story: StoryName) {
    this.#fleet = fleet;
    this.story = story;
  }

  /** The build that created the run: the newer one shows a field more. */
  get createdBy(): Build {
    return this.created !== undefined && "grade" in this.created ? "newer" : "older";
  }

  /** Whether the run has the meaning that only the newer build knows. */
  get isNewMeaning(): boolean {
    return this.createdBy === "newer" && this.story.startsWith("new meaning");
  }

  /** What the model was asked: how each request names its build. */
  async drivers(): Promise<string[]> {
    const { requests } = await controlModel(this.#fleet.stack.model.baseUrl).report(this.model);
    return requests.map(({ body }) => (body as { user?: string }).user ?? "older");
  }

  async hold(): Promise<void> {
    const hasTools = this.story.endsWith("tools") || this.story === "expired";
    const said = this.story === "cancelled" ? SAY_SLOWLY : SAY;
    const script = hasTools ? [CALL, said] : [said];
    await controlModel(this.#fleet.stack.model.baseUrl).script(this.model, script, { repeat: !hasTools });
    const { assistants, threads } = this.#fleet.client.beta;
    const assistant = await assistants.create({ model: this.model, tools: hasTools ? TOOLS : [] });
    this.threadId = (await threads.create({ messages: [{ role: "user", content: "Why?" }] })).id;
    const request = { assistant_id: assistant.id, metadata: this.story.startsWith("new") ? NEW_MEANING : {} };
    this.isStreamed = this.story.startsWith("streamed");
    const run = this.isStreamed ? await this.#stream(request) : await this.#create(request);
    this.follower = follow(this.#fleet.client, run);
    if (this.story === "cancelled") await this.#cancel(run);
    this.ended = await this.#untilOver(run, hasTools);
  }

  async #create(request: RunCreateParamsNonStreaming): Promise<Run> {
    const { runs } = this.#fleet.client.beta.threads;
    try {
      this.created = await runs.create(this.threadId, request);
    } catch (error) {
      // The client's library asked again after an instance was stopped that had created the run.
      if (!isRefusal(error, "already has an active run")) throw error;
      this.created = await this.#findRun();
    }
    return this.created;
  }

  async #findRun(): Promise<Run> {
    const [run] = (await this.#fleet.client.beta.threads.runs.list(this.threadId)).data;
    if (run === undefined) throw new Error(`thread ${this.threadId} has no run`);
    return run;
  }

  /** Until the stream ends, also where its instance is stopped in the middle: the run goes on. */
  async #stream(request: RunCreateParamsNonStreaming): Promise<Run> {
    const { runs } = this.#fleet.client.beta.threads;
    let last = "";
    try {
      for await (const { event, data } of await runs.create(this.threadId, { ...request, stream: true })) {
        last = event;
        if (event === "thread.run.created") this.created = data;
      }
      if (!/^thread\.run\.(requires_action|completed)$/.test(last)) throw new Error(`a stream ended with "${last}"`);
    } catch (error) {
      if (error instanceof APIError ? isRefusal(error, "active run") : !isBroken(error)) throw error;
    }
    this.created ??= await this.#findRun();
    return this.created;
  }

  async #cancel(run: Run): Promise<void> {
    const { runs } = this.#fleet.client.beta.threads;
    await sleep(POLL * 5);
    this.expected = "cancelled";
    try {
      await runs.cancel(run.id, { thread_id: this.threadId });
    } catch (error) {
      // Asked again by the client's library, after an answer that got lost.
      if (!isRefusal(error, "'cancelling'") && !isRefusal(error, "'cancelled'")) throw error;
    }
  }

  async #untilOver({ id }: Run, hasTools: boolean): Promise<Run> {
    const { runs } = this.#fleet.client.beta.threads;
    for (const end = Date.now() + LONGEST; ; await sleep(POLL)) {
      const run = await runs.retrieve(id, { thread_id: this.threadId });
      if (isOver(run)) return run;
      if (Date.now() > end)
        throw new Error(`${this.story}: run ${id} of thread ${this.threadId} is stuck as ${run.status}`);
      if (run.status === "requires_action" && hasTools && this.expected === "completed") await this.#goOn(run);
      if (this.isNewMeaning && !this.#fleet.isUp("newer")) await this.#strand(run);
    }
  }

  async #goOn(run: Run): Promise<void> {
    if (this.story === "expired") return this.#expire(run);
    const calls = run.required_action?.submit_tool_outputs.tool_calls ?? [];
    const outputs = calls.map((call) => ({ tool_call_id: call.id, output: "It is so." }));
    try {
      await this.#fleet.client.beta.threads.runs.submitToolOutputs(run.id, {
        thread_id: this.threadId,
        tool_outputs: outputs,
      });
    } catch (error) {
      const isTaken = isRefusal(error, "do not accept tool outputs");
      // As often as the library asks, each time another instance: a newer one may be gone by now.
      const isUpdating = error instanceof APIError && error.status === 503 && this.isNewMeaning;
      if (!isTaken && !isUpdating) throw error;
    }
  }

  /** Its time is over now: in the store, since no test waits for ten minutes. */
  async #expire(run: Run): Promise<void> {
    this.expected = "expired";
    const now = Date.now();
    await this.#fleet.threads.item(run.id, this.#fleet.partitionOf(this.threadId)).patch([
      { op: "set", path: "/expires_at", value: Math.floor(now / 1000) - 1 },
      { op: "set", path: "/internal/due", value: now },
    ]);
  }

  /** After a rollback, the run waits until its time is over or its client cancels it. */
  async #strand(run: Run): Promise<void> {
    const isOurs = run.status === "queued" || run.status === "requires_action";
    // A newer instance that is being stopped may still finish or release it.
    if (!isOurs || this.isStranded) return;
    this.isStranded = true;
    if (run.status === "requires_action") await this.#expire(run);
    else await this.#cancel(run);
  }
}

const isRefusal = (error: unknown, text: string) =>
  error instanceof APIError && error.status === 400 && error.message.includes(text);

/** What the library and fetch throw of a stream that broke off, or that said so. */
const isBroken = (error: unknown) => error instanceof Error && !error.message.startsWith("a stream ended");
