/** What a tenant can do with another's files and uploads: nothing, over all of their operations. */
import { toFile } from "openai";
import { expect, test } from "vitest";
import { FORMS, newTenant, refusal, refused } from "./harness.ts";

test.for(FORMS)("with the $form client, a tenant finds no file and no upload of another's", async ({ clientOf }) => {
  const owner = newTenant().openai;
  const stranger = clientOf(newTenant());
  const data = await toFile(Buffer.from("secret"), "secret.txt");
  const file = await owner.files.create({ file: data, purpose: "assistants" });
  const upload = await owner.uploads.create({
    filename: "secret.txt",
    purpose: "assistants",
    bytes: 6,
    mime_type: "text/plain",
  });
  const part = await owner.uploads.parts.create(upload.id, { data });
  const request = { part_ids: [part.id] };

  const noFile = refused(404, `No such File object: ${file.id}`, "id");
  for (const call of [
    () => stranger.files.retrieve(file.id),
    () => stranger.files.content(file.id),
    () => stranger.files.delete(file.id),
  ]) {
    expect(await refusal(call())).toEqual(noFile);
  }
  const noUpload = refused(404, `No upload found with id '${upload.id}'.`);
  for (const call of [
    () => stranger.uploads.parts.create(upload.id, { data }),
    () => stranger.uploads.complete(upload.id, request),
    () => stranger.uploads.cancel(upload.id),
  ]) {
    expect(await refusal(call())).toEqual(noUpload);
  }
  expect((await stranger.files.list()).data).toEqual([]);
  const mine = await stranger.uploads.create({ filename: "x.txt", purpose: "assistants", bytes: 6, mime_type: "x" });
  expect(await refusal(stranger.uploads.complete(mine.id, request))).toEqual(
    refused(400, `Invalid 'part_ids': no part found with id '${part.id}'.`, "part_ids"),
  );

  // And nothing has happened to the owner's.
  expect(await (await owner.files.content(file.id)).text()).toBe("secret");
  expect((await owner.uploads.complete(upload.id, request)).status).toBe("completed");
});

test("ids that no store could look for are unknown, and ids of other kinds are no files", async () => {
  const tenant = newTenant();
  const assistant = await tenant.openai.beta.assistants.create({ model: "m" });
  const upload = await tenant.openai.uploads.create({ filename: "x", purpose: "user_data", bytes: 1, mime_type: "x" });
  for (const id of [assistant.id, upload.id, "a%2Fb", "x".repeat(2_000), "%3Cscript%3E", "fake_id"]) {
    for (const [method, path] of [
      ["GET", `/files/${id}`],
      ["DELETE", `/files/${id}`],
      ["GET", `/files/${id}/content`],
    ] as const) {
      const { status, body } = await tenant.send(method, path);
      expect([id, status, body]).toEqual([id, 404, { error: expect.objectContaining({ param: "id" }) }]);
    }
  }
});
