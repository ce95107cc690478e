/** The parameters of a request that stand in its URL: ids in the path, names and values in the query. */
import { z } from "zod";
import { idOf } from "../resources/common.ts";
import { type Operation, PATH_IDS } from "./operation.ts";
import { validated } from "./validation.ts";

interface PathId {
  name: string;
  schema: z.ZodType;
}

const known = new Map<string, PathId[]>();

/** Made with the first request: a start does not wait for those of all operations. */
function pathIdsOf({ path }: Operation): PathId[] {
  const ids = known.get(path) ?? newPathIds(path);
  known.set(path, ids);
  return ids;
}

function newPathIds(path: string): PathId[] {
  return [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
    const kind = PATH_IDS[name];
    return { name, schema: z.object({ [name]: kind === undefined ? z.string() : idOf(kind) }) };
  });
}

/** Only what the route names: Azure puts query and body keys among the parameters too. */
export function readParams(operation: Operation, given: Record<string, string>): Record<string, string> {
  const params: Record<string, string> = {};
  for (const { name, schema } of pathIdsOf(operation)) {
    const value = decoded(given[name] ?? "");
    validated(schema, { [name]: value });
    params[name] = value;
  }
  return params;
}

/** The one parameter of queries that is a list, in the spellings of clients. */
const INCLUDE = /^include(\[\d*\])?$/;

/** One client encodes the names of its query parameters, once too often; some send a name several times. */
export function readQuery(query: URLSearchParams): Record<string, string> & { include?: string[] } {
  const values: Record<string, string> = {};
  const include: string[] = [];
  for (const [name, value] of query) {
    const plain = decoded(name);
    if (INCLUDE.test(plain)) include.push(decoded(value));
    else values[plain] = value;
  }
  return Object.assign(values, include.length > 0 && { include });
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
