import { useAssistant } from "@ai-sdk/react";
import { AssistantResponse } from "ai";
import { JSDOM } from "jsdom";
import OpenAI from "openai";
import { act, createElement } from "react";
import { createRoot } from "react-dom/client";
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

/** The page's server, as the package's documentation has it. */
function route(openai: OpenAI, assistant_id: string): typeof fetch {
  return async (_input, init) => {
    const { threadId: known, message: content } = JSON.parse(String(init?.body));
    const threadId: string = known ?? (await openai.beta.threads.create({})).id;
    const message = await openai.beta.threads.messages.create(threadId, { role: "user", content });
    return AssistantResponse({ threadId, messageId: message.id }, async ({ forwardStream }) => {
      const { runs } = openai.beta.threads;
      let stream = runs.stream(threadId, { assistant_id, tools: [GET_WEATHER, GET_TIME] });
      let run: OpenAI.Beta.Threads.Run | undefined = await forwardStream(stream);
      while (run?.status === "requires_action") {
        const calls = run.required_action?.submit_tool_outputs.tool_calls ?? [];
        const tool_outputs = calls.map(({ id, function: { arguments: text } }) => {
          const { city } = JSON.parse(text);
          return { tool_call_id: id, output: city === undefined ? "noon" : `sunny in ${city}` };
        });
        stream = runs.submitToolOutputsStream(threadId, run.id, { tool_outputs });
        run = await forwardStream(stream);
      }
      // It forwards a run that fails without a word.
      const { last_error: trouble } = await stream.finalRun();
      if (trouble !== null) throw new Error(trouble.message);
    });
  };
}

/** A page in a browser that is none. */
async function page(model: string) {
  const { apiKey, baseURL } = tenantOf("vercel-ai");
  // The page's server has the key. Here it shares a process with the page, and would take itself for a browser.
  const openai = new OpenAI({ apiKey, baseURL, maxRetries: 0, dangerouslyAllowBrowser: true });
  const assistant = await openai.beta.assistants.create({ model });
  const { window } = new JSDOM('<div id="root"></div>');
  Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
  const root = window.document.getElementById("root");
  if (root === null) throw new Error("the page has no root");
  const seen: { helpers?: ReturnType<typeof useAssistant> } = {};
  function Chat() {
    seen.helpers = useAssistant({
      api: "/api/assistant",
      fetch: route(openai, assistant.id),
    });
    return createElement(
      "ul",
      null,
      seen.helpers.messages.map(({ id, role, content }) => createElement("li", { key: id }, `${role}: ${content}`)),
    );
  }
  await act(async () => createRoot(root).render(createElement(Chat)));
  const say = async (content: string) => {
    await act(async () => void (await seen.helpers?.append({ role: "user", content })));
    return [...root.querySelectorAll("li")].map((item) => item.textContent);
  };
  return { say, seen };
}

test("a page shows the answers of two turns of one thread", async () => {
  const { say, seen } = await page(await modelThatSays({ text: "Hello there." }, { text: "Hello again." }));
  expect(await say("Hi")).toEqual(["user: Hi", "assistant: Hello there."]);
  const threadId = seen.helpers?.threadId;
  expect(await say("Ho")).toEqual(["user: Hi", "assistant: Hello there.", "user: Ho", "assistant: Hello again."]);
  expect(seen.helpers?.threadId).toBe(threadId);
  expect(seen.helpers?.error).toBeUndefined();
});

test.each([
  ["parallel calls", PARALLEL, ["sunny in Oslo", "sunny in Rome"]],
  ["a call with empty arguments", EMPTY_ARGUMENTS, ["noon"]],
])("the page's server answers %s", async (_what, turn, outputs) => {
  const model = await modelThatSays(turn, { text: "Done." });
  const { say, seen } = await page(model);
  expect(await say("How is it?")).toEqual(["user: How is it?", "assistant: Done."]);
  expect(seen.helpers?.error).toBeUndefined();
  expect(await outputsRead(model)).toEqual(outputs);
});

test("a run that fails is told with the model's words", async () => {
  const { say, seen } = await page(await modelThatSays(FAILURE));
  expect(await say("Hi")).toEqual(["user: Hi"]);
  expect(seen.helpers?.error?.message).toBe("This model cannot do that.");
});
