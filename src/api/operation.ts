/**
 * An operation of the API is a value. From the list of them come the functions that Azure calls, validation, and the
 * documents about the API.
 */
import type { z } from "zod";
import type { App } from "../app.ts";
import type { IdKind } from "../resources/ids.ts";
import { MAX_BODY } from "../resources/limits.ts";
import type { Face } from "./auth.ts";
import type { Base } from "./bases.ts";
import type { BinaryStream } from "./binary.ts";
import type { Connection } from "./connections.ts";
import type { Incoming } from "./incoming.ts";
import type { EventStream } from "./sse.ts";

/** `{thread_id}` in a path names a parameter that the handler gets. */
type PathParameters<Path extends string> = Path extends `${string}{${infer Name}}${infer Rest}`
  ? Name | PathParameters<Rest>
  : never;

export interface Call<Params extends string, Query, Body> {
  app: App;
  tenant: string;
  params: Record<Params, string>;
  query: Query;
  body: Body;
  /** milliseconds since 1970 */
  now: number;
  headers: { get(name: string): string | null };
  /** in whose form the request came */
  face: Face;
  /** of the client, where the host lets us see it */
  connection: Connection | undefined;
}

export interface Operation {
  name: string;
  summary: string;
  method: "GET" | "POST" | "DELETE";
  /** below the base, with parameters as {name} */
  path: string;
  query: z.ZodType | undefined;
  /** of a JSON body */
  body: z.ZodType | undefined;
  /** of the fields of a form (multipart/form-data); its handler reads and checks it as it comes */
  form: z.ZodType | undefined;
  /** how long a JSON body may be, in bytes */
  maxBody: number;
  /**
   * of the JSON object that it answers with; undefined if it only ever streams or sends bytes. Not checked when it
   * answers.
   */
  response: z.ZodType | undefined;
  /** whether it answers with the events of a run, always or where the request asks for them */
  streams: boolean;
  /** the one base that it exists under; all of them if absent */
  only?: Base["name"];
  /**
   * Answers with a JSON object, with an `EventStream`, or with a `BinaryStream`. Gets what its own schemas have let
   * through.
   */
  handler(call: Call<string, unknown, unknown>): Promise<object>;
}

/** Checks a handler against its own path and schemas, then forgets them: the list of operations is of one type. */
export function operation<
  Path extends string,
  Query = undefined,
  Body = undefined,
  Response extends z.ZodType<object> = z.ZodNever,
>(definition: {
  name: string;
  summary: string;
  method: Operation["method"];
  path: Path;
  query?: z.ZodType<Query>;
  body?: z.ZodType<Body>;
  maxBody?: number;
  response?: Response;
  streams?: boolean;
  only?: Base["name"];
  handler(call: Call<PathParameters<Path>, Query, Body>): Promise<z.output<Response> | EventStream | BinaryStream>;
}): Operation {
  const { query, body, maxBody = MAX_BODY, response, streams = false, ...rest } = definition;
  return { ...rest, query, body, form: undefined, maxBody, response, streams };
}

/** The same for an operation whose body is a form: its handler reads it as it comes. */
export function formOperation<Path extends string, Response extends z.ZodType<object>>(definition: {
  name: string;
  summary: string;
  method: "POST";
  path: Path;
  form: z.ZodType;
  response: Response;
  handler(call: Call<PathParameters<Path>, undefined, Incoming>): Promise<z.output<Response>>;
}): Operation {
  return { ...definition, query: undefined, body: undefined, maxBody: 0, streams: false };
}

/** Which kind of id a path parameter holds; its prefix is checked before anything is read. */
export const PATH_IDS: Record<string, IdKind> = {
  assistant_id: "assistant",
  thread_id: "thread",
  message_id: "message",
  run_id: "run",
  step_id: "step",
  upload_id: "upload",
  vector_store_id: "vector_store",
  batch_id: "file_batch",
};
