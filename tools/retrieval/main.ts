/**
 * The command line: `npm run retrieval -- [options] [FOLDER]`. How well vector stores find what is relevant, by a collection
 * in the shape of BEIR, with the app's own search on a local Cosmos DB and simulated embeddings.
 */
import path from "node:path";
import { parseArgs } from "node:util";
import { DEFAULT_DIMENSIONS } from "../../src/config.ts";
import { readCollection } from "./beir.ts";
import { type StoreOptions, startStore } from "./local.ts";
import { measure } from "./measure.ts";
import { searchTime } from "./speed.ts";

const HELP = `npm run retrieval -- [options] [FOLDER]

  FOLDER                with corpus.jsonl, queries.jsonl and qrels/test.tsv; without it, the project's own collection
  --dimensions N        of the embeddings (${DEFAULT_DIMENSIONS})
  --partitions N        physical partitions of the local Cosmos DB (1)
  --text-weight W       what words count beside meaning, from 0 to 1 (0.5)
  --ranker none         by meaning only
  --speed N,M           no collection: how long a search takes in stores of N and of M made up chunks. 100,000 of them
                        need some 3 GB: node --max-old-space-size=6000 tools/retrieval/main.ts --speed 10000,100000`;

const OWN_COLLECTION = path.join(import.meta.dirname, "own");

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      dimensions: { type: "string", default: String(DEFAULT_DIMENSIONS) },
      partitions: { type: "string", default: "1" },
      "text-weight": { type: "string", default: "0.5" },
      ranker: { type: "string" },
      speed: { type: "string" },
      help: { type: "boolean", default: false },
    },
  });
  const textWeight = Number(values["text-weight"]);
  const [dimensions, partitions] = [Number(values.dimensions), Number(values.partitions)];
  const isFit = Number.isInteger(dimensions) && Number.isInteger(partitions) && textWeight >= 0 && textWeight <= 1;
  if (!isFit) throw new Error(`These options cannot be.\n${HELP}`);
  const ranking = { ranker: values.ranker, textWeight, embeddingWeight: 1 - textWeight };
  const speed = values.speed?.split(",").map(Number);
  return { folder: positionals[0] ?? OWN_COLLECTION, dimensions, partitions, ranking, speed, help: values.help };
}

async function main(): Promise<void> {
  const { folder, dimensions, partitions, ranking, speed, help } = readArguments();
  if (help) return console.log(HELP);
  if (speed !== undefined) return measureSpeed(speed, { dimensions, partitions });
  const collection = readCollection(folder);
  const store = await startStore({ dimensions, partitions });
  try {
    const { missed, ...figures } = await measure(store, collection, ranking);
    for (const [name, value] of Object.entries(figures)) console.log(name.padEnd(18), Number(value.toFixed(3)));
    for (const text of missed.slice(0, 10)) console.log(`nothing relevant among the first five: ${text}`);
  } finally {
    await store.close();
  }
}

async function measureSpeed(counts: number[], options: StoreOptions): Promise<void> {
  for (const chunks of counts) {
    const store = await startStore(options);
    try {
      const { elapsed, cpu } = await searchTime(store, chunks);
      console.log(
        `${chunks} chunks: a search takes ${elapsed.toFixed(1)} ms, ${cpu.toFixed(1)} ms of a processor (medians)`,
      );
    } finally {
      await store.close();
    }
  }
}

await main();
