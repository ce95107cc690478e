import { Application, preview } from "@microsoft/teams-ai";
import { MemoryStorage, TestAdapter } from "botbuilder";
import { expect, test } from "vitest";
import {
  EMPTY_ARGUMENTS,
  FAILURE,
  GET_TIME,
  GET_WEATHER,
  modelThatSays,
  outputsRead,
  PARALLEL,
  tenantOf,
} from "./framework.ts";

const { AssistantsPlanner } = preview;

/** A bot in front of an assistant, as its users meet it: what they say, and what they read. */
async function bot(model: string, endpoint: string) {
  const { apiKey } = tenantOf("teams-ai");
  const apiVersion = "2024-02-15-preview";
  const request = { model, name: "Bot", tools: [GET_WEATHER, GET_TIME] };
  const assistant = await AssistantsPlanner.createAssistant(apiKey, request, endpoint, { apiVersion });
  const planner = new AssistantsPlanner({
    apiKey,
    endpoint,
    assistant_id: assistant.id,
    polling_interval: 30,
    apiVersion,
  });
  const app = new Application({ storage: new MemoryStorage(), startTypingTimer: false, ai: { planner } });
  const errors: string[] = [];
  const asked: unknown[] = [];
  app.ai.action("get_weather", async (_context, _state, parameters: { city: string }) => {
    asked.push(parameters);
    return `sunny in ${parameters.city}`;
  });
  app.ai.action("get_time", async (_context, _state, parameters) => {
    asked.push(parameters);
    return "noon";
  });
  const adapter = new TestAdapter(async (context) => void (await app.run(context)));
  const say = async (text: string) => {
    await adapter.receiveActivity(text).catch((error: Error) => void errors.push(error.message));
    const said = adapter.activeQueue.splice(0).filter(({ type }) => type === "message");
    return said.map((activity) => activity.text);
  };
  return { say, errors, asked };
}

test("a bot answers, twice", async () => {
  const model = await modelThatSays({ text: "Hello there." }, { text: "Hello again." });
  const { say, errors } = await bot(model, tenantOf("teams-ai").origin);
  expect([await say("Hi"), await say("Hi")]).toEqual([["Hello there."], ["Hello again."]]);
  expect(errors).toEqual([]);
});

test.each([
  // Its outputs are kept by the function's name: of two calls of one function it could answer one only.
  [
    "parallel calls",
    {
      toolCalls: [...(PARALLEL.toolCalls ?? []).slice(0, 1), ...(EMPTY_ARGUMENTS.toolCalls ?? [])].map((call) => ({
        ...call,
        arguments: call.arguments || "{}",
      })),
    },
    [{ city: "Oslo" }, {}],
    ["sunny in Oslo", "noon"],
  ],
  ["a call with empty arguments", EMPTY_ARGUMENTS, [{}], ["noon"]],
])("a bot answers %s", async (_what, turn, parameters, outputs) => {
  const model = await modelThatSays(turn, { text: "Done." });
  const { say, errors, asked } = await bot(model, tenantOf("teams-ai").origin);
  expect(await say("How is it?")).toEqual(["Done."]);
  expect(errors).toEqual([]);
  expect(asked).toMatchObject(parameters);
  expect(await outputsRead(model)).toEqual(outputs);
});

test("a run that fails is an error with its code and the model's words", async () => {
  const { say, errors } = await bot(await modelThatSays(FAILURE), tenantOf("teams-ai").origin);
  expect(await say("Hi")).toEqual([]);
  expect(errors).toEqual(["Run failed failed. ErrorCode: invalid_prompt. ErrorMessage: This model cannot do that."]);
});
