/** What clients and the store must find when a fleet has been rolled. */
import { checkStore } from "../../../tools/check-store/check-store.ts";
import { ANSWER, type Conversation } from "./conversation.ts";
import type { Fleet } from "./fleet.ts";
import { events } from "./follower.ts";
import { MARK, NEWER_MEANING, NEWEST, NOTED } from "./newer-build.ts";

export async function complaints(fleet: Fleet, conversations: Conversation[]): Promise<string[]> {
  const problems = [...fleet.crashes];
  for (const conversation of conversations) {
    const about = `${conversation.story} (${conversation.created?.id}, thread ${conversation.threadId})`;
    for await (const problem of ofConversation(fleet, conversation)) problems.push(`${about}: ${problem}`);
  }
  const options = { tolerance: 30_000, eventsTtl: 86_400, messagesAreDeleted: false };
  const { violations } = await checkStore(fleet.threads, options);
  problems.push(...violations.map(({ rule, id, detail, pk }) => `${rule}: ${id} ${detail} (${pk})`));
  return [...problems, ...(await ofQueues(fleet))];
}

async function* ofConversation(fleet: Fleet, conversation: Conversation): AsyncGenerator<string> {
  const { ended, expected, threadId, isStranded } = conversation;
  if (ended === undefined) return yield "has no end";
  if (ended.status !== expected) yield `ended ${ended.status}, not ${expected} ${JSON.stringify(ended.last_error)}`;
  if (ended.status === "completed") {
    const { data } = await fleet.client.beta.threads.messages.list(threadId, { run_id: ended.id });
    const texts = data.map(({ content: [part] }) => (part?.type === "text" ? part.text.value : ""));
    if (texts.length !== 1 || texts[0] !== ANSWER) yield `has the answers ${JSON.stringify(texts)}`;
  }
  const drivers = await conversation.drivers();
  const others = drivers.filter((driver) => driver !== NEWER_MEANING);
  if (conversation.isNewMeaning && others.length > 0) yield `was driven by a build that misreads it: ${others}`;
  if (!conversation.isNewMeaning && isStranded) yield "was left though every build knows it";
  yield* ofDocuments(fleet, conversation);
  yield* ofEvents(fleet, conversation);
}

/** What the newer build wrote beside what the older one knows must still be there, whatever the older one wrote since. */
async function* ofDocuments(fleet: Fleet, conversation: Conversation): AsyncGenerator<string> {
  const { created, createdBy, threadId, isNewMeaning } = conversation;
  if (created === undefined) return;
  const item = fleet.threads.item(created.id, fleet.partitionOf(threadId));
  const { resource: stored } = await item.read<{ grade?: string; internal: { v: number; origin?: string } }>();
  if (stored === undefined) return yield "is lost";
  const { v, origin } = stored.internal;
  if (v !== (isNewMeaning ? NEWEST : 1)) yield `is of version ${v}`;
  if (createdBy === "newer" && (stored.grade !== "a" || origin !== "newer")) yield "has lost fields of the newer build";
}

/** What was heard stands in the log; and all of the log was heard, but for what an older build does not know. */
async function* ofEvents(fleet: Fleet, { created, follower }: Conversation): AsyncGenerator<string> {
  if (created === undefined || follower === undefined) return yield "was not followed";
  const failure = await follower.done.then(
    () => undefined,
    (error: unknown) => String(error),
  );
  if (failure !== undefined) yield failure;
  const heard = new Map(follower.heard.map((event) => [event.id, event]));
  const log = new Map<number, { event: string; data: string }>();
  for await (const event of events(fleet.client, created, -1)) log.set(event.id, event);
  for (const id of new Set([...heard.keys(), ...log.keys()])) {
    const [told, kept] = [heard.get(id), log.get(id)];
    if ((told ?? kept)?.event === NOTED && (told === undefined || kept === undefined)) continue;
    if (JSON.stringify(told) !== JSON.stringify(kept)) {
      yield `event ${id} was heard as ${told?.event}, and is ${kept?.event} in the log ${told?.data} ${kept?.data}`;
    }
  }
}

interface QueueCounts {
  name: string;
  deadLettered: number;
  totals: { deadLettered: number };
}

async function ofQueues(fleet: Fleet): Promise<string[]> {
  const response = await fetch(`${fleet.stack.serviceBus.controlUrl}/_local/queues`);
  const { queues } = (await response.json()) as { queues: QueueCounts[] };
  const buried = queues.filter(({ totals }) => totals.deadLettered > 0);
  return buried.map(({ name, totals }) => `${totals.deadLettered} wake-ups of ${name} were buried`);
}

/** What became of the wake-ups of the newer build's kind, by their runs: neither done nor in the queue is `lost`. */
export async function marksOf(fleet: Fleet, conversations: Conversation[]) {
  const response = await fetch(`${fleet.stack.serviceBus.controlUrl}/_local/queues/runs/messages`);
  const { messages } = (await response.json()) as { messages: { body: { kind?: string; run?: string } }[] };
  const waiting = new Set(messages.flatMap(({ body }) => (body.kind === MARK ? [body.run] : [])));
  const lost: string[] = [];
  for (const { created, createdBy, threadId, isStreamed } of conversations) {
    if (createdBy !== "newer" || isStreamed || created === undefined || waiting.has(created.id)) continue;
    const item = fleet.threads.item(threadId, fleet.partitionOf(threadId));
    const { resource } = await item.read<{ internal: { marked?: string } }>();
    if (resource?.internal.marked !== created.id) lost.push(created.id);
  }
  return { lost, waiting: [...waiting] };
}
