/** Whose files and variables code can see, and which files it may be given. */
import { describe, expect, test } from "vitest";
import { CODE, codeScene, logsIn, python, SLOW, upload } from "./code-scene.ts";
import { newTenant, refusal, refused } from "./harness.ts";

describe("two threads", SLOW, () => {
  test("of two tenants see nothing of each other: neither variables nor files", async (context) => {
    const [owner, other] = [newTenant(), newTenant()];
    const secret = await upload(owner.openai, "secret.txt", "the secret is 42");
    const write = python("secret = 42\nopen('note.txt', 'w').write('42')");
    const look = python(
      "import os\nprint('secret' in globals(), [n for n in os.listdir('/mnt/data') if not n.startswith('_')])",
    );
    const first = await codeScene(owner, [write, { text: "Kept." }], context, { fileIds: [secret.id] });
    expect((await first.poll()).status).toBe("completed");
    const second = await codeScene(other, [look, { text: "Nothing." }], context);
    const run = await second.poll();
    expect(logsIn((await second.stepsOf(run.id))[0])).toEqual(["False []\n"]);
    const third = await codeScene(owner, [look, { text: "Nothing." }], context);
    const own = await third.poll();
    expect(logsIn((await third.stepsOf(own.id))[0])).toEqual(["False []\n"]);
  });
});

describe("files for code", SLOW, () => {
  const wanted = (ids: string[]) => ({ code_interpreter: { file_ids: ids } });
  const param = "tool_resources.code_interpreter.file_ids";

  test("must exist, and be the tenant's own, wherever they are named", async () => {
    const [owner, other] = [newTenant(), newTenant()];
    const file = await upload(owner.openai, "a.csv", "1");
    for (const id of [file.id, "file-none"]) {
      const expected = refused(400, `No such File object: ${id}`, param, null);
      const { assistants, threads } = other.openai.beta;
      const resources = { tool_resources: wanted([id]) };
      expect(await refusal(assistants.create({ model: "any", tools: [CODE], ...resources }))).toEqual(expected);
      expect(await refusal(threads.create(resources))).toEqual(expected);
      const assistant = await assistants.create({ model: "any", tools: [CODE] });
      expect(await refusal(assistants.update(assistant.id, resources))).toEqual(expected);
      const thread = await threads.create();
      expect(await refusal(threads.update(thread.id, resources))).toEqual(expected);
      const run = { assistant_id: assistant.id, instructions: "x", thread: {}, ...resources };
      expect(await refusal(threads.createAndRun(run))).toEqual(expected);
      const attachments = [{ file_id: id, tools: [CODE] }];
      const message = { role: "user" as const, content: "x", attachments };
      expect(await refusal(threads.messages.create(thread.id, message))).toEqual(
        refused(404, `Files [${id}] were not found`, null, null),
      );
    }
  });

  test("are twenty at the most", async () => {
    const { openai } = newTenant();
    const files = await Promise.all(Array.from({ length: 21 }, (_, n) => upload(openai, `${n}.csv`, "1")));
    const ids = files.map(({ id }) => id);
    const text = (where: string) =>
      `Invalid '${where}': array too long. Expected an array with maximum length 20, but got an array with length 21 instead.`;
    expect(
      await refusal(openai.beta.assistants.create({ model: "any", tools: [CODE], tool_resources: wanted(ids) })),
    ).toEqual(refused(400, text(param), param, "array_above_max_length"));
    const thread = await openai.beta.threads.create({ tool_resources: wanted(ids.slice(0, 20)) });
    const attachments = [{ file_id: ids[20] ?? "", tools: [CODE] }];
    expect(
      await refusal(openai.beta.threads.messages.create(thread.id, { role: "user", content: "x", attachments })),
    ).toEqual(refused(400, text("attachments"), "attachments", "array_above_max_length"));
  });

  test("of other purposes are refused; one file may be for both tools; one that is deleted is passed over", async (context) => {
    const tenant = newTenant();
    const { openai } = tenant;
    const file = await upload(openai, "both.txt", "both");
    const scene = await codeScene(
      tenant,
      [python("import os\nsorted(os.listdir('/mnt/data'))"), { text: "Done." }],
      context,
    );
    const attachments = [{ file_id: file.id, tools: [CODE, { type: "file_search" as const }] }];
    await openai.beta.threads.messages.create(scene.thread.id, { role: "user", content: "x", attachments });
    const { tool_resources: resources } = await openai.beta.threads.retrieve(scene.thread.id);
    expect(resources).toEqual({
      code_interpreter: { file_ids: [file.id] },
      file_search: { vector_store_ids: [expect.any(String)] },
    });
    await openai.files.delete(file.id);
    const run = await scene.poll();
    expect(run.status).toBe("completed");
    expect(logsIn((await scene.stepsOf(run.id))[0])[0]).not.toContain(file.id);
  });
});
