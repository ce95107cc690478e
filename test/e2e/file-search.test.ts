/** Runs that search files: from a file's bytes to a citation, through the whole app and an unmodified client. */
import type OpenAI from "openai";
import { toFile } from "openai";
import type { MessageContent, TextContentBlock } from "openai/resources/beta/threads/messages";
import { describe, expect, test } from "vitest";
import type { Turn } from "../../local/model/turn.ts";
import { model, newTenant, POLL, refusal, refused, type Tenant } from "./harness.ts";

const FOODS =
  "This file describes the favorite foods of several people.\n\nSummanus: tacos\nTekakwitha: pizza\nFilip: cake";
const INCLUDE = "step_details.tool_calls[*].file_search.results[*].content" as const;
const SEARCH: Turn = { toolCalls: [{ name: "file_search", arguments: { queries: ["favorite food of Filip"] } }] };
const MARKER = "【4:0†favorite_foods.txt】";
const ANSWER: Turn = { text: `Filip's favorite food is cake${MARKER}.` };
const QUESTION = "Using the files you have available, what's Filip's favorite food?";

/** A store with these files in it, read and ready. */
async function storeWith(openai: OpenAI, files: Record<string, string>) {
  const made = await Promise.all(
    Object.entries(files).map(async ([name, text]) =>
      openai.files.create({ file: await toFile(Buffer.from(text), name), purpose: "assistants" }),
    ),
  );
  const store = await openai.vectorStores.create({});
  for (const file of made) await openai.vectorStores.files.createAndPoll(store.id, { file_id: file.id }, POLL);
  expect((await openai.vectorStores.retrieve(store.id)).file_counts.completed).toBe(made.length);
  return { store, files: made };
}

async function scene({ openai }: Tenant, turns: Turn[], tool: object = {}) {
  const { store, files } = await storeWith(openai, { "favorite_foods.txt": FOODS });
  const answering = model();
  await answering.script(turns);
  const assistant = await openai.beta.assistants.create({
    model: answering.name,
    tools: [{ type: "file_search", ...tool }],
    tool_resources: { file_search: { vector_store_ids: [store.id] } },
  });
  const thread = await openai.beta.threads.create({ messages: [{ role: "user", content: QUESTION }] });
  return { answering, assistant, thread, store, file: files[0], run: { assistant_id: assistant.id } };
}

const textOf = (content: MessageContent[]) => (content[0] as TextContentBlock).text;

/** Every annotation names the place of its own text. */
function expectExact({ value, annotations }: TextContentBlock["text"]): void {
  const points = Array.from(value);
  for (const each of annotations) {
    expect(points.slice(each.start_index, each.end_index).join("")).toBe(each.text);
  }
}

describe("a run with file_search", () => {
  test("polled, searches, cites, and shows the texts that it found where they are asked for", async () => {
    const tenant = newTenant();
    const { openai } = tenant;
    const { thread, run: request, file, answering } = await scene(tenant, [SEARCH, ANSWER]);
    const run = await openai.beta.threads.runs.createAndPoll(thread.id, request, POLL);
    expect(run.status).toBe("completed");

    const { data } = await openai.beta.threads.messages.list(thread.id);
    const text = textOf(data[0]?.content ?? []);
    expect(text).toEqual({
      value: ANSWER.text,
      annotations: [
        { type: "file_citation", text: MARKER, start_index: 29, end_index: 53, file_citation: { file_id: file?.id } },
      ],
    });
    expectExact(text);

    const where = { thread_id: thread.id, order: "asc" as const };
    const [plain] = (await openai.beta.threads.runs.steps.list(run.id, where)).data;
    const [whole] = (await openai.beta.threads.runs.steps.list(run.id, { ...where, include: [INCLUDE] })).data;
    const result = { file_id: file?.id, file_name: "favorite_foods.txt", score: expect.any(Number), attributes: {} };
    const options = { ranker: "default_2024_08_21", score_threshold: 0 };
    const callWith = (results: object[]) => ({
      type: "tool_calls",
      tool_calls: [{ id: expect.any(String), type: "file_search", file_search: { ranking_options: options, results } }],
    });
    expect(plain?.step_details).toEqual(callWith([result]));
    expect(whole?.step_details).toEqual(callWith([{ ...result, content: [{ type: "text", text: FOODS }] }]));
    expect(plain).toMatchObject({ status: "completed", usage: { total_tokens: expect.any(Number) } });
    const { id = "" } = plain ?? {};
    const steps = openai.beta.threads.runs.steps;
    const at = { thread_id: thread.id, run_id: run.id };
    expect(await steps.retrieve(id, at)).toEqual(plain);
    expect(await steps.retrieve(id, { ...at, include: [INCLUDE] })).toEqual(whole);

    const [, second] = await answering.requests();
    expect(JSON.stringify(second?.body.messages)).toContain(MARKER);
  });

  test("streamed, tells all of it in the recorded order, the citation whole in one piece", async () => {
    const tenant = newTenant();
    const { openai } = tenant;
    const { thread, run: request, file } = await scene(tenant, [SEARCH, { ...ANSWER, tokenMs: 5 }]);
    const stream = openai.beta.threads.runs.stream(thread.id, { ...request, include: [INCLUDE] });
    const events: { event: string; data: unknown }[] = [];
    const cited: unknown[] = [];
    stream.on("event", (event) => events.push(structuredClone(event)));
    stream.on("textDelta", (delta) => delta.annotations?.length && cited.push(structuredClone(delta)));
    const run = await stream.finalRun();
    const names = events.map(({ event }) => event).filter((name, index, all) => name !== all[index - 1]);
    expect(names).toEqual([
      "thread.run.created",
      "thread.run.queued",
      "thread.run.in_progress",
      "thread.run.step.created",
      "thread.run.step.in_progress",
      "thread.run.step.delta",
      "thread.run.step.completed",
      "thread.run.step.created",
      "thread.run.step.in_progress",
      "thread.message.created",
      "thread.message.in_progress",
      "thread.message.delta",
      "thread.message.completed",
      "thread.run.step.completed",
      "thread.run.completed",
    ]);
    const annotation = { type: "file_citation", text: MARKER, start_index: 29, end_index: 53 };
    expect(cited).toEqual([
      {
        value: MARKER,
        annotations: [{ index: 0, ...annotation, file_citation: { file_id: file?.id, quote: "" } }],
      },
    ]);
    expect(JSON.stringify(events.find(({ event }) => event === "thread.run.step.completed"))).toContain("Filip: cake");
    const [message] = await stream.finalMessages();
    expectExact(textOf(message?.content ?? []));

    // The same again from the log, without the texts.
    const replay = await tenant.fetch(`${openai.baseURL}/threads/${thread.id}/runs/${run.id}/stream`, {
      headers: { authorization: `Bearer ${tenant.key}` },
    });
    const replayed = await replay.text();
    expect(replayed).toContain(MARKER);
    expect(replayed).not.toContain("Filip: cake");
  });

  test("without a script searches files that it is asked about, and cites the first result", async () => {
    const { openai } = newTenant();
    const { store } = await storeWith(openai, {
      "warranty.md": "The warranty lasts two years. It covers the motor.",
      "shipping.md": "Parcels leave on Mondays. They arrive within a week.",
    });
    const assistant = await openai.beta.assistants.create({ model: "any", tools: [{ type: "file_search" }] });
    const run = await openai.beta.threads.createAndRunPoll(
      {
        assistant_id: assistant.id,
        thread: {
          messages: [{ role: "user", content: "How long does the warranty last, say the documents?" }],
          tool_resources: { file_search: { vector_store_ids: [store.id] } },
        },
      },
      POLL,
    );
    const { data } = await openai.beta.threads.messages.list(run.thread_id);
    const text = textOf(data[0]?.content ?? []);
    expect(text.value).toContain("The warranty lasts two years【4:0†warranty.md】.");
    expect(text.annotations).toHaveLength(1);
    expectExact(text);
  });

  test("must search if its client says so, also as one of its functions", async () => {
    const tenant = newTenant();
    const { openai } = tenant;
    const { thread, run: request, answering } = await scene(tenant, [SEARCH, ANSWER]);
    const run = { ...request, tool_choice: { type: "file_search" as const } };
    expect((await openai.beta.threads.runs.createAndPoll(thread.id, run, POLL)).status).toBe("completed");
    const [first, second] = await answering.requests();
    expect(first?.body).toMatchObject({ tool_choice: { type: "function", function: { name: "file_search" } } });
    expect(second?.body).not.toHaveProperty("tool_choice");
  });

  test("leaves the client's own function of that name alone", async () => {
    const tenant = newTenant();
    const { openai } = tenant;
    const search: Turn = { toolCalls: [{ name: "file_search_files", arguments: { queries: ["Filip"] } }] };
    const { thread, run: request } = await scene(tenant, [search, ANSWER]);
    const own = { type: "function" as const, function: { name: "file_search" } };
    const run = { ...request, tools: [own, { type: "file_search" as const }] };
    expect((await openai.beta.threads.runs.createAndPoll(thread.id, run, POLL)).status).toBe("completed");
    const { data } = await openai.beta.threads.messages.list(thread.id);
    expect(textOf(data[0]?.content ?? []).annotations).toHaveLength(1);
  });

  test("shows no more results than it is asked for, and none below the threshold", async () => {
    const tenant = newTenant();
    const { openai } = tenant;
    const {
      thread,
      run: request,
      store,
    } = await scene(tenant, [SEARCH, { text: "No." }], {
      file_search: { max_num_results: 2, ranking_options: { ranker: "auto", score_threshold: 1 } },
    });
    expect(store.id).toMatch(/^vs_/);
    const run = await openai.beta.threads.runs.createAndPoll(thread.id, request, POLL);
    const { data } = await openai.beta.threads.runs.steps.list(run.id, { thread_id: thread.id, order: "asc" });
    expect(data[0]?.step_details).toMatchObject({
      tool_calls: [
        { file_search: { ranking_options: { ranker: "default_2024_08_21", score_threshold: 1 }, results: [] } },
      ],
    });
  });
});

describe("stores that a run cannot use", () => {
  test("a store of another tenant is unknown, and nothing of it is found", async () => {
    const [owner, other] = [newTenant(), newTenant()];
    const { store } = await storeWith(owner.openai, { "secret.txt": "The secret is 42." });
    const answering = model();
    await answering.script([SEARCH, { text: "No." }]);
    const { openai } = other;
    const assistant = await openai.beta.assistants.create({ model: answering.name, tools: [{ type: "file_search" }] });
    const thread = await openai.beta.threads.create({ messages: [{ role: "user", content: "Well?" }] });
    const resources = { file_search: { vector_store_ids: [store.id] } };
    const expected = refused(404, `No vector store found with id '${store.id}'.`, null, null);
    expect(
      await refusal(
        openai.beta.threads.createAndRun({
          assistant_id: assistant.id,
          thread: {},
          tool_resources: resources,
          instructions: "x",
        }),
      ),
    ).toEqual(expected);
    await openai.beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, POLL);
    expect(JSON.stringify(await answering.requests())).not.toContain("42.");
  });

  test("a store that was deleted ends its runs without a model call", async () => {
    const tenant = newTenant();
    const { openai } = tenant;
    const { thread, run: request, store, answering } = await scene(tenant, []);
    await openai.vectorStores.delete(store.id);
    const run = await openai.beta.threads.runs.createAndPoll(thread.id, request, POLL);
    expect(run).toMatchObject({
      status: "failed",
      last_error: { code: "server_error", message: `No vector store found with id '${store.id}'.` },
      usage: { total_tokens: 0 },
    });
    expect(await answering.requests()).toEqual([]);
  });
});
