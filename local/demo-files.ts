/** The second half of `npm run demo`: a manual is uploaded and searched, and the answer cites it. */
import { createReadStream } from "node:fs";
import path from "node:path";
import type OpenAI from "openai";

const MANUAL = path.join(import.meta.dirname, "demo-files/kestrel-3-manual.pdf");

/** Uploads the manual, makes a vector store of it and an assistant that searches it. Answers with its id. */
export async function readManual(client: OpenAI, model: string): Promise<string> {
  const file = await client.files.create({ file: createReadStream(MANUAL), purpose: "assistants" });
  console.log(`file       ${file.id}: ${file.filename}, ${file.bytes} bytes`);
  const store = await client.vectorStores.create({ name: "Manuals" });
  const read = await client.vectorStores.files.createAndPoll(store.id, { file_id: file.id }, { pollIntervalMs: 100 });
  console.log(`store      ${store.id}: ${read.status}`);
  if (read.status !== "completed") throw new Error(`The manual was not read: ${read.last_error?.message}`);
  const assistant = await client.beta.assistants.create({
    model,
    name: "Pump desk",
    instructions: "Answer in one or two sentences, from the manual.",
    tools: [{ type: "file_search" }],
    tool_resources: { file_search: { vector_store_ids: [store.id] } },
  });
  console.log(`assistant  ${assistant.id}\n`);
  return assistant.id;
}

/** Prints what each citation of the thread's newest message stands for. */
export async function tellCitations(client: OpenAI, threadId: string): Promise<void> {
  const [message] = (await client.beta.threads.messages.list(threadId, { limit: 1 })).data;
  for (const block of message?.content ?? []) {
    if (block.type !== "text") continue;
    for (const annotation of block.text.annotations) {
      if (annotation.type !== "file_citation") continue;
      const { filename } = await client.files.retrieve(annotation.file_citation.file_id);
      console.log(`citation   ${annotation.text} is ${filename}`);
    }
  }
}
