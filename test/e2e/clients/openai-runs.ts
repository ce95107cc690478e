/** Runs as users of the `openai` library wait for them: create, poll, give outputs, cancel. */
import { expect, test } from "vitest";
import { all, anId, POLL, until } from "../harness.ts";
import {
  callsOf,
  conversation,
  ENDLESS,
  formsOf,
  type Library,
  OUTPUTS,
  TWO_CALLS,
  textOf,
  WEATHER,
} from "./openai-library.ts";

export function runStories(library: Library): void {
  const forms = formsOf(library);

  test.for(forms)("$form: a run is created, polled to its end, retrieved, listed and modified", async ({ connect }) => {
    const client = connect();
    const { runs, messages } = client.beta.threads;
    const { thread, run: body } = await conversation(client, [{ text: "Warm enough." }]);
    const within = { thread_id: thread.id };

    const created = await runs.create(thread.id, { ...body, metadata: { n: "1" } });
    const polled = await runs.poll(created.id, within, POLL);
    const modified = await runs.update(created.id, { ...within, metadata: { n: "2" } });
    const retrieved = await runs.retrieve(created.id, within);

    expect(created).toMatchObject({ id: anId("run"), status: "queued", metadata: { n: "1" } });
    expect(polled).toMatchObject({ id: created.id, status: "completed" });
    expect(modified).toEqual({ ...polled, metadata: { n: "2" } });
    expect(retrieved).toEqual(modified);
    expect((await runs.list(thread.id)).data).toEqual([modified]);
    expect((await messages.list(thread.id, { run_id: created.id })).data.map(textOf)).toEqual(["Warm enough."]);
  });

  test.for(forms)("$form: who polls without an interval of his own does not wait five seconds", async ({ connect }) => {
    const client = connect();
    const { runs } = client.beta.threads;
    const { thread, run } = await conversation(client, [{ text: "Warm.", firstTokenMs: 600 }]);
    const within = { thread_id: thread.id };
    const started = performance.now();

    const created = await runs.create(thread.id, run);
    const { response: early } = await runs.retrieve(created.id, within).withResponse();
    const polled = await runs.poll(created.id, within);
    const { response: late } = await runs.retrieve(created.id, within).withResponse();

    expect(polled.status).toBe("completed");
    expect(performance.now() - started).toBeLessThan(4000);
    const hints = [early, late].map(({ headers }) => headers.get("openai-poll-after-ms"));
    expect(hints).toEqual([expect.stringMatching(/^\d{3}$/), null]);
  });

  test.for(forms)("$form: parallel function calls are answered and polled", async ({ connect }) => {
    const client = connect();
    const { runs } = client.beta.threads;
    const asked = await conversation(client, [TWO_CALLS, { text: "Lima is warmer." }], [WEATHER]);
    const within = { thread_id: asked.thread.id };

    const paused = await runs.createAndPoll(asked.thread.id, asked.run, POLL);
    const done = await runs.submitToolOutputsAndPoll(paused.id, { ...within, tool_outputs: OUTPUTS }, POLL);

    expect(paused.status).toBe("requires_action");
    expect(paused.required_action).toEqual({
      type: "submit_tool_outputs",
      submit_tool_outputs: {
        tool_calls: [
          { id: "call_lima", type: "function", function: { name: "weather", arguments: '{"city":"Lima"}' } },
          { id: "call_oslo", type: "function", function: { name: "weather", arguments: '{"city":"Oslo"}' } },
        ],
      },
    });
    expect(done).toMatchObject({ id: paused.id, status: "completed", required_action: null });
    const requests = await asked.model.requests();
    expect(requests[1]?.body.messages.slice(-2)).toEqual([
      { role: "tool", tool_call_id: "call_lima", content: "22 degrees" },
      { role: "tool", tool_call_id: "call_oslo", content: "3 degrees" },
    ]);
  });

  test.for(forms)("$form: the steps of a run are listed and retrieved, with include[]", async ({ connect }) => {
    const client = connect();
    const { runs } = client.beta.threads;
    const asked = await conversation(client, [TWO_CALLS, { text: "Lima is warmer." }], [WEATHER]);
    const within = { thread_id: asked.thread.id };
    const include = ["step_details.tool_calls[*].file_search.results[*].content" as const];

    const paused = await runs.createAndPoll(asked.thread.id, { ...asked.run, include }, POLL);
    await runs.submitToolOutputs(paused.id, { ...within, tool_outputs: OUTPUTS });
    await runs.poll(paused.id, within, POLL);
    const steps = await all(runs.steps.list(paused.id, { ...within, include, order: "asc", limit: 1 }));
    const [toolStep, messageStep] = steps;
    const retrieved = await runs.steps.retrieve(toolStep?.id ?? "", { ...within, run_id: paused.id, include });

    expect(steps.map(({ type, status }) => `${type} ${status}`)).toEqual([
      "tool_calls completed",
      "message_creation completed",
    ]);
    expect(callsOf(toolStep)).toMatchObject([
      { id: "call_lima", function: { arguments: '{"city":"Lima"}', output: "22 degrees" } },
      { id: "call_oslo", function: { arguments: '{"city":"Oslo"}', output: "3 degrees" } },
    ]);
    expect(messageStep?.step_details).toEqual({
      type: "message_creation",
      message_creation: { message_id: anId("msg") },
    });
    expect(retrieved).toEqual(toolStep);
  });

  test.for(forms)("$form: a run that waits for outputs is cancelled", async ({ connect }) => {
    const client = connect();
    const { runs, messages } = client.beta.threads;
    const { thread, run } = await conversation(client, [TWO_CALLS], [WEATHER]);
    const within = { thread_id: thread.id };

    const paused = await runs.createAndPoll(thread.id, run, POLL);
    await runs.cancel(paused.id, within);
    const cancelled = await runs.poll(paused.id, within, POLL);
    const late = runs.submitToolOutputs(paused.id, { ...within, tool_outputs: OUTPUTS });

    expect(cancelled.status).toBe("cancelled");
    await expect(late).rejects.toThrow('400 Runs in status "cancelled" do not accept tool outputs.');
    await expect(runs.cancel(paused.id, within)).rejects.toThrow("400 Cannot cancel run with status 'cancelled'.");
    // The thread is free again.
    await messages.create(thread.id, { role: "user", content: "Never mind." });
  });

  test.for(forms)("$form: a run is cancelled while the model answers", async ({ connect }) => {
    const client = connect();
    const { runs } = client.beta.threads;
    const { thread, run } = await conversation(client, [ENDLESS]);
    const within = { thread_id: thread.id };

    const created = await runs.create(thread.id, run);
    await until(async () => (await runs.retrieve(created.id, within)).status === "in_progress");
    const cancelling = await runs.cancel(created.id, within);
    const cancelled = await runs.poll(created.id, within, POLL);

    expect(cancelling.status).toBe("cancelling");
    expect(cancelled).toMatchObject({ status: "cancelled", cancelled_at: expect.any(Number) });
  });

  test.for(forms)("$form: a run whose model refuses it fails with words that one can show", async ({ connect }) => {
    const client = connect();
    const { thread, run } = await conversation(client, [{ status: 404 }]);

    const failed = await client.beta.threads.runs.createAndPoll(thread.id, run, POLL);

    expect(failed.status).toBe("failed");
    expect(failed.last_error).toEqual({ code: expect.any(String), message: expect.stringMatching(/\S/) });
  });

  test.for(forms)("$form: a thread is created and run in one call", async ({ connect }) => {
    const client = connect();
    const { threads } = client.beta;
    const { run, model } = await conversation(client, [{ text: "Yes." }]);
    const thread = { messages: [{ role: "user" as const, content: "Is it?" }], metadata: { made: "at once" } };

    const created = await threads.createAndRun({ ...run, thread });
    const done = await threads.runs.poll(created.id, { thread_id: created.thread_id }, POLL);
    const kept = await threads.retrieve(created.thread_id);
    const messages = await threads.messages.list(created.thread_id, { order: "asc" });

    expect(created).toMatchObject({ id: anId("run"), thread_id: anId("thread"), status: "queued" });
    expect(done.status).toBe("completed");
    expect(kept.metadata).toEqual({ made: "at once" });
    expect(messages.data.map(textOf)).toEqual(["Is it?", "Yes."]);
    expect((await model.requests())[0]?.body.messages.at(-1)).toEqual({ role: "user", content: "Is it?" });
  });

  test.for(forms)("$form: a thread is created, run and polled in one call", async ({ connect }) => {
    const client = connect();
    const { threads } = client.beta;
    const { run } = await conversation(client, [{ text: "Yes." }]);
    const thread = { messages: [{ role: "user" as const, content: "Is it?" }] };

    const done = await threads.createAndRunPoll({ ...run, thread }, POLL);

    expect(done).toMatchObject({ thread_id: anId("thread"), status: "completed" });
    expect((await threads.messages.list(done.thread_id)).data.map(textOf)).toEqual(["Yes.", "Is it?"]);
  });
}
