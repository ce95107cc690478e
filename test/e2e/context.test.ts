/** What the model gets to read, and the bounds on it (docs/contract.md 6). */
import { expect, test } from "vitest";
import type { ModelRequest } from "./harness.ts";
import { model, newTenant, POLL, question } from "./harness.ts";

const WEATHER = {
  type: "function" as const,
  function: { name: "get_weather", parameters: { type: "object", properties: { city: { type: "string" } } } },
};

const roles = (request: ModelRequest | undefined) => request?.body.messages.map(({ role }) => role);
const contents = (request: ModelRequest | undefined) => request?.body.messages.map(({ content }) => content);

test("instructions come first, then the thread in its order, with what the run adds", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ text: "Because." }]);
  await openai.beta.threads.runs.createAndPoll(
    thread.id,
    {
      ...run,
      instructions: "Be brief.",
      additional_instructions: "Be kind.",
      additional_messages: [
        { role: "assistant", content: "Let me think." },
        { role: "user", content: "And how?" },
      ],
    },
    POLL,
  );
  const [request] = await model.requests();
  expect(request?.body.messages).toEqual([
    { role: "system", content: "Be brief.\n\nBe kind." },
    { role: "user", content: "Why?" },
    { role: "assistant", content: "Let me think." },
    { role: "user", content: "And how?" },
  ]);
});

test("the tool calls of earlier runs stand where they were made, before the answer that followed them", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [
    { toolCalls: [{ id: "call_1", name: "get_weather", arguments: { city: "Oslo" } }] },
    { text: "Bring an umbrella." },
    { text: "You are welcome." },
  ]);
  const request = { ...run, tools: [WEATHER] };
  const { runs } = openai.beta.threads;
  const paused = await runs.createAndPoll(thread.id, request, POLL);
  const outputs = { thread_id: thread.id, tool_outputs: [{ tool_call_id: "call_1", output: "rain" }] };
  await runs.submitToolOutputsAndPoll(paused.id, outputs, POLL);
  await openai.beta.threads.messages.create(thread.id, { role: "user", content: "Thanks." });
  await runs.createAndPoll(thread.id, request, POLL);

  const last = (await model.requests()).at(-1);
  expect(roles(last)).toEqual(["user", "assistant", "tool", "assistant", "user"]);
  expect(contents(last)?.slice(2)).toEqual(["rain", "Bring an umbrella.", "Thanks."]);
});

test("the calls of a run that was cancelled while it waited never reach the model again", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [
    { toolCalls: [{ id: "call_1", name: "get_weather", arguments: {} }] },
    { text: "Fine." },
  ]);
  const { runs } = openai.beta.threads;
  const paused = await runs.createAndPoll(thread.id, { ...run, tools: [WEATHER] }, POLL);
  await runs.cancel(paused.id, { thread_id: thread.id });
  expect((await runs.createAndPoll(thread.id, run, POLL)).status).toBe("completed");
  expect(roles((await model.requests()).at(-1))).toEqual(["user"]);
});

test("last_messages bounds the thread by number", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ text: "Three." }], "one");
  for (const content of ["two", "three"]) {
    await openai.beta.threads.messages.create(thread.id, { role: "user", content });
  }
  const truncation_strategy = { type: "last_messages" as const, last_messages: 2 };
  await openai.beta.threads.runs.createAndPoll(thread.id, { ...run, truncation_strategy }, POLL);
  expect(contents((await model.requests())[0])).toEqual(["two", "three"]);
});

test("a prompt budget drops messages from the middle: the first and the newest stay", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ text: "Well." }], "first");
  for (let number = 0; number < 12; number++) {
    const content = `message ${number}: ${"word ".repeat(60)}`;
    await openai.beta.threads.messages.create(thread.id, { role: "user", content });
  }
  await openai.beta.threads.runs.createAndPoll(thread.id, { ...run, max_prompt_tokens: 300 }, POLL);
  const seen = contents((await model.requests())[0]) as string[];
  expect(seen[0]).toBe("first");
  expect(seen.at(-1)).toMatch(/^message 11/);
  expect(seen.length).toBeGreaterThan(2);
  expect(seen.length).toBeLessThan(7);
});

test("a completion budget is passed on, and ends the run incomplete when the answer is cut", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [
    { text: "This answer goes on for ever", finishReason: "length" },
  ]);
  const ended = await openai.beta.threads.runs.createAndPoll(thread.id, { ...run, max_completion_tokens: 16 }, POLL);
  expect(ended).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_completion_tokens" } });
  expect(ended.completed_at).not.toBeNull();
  const { data } = await openai.beta.threads.messages.list(thread.id, { limit: 1 });
  expect(data[0]).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_tokens" } });
  const steps = await openai.beta.threads.runs.steps.list(ended.id, { thread_id: thread.id });
  expect(steps.data.map((step) => step.status)).toEqual(["completed"]);
  expect((await model.requests())[0]?.body).toMatchObject({ max_completion_tokens: 16 });
});

test("a completion budget bounds the sum of a run's model calls: what is used up is not there for the next", async () => {
  const { openai } = newTenant();
  const call = { toolCalls: [{ id: "call_1", name: "get_weather", arguments: {} }], usage: usageOf(20, 30) };
  const { model, thread, run } = await question(openai, [call, { text: "Sunny.", usage: usageOf(40, 10) }]);
  const { runs } = openai.beta.threads;
  const request = { ...run, tools: [WEATHER], max_completion_tokens: 100 };
  const paused = await runs.createAndPoll(thread.id, request, POLL);
  const outputs = { thread_id: thread.id, tool_outputs: [{ tool_call_id: "call_1", output: "sun" }] };
  const ended = await runs.submitToolOutputsAndPoll(paused.id, outputs, POLL);
  expect(ended.usage).toMatchObject({ prompt_tokens: 60, completion_tokens: 40, total_tokens: 100 });
  expect((await model.requests()).map(({ body }) => body)).toMatchObject([
    { max_completion_tokens: 100 },
    { max_completion_tokens: 70 },
  ]);
});

test("a budget that the first call has used up ends the run before the next", async () => {
  const { openai } = newTenant();
  const call = { toolCalls: [{ id: "call_1", name: "get_weather", arguments: {} }], usage: usageOf(300, 30) };
  const { model, thread, run } = await question(openai, [call]);
  const { runs } = openai.beta.threads;
  const paused = await runs.createAndPoll(thread.id, { ...run, tools: [WEATHER], max_prompt_tokens: 300 }, POLL);
  const outputs = { thread_id: thread.id, tool_outputs: [{ tool_call_id: "call_1", output: "sun" }] };
  const ended = await runs.submitToolOutputsAndPoll(paused.id, outputs, POLL);
  expect(ended).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_prompt_tokens" } });
  expect(await model.requests()).toHaveLength(1);
});

test("a prompt budget binds the first call too: what does not fit is never sent", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ text: "Because." }], "lorem ipsum ".repeat(2_000));
  const ended = await openai.beta.threads.runs.createAndPoll(thread.id, { ...run, max_prompt_tokens: 256 }, POLL);
  expect(ended).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_prompt_tokens" } });
  expect(ended.usage).toEqual({ prompt_tokens: 0, completion_tokens: 0, total_tokens: 0 });
  expect(await model.requests()).toHaveLength(0);
  await openai.beta.threads.messages.create(thread.id, { role: "user", content: "Well?" });
});

test("instructions that leave no room for the question end the run before the model is asked", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ text: "Because." }]);
  const request = { ...run, instructions: "Be brief. ".repeat(200), max_prompt_tokens: 256 };
  const ended = await openai.beta.threads.runs.createAndPoll(thread.id, request, POLL);
  expect(ended).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_prompt_tokens" } });
  expect(await model.requests()).toHaveLength(0);
});

test("budgets hold with a server that tells nothing of tokens: two prompts of 150 tokens are more than 256", async () => {
  const { openai } = newTenant();
  const call = { toolCalls: [{ id: "call_1", name: "get_weather", arguments: {} }], usage: null };
  const { model, thread, run } = await question(openai, [call, { text: "Sunny." }]);
  const { runs } = openai.beta.threads;
  const request = { ...run, tools: [WEATHER], instructions: "Be brief. ".repeat(50), max_prompt_tokens: 256 };
  const paused = await runs.createAndPoll(thread.id, request, POLL);
  const outputs = { thread_id: thread.id, tool_outputs: [{ tool_call_id: "call_1", output: "sun" }] };
  const ended = await runs.submitToolOutputsAndPoll(paused.id, outputs, POLL);
  expect(ended).toMatchObject({ status: "incomplete", incomplete_details: { reason: "max_prompt_tokens" } });
  expect(ended.usage?.prompt_tokens).toBeGreaterThan(150);
  expect(await model.requests()).toHaveLength(1);
});

test("auto truncation keeps the whole thread, whatever last_messages says", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ text: "Two." }], "one");
  await openai.beta.threads.messages.create(thread.id, { role: "user", content: "two" });
  const truncation_strategy = { type: "auto" as const, last_messages: 1 };
  await openai.beta.threads.runs.createAndPoll(thread.id, { ...run, truncation_strategy }, POLL);
  expect(contents((await model.requests())[0])).toEqual(["one", "two"]);
});

test("a choice of a function that the run does not have fails it in words, and costs no model call", async () => {
  const { openai } = newTenant();
  const { model, thread, run } = await question(openai, [{ text: "Sunny." }]);
  const tool_choice = { type: "function" as const, function: { name: "get_wether" } };
  const ended = await openai.beta.threads.runs.createAndPoll(
    thread.id,
    { ...run, tools: [WEATHER], tool_choice },
    POLL,
  );
  expect(ended).toMatchObject({ status: "failed", last_error: { code: "invalid_prompt" } });
  expect(ended.last_error?.message).toContain("get_wether");
  expect(await model.requests()).toHaveLength(0);
});

test("what clients did not choose is not sent, what they chose is, defaults too", async () => {
  const { openai } = newTenant();
  const answering = model();
  await answering.script([{ text: "1" }, { text: "2" }, { text: "3" }, { text: "4" }]);
  const { assistants, threads } = openai.beta;
  const open = await assistants.create({ model: answering.name, tools: [WEATHER], instructions: "" });
  const chosen = await assistants.create({ model: answering.name, tools: [WEATHER], temperature: 1 });
  const thread = await threads.create({ messages: [{ role: "user", content: "a lone \ud800 half" }] });
  await threads.runs.createAndPoll(thread.id, { assistant_id: open.id }, POLL);
  await threads.runs.createAndPoll(thread.id, { assistant_id: open.id, top_p: 1, parallel_tool_calls: true }, POLL);
  await threads.runs.createAndPoll(thread.id, { assistant_id: chosen.id }, POLL);
  await assistants.update(chosen.id, { temperature: null, top_p: 1 });
  await threads.runs.createAndPoll(thread.id, { assistant_id: chosen.id }, POLL);
  const parameters = ["temperature", "top_p", "parallel_tool_calls"];
  const sent = (await answering.requests()).map(({ body }) =>
    Object.fromEntries(Object.entries(body).filter(([name]) => parameters.includes(name))),
  );
  expect(sent).toEqual([{}, { top_p: 1, parallel_tool_calls: true }, { temperature: 1 }, { top_p: 1 }]);
  // Neither an empty system message nor half a character.
  expect((await answering.requests())[0]?.body.messages).toEqual([{ role: "user", content: "a lone \ufffd half" }]);
});

test("a forced function is forced once, or the run would never end", async () => {
  const { openai } = newTenant();
  const call = { toolCalls: [{ id: "call_1", name: "get_weather", arguments: {} }] };
  const { model, thread, run } = await question(openai, [call, { text: "Sunny." }]);
  const { runs } = openai.beta.threads;
  const tool_choice = { type: "function" as const, function: { name: "get_weather" } };
  const request = { ...run, tools: [WEATHER], tool_choice, parallel_tool_calls: false };
  const paused = await runs.createAndPoll(thread.id, request, POLL);
  const outputs = { thread_id: thread.id, tool_outputs: [{ tool_call_id: "call_1", output: "sun" }] };
  expect((await runs.submitToolOutputsAndPoll(paused.id, outputs, POLL)).status).toBe("completed");
  const [first, second] = (await model.requests()).map(({ body }) => body);
  expect(first).toMatchObject({ tool_choice, parallel_tool_calls: false });
  expect(second).not.toHaveProperty("tool_choice");
});

test("images by URL, formats and sampling reach the model; file_search and code_interpreter do as functions", async () => {
  const { openai } = newTenant();
  const answering = model();
  await answering.script([{ text: "{}" }]);
  const assistant = await openai.beta.assistants.create({
    model: answering.name,
    temperature: 0,
    tools: [{ type: "file_search" }, { type: "code_interpreter" }, WEATHER],
  });
  const image_url = { url: "https://example.com/cat.png", detail: "low" as const };
  const thread = await openai.beta.threads.create({
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image_url", image_url },
        ],
      },
    ],
  });
  const response_format = { type: "json_object" as const };
  const run = { assistant_id: assistant.id, response_format };
  expect((await openai.beta.threads.runs.createAndPoll(thread.id, run, POLL)).status).toBe("completed");
  const [request] = await answering.requests();
  expect(request?.body).toMatchObject({
    temperature: 0,
    response_format,
    messages: [
      {
        role: "user",
        content: [
          { type: "text", text: "What is this?" },
          { type: "image_url", image_url },
        ],
      },
    ],
    tools: [
      { type: "function", function: { name: "get_weather" } },
      { type: "function", function: { name: "file_search" } },
      { type: "function", function: { name: "python" } },
    ],
  });
});

function usageOf(prompt: number, completion: number) {
  return { prompt_tokens: prompt, completion_tokens: completion, total_tokens: prompt + completion };
}
