/** What a request is told that no operation answers. Most of them belong to another part of OpenAI's API. */
import { type ApiError, noBaseInPath, onlyAssistants, routeNotFound } from "../resources/errors.ts";
import { BASES } from "./bases.ts";

/** First segments of paths below the base. */
const OF_OTHERS = new Set([
  "audio",
  "batches",
  "chat",
  "completions",
  "conversations",
  "embeddings",
  "images",
  "models",
  "responses",
]);

/** A client that asks for one of these from the root has no base in its URL. */
const OF_CLIENTS = new Set(["assistants", "threads", "files", "uploads", "vector_stores"]);

const prefixes = BASES.map(({ prefix }) => new RegExp(`^/${prefix.replace("{project}", "[^/]+")}/`));

/** The refusal for a path from the root. */
export function refusalOfPath(path: string): ApiError {
  const prefix = prefixes.map((each) => each.exec(path)?.[0]).find((found) => found !== undefined);
  const [first = "", second = ""] = path.slice(prefix?.length ?? 1).split("/");
  if (prefix === undefined) return OF_CLIENTS.has(first) ? noBaseInPath() : routeNotFound();
  // A base behind a base: a client that adds its own got a URL that had one.
  if (first === "v1" && (OF_CLIENTS.has(second) || OF_OTHERS.has(second))) return noBaseInPath();
  return OF_OTHERS.has(first) ? onlyAssistants() : routeNotFound();
}

const isForCode = ({ tools }: { tools: { type: string }[] }) => tools.some(({ type }) => type === "code_interpreter");

/** The header for an answer with something that is kept and shown, and that runs go without as no pool runs code. */
export function warningOf(answer: object): Record<string, string> {
  const tools: unknown = Reflect.get(answer, "tools");
  const attachments: unknown = Reflect.get(answer, "attachments");
  const usesCode = Array.isArray(tools) && tools.some((tool) => tool?.type === "code_interpreter");
  const unused = usesCode ? ["code_interpreter"] : [];
  if (Array.isArray(attachments) && attachments.some(isForCode)) unused.push("attachments for the code_interpreter");
  if (unused.length === 0) return {};
  return { "x-threadkeep-warning": `not set up here, so runs go without it: ${unused.join(", ")}` };
}
