import { expect, test } from "vitest";
import { anId, aTime, FORMS, model, newTenant, POLL } from "./harness.ts";

test.for(FORMS)("with the $form client, a user asks a question and gets the answer", async ({ clientOf }) => {
  const { beta } = clientOf(newTenant());
  const answering = model();
  const usage = { prompt_tokens: 21, completion_tokens: 4, total_tokens: 25 };
  await answering.script([{ text: ["Paris", " it", " is."], usage }]);

  const assistant = await beta.assistants.create({ model: answering.name, instructions: "Be brief." });
  const thread = await beta.threads.create();
  const asked = await beta.threads.messages.create(thread.id, { role: "user", content: "The capital of France?" });
  const run = await beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, POLL);
  const messages = await beta.threads.messages.list(thread.id);
  const steps = await beta.threads.runs.steps.list(run.id, { thread_id: thread.id });

  expect(run).toEqual({
    id: anId("run"),
    object: "thread.run",
    created_at: aTime,
    assistant_id: assistant.id,
    thread_id: thread.id,
    status: "completed",
    started_at: aTime,
    expires_at: null,
    cancelled_at: null,
    failed_at: null,
    completed_at: aTime,
    required_action: null,
    last_error: null,
    model: answering.name,
    instructions: "Be brief.",
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
    usage,
    response_format: "auto",
    tool_choice: "auto",
    parallel_tool_calls: true,
  });
  const answer = {
    id: anId("msg"),
    object: "thread.message",
    created_at: aTime,
    assistant_id: assistant.id,
    thread_id: thread.id,
    run_id: run.id,
    status: "completed",
    incomplete_details: null,
    completed_at: aTime,
    incomplete_at: null,
    role: "assistant",
    content: [{ type: "text", text: { value: "Paris it is.", annotations: [] } }],
    attachments: [],
    metadata: {},
  };
  expect(messages.data).toEqual([answer, asked]);
  expect(steps.data).toEqual([
    {
      id: anId("step"),
      object: "thread.run.step",
      created_at: aTime,
      run_id: run.id,
      assistant_id: assistant.id,
      thread_id: thread.id,
      type: "message_creation",
      status: "completed",
      cancelled_at: null,
      completed_at: aTime,
      expires_at: null,
      expired_at: null,
      failed_at: null,
      last_error: null,
      step_details: { type: "message_creation", message_creation: { message_id: messages.data[0]?.id } },
      usage,
      metadata: {},
    },
  ]);
  const [request] = await answering.requests();
  expect(request?.body.messages).toEqual([
    { role: "system", content: "Be brief." },
    { role: "user", content: "The capital of France?" },
  ]);
});

test("the conversation goes on: the next run reads what was said before, in order", async () => {
  const { beta } = newTenant().openai;
  const answering = model();
  await answering.script([{ text: "One." }, { text: "Two." }]);
  const assistant = await beta.assistants.create({ model: answering.name });
  const thread = await beta.threads.create({ messages: [{ role: "user", content: "Count!" }] });

  await beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, POLL);
  await beta.threads.messages.create(thread.id, { role: "user", content: "Go on!" });
  await beta.threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id }, POLL);

  const requests = await answering.requests();
  expect(requests[1]?.body.messages).toEqual([
    { role: "user", content: "Count!" },
    { role: "assistant", content: "One." },
    { role: "user", content: "Go on!" },
  ]);
});

test("what one form of the API wrote, the other form reads", async () => {
  const { openai, azure } = newTenant();

  const thread = await openai.beta.threads.create({ metadata: { written: "by the one" } });

  expect(await azure.beta.threads.retrieve(thread.id)).toEqual(thread);
});
