/**
 * Streams that were changed at random: `ODD_STREAMS=20000 npx vitest run test/odd-answers/fuzz.test.ts` tries many, and
 * `ODD_SEED=…` begins with another one. Whatever comes, no fault of this code shows, a complete answer is never asked
 * for again, and what is stored is what the API allows. Most streams are read over a socket into a turn; every tenth is
 * that of a run with a store and a queue.
 */
import { createParser } from "eventsource-parser";
import { afterAll, beforeAll, expect, test } from "vitest";
import { messageObject } from "../../src/resources/message.ts";
import { runObject } from "../../src/resources/run.ts";
import { runStepObject } from "../../src/resources/step.ts";
import { advance } from "../../src/runs/advance.ts";
import { hear } from "../../src/runs/hear.ts";
import { paused } from "../../src/runs/lifecycle.ts";
import { driveStreamed, startStreamedRun } from "../../src/runs/start.ts";
import { Turn } from "../../src/runs/turn.ts";
import { apiObject, type MessageDoc, messageSort, type RunDoc, type StepDoc } from "../../src/store/documents.ts";
import { ALL_STEPS, wholeRange } from "../../src/store/ranges.ts";
import { checkStore } from "../../tools/check-store/check-store.ts";
import { complaint } from "../e2e/oracle.ts";
import { inStore } from "../faults/points/look.ts";
import { NOW, RESERVED, runIn } from "../unit/documents.ts";
import { type EngineWorld, type Question, startEngineWorld } from "../unit/runs/engine-world.ts";
import { collectedLog } from "../unit/runs/log-lines.ts";
import { StreamReader } from "../unit/runs/stream-reader.ts";
import { mutatedReply } from "./mutations.ts";
import { type RawModel, type Reply, startRawModel } from "./raw-model.ts";

const STREAMS = Number(process.env.ODD_STREAMS ?? 120);
const FIRST_SEED = Number(process.env.ODD_SEED ?? 1);

/** A world keeps all that was stored in it in memory. */
const STREAMS_OF_A_WORLD = 5_000;

const { log, lines } = collectedLog();
let model: RawModel;
let world: EngineWorld;

const newWorld = () => startEngineWorld({ MODEL_ENDPOINT: model.endpoint, MODEL_MAX_ATTEMPTS: "2" }, log);

beforeAll(async () => {
  model = await startRawModel();
  world = await newWorld();
});

afterAll(async () => {
  await world.stop();
  await model.stop();
});

test(`${STREAMS} changed streams`, { timeout: 60_000 + STREAMS * 300 }, async () => {
  const ends = new Map<string, number>();
  for (let number = 0; number < STREAMS; number++) {
    if (number > 0 && number % STREAMS_OF_A_WORLD === 0) {
      await expectSoundStore();
      await world.stop();
      world = await newWorld();
      model.forget();
    }
    const seed = FIRST_SEED + number;
    const status = await tryStream(seed).catch((error: unknown) => {
      throw new Error(`ODD_SEED=${seed}: ${error instanceof Error ? error.message : error}`, { cause: error });
    });
    ends.set(status, (ends.get(status) ?? 0) + 1);
  }
  await expectSoundStore();
  if (STREAMS > 1_000) console.log(Object.fromEntries(ends));
  // A table of changes after which nothing could be read would prove little.
  expect(ends.get("completed")).toBeGreaterThan(STREAMS / 10);
  expect(ends.get("requires_action")).toBeGreaterThan(STREAMS / 20);
});

/** Runs that wait for another attempt are overdue, since nothing wakes them here. */
async function expectSoundStore(): Promise<void> {
  const options = { tolerance: 86_400_000, eventsTtl: 86_400, messagesAreDeleted: false };
  const { endpoint, key } = world.cosmos;
  const report = await inStore({ cosmos: { endpoint, key } }, (threads) => checkStore(threads, options));
  expect(report.violations).toEqual([]);
  expect(report.threads).toBeGreaterThan(0);
}

const tryStream = (seed: number) => (seed % 10 === 0 ? tryRun(seed) : tryTurn(seed));

/** An answer that is read as a driver reads it. */
async function tryTurn(seed: number): Promise<string> {
  const reply = mutatedReply(seed);
  const name = `turn-${seed}`;
  model.script(name, [reply]);
  const reader = new StreamReader();
  const turn = new Turn(
    RUN,
    RESERVED,
    (event) => reader.read(structuredClone(event)),
    () => NOW,
  );
  const request = { model: name, messages: [] };
  const failed = await hear(world.engine.model.stream(request, new AbortController().signal), turn);
  expect(model.asked(name)).toHaveLength(1);
  if (failed !== undefined) {
    if (isComplete(reply)) throw failed.error;
    // An error of the language shows that something was not as this code believed.
    if (NO_FAULTS.some((fault) => failed.error instanceof fault)) throw failed.error;
    expectDocuments(RUN, turn.documents);
    return "in_progress";
  }
  turn.close();
  const { toolCalls } = turn;
  const ended =
    toolCalls === undefined || turn.finishReason === "length" ? RUN : paused(RUN, toolCalls.step, toolCalls.calls);
  expectDocuments(ended, turn.documents);
  return toolCalls === undefined ? "completed" : "requires_action";
}

const RUN = runIn("in_progress");
const NO_FAULTS = [TypeError, RangeError, ReferenceError, SyntaxError];

/** A run whose model answers so. */
async function tryRun(seed: number): Promise<string> {
  const reply = mutatedReply(seed);
  const asked = await world.question([]);
  const name = asked.newRun().assistant.model;
  model.script(name, [reply]);
  lines.length = 0;
  const runId = await (seed % 20 === 0 ? streamed : background)(asked);
  const faults = lines.filter(({ message }) => message !== "model call failed");
  expect(faults).toEqual([]);
  expect(model.asked(name)).toHaveLength(1);
  const run = await asked.read(runId);
  if (isComplete(reply)) {
    // It neither waits for another attempt, nor has it failed as an answer does that could not be read.
    expect(run.status).toMatch(/^(completed|requires_action|incomplete|failed)$/);
    expect(run.last_error?.code ?? "content_filter").toBe("content_filter");
  }
  const { partition } = asked;
  const [steps, messages] = await Promise.all([
    partition.list<StepDoc>({ range: ALL_STEPS, descending: false, limit: 100, runIds: [run.id] }),
    partition.list<MessageDoc>({ range: wholeRange(messageSort), descending: false, limit: 100 }),
  ]);
  expectDocuments(withoutEtag(run), [...steps, ...messages]);
  return run.status;
}

async function background(asked: Question): Promise<string> {
  const { run, job } = await asked.start();
  await advance(world.engine, job);
  return run.id;
}

async function streamed(asked: Question): Promise<string> {
  const { config } = world.engine;
  const engine = { ...world.engine, config: { ...config, model: { ...config.model, maxAttempts: 1 } } };
  const run = await startStreamedRun(engine, asked.newRun());
  const reader = new StreamReader();
  let wrong: unknown;
  await driveStreamed(engine, run, (event) => {
    try {
      if (event.event !== "error") reader.read(structuredClone(event));
    } catch (error) {
      wrong ??= error;
    }
  });
  if (wrong !== undefined) throw wrong;
  return run.run.id;
}

/** Whether a finish reason was sent before anything that is no chunk, read by a library and in the plainest way. */
function isComplete({ body }: Reply): boolean {
  const bytes = Buffer.concat((Array.isArray(body) ? body : [body]).map((piece) => Buffer.from(piece)));
  const states: string[] = [];
  const parser = createParser({
    onEvent: ({ event, data }) => states.push(stateAfter(data.trim(), event === "error")),
  });
  const text = new TextDecoder().decode(bytes);
  if (!/^[\s\ufeff]*(data|event|id|retry|:)/.test(text)) return false;
  parser.feed(`${text}\n\n`);
  return states.find((state) => state !== "going on") === "complete";
}

function stateAfter(data: string, isError: boolean): "going on" | "complete" | "broken" {
  if (isError || data === "[DONE]") return "broken";
  if (!data.startsWith("{")) return "going on";
  try {
    const chunk = JSON.parse(data);
    if (chunk.error || chunk.object === "error") return "broken";
    const [choice] = Array.isArray(chunk.choices) ? chunk.choices : [];
    const reason = choice?.index === 0 ? choice.finish_reason : undefined;
    if (typeof reason === "string" && reason.trim().toLowerCase() === "error") return "broken";
    return ["stop", "length", "tool_calls"].includes(reason) ? "complete" : "going on";
  } catch {
    return "broken";
  }
}

/** They are allowed by the contract's schemas, where those are, and by our own; and calls have ids of their own. */
function expectDocuments(run: RunDoc, documents: (StepDoc | MessageDoc)[]): void {
  const thread = `http://test/v1/threads/${run.thread_id}`;
  expectSchema(`${thread}/runs/${run.id}`, runObject, apiObject(run));
  for (const doc of documents) {
    if (doc.kind === "message") expectSchema(`${thread}/messages/${doc.id}`, messageObject, apiObject(doc));
    else expectSchema(`${thread}/runs/${run.id}/steps/${doc.id}`, runStepObject, apiObject(doc));
    const calls = doc.kind === "step" && doc.step_details.type === "tool_calls" ? doc.step_details.tool_calls : [];
    expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
  }
}

const withoutEtag = ({ _etag: _, ...run }: RunDoc & { _etag: string }): RunDoc => run;

function expectSchema(url: string, schema: { parse(value: unknown): unknown }, object: object): void {
  const shown: unknown = JSON.parse(JSON.stringify(object));
  schema.parse(shown);
  expect(complaint("GET", new URL(url), 200, shown)).toBeUndefined();
}
