/** What becomes of odd texts, of deleted threads, and of the store as a whole. */
import { setTimeout as sleep } from "node:timers/promises";
import type { OperationInput } from "@azure/cosmos";
import { threadKey } from "../../../src/store/documents.ts";
import { checkStore } from "../../check-store/check-store.ts";
import { type Check, outcomeOf } from "../check.ts";
import type { Place } from "../place.ts";

const METADATA = { "": "empty", "a/b": "slash", $type: "dollar", _etag: "etag" };
const TEXTS = ["lone \ud800 surrogate", "NUL \u0000 inside"];

const oddTexts: Check = {
  number: 11,
  title: "odd texts and metadata names",
  why: "what the store refuses must be a 400 of ours, and what it takes must come back equal",
  expected: "200 and equal, or 400",
  writes: true,
  async run({ app }) {
    const problems: string[] = [];
    const seen: string[] = [];
    const thread = await app.thread("Hello");
    const send = async (what: string, body: Record<string, unknown>) => {
      const { status, text } = await app.call("POST", `/threads/${thread}/messages`, { role: "user", ...body });
      seen.push(`${what} ${status}`);
      if (status === 400) return;
      if (status !== 200) return void problems.push(`${what}: ${status}`);
      const { id } = JSON.parse(text) as { id: string };
      const back = (await app.call("GET", `/threads/${thread}/messages/${id}`)).text;
      // Two spellings of the same JSON are equal.
      if (JSON.stringify(JSON.parse(back)) !== JSON.stringify(JSON.parse(text))) problems.push(`${what}: not equal`);
    };
    for (const content of TEXTS) await send(content.split(" ")[0] ?? "", { content });
    for (const [name, value] of Object.entries(METADATA)) {
      await send(JSON.stringify(name), { content: "Hello", metadata: { [name]: value } });
    }
    return outcomeOf(problems, seen.join(", "));
  },
};

const EXPIRED = 500;
/** Milliseconds: the sweep, and an instance that starts. */
const LONGEST_PURGE = 90_000;

const deletion: Check = {
  number: 14,
  title: `a deleted thread of 5 messages, with ${EXPIRED} expired events`,
  why: "what is left in the partition of a deleted thread can never be found again",
  expected: "nothing is left in its partition",
  writes: true,
  async run(place) {
    const { app, threads, tenant } = place;
    if (tenant === undefined) return { got: "needs API_KEYS, which say whose the key is" };
    const id = await app.thread(...Array.from({ length: 5 }, (_, i) => `Message ${i}`));
    const pk = threadKey(tenant, id);
    for (let from = 0; from < EXPIRED; from += 100) {
      const events = Array.from({ length: 100 }, (_, i): OperationInput => {
        const resourceBody = { id: `${place.name}-${from + i}`, pk, kind: "events", ttl: 1, internal: { run: "none" } };
        return { operationType: "Create", resourceBody };
      });
      await threads.items.batch(events, pk);
    }
    await sleep(2_000);
    await app.deleteThread(id);
    const end = Date.now() + LONGEST_PURGE;
    for (;;) {
      const count = threads.items.query<number>("SELECT VALUE COUNT(1) FROM c", { partitionKey: pk });
      const left = (await count.fetchAll()).resources.reduce((sum, each) => sum + each, 0);
      if (left === 0) return { got: "nothing is left", ok: true };
      if (Date.now() > end) return { got: `${left} documents are left`, ok: false };
      await sleep(250);
    }
  },
};

/** Reading more than so many documents is left to `npm run check:store`. */
const MOST_DOCUMENTS = 50_000;
/** Runs and purges under way are no mistakes. Milliseconds. */
const TOLERANCE = 60_000;

const wholeStore: Check = {
  number: 24,
  title: "the store after all this (npm run check:store)",
  why: "whatever went wrong above has left traces",
  expected: "0 findings",
  writes: false,
  async run(place) {
    await place.emptyPartitions();
    const documents = await countDocuments(place);
    if (documents > MOST_DOCUMENTS) return { got: `${documents} documents: use npm run check:store` };
    const options = { tolerance: TOLERANCE, messagesAreDeleted: false, eventsTtl: place.config.runs.eventsTtl };
    const { threads, violations } = await checkStore(place.threads, options);
    const [first] = violations;
    const got = `${violations.length} findings in ${threads} threads`;
    return { got: first === undefined ? got : `${got}: ${first.rule} ${first.detail}`, ok: first === undefined };
  },
};

async function countDocuments({ threads }: Place): Promise<number> {
  const { resources } = await threads.items.query<number>("SELECT VALUE COUNT(1) FROM c").fetchAll();
  return resources.reduce((sum, each) => sum + each, 0);
}

export const contentChecks = [oddTexts, deletion, wholeStore];
