/** What all objects have in common: the form of the API's object, and which fields a status fills. */
import type { z } from "zod";
import type { Finding } from "../rule.ts";

/** Complaints about an object that is not of the API's form. It may have more fields than this build knows. */
export function* formOf(id: string, schema: z.ZodType, object: unknown): Iterable<Finding> {
  const result = schema.safeParse(object);
  const issues = result.error?.issues ?? [];
  const wrong = issues.filter(({ code, path }) => code !== "unrecognized_keys" || path.length > 0);
  for (const issue of wrong) yield { id, detail: `${issue.path.join(".")}: ${issue.message}` };
}

/** Complaints about fields that are set and should be null, or null and should be set. */
export function* filled(doc: { id: string; status: string }, fields: Record<string, boolean>): Iterable<Finding> {
  for (const [name, expected] of Object.entries(fields)) {
    const given = (Reflect.get(doc, name) ?? null) !== null;
    if (given !== expected) yield { id: doc.id, detail: `is ${doc.status} and ${name} is ${given ? "set" : "null"}` };
  }
}

/** Complaints about times of one object that do not follow each other. In seconds; `tolerance` in milliseconds. */
export function* inOrder(doc: { id: string }, names: string[], tolerance: number): Iterable<Finding> {
  let last: { name: string; time: number } | undefined;
  for (const name of names) {
    const time: unknown = Reflect.get(doc, name);
    if (typeof time !== "number") continue;
    if (last !== undefined && time * 1000 + tolerance < last.time * 1000) {
      yield { id: doc.id, detail: `${name} ${time} is before ${last.name} ${last.time}` };
    }
    last = { name, time };
  }
}
