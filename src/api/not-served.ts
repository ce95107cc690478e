/** What a request is told that no operation answers: most of what comes here belongs to another part of OpenAI's API. */
import { type ApiError, notServed, routeNotFound } from "../resources/errors.ts";
import { BASES } from "./bases.ts";

const FILES =
  "This deployment does not serve files and vector stores yet. Assistants, threads, messages and runs work without " +
  "them; docs/compatibility.md tells what does not.";

const ONLY_ASSISTANTS =
  "Threadkeep serves the Assistants API only (assistants, threads, messages, runs). Ask the model's own endpoint for this.";

/** By the first segment of a path below the base. */
const ELSEWHERE: Record<string, string> = {
  files: FILES,
  uploads: FILES,
  vector_stores: FILES,
  audio: ONLY_ASSISTANTS,
  batches: ONLY_ASSISTANTS,
  chat: ONLY_ASSISTANTS,
  completions: ONLY_ASSISTANTS,
  conversations: ONLY_ASSISTANTS,
  embeddings: ONLY_ASSISTANTS,
  images: ONLY_ASSISTANTS,
  models: ONLY_ASSISTANTS,
  responses: ONLY_ASSISTANTS,
};

const NO_BASE =
  "There is nothing at this path. A client's base URL ends in /v1 (OpenAI), or is this host without a path (Azure OpenAI).";

const SERVED = new Set(["assistants", "threads", "files", "vector_stores"]);

const prefixes = BASES.map(({ prefix }) => new RegExp(`^/${prefix.replace("{project}", "[^/]+")}/`));

/** The refusal for a path from the root. */
export function refusalOfPath(path: string): ApiError {
  const prefix = prefixes.map((each) => each.exec(path)?.[0]).find((found) => found !== undefined);
  const [first = ""] = path.slice(prefix?.length ?? 1).split("/");
  if (prefix === undefined) return SERVED.has(first) ? notServed(NO_BASE) : routeNotFound();
  const text = Object.hasOwn(ELSEWHERE, first) ? ELSEWHERE[first] : undefined;
  return text === undefined ? routeNotFound() : notServed(text);
}

const HOSTED = ["file_search", "code_interpreter"];

/** The header for an answer with something in it that is kept and shown, and that runs go without. */
export function warningOf(answer: object): Record<string, string> {
  const tools: unknown = Reflect.get(answer, "tools");
  const attachments: unknown = Reflect.get(answer, "attachments");
  const unused = Array.isArray(tools) ? HOSTED.filter((type) => tools.some((tool) => tool?.type === type)) : [];
  if (Array.isArray(attachments) && attachments.length > 0) unused.push("attachments");
  if (unused.length === 0) return {};
  return { "x-threadkeep-warning": `not served yet, so runs go without it: ${unused.join(", ")}` };
}
