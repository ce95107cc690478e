/** Images by file: what messages may name, and what the model gets to see. */
import { toFile } from "openai";
import { expect, test } from "vitest";
import { model, newTenant, POLL, refusal, refused } from "./harness.ts";

const PIXEL = Buffer.from("R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=", "base64");

test("the model sees an image by its file as a data URL", async () => {
  const { openai } = newTenant();
  const seeing = model();
  await seeing.script([{ text: "A pixel." }]);
  const file = await openai.files.create({ file: await toFile(PIXEL, "pixel.gif"), purpose: "vision" });
  const image = { type: "image_file" as const, image_file: { file_id: file.id, detail: "low" as const } };
  const [assistant, thread] = await Promise.all([
    openai.beta.assistants.create({ model: seeing.name }),
    openai.beta.threads.create({ messages: [{ role: "user", content: [{ type: "text", text: "What?" }, image] }] }),
  ]);
  const run = await openai.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, POLL);
  expect(run.status).toBe("completed");
  const [request] = await seeing.requests();
  expect(request?.body.messages.at(-1)?.content).toEqual([
    { type: "text", text: "What?" },
    { type: "image_url", image_url: { url: `data:image/gif;base64,${PIXEL.toString("base64")}`, detail: "low" } },
  ]);
});

test("a run on a deleted image fails and asks no model", async () => {
  const { openai } = newTenant();
  const blind = model();
  const file = await openai.files.create({ file: await toFile(PIXEL, "pixel.gif"), purpose: "vision" });
  const content = [{ type: "image_file" as const, image_file: { file_id: file.id } }];
  const thread = await openai.beta.threads.create({ messages: [{ role: "user", content }] });
  await openai.files.delete(file.id);
  const assistant = await openai.beta.assistants.create({ model: blind.name });
  const run = await openai.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, POLL);
  expect(run.last_error).toEqual({ code: "invalid_image_url", message: `No such File object: ${file.id}` });
  expect(await blind.requests()).toEqual([]);
});

test("a message cannot name what is no image, nor another tenant's", async () => {
  const { openai } = newTenant();
  const stranger = newTenant().openai;
  const [notes, theirs] = await Promise.all([
    openai.files.create({ file: await toFile(PIXEL, "notes.txt"), purpose: "assistants" }),
    stranger.files.create({ file: await toFile(PIXEL, "pixel.gif"), purpose: "vision" }),
  ]);
  const create = (id: string) =>
    refusal(
      openai.beta.threads.create({
        messages: [{ role: "user", content: [{ type: "image_file", image_file: { file_id: id } }] }],
      }),
    );
  const types = ".jpeg, .jpg, .png, .gif, .webp";
  const text = `Invalid message content: Expected file type to be a supported format: ${types} but got .txt.`;
  expect(await create(notes.id)).toEqual(refused(400, text));
  expect(await create(theirs.id)).toEqual(refused(404, `Files [${theirs.id}] were not found`));
});
