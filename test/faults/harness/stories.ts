/** What users do: each story is one run, from its creation to its end or to where its user leaves it. */
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI from "openai";
import type { Run } from "openai/resources/beta/threads/runs/runs";
import { insist, isRefusal, isTransient, venture } from "./clients.ts";
import { isOver } from "./memory.ts";
import type { ModelName } from "./model-scripts.ts";
import { Story, type Teller } from "./story.ts";

/** How often each story is told, among the others. The first stories of a campaign are one of each, in this order. */
export const STORIES = {
  "large-thread": 2,
  "large-answer": 4,
  "deleted-thread": 5,
  "deleted-message": 6,
  background: 24,
  flaky: 14,
  streamed: 16,
  dropped: 8,
  tools: 14,
  "tools-streamed": 6,
  cancelled: 12,
  intruded: 8,
  abandoned: 6,
};

/** Of a campaign whose models run code. */
export const CODE_STORIES = {
  code: 40,
  "code-streamed": 30,
  "code-dropped": 10,
  "code-cancelled": 12,
  "code-deleted-thread": 4,
  background: 4,
};
export type StoryName = keyof typeof STORIES | keyof typeof CODE_STORIES;

const TO_THE_END = Number.POSITIVE_INFINITY;

/** Tells a story on this thread; whether the thread should be free afterwards. */
export async function tell(teller: Teller, name: StoryName, threadId: string): Promise<boolean> {
  const story = new Story(teller, name, threadId);
  const { random } = story;
  switch (name) {
    case "background":
      return background(story, random.pick<ModelName>(["steady", "steady", "slow", "long"]));
    case "flaky":
      return background(story, "flaky");
    case "streamed":
      return streamed(story, random.pick<ModelName>(["steady", "steady", "slow", "long"]), TO_THE_END);
    case "dropped":
      return streamed(story, "slow", random.between(0, 30));
    case "tools":
      return background(story, "tools");
    case "tools-streamed":
      return streamed(story, "tools", TO_THE_END);
    case "cancelled":
      return cancelled(story, random.pick(["slow", "tools", "flaky"]));
    case "intruded":
      return intruded(story, random.pick(["slow", "tools"]));
    case "abandoned":
      return abandoned(story);
    case "large-answer": {
      const model = random.pick<ModelName>(["full", "vast", "vast-slow", "vast-calling"]);
      return random.chance(0.5) ? background(story, model) : streamed(story, model, TO_THE_END);
    }
    case "large-thread":
      return random.chance(0.5) ? background(story, "steady") : streamed(story, "steady", TO_THE_END);
    case "deleted-message":
      return deletedMessage(story, random.pick(["slow", "tools", "steady"]));
    case "deleted-thread":
      return deletedThread(story, random.pick(["slow", "tools", "steady"]));
    case "code":
      return background(story, "coding");
    case "code-streamed":
      return streamed(story, "coding", TO_THE_END);
    case "code-dropped":
      return streamed(story, "coding", random.between(0, 12));
    case "code-cancelled":
      return cancelled(story, "coding");
    case "code-deleted-thread":
      return deletedThread(story, "coding");
  }
}

/** The users of unfinished runs look again, and give the outputs that a run may have waited for. */
export async function comeBack(teller: Teller): Promise<void> {
  const waiting = teller.unfinished.splice(0);
  await Promise.all(
    waiting.map(({ run, kind }) => {
      const followed = new Story(teller, kind, run.thread_id).follow(run);
      return teller.memory.deletedThreads.has(run.thread_id) ? unlessMissing(followed) : followed;
    }),
  );
}

async function background(story: Story, model: ModelName): Promise<boolean> {
  const run = await story.create(model);
  return run !== undefined && story.follow(run);
}

/** Reads so many events, then goes away. */
async function streamed(story: Story, model: ModelName, events: number): Promise<boolean> {
  const run = await story.stream(model, events);
  return run !== undefined && story.follow(run);
}

async function cancelled(story: Story, model: ModelName): Promise<boolean> {
  const run = await story.create(model);
  if (run === undefined) return false;
  await sleep(story.random.between(0, 2_500));
  // Refused if it had ended before, or an earlier try has reached it.
  await venture(async () => {
    const told = await story.insist((runs, inThread) => runs.cancel(run.id, inThread));
    if (told.status === "cancelling") story.teller.memory.cancelAccepted(run.id);
  });
  return story.follow(run);
}

/** Another user writes to the thread, which must refuse it until the run is over. */
async function intruded(story: Story, model: ModelName): Promise<boolean> {
  const run = await story.create(model);
  if (run === undefined) return false;
  await sleep(story.random.between(0, 1_500));
  const { client, memory } = story.teller;
  const message = { role: "user" as const, content: "And another thing." };
  await venture(async () => {
    await insist(() => client.beta.threads.messages.create(story.threadId, message), story.until);
    const now = story.hear(await story.insist((runs, inThread) => runs.retrieve(run.id, inThread)));
    if (!isOver(now)) memory.contradictions.push(`${run.id} is ${now.status}, but its thread took a message`);
  });
  return story.follow(run);
}

/** Calls a function whose output never comes. */
async function abandoned(story: Story): Promise<boolean> {
  const run = await story.create("calling", story.teller.shortLived);
  return run !== undefined && story.wait(run, isOver, false);
}

/** A run of either kind that is left to itself after a moment. */
async function begun(story: Story, model: ModelName): Promise<Run | undefined> {
  const run = story.random.chance(0.5)
    ? await story.create(model)
    : await story.stream(model, story.random.between(1, 25));
  await sleep(story.random.between(0, 1_500));
  return run;
}

/** Its user deletes one of the thread's messages while the run is under way, the run's own reply perhaps. */
async function deletedMessage(story: Story, model: ModelName): Promise<boolean> {
  const run = await begun(story, model);
  if (run === undefined) return false;
  const { threadId, until } = story;
  const { client, memory } = story.teller;
  const { messages } = client.beta.threads;
  // Refused while it is being written; not found if an earlier try has reached it.
  await venture(async () => {
    const { data } = await insist(() => messages.list(threadId), until);
    const [newest, ...older] = data;
    if (newest === undefined) return;
    const { id } = story.random.chance(0.7) ? newest : story.random.pick([newest, ...older]);
    memory.messageWillGo(threadId, id);
    await unlessMissing(insist(() => messages.delete(id, { thread_id: threadId }), until));
  });
  return story.follow(run);
}

/** Its user deletes the thread with everything in it. From then on it must not be there for any request. */
async function deletedThread(story: Story, model: ModelName): Promise<boolean> {
  const run = await begun(story, model);
  const { threadId, until } = story;
  const { client, memory } = story.teller;
  const { threads } = client.beta;
  let message = "msg_none";
  try {
    message = (await insist(() => threads.messages.list(threadId), until)).data[0]?.id ?? message;
    memory.deletedThreads.set(threadId, "asked");
    await unlessMissing(insist(() => threads.delete(threadId), until));
  } catch (error) {
    if (!isTransient(error)) throw error;
    // No instance answers: whether it is deleted or not, its user comes back for the run.
    return run !== undefined && (await unlessMissing(story.follow(run))) === true;
  }
  memory.deletedThreads.set(threadId, "done");
  await sleep(story.teller.lag);
  const inThread = { thread_id: threadId };
  const runId = run?.id ?? "run_none";
  const requests = {
    thread: () => threads.retrieve(threadId),
    "its messages": () => threads.messages.list(threadId),
    "a message": () => threads.messages.retrieve(message, inThread),
    "a message's metadata": () => threads.messages.update(message, { ...inThread, metadata: { read: "yes" } }),
    "a new message": () => threads.messages.create(threadId, { role: "user", content: "Still there?" }),
    "its runs": () => threads.runs.list(threadId),
    "its run": () => threads.runs.retrieve(runId, inThread),
    "the cancel of its run": () => threads.runs.cancel(runId, inThread),
    "the steps of its run": () => threads.runs.steps.list(runId, inThread),
  };
  for (const [what, request] of Object.entries(requests)) {
    const found = await unlessMissing(insist<unknown>(request, until).then(() => true, unlessRefused));
    if (found) memory.contradictions.push(`${threadId} is deleted, and ${what} is served`);
  }
  return false;
}

/** A request that is refused for another reason has found what it asks for. */
function unlessRefused(error: unknown): true {
  if (isRefusal(error)) return true;
  throw error;
}

/** Undefined if it is not found. */
async function unlessMissing<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof OpenAI.NotFoundError) return undefined;
    throw error;
  }
}
