import { badRequest } from "./errors.ts";
import { MAX_PATCH_OPERATIONS } from "./limits.ts";
import { define, isObject, type Json, type JsonObject, type Path, type Value } from "./sql/values.ts";

/** The operations of a partial update and the condition that the item must meet. */
export interface Patch {
  operations: PatchOperation[];
  condition: string | undefined;
}

interface PatchOperation {
  op: string;
  path: string[];
  from: string[];
  value: Value;
  text: string;
}

type Node = Json[] | JsonObject;

const SYSTEM = new Set(["id", "_rid", "_self", "_etag", "_attachments", "_ts"]);
const OPERATIONS = new Set(["add", "set", "replace", "remove", "incr", "move"]);

/** Reads a patch as the SDKs send it: a bare array, or `{ operations, condition }`. Throws 400. */
export function parsePatch(body: Value): Patch {
  const list = isObject(body) ? body.operations : body;
  if (!Array.isArray(list) || list.length === 0)
    throw badRequest("Invalid patch request: missing patch operations array.");
  if (list.length > MAX_PATCH_OPERATIONS)
    throw badRequest(`The number of patch operations can't exceed '${MAX_PATCH_OPERATIONS}'.`);
  const condition = isObject(body) ? body.condition : undefined;
  if (condition !== undefined && typeof condition !== "string")
    throw badRequest("The patch condition must be a string.");
  return { operations: list.map(parseOperation), condition };
}

function parseOperation(operation: Json): PatchOperation {
  if (!isObject(operation)) throw badRequest("Invalid patch request: an operation must be an object.");
  const { op, path, from, value } = operation;
  if (typeof op !== "string" || !OPERATIONS.has(op))
    throw badRequest(`Invalid patch request: unknown operation '${op}'.`);
  if (op !== "remove" && op !== "move" && value === undefined)
    throw badRequest(`Invalid patch request: '${op}' needs a value.`);
  return { op, path: pointer(path), from: op === "move" ? pointer(from) : [], value, text: String(path) };
}

function pointer(path: Value): string[] {
  if (typeof path !== "string" || !path.startsWith("/")) throw badRequest(`Invalid patch request: bad path '${path}'.`);
  const names = path
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
  const [first] = names;
  if (first !== undefined && SYSTEM.has(first)) throw badRequest(`The path '${path}' cannot be patched.`);
  return names;
}

/** Throws 400 for an operation on the partition key, also one that would leave it as it is. */
export function checkKeyUntouched(operations: PatchOperation[], paths: readonly Path[]): void {
  for (const { op, path, from, text } of operations) {
    const touched = op === "move" ? [path, from] : [path];
    if (touched.some((names) => paths.some((key) => isPrefix(names, key)))) {
      throw badRequest(`The partition key cannot be patched: '${text}'.`);
    }
  }
}

const isPrefix = (start: readonly string[], whole: Path) => start.every((name, i) => name === whole[i]);

/** Applies the operations to this document, in place; throws 400 at the first that does not fit. */
export function applyPatch(document: JsonObject, operations: PatchOperation[]): void {
  for (const operation of operations) applyOperation(document, operation);
}

function applyOperation(document: JsonObject, operation: PatchOperation): void {
  const { op, path, from, text } = operation;
  if (op === "move") {
    if (path.length > from.length && from.every((name, i) => name === path[i])) {
      throw badRequest("The 'path' of a move cannot be a child of its 'from'.");
    }
    const source = parentOf(document, from, text);
    const value = childOf(source, last(from));
    if (value === undefined) throw badRequest(`Node to be moved is absent: '/${from.join("/")}'.`);
    remove(source, last(from));
    add(parentOf(document, path, text), last(path), value);
    return;
  }
  const parent = parentOf(document, path, text);
  const name = last(path);
  const current = childOf(parent, name);
  const value = operation.value ?? null;
  if (current === undefined && (op === "replace" || op === "remove")) {
    throw badRequest(`Node to be ${op === "replace" ? "replaced" : "removed"} is absent: '${text}'.`);
  }
  if (op === "remove") remove(parent, name);
  else if (op === "incr") increment(parent, name, value, text);
  else if (op === "add" || current === undefined) add(parent, name, value);
  else overwrite(parent, name, value);
}

const last = (path: string[]) => path.at(-1) ?? "";

function parentOf(document: JsonObject, path: string[], text: string): Node {
  let node: Node = document;
  for (const name of path.slice(0, -1)) {
    const next: Value = childOf(node, name);
    if (next === null || typeof next !== "object") {
      throw badRequest(
        "Operation can only create a child object of an existing node (array or object), " +
          `no path found beyond: '${text}'.`,
      );
    }
    node = next;
  }
  return node;
}

const isIndex = (name: string) => /^(0|[1-9]\d*)$/.test(name);

function childOf(node: Node, name: string): Value {
  if (Array.isArray(node)) return isIndex(name) ? node[Number(name)] : undefined;
  return Object.hasOwn(node, name) ? node[name] : undefined;
}

/** In an array: inserts before that index, or at the end for its length and for `-`. */
function add(node: Node, name: string, value: Json): void {
  if (!Array.isArray(node)) define(node, name, value);
  else if (name === "-") node.push(value);
  else if (isIndex(name) && Number(name) <= node.length) node.splice(Number(name), 0, value);
  else throw badRequest("Index to operate on is out of array bounds.");
}

function overwrite(node: Node, name: string, value: Json): void {
  if (Array.isArray(node)) node[Number(name)] = value;
  else define(node, name, value);
}

function remove(node: Node, name: string): void {
  if (Array.isArray(node)) node.splice(Number(name), 1);
  else delete node[name];
}

function increment(node: Node, name: string, by: Json, text: string): void {
  if (typeof by !== "number") throw badRequest("The value of an increment must be a number.");
  const current = childOf(node, name);
  if (current === undefined) {
    add(node, name, by);
    return;
  }
  if (typeof current !== "number") throw badRequest(`Node to be incremented is not a number: '${text}'.`);
  overwrite(node, name, current + by);
}
