/** Files in Blob Storage, and what a search finds in the vector index and the full-text index of the account. */
import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import type { AppClient } from "../app-client.ts";
import { type Check, outcomeOf } from "../check.ts";

/** Of one file. More than one block of 4 MiB. */
const BYTES = 9_000_000;

/** Milliseconds. */
const LONGEST_READING = 120_000;
const POLL = 500;

const wholeFiles: Check = {
  number: 31,
  title: `a file of ${BYTES / 1e6} MB comes back whole, and is gone once it is deleted`,
  why: "bytes are sent in blocks by the app's own identity, and read back as a stream",
  expected: "the same bytes, then 404",
  onlyOnAzure: "an account that refuses the identity, or a network rule, shows here first",
  writes: true,
  async run({ app }) {
    if (await servesNoFiles(app)) return { got: NO_FILES };
    const text = "A thread is a conversation. ".repeat(Math.ceil(BYTES / 28)).slice(0, BYTES);
    const id = await app.upload("first-hour.txt", text);
    const back = await app.call("GET", `/files/${id}/content`);
    const problems = back.status === 200 && back.text === text ? [] : [`${back.status}, ${back.text.length} bytes`];
    await app.object("DELETE", `/files/${id}`);
    const after = await app.call("GET", `/files/${id}/content`);
    if (after.status !== 404) problems.push(`deleted, it answers ${after.status}`);
    return outcomeOf(problems, `${BYTES} bytes in ${Math.round(back.took)} ms`);
  },
};

/** More than the 50 that one query of a search brings. */
const PASSAGES = 120;
/** Passages that are looked for. */
const LOOKED_FOR = [0, 7, 49, 50, 51, 77, 100, 119];

const wordOf = (number: number) => `quelzen${number}`;
const FILLER =
  "The committee met in the morning and spoke about the weather, the harvest and the price of bread. ".repeat(4);

const found = z.object({
  data: z.array(z.object({ score: z.number(), content: z.array(z.object({ text: z.string() })) })),
});

const searches: Check = {
  number: 32,
  title: `among ${PASSAGES} passages each is found by its own word, the best first`,
  why: "with a partition key the service ignores the order by words, and its pages are no sorted list",
  expected: `all ${LOOKED_FOR.length} of those looked for are first, and scores fall`,
  onlyOnAzure:
    "x-cosmos-request-charge of a search, where SHOW_COSTS is on; a store of fewer than 1,000 chunks is scanned",
  writes: true,
  async run({ app }) {
    if (await servesNoFiles(app)) return { got: NO_FILES };
    const text = Array.from({ length: PASSAGES }, (_, number) => `${FILLER}Remember ${wordOf(number)}.`).join("\n\n");
    const store = await app.vectorStore(await app.upload("first-hour.txt", text));
    const read = await readyStore(app, store);
    if (read !== "completed") return outcomeOf([`the file is ${read}`], "");
    const problems: string[] = [];
    for (const number of LOOKED_FOR) {
      const wrong = await wrongSearch(app, store, wordOf(number));
      if (wrong !== undefined) problems.push(wrong);
    }
    return outcomeOf(problems, `${LOOKED_FOR.length} searches`);
  },
};

const NO_FILES = "this deployment serves no files (BLOBS_ENDPOINT)";

const servesNoFiles = async (app: AppClient) => (await app.call("GET", "/files?limit=1")).status === 404;

async function wrongSearch(app: AppClient, store: string, word: string): Promise<string | undefined> {
  const body = { query: `Remember ${word}`, max_num_results: 10 };
  const { status, text } = await app.call("POST", `/vector_stores/${store}/search`, body);
  if (status !== 200) return `${word}: ${status} ${text.slice(0, 100)}`;
  const { data } = found.parse(JSON.parse(text));
  if (data[0]?.content[0]?.text.includes(word) !== true) return `${word} is not first`;
  return data.some(({ score }, at) => score > (data[at - 1]?.score ?? 1)) ? `${word}: scores rise` : undefined;
}

const ofStore = z.object({ data: z.array(z.object({ status: z.string(), last_error: z.unknown() })) });

/** What became of the one file of the store. */
async function readyStore(app: AppClient, store: string): Promise<string> {
  for (const end = performance.now() + LONGEST_READING; ; await sleep(POLL)) {
    const { data } = ofStore.parse(JSON.parse((await app.call("GET", `/vector_stores/${store}/files`)).text));
    const { status = "missing", last_error: error } = data[0] ?? {};
    if (status !== "in_progress") return error == null ? status : `${status}: ${JSON.stringify(error)}`;
    if (performance.now() > end) return `still in progress after ${LONGEST_READING / 1000} s`;
  }
}

export const fileChecks = [wholeFiles, searches];
