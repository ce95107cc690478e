/** Endpoints that do not take every parameter: a run costs one refusal, the next ones none. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { OPTIONAL_PARAMETERS, type OptionalParameter, readConfig } from "../../src/config.ts";
import { Model } from "../../src/model/client.ts";
import { Parameters, type SentRequest } from "../../src/model/parameters.ts";
import type { CreateRunRequest } from "../../src/resources/run.ts";
import { advance } from "../../src/runs/advance.ts";
import type { Engine } from "../../src/runs/engine.ts";
import type { RunDoc, StepDoc } from "../../src/store/documents.ts";
import { type EngineWorld, type Question, startEngineWorld, until } from "../unit/runs/engine-world.ts";
import { collectedLog } from "../unit/runs/log-lines.ts";
import { type Asked, callStream, calls, type RawModel, says, sse, startRawModel, textStream } from "./raw-model.ts";
import { refusal, VOCABULARIES } from "./refusals.ts";

const { log, lines } = collectedLog();
let model: RawModel;
let world: EngineWorld;

beforeAll(async () => {
  model = await startRawModel();
  world = await startEngineWorld({ MODEL_ENDPOINT: model.endpoint }, log);
});

afterAll(async () => {
  await world.stop();
  await model.stop();
});

const TOOL = {
  type: "function" as const,
  function: { name: "f", parameters: { type: "object" }, strict: false },
};

/** A run that has every optional parameter in its call. */
const EVERYTHING: Partial<CreateRunRequest> = {
  tools: [TOOL],
  parallel_tool_calls: false,
  temperature: 0.5,
  top_p: 0.5,
  reasoning_effort: "low",
  max_completion_tokens: 500,
};

const nameOf = (asked: Question) => asked.newRun().assistant.model;

async function run(
  asked: Question,
  request: Partial<CreateRunRequest>,
  engine: Engine = world.engine,
): Promise<RunDoc> {
  const { run: queued, job } = await asked.start(request);
  await advance(engine, job);
  return asked.read(queued.id);
}

const PARAMETERS = OPTIONAL_PARAMETERS.filter((name) => name !== "call_extras");
const CASES = PARAMETERS.flatMap((parameter) => [400, 422].map((status) => [parameter, status] as const));

describe.each(CASES)("%s, refused with %i", (parameter, status) => {
  // All of them for one parameter; three that differ most for the others.
  const vocabularies = VOCABULARIES.filter(({ isMain }) => isMain || parameter === "stream_options");
  test.each(vocabularies)("in the words of $name", async ({ body }) => {
    const asked = await world.question([]);
    const name = nameOf(asked);
    const answer = ({ body: sent }: Asked) =>
      parameter in sent ? refusal(status, body(parameter)) : { body: textStream(says("Fine.")) };
    model.script(name, [answer]);
    expect(await run(asked, EVERYTHING)).toMatchObject({ status: "completed", last_error: null });
    expect(model.asked(name)).toHaveLength(2);
    expect(await run(asked, EVERYTHING)).toMatchObject({ status: "completed" });
    const [first = {}, second, third] = model.asked(name).map(({ body: sent }): Record<string, unknown> => sent);
    expect(model.asked(name)).toHaveLength(3);
    // All else is as it was; the bound is kept under its older name.
    const { [parameter]: refused, ...rest } = first;
    const kept = parameter === "max_completion_tokens" ? { ...rest, max_tokens: refused } : rest;
    expect(second).toEqual(kept);
    expect(third).toMatchObject({ ...kept, messages: expect.anything() });
    expect(third).not.toHaveProperty(parameter);
    const line = lines.find(({ model: of, message }) => of === name && message.includes("refuses parameters"));
    expect(line).toMatchObject({ parameters: [parameter] });
  });
});

test("several parameters that are refused one after the other cost a refusal each, once", async () => {
  const asked = await world.question([]);
  const name = nameOf(asked);
  const refused = ["temperature", "top_p", "parallel_tool_calls"];
  model.script(name, [
    ({ body }) => {
      const next = refused.find((parameter) => parameter in body);
      return next === undefined ? { body: textStream(says("Fine.")) } : refusal(400, VOCABULARIES[0]?.body(next));
    },
  ]);
  expect((await run(asked, EVERYTHING)).status).toBe("completed");
  expect(model.asked(name)).toHaveLength(4);
  expect((await run(asked, EVERYTHING)).status).toBe("completed");
  expect(model.asked(name)).toHaveLength(5);
});

test("several parameters that are refused at once cost one refusal", async () => {
  const asked = await world.question([]);
  const name = nameOf(asked);
  const message = "Unrecognized request arguments supplied: parallel_tool_calls, stream_options";
  model.script(name, [
    ({ body }) =>
      "stream_options" in body ? refusal(400, { error: { message } }) : { body: textStream(says("Fine.")) },
  ]);
  expect((await run(asked, EVERYTHING)).status).toBe("completed");
  expect(model.asked(name)).toHaveLength(2);
  expect(model.asked(name)[1]?.body).not.toHaveProperty("parallel_tool_calls");
});

describe("what decides what a run means is never left out:", () => {
  const forced = { type: "function" as const, function: { name: "f" } };
  const request = { ...EVERYTHING, tool_choice: forced, response_format: { type: "json_object" as const } };
  test.each(["tools", "messages", "response_format", "tool_choice", "model"])("%s", async (parameter) => {
    const asked = await world.question([]);
    const words = `Unsupported parameter: '${parameter}' is not supported with this model.`;
    model.script(nameOf(asked), [refusal(400, { error: { message: words, param: parameter, code: "unsupported" } })]);
    const error = { code: "invalid_prompt", message: words };
    expect(await run(asked, request)).toMatchObject({ status: "failed", last_error: error });
    expect(model.asked(nameOf(asked))).toHaveLength(1);
  });
});

test.each([
  [
    "a value out of its range",
    "Invalid 'temperature': decimal above maximum value. Expected a value <= 1.",
    "temperature",
  ],
  ["a prompt that is too long, with the bound named", "max_completion_tokens is too large: 500.", null],
  ["a parameter that was not sent", "Unsupported parameter: 'seed' is not supported.", "seed"],
])("%s is no parameter that is refused: the run fails in the model's words", async (_, message, param) => {
  const asked = await world.question([]);
  model.script(nameOf(asked), [refusal(400, { error: { message, param, code: "invalid" } })]);
  const error = { code: "invalid_prompt", message };
  expect(await run(asked, EVERYTHING)).toMatchObject({ status: "failed", last_error: error });
  expect(model.asked(nameOf(asked))).toHaveLength(1);
});

test("MODEL_WITHOUT says the same for every model, and no call is refused", async () => {
  const asked = await world.question([]);
  const config = readConfig({
    COSMOS_ENDPOINT: world.cosmos.endpoint,
    ServiceBusConnection: "unused",
    MODEL_ENDPOINT: model.endpoint,
    MODEL_WITHOUT: "stream_options, max_completion_tokens",
  });
  model.script(nameOf(asked), [{ body: textStream(says("Fine.")) }]);
  await run(asked, EVERYTHING, { ...world.engine, model: new Model(config, log) });
  const [sent] = model.asked(nameOf(asked));
  expect(sent?.body).toMatchObject({ max_tokens: 500, temperature: 0.5 });
  expect(sent?.body).not.toHaveProperty("stream_options");
  expect(sent?.body).not.toHaveProperty("max_completion_tokens");
});

test("what was put into a call comes back with it, also in later runs; a server that refuses it gets the bare call", async () => {
  const asked = await world.question([]);
  const name = nameOf(asked);
  const extras = { extra_content: { google: { thought_signature: "c2ln" } } };
  const signed = calls({ index: 0, id: "a", function: { name: "f", arguments: "{}" }, ...extras });
  const answer = { body: textStream(says("Fine.")) };
  model.script(name, [{ body: callStream(signed) }, answer, refuseExtras(answer), answer]);
  const paused = await run(asked, { tools: [TOOL] });
  const stored = await asked.partition.read<StepDoc>(paused.internal.open[0] ?? "");
  expect(stored?.internal.extras).toEqual([{ id: "a", fields: extras }]);
  await submit(asked, paused);
  const callOf = (index: number) => model.asked(name)[index]?.body.messages.find(({ tool_calls: made }) => made);
  const bare = { id: "a", type: "function", function: { name: "f", arguments: "{}" } };
  expect(callOf(1)).toEqual({ role: "assistant", tool_calls: [{ ...bare, ...extras }] });
  expect((await run(asked, { tools: [TOOL] })).status).toBe("completed");
  expect(callOf(2)).toEqual({ role: "assistant", tool_calls: [{ ...bare, ...extras }] });
  expect(callOf(3)).toEqual({ role: "assistant", tool_calls: [bare] });
  expect(model.asked(name)).toHaveLength(4);
});

test("what was put into a call is kept when the call had been saved before it came", async () => {
  const asked = await world.question([]);
  const extras = { extra_content: { google: { thought_signature: "c2ln" } } };
  const opening = calls({ index: 0, id: "a", function: { name: "f", arguments: "{}" } });
  // A driver saves what there is about once a second.
  const body = [sse(opening), callStream(calls({ index: 0, ...extras }))];
  model.script(nameOf(asked), [{ body, pause: 2_500 }]);
  const { run: queued, job } = await asked.start({ tools: [TOOL] });
  const driven = advance(world.engine, job);
  await until(async () => (await asked.read(queued.id)).internal.open.length > 0);
  await driven;
  const { internal, status } = await asked.read(queued.id);
  expect(status).toBe("requires_action");
  const stored = await asked.partition.read<StepDoc>(internal.open[0] ?? "");
  expect(stored?.internal.extras).toEqual([{ id: "a", fields: extras }]);
});

/** As Mistral's validator would. */
function refuseExtras(answer: { body: string }) {
  const loc = ["body", "messages", 1, "assistant", "tool_calls", 0, "extra_content"];
  const found = [{ type: "extra_forbidden", loc, msg: "Extra inputs are not permitted" }];
  return ({ body }: Asked) =>
    JSON.stringify(body).includes("extra_content") ? refusal(422, { detail: found }) : answer;
}

async function submit(asked: Question, paused: RunDoc): Promise<void> {
  const { submitToolOutputs } = await import("../../src/runs/commands.ts");
  const { wakeUpOf } = await import("../../src/runs/wake.ts");
  const ref = { partition: asked.partition, threadId: asked.threadId, runId: paused.id };
  const outputs = { tool_outputs: [{ tool_call_id: "a", output: "ok" }] };
  const { run: resumed } = await submitToolOutputs(world.engine, ref, outputs, false);
  await advance(world.engine, wakeUpOf(resumed));
}

describe("the memory of refusals", () => {
  const sent = (model: string, effort: "low" | "high" = "low"): SentRequest => ({
    model,
    messages: [],
    stream: true,
    temperature: 0.5,
    reasoning_effort: effort,
  });
  const refused = (parameter: OptionalParameter, code = "unsupported_parameter") => ({
    status: 400,
    code,
    message: `Unsupported: '${parameter}'`,
    places: [parameter],
  });

  test("is of one model: another one gets the parameter", () => {
    const parameters = new Parameters([]);
    expect(parameters.learn(refused("temperature"), sent("a"))).toEqual(["temperature"]);
    expect(parameters.fitting(sent("a"))).not.toHaveProperty("temperature");
    expect(parameters.fitting(sent("b"))).toHaveProperty("temperature");
  });

  test("is of one value, where only that was refused", () => {
    const parameters = new Parameters([]);
    parameters.learn(refused("reasoning_effort", "unsupported_value"), sent("a", "low"));
    expect(parameters.fitting(sent("a", "low"))).not.toHaveProperty("reasoning_effort");
    expect(parameters.fitting(sent("a", "high"))).toHaveProperty("reasoning_effort");
  });

  test("is bounded: clients name the models", () => {
    const parameters = new Parameters([]);
    for (let i = 0; i < 1_001; i++) parameters.learn(refused("temperature"), sent(`model-${i}`));
    expect(parameters.fitting(sent("model-0"))).toHaveProperty("temperature");
    expect(parameters.fitting(sent("model-1"))).not.toHaveProperty("temperature");
    expect(parameters.fitting(sent("model-1000"))).not.toHaveProperty("temperature");
  });

  test("takes no more values than it can hold: then the refusal is the run's", () => {
    const parameters = new Parameters([]);
    const learn = (temperature: number) =>
      parameters.learn(refused("temperature", "unsupported_value"), { ...sent("a"), temperature });
    for (let i = 0; i < 50; i++) expect(learn(i / 100)).toHaveLength(1);
    expect(learn(0.9)).toEqual([]);
  });
});
