/** Streams as users of the `openai` library read them: event by event, or through its AssistantStream. */
import type { AssistantStream } from "openai/lib/AssistantStream";
import { expect, test } from "vitest";
import { all, anId, POLL } from "../harness.ts";
import { callsOf, conversation, formsOf, type Library, OUTPUTS, TWO_CALLS, textOf, WEATHER } from "./openai-library.ts";

/** What an answer of two pieces is told as, between the events of the run. */
const ONE_MESSAGE = [
  "thread.run.in_progress",
  "thread.run.step.created",
  "thread.run.step.in_progress",
  "thread.message.created",
  "thread.message.in_progress",
  "thread.message.delta",
  "thread.message.delta",
  "thread.message.completed",
  "thread.run.step.completed",
  "thread.run.completed",
];

export function streamStories(library: Library): void {
  const forms = formsOf(library);

  test.for(forms)("$form: a run's stream is its events in order", async ({ connect }) => {
    const client = connect();
    const { thread, run } = await conversation(client, [{ text: ["Warm", " enough."] }]);

    const events = await all(await client.beta.threads.runs.create(thread.id, { ...run, stream: true }));

    expect(events.map(({ event }) => event)).toEqual(["thread.run.created", "thread.run.queued", ...ONE_MESSAGE]);
    const last = events.at(-1);
    const kept = await client.beta.threads.runs.list(thread.id);
    expect(kept.data).toEqual([last?.data]);
  });

  test.for(forms)("$form: every handler of a stream of text is called", async ({ connect }) => {
    const client = connect();
    const { thread, run } = await conversation(client, [{ text: ["Warm", " enough."] }]);

    const stream = client.beta.threads.runs.stream(thread.id, run);
    const calls = handlerCalls(stream);
    await stream.done();

    expect(calls).toEqual([
      "runStepCreated message_creation",
      "messageCreated in_progress",
      "textCreated",
      "messageDelta Warm",
      "textDelta Warm -> Warm",
      "messageDelta Warm enough.",
      "textDelta  enough. -> Warm enough.",
      "textDone Warm enough.",
      "messageDone Warm enough.",
      "runStepDone message_creation",
      "end",
    ]);
  });

  test.for(forms)("$form: a stream gives its run, messages and steps as they are stored", async ({ connect }) => {
    const client = connect();
    const { runs, messages } = client.beta.threads;
    const { thread, run } = await conversation(client, [{ text: ["Warm", " enough."] }]);

    const stream = runs.stream(thread.id, run);
    const [finalRun, finalMessages, finalSteps] = await Promise.all([
      stream.finalRun(),
      stream.finalMessages(),
      stream.finalRunSteps(),
    ]);

    const within = { thread_id: thread.id };
    const steps = await runs.steps.list(finalRun.id, within);
    expect(finalRun).toEqual(await runs.retrieve(finalRun.id, within));
    // Version 6 gives the message as it was when its last piece came: its text is all there, its status is not the last.
    const stored = (await messages.list(thread.id, { run_id: finalRun.id })).data;
    expect(finalMessages.map((message) => [message.id, textOf(message)])).toEqual([[stored[0]?.id, "Warm enough."]]);
    // The event of a step's end still tells when it would have expired.
    expect(finalSteps).toEqual(steps.data.map((step) => ({ ...step, expires_at: expect.any(Number) })));
  });

  test.for(forms)("$form: function calls are streamed, answered, and the answer streamed", async ({ connect }) => {
    const client = connect();
    const { runs } = client.beta.threads;
    const asked = await conversation(client, [TWO_CALLS, { text: ["Lima."] }], [WEATHER]);

    const calling = runs.stream(asked.thread.id, asked.run);
    const whileCalling = handlerCalls(calling);
    const paused = await calling.finalRun();
    const outputs = { thread_id: asked.thread.id, tool_outputs: OUTPUTS };
    const answering = runs.submitToolOutputsStream(paused.id, outputs);
    const whileAnswering = handlerCalls(answering);
    const done = await answering.finalRun();

    expect(whileCalling).toEqual([
      "runStepCreated tool_calls",
      "toolCallCreated call_lima",
      "runStepDelta tool_calls",
      'toolCallDelta {"city": -> {"city":',
      "runStepDelta tool_calls",
      'toolCallDelta "Lima"} -> {"city":"Lima"}',
      "runStepDelta tool_calls",
      'toolCallDone {"city":"Lima"}',
      "toolCallCreated call_oslo",
      "runStepDelta tool_calls",
      'toolCallDelta {"city": -> {"city":',
      "runStepDelta tool_calls",
      'toolCallDelta "Oslo"} -> {"city":"Oslo"}',
      "runStepDelta tool_calls",
      'toolCallDone {"city":"Oslo"}',
      "end",
    ]);
    expect(paused.status).toBe("requires_action");
    expect(whileAnswering.at(-1)).toBe("end");
    expect(whileAnswering).toContain("textDone Lima.");
    expect(done).toMatchObject({ id: paused.id, status: "completed" });
    const [toolStep, messageStep] = await answering.finalRunSteps();
    expect(callsOf(toolStep)).toMatchObject([
      { function: { output: "22 degrees" } },
      { function: { output: "3 degrees" } },
    ]);
    expect(messageStep?.type).toBe("message_creation");
    expect((await answering.finalMessages()).map(textOf)).toEqual(["Lima."]);
  });

  test.for(forms)("$form: a paused run that was polled goes on as a stream, and the reverse", async ({ connect }) => {
    const client = connect();
    const { runs } = client.beta.threads;
    const turns = [TWO_CALLS, { ...TWO_CALLS, toolCalls: TWO_CALLS.toolCalls?.slice(0, 1) ?? [] }, { text: "Lima." }];
    const asked = await conversation(client, turns, [WEATHER]);
    const within = { thread_id: asked.thread.id };

    const first = await runs.createAndPoll(asked.thread.id, asked.run, POLL);
    const second = await runs.submitToolOutputsStream(first.id, { ...within, tool_outputs: OUTPUTS }).finalRun();
    const outputs = OUTPUTS.slice(0, 1);
    const third = await runs.submitToolOutputsAndPoll(first.id, { ...within, tool_outputs: outputs }, POLL);

    expect([first, second, third].map(({ status }) => status)).toEqual([
      "requires_action",
      "requires_action",
      "completed",
    ]);
  });

  test.for(forms)("$form: text before function calls is a message and a step of its own", async ({ connect }) => {
    const client = connect();
    const { runs } = client.beta.threads;
    const asked = await conversation(client, [{ ...TWO_CALLS, text: ["Let me look."] }], [WEATHER]);

    const stream = runs.stream(asked.thread.id, asked.run);
    const calls = handlerCalls(stream);
    const paused = await stream.finalRun();

    expect(paused.status).toBe("requires_action");
    const told = calls.filter((call) => /^(messageDone|runStepCreated|runStepDone|toolCallDone)/.test(call));
    expect(told).toEqual([
      "runStepCreated message_creation",
      "messageDone Let me look.",
      "runStepDone message_creation",
      "runStepCreated tool_calls",
      'toolCallDone {"city":"Lima"}',
      'toolCallDone {"city":"Oslo"}',
    ]);
    await runs.cancel(paused.id, { thread_id: asked.thread.id });
  });

  test.for(forms)("$form: a thread is created and run as a stream", async ({ connect }) => {
    const client = connect();
    const { run } = await conversation(client, [{ text: ["Ye", "s."] }]);
    const thread = { messages: [{ role: "user" as const, content: "Is it?" }] };

    const stream = client.beta.threads.createAndRunStream({ ...run, thread });
    const events: string[] = [];
    stream.on("event", ({ event }) => events.push(event));
    const done = await stream.finalRun();

    expect(events).toEqual(["thread.created", "thread.run.created", "thread.run.queued", ...ONE_MESSAGE]);
    expect(done).toMatchObject({ thread_id: anId("thread"), status: "completed" });
    expect((await stream.finalMessages()).map(textOf)).toEqual(["Yes."]);
  });

  test.for(forms)("$form: a run goes on when the one who streamed it leaves", async ({ connect }) => {
    const client = connect();
    const { runs, messages } = client.beta.threads;
    const { thread, run } = await conversation(client, [{ text: ["Warm", " enough."], tokenMs: 300 }]);

    const stream = runs.stream(thread.id, run);
    stream.once("textDelta", () => stream.abort());
    await expect(stream.done()).rejects.toBeInstanceOf(library.APIUserAbortError);
    const [left] = (await runs.list(thread.id)).data;
    const done = await runs.poll(left?.id ?? "", { thread_id: thread.id }, POLL);

    expect(done.status).toBe("completed");
    expect((await messages.list(thread.id, { run_id: done.id })).data.map(textOf)).toEqual(["Warm enough."]);
  });
}

/** Every call of a handler in one line, but those of `event`, in their order. */
function handlerCalls(stream: AssistantStream): string[] {
  const calls: string[] = [];
  const write = (line: string) => calls.push(line);
  const argumentsOf = (call: object) => {
    const { function: called } = call as { function?: { arguments?: string } };
    return called?.arguments ?? "";
  };
  stream
    .on("textCreated", () => write("textCreated"))
    .on("textDelta", (delta, snapshot) => write(`textDelta ${delta.value} -> ${snapshot.value}`))
    .on("textDone", (text) => write(`textDone ${text.value}`))
    .on("toolCallCreated", (call) => write(`toolCallCreated ${call.id}`))
    .on("toolCallDelta", (delta, snapshot) => write(`toolCallDelta ${argumentsOf(delta)} -> ${argumentsOf(snapshot)}`))
    .on("toolCallDone", (call) => write(`toolCallDone ${argumentsOf(call)}`))
    .on("messageCreated", (message) => write(`messageCreated ${message.status}`))
    .on("messageDelta", (_delta, snapshot) => write(`messageDelta ${textOf(snapshot)}`))
    .on("messageDone", (message) => write(`messageDone ${textOf(message)}`))
    .on("runStepCreated", (step) => write(`runStepCreated ${step.type}`))
    .on("runStepDelta", (_delta, snapshot) => write(`runStepDelta ${snapshot.type}`))
    .on("runStepDone", (step) => write(`runStepDone ${step.type}`))
    .on("end", () => write("end"));
  return calls;
}
