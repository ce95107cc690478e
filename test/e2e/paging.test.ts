import type OpenAI from "openai";
import { expect, inject, test } from "vitest";
import { all, newTenant, POLL, question, refusal, refused } from "./harness.ts";

async function threadOf(client: OpenAI, size: number) {
  const messages = Array.from({ length: size }, (_, number) => ({ role: "user" as const, content: String(number) }));
  const thread = await client.beta.threads.create({ messages });
  const { data } = await client.beta.threads.messages.list(thread.id, { order: "asc", limit: 100 });
  return { thread, ids: data.map(({ id }) => id) };
}

test("an empty list says so in every field", async () => {
  const tenant = newTenant();
  const thread = await tenant.openai.beta.threads.create();
  const empty = { object: "list", data: [], first_id: null, last_id: null, has_more: false };

  for (const list of ["/assistants", `/threads/${thread.id}/messages`, `/threads/${thread.id}/runs`]) {
    expect((await tenant.send("GET", list)).body).toEqual(empty);
  }
});

test("a list without parameters is the newest twenty, newest first", async () => {
  const tenant = newTenant();
  const { thread, ids } = await threadOf(tenant.openai, 25);

  const { body } = await tenant.send("GET", `/threads/${thread.id}/messages`);

  const newest = ids.toReversed().slice(0, 20);
  expect(body).toMatchObject({ object: "list", first_id: newest[0], last_id: newest[19], has_more: true });
  expect((body as { data: { id: string }[] }).data.map(({ id }) => id)).toEqual(newest);
});

test("a page that ends with the last object says that there is no more", async () => {
  const { openai } = newTenant();
  const { thread } = await threadOf(openai, 4);

  const page = await openai.beta.threads.messages.list(thread.id, { limit: 4 });

  expect(page).toMatchObject({ has_more: false });
});

test("a page of large objects ends early, in either direction, and a client that goes on gets all of them", async () => {
  const { openai } = newTenant();
  const { messages } = openai.beta.threads;
  // 0.77 MB each: a list has 8 MB at the most.
  const content = "語".repeat(256_000);
  const { id } = await openai.beta.threads.create({
    messages: Array.from({ length: 10 }, () => ({ role: "user" as const, content })),
  });
  const last = await messages.create(id, { role: "user", content });

  const page = await messages.list(id, { limit: 100, order: "asc" });
  expect(page.has_more).toBe(true);
  expect(page.data).toHaveLength(10);
  expect(page.data.map((each) => each.id)).not.toContain(last.id);
  const everything = [...page.data.map((each) => each.id), last.id];
  expect((await all(page)).map((each) => each.id)).toEqual(everything);
  const backwards = await openai.get<{ data: { id: string }[]; has_more: boolean }>(
    `/threads/${id}/messages?limit=100&order=asc&before=${last.id}`,
  );
  expect([backwards.data.map((each) => each.id), backwards.has_more]).toEqual([everything.slice(0, 10), false]);
});

/** docs/contract.md 7: `before` is the page just before its object, still in the order asked for. */
test.for([
  { query: { order: "asc", limit: 3 }, shown: [0, 1, 2], more: true },
  { query: { order: "asc", after: 6 }, shown: [7, 8, 9], more: false },
  { query: { order: "asc", after: 2, limit: 2 }, shown: [3, 4], more: true },
  { query: { order: "desc", after: 2 }, shown: [1, 0], more: false },
  { query: { order: "desc", after: 9, limit: 2 }, shown: [8, 7], more: true },
  { query: { order: "asc", before: 5, limit: 2 }, shown: [3, 4], more: true },
  { query: { order: "asc", before: 2, limit: 5 }, shown: [0, 1], more: false },
  { query: { order: "desc", before: 5, limit: 2 }, shown: [7, 6], more: true },
  { query: { order: "desc", before: 8, limit: 5 }, shown: [9], more: false },
  { query: { order: "asc", after: 2, before: 5 }, shown: [3, 4], more: false },
  { query: { order: "asc", after: 9 }, shown: [], more: false },
  { query: { order: "asc", before: 0 }, shown: [], more: false },
] as const)("of ten messages, $query shows $shown", async ({ query, shown, more }) => {
  const { openai } = newTenant();
  const { thread, ids } = await threadOf(openai, 10);
  const { after, before, ...rest } = { after: undefined, before: undefined, ...query };
  const cursors = {
    ...(after === undefined ? {} : { after: ids[after] ?? "" }),
    ...(before === undefined ? {} : { before: ids[before] ?? "" }),
  };

  const page = await openai.beta.threads.messages.list(thread.id, { ...rest, ...cursors });

  expect(page.data.map(({ id }) => ids.indexOf(id))).toEqual(shown);
  expect(page.has_more).toBe(more);
});

test.for(["asc", "desc"] as const)("a client that follows the pages sees each message once, %s", async (order) => {
  const { azure } = newTenant();
  const { thread, ids } = await threadOf(azure, 23);

  const seen = await all(azure.beta.threads.messages.list(thread.id, { order, limit: 5 }));

  expect(seen.map(({ id }) => id)).toEqual(order === "asc" ? ids : ids.toReversed());
});

test("a client that deletes each message as it pages still sees them all", async () => {
  const { openai } = newTenant();
  const { messages } = openai.beta.threads;
  const { thread, ids } = await threadOf(openai, 12);

  const seen: string[] = [];
  for await (const { id } of messages.list(thread.id, { limit: 5 })) {
    seen.push(id);
    await messages.delete(id, { thread_id: thread.id });
  }

  expect(seen).toEqual(ids.toReversed());
  expect((await messages.list(thread.id)).data).toEqual([]);
});

test("all assistants can be followed from page to page", async () => {
  const { assistants } = newTenant().openai.beta;
  const created: string[] = [];
  for (let number = 0; number < 7; number++) created.push((await assistants.create({ model: `m${number}` })).id);

  const seen = await all(assistants.list({ limit: 3 }));

  expect(seen.map(({ id }) => id)).toEqual(created.toReversed());
});

test("runs and steps have pages, too, and messages can be had by their run", async () => {
  const { openai } = newTenant();
  const { runs, messages } = openai.beta.threads;
  const { thread, run: request } = await question(openai, [{ text: "a" }, { text: "b" }, { text: "c" }]);
  const ended = [];
  for (let number = 0; number < 3; number++) ended.push(await runs.createAndPoll(thread.id, request, POLL));

  const seenRuns = await all(runs.list(thread.id, { order: "asc", limit: 2 }));
  const ofSecond = await all(messages.list(thread.id, { run_id: ended[1]?.id ?? "" }));
  const steps = await runs.steps.list(ended[1]?.id ?? "", { thread_id: thread.id, limit: 1 });

  expect(seenRuns).toEqual(ended);
  expect(ofSecond).toMatchObject([{ run_id: ended[1]?.id, content: [{ text: { value: "b" } }] }]);
  expect(steps).toMatchObject({ data: [{ run_id: ended[1]?.id }], has_more: false });
});

test.for(["after", "before"])("a cursor that was never an id is refused: %s", async (name) => {
  const { openai } = newTenant();
  const { thread } = await threadOf(openai, 1);

  expect(await refusal(openai.beta.threads.messages.list(thread.id, { [name]: "msg_unknown" }))).toEqual(
    refused(400, `Invalid '${name}': no object found with id 'msg_unknown'.`, name, "invalid_value"),
  );
});

test("a list of threads goes on after one that was deleted, also while its purge is under way", async () => {
  const { key, openai } = newTenant();
  const { threads } = openai.beta;
  const first = await threads.create();
  // So many messages that its purge takes more than one slice.
  const messages = Array.from({ length: 500 }, () => ({ role: "user" as const, content: "Why?" }));
  const second = await threads.create({ messages });
  await Promise.all(
    Array.from({ length: 10 }, () => threads.messages.create(second.id, { role: "user", content: "Why?" })),
  );
  const third = await threads.create();
  await threads.delete(second.id);

  const list = async (query: string) => {
    const path = `/api/projects/p/threads?api-version=v1&order=asc&${query}`;
    // Not through the harness: the contract's schemas do not know this form of the API.
    const response = await fetch(inject("stack").origin + path, { headers: { "api-key": key } });
    const { data } = (await response.json()) as { data?: { id: string }[] };
    return { status: response.status, ids: data?.map(({ id }) => id) };
  };

  expect(await list("")).toEqual({ status: 200, ids: [first.id, third.id] });
  expect(await list(`after=${second.id}`)).toEqual({ status: 200, ids: [third.id] });
  expect(await list(`before=${second.id}`)).toEqual({ status: 200, ids: [first.id] });
});

test.for([
  {
    query: "limit=0",
    message: "Invalid 'limit': integer below minimum value. Expected a value >= 1, but got 0 instead.",
    code: "integer_below_min_value",
  },
  {
    query: "limit=101",
    message: "Invalid 'limit': integer above maximum value. Expected a value <= 100, but got 101 instead.",
    code: "integer_above_max_value",
  },
  {
    query: "limit=abc",
    message: "Invalid type for 'limit': expected an integer, but got a string instead.",
    code: "invalid_type",
  },
  {
    query: "order=up",
    message: "Invalid value: 'up'. Supported values are: 'asc' and 'desc'.",
    code: "invalid_value",
  },
])("every list refuses $query in the original's words", async ({ query, message, code }) => {
  const tenant = newTenant();
  const param = query.split("=")[0] ?? "";
  const { error } = refused(400, message, param, code);

  const thread = "/threads/thread_none";
  for (const list of ["/assistants", `${thread}/messages`, `${thread}/runs`, `${thread}/runs/run_none/steps`]) {
    const { status, body } = await tenant.send("GET", `${list}?${query}`);
    expect({ status, body }).toEqual({ status: 400, body: { error } });
  }
});
