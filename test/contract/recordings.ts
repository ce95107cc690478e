/**
 * Recorded traffic of the service that this app stands in for. The recordings are not part of this project: they are
 * read from beside the checkout.
 */
import { existsSync, globSync, readFileSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import { PROJECT } from "../e2e/build.ts";
import { type Json, textAt } from "./json.ts";
import { parseEvents, type ServerEvent } from "./server-events.ts";

export const RECORDINGS = path.join(path.dirname(PROJECT), "shared/contract/recordings");

export interface Recording {
  name: string;
  exchanges: Exchange[];
}

/** One request and what was answered. */
export interface Exchange {
  method: string;
  /** below the base of the API: `/threads/thread_x/runs?limit=2` */
  target: string;
  headers: Record<string, string>;
  body: Json | undefined;
  answer: Answer;
}

export interface Answer {
  status: number;
  contentType: string;
  /** null if the answer is a stream */
  json: Json;
  events?: ServerEvent[];
}

/** All recordings in a folder below RECORDINGS; none if it is absent. */
export function readRecordings(folder: string): Recording[] {
  const parent = path.join(RECORDINGS, folder);
  if (!existsSync(parent)) return [];
  const files = globSync("*.json", { cwd: parent }).sort();
  return files.map((file) => readRecording(path.basename(file, ".json"), path.join(parent, file)));
}

const recorded = z.object({
  Entries: z.array(
    z.object({
      RequestUri: z.url(),
      RequestMethod: z.string(),
      RequestHeaders: z.record(z.string(), z.string()),
      RequestBody: z.json().optional(),
      StatusCode: z.int(),
      ResponseHeaders: z.object({ "Content-Type": z.string() }),
      ResponseBody: z.json().optional(),
    }),
  ),
});

function readRecording(name: string, file: string): Recording {
  const { Entries: entries } = recorded.parse(JSON.parse(readFileSync(file, "utf8")));
  const exchanges = entries.map((entry): Exchange => {
    const url = new URL(entry.RequestUri);
    const contentType = entry.ResponseHeaders["Content-Type"];
    return {
      method: entry.RequestMethod,
      target: url.pathname.replace(/^\/v1/, "") + url.search,
      headers: entry.RequestHeaders,
      body: entry.RequestBody ?? undefined,
      answer: answerOf(entry.StatusCode, contentType, entry.ResponseBody ?? null),
    };
  });
  return { name, exchanges };
}

function answerOf(status: number, contentType: string, body: Json): Answer {
  if (!isEventStream(contentType)) return { status, contentType, json: body };
  if (!Array.isArray(body)) throw new Error("A recorded stream is an array of its parts.");
  return { status, contentType, json: null, events: parseEvents(body.join("")) };
}

export const isEventStream = (contentType: string) => contentType.startsWith("text/event-stream");

/** The run that an answer shows: the one asked for, or the one streamed. */
export function runOf({ json, events = [] }: Answer): Json | undefined {
  const objects = [json, ...events.map(({ data }) => data)];
  return objects.find((object) => textAt(object, "object") === "thread.run");
}

/** The run whose state a request asks for. */
export function polledRun({ method, target }: Exchange): string | undefined {
  return method === "GET" ? /^\/threads\/\w+\/runs\/(\w+)$/.exec(target)?.[1] : undefined;
}
