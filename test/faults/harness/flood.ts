/** One tenant asks for much more than an instance holds, beside one that asks for little: that one must not notice. */
import { setTimeout as sleep } from "node:timers/promises";
import OpenAI, { APIError } from "openai";
import { inLanes } from "../../../bench/lib/lanes.ts";
import { type Cluster, FLOOD_KEY, MAX_STREAMS, QUIET_KEY } from "./cluster.ts";

/** How long a refused client of the flooding tenant waits: less than it is asked to. Milliseconds. */
const PAUSE = 100;

/** How long the flooding tenant is refused before the quiet one comes. Milliseconds. */
const HEAD_START = 1_000;
const PATIENCE = 15_000;

const QUIET_STREAMS = 10;
const QUIET_RUNS = 10;
const QUIET_REQUESTS = 80;

export interface FloodReport {
  /** of the flooding tenant: requests that were refused with 429, and all */
  refused: number;
  flooding: number;
  /** of the quiet one */
  quiet: number;
  problems: string[];
}

/** Without any fault: what is refused is refused for load. Resolves when both tenants are done. */
export async function flood(cluster: Cluster): Promise<FloodReport> {
  const [door] = cluster.doors;
  const baseURL = `http://127.0.0.1:${door.ports.port}/v1`;
  const report: FloodReport = { refused: 0, flooding: 0, quiet: 0, problems: [] };
  const [loud, quiet] = await Promise.all(
    [
      { apiKey: FLOOD_KEY, model: "slow" },
      { apiKey: QUIET_KEY, model: "steady" },
    ].map(async ({ apiKey, model }) => {
      const client = new OpenAI({ baseURL, apiKey, maxRetries: 0 });
      return { client, assistant: (await client.beta.assistants.create({ model })).id };
    }),
  );
  if (loud === undefined || quiet === undefined) throw new Error("there are two tenants");
  let isOver = false;
  const counted = (request: () => Promise<unknown>) => async () => {
    while (!isOver) {
      report.flooding += 1;
      await request().catch((error: unknown) => {
        if (error instanceof APIError && error.status === 429) report.refused += 1;
        else report.problems.push(`the flooding tenant got ${error}`);
        return sleep(PAUSE);
      });
    }
  };
  const flooding = [
    ...Array.from({ length: 1.5 * MAX_STREAMS }, () => counted(() => streamedRun(loud))),
    ...Array.from({ length: MAX_STREAMS / 2 }, () => counted(() => backgroundRun(loud))),
  ].map((lane) => lane());
  try {
    for (const end = Date.now() + PATIENCE; report.refused === 0 && Date.now() < end; ) await sleep(50);
    if (report.refused === 0) report.problems.push("the flooding tenant was refused nothing: it is no flood");
    await sleep(HEAD_START);
    await beQuiet(quiet, report);
  } finally {
    isOver = true;
    await Promise.all(flooding);
  }
  return report;
}

interface Tenant {
  client: OpenAI;
  assistant: string;
}

async function streamedRun({ client, assistant }: Tenant): Promise<void> {
  const { threads } = client.beta;
  const { id } = await threads.create({ messages: [{ role: "user", content: "Why?" }] });
  const stream = await threads.runs.create(id, { assistant_id: assistant, stream: true });
  for await (const _event of stream);
}

async function backgroundRun({ client, assistant }: Tenant): Promise<void> {
  const { threads } = client.beta;
  const { id } = await threads.create({ messages: [{ role: "user", content: "Why?" }] });
  await threads.runs.createAndPoll(id, { assistant_id: assistant }, { pollIntervalMs: 500 });
}

/** A few at a time of each kind; every refusal is a problem. */
async function beQuiet(tenant: Tenant, report: FloodReport): Promise<void> {
  const asked = (what: string, count: number, lanes: number, request: () => Promise<unknown>) =>
    inLanes(count, lanes, async () => {
      report.quiet += 1;
      await request().catch((error: unknown) => {
        report.problems.push(`the quiet tenant was refused ${what}: ${error}`);
      });
    });
  await Promise.all([
    asked("a stream", QUIET_STREAMS, 3, () => streamedRun(tenant)),
    asked("a background run", QUIET_RUNS, 5, () => backgroundRun(tenant)),
    asked("a request", QUIET_REQUESTS, 2, () => tenant.client.beta.assistants.retrieve(tenant.assistant)),
  ]);
}
