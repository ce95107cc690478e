import type OpenAI from "openai";
import { expect, test } from "vitest";
import { model, newTenant, POLL, question, refused, until } from "./harness.ts";

interface Created {
  id: string;
}

/** An assistant whose runs take so long that a request sent with the first one finds it active. */
async function slowAssistant(client: OpenAI, milliseconds: number) {
  const slow = model();
  await slow.script([{ text: "ok", firstTokenMs: milliseconds }], { repeat: true });
  return { assistant_id: (await client.beta.assistants.create({ model: slow.name })).id };
}

test("of runs created on one thread at the same time exactly one wins, again and again", async () => {
  const tenant = newTenant();
  const { runs } = tenant.openai.beta.threads;
  // A model that never answers: however slow the machine, no run ends before all of them were asked for.
  const { model, thread, run: request } = await question(tenant.openai, []);
  await model.script([{ hang: true }], { repeat: true });

  for (let round = 0; round < 8; round++) {
    const path = `/threads/${thread.id}/runs`;
    const answers = await Promise.all(Array.from({ length: 4 }, () => tenant.send("POST", path, request)));

    const won = answers.filter(({ status }) => status === 200).map((answer) => answer.body as Created);
    expect(won).toHaveLength(1);
    const winner = won[0]?.id ?? "";
    const { error } = refused(400, `Thread ${thread.id} already has an active run ${winner}.`);
    const lost = answers.filter(({ status }) => status !== 200).map(({ body }) => body);
    expect(lost).toEqual([{ error }, { error }, { error }]);
    await runs.cancel(winner, { thread_id: thread.id });
    await runs.poll(winner, { thread_id: thread.id }, POLL);
  }

  expect((await runs.list(thread.id)).data).toHaveLength(8);
});

test("on each of many threads, of two runs created at the same time exactly one wins and answers", async () => {
  const tenant = newTenant();
  const { threads } = tenant.openai.beta;
  const request = await slowAssistant(tenant.openai, 1500);
  const created = await Promise.all(
    Array.from({ length: 15 }, () => threads.create({ messages: [{ role: "user", content: "Hi" }] })),
  );

  const pairs = await Promise.all(
    created.map(({ id }) => Promise.all([1, 2].map(() => tenant.send("POST", `/threads/${id}/runs`, request)))),
  );

  for (const [index, pair] of pairs.entries()) {
    expect(pair.map(({ status }) => status).toSorted()).toEqual([200, 400]);
    const thread = created[index]?.id ?? "";
    await until(async () => (await threads.messages.list(thread)).data[0]?.role === "assistant");
    expect((await threads.messages.list(thread)).data).toHaveLength(2);
  }
});

test("a message and a run that race leave a thread that makes sense", async () => {
  const tenant = newTenant();
  const { threads } = tenant.openai.beta;

  for (let round = 0; round < 8; round++) {
    const { thread, run: request, model } = await question(tenant.openai, [{ text: "ok" }], "first");
    const [run, message] = await Promise.all([
      tenant.send("POST", `/threads/${thread.id}/runs`, request),
      tenant.send("POST", `/threads/${thread.id}/messages`, { role: "user", content: "second" }),
    ]);
    const { id } = run.body as Created;
    await threads.runs.poll(id, { thread_id: thread.id }, POLL);

    expect(run.status).toBe(200);
    const asked = (await model.requests())[0]?.body.messages.map(({ content }) => content);
    if (message.status === 200) {
      // It was there before the run, or came after it had ended.
      const { data } = await threads.messages.list(thread.id, { order: "asc" });
      const place = data.findIndex((each) => each.id === (message.body as Created).id);
      expect(asked).toEqual(place === 1 ? ["first", "second"] : ["first"]);
    } else {
      const { error } = refused(400, `Can't add messages to ${thread.id} while a run ${id} is active.`);
      expect(message.body).toEqual({ error });
      expect(asked).toEqual(["first"]);
    }
  }
});
