import { expect, test } from "vitest";
import { anId, aTime, model, newTenant, POLL, question, refusal, refused, until } from "./harness.ts";

test("a new run is queued, with every field", async () => {
  const { openai } = newTenant();
  const { thread, assistant, run: request } = await question(openai, [{ hang: true }]);

  const run = await openai.beta.threads.runs.create(thread.id, request);

  expect(run).toEqual({
    id: anId("run"),
    object: "thread.run",
    created_at: aTime,
    assistant_id: assistant.id,
    thread_id: thread.id,
    status: "queued",
    started_at: null,
    expires_at: run.created_at + 600,
    cancelled_at: null,
    failed_at: null,
    completed_at: null,
    required_action: null,
    last_error: null,
    model: assistant.model,
    instructions: null,
    tools: [],
    tool_resources: {},
    metadata: {},
    temperature: 1,
    top_p: 1,
    reasoning_effort: null,
    max_completion_tokens: null,
    max_prompt_tokens: null,
    truncation_strategy: { type: "auto", last_messages: null },
    incomplete_details: null,
    usage: null,
    response_format: "auto",
    tool_choice: "auto",
    parallel_tool_calls: true,
  });
  await openai.beta.threads.delete(thread.id);
});

test("a run under way shows since when, keeps its expiry, and has no usage yet", async () => {
  const { openai } = newTenant();
  const { model, thread, run: request } = await question(openai, [{ hang: true }]);
  const { runs } = openai.beta.threads;

  const queued = await runs.create(thread.id, request);
  await until(async () => (await model.requests()).length === 1);

  expect(await runs.retrieve(queued.id, { thread_id: thread.id })).toEqual({
    ...queued,
    status: "in_progress",
    started_at: aTime,
  });
  expect((await runs.list(thread.id)).data).toMatchObject([{ id: queued.id, status: "in_progress" }]);
  await openai.beta.threads.delete(thread.id);
});

test("while a run is worth asking for again, its answer says when", async () => {
  const { openai } = newTenant();
  const { runs } = openai.beta.threads;
  const { thread, run: request } = await question(openai, [{ text: "ok", firstTokenMs: 500 }]);
  const inThread = { thread_id: thread.id };
  const { id } = await runs.create(thread.id, request);

  const active = await runs.retrieve(id, inThread).withResponse();
  const ended = await runs.poll(id, inThread, POLL).then(() => runs.retrieve(id, inThread).withResponse());

  expect(active.data.status).not.toBe("completed");
  expect(Number(active.response.headers.get("openai-poll-after-ms"))).toBeGreaterThan(0);
  expect(ended.data.status).toBe("completed");
  expect(ended.response.headers.get("openai-poll-after-ms")).toBeNull();
});

test("a run takes its own settings over the assistant's, and the model gets them", async () => {
  const { openai } = newTenant();
  const { assistants, threads } = openai.beta;
  const own = model();
  const tool = { type: "function" as const, function: { name: "now", parameters: { type: "object" }, strict: false } };
  await own.script([{ text: "{}" }]);
  const assistant = await assistants.create({ model: "other", instructions: "Be long.", temperature: 0.1, top_p: 0.2 });
  const thread = await threads.create({ messages: [{ role: "user", content: "Hi" }] });
  const settings = {
    model: own.name,
    temperature: 0.7,
    top_p: 0.9,
    tools: [tool],
    tool_choice: "none" as const,
    response_format: { type: "json_object" as const },
    max_completion_tokens: 500,
    max_prompt_tokens: 1000,
    parallel_tool_calls: false,
    truncation_strategy: { type: "last_messages" as const, last_messages: 3 },
    metadata: { reason: "test" },
  };

  const run = await threads.runs.createAndPoll(
    thread.id,
    { assistant_id: assistant.id, instructions: "Be brief.", additional_instructions: "Be kind.", ...settings },
    POLL,
  );

  expect(run).toMatchObject({ status: "completed", instructions: "Be brief.\n\nBe kind.", ...settings });
  expect((await own.requests())[0]?.body).toMatchObject({
    messages: [
      { role: "system", content: "Be brief.\n\nBe kind." },
      { role: "user", content: "Hi" },
    ],
    temperature: 0.7,
    top_p: 0.9,
    tools: [tool].map(({ type, function: { name, parameters } }) => ({ type, function: { name, parameters } })),
    tool_choice: "none",
    parallel_tool_calls: false,
    response_format: { type: "json_object" },
    max_completion_tokens: 500,
  });
});

test("instructions of a run that are only additional are added to the assistant's", async () => {
  const { beta } = newTenant().openai;
  const assistant = await beta.assistants.create({ model: model().name, instructions: "Be brief." });
  const thread = await beta.threads.create();

  const run = await beta.threads.runs.create(thread.id, {
    assistant_id: assistant.id,
    additional_instructions: "Be kind.",
  });

  expect(run.instructions).toBe("Be brief.\n\nBe kind.");
});

test("additional messages come into the thread before the answer, in order", async () => {
  const { openai } = newTenant();
  const { thread, run: request } = await question(openai, [{ text: "Three." }], "one");

  await openai.beta.threads.runs.createAndPoll(
    thread.id,
    {
      ...request,
      additional_messages: [
        { role: "assistant", content: "two", metadata: { n: "2" } },
        { role: "user", content: "and?" },
      ],
    },
    POLL,
  );

  const { data } = await openai.beta.threads.messages.list(thread.id, { order: "asc" });
  const said = data.map(({ role, content: [part] }) => [role, part?.type === "text" && part.text.value]);
  expect(said).toEqual([
    ["user", "one"],
    ["assistant", "two"],
    ["user", "and?"],
    ["assistant", "Three."],
  ]);
  expect(data[1]).toMatchObject({ metadata: { n: "2" }, run_id: null, assistant_id: null });
});

test("a run keeps the assistant as it was when the run was created", async () => {
  const { openai } = newTenant();
  const { assistants, threads } = openai.beta;
  const { assistant, thread, run: request } = await question(openai, [{ text: "ok", firstTokenMs: 300 }]);
  const { id } = await threads.runs.create(thread.id, request);

  await assistants.update(assistant.id, { model: "other", instructions: "Changed." });
  await assistants.delete(assistant.id);

  const run = await threads.runs.poll(id, { thread_id: thread.id }, POLL);
  expect(run).toMatchObject({ status: "completed", model: assistant.model, instructions: null });
});

test("while a run is active its thread takes no second run and no message, and says which run it is", async () => {
  const { openai } = newTenant();
  const { threads } = openai.beta;
  const { thread, run: request } = await question(openai, [{ hang: true }]);
  const run = await threads.runs.create(thread.id, request);

  const secondRun = await refusal(threads.runs.create(thread.id, request));
  const message = await refusal(threads.messages.create(thread.id, { role: "user", content: "And?" }));

  expect(secondRun).toEqual(refused(400, `Thread ${thread.id} already has an active run ${run.id}.`));
  expect(message).toEqual(refused(400, `Can't add messages to ${thread.id} while a run ${run.id} is active.`));
  await threads.delete(thread.id);
});

test("while a run is active the thread can be read, and its metadata changed", async () => {
  const { openai } = newTenant();
  const { threads } = openai.beta;
  const { thread, run: request } = await question(openai, [{ text: "ok", firstTokenMs: 500 }]);
  const run = await threads.runs.create(thread.id, request);

  const [message] = (await threads.messages.list(thread.id)).data;
  await threads.messages.update(message?.id ?? "", { thread_id: thread.id, metadata: { read: "yes" } });
  await threads.update(thread.id, { metadata: { changed: "yes" } });

  expect(await threads.runs.poll(run.id, { thread_id: thread.id }, POLL)).toMatchObject({ status: "completed" });
  expect(await threads.retrieve(thread.id)).toMatchObject({ metadata: { changed: "yes" } });
  expect((await threads.messages.list(thread.id)).data).toMatchObject([
    { role: "assistant" },
    { id: message?.id, metadata: { read: "yes" } },
  ]);
});

test("when a run has ended, its thread takes messages and runs again", async () => {
  const { openai } = newTenant();
  const { threads } = openai.beta;
  const { thread, run } = await question(openai, [{ text: "a" }, { text: "b" }]);
  await threads.runs.createAndPoll(thread.id, run, POLL);

  await threads.messages.create(thread.id, { role: "user", content: "Again!" });

  expect(await threads.runs.createAndPoll(thread.id, run, POLL)).toMatchObject({ status: "completed" });
});

test.for([
  { what: "an empty thread", messages: [] },
  {
    what: "a thread in which only the assistant has spoken",
    messages: [{ role: "assistant" as const, content: "Hi" }],
  },
])("$what and an assistant without instructions make no run", async ({ messages }) => {
  const { beta } = newTenant().openai;
  const assistant = await beta.assistants.create({ model: "m" });
  const thread = await beta.threads.create({ messages });

  expect(await refusal(beta.threads.runs.create(thread.id, { assistant_id: assistant.id }))).toEqual(
    refused(
      400,
      "Run creation requires a Thread with a user message or an assistant with instructions.",
      null,
      "invalid_thread",
    ),
  );
});

test("instructions, or a message of a user that comes with the run, are enough to start from", async () => {
  const { beta } = newTenant().openai;
  const assistant = await beta.assistants.create({ model: model().name });
  const [instructed, spoken] = await Promise.all([beta.threads.create(), beta.threads.create()]);
  const run = { assistant_id: assistant.id };

  const byInstructions = await beta.threads.runs.createAndPoll(instructed.id, { ...run, instructions: "Greet." }, POLL);
  const byMessage = await beta.threads.runs.createAndPoll(
    spoken.id,
    { ...run, additional_messages: [{ role: "user", content: "Hi" }] },
    POLL,
  );

  expect([byInstructions.status, byMessage.status]).toEqual(["completed", "completed"]);
});

test("a step can be had by its id, and only under its run", async () => {
  const { openai } = newTenant();
  const { runs } = openai.beta.threads;
  const { thread, run: request } = await question(openai, [{ text: "a" }, { text: "b" }]);
  const first = await runs.createAndPoll(thread.id, request, POLL);
  const second = await runs.createAndPoll(thread.id, request, POLL);
  const [step] = (await runs.steps.list(first.id, { thread_id: thread.id })).data;
  const id = step?.id ?? "";

  expect(await runs.steps.retrieve(id, { thread_id: thread.id, run_id: first.id })).toEqual(step);
  expect(await refusal(runs.steps.retrieve(id, { thread_id: thread.id, run_id: second.id }))).toEqual(
    refused(404, `No run step found with id '${id}'.`),
  );
});

test("clients may ask for more of a run's steps with include, in every spelling that they use", async () => {
  const tenant = newTenant();
  const { thread, run } = await question(tenant.openai, [{ text: "a" }, { text: "b" }, { text: "c" }]);
  const { runs } = tenant.openai.beta.threads;
  const what = "step_details.tool_calls[*].file_search.results[*].content";

  for (const name of ["include[]", "include%5B%5D", "include%255B%255D"]) {
    const query = `${name}=${encodeURIComponent(what)}`;
    const created = await tenant.send("POST", `/threads/${thread.id}/runs?${query}`, run);
    expect(created.status).toBe(200);
    const { id } = created.body as { id: string };
    await runs.poll(id, { thread_id: thread.id }, POLL);
    expect((await tenant.send("GET", `/threads/${thread.id}/runs/${id}/steps?${query}`)).status).toBe(200);
  }
});

const WEATHER = { type: "function" as const, function: { name: "weather" } };
const CALLS = {
  toolCalls: [
    { id: "call_a", name: "weather" },
    { id: "call_b", name: "weather" },
  ],
};

test("a paused run takes the outputs of exactly the calls that it waits for", async () => {
  const { openai } = newTenant();
  const { runs } = openai.beta.threads;
  const { thread, run: request } = await question(openai, [CALLS, { text: "Sunny." }]);
  const inThread = { thread_id: thread.id };
  const run = await runs.createAndPoll(thread.id, { ...request, tools: [WEATHER] }, POLL);
  const outputs = (...ids: string[]) => ({
    ...inThread,
    tool_outputs: ids.map((id) => ({ tool_call_id: id, output: "sun" })),
  });

  expect(run).toMatchObject({ status: "requires_action", usage: null });
  for (const given of [["call_a"], [], ["call_a", "call_b", "call_c"]]) {
    const got = `[${given.map((id) => `'${id}'`).join(", ")}]`;
    expect(await refusal(runs.submitToolOutputs(run.id, outputs(...given)))).toEqual(
      refused(400, `Expected tool outputs for call_ids ['call_a', 'call_b'], got ${got}`),
    );
  }
  await runs.submitToolOutputs(run.id, outputs("call_b", "call_a"));
  expect(await runs.poll(run.id, inThread, POLL)).toMatchObject({ status: "completed" });
  expect(await refusal(runs.submitToolOutputs(run.id, outputs("call_a", "call_b")))).toEqual(
    refused(400, 'Runs in status "completed" do not accept tool outputs.'),
  );
});

test("what a run's status does not allow is refused, and the answer says which status", async () => {
  const { openai } = newTenant();
  const { runs } = openai.beta.threads;
  const { thread, run: request } = await question(openai, [CALLS]);
  const inThread = { thread_id: thread.id };
  const run = await runs.createAndPoll(thread.id, { ...request, tools: [WEATHER] }, POLL);

  expect(await refusal(runs.update(run.id, { ...inThread, metadata: {} }))).toEqual(
    refused(400, "Cannot update run with status 'requires_action'."),
  );
  await runs.cancel(run.id, inThread);
  expect(await runs.poll(run.id, inThread, POLL)).toMatchObject({ status: "cancelled", cancelled_at: aTime });
  expect(await refusal(runs.cancel(run.id, inThread))).toEqual(
    refused(400, "Cannot cancel run with status 'cancelled'."),
  );
  expect(await runs.update(run.id, { ...inThread, metadata: { why: "test" } })).toMatchObject({
    metadata: { why: "test" },
  });
});

test("a run's tool outputs, cancel and update are not found where there is no such run", async () => {
  const tenant = newTenant();
  const { thread } = await question(tenant.openai, []);
  const { error } = refused(404, "No run found with id 'run_none'.");

  for (const [path, body] of [
    ["", {}],
    ["/cancel", undefined],
    ["/submit_tool_outputs", { tool_outputs: [] }],
  ] as const) {
    const answer = await tenant.send("POST", `/threads/${thread.id}/runs/run_none${path}`, body);
    expect({ path, status: answer.status, body: answer.body }).toEqual({ path, status: 404, body: { error } });
  }
});
