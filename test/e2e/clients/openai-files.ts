/** What every version of the `openai` library does with files and uploads. */
import { createReadStream } from "node:fs";
import { expect, test } from "vitest";
import { all, aTime } from "../harness.ts";
import { formsOf, type Library } from "./openai-library.ts";

export function fileStories(library: Library): void {
  test.for(formsOf(library))("$form: files are sent, listed, downloaded and deleted", async ({ connect }) => {
    const { files } = connect();
    const content = "A thread is a conversation. 你好\n".repeat(5_000);
    const created = await files.create({
      file: await library.toFile(Buffer.from(content), "gespräch.md"),
      purpose: "assistants",
    });
    const streamed = await files.create({ file: createReadStream(import.meta.filename), purpose: "user_data" });

    expect(created).toMatchObject({ filename: "gespräch.md", bytes: Buffer.byteLength(content), created_at: aTime });
    expect(streamed.filename).toBe("openai-files.ts");
    expect(await files.retrieve(created.id)).toEqual(created);
    expect((await all(files.list({ purpose: "assistants" }))).map(({ id }) => id)).toContain(created.id);
    expect(await (await files.content(created.id)).text()).toBe(content);
    expect(await files.delete(created.id)).toEqual({ id: created.id, object: "file", deleted: true });
    await expect(files.retrieve(created.id)).rejects.toBeInstanceOf(library.NotFoundError);
  });

  test.for(formsOf(library))("$form: an upload is sent in parts", async ({ connect }) => {
    const { files, uploads } = connect();
    const parts = ["Hello ", "world!"];
    const upload = await uploads.create({
      filename: "hello.txt",
      purpose: "assistants",
      bytes: 12,
      mime_type: "text/plain",
    });
    const ids: string[] = [];
    for (const part of parts) {
      const data = await library.toFile(Buffer.from(part), "part");
      ids.push((await uploads.parts.create(upload.id, { data })).id);
    }
    const { file } = await uploads.complete(upload.id, { part_ids: ids });
    expect(await (await files.content(file?.id ?? "")).text()).toBe("Hello world!");
  });
}
