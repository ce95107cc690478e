/** The engine with the code_interpreter tool over a pool of the test's own. */
import type { Turn } from "../../../local/model/turn.ts";
import type { Tool } from "../../../src/resources/common.ts";
import type { CreateRunRequest } from "../../../src/resources/run.ts";
import { advance } from "../../../src/runs/advance.ts";
import type { RunEvent } from "../../../src/runs/events.ts";
import type { NewRun } from "../../../src/runs/start.ts";
import type { HostedTool } from "../../../src/runs/tools/hosted-tool.ts";
import type { EventsDoc, RunDoc, StepDoc, ThreadDoc } from "../../../src/store/documents.ts";
import { assistant } from "../documents.ts";
import { silentLog } from "../silent-log.ts";
import { type EngineWorld, startEngineWorld } from "./engine-world.ts";
import { Library } from "./library.ts";
import { decodeLog } from "./log-reader.ts";
import { Sandbox } from "./sandbox.ts";
import { FUNCTION, messagesOf, type Scene, stepsOf, stream } from "./search-world.ts";

export const CODE: Tool = { type: "code_interpreter" };
export { FUNCTION };

export const python = (code: string, id = "call_c"): Turn => ({
  toolCalls: [{ id, name: "python", arguments: { code } }],
});

export class CodeWorld {
  readonly base: EngineWorld;
  /** of the scene that was asked for last: one test at a time */
  sandbox: Sandbox;
  library: Library;

  // biome-ignore lint/style/useConsistentMemberAccessibility: a constructor has no #private form.
  private constructor(base: EngineWorld, sandbox: Sandbox, library: Library) {
    this.base = base;
    this.sandbox = sandbox;
    this.library = library;
  }

  static async start(): Promise<CodeWorld> {
    const current = (): CodeWorld => world;
    // Each drive gets the tool of the present scene.
    const code: HostedTool = Object.assign(new Sandbox().tool, { forDrive: () => current().sandbox.tool.forDrive() });
    const library = new Library();
    const search: HostedTool = { ...library.tool, forDrive: () => current().library.tool };
    const world = new CodeWorld(
      await startEngineWorld({ RUN_LEASE: "5" }, silentLog, [code, search]),
      new Sandbox(),
      library,
    );
    return world;
  }

  stop = (): Promise<void> => this.base.stop();

  async ask(turns: Turn[], tools: Tool[] = [CODE]): Promise<Scene> {
    this.sandbox = new Sandbox();
    this.library = new Library();
    const asked = await this.base.question(turns);
    return { asked, answering: assistant({ model: `model-${asked.tenant}`, tools }) };
  }

  stream = (scene: Scene, request?: Partial<CreateRunRequest>, changes?: Partial<NewRun>) =>
    stream(this.base.engine, scene, request, changes);

  /** A background run, driven once. */
  async work({ asked, answering }: Scene) {
    const { run, job } = await asked.start({}, { assistant: answering });
    await advance(this.base.engine, job);
    return { job, run: await asked.read(run.id) };
  }
}

export async function threadOf({ asked }: Scene): Promise<ThreadDoc> {
  const thread = await asked.partition.read<ThreadDoc>(asked.threadId);
  if (thread === undefined) throw new Error("the thread is gone");
  return thread;
}

/** What the event log of a run tells to who reads it now. */
export async function logOf(scene: Scene, run: RunDoc): Promise<RunEvent[]> {
  const chunks: unknown[][] = [];
  for (let number = 0; number < run.internal.log.chunks; number++) {
    const chunk = await scene.asked.partition.read<EventsDoc>(`${run.id}:events:${number}`);
    if (chunk === undefined) throw new Error(`chunk ${number} is gone`);
    chunks.push(chunk.internal.entries);
  }
  return decodeLog(chunks, run, await stepsOf(scene, run.id));
}

/** The events that runs, steps and messages begin and end with. */
export const BEGINNING = ["thread.run.created", "thread.run.queued", "thread.run.in_progress"];
export const STEP = ["thread.run.step.created", "thread.run.step.in_progress"];
export const MESSAGE = [...STEP, "thread.message.created", "thread.message.in_progress"];
export const MESSAGE_END = ["thread.message.completed", "thread.run.step.completed"];

/** Without repetitions of deltas. */
export const short = (names: string[]) =>
  names.filter((name, index) => !(name.endsWith(".delta") && name === names[index - 1]));

export const callDeltas = (events: RunEvent[]) =>
  events
    .filter(({ event }) => event === "thread.run.step.delta")
    .map(
      ({ data }) => (data as { delta: { step_details: { tool_calls: unknown[] } } }).delta.step_details.tool_calls[0],
    );

export const codeOf = (deltas: unknown[]) =>
  (deltas as { code_interpreter: { input?: string } }[]).map((each) => each.code_interpreter.input ?? "").join("");

export const codeCalls = (step: StepDoc | undefined) => {
  if (step?.step_details.type !== "tool_calls") throw new Error("the step has no calls");
  return step.step_details.tool_calls.flatMap((call) => (call.type === "code_interpreter" ? call : []));
};

export { messagesOf, type Scene, stepsOf };
