import { expect, test } from "vitest";
import { FORMS, newTenant, POLL, question, refusal, refused, until } from "./harness.ts";

test.for(FORMS)(
  "with the $form client, a tenant finds nothing of another's, whatever it tries",
  async ({ clientOf }) => {
    const owner = newTenant().openai;
    const { assistant, thread, run: request } = await question(owner, [{ text: "Because." }]);
    const run = await owner.beta.threads.runs.createAndPoll(thread.id, request, POLL);
    const [message] = (await owner.beta.threads.messages.list(thread.id)).data;
    const [step] = (await owner.beta.threads.runs.steps.list(run.id, { thread_id: thread.id })).data;
    const stranger = clientOf(newTenant()).beta;
    const strangers = await stranger.threads.create({ messages: [{ role: "user", content: "Mine" }] });
    const inThread = { thread_id: thread.id };
    const messageId = message?.id ?? "";
    const { messages, runs } = stranger.threads;

    const ofThread = refused(404, `No thread found with id '${thread.id}'.`);
    const inOwners: (() => Promise<unknown>)[] = [
      () => stranger.threads.retrieve(thread.id),
      () => stranger.threads.update(thread.id, { metadata: { taken: "over" } }),
      () => stranger.threads.delete(thread.id),
      () => messages.create(thread.id, { role: "user", content: "Let me in" }),
      () => messages.list(thread.id),
      () => messages.retrieve(messageId, inThread),
      () => messages.update(messageId, { ...inThread, metadata: { taken: "over" } }),
      () => messages.delete(messageId, inThread),
      () => runs.list(thread.id),
      () => runs.retrieve(run.id, inThread),
      () => runs.steps.list(run.id, inThread),
      () => runs.steps.retrieve(step?.id ?? "", { ...inThread, run_id: run.id }),
    ];
    for (const call of inOwners) expect(await refusal(call())).toEqual(ofThread);

    const ofAssistant = refused(404, `No assistant found with id '${assistant.id}'.`);
    const ofOwners: (() => Promise<unknown>)[] = [
      () => stranger.assistants.retrieve(assistant.id),
      () => stranger.assistants.update(assistant.id, { name: "taken over" }),
      () => stranger.assistants.delete(assistant.id),
      () => runs.create(strangers.id, { assistant_id: assistant.id }),
      () => runs.create(thread.id, { assistant_id: assistant.id }),
    ];
    for (const call of ofOwners) expect(await refusal(call())).toEqual(ofAssistant);

    expect((await stranger.assistants.list()).data).toEqual([]);
    expect(await refusal(messages.retrieve(messageId, { thread_id: strangers.id }))).toEqual(
      refused(404, `No message found with id '${messageId}'.`),
    );
    const own = await stranger.assistants.create({ model: "m" });
    expect(await refusal(runs.create(thread.id, { assistant_id: own.id }))).toEqual(ofThread);

    // And nothing has happened to the owner's.
    expect(await owner.beta.threads.retrieve(thread.id)).toEqual(thread);
    expect(await owner.beta.assistants.retrieve(assistant.id)).toEqual(assistant);
    expect((await owner.beta.threads.messages.list(thread.id)).data[0]).toEqual(message);
  },
);

test("another tenant's cursor opens no window into its list", async () => {
  const owner = newTenant().openai;
  const stranger = newTenant().openai;
  const secret = await owner.beta.assistants.create({ model: "m", name: "secret" });
  const own = await stranger.beta.assistants.create({ model: "m", name: "own" });

  const { data } = await stranger.beta.assistants.list({ before: secret.id, order: "desc" });

  expect(data).toEqual([own]);
});

test("runs of two tenants at the same moment each read their own thread", async () => {
  const tenants = [newTenant().openai, newTenant().openai];
  const asked = await Promise.all(
    tenants.map((client, number) => question(client, [{ text: "ok" }], `I am ${number}`)),
  );

  await Promise.all(
    asked.map(({ thread, run }, number) => tenants[number]?.beta.threads.runs.createAndPoll(thread.id, run, POLL)),
  );

  for (const [number, { model }] of asked.entries()) {
    const requests = await until(async () => (await model.requests()).length > 0 && model.requests());
    expect(requests.map(({ body }) => body.messages)).toEqual([[{ role: "user", content: `I am ${number}` }]]);
  }
});
