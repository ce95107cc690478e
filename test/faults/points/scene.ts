/** One run that comes to its point, and what its client does before and after the process dies there. */
import OpenAI, { toFile } from "openai";
import type { Run } from "openai/resources/beta/threads/runs/runs";
import { controlModel } from "../../../local/model/control.ts";
import type { Stack } from "../../../local/stack.ts";
import { until } from "../../e2e/harness.ts";
import { OUTPUT, type Point, TOOL, type Way } from "./points.ts";

const ENDED: Run["status"][] = ["completed", "incomplete", "failed", "cancelled", "expired"];
const isOver = ({ status }: Run) => ENDED.includes(status);

export class Scene {
  readonly name: string;
  readonly point: Point;
  readonly way: Way;
  readonly threadId: string;
  readonly #assistantId: string;
  readonly #model: string;
  readonly #stack: Stack;

  // biome-ignore lint/style/useConsistentMemberAccessibility: a constructor has no #private form.
  private constructor(stack: Stack, point: Point, way: Way, threadId: string, assistantId: string, model: string) {
    this.name = `a ${way} run ${point.name}`;
    this.#stack = stack;
    this.point = point;
    this.way = way;
    this.threadId = threadId;
    this.#assistantId = assistantId;
    this.#model = model;
  }

  static async prepare(stack: Stack, client: OpenAI, point: Point, way: Way): Promise<Scene> {
    const model = `model-${crypto.randomUUID()}`;
    await controlModel(stack.model.baseUrl).script(model, point.turns);
    const { assistants, threads } = client.beta;
    // With instructions the model has something to read also when every message is deleted.
    const files = point.searches ? await searchable(client) : {};
    const assistant = await assistants.create({ model, tools: [TOOL], instructions: "Answer.", ...files });
    const thread = await threads.create({ messages: [{ role: "user", content: "Why?" }] });
    return new Scene(stack, point, way, thread.id, assistant.id, model);
  }

  /** Goes on until the process dies, and the client with it. */
  async begin({ beta: { threads } }: OpenAI): Promise<void> {
    const request = { assistant_id: this.#assistantId };
    if (this.way === "background") {
      const { id } = await threads.runs.create(this.threadId, request);
      return this.#answerCalls(threads, id);
    }
    const stream = threads.runs.stream(this.threadId, request);
    const paused = await stream.finalRun();
    const outputs = outputsOf(paused);
    await threads.runs.submitToolOutputsStream(paused.id, { thread_id: this.threadId, ...outputs }).finalRun();
  }

  /** Another client finds the run, by its thread, and sees it to its end. */
  async end({ beta: { threads } }: OpenAI, patience: number): Promise<Run> {
    const { data } = await threads.runs.list(this.threadId);
    const [run] = data;
    if (run === undefined || data.length > 1) throw new Error(`${this.name}: there are ${data.length} runs`);
    await this.#answerCalls(threads, run.id, patience);
    return threads.runs.retrieve(run.id, { thread_id: this.threadId });
  }

  modelCalls = async (): Promise<number> =>
    (await controlModel(this.#stack.model.baseUrl).report(this.#model)).requests.length;

  async #answerCalls({ runs }: OpenAI["beta"]["threads"], runId: string, patience?: number): Promise<void> {
    await until(async () => {
      const run = await runs.retrieve(runId, { thread_id: this.threadId });
      if (run.status === "requires_action") {
        // Refused if the run's first client, which may be alive, was faster.
        await runs.submitToolOutputs(runId, { thread_id: this.threadId, ...outputsOf(run) }).catch(unlessRefused);
      }
      return isOver(run);
    }, patience);
  }
}

/** What lets an assistant search a file. */
async function searchable(client: OpenAI) {
  const file = await client.files.create({
    file: await toFile(Buffer.from("Cats purr."), "cats.txt"),
    purpose: "assistants",
  });
  const store = await client.vectorStores.create({});
  await client.vectorStores.files.createAndPoll(store.id, { file_id: file.id }, { pollIntervalMs: 100 });
  return {
    tools: [TOOL, { type: "file_search" as const }],
    tool_resources: { file_search: { vector_store_ids: [store.id] } },
  };
}

function unlessRefused(error: unknown): void {
  if (!(error instanceof OpenAI.BadRequestError)) throw error;
}

function outputsOf(run: Run) {
  const calls = run.required_action?.submit_tool_outputs.tool_calls ?? [];
  return { tool_outputs: calls.map(({ id }) => ({ tool_call_id: id, output: OUTPUT })) };
}
