/** Assistants, threads and messages as users of the `openai` library keep them, and what they see when they err. */
import { expect, test } from "vitest";
import { all, anId } from "../harness.ts";
import { conversation, ENDLESS, formsOf, type Library, thrown, WEATHER } from "./openai-library.ts";

/** In OpenAI's form or in Azure's. */
const REQUEST_ID: unknown = expect.stringMatching(/^(req_[0-9a-f]{32}|[0-9a-f-]{36})$/);

export function objectStories(library: Library): void {
  const forms = formsOf(library);

  test.for(forms)("$form: an assistant is created, retrieved, modified and deleted", async ({ connect }) => {
    const { assistants } = connect().beta;

    const created = await assistants.create({ model: "m", name: "Ada", tools: [WEATHER], metadata: { team: "a" } });
    const retrieved = await assistants.retrieve(created.id);
    const modified = await assistants.update(created.id, { name: "Bea", temperature: 0.5, tools: [] });
    const listed = await assistants.list({ limit: 100 });
    const deleted = await assistants.delete(created.id);

    expect(created).toMatchObject({ id: anId("asst"), object: "assistant", name: "Ada", metadata: { team: "a" } });
    expect(created.tools).toMatchObject([WEATHER]);
    expect(retrieved).toEqual(created);
    expect(modified).toEqual({ ...created, name: "Bea", temperature: 0.5, tools: [] });
    expect(listed.data).toContainEqual(modified);
    expect(deleted).toEqual({ id: created.id, object: "assistant.deleted", deleted: true });
    await expect(assistants.retrieve(created.id)).rejects.toBeInstanceOf(library.NotFoundError);
  });

  test.for(forms)("$form: a thread is created, retrieved, modified and deleted", async ({ connect }) => {
    const { threads } = connect().beta;

    const created = await threads.create({ metadata: { user: "1" } });
    const retrieved = await threads.retrieve(created.id);
    const modified = await threads.update(created.id, { metadata: { user: "2" } });
    const deleted = await threads.delete(created.id);

    expect(created).toMatchObject({ id: anId("thread"), object: "thread", metadata: { user: "1" } });
    expect(retrieved).toEqual(created);
    expect(modified).toEqual({ ...created, metadata: { user: "2" } });
    expect(deleted).toEqual({ id: created.id, object: "thread.deleted", deleted: true });
    await expect(threads.retrieve(created.id)).rejects.toBeInstanceOf(library.NotFoundError);
  });

  test.for(forms)("$form: a message is created, retrieved, listed, modified and deleted", async ({ connect }) => {
    const { threads } = connect().beta;
    const thread = await threads.create();
    const within = { thread_id: thread.id };
    const content = [{ type: "text" as const, text: "Hello" }];

    const created = await threads.messages.create(thread.id, { role: "user", content, metadata: { n: "1" } });
    const retrieved = await threads.messages.retrieve(created.id, within);
    const modified = await threads.messages.update(created.id, { ...within, metadata: { n: "2" } });
    const listed = await threads.messages.list(thread.id);
    const deleted = await threads.messages.delete(created.id, within);

    expect(created).toMatchObject({ id: anId("msg"), thread_id: thread.id, role: "user", metadata: { n: "1" } });
    expect(created.content).toEqual([{ type: "text", text: { value: "Hello", annotations: [] } }]);
    expect(retrieved).toEqual(created);
    expect(modified).toMatchObject({ id: created.id, metadata: { n: "2" } });
    expect(listed.data).toEqual([modified]);
    expect(deleted).toEqual({ id: created.id, object: "thread.message.deleted", deleted: true });
    expect((await threads.messages.list(thread.id)).data).toEqual([]);
  });

  test.for(forms)("$form: a list longer than a page pages by itself, or page by page", async ({ connect }) => {
    const { threads } = connect().beta;
    const said = ["one", "two", "three", "four", "five"];
    const thread = await threads.create({ messages: said.map((content) => ({ role: "user", content })) });
    const oldest = { order: "asc", limit: 2 } as const;

    const everything = await all(threads.messages.list(thread.id, oldest));
    const first = await threads.messages.list(thread.id, oldest);
    const second = await first.getNextPage();
    const third = await second.getNextPage();

    const ids = everything.map(({ id }) => id);
    expect(everything.map(({ content }) => content)).toMatchObject(said.map((value) => [{ text: { value } }]));
    expect([first, second, third].map((page) => page.data.map(({ id }) => id))).toEqual([
      ids.slice(0, 2),
      ids.slice(2, 4),
      ids.slice(4),
    ]);
    expect([first, second, third].map((page) => page.hasNextPage())).toEqual([true, true, false]);
    const [one = "", two = "", three = ""] = ids;
    const around = await threads.messages.list(thread.id, { order: "asc", after: one, before: three });
    expect(around.data.map(({ id }) => id)).toEqual([two]);
  });

  test.for(forms)("$form: what does not exist is a NotFoundError that says what", async ({ connect }) => {
    const missing = await thrown(connect().beta.threads.retrieve("thread_gone"));

    expect(missing).toBeInstanceOf(library.NotFoundError);
    expect(missing).toMatchObject({
      status: 404,
      message: "404 No thread found with id 'thread_gone'.",
      type: "invalid_request_error",
      code: null,
      param: null,
      requestID: REQUEST_ID,
    });
  });

  test.for(forms)("$form: a wrong parameter is a BadRequestError that names it", async ({ connect }) => {
    const wrong = await thrown(connect().beta.assistants.create({ model: "m", temperature: 3 }));

    expect(wrong).toBeInstanceOf(library.BadRequestError);
    expect(wrong).toMatchObject({ status: 400, param: "temperature", code: "decimal_above_max_value" });
    expect(wrong).toHaveProperty("requestID", REQUEST_ID);
  });

  test.for(forms)("$form: a wrong key is an AuthenticationError", async ({ connect, form }) => {
    const refused = await thrown(connect({ apiKey: "sk-a-key-without-a-tenant" }).beta.assistants.list());

    expect(refused).toBeInstanceOf(library.AuthenticationError);
    expect(refused).toHaveProperty("requestID", REQUEST_ID);
    expect(refused).toMatchObject(
      form === "OpenAI"
        ? { status: 401, code: "invalid_api_key", message: "401 Incorrect API key provided: sk-****nant." }
        : { status: 401, code: "401", message: expect.stringContaining("Access denied due to invalid subscription") },
    );
  });

  test.for(forms)("$form: a second run on a busy thread is refused at once, without a retry", async ({ connect }) => {
    let requests = 0;
    const counting: typeof fetch = (input, init) => {
      requests++;
      return fetch(input, init);
    };
    const client = connect({ fetch: counting, maxRetries: 2 });
    const { thread, run } = await conversation(client, [ENDLESS]);
    const first = await client.beta.threads.runs.create(thread.id, run);
    requests = 0;

    const busy = await thrown(client.beta.threads.runs.create(thread.id, run));
    const locked = await thrown(client.beta.threads.messages.create(thread.id, { role: "user", content: "And?" }));

    expect(requests).toBe(2);
    expect(busy).toBeInstanceOf(library.BadRequestError);
    expect(busy).toHaveProperty("message", `400 Thread ${thread.id} already has an active run ${first.id}.`);
    expect(locked).toHaveProperty(
      "message",
      `400 Can't add messages to ${thread.id} while a run ${first.id} is active.`,
    );
    await client.beta.threads.runs.cancel(first.id, { thread_id: thread.id });
  });
}
