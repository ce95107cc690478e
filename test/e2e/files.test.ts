/** Files: sent, listed, read, downloaded and deleted, in both forms of the API. */

import type OpenAI from "openai";
import { toFile } from "openai";
import { describe, expect, test } from "vitest";
import { aTime, FORMS, newTenant, refusal, refused } from "./harness.ts";

const text = (content: string, name = "notes.txt") => toFile(Buffer.from(content), name);

describe.each(FORMS)("in the form of $form", ({ clientOf }) => {
  test("a file comes back byte for byte until it is deleted", async () => {
    const client = clientOf(newTenant());
    const bytes = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251));
    const file = await client.files.create({ file: await toFile(bytes, "numbers.json"), purpose: "assistants" });
    expect(file).toEqual({
      id: expect.stringMatching(/^file-[0-9A-Za-z]{24}$/),
      object: "file",
      bytes: 70_000,
      created_at: aTime,
      expires_at: null,
      filename: "numbers.json",
      purpose: "assistants",
      status: "processed",
      status_details: null,
    });
    expect(await client.files.retrieve(file.id)).toEqual(file);
    const content = await client.files.content(file.id);
    expect(content.headers.get("content-type")).toBe("application/octet-stream");
    expect(content.headers.get("content-disposition")).toBe('attachment; filename="numbers.json"');
    expect(bytes.equals(Buffer.from(await content.arrayBuffer()))).toBe(true);
    expect(await client.files.delete(file.id)).toEqual({ id: file.id, object: "file", deleted: true });
    const gone = refused(404, `No such File object: ${file.id}`, "id");
    expect(await refusal(client.files.retrieve(file.id))).toEqual(gone);
    expect(await refusal(client.files.content(file.id))).toEqual(gone);
    expect(await refusal(client.files.delete(file.id))).toEqual(gone);
  });
});

test("files are listed by purpose, from any cursor", async () => {
  const { openai } = newTenant();
  const files: OpenAI.FileObject[] = [];
  for (const purpose of ["assistants", "user_data", "assistants"] as const) {
    files.unshift(await openai.files.create({ file: await text("x"), purpose }));
  }
  const ids = async (query: OpenAI.FileListParams) => (await openai.files.list(query)).data.map(({ id }) => id);
  const all = files.map(({ id }) => id);
  expect(await ids({})).toEqual(all);
  expect(await ids({ order: "asc" })).toEqual(all.toReversed());
  expect(await ids({ purpose: "assistants" })).toEqual([all[0], all[2]]);
  expect(await ids({ purpose: "assistants", after: all[1] ?? "" })).toEqual([all[2]]);
  expect(await ids({ limit: 2 })).toEqual(all.slice(0, 2));
  expect(await ids({ purpose: "vision" })).toEqual([]);
});
