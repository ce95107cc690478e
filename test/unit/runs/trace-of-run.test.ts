/** Whether a run is recorded is chosen once, also where its client sends one trace, not recorded, with all its requests. */
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  ParentBasedSampler,
  type Sampler,
  SamplingDecision,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import type { Tool } from "../../../src/resources/common.ts";
import { advance } from "../../../src/runs/advance.ts";
import { submitToolOutputs } from "../../../src/runs/commands.ts";
import { OtelRecorder } from "../../../src/telemetry/recorder.ts";
import { inSpan, recordWith } from "../../../src/telemetry/telemetry.ts";
import { type EngineWorld, startEngineWorld } from "./engine-world.ts";

const CLIENTS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

const FUNCTION_TOOL: Extract<Tool, { type: "function" }> = {
  type: "function",
  function: { name: "look", parameters: { type: "object", properties: {} }, strict: false },
};

let world: EngineWorld;
beforeAll(async () => {
  world = await startEngineWorld();
});
afterAll(() => world.stop());
afterEach(() => recordWith(undefined));

/** As a sampler with a rate chooses, request by request. */
class Choices implements Sampler {
  readonly #choices: boolean[];

  constructor(choices: boolean[]) {
    this.#choices = choices;
  }

  shouldSample() {
    const isTaken = this.#choices.shift() === true;
    return { decision: isTaken ? SamplingDecision.RECORD_AND_SAMPLED : SamplingDecision.NOT_RECORD };
  }
}

test.each([
  ["recorded", [true, false], 2],
  ["not recorded", [false, true], 0],
])("a run that is %s when it is created is so to its end", async (_, choices, drives) => {
  const exporter = new InMemorySpanExporter();
  const root = new Choices(choices);
  const tracers = new BasicTracerProvider({
    sampler: new ParentBasedSampler({ root, remoteParentNotSampled: root }),
    spanProcessors: [new SimpleSpanProcessor(exporter)],
  });
  recordWith(new OtelRecorder(tracers.getTracer("test")));
  const request = <T>(name: string, work: () => Promise<T>) =>
    inSpan({ name, kind: "server", attributes: {}, parent: CLIENTS }, work);

  const call = { id: "call_f", name: FUNCTION_TOOL.function.name, arguments: {} };
  const asked = await world.question([{ toolCalls: [call] }, { text: "Yes." }]);
  const { run, job } = await request("creates", async () => {
    const started = await asked.start({ tools: [FUNCTION_TOOL] });
    await advance(world.engine, started.job);
    return started;
  });
  expect((await asked.read(run.id)).status).toBe("requires_action");
  const ref = { partition: asked.partition, threadId: asked.threadId, runId: run.id };
  await request("submits", async () => {
    await submitToolOutputs(world.engine, ref, { tool_outputs: [{ tool_call_id: "call_f", output: "42" }] }, false);
    await advance(world.engine, job);
  });
  expect((await asked.read(run.id)).status).toBe("completed");
  await tracers.forceFlush();
  expect(exporter.getFinishedSpans().filter(({ name }) => name === "invoke_agent")).toHaveLength(drives);
});
