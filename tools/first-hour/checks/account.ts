/** How the account, the containers and the queues are set up, and what this identity may do. */
import type { Container, ContainerDefinition } from "@azure/cosmos";
import { OVERFLOW_QUEUE, QUEUE } from "../../../src/jobs/wake-ups.ts";
import { CONTAINERS, containersFor, vectorProblem } from "../../../src/store/containers.ts";
import { type Check, outcomeOf } from "../check.ts";
import type { Place, QueueSettings } from "../place.ts";
import { wakeUpForNoRun } from "../wake-up.ts";

/** Of a container that is not serverless: with the service's default of 400, runs meet 429 from six a second on. */
const LEAST_THROUGHPUT = 1_000;

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const DAY = 24 * 60 * MINUTE;

const consistency: Check = {
  number: 1,
  title: "account's consistency",
  why: "weaker than Strong, an instance may not see what another one has just written",
  expected: "Strong",
  writes: false,
  async run({ threads }) {
    const { resource } = await threads.database.client.getDatabaseAccount();
    const got = resource?.consistencyPolicy ?? "unknown";
    return { got, ok: got === "Strong" };
  },
};

const containers: Check = {
  number: 2,
  title: "containers: key, time to live, index, throughput",
  why: "without the time to live event logs stay for ever; a full index doubles the price of each write",
  expected: `as in src/store/containers.ts; serverless or at least ${LEAST_THROUGHPUT} RU/s`,
  writes: false,
  async run({ threads, config: { embeddings } }) {
    const problems: string[] = [];
    for (const { id = "", ...wanted } of containersFor(embeddings.dimensions)) {
      const container = threads.database.container(id);
      const { resource } = await container.read();
      const found = resource === undefined ? ["missing"] : differences(wanted, resource, embeddings.dimensions);
      found.push(...(await throughputProblems(container)));
      problems.push(...found.map((problem) => `${id}: ${problem}`));
    }
    return outcomeOf(problems, "as expected");
  },
};

function differences(wanted: ContainerDefinition, got: ContainerDefinition, dimensions: number): string[] {
  const problems: string[] = [];
  const keyOf = ({ partitionKey }: ContainerDefinition) =>
    `${partitionKey?.paths.join(", ")} version ${partitionKey?.version ?? 1}`;
  if (keyOf(got) !== keyOf(wanted)) problems.push(`partition key ${keyOf(got)}, not ${keyOf(wanted)}`);
  if (got.defaultTtl !== wanted.defaultTtl) problems.push(`defaultTtl ${got.defaultTtl ?? "off"}, not -1`);
  const included = (paths: ContainerDefinition) =>
    (paths.indexingPolicy?.includedPaths ?? []).map(({ path }) => path).toSorted();
  if (included(got).join() !== included(wanted).join())
    problems.push(`indexes ${included(got).join(", ") || "nothing"}`);
  const excluded = (got.indexingPolicy?.excludedPaths ?? []).map(({ path }) => path);
  if (!included(got).includes("/*") && !excluded.includes("/*")) problems.push("does not exclude /*");
  if (wanted.vectorEmbeddingPolicy !== undefined) problems.push(...searchProblems(got, dimensions));
  return problems;
}

function searchProblems(got: ContainerDefinition, dimensions: number): string[] {
  const vectors = vectorProblem(got, dimensions);
  const problems = vectors === undefined ? [] : [vectors];
  const { vectorIndexes = [], fullTextIndexes = [] } = got.indexingPolicy ?? {};
  if (!vectorIndexes.some(({ path }) => path === "/vector")) problems.push("no index of /vector");
  if (!fullTextIndexes.some(({ path }) => path === "/text")) problems.push("no full-text index of /text");
  return problems;
}

async function throughputProblems(container: Container): Promise<string[]> {
  // Without an offer the account is serverless, or the database has the throughput; an identity may not read offers.
  const offer = await container.readOffer().catch(() => undefined);
  const content = offer?.resource?.content;
  if (content === undefined) return [];
  const throughput = content.offerAutopilotSettings?.maxThroughput ?? content.offerThroughput;
  return throughput >= LEAST_THROUGHPUT ? [] : [`${throughput} RU/s`];
}

const queues: Check = {
  number: 3,
  title: "queues: lock, deliveries, duplicates, time to live",
  why: "a longer lock delays takeovers, fewer deliveries fail runs, duplicates cost model calls",
  expected: "lock PT30S, 10 deliveries, duplicates within PT1M, time to live at least P1D",
  writes: false,
  async run({ surroundings }) {
    const problems: string[] = [];
    for (const queue of [QUEUE, OVERFLOW_QUEUE]) {
      const found = queueProblems(await surroundings.queueSettings(queue));
      problems.push(...found.map((problem) => `${queue}: ${problem}`));
    }
    return outcomeOf(problems, "as expected");
  },
};

function queueProblems(settings: QueueSettings): string[] {
  const { lockDuration, maxDeliveryCount, duplicateWindow, timeToLive } = settings;
  const problems: string[] = [];
  if (lockDuration !== 30 * SECOND) problems.push(`lock ${lockDuration / SECOND} s`);
  if (maxDeliveryCount !== 10) problems.push(`${maxDeliveryCount} deliveries`);
  if (duplicateWindow === 0) problems.push("does not detect duplicates");
  else if (duplicateWindow !== MINUTE) problems.push(`duplicates within ${duplicateWindow / SECOND} s`);
  if (timeToLive !== undefined && timeToLive < DAY) problems.push(`time to live ${timeToLive / SECOND} s`);
  return problems;
}

const permissions: Check = {
  number: 4,
  title: "permissions: store, queues, the app's own",
  why: "a missing role shows only when the first run needs it",
  expected: "create, read, query, delete in each container; schedule, cancel, peek in both queues; healthz 200",
  writes: true,
  async run(place) {
    const problems: string[] = [];
    const attempt = async (what: string, work: () => Promise<unknown>) => {
      await work().catch((error: Error) => problems.push(`${what}: ${error.name} ${Reflect.get(error, "code") ?? ""}`));
    };
    const pk = place.partition("permissions");
    for (const { id = "" } of CONTAINERS) {
      const container = place.threads.database.container(id);
      await attempt(`${id}: create`, () => container.items.create(place.document(pk, "may")));
      await attempt(`${id}: read`, () => container.item("may", pk).read());
      await attempt(`${id}: query`, () => container.items.query("SELECT c.id FROM c", { partitionKey: pk }).fetchAll());
      await attempt(`${id}: delete`, () => container.item("may", pk).delete());
    }
    for (const queue of [QUEUE, OVERFLOW_QUEUE]) await attempt(queue, () => useQueue(place, queue));
    const health = await place.app.raw("GET", "/healthz");
    if (health !== "200") problems.push(`healthz ${health}`);
    return outcomeOf(problems, "all of it");
  },
};

async function useQueue({ serviceBus, name }: Place, queue: string): Promise<void> {
  const sender = serviceBus.createSender(queue);
  const deadLetters = serviceBus.createReceiver(queue, { subQueueType: "deadLetter" });
  try {
    const numbers = await sender.scheduleMessages(wakeUpForNoRun(name, "may"), new Date(Date.now() + 60 * MINUTE));
    await sender.cancelScheduledMessages(numbers);
    await deadLetters.peekMessages(1);
  } finally {
    await Promise.all([sender.close(), deadLetters.close()]);
  }
}

export const accountChecks = [consistency, containers, queues, permissions];
