/**
 * What it takes to read files into a vector store: small files, one large text and a long PDF, with the simulated
 * embeddings; what each small file asks of Cosmos DB; and whether lists and searches keep their pace in a store of many
 * files.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { toFile } from "openai";
import { onTracedApp, type Trace } from "../cost/trace.ts";
import { eachInLanes } from "../lib/lanes.ts";
import type { Bench, Measurement, Outcome } from "../lib/measurement.ts";
import { pdfOf } from "../lib/pdf.ts";
import { median } from "../lib/quantiles.ts";
import type { Subject } from "../lib/subject.ts";

const MEGABYTE = 1_048_576;
const SMALL = "A thread is a conversation of a user and an assistant. ".repeat(8);
const UPLOADS_AT_ONCE = 8;
const LOOK = 50;
const SEARCHES = 20;
const PAGE = 100;

export const ingestion: Measurement = {
  name: "ingestion",
  title: "Reading files into vector stores",
  worksRemotely: false,
  measure: (bench) => onTracedApp(bench, { blobs: true }, (subject, trace) => measure(bench, subject, trace)),
};

async function measure(bench: Bench, subject: Subject, trace: Trace): Promise<Outcome> {
  const [files, megabytes, pages] = bench.quick ? [100, 1, 100] : [1_000, 8, 1_000];
  const small = await smallFiles(subject, trace, files);
  const text = await seconds(subject, SMALL.repeat((megabytes * MEGABYTE) / SMALL.length), "large.txt");
  const lines = (page: number) =>
    Array.from({ length: 30 }, (_, line) => `Page ${page}, line ${line}: ${SMALL.slice(0, 60)}`);
  const pdf = await seconds(subject, pdfOf(Array.from({ length: pages }, (_, page) => lines(page))), "long.pdf");
  const lists = await pagesOf(subject, small.store);
  const search = await searchTime(subject, small.store);
  const round = (value: number) => Math.round(value * 100) / 100;
  const slowest = Math.max(...lists) / (lists[0] ?? 1);
  return {
    tables: [
      {
        title: "With simulated embeddings, one instance",
        columns: ["", "seconds", "a second"],
        rows: [
          [
            `${files} files of ${SMALL.length} bytes in one batch`,
            round(small.seconds),
            `${round(files / small.seconds)} files`,
          ],
          [`a text of ${megabytes} MB`, round(text), `${round(megabytes / text)} MB`],
          [`a PDF of ${pages} pages`, round(pdf), `${round(pages / pdf)} pages`],
        ],
      },
      {
        title: "For each small file, its upload included",
        columns: ["", "a file"],
        rows: [
          ["requests to Cosmos DB", round(small.requests)],
          ["RU, Strong account", round(small.units)],
        ],
      },
      {
        title: `In the store of ${files} files`,
        columns: ["", ""],
        rows: [
          [`pages of its list, ${PAGE} files each`, lists.length],
          ["the slowest page beside the first one", round(slowest)],
          ["a search, median in milliseconds", round(search)],
        ],
      },
    ],
    goals: [
      { text: "requests to Cosmos DB for a small file", measured: small.requests, unit: "", bound: 5, kind: "at most" },
      { text: "small files a second", measured: files / small.seconds, unit: "", bound: 30, kind: "at least" },
      { text: "text a second", measured: megabytes / text, unit: "MB", bound: 1, kind: "at least" },
      { text: "pages of a PDF a second", measured: pages / pdf, unit: "", bound: 150, kind: "at least" },
      {
        text: "the slowest page of a list beside the first one",
        measured: slowest,
        unit: "times",
        bound: 2,
        kind: "at most",
      },
    ],
    figures: [],
    notes: [
      "Embeddings of a real model take longer than all of this: 64 passages a call, two calls at a time for each file.",
    ],
  };
}

async function uploaded({ sdk }: Subject, content: string | Buffer, name: string): Promise<string> {
  return (await sdk.files.create({ file: await toFile(Buffer.from(content), name), purpose: "assistants" })).id;
}

async function smallFiles(subject: Subject, trace: Trace, count: number) {
  const { vectorStores } = subject.sdk;
  await seconds(subject, SMALL, "warm-up.txt");
  const before = trace.requests().length;
  const ids: string[] = [];
  const numbers = Array.from({ length: count }, (_, number) => number);
  await eachInLanes(numbers, UPLOADS_AT_ONCE, async (number) => {
    ids.push(await uploaded(subject, `${SMALL}${number}`, `${number}.txt`));
  });
  const store = await vectorStores.create({});
  const started = performance.now();
  const batch = await vectorStores.fileBatches.create(store.id, { file_ids: ids });
  await ended(async () => (await vectorStores.fileBatches.retrieve(batch.id, { vector_store_id: store.id })).status);
  const took = (performance.now() - started) / 1000;
  // Polls of the batch are its client's affair.
  const own = trace
    .requests()
    .slice(before)
    .filter(({ isLook, method, kind }) => !isLook && (method !== "GET" || kind !== ""));
  const units = own.reduce((sum, each) => sum + each.units, 0);
  return { store: store.id, seconds: took, requests: own.length / count, units: units / count };
}

/** From putting one file into a store of its own until it is read. */
async function seconds(subject: Subject, content: string | Buffer, name: string): Promise<number> {
  const { vectorStores } = subject.sdk;
  const file = await uploaded(subject, content, name);
  const started = performance.now();
  const store = await vectorStores.create({ file_ids: [file] });
  await ended(async () => (await vectorStores.retrieve(store.id)).status);
  const { file_counts: counts } = await vectorStores.retrieve(store.id);
  if (counts.completed !== 1) throw new Error(`${name} was not read`);
  return (performance.now() - started) / 1000;
}

async function ended(status: () => Promise<string>): Promise<void> {
  while ((await status()) === "in_progress") await sleep(LOOK);
}

/** Milliseconds for each page of the list. */
async function pagesOf({ sdk }: Subject, store: string): Promise<number[]> {
  const took: number[] = [];
  for (let after: string | undefined; ; ) {
    const started = performance.now();
    const page = await sdk.vectorStores.files.list(store, { limit: PAGE, ...(after === undefined ? {} : { after }) });
    took.push(performance.now() - started);
    if (!page.hasNextPage()) return took;
    after = page.data.at(-1)?.id;
  }
}

async function searchTime({ sdk }: Subject, store: string): Promise<number> {
  const took: number[] = [];
  for (let search = 0; search < SEARCHES; search++) {
    const started = performance.now();
    await sdk.vectorStores.search(store, { query: `What is thread ${search}?` });
    took.push(performance.now() - started);
  }
  return median(took);
}
