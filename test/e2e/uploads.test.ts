/** Uploads: files in parts, put together in any order of their arrival. */
import { createHash } from "node:crypto";
import type OpenAI from "openai";
import { toFile } from "openai";
import { expect, test } from "vitest";
import { anId, aTime, newTenant, refusal, refused } from "./harness.ts";

const part = async (openai: OpenAI, upload: string, content: string) =>
  (await openai.uploads.parts.create(upload, { data: await toFile(Buffer.from(content), "part") })).id;

const begin = (openai: OpenAI, bytes: number) =>
  openai.uploads.create({ filename: "notes.txt", purpose: "assistants", bytes, mime_type: "text/plain" });

test("parts become a file in the order that completing names, however often that is repeated", async () => {
  const { openai } = newTenant();
  const upload = await begin(openai, 12);
  expect(upload).toEqual({
    id: anId("upload"),
    object: "upload",
    bytes: 12,
    created_at: aTime,
    filename: "notes.txt",
    purpose: "assistants",
    status: "pending",
    expires_at: upload.created_at + 3_600,
  });
  const [second, first] = [await part(openai, upload.id, "world!"), await part(openai, upload.id, "Hello ")];
  await part(openai, upload.id, "never used");
  const request = { part_ids: [first, second] };
  const completed = await openai.uploads.complete(upload.id, request);
  expect(completed).toEqual({
    ...upload,
    status: "completed",
    file: expect.objectContaining({ bytes: 12, created_at: upload.created_at, filename: "notes.txt" }),
  });
  const { file } = completed;
  expect(await (await openai.files.content(file?.id ?? "")).text()).toBe("Hello world!");
  expect((await openai.files.list()).data).toEqual([file]);
  expect(await openai.uploads.complete(upload.id, request)).toEqual(completed);
  const over = refused(400, `Upload ${upload.id} has status 'completed' and cannot be modified.`);
  expect(await refusal(openai.uploads.complete(upload.id, { part_ids: [second, first] }))).toEqual(over);
  expect(await refusal(openai.uploads.cancel(upload.id))).toEqual(over);
  expect(await refusal(part(openai, upload.id, "late"))).toEqual(over);
});

test("completing twenty times at once makes one file", async () => {
  const { openai } = newTenant();
  const upload = await begin(openai, 10);
  const parts = await Promise.all(["01234", "56789"].map((content) => part(openai, upload.id, content)));
  const request = { part_ids: parts };
  const all = await Promise.all(Array.from({ length: 20 }, () => openai.uploads.complete(upload.id, request)));
  expect(new Set(all.map(({ file }) => file?.id)).size).toBe(1);
  expect((await openai.files.list()).data).toHaveLength(1);
});

test("a cancelled upload takes nothing any more", async () => {
  const { openai } = newTenant();
  const upload = await begin(openai, 5);
  expect(await openai.uploads.cancel(upload.id)).toEqual({ ...upload, status: "cancelled" });
  const over = refused(400, `Upload ${upload.id} has status 'cancelled' and cannot be modified.`);
  expect(await refusal(part(openai, upload.id, "x"))).toEqual(over);
  expect(await refusal(openai.uploads.complete(upload.id, { part_ids: [] }))).toEqual(over);
});

test("parts that are not the whole file, or not this upload's, are refused", async () => {
  const { openai } = newTenant();
  const [upload, other] = [await begin(openai, 8), await begin(openai, 8)];
  const [mine, foreign] = [await part(openai, upload.id, "1234567"), await part(openai, other.id, "x")];
  const complete = (part_ids: string[]) => refusal(openai.uploads.complete(upload.id, { part_ids }));
  const text = "Upload has 7 bytes in its parts, but 8 were announced.";
  expect(await complete([mine])).toEqual(refused(400, text, "bytes"));
  const noPart = (id: string) => refused(400, `Invalid 'part_ids': no part found with id '${id}'.`, "part_ids");
  expect(await complete([mine, foreign])).toEqual(noPart(foreign));
  expect(await complete([mine, mine])).toEqual(noPart(mine));
  expect(await complete(["__proto__"])).toEqual(noPart("__proto__"));
  const unknown = refused(404, "No upload found with id 'upload_none'.");
  expect(await refusal(openai.uploads.complete("upload_none", { part_ids: [] }))).toEqual(unknown);
});

test("a checksum that differs makes no file, and the right one does", async () => {
  const { openai } = newTenant();
  const upload = await begin(openai, 5);
  const part_ids = [await part(openai, upload.id, "Hello")];
  const wrong = refusal(openai.uploads.complete(upload.id, { part_ids, md5: "0".repeat(32) }));
  expect(await wrong).toEqual(refused(400, "The md5 checksum of the uploaded parts does not match.", "md5"));
  expect((await openai.files.list()).data).toEqual([]);
  const md5 = createHash("md5").update("Hello").digest("hex");
  expect((await openai.uploads.complete(upload.id, { part_ids, md5 })).status).toBe("completed");
});
