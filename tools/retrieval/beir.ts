/** A collection in the shape of BEIR: `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv`. */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { z } from "zod";

const document = z.object({ _id: z.string(), title: z.string().default(""), text: z.string() });
const query = z.object({ _id: z.string(), text: z.string() });

export interface Collection {
  /** texts by id, each with its title before it */
  documents: Map<string, string>;
  /** queries that have something to find */
  queries: Query[];
}

export interface Query {
  text: string;
  /** how relevant documents are, by id; those that are not there are not */
  relevant: Map<string, number>;
}

/** Throws with the file and the line that it cannot read. */
export function readCollection(folder: string): Collection {
  const documents = new Map<string, string>();
  for (const { _id: id, title, text } of lines(path.join(folder, "corpus.jsonl"), document)) {
    const whole = [title, text].filter((part) => part.trim() !== "").join("\n");
    // An empty document cannot be found.
    if (whole !== "") documents.set(id, whole);
  }
  const judgements = readJudgements(folder);
  const queries = lines(path.join(folder, "queries.jsonl"), query).flatMap(({ _id: id, text }) => {
    const relevant = judgements.get(id);
    return relevant === undefined ? [] : { text, relevant };
  });
  return { documents, queries };
}

function lines<T>(file: string, shape: z.ZodType<T>): T[] {
  const texts = readFileSync(file, "utf8").split("\n");
  return texts.flatMap((text, index) => {
    if (text.trim() === "") return [];
    try {
      return shape.parse(JSON.parse(text));
    } catch (error) {
      throw new Error(`${file}, line ${index + 1}: ${String(error)}`);
    }
  });
}

/** `query-id`, `corpus-id` and `score` in columns, or TREC's four columns; documents with the score 0 are not relevant. */
function readJudgements(folder: string): Map<string, Map<string, number>> {
  const file = ["qrels/test.tsv", "qrels.tsv", "qrels"].map((name) => path.join(folder, name)).find(isFile);
  if (file === undefined) throw new Error(`There is no qrels/test.tsv in ${folder}.`);
  const judgements = new Map<string, Map<string, number>>();
  for (const text of readFileSync(file, "utf8").split("\n")) {
    const columns = text.trim().split(/\s+/);
    const [queryId, documentId, score] = columns.length === 4 ? [columns[0], columns[2], columns[3]] : columns;
    const grade = Number(score);
    if (queryId === undefined || documentId === undefined || !(grade > 0)) continue;
    const relevant = judgements.get(queryId) ?? new Map<string, number>();
    judgements.set(queryId, relevant.set(documentId, grade));
  }
  return judgements;
}

const isFile = (file: string) => statSync(file, { throwIfNoEntry: false })?.isFile() === true;
