/** The engine with the file_search tool over a library of the test's own. */
import type { Turn } from "../../../local/model/turn.ts";
import type { Assistant } from "../../../src/resources/assistant.ts";
import type { CreateRunRequest } from "../../../src/resources/run.ts";
import type { Engine } from "../../../src/runs/engine.ts";
import type { RunEvent } from "../../../src/runs/events.ts";
import { driveStreamed, type NewRun, startStreamedRun } from "../../../src/runs/start.ts";
import { type MessageDoc, messageSort, type StepDoc, stepSort } from "../../../src/store/documents.ts";
import { wholeRange } from "../../../src/store/ranges.ts";
import { assistant } from "../documents.ts";
import { silentLog } from "../silent-log.ts";
import { type EngineWorld, type Question, startEngineWorld } from "./engine-world.ts";
import { Library, STORE } from "./library.ts";
import { StreamReader } from "./stream-reader.ts";

export const SEARCH: Turn = { toolCalls: [{ id: "call_s", name: "file_search", arguments: { queries: ["food"] } }] };
export const ANSWER: Turn = { text: ["Tacos", "【4:", "0†tacos.txt】", "."] };
export const FUNCTION = { type: "function" as const, function: { name: "lookup", parameters: {}, strict: false } };
export const FILES = {
  type: "file_search" as const,
  file_search: { ranking_options: { ranker: "auto" as const, score_threshold: 0 } },
};

export interface Scene {
  asked: Question;
  answering: Assistant;
}

export class SearchWorld {
  readonly base: EngineWorld;
  /** of the scene that was asked for last: one test at a time */
  library: Library;

  // biome-ignore lint/style/useConsistentMemberAccessibility: a constructor has no #private form.
  private constructor(base: EngineWorld, library: Library) {
    this.base = base;
    this.library = library;
  }

  static async start(): Promise<SearchWorld> {
    const library = new Library();
    const current = (): Library => world.library;
    const base = await startEngineWorld({ RUN_LEASE: "5" }, silentLog, [
      {
        ...library.tool,
        readiness: (use, now) => current().tool.readiness(use, now),
        run: (use, calls, signal) => current().tool.run(use, calls, signal),
      },
    ]);
    const world = new SearchWorld(base, library);
    return world;
  }

  stop = (): Promise<void> => this.base.stop();

  /** A question to a model that says these, whose assistant may search the library. */
  async ask(turns: Turn[], tools: (typeof FUNCTION | typeof FILES)[] = [FILES]): Promise<Scene> {
    this.library = new Library();
    const asked = await this.base.question(turns);
    const resources = { file_search: { vector_store_ids: [STORE] } };
    const answering = assistant({ model: `model-${asked.tenant}`, tools, tool_resources: resources });
    return { asked, answering };
  }

  stream = (scene: Scene, request?: Partial<CreateRunRequest>, changes?: Partial<NewRun>) =>
    stream(this.base.engine, scene, request, changes);
}

/** A streamed run, to its pause or end. */
export async function stream(
  engine: Engine,
  { asked, answering }: Scene,
  request: Partial<CreateRunRequest> = {},
  changes: Partial<NewRun> = {},
) {
  const events: RunEvent[] = [];
  const reader = new StreamReader();
  const streamed = await startStreamedRun(engine, asked.newRun(request, { assistant: answering, ...changes }));
  await driveStreamed(engine, streamed, (event) => {
    events.push(structuredClone(event));
    reader.read(event);
  });
  return { events, names: events.map(({ event }) => event), run: await asked.read(streamed.run.id), reader };
}

export const stepsOf = ({ asked }: Scene, runId: string): Promise<StepDoc[]> =>
  asked.partition.list<StepDoc>({ range: wholeRange((seq) => stepSort(runId, seq)), descending: false, limit: 100 });

export const messagesOf = ({ asked }: Scene): Promise<MessageDoc[]> =>
  asked.partition.list<MessageDoc>({ range: wholeRange(messageSort), descending: false, limit: 100 });
