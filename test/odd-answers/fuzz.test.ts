/**
 * Streams that were changed at random: `ODD_STREAMS=20000 npx vitest run test/odd-answers/fuzz.test.ts` tries many, and
 * `ODD_SEED=…` begins with another one. Whatever comes, no fault of this code shows, a complete answer is never asked
 * for again, and what is stored is what the API allows.
 */
import { createParser } from "eventsource-parser";
import { afterAll, beforeAll, expect, test } from "vitest";
import { messageObject } from "../../src/resources/message.ts";
import { runObject } from "../../src/resources/run.ts";
import { runStepObject } from "../../src/resources/step.ts";
import { advance } from "../../src/runs/advance.ts";
import { driveStreamed, startStreamedRun } from "../../src/runs/start.ts";
import { apiObject, type MessageDoc, messageSort, type RunDoc, type StepDoc } from "../../src/store/documents.ts";
import { ALL_STEPS, wholeRange } from "../../src/store/ranges.ts";
import { complaint } from "../e2e/oracle.ts";
import { type EngineWorld, type Question, startEngineWorld } from "../unit/runs/engine-world.ts";
import { collectedLog } from "../unit/runs/log-lines.ts";
import { StreamReader } from "../unit/runs/stream-reader.ts";
import { mutatedReply } from "./mutations.ts";
import { type RawModel, type Reply, startRawModel } from "./raw-model.ts";

const STREAMS = Number(process.env.ODD_STREAMS ?? 100);
const FIRST_SEED = Number(process.env.ODD_SEED ?? 1);

/** A world keeps all that was stored in it in memory. */
const STREAMS_OF_A_WORLD = 1_000;

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

test(`${STREAMS} changed streams`, { timeout: 60_000 + STREAMS * 200 }, async () => {
  const ends = new Map<string, number>();
  for (let number = 0; number < STREAMS; number++) {
    if (number > 0 && number % STREAMS_OF_A_WORLD === 0) {
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
  if (STREAMS > 1_000) console.log(Object.fromEntries(ends));
  // A table of changes after which nothing could be read would prove little.
  expect(ends.get("completed")).toBeGreaterThan(STREAMS / 10);
  expect(ends.get("requires_action")).toBeGreaterThan(STREAMS / 20);
});

async function tryStream(seed: number): Promise<string> {
  const reply = mutatedReply(seed);
  const asked = await world.question([]);
  const name = asked.newRun().assistant.model;
  model.script(name, [reply]);
  lines.length = 0;
  const runId = await (seed % 2 === 0 ? streamed : background)(asked);
  const faults = lines.filter(({ message }) => message !== "model call failed");
  expect(faults).toEqual([]);
  expect(model.asked(name)).toHaveLength(1);
  const run = await asked.read(runId);
  if (isComplete(reply)) {
    // It neither waits for another attempt, nor has it failed as an answer does that could not be read.
    expect(run.status).toMatch(/^(completed|requires_action|incomplete|failed)$/);
    expect(run.last_error?.code ?? "content_filter").toBe("content_filter");
  }
  await expectAllowed(asked, run);
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
    return ["stop", "length", "tool_calls"].includes(reason) ? "complete" : "going on";
  } catch {
    return "broken";
  }
}

/** By the contract's schemas where they are, and by our own. */
async function expectAllowed({ partition, threadId }: Question, run: RunDoc & { _etag: string }): Promise<void> {
  const [steps, messages] = await Promise.all([
    partition.list<StepDoc>({ range: ALL_STEPS, descending: false, limit: 100, runIds: [run.id] }),
    partition.list<MessageDoc>({ range: wholeRange(messageSort), descending: false, limit: 100 }),
  ]);
  const thread = `http://test/v1/threads/${threadId}`;
  expectSchema(`${thread}/runs/${run.id}`, runObject, apiObject(withoutEtag(run)));
  for (const step of steps) expectSchema(`${thread}/runs/${run.id}/steps/${step.id}`, runStepObject, apiObject(step));
  for (const message of messages) expectSchema(`${thread}/messages/${message.id}`, messageObject, apiObject(message));
  const calls = steps.flatMap(({ step_details: details }) => (details.type === "tool_calls" ? details.tool_calls : []));
  expect(new Set(calls.map(({ id }) => id)).size).toBe(calls.length);
}

const withoutEtag = ({ _etag: _, ...run }: RunDoc & { _etag: string }): RunDoc => run;

function expectSchema(url: string, schema: { parse(value: unknown): unknown }, object: object): void {
  const shown: unknown = JSON.parse(JSON.stringify(object));
  schema.parse(shown);
  expect(complaint("GET", new URL(url), 200, shown)).toBeUndefined();
}
