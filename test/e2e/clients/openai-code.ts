/** What every version of the `openai` library makes of a run that runs code. Its calls are the same in all of them. */
import type OpenAI from "openai";
import type { CodeInterpreterToolCall } from "openai/resources/beta/threads/runs/steps";
import { expect, test } from "vitest";
import type { Turn } from "../../../local/model/turn.ts";
import { DRAW, PIXEL_BYTES, SLOW } from "../code-scene.ts";
import { model } from "../harness.ts";
import type { Form } from "./openai-library.ts";

const CODE = `open("o.csv", "w").write("1,2\\n")\nprint("drawn")\n${DRAW}`;
const TURNS: Turn[] = [
  { toolCalls: [{ name: "python", arguments: { code: CODE } }] },
  { text: "See [the file](sandbox:/mnt/data/o.csv).", tokenMs: 1 },
];

export function codeStories(forms: Form[]): void {
  test.for(forms)("$form: code is followed, and what it makes is downloaded", SLOW, async ({ connect }) => {
    const client = connect();
    const answering = model();
    await answering.script(TURNS);
    const tools = [{ type: "code_interpreter" as const }];
    const assistant = await client.beta.assistants.create({ model: answering.name, tools });
    const thread = await client.beta.threads.create({ messages: [{ role: "user", content: "Draw!" }] });
    const stream = client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
    const inputs: string[] = [];
    const done: CodeInterpreterToolCall[] = [];
    const images: string[] = [];
    const cited: unknown[] = [];
    stream.on("toolCallDelta", (delta) => {
      if (delta.type === "code_interpreter") inputs.push(delta.code_interpreter?.input ?? "");
    });
    stream.on("toolCallDone", (call) => {
      if (call.type === "code_interpreter") done.push(structuredClone(call));
    });
    stream.on("imageFileDone", ({ file_id: id }) => images.push(id));
    stream.on("textDelta", (delta) => {
      if (delta.annotations?.length) cited.push(structuredClone(delta));
    });
    const run = await stream.finalRun();
    expect(run.status).toBe("completed");
    expect(inputs.join("")).toBe(CODE);
    const [call] = done;
    expect(call?.code_interpreter).toMatchObject({
      input: CODE,
      outputs: [{ type: "logs", logs: expect.stringMatching(/^drawn\n/) }, { type: "image" }],
    });
    const [message] = await stream.finalMessages();
    expect(message?.content.map(({ type }) => type)).toEqual(["image_file", "text"]);
    expect(cited).toMatchObject([{ value: "sandbox:/mnt/data/o.csv", annotations: [{ type: "file_path" }] }]);
    const [kept] = (await client.beta.threads.messages.list(thread.id)).data;
    // The library leaves indexes of deltas in what it has put together.
    expect(message?.content[1]).toMatchObject(kept?.content[1] ?? { type: "missing" });
    expect(await (await client.files.content(fileIn(message))).text()).toBe("1,2\n");
    const drawn = await client.files.content(images[0] ?? "");
    expect(Buffer.from(await drawn.arrayBuffer())).toEqual(PIXEL_BYTES);
    // Its session ends with it. Version 4 called it `del`.
    const threads = client.beta.threads as unknown as Record<
      "delete" | "del",
      ((id: string) => Promise<unknown>) | undefined
    >;
    await (threads.delete ?? threads.del)?.call(threads, thread.id);
  });
}

function fileIn(message: OpenAI.Beta.Threads.Message | undefined): string {
  const part = message?.content.find(({ type }) => type === "text");
  const [annotation] = part?.type === "text" ? part.text.annotations : [];
  return annotation?.type === "file_path" ? annotation.file_path.file_id : "none";
}
