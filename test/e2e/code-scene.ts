/** Threads whose runs may run code, in sessions that end with their test. */
import type OpenAI from "openai";
import { toFile } from "openai";
import type { MessageContent, TextContentBlock } from "openai/resources/beta/threads/messages";
import type { CodeInterpreterToolCall } from "openai/resources/beta/threads/runs/steps";
import type { TestContext } from "vitest";
import type { Turn } from "../../local/model/turn.ts";
import { model, POLL, type Tenant } from "./harness.ts";

/** A session takes half a second of a processor to begin, which a busy machine may not have: one after the other. */
export const SLOW = { timeout: 120_000, concurrent: false };

export const CODE = { type: "code_interpreter" as const };

/** A PNG of one pixel, as Python code that makes an object which Jupyter shows as this image. */
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const PIXEL_BYTES = Buffer.from(PIXEL, "base64");
export const DRAW = `
import base64
class Figure:
    def _repr_png_(self):
        return base64.b64decode("${PIXEL}")
Figure()`;

export const python = (code: string, id?: string): Turn => ({
  toolCalls: [{ ...(id !== undefined && { id }), name: "python", arguments: { code } }],
});

/** An assistant that says these, and a thread with a question. */
export async function codeScene(
  tenant: Tenant,
  turns: Turn[],
  context: TestContext,
  { tools = [CODE] as object[], fileIds = [] as string[] } = {},
) {
  const { openai } = tenant;
  const answering = model();
  await answering.script(turns);
  const assistant = await openai.beta.assistants.create({
    model: answering.name,
    tools: tools as OpenAI.Beta.AssistantTool[],
    tool_resources: { code_interpreter: { file_ids: fileIds } },
  });
  const thread = await openai.beta.threads.create({ messages: [{ role: "user", content: "What is it?" }] });
  // A deleted thread's session ends: the pool of the tests is small.
  context.onTestFinished(async () => {
    await openai.beta.threads.delete(thread.id).catch(() => undefined);
  });
  const run = { assistant_id: assistant.id };
  return {
    answering,
    assistant,
    thread,
    run,
    poll: (more: object = {}) => openai.beta.threads.runs.createAndPoll(thread.id, { ...run, ...more }, POLL),
    stepsOf: async (runId: string) =>
      (await openai.beta.threads.runs.steps.list(runId, { thread_id: thread.id, order: "asc" })).data,
    messages: async () => (await openai.beta.threads.messages.list(thread.id, { order: "asc" })).data,
  };
}

export async function upload(openai: OpenAI, name: string, text: string) {
  return openai.files.create({ file: await toFile(Buffer.from(text), name), purpose: "assistants" });
}

export const textIn = (content: MessageContent[]): TextContentBlock["text"] => {
  const text = content.find((part) => part.type === "text");
  if (text === undefined) throw new Error("the message has no text");
  return text.text;
};

/** The code calls of a step. */
export function callsIn(step: { step_details: OpenAI.Beta.Threads.Runs.RunStep["step_details"] } | undefined) {
  if (step?.step_details.type !== "tool_calls") throw new Error("the step has no calls");
  return step.step_details.tool_calls.filter(
    (call): call is CodeInterpreterToolCall => call.type === "code_interpreter",
  );
}

/** The texts that code has put out. */
export const logsIn = (step: Parameters<typeof callsIn>[0]): string[] =>
  callsIn(step).flatMap(({ code_interpreter: { outputs } }) =>
    outputs.map((output) => (output.type === "logs" ? output.logs : `image`)),
  );
