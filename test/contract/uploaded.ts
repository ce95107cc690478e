/** Files that a recording uploads. It has no forms: each is made again from what its answer, and what searches found, say. */
import { at, type Json, listAt, textAt } from "./json.ts";
import type { Exchange, Recording } from "./recordings.ts";

export const isUpload = ({ method, target }: Exchange): boolean => method === "POST" && target === "/files";

/** What an upload sends. */
export function formOf({ answer }: Exchange, recording: Recording): FormData {
  const form = new FormData();
  form.set("purpose", textAt(answer.json, "purpose") ?? "");
  const bytes = Number(at(answer.json, "bytes"));
  const text = textsFound(recording).find((each) => Buffer.byteLength(each) === bytes) ?? "x".repeat(bytes);
  form.set("file", new Blob([text]), textAt(answer.json, "filename") ?? "");
  return form;
}

/** The texts of all results of searches. */
function textsFound({ exchanges }: Recording): string[] {
  const answers = exchanges.flatMap(({ answer }) => [answer.json, ...(answer.events ?? []).map(({ data }) => data)]);
  return answers.flatMap((answer) => [answer, ...listAt(answer, "data")]).flatMap(textsIn);
}

/** The texts of the results in a step. */
export const textsIn = (step: Json): string[] =>
  searchesIn(step)
    .flatMap((call) => listAt(call, "file_search", "results"))
    .flatMap((result) => textAt(listAt(result, "content")[0], "text") ?? []);

/** The searches of a step. */
export const searchesIn = (step: Json): Json[] =>
  listAt(step, "step_details", "tool_calls").filter((call) => textAt(call, "type") === "file_search");
