/** The last part of `npm run demo`: a table becomes a chart, by code that the model writes and the app runs. */
import { createReadStream, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type OpenAI from "openai";

const TABLE = path.join(import.meta.dirname, "demo-files/sales.csv");

/** Uploads the table and makes an assistant that may run code on it. Answers with its id. */
export async function readTable(client: OpenAI, model: string): Promise<string> {
  const file = await client.files.create({ file: createReadStream(TABLE), purpose: "assistants" });
  console.log(`file       ${file.id}: ${file.filename}, ${file.bytes} bytes`);
  const assistant = await client.beta.assistants.create({
    model,
    name: "Sales desk",
    instructions: "Use Python. Answer in one or two sentences, and link the files that you have written.",
    tools: [{ type: "code_interpreter" }],
    tool_resources: { code_interpreter: { file_ids: [file.id] } },
  });
  console.log(`assistant  ${assistant.id}\n`);
  return assistant.id;
}

/** Prints what code the thread's newest run has run, and gets what it has drawn and written. */
export async function tellCode(client: OpenAI, threadId: string): Promise<void> {
  const [run] = (await client.beta.threads.runs.list(threadId, { limit: 1 })).data;
  const steps = await client.beta.threads.runs.steps.list(run?.id ?? "", { thread_id: threadId, order: "asc" });
  for (const { step_details: details } of steps.data) {
    if (details.type !== "tool_calls") continue;
    for (const call of details.tool_calls) {
      if (call.type !== "code_interpreter") continue;
      const { input, outputs } = call.code_interpreter;
      console.log(`code       ${input.split("\n").length} lines of Python, the first: ${input.split("\n")[0]}`);
      for (const output of outputs) if (output.type === "logs") console.log(`logs       ${output.logs.trim()}`);
    }
  }
  const [message] = (await client.beta.threads.messages.list(threadId, { limit: 1 })).data;
  for (const part of message?.content ?? []) {
    if (part.type === "image_file") await saveChart(client, part.image_file.file_id);
    if (part.type !== "text") continue;
    for (const annotation of part.text.annotations) {
      if (annotation.type !== "file_path") continue;
      const written = await (await client.files.content(annotation.file_path.file_id)).text();
      console.log(`file       ${annotation.text} is ${JSON.stringify(written)}`);
    }
  }
}

async function saveChart(client: OpenAI, fileId: string): Promise<void> {
  const bytes = Buffer.from(await (await client.files.content(fileId)).arrayBuffer());
  // A folder of its own: others on this machine may have made charts, too, under any name that could be foreseen.
  const chart = path.join(mkdtempSync(path.join(tmpdir(), "threadkeep-demo-")), "chart.png");
  writeFileSync(chart, bytes);
  console.log(`image      ${fileId}: ${bytes.length} bytes, now in ${chart}`);
}
