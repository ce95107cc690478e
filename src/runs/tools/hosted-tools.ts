/** The tools that the server works for the model on one deployment. */
import type { Blobs } from "../../blobs/blobs.ts";
import type { CodeSessions } from "../../code/session.ts";
import type { Embeddings } from "../../model/embeddings.ts";
import type { Store } from "../../store/store.ts";
import { CodeInterpreter } from "./code-interpreter.ts";
import { codeSources } from "./code-sources.ts";
import { fileSearch } from "./file-search.ts";
import type { HostedTool } from "./hosted-tool.ts";
import { searchSources } from "./search-sources.ts";

export interface HostedParts {
  /** reads with the account's freshness */
  store: Store;
  embeddings: Embeddings;
  /** undefined: this deployment runs no code. `timeout` of one call in seconds. */
  code: { sessions: CodeSessions; blobs: Blobs; timeout: number } | undefined;
  /** milliseconds since 1970 */
  now: () => number;
}

export function hostedTools({ store, embeddings, code, now }: HostedParts): HostedTool[] {
  const search = fileSearch(searchSources(store, embeddings, now));
  if (code === undefined) return [search];
  return [search, new CodeInterpreter(codeSources(code.sessions, store, code.blobs, code.timeout, now))];
}
