import { DynamicStructuredTool } from "@langchain/core/tools";
import { AgentExecutor } from "langchain/agents";
import { OpenAIAssistantRunnable } from "langchain/experimental/openai_assistant";
import { expect, test } from "vitest";
import { z } from "zod";
import { EMPTY_ARGUMENTS, FAILURE, modelThatSays, outputsRead, PARALLEL, tenantOf } from "./framework.ts";

const clientOptions = () => ({ ...tenantOf("langchain"), maxRetries: 0 });

const tools = [
  new DynamicStructuredTool({
    name: "get_weather",
    description: "The weather of a city",
    schema: z.object({ city: z.string() }),
    func: async ({ city }) => `sunny in ${city}`,
  }),
  new DynamicStructuredTool({
    name: "get_time",
    description: "The time",
    schema: z.object({}),
    func: async () => "noon",
  }),
];

test("a conversation: text, a second question, a change of the assistant and its end", async () => {
  const model = await modelThatSays({ text: "Hello there." }, { text: "Hello again." });
  const runnable = await OpenAIAssistantRunnable.createAssistant({
    model,
    name: "A",
    clientOptions: clientOptions(),
    pollIntervalMs: 30,
  });
  const first = await runnable.invoke({ content: "Hi", metadata: { from: "langchain" } });
  expect(first).toMatchObject([{ content: [{ text: { value: "Hello there." } }] }]);
  const [{ thread_id: threadId }] = first as [{ thread_id: string }];
  expect(await runnable.invoke({ content: "Again", threadId })).toMatchObject([
    { content: [{ text: { value: "Hello again." } }] },
  ]);
  expect(await runnable.modifyAssistant({ name: "B" })).toMatchObject({ name: "B" });
  expect(await runnable.getAssistant()).toMatchObject({ name: "B", model });
  expect(await runnable.deleteAssistant()).toMatchObject({ deleted: true });
});

test.each([
  ["parallel calls", PARALLEL, ["sunny in Oslo", "sunny in Rome"]],
  ["a call with empty arguments", EMPTY_ARGUMENTS, ["noon"]],
])("an agent answers %s", async (_what, turn, outputs) => {
  const model = await modelThatSays(turn, { text: "Done." });
  const agent = await OpenAIAssistantRunnable.createAssistant({
    model,
    tools,
    asAgent: true,
    clientOptions: clientOptions(),
    pollIntervalMs: 30,
  });
  const executor = AgentExecutor.fromAgentAndTools({ agent, tools });
  expect(await executor.invoke({ content: "How is it?" })).toMatchObject({ output: "Done." });
  expect(await outputsRead(model)).toEqual(outputs);
});

test("a run that fails is an error with the model's words", async () => {
  const model = await modelThatSays(FAILURE);
  const runnable = await OpenAIAssistantRunnable.createAssistant({
    model,
    clientOptions: clientOptions(),
    pollIntervalMs: 30,
  });
  await expect(runnable.invoke({ content: "Hi" })).rejects.toThrow(/failed(.|\n)*This model cannot do that/);
});
