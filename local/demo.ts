// `npm run demo`: three conversations with the real app on local servers, through the unmodified `openai` client.

import OpenAI from "openai";
import { readTable, tellCode } from "./demo-code.ts";
import { readManual, tellCitations } from "./demo-files.ts";
import { startStack } from "./stack.ts";

const MODEL = process.env.DEMO_MODEL ?? "gpt-4o-mini";
const MODEL_DELAYS = { firstTokenMs: 300, tokenMs: 30 };

const opened = performance.now();
console.log("Starting Cosmos DB, Service Bus, blobs, the model, sandboxes and the Functions host on free ports …");
const stack = await startStack({ modelDelays: MODEL_DELAYS, blobs: true, code: { packages: "fetch" } });
const model = stack.model.isSimulated ? "simulated model" : stack.model.baseUrl;
console.log(`Ready after ${since(opened)}: ${stack.baseUrl} (${model})\n`);

try {
  const client = new OpenAI({ baseURL: stack.baseUrl, apiKey: stack.apiKey });
  await converse(client);
  await search(client);
  await calculate(client);
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
} finally {
  await stack.stop();
}

/** The story of the Assistants API: a function call in the middle, and two answers that appear as the run goes. */
async function converse(client: OpenAI): Promise<void> {
  const assistant = await client.beta.assistants.create({
    model: MODEL,
    name: "Weather desk",
    instructions: "Answer in one or two sentences.",
    tools: [
      {
        type: "function",
        function: {
          name: "get_weather",
          description: "The weather in a city, now",
          parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
        },
      },
    ],
  });
  console.log(`assistant  ${assistant.id}`);
  const thread = await client.beta.threads.create();
  console.log(`thread     ${thread.id}\n`);

  await ask(client, thread.id, assistant.id, "What can you do for me?");
  await ask(client, thread.id, assistant.id, "Please use get_weather for Lisbon and tell me what to wear.");
}

/** The same with a file: what the answer says of the manual has its source with it. */
async function search(client: OpenAI): Promise<void> {
  if (!stack.model.isSimulated && !process.env.EMBEDDING_MODEL) {
    console.log("EMBEDDING_MODEL is not set: the part of the demo that searches a file is left out.");
    return;
  }
  const assistantId = await readManual(client, MODEL);
  const thread = await client.beta.threads.create();
  await ask(client, thread.id, assistantId, "What do the files say about frost?");
  await tellCitations(client, thread.id);
}

/** Code that the model writes and the app runs: in Pyodide, whose charts are matplotlib's if that can be had. */
async function calculate(client: OpenAI): Promise<void> {
  const assistantId = await readTable(client, MODEL);
  const thread = await client.beta.threads.create();
  await ask(client, thread.id, assistantId, "Draw a chart of the pumps by region, and write the totals to a file.");
  await tellCode(client, thread.id);
}

async function ask(client: OpenAI, threadId: string, assistantId: string, question: string): Promise<void> {
  console.log(`user       ${question}`);
  await client.beta.threads.messages.create(threadId, { role: "user", content: question });
  const asked = performance.now();
  let firstWord: string | undefined;
  let stream = client.beta.threads.runs.stream(threadId, { assistant_id: assistantId });
  for (;;) {
    stream.on("textCreated", () => process.stdout.write("assistant  "));
    stream.on("textDelta", ({ value }) => {
      firstWord ??= since(asked);
      process.stdout.write(value ?? "");
    });
    stream.on("textDone", () => process.stdout.write("\n"));
    const run = await stream.finalRun();
    const calls = run.required_action?.submit_tool_outputs.tool_calls;
    if (run.status !== "requires_action" || calls === undefined) {
      await report(client, run, firstWord, since(asked));
      return;
    }
    for (const call of calls) console.log(`function   ${call.function.name}(${call.function.arguments})`);
    stream = client.beta.threads.runs.submitToolOutputsStream(run.id, {
      thread_id: threadId,
      tool_outputs: calls.map((call) => ({ tool_call_id: call.id, output: '{"sky": "clear", "celsius": 21}' })),
    });
  }
}

async function report(client: OpenAI, run: OpenAI.Beta.Threads.Run, firstWord: string | undefined, total: string) {
  const { code, message } = run.last_error ?? {};
  if (run.status !== "completed") throw new Error(`The run ended ${run.status}: ${message} (${code}).`);
  const steps = await client.beta.threads.runs.steps.list(run.id, { thread_id: run.thread_id, order: "asc" });
  console.log(`\nrun        ${run.id}: ${run.status}`);
  for (const step of steps.data) console.log(`step       ${step.id}: ${step.type}, ${step.status}`);
  console.log(`usage      ${run.usage?.prompt_tokens} + ${run.usage?.completion_tokens} tokens`);
  console.log(`time       first word after ${firstWord}, all after ${total}\n`);
}

function since(start: number): string {
  return `${Math.round(performance.now() - start)} ms`;
}
