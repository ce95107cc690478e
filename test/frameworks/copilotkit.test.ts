import { OpenAIAssistantAdapter } from "@copilotkit/runtime";
import OpenAI from "openai";
import { expect, test } from "vitest";
import { EMPTY_ARGUMENTS, FAILURE, modelThatSays, outputsRead, PARALLEL, tenantOf } from "./framework.ts";

type Request = Parameters<OpenAIAssistantAdapter["process"]>[0];

const actions = [
  {
    name: "get_weather",
    description: "The weather",
    jsonSchema: '{"type":"object","properties":{"city":{"type":"string"}}}',
  },
  { name: "get_time", description: "The time", jsonSchema: '{"type":"object","properties":{}}' },
];

/** Messages as the runtime hands them over; it does not export their classes. */
const message = (type: string, fields: object) => ({
  id: "1",
  type,
  isTextMessage: () => type === "TextMessage",
  isResultMessage: () => type === "ResultMessage",
  isActionExecutionMessage: () => false,
  isAgentStateMessage: () => false,
  isImageMessage: () => false,
  ...fields,
});
const text = (role: string, content: string) => message("TextMessage", { role, content });

/** The runtime's side of the events: what a user would see. */
class Screen {
  text = "";
  readonly calls = new Map<string, { name: string; args: string }>();
  #shown: Promise<void> = Promise.resolve();

  readonly source = {
    stream: async (tell: (events: unknown) => Promise<void>) => {
      this.#shown = tell(this.#events);
      this.#shown.catch(() => undefined);
    },
  };

  readonly #events = {
    sendTextMessageStart: () => {},
    sendTextMessageContent: ({ content }: { content: string }) => {
      this.text += content;
    },
    sendTextMessageEnd: () => {},
    sendActionExecutionStart: ({
      actionExecutionId: id,
      actionName: name,
    }: {
      actionExecutionId: string;
      actionName: string;
    }) => void this.calls.set(id, { name, args: "" }),
    sendActionExecutionArgs: ({ actionExecutionId: id, args }: { actionExecutionId: string; args: string }) => {
      const call = this.calls.get(id);
      if (call !== undefined) call.args += args;
    },
    sendActionExecutionEnd: () => {},
    complete: () => {},
  };

  /** Resolves when everything is shown. */
  shown(): Promise<void> {
    return this.#shown;
  }
}

async function conversation(model: string) {
  const { apiKey, baseURL } = tenantOf("copilotkit");
  const openai = new OpenAI({ apiKey, baseURL, maxRetries: 0 });
  const { id: assistantId } = await openai.beta.assistants.create({ model });
  const adapter = new OpenAIAssistantAdapter({ openai: openai as never, assistantId });
  return async (
    messages: object[],
    before?: { threadId: string; runId?: string | undefined; extensions?: unknown },
  ) => {
    const screen = new Screen();
    const request = { messages, actions, eventSource: screen.source, threadId: "ours", ...before };
    const answer = await adapter.process(request as unknown as Request);
    await screen.shown();
    return { screen, answer };
  };
}

test("text is shown, and the thread goes on", async () => {
  const send = await conversation(await modelThatSays({ text: "Hello there." }, { text: "Hello again." }));
  const messages = [text("system", ""), text("user", "Hi")];
  const first = await send(messages);
  expect(first.screen.text).toBe("Hello there.");
  const second = await send(messages, first.answer);
  expect(second.screen.text).toBe("Hello again.");
  expect(second.answer.threadId).toBe(first.answer.threadId);
});

test.each([
  ["parallel calls", { ...PARALLEL, text: "Let me see. " }, ["sunny in Oslo", "sunny in Rome"]],
  ["a call with empty arguments", EMPTY_ARGUMENTS, ["noon"]],
])("%s are made and answered", async (_what, turn, outputs) => {
  const model = await modelThatSays(turn, { text: "Done." });
  const send = await conversation(model);
  const messages = [text("system", "Be kind."), text("user", "How is it?")];
  const { screen, answer } = await send(messages);
  const results = [...screen.calls].map(([actionExecutionId, { name, args }]) => {
    const { city } = JSON.parse(args);
    return message("ResultMessage", {
      actionExecutionId,
      actionName: name,
      result: city === undefined ? "noon" : `sunny in ${city}`,
    });
  });
  const after = await send([...messages, ...results], answer);
  expect(after.screen.text).toBe("Done.");
  expect(await outputsRead(model)).toEqual(outputs);
});

test("a run that fails ends its stream, and the next question is answered", async () => {
  const send = await conversation(await modelThatSays(FAILURE, { text: "Hello." }));
  const messages = [text("system", ""), text("user", "Hi")];
  const first = await send(messages);
  expect(first.screen.text).toBe("");
  expect((await send(messages, first.answer)).screen.text).toBe("Hello.");
});
